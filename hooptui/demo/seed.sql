-- The demo's shop. Deterministic: the same rows at every start. Numbers are well-formed (Luhn, mod 97) and belong to nobody.

CREATE FUNCTION pg_temp.luhn(body text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT body || (10 - sum(CASE WHEN odd THEN digit * 2 - 9 * (digit * 2 > 9)::int ELSE digit END) % 10) % 10
    FROM (SELECT substr(reverse(body), i, 1)::int AS digit, i % 2 = 1 AS odd FROM generate_series(1, length(body)) AS i) AS digits
$$;

CREATE FUNCTION pg_temp.iban(account text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT 'DE' || lpad((98 - (account || '131400')::numeric % 97)::int::text, 2, '0') || account
$$;

CREATE TABLE customers (
    id integer PRIMARY KEY,
    name text NOT NULL,
    email text NOT NULL UNIQUE,
    phone text NOT NULL,
    ssn text NOT NULL,
    iban text NOT NULL,
    city text NOT NULL,
    note text,
    created_at timestamptz NOT NULL
);
CREATE TABLE cards (
    id integer PRIMARY KEY,
    customer_id integer NOT NULL REFERENCES customers,
    pan text NOT NULL,
    pan_number bigint NOT NULL,
    expires date NOT NULL
);
CREATE TABLE employees (
    id integer PRIMARY KEY,
    login text NOT NULL UNIQUE,
    title text NOT NULL,
    email text NOT NULL,
    ssn text NOT NULL,
    salary numeric(10, 2) NOT NULL
);
CREATE TABLE orders (
    id integer PRIMARY KEY,
    customer_id integer NOT NULL REFERENCES customers,
    item text NOT NULL,
    quantity integer NOT NULL,
    total numeric(10, 2) NOT NULL,
    status text NOT NULL,
    placed_at timestamptz NOT NULL
);
CREATE TABLE payments (
    id integer PRIMARY KEY,
    order_id integer NOT NULL REFERENCES orders,
    card_id integer NOT NULL REFERENCES cards,
    amount numeric(10, 2) NOT NULL,
    status text NOT NULL,
    paid_at timestamptz NOT NULL
);
CREATE TABLE integrations (
    id integer PRIMARY KEY,
    service text NOT NULL,
    token text NOT NULL
);

INSERT INTO customers
SELECT
    i,
    'customer-' || lpad(i::text, 4, '0'),
    'customer-' || lpad(i::text, 4, '0') || '@' || (ARRAY['mail.example', 'post.example', 'acme.example'])[i % 3 + 1],
    '+1 202-555-' || lpad((i * 7 % 10000)::text, 4, '0'),
    lpad((i * 37 % 664 + 1)::text, 3, '0') || '-' || lpad((i * 13 % 98 + 1)::text, 2, '0') || '-' || lpad((i * 71 % 9998 + 1)::text, 4, '0'),
    pg_temp.iban(lpad((i::bigint * 7919 * 104729 % 1000000000000000000)::text, 18, '0')),
    (ARRAY['Lisbon', 'Ghent', 'Turku', 'Graz', 'Brno', 'Leeds', 'Utrecht'])[i % 7 + 1],
    CASE WHEN i % 11 = 0 THEN 'prefers to be called at +1 202-555-' || lpad((i * 7 % 10000)::text, 4, '0') END,
    timestamptz '2024-01-01 08:00+00' + i * interval '5 hours'
FROM generate_series(1, 2000) AS i;

INSERT INTO cards
SELECT i, i, pan, pan::bigint, date '2027-01-01' + i % 1400
FROM generate_series(1, 2000) AS i, LATERAL (SELECT pg_temp.luhn('400000' || lpad((i::bigint * 48271 % 1000000000)::text, 9, '0')) AS pan) AS made;

INSERT INTO employees
SELECT
    i,
    'staff-' || lpad(i::text, 3, '0'),
    (ARRAY['picker', 'driver', 'clerk', 'buyer', 'engineer'])[i % 5 + 1],
    'staff-' || lpad(i::text, 3, '0') || '@shop.example',
    lpad((i * 53 % 664 + 1)::text, 3, '0') || '-' || lpad((i * 17 % 98 + 1)::text, 2, '0') || '-' || lpad((i * 97 % 9998 + 1)::text, 4, '0'),
    28000 + (i * 7919 % 61000) + 0.5
FROM generate_series(1, 120) AS i;

INSERT INTO orders
SELECT
    i,
    i * 17 % 2000 + 1,
    (ARRAY['kettle', 'lamp', 'chair', 'rug', 'clock', 'mug'])[i % 6 + 1],
    i % 4 + 1,
    (i * 3571 % 40000) / 100.0 + 5,
    (ARRAY['open', 'packed', 'shipped', 'delivered', 'returned'])[i % 5 + 1],
    timestamptz '2025-01-01 00:00+00' + i * interval '97 minutes'
FROM generate_series(1, 4000) AS i;

INSERT INTO payments
SELECT i, i, customer_id, total, CASE WHEN i % 29 = 0 THEN 'refunded' ELSE 'settled' END, placed_at + interval '3 minutes'
FROM orders, LATERAL (SELECT orders.id AS i) AS same;

INSERT INTO integrations
SELECT i, (ARRAY['billing', 'shipping', 'mailing', 'search'])[i % 4 + 1], 'sk_test_' || md5('integration ' || i)
FROM generate_series(1, 20) AS i;

ANALYZE;

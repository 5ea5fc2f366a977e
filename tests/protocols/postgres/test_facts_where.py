"""What counts as a WHERE."""

from __future__ import annotations

import pytest

from hooptui.protocols.postgres.facts import understand

# Conditions that bound nothing.
UNBOUNDED = r"""
true
1 = 1
$1
$1::bool
'yes'::boolean
1 < 2 AND true
NOT false
NOT $1
id = id
t.id = id
id >= id
id IS NOT DISTINCT FROM id
id BETWEEN id AND id
id + 1 = id + 1
id < id + 1
id - id = 0
(id + 1) - (id + 2) <> 5
id = 5 OR true
id = 5 OR 1 = 1
true OR id = 5
id = 5 OR $1
id IS NULL OR id IS NOT NULL
a = 1 OR id IS NOT NULL OR id IS NULL
id = 5 OR id <> 5
id = 5 OR NOT id = 5
NOT (id = 5 AND id <> 5)
id < 5 OR id >= 5
NOT (id = 5 AND false)
NOT (id <> id)
(id = id) IS TRUE
(id = id) = true
(id <> id) IS NOT TRUE
(id = 5 OR true) AND (a = a)
id IN (SELECT id FROM t)
id = ANY (SELECT id FROM t)
EXISTS (SELECT 1)
EXISTS (SELECT 1 FROM s)
EXISTS (SELECT 1 FROM s WHERE s.id = 5)
EXISTS (SELECT id FROM s WHERE id = 5)
name LIKE '%'
name LIKE '%%'
name ILIKE '%'::text
name SIMILAR TO '%'
name LIKE name
CASE WHEN id = 5 THEN true ELSE true END
coalesce(id = 5, true)
s.id = 5
s.id = s.id
tableoid = 't'::regclass
ctid IS NOT NULL
t IS NOT NULL
tableoid IS NOT NULL
now() > '2020-01-01'
current_user = 'x'
(SELECT true)
(SELECT count(*) FROM s) > 0
id + id > id
""".strip().splitlines()

# Conditions that bound, in the sense of the rule.
BOUNDED = r"""
id = 5
id = $1
5 = id
"Id" = 5
t.id = 5
public.t.id = 5
id = 5 AND true
true AND id = 5
$1 AND id = $2
id = 5 OR id = 6
id = 5 OR a = 6
id = 5 OR (a = 6 AND b = 7)
NOT (id = 5)
NOT (id = 5 OR a = 6)
id > 5
id <> 5
id < a
id BETWEEN 1 AND 5
id NOT BETWEEN $1 AND $2
id IN (1, 2, 3)
id NOT IN (1, 2)
id = ANY ($1)
id = ANY ('{1,2}')
id IS NULL
id IS NOT NULL
id = 5 OR id IS NULL
flag
NOT flag
flag IS TRUE
flag IS NOT FALSE
(id = 5) IS TRUE
(id = 5) = true
id IN (SELECT id FROM s)
id IN (SELECT id FROM t WHERE a = 5)
id = (SELECT max(id) FROM s)
id IN (SELECT id FROM t LIMIT 10)
EXISTS (SELECT 1 FROM s WHERE s.id = t.id)
NOT EXISTS (SELECT 1 FROM s WHERE s.id = t.id)
name LIKE 'a%'
name LIKE $1
name ~ '^a'
starts_with(name, 'a')
tags @> ARRAY['x']
doc ->> 'a' = 'b'
lower(name) = 'x'
(id, a) = (1, 2)
(id, a) IN ((1, 2), (3, 4))
id = s.id
created < now() - interval '30 days'
ctid = '(0,1)'
name COLLATE "C" = 'x'
id::text = '5'
CURRENT OF c
""".strip().splitlines()

# The forms that stand before the condition, each over the target t.
FORMS = [
    "DELETE FROM t USING s WHERE {}",
    "UPDATE t SET a = 1 FROM s WHERE {}",
    "WITH x AS (DELETE FROM public.t WHERE {} RETURNING 1) SELECT * FROM x",
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("condition", UNBOUNDED)
def test_what_keeps_no_row_out_is_no_where(condition: str, form: str) -> None:
    facts = understand(form.format(condition)).facts
    assert facts.understood, facts.unknown
    assert facts.missing_where


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("condition", BOUNDED)
def test_a_test_of_a_column_is_a_where(condition: str, form: str) -> None:
    facts = understand(form.format(condition)).facts
    assert facts.understood, facts.unknown
    assert not facts.missing_where


@pytest.mark.parametrize(
    ("sql", "missing"),
    [
        ("DELETE FROM t", True),
        ("UPDATE t SET a = 1", True),
        ("DELETE FROM t AS x WHERE x.id = 1", False),
        ("DELETE FROM t AS x USING t WHERE t.id = 1", True),
        ("DELETE FROM t AS x WHERE EXISTS (SELECT 1 FROM t WHERE t.id = 1)", True),
        ("MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE", False),
        ("MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE", True),
        ("MERGE INTO t USING s ON s.id = 5 WHEN MATCHED THEN UPDATE SET a = 1", True),
        ("MERGE INTO t USING s ON 1 = 1 WHEN MATCHED AND t.id = 5 THEN DELETE", False),
        ("MERGE INTO t USING s ON true WHEN NOT MATCHED THEN INSERT VALUES (1)", False),
        ("MERGE INTO t USING s ON t.id = s.id WHEN NOT MATCHED BY SOURCE THEN DELETE", True),
        ("MERGE INTO t USING s ON t.id = s.id WHEN NOT MATCHED BY SOURCE AND t.id = 4 THEN DELETE", False),
        (
            "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET a = 1 WHEN NOT MATCHED BY SOURCE THEN UPDATE SET a = 2",
            True,
        ),
        ("INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET a = 2", False),
        ("SELECT * FROM t", False),
        ("EXPLAIN DELETE FROM t", False),
        ("DELETE FROM a WHERE id = 1; DELETE FROM b", True),
    ],
)
def test_statements(sql: str, missing: bool) -> None:
    facts = understand(sql).facts
    assert facts.understood, facts.unknown
    assert facts.missing_where is missing

"""Which columns a rule covers: neither alias nor rename escapes."""

from __future__ import annotations

import pytest

from hooptui.core.model import Column, ColumnSource
from hooptui.masking import patterns

CUSTOMERS_EMAIL = ColumnSource("public", "customers", "email")
CUSTOMERS_SSN = ColumnSource("public", "customers", "ssn")
CUSTOMERS_ID = ColumnSource("public", "customers", "id")
ORDERS_SSN = ColumnSource("shop", "orders", "ssn")


@pytest.mark.parametrize(
    ("pattern", "name", "source", "expected"),
    [
        ("email", "email", CUSTOMERS_EMAIL, True),
        ("email", "x", CUSTOMERS_EMAIL, True),  # SELECT email AS x
        ("email", "email", CUSTOMERS_ID, True),  # SELECT id AS email
        ("email", "email", None, True),  # SELECT lower(email) AS email
        ("email", "lower", None, False),
        ("*.email", "x", CUSTOMERS_EMAIL, True),
        ("*.email", "email", None, True),
        ("*.*.email", "email", CUSTOMERS_ID, True),
        ("customers.ssn", "x", CUSTOMERS_SSN, True),
        ("customers.ssn", "ssn", CUSTOMERS_SSN, True),
        ("customers.ssn", "ssn", ORDERS_SSN, False),
        ("customers.ssn", "ssn", None, True),  # SELECT ssn::text
        ("customers.ssn", "id", CUSTOMERS_ID, False),
        ("public.customers.ssn", "x", CUSTOMERS_SSN, True),
        ("shop.customers.ssn", "x", CUSTOMERS_SSN, False),
        ("shop.*.ssn", "x", ORDERS_SSN, True),
        ("*.customers.ssn", "x", CUSTOMERS_SSN, True),
        ("*.orders.ssn", "x", CUSTOMERS_SSN, False),
        ("customers.*", "x", CUSTOMERS_ID, True),
        ("customers.*", "x", ORDERS_SSN, False),
        ("cust*.s?n", "x", CUSTOMERS_SSN, True),
        ("*mail*", "EMail_Address", None, True),
        ("EMAIL", "email", None, True),
        ("email", "Email", None, True),
        ("customers.ssn", "x", ColumnSource("Public", "Customers", "SSN"), True),
        ("ssn", "no_ssn", None, False),
        ("[ab]*", "beta", None, True),
        ("email", "email\n", None, False),
        ("a", "x", ColumnSource("s", "t.a", "b"), False),
    ],
)
def test_covers(pattern: str, name: str, source: ColumnSource | None, expected: bool):
    assert patterns.parse(pattern).covers(Column(name, source, 25)) is expected


@pytest.mark.parametrize("pattern", ["", ".", "a.", ".a", "a..b", "a.b.c.d", " "])
def test_malformed_patterns_are_errors(pattern: str):
    with pytest.raises(ValueError, match="column pattern"):
        patterns.parse(pattern)

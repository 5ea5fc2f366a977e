"""What a reviewer is told of a plan."""

from __future__ import annotations

import pytest

from hooptui.control.views import summary

UPDATE = "Update on orders  (cost=0.00..76.00 rows=0 width=0)\n  ->  Seq Scan on orders  (cost=0.00..76.00 rows=4000 width=38)"


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        (UPDATE, "≈ 4 000 rows (EXPLAIN: Update on orders, Seq Scan on orders)"),
        ("Seq Scan on t  (cost=0.00..35.50 rows=1234567 width=4)\n  Filter: (a > 1)", "≈ 1 234 567 rows (EXPLAIN: Seq Scan on t)"),
        ("Result  (cost=0.00..0.01 rows=1 width=4)", "≈ 1 rows (EXPLAIN: Result)"),
        ("something else", "something else"),
    ],
)  # fmt: skip
def test_a_plan_in_one_line(plan: str, says: str) -> None:
    assert summary(plan) == says

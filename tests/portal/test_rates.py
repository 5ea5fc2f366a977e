"""Token buckets by origin."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.portal.rates import Rates


def test_a_burst_and_then_one_each_while() -> None:
    rates = Rates(burst=3, every=10.0)
    assert [rates.take("10.0.0.1:5", 100.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert rates.take("10.0.0.1:6", 100.0) == 10.0
    assert rates.take("10.0.0.1:7", 105.0) == 5.0
    assert rates.take("10.0.0.1:8", 110.0) == 0.0
    assert rates.take("10.0.0.1:8", 110.0) > 0


def test_origins_do_not_pay_for_each_other() -> None:
    rates = Rates(burst=1, every=10.0)
    assert rates.take("10.0.0.1:5", 0.0) == 0
    assert rates.take("10.0.0.2:5", 0.0) == 0
    assert rates.take("10.0.0.1:6", 0.0) > 0


def test_a_whole_ipv6_network_is_one_origin() -> None:
    rates = Rates(burst=1, every=10.0)
    assert rates.take("[2001:db8::1]:5", 0.0) == 0
    assert rates.take("[2001:db8::ffff:2]:5", 0.0) > 0
    assert rates.take("[2001:db8:0:1::1]:5", 0.0) == 0


def test_memory_is_bounded() -> None:
    rates = Rates(burst=1, every=10.0, limit=50)
    for number in range(1000):
        rates.take(f"10.0.{number // 250}.{number % 250}:1", 0.0)
    assert len(rates) == 50


def test_a_clock_that_stands_or_jumps_back_gives_nothing_away() -> None:
    rates = Rates(burst=1, every=10.0)
    assert rates.take("a:1", 100.0) == 0
    assert rates.take("a:1", 50.0) > 0


@settings(max_examples=60, derandomize=True)
@given(st.lists(st.floats(0, 30), min_size=1, max_size=60))
def test_never_more_than_the_burst_and_what_time_gave(steps: list[float]) -> None:
    rates, at, passed = Rates(burst=4, every=5.0), 0.0, 0
    for step in steps:
        at += step
        passed += rates.take("10.0.0.1:1", at) == 0
        assert passed <= 4 + at / 5.0 + 1e-6

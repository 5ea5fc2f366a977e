"""Wrong guesses are counted per key, lock it once, and cost bounded memory whatever comes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.auth.lockout import Lockout


def lockout(guesses: int = 3, limit: int = 4096) -> Lockout:
    return Lockout(guesses=guesses, window=600.0, lasts=600.0, limit=limit)


def test_the_guess_too_many_locks_once_and_for_a_while() -> None:
    one = lockout()
    assert [one.failed("a", at) for at in (0.0, 1.0, 2.0, 3.0)] == [False, False, True, False]
    assert one.left("a", 3.0) == 599.0
    assert one.left("b", 3.0) == 0.0
    assert one.left("a", 601.9) > 0
    assert one.left("a", 602.0) == 0.0


def test_after_a_lock_out_counting_begins_anew() -> None:
    one = lockout()
    for at in (0.0, 1.0, 2.0):
        one.failed("a", at)
    assert [one.failed("a", at) for at in (602.0, 603.0, 604.0)] == [False, False, True]


def test_old_guesses_do_not_count() -> None:
    one = lockout()
    assert not any(one.failed("a", at) for at in range(0, 6_000, 300))
    assert one.failed("a", 5_701.0)


def test_memory_is_bounded_and_the_oldest_is_forgotten() -> None:
    one = lockout(limit=10)
    for number in range(1_000):
        one.failed(str(number), float(number) / 10)
    assert len(one) == 10
    for number in range(1_000):
        assert not one.left(str(number), 200.0)
        for _ in range(3):
            one.failed(str(number), 200.0)
    assert len(one) <= 20
    assert one.left("999", 200.0) and not one.left("0", 200.0)


def test_the_one_wrong_longest_ago_is_forgotten_first() -> None:
    one = lockout(limit=2)
    for at, key in enumerate("abac"):
        one.failed(key, float(at))
    assert one.failed("a", 4.0), "its third; b was forgotten for c"


def test_a_lock_out_clears_what_led_to_it() -> None:
    one = Lockout(guesses=2, window=600.0, lasts=10.0)
    assert [one.failed("a", at) for at in (0.0, 1.0, 20.0, 21.0)] == [False, True, False, True]


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 400))))
def test_it_agrees_with_a_plain_count(guesses: list[tuple[str, float]]) -> None:
    one, at = lockout(), 0.0
    wrong: dict[str, list[float]] = {}
    locked: dict[str, float] = {}
    for key, step in guesses:
        at += step
        expected = False
        assert (one.left(key, at) > 0) == (locked.get(key, 0.0) > at)
        if not locked.get(key, 0.0) > at:
            recent = [time for time in wrong.get(key, []) if time > at - 600.0] + [at]
            expected = len(recent) >= 3
            wrong[key] = [] if expected else recent
            if expected:
                locked[key] = at + 600.0
        assert one.failed(key, at) == expected

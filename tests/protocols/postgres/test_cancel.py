"""Cancel keys: who may cancel what."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hooptui.protocols.postgres.cancel import CancelKeys


def test_a_key_opens_its_own_session_from_its_own_address_only() -> None:
    keys: CancelKeys[str] = CancelKeys()
    mine = keys.give("10.0.0.1", "mine", pid=7, minor=0)
    other = keys.give("10.0.0.2", "other", pid=7, minor=2)
    assert (len(mine.key), len(other.key)) == (4, 32)
    assert keys.find(7, mine.key, "10.0.0.1") == "mine"
    assert keys.find(7, other.key, "10.0.0.2") == "other"
    assert keys.find(7, mine.key, "10.0.0.2") is None
    assert keys.find(8, mine.key, "10.0.0.1") is None
    assert keys.find(7, mine.key[:-1], "10.0.0.1") is None
    assert keys.find(7, b"", "10.0.0.1") is None


def test_a_key_taken_back_opens_nothing() -> None:
    keys: CancelKeys[str] = CancelKeys()
    one = keys.give("h", "one", pid=7, minor=0)
    two = keys.give("h", "two", pid=7, minor=0)
    keys.take_back(one)
    assert keys.find(7, one.key, "h") is None
    assert keys.find(7, two.key, "h") == "two"
    keys.take_back(replace(two, key=b"none"))
    assert keys.find(7, two.key, "h") == "two"


def test_a_taken_key_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = iter([b"same", b"same", b"else"])
    monkeypatch.setattr("secrets.token_bytes", lambda size: next(draws))
    keys: CancelKeys[str] = CancelKeys()
    assert keys.give("h", "one", pid=7, minor=0).key == b"same"
    assert keys.give("h", "two", pid=7, minor=0).key == b"else"


def test_a_key_shows_nothing() -> None:
    keys: CancelKeys[str] = CancelKeys()
    assert "***" in repr(keys.give("h", "s", pid=7, minor=0))

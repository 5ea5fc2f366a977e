"""A Secret cannot be seen by accident."""

from __future__ import annotations

import copy
import pickle
import traceback

import pytest

from hooptui.core.secret import Secret

VALUE = "canary-7c1f"


def test_no_way_of_showing_it_shows_it() -> None:
    secret = Secret(VALUE)
    assert VALUE not in f"{secret} {secret!r} {secret:>20} %s" % secret
    assert VALUE not in str(vars(type(secret)))
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        copy.copy(secret)
    with pytest.raises(TypeError):
        hash(secret)
    try:
        raise ValueError(secret)
    except ValueError as fault:
        shown = "".join(traceback.TracebackException.from_exception(fault, capture_locals=True).format())
        assert VALUE not in shown.replace(f"VALUE = '{VALUE}'", "")


def test_it_compares_by_value() -> None:
    assert Secret(VALUE) == Secret(VALUE)
    assert Secret(VALUE) != Secret("other")
    assert Secret(VALUE).matches(VALUE)
    assert bool(Secret("")) is False
    assert len(Secret("abc")) == 3

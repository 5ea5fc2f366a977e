"""No way to the value of a Secret is left open: each is seen to lead there without masks, and then not with them."""

from __future__ import annotations

import json

import pytest

from hooptui.core.model import MaskRule, MaskSet
from hooptui.masking.kubernetes.masks import ClusterMasks
from hooptui.masking.kubernetes.objects import CannotMask
from tests.masking.kubernetes.leaks import LEAKS, VALUE, Leak, compact, secret, shows

KEY = bytes(range(32))
MASKS = ClusterMasks(MaskSet((MaskRule("no-secrets", secrets=True),)), KEY)


def through(leak: Leak, size: int) -> tuple[bytes, int]:
    """What the client gets, until masks refuse to go on, and how much was masked."""
    mask = MASKS.answer(leak.resource, "application/json", watch=leak.watch)
    out = b""
    try:
        for at in range(0, len(leak.body), size):
            out += mask.feed(leak.body[at : at + size])
        out += mask.close()
    except CannotMask:
        return out, -1
    return out, sum(mask.counts.values())


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.name)
def test_the_way_is_closed(leak: Leak) -> None:
    assert shows(leak.body), "it does not lead to the value, and so proves nothing"
    for size in (1 << 20, 1 << 16, 4096, 101):
        out, masked = through(leak, size)
        assert not shows(out)
        assert out != leak.body
        if masked > 0 and not leak.watch:
            json.loads(out)


def test_there_are_enough_of_them() -> None:
    assert len({leak.name for leak in LEAKS}) == len(LEAKS) >= 50


def test_what_nothing_is_masked_in_keeps_its_bytes() -> None:
    pod = b'{ "kind":"Pod", "spec":{"volumes":[{"secret":{"secretName":"db"}}], "n": 1.50, "s": "\\u003c\\u0026" } }\n'
    assert through(Leak("", "pods", pod), 5) == (pod, 0)


def test_a_secret_keeps_what_it_is_found_by() -> None:
    out, _ = through(Leak("", "secrets", compact(secret(VALUE))), 1000)
    assert json.loads(out)["metadata"]["name"] == VALUE

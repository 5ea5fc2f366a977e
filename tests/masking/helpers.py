"""Masks for one column, and values as PostgreSQL sends them."""

from __future__ import annotations

import decimal
import struct
from collections.abc import Callable

from hooptui.core.model import Column, MaskAction, MaskRule, MaskSet
from hooptui.core.ports import ColumnMask
from hooptui.masking import detectors
from hooptui.masking.masker import make_masker

KEY = bytes(range(32))
BLOCKS = "████"


def net(
    action: MaskAction = MaskAction.REDACT, *, ascii_only: bool = False
) -> Callable[[int, bool], ColumnMask | None]:
    masker = make_masker(MaskSet((MaskRule("net", detect=detectors.ALL, action=action),)), KEY)

    def mask(oid: int, binary: bool) -> ColumnMask | None:
        plan = masker.plan([Column("c", None, oid, binary)], ascii_only=ascii_only)
        return plan.columns[0] if plan else None

    return mask


def forced(action: MaskAction, oid: int, binary: bool = False, *, ascii_only: bool = False) -> ColumnMask:
    plan = make_masker(MaskSet((MaskRule("pii", columns=("c",), action=action),)), KEY).plan(
        [Column("c", None, oid, binary)], ascii_only=ascii_only
    )
    assert plan is not None
    assert plan.forced
    mask = plan.columns[0]
    assert mask is not None
    return mask


def binary_numeric(number: decimal.Decimal) -> bytes:
    whole, _, part = f"{abs(number):f}".partition(".")
    scale = len(part)
    whole = whole.zfill(-(-len(whole) // 4) * 4)
    part = part.ljust(-(-scale // 4) * 4, "0")
    groups = [int((whole + part)[at : at + 4]) for at in range(0, len(whole + part), 4)]
    weight = len(whole) // 4 - 1
    while groups and groups[0] == 0:
        groups.pop(0)
        weight -= 1
    while groups and groups[-1] == 0:
        groups.pop()
    return struct.pack(f"!HhHH{len(groups)}H", len(groups), weight, 0x4000 if number < 0 else 0, scale, *groups)

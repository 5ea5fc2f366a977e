"""The plan for a result whose columns stand for more than one column: what a view or a partition passes on. Pure.

RowDescription names the view's column; the mask may be on the table's. So every name in a column's lineage is tried, and
where more than one of them is protected, each mask is applied in turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from hooptui.core.model import Column, ColumnSource
from hooptui.core.ports import ColumnMask, Masker, ResultMask

Lineage: TypeAlias = tuple[ColumnSource, ...]
"""A column's true names: itself first, then what it is passed on from. Empty for an expression."""


@dataclass(frozen=True, slots=True)
class Stacked:
    """Several masks on one column."""

    masks: tuple[ColumnMask, ...]

    def apply(self, value: bytes) -> tuple[bytes | None, str]:
        fired = ""
        shown: bytes | None = value
        for mask in self.masks:
            if shown is None:
                break
            shown, rule = mask.apply(shown)
            fired = fired or rule
        return shown, fired


@dataclass(frozen=True, slots=True)
class Layered:
    """A plan with masks that only a column's lineage shows; every row has to be read."""

    columns: tuple[ColumnMask | None, ...]
    forced: bool = True

    def needed(self, chunk: bytes) -> tuple[ColumnMask | None, ...]:
        return self.columns

    def suspects(self, chunk: bytes) -> bool:
        return True


def plan(
    columns: Sequence[Column], lineages: Sequence[Lineage], masker: Masker, *, ascii_only: bool = False
) -> ResultMask | None:
    """The masker's plan for these columns by every name they have."""
    own = masker.plan(columns, ascii_only=ascii_only)
    masks: list[ColumnMask | None] = list(own.columns) if own is not None else [None] * len(columns)
    deeper = False
    for index, (column, lineage) in enumerate(zip(columns, lineages, strict=True)):
        for source in lineage[1:]:
            other = masker.plan((replace(column, source=source),), ascii_only=ascii_only)
            # What the detectors look for they look for under any name; only a mask by name is news.
            if other is None or not other.forced or other.columns[0] is None:
                continue
            before = masks[index]
            masks[index] = other.columns[0] if before is None else Stacked((before, other.columns[0]))
            deeper = True
    return Layered(tuple(masks)) if deeper else own

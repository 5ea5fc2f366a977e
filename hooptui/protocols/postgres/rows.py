"""Result rows: the plan for one result, and runs of DataRow messages masked under it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from hooptui.core.gate import Masked
from hooptui.core.model import Column
from hooptui.core.ports import Masker, ResultMask
from hooptui.protocols.postgres import build, codec, layers
from hooptui.protocols.postgres.layers import Lineage
from hooptui.protocols.postgres.wire import ProtocolViolation, length_at

Keep: TypeAlias = Callable[[list[bytes | None], int], None]
"""Takes one row and the bytes of its message, for the recording."""


@dataclass(slots=True, eq=False)
class Layout:
    """What is known of a result before its first row."""

    columns: tuple[Column, ...]
    lineages: tuple[Lineage, ...]
    """Every name of each column."""
    masker: Masker
    plan: ResultMask | None
    header: tuple[Masked, ...]
    """Names of the columns, for the recording."""
    ascii_only: bool = False


class Tally:
    """What masking did to some rows."""

    __slots__ = ("masked", "rules")

    def __init__(self) -> None:
        self.masked = 0
        self.rules: set[str] | None = None

    def hit(self, rule: str) -> None:
        self.masked += 1
        if self.rules is None:
            self.rules = set()
        self.rules.add(rule)


def layout(
    columns: tuple[Column, ...], lineages: tuple[Lineage, ...], masker: Masker, *, ascii_only: bool = False
) -> Layout:
    """`ascii_only` for clients whose encoding is not UTF-8: what replaces a value must be text to them too."""
    header = tuple(masker.text(column.name) for column in columns)
    plan = layers.plan(columns, lineages, masker, ascii_only=ascii_only)
    return Layout(columns, lineages, masker, plan, header, ascii_only)


def frames(run: bytes) -> Iterator[bytes]:
    """The messages of a run as `wire.RunFramer` cuts it."""
    position, end = 0, len(run)
    while position < end:
        after = position + 1 + length_at(run, position + 1)
        yield run[position:after]
        position = after


def values(frame: bytes, columns: int) -> list[bytes | None]:
    """The values of one DataRow.

    Raises:
        ProtocolViolation: there are not as many as the result has columns, so that none can be told apart.
    """
    row = codec.data_row(frame)
    if len(row) != columns:
        raise ProtocolViolation(f"a row has {len(row)} values, its result {columns} columns")
    return row


def mask_values(row: list[bytes | None], plan: ResultMask, tally: Tally) -> bool:
    """Mask one row in place; whether anything changed."""
    changed = False
    for index, mask in enumerate(plan.columns):
        if mask is None:
            continue
        value = row[index]
        if value is None:
            continue
        shown, rule = mask.apply(value)
        if rule:
            tally.hit(rule)
        if shown is not value:
            row[index] = shown
            changed = True
    return changed


def mask_run(run: bytes, result: Layout, plan: ResultMask, tally: Tally, keep: Keep | None) -> bytes:
    """A run of DataRow messages as the client may see it; `keep` is given each row likewise.

    Raises:
        ProtocolViolation: a row does not fit the result.
    """
    width = len(result.columns)
    if len(plan.columns) != width:
        raise ProtocolViolation(f"the masks are for {len(plan.columns)} columns, the result has {width}")
    parts: list[bytes] = []
    touched = False
    for frame in frames(run):
        row = values(frame, width)
        if mask_values(row, plan, tally):
            touched = True
            frame = build.data_row(row)
        parts.append(frame)
        if keep is not None:
            keep(row, len(frame))
    return b"".join(parts) if touched else run

"""Result rows: the plan for one result, and runs of DataRow messages masked under it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from hooptui.core.gate import Masked
from hooptui.core.model import Column
from hooptui.core.ports import ColumnMask, Masker, ResultMask
from hooptui.protocols.postgres import build, codec, layers
from hooptui.protocols.postgres.layers import Lineage
from hooptui.protocols.postgres.wire import HEADER, ProtocolViolation, length_at

if TYPE_CHECKING:
    from mypy_extensions import i64  # see `wire`

Keep: TypeAlias = Callable[[list[bytes | None], int], None]
"""Takes one row and the bytes of its message, for the recording."""

Masks: TypeAlias = tuple[ColumnMask | None, ...]
"""What is to be done with the values of each column; None: nothing."""

NULL_LENGTH: Final = 0xFFFFFFFF
_NULL: Final = b"\xff\xff\xff\xff"
_LENGTHS: Final = [size.to_bytes(4, "big") for size in range(1024)]
"""The lengths that rows and values mostly have."""


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
    header_size: int = 0
    """What those names take of the recording's room."""


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
    return Layout(columns, lineages, masker, plan, header, ascii_only, 1 + sum(map(len, header)))


def frames(run: bytes) -> Iterator[bytes]:
    """The messages of a run as `wire.RunFramer` cuts it."""
    position: i64 = 0
    end: i64 = len(run)
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


def mask_values(row: list[bytes | None], masks: Masks, tally: Tally) -> bool:
    """Mask one row in place; whether anything changed."""
    changed = False
    for index, mask in enumerate(masks):
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
    masks = plan.needed(run)
    if len(masks) != width:
        raise ProtocolViolation(f"the masks are for {len(masks)} columns, the result has {width}")
    if keep is None:
        return _mask_unkept(run, masks, tally)
    parts: list[bytes] = []
    touched = False
    for frame in frames(run):
        row = values(frame, width)
        if mask_values(row, masks, tally):
            touched = True
            frame = build.data_row(row)
        parts.append(frame)
        keep(row, len(frame))
    return b"".join(parts) if touched else run


def _mask_unkept(run: bytes, masks: Masks, tally: Tally) -> bytes:
    """`mask_run` for rows that nobody else wants to see.

    The bulk of every great result passes here, so the values that no mask wants are walked over and never made.
    """
    width: i64 = len(masks)
    end: i64 = len(run)
    parts: list[bytes] = []
    written: i64 = 0
    position: i64 = 0
    while position < end:
        start = position
        after = start + 1 + length_at(run, start + 1)
        if after < start + HEADER + 2 or after > end:
            raise ProtocolViolation("DataRow ends before its content does")
        count: i64 = run[start + 5] << 8 | run[start + 6]
        if count != width:
            raise ProtocolViolation(f"a row has {count} values, its result {width} columns")
        position = start + HEADER + 2
        grown: i64 = 0
        first = len(parts)
        for mask in masks:
            body = position + 4
            if body > after:
                raise ProtocolViolation("DataRow ends before its content does")
            size = length_at(run, position)
            if size == NULL_LENGTH:
                position = body
                continue
            beyond = body + size
            if beyond > after:
                raise ProtocolViolation("DataRow ends before its content does")
            if mask is not None:
                value = run[body:beyond]
                shown, rule = mask.apply(value)
                if rule:
                    tally.hit(rule)
                if shown is not value:
                    if len(parts) == first:
                        # What stands before this row; then its header, known only when the row is done.
                        parts.append(run[written:start])
                        parts.append(b"")
                        written = start + HEADER
                    parts.append(run[written:position])
                    if shown is None:
                        parts.append(_NULL)
                        grown -= size
                    else:
                        parts.append(_length(len(shown)))
                        parts.append(shown)
                        grown += len(shown) - size
                    written = beyond
            position = beyond
        if position != after:
            raise ProtocolViolation(f"DataRow has {after - position} bytes too many")
        if len(parts) > first:
            parts[first + 1] = b"D" + _length(after - start - 1 + grown)
    if not parts:
        return run
    parts.append(run[written:end])
    return b"".join(parts)


def _length(size: int) -> bytes:
    return _LENGTHS[size] if size < len(_LENGTHS) else size.to_bytes(4, "big")

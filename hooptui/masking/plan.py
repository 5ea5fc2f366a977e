"""What happens to the columns of one result. Knows types and rulings, not where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hooptui.core.model import Column, MaskAction
from hooptui.core.ports import ColumnMask
from hooptui.masking import pg_types
from hooptui.masking.pg_text import Unreadable
from hooptui.masking.pg_types import Family
from hooptui.masking.pg_values import rewrite
from hooptui.masking.prefilter import Screen, screen
from hooptui.masking.strategies import REDACTED, Ruling, plain
from hooptui.masking.treatments import Forced, Net

_NUMBERS = (Family.INTEGER, Family.NUMERIC, Family.FLOAT, Family.RANGE)


@dataclass(frozen=True, slots=True)
class Constant:
    """A protected column whose every value becomes the same."""

    value: bytes | None
    rule: str

    def apply(self, value: bytes) -> tuple[bytes | None, str]:
        return self.value, self.rule


@dataclass(frozen=True, slots=True)
class ForcedColumn:
    """A protected column whose values are rewritten one by one."""

    treatment: Forced
    oid: int
    binary: bool
    ascii_only: bool

    def apply(self, value: bytes) -> tuple[bytes | None, str]:
        try:
            return rewrite(
                value, self.oid, self.binary, self.treatment, ascii_only=self.ascii_only
            ), self.treatment.fired
        except Unreadable:
            return None, self.treatment.fired


@dataclass(frozen=True, slots=True)
class NetColumn:
    """A column in whose values the detectors look."""

    treatment: Net
    oid: int
    binary: bool
    ascii_only: bool
    gate: Screen | None
    """A quick look at the bytes first; None when the bytes do not show what the value holds."""

    def apply(self, value: bytes) -> tuple[bytes | None, str]:
        if self.gate is not None and not self.gate(value):
            return value, ""
        try:
            after = rewrite(value, self.oid, self.binary, self.treatment, ascii_only=self.ascii_only)
        except Unreadable:
            return None, self.treatment.doubt
        return (value, "") if after is value else (after, self.treatment.fired)


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan for one result; serves one thread."""

    columns: tuple[ColumnMask | None, ...]
    forced: bool
    """Some column is masked whatever it holds, or holds numbers in binary, in which no pattern of bytes can look."""
    screen: Screen
    always: tuple[ColumnMask | None, ...]
    """`columns` without those whose detectors the screen speaks for."""

    def needed(self, chunk: bytes) -> tuple[ColumnMask | None, ...]:
        """See `core.ports.ResultMask`."""
        return self.columns if self.screen(chunk) else self.always

    def suspects(self, chunk: bytes) -> bool:
        """See `core.ports.ResultMask`; always True for a plan whose every row must be read."""
        return self.forced or self.screen(chunk)


def plan_of(columns: tuple[ColumnMask | None, ...], looks: Screen) -> Plan:
    """The plan of these columns; `looks` sees what any of their detectors needs, but for those without a gate."""
    always = tuple(None if isinstance(mask, NetColumn) and mask.gate is not None else mask for mask in columns)
    return Plan(columns, any(mask is not None for mask in always), looks, always)


def forced_column(column: Column, ruling: Ruling, key: bytes, ascii_only: bool) -> ColumnMask:
    """The mask of a protected column: NULL unless its type can carry the action's result."""
    oid, kind = column.type_oid, pg_types.base(column.type_oid)
    if ruling.action is MaskAction.NULL or kind not in (Family.TEXT, Family.JSON, Family.JSONB):
        return Constant(None, ruling.rule)
    if ruling.action is MaskAction.REDACT and pg_types.family(oid) is Family.TEXT:
        return Constant((plain(REDACTED) if ascii_only else REDACTED).encode(), ruling.rule)
    return ForcedColumn(Forced(ruling, key), oid, column.binary, ascii_only)


def net_column(
    column: Column, rulings: Mapping[str, Ruling], key: bytes, ascii_only: bool
) -> tuple[NetColumn, frozenset[str]] | None:
    """The mask of a column that only the detectors protect, and what else its screen has to look for.

    None when no value of its type can hold anything that the detectors in force look for.
    """
    kind = pg_types.base(column.type_oid)
    cards = "credit-card" in rulings
    if kind is Family.INERT or (kind in _NUMBERS and not cards):
        return None
    names = frozenset(("credit-card",)) if kind in _NUMBERS else frozenset(rulings)
    extras: set[str] = set()
    blind = False
    match kind:
        case Family.JSON | Family.JSONB:
            extras.add("escape")
            if cards:
                extras.add("exponent")
        case Family.INTEGER | Family.NUMERIC | Family.RANGE:
            blind = column.binary
        case Family.FLOAT:
            extras.add("exponent")
            blind = column.binary
        case Family.BYTES if not column.binary:
            extras.add("hex")
        case Family.RECORD | Family.UNKNOWN if column.binary:
            # Numbers inside a composite, JSON inside a composite: the bytes alone do not show them.
            blind = True
        case _:
            pass
    gate = None if blind else screen(names, frozenset(extras))
    return NetColumn(Net(rulings, key), column.type_oid, column.binary, ascii_only, gate), frozenset(extras)

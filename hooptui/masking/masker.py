"""The masks of one session: free text, plans for results, and rows for people. The only maker of `Masked` from raw text."""

from __future__ import annotations

from collections.abc import Sequence

from hooptui.core.gate import Masked
from hooptui.core.model import Column, MaskSet
from hooptui.core.ports import ColumnMask
from hooptui.masking import detectors, patterns, transcript
from hooptui.masking.plan import Plan, forced_column, net_column, plan_of
from hooptui.masking.prefilter import screen
from hooptui.masking.strategies import Ruling, stronger
from hooptui.masking.treatments import Net

TEXT_LIMIT = 64 * 1024
"""Characters of a free text that are kept when detectors are in force."""
VALUE_LIMIT = 200
"""Characters of a value in a transcript."""
_VALUE_SPARE = 1024


class SessionMasker:
    """Implements `core.ports.Masker`."""

    __slots__ = ("_columns", "_key", "_masks", "_net", "_rulings", "_screen")

    def __init__(self, masks: MaskSet, key: bytes) -> None:
        if len(key) != 32:
            raise ValueError("the masking key has to be 32 bytes")
        self._masks = masks
        self._key = key
        self._columns: list[tuple[patterns.ColumnPattern, Ruling]] = []
        rulings: dict[str, Ruling] = {}
        for rule in masks.rules:
            ruling = Ruling(rule.action, rule.id)
            self._columns += [(patterns.parse(pattern), ruling) for pattern in rule.columns]
            for name in rule.detect:
                if name not in detectors.BY_NAME:
                    raise ValueError(f"mask {rule.id}: no detector {name!r}; there are {', '.join(detectors.ALL)}")
                rulings[name] = stronger(rulings.get(name), ruling)
        self._rulings = rulings
        self._net = Net(rulings, key) if rulings else None
        self._screen = screen(frozenset(rulings))

    @property
    def masks(self) -> MaskSet:
        return self._masks

    def text(self, raw: str) -> Masked:
        """See `core.ports.Masker`. Beyond `TEXT_LIMIT` characters the text is masked, cut and marked; without detectors it is kept whole."""
        net = self._net
        if net is None or (len(raw) <= TEXT_LIMIT and not self._screen(raw.encode("utf-8", "surrogatepass"))):
            return Masked(raw)
        return Masked(net.prose(raw, TEXT_LIMIT, TEXT_LIMIT))

    def plan(self, columns: Sequence[Column], *, ascii_only: bool = False) -> Plan | None:
        """See `core.ports.Masker`. `ascii_only` is for a client whose encoding is not UTF-8: `*` in place of blocks."""
        masks: list[ColumnMask | None] = []
        extras: frozenset[str] = frozenset()
        for column in columns:
            ruling = self._ruling(column)
            if ruling is not None:
                masks.append(forced_column(column, ruling, self._key, ascii_only))
                continue
            net = net_column(column, self._rulings, self._key, ascii_only) if self._rulings else None
            if net is None:
                masks.append(None)
                continue
            mask, more = net
            masks.append(mask)
            extras |= more
        if not any(masks):
            return None
        return plan_of(tuple(masks), screen(frozenset(self._rulings), extras))

    def transcribe(
        self, columns: Sequence[Column], rows: Sequence[Sequence[bytes | None]]
    ) -> tuple[tuple[Masked | None, ...], ...]:
        """See `core.ports.Masker`: `rows` hold what was sent to the client. A value without its column is shown by size alone."""
        return tuple(
            tuple(
                None if value is None else self._shown(value, columns[at] if at < len(columns) else None)
                for at, value in enumerate(row)
            )
            for row in rows
        )

    def _shown(self, value: bytes, column: Column | None) -> Masked:
        text = f"‹{len(value)} bytes›" if column is None else transcript.render(value, column.type_oid, column.binary)
        net = self._net
        if net is not None and self._screen(text.encode()):
            return Masked(net.prose(text, VALUE_LIMIT, _VALUE_SPARE))
        return Masked(text if len(text) <= VALUE_LIMIT else f"{text[:VALUE_LIMIT]}…")

    def _ruling(self, column: Column) -> Ruling | None:
        found: Ruling | None = None
        for pattern, ruling in self._columns:
            if pattern.covers(column):
                found = stronger(found, ruling)
        return found


def make_masker(masks: MaskSet, key: bytes) -> SessionMasker:
    """The masker for a mask set; `key` is the 32 secret bytes behind the `hash` action.

    Raises:
        ValueError: the key has another length, a rule names an unknown detector or holds a malformed column pattern.
    """
    return SessionMasker(masks, key)

"""Nouns to table rows and back. A row that is not exactly what was written is refused, never repaired. Knows no file.

Secrets are in no row: of a lease's secret there are only the keys that a SCRAM server keeps (RFC 5802 section 3).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from hooptui.core.model import Grant, Identity, Kind, Lease, Scope, ScramKeys

Cell = str | int | float | bytes | None

LONGEST = 4096
"""Characters of a single text; names, reasons and subjects are far shorter."""

MOST_GROUPS = 4096


class BadRow(ValueError):
    """A row holds what hooptui never writes; the message says which column and what was expected, and quotes no value."""


@dataclass(frozen=True, slots=True)
class Block:
    """One identity that is locked out until somebody lets it in again."""

    identity: str
    """Issuer and subject."""
    by: str
    reason: str
    """The operator's words, masked when they were written; mask them again before they are shown."""
    at: float
    """Unix seconds."""


# --- leases --------------------------------------------------------------------------------------

LEASE_COLUMNS = (
    "id TEXT PRIMARY KEY", "issuer TEXT", "subject TEXT", "name TEXT", "groups TEXT", "kind TEXT", "owner TEXT",
    "issued_at REAL", "expires_at REAL", "how TEXT", "salt BLOB", "iterations INTEGER", "stored_key BLOB", "server_key BLOB",
)  # fmt: skip


def from_lease(row: tuple[Lease, ScramKeys]) -> tuple[Cell, ...]:
    lease, keys = row
    who = lease.identity
    return (
        lease.id, who.issuer, who.subject, who.name, _names(who.groups), who.kind.value, who.owner,
        lease.issued_at, lease.expires_at, lease.how, keys.salt, keys.iterations, keys.stored_key, keys.server_key,
    )  # fmt: skip


def to_lease(cells: Sequence[Cell]) -> tuple[Lease, ScramKeys]:
    """Raises BadRow."""
    take = _Cells(cells, LEASE_COLUMNS)
    id_, issuer, subject, name = take.text(), take.text(), take.text(), take.text()
    groups, kind, owner = take.names(), take.text(), take.text_or_none()
    issued_at, expires_at, how = take.time(), take.time(), take.text()
    salt, iterations = take.blob(8, 64), take.whole(4096, 10_000_000)
    stored_key, server_key = take.blob(32, 32), take.blob(32, 32)
    if kind not in {known.value for known in Kind}:
        raise BadRow(f"kind: expected one of {', '.join(Kind)}")
    if not issued_at < expires_at:
        raise BadRow("expires_at: expected a time after issued_at")
    identity = Identity(issuer, subject, name, groups, expires_at, Kind(kind), owner)
    return Lease(id_, identity, issued_at, expires_at, how), ScramKeys(salt, iterations, stored_key, server_key)


# --- access grants -------------------------------------------------------------------------------

GRANT_COLUMNS = (
    "approval INTEGER PRIMARY KEY", "identity TEXT", "target TEXT", "rule TEXT", "access TEXT", "until REAL",
)  # fmt: skip


def from_grant(grant: Grant) -> tuple[Cell, ...]:
    """Raises ValueError when the grant opens no connections: only just-in-time access outlives the process."""
    if not grant.access or grant.scope is not Scope.RULE or grant.fingerprint:
        raise ValueError(f"grant of approval #{grant.approval}: only grants of access are kept")
    return grant.approval, grant.identity, grant.target, grant.rule, _names(grant.access), grant.until


def to_grant(cells: Sequence[Cell]) -> Grant:
    """Raises BadRow."""
    take = _Cells(cells, GRANT_COLUMNS)
    approval, identity, target, rule = take.whole(1, 2**53), take.text(), take.text(), take.text()
    access, until = take.names(), take.time()
    if not access:
        raise BadRow("access: expected the rules that the grant puts in force")
    return Grant(Scope.RULE, identity, target, rule, "", until, approval, access)


# --- blocked identities --------------------------------------------------------------------------

BLOCK_COLUMNS = ("identity TEXT PRIMARY KEY", '"by" TEXT', "reason TEXT", '"at" REAL')


def from_block(block: Block) -> tuple[Cell, ...]:
    return block.identity, block.by, block.reason, block.at


def to_block(cells: Sequence[Cell]) -> Block:
    """Raises BadRow."""
    take = _Cells(cells, BLOCK_COLUMNS)
    return Block(take.text(), take.text(), take.text(), take.time())


# --- cells ---------------------------------------------------------------------------------------


def check(cells: Sequence[Cell], columns: Sequence[str]) -> None:
    """Refuse what could be written and not be read again.

    Raises:
        ValueError: a text is too long or cannot be encoded, or a time is not finite.
    """
    for cell, column in zip(cells, columns, strict=True):
        name = column.split(" ", 1)[0].strip('"')
        match cell:
            case str() if len(cell) > LONGEST * (16 if name in _LISTS else 1):
                raise ValueError(f"{name}: found {len(cell)} characters, too long to keep")
            case str() if not _encodes(cell):
                raise ValueError(f"{name}: found half a surrogate pair, which no file can hold")
            case float() if not math.isfinite(cell):
                raise ValueError(f"{name}: found {cell}, expected a time")
            case _:
                continue


_LISTS = frozenset({"groups", "access"})


def _encodes(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def _names(names: frozenset[str]) -> str:
    if len(names) > MOST_GROUPS:
        raise ValueError(f"found {len(names)} names, expected at most {MOST_GROUPS}")
    return json.dumps(sorted(names), ensure_ascii=False, separators=(",", ":"))


class _Cells:
    """Takes the cells of one row in order, each with its type."""

    def __init__(self, cells: Sequence[Cell], columns: Sequence[str]) -> None:
        if len(cells) != len(columns):
            raise BadRow(f"found {len(cells)} columns, expected {len(columns)}")
        self._rest = iter(zip(cells, columns, strict=True))

    def _next(self) -> tuple[Cell, str]:
        cell, column = next(self._rest)
        return cell, column.split(" ", 1)[0].strip('"')

    def text(self) -> str:
        cell, name = self._next()
        if not isinstance(cell, str) or len(cell) > LONGEST:
            raise BadRow(f"{name}: expected text of at most {LONGEST} characters")
        return cell

    def text_or_none(self) -> str | None:
        cell, name = self._next()
        if cell is not None and (not isinstance(cell, str) or len(cell) > LONGEST):
            raise BadRow(f"{name}: expected nothing, or text of at most {LONGEST} characters")
        return cell

    def time(self) -> float:
        cell, name = self._next()
        if not isinstance(cell, float) or not math.isfinite(cell):
            raise BadRow(f"{name}: expected Unix seconds")
        return cell

    def whole(self, least: int, most: int) -> int:
        cell, name = self._next()
        if not isinstance(cell, int) or not least <= cell <= most:
            raise BadRow(f"{name}: expected a whole number from {least} to {most}")
        return cell

    def blob(self, least: int, most: int) -> bytes:
        cell, name = self._next()
        if not isinstance(cell, bytes) or not least <= len(cell) <= most:
            raise BadRow(f"{name}: expected {least} to {most} bytes")
        return cell

    def names(self) -> frozenset[str]:
        cell, name = self._next()
        words = f"{name}: expected a JSON list of at most {MOST_GROUPS} different names"
        if not isinstance(cell, str):
            raise BadRow(words)
        try:
            found = json.loads(cell)
        except (ValueError, RecursionError):
            raise BadRow(words) from None
        if not isinstance(found, list) or len(found) > MOST_GROUPS or not all(isinstance(one, str) for one in found):
            raise BadRow(words)
        names = frozenset(found)
        if len(names) != len(found):
            raise BadRow(words)
        return names

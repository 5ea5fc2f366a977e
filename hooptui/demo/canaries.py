"""Secrets made for one run and planted in masked columns, so that a leak can be found by looking for them everywhere.

Knows how they look and where they go; knows no gateway and no masking.
"""

from __future__ import annotations

import base64
import secrets
import string
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROWS = 8
"""Canaries of each kind."""
FIRST_ID = 9_000
"""Their rows come after all others, so that `ORDER BY id DESC` shows them first."""


@dataclass(frozen=True, slots=True)
class Canary:
    """One planted secret."""

    kind: str
    value: str
    needles: tuple[bytes, ...]
    """What betrays it: as it is stored, without its punctuation, in base64 at every offset and in hexadecimal."""


@dataclass(frozen=True, slots=True)
class Leak:
    kind: str
    where: str
    """Name of the place it was found in; never the value."""


class Canaries:
    """The secrets of one run."""

    def __init__(self) -> None:
        rows = range(ROWS)
        self.emails = _unique(lambda: f"{secrets.token_hex(8)}@canary.example", rows)
        self.phones = _unique(lambda: f"+1 {_digits(3, '23456789')} {_digits(3, '23456789')} {_digits(4)}", rows)
        self.ssns = _unique(
            lambda: f"{secrets.randbelow(640) + 10:03}-{secrets.randbelow(89) + 10}-{secrets.randbelow(8_999) + 1_000}",
            rows,
        )
        self.ibans = _unique(lambda: iban(_digits(18)), rows)
        self.pans = _unique(lambda: luhn("51" + _digits(13)), rows)
        self.tokens = _unique(
            lambda: "sk_live_" + "".join(secrets.choice(string.ascii_letters) for _ in range(28)), rows
        )
        self.salaries = _unique(
            lambda: f"{secrets.randbelow(80_000_000) + 10_000_000}.{secrets.randbelow(90) + 10}", rows
        )

    def all(self) -> tuple[Canary, ...]:
        kinds = {
            "email": self.emails, "phone": self.phones, "ssn": self.ssns, "iban": self.ibans, "card": self.pans,
            "api-key": self.tokens, "salary": self.salaries,
        }  # fmt: skip
        return tuple(Canary(kind, value, needles(kind, value)) for kind, values in kinds.items() for value in values)

    def in_logs(self) -> tuple[str, ...]:
        """The kinds that nobody should write to a log, and somebody does."""
        return (*self.emails, *self.ssns, *self.pans, *self.tokens)

    def inserts(self) -> tuple[tuple[str, list[tuple[object, ...]]], ...]:
        """Statements with their rows, for `executemany`."""
        ids = range(FIRST_ID, FIRST_ID + ROWS)
        people = zip(ids, self.emails, self.phones, self.ssns, self.ibans, strict=True)
        return (
            (
                "INSERT INTO customers VALUES (%s, %s, %s, %s, %s, %s, 'Ghent', %s, now())",
                [
                    (i, f"customer-{i}", email, phone, ssn, bank, f"write to {email}")
                    for i, email, phone, ssn, bank in people
                ],
            ),
            (
                "INSERT INTO cards VALUES (%s, %s, %s, %s, '2030-01-01')",
                [(i, i, pan, int(pan)) for i, pan in zip(ids, self.pans, strict=True)],
            ),
            (
                "INSERT INTO employees VALUES (%s, %s, 'engineer', %s, %s, %s)",
                [
                    (i, f"staff-{i}", e, s, pay)
                    for i, e, s, pay in zip(ids, self.emails, self.ssns, self.salaries, strict=True)
                ],
            ),
            ("INSERT INTO integrations VALUES (%s, 'billing', %s)", list(zip(ids, self.tokens, strict=True))),
        )


def search(canaries: Sequence[Canary], places: Iterable[tuple[str, bytes]]) -> list[Leak]:
    """Every canary found in a place, once for each place."""
    found: list[Leak] = []
    for where, content in places:
        folded = content.lower()
        found.extend(Leak(one.kind, where) for one in canaries if any(needle in folded for needle in one.needles))
    return found


def files(directory: Path) -> Iterable[tuple[str, bytes]]:
    """The files below a directory, by their path from there."""
    for path in sorted(directory.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield str(path.relative_to(directory)), path.read_bytes()


def needles(kind: str, value: str) -> tuple[bytes, ...]:
    """Lower-case byte strings, each long enough not to be met by chance."""
    # The part that is secret: an address may keep its domain.
    core = value.split("@", 1)[0] if kind == "email" else value
    bare = "".join(char for char in core if char.isalnum())
    raw = core.encode()
    encoded = {raw.hex().encode()}
    for offset in range(3):
        # What of the base64 does not depend on the neighbours.
        text = base64.b64encode(b"\0" * offset + raw)
        encoded.add(text[4 if offset else 0 : -4])
    plain = {raw} if kind == "salary" else {raw, bare.encode(), _grouped(bare).encode()}
    return tuple(sorted(needle.lower() for needle in plain | encoded))


def luhn(body: str) -> str:
    """`body` with its check digit (ISO/IEC 7812-1)."""
    total = 0
    for place, char in enumerate(reversed(body)):
        doubled = int(char) * 2 if place % 2 == 0 else int(char)
        total += doubled - 9 if doubled > 9 else doubled
    return f"{body}{-total % 10}"


def iban(account: str) -> str:
    """A German IBAN with its check digits (ISO 13616)."""
    return f"DE{98 - int(account + '131400') % 97:02}{account}"


def _grouped(bare: str) -> str:
    return " ".join(bare[at : at + 4] for at in range(0, len(bare), 4))


def _digits(count: int, alphabet: str = string.digits) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(count))


def _unique(make: Callable[[], str], rows: range) -> tuple[str, ...]:
    made: dict[str, None] = {}
    while len(made) < len(rows):
        made[make()] = None
    return tuple(made)

"""Events, logs and damage for the tests of the record."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

from hooptui.audit.log import AuditLog
from hooptui.audit.writer import Limits
from hooptui.core.clock import ManualClock
from hooptui.core.events import (
    Asked,
    Body,
    Decided,
    Event,
    Finished,
    GatewayStarted,
    Header,
    Rows,
    SessionClosed,
    SessionOpened,
)
from hooptui.core.gate import Masked

NOW = 1_700_000_000.0
DAY = "2023-11-14"
M = Masked


def body_of(kind: type[Body], text: str = "x") -> Body:
    """A body of this kind with every field filled; `text` wherever there is text."""
    values = {
        "str": text, "int": 3, "float": 1.5, "bool": True, "float | None": 2.5, "int | None": 4, "Masked": text,
    }  # fmt: skip
    hints = get_type_hints(kind)
    made: dict[str, Any] = {}
    for field in fields(kind):
        hint = hints[field.name]
        name = getattr(hint, "__name__", str(hint)) if not str(hint).startswith("tuple") else str(hint)
        if field.name == "rows" and "tuple" in name:
            made[field.name] = ((text, None), (text, text))
        elif name.startswith("tuple"):
            made[field.name] = (text, None) if "None" in name else (text, text)
        else:
            made[field.name] = values[str(hint) if "|" in str(hint) else name]
    return kind(**made)


def opened(at: float = NOW, *, name: str = "etl-7") -> SessionOpened:
    return SessionOpened(
        "https://id.example", "u7", M(name), ("agents",), "workload", "orders-db", "postgres", "10.0.0.9:5000", M("psql"), None, "p1"
    )  # fmt: skip


def session(name: str, at: float = NOW, operations: int = 2) -> list[Event]:
    """A whole session's events."""
    bodies: list[Body] = [opened()]
    for number in range(1, operations + 1):
        bodies += [
            Asked(number, "select", M("SELECT id, email FROM customers"), ("select",), ("customers",), (M("1"), None)),
            Decided(number, "allow", "policy", ("agents-read",), "agents may read", "p1"),
            Header(number, (M("id"), M("email"))),
            Rows(number, ((M("1"), M("████@acme.io")), (M("2"), None))),
            Finished(number, M("SELECT 2"), True, 2, 1, 0.8, ("pii",)),
        ]
    bodies.append(SessionClosed(M("client left"), operations, operations, 100, 200))
    return [Event(at + index / 10, name, body) for index, body in enumerate(bodies)]


def started(at: float = NOW) -> Event:
    return Event(at, "", GatewayStarted("1", "p1", ("pg :5432",)))


@contextlib.asynccontextmanager
async def log_in(state: Path, **options: Any) -> AsyncIterator[AuditLog]:
    """A started log with short delays; closed at the end."""
    limits = Limits(**({"sync_seconds": 0.005, "retry_seconds": 0.02} | options.pop("limits", {})))
    log = AuditLog(state, clock=options.pop("clock", ManualClock(NOW)), limits=limits, **options)
    await log.start()
    try:
        yield log
    finally:
        await log.close()


async def write(state: Path, events: list[Event], **options: Any) -> None:
    """A run of the gateway that records these events and ends well."""
    async with log_in(state, **options) as log:
        for event in events:
            log.append(event)
        await log.durable()


def journal_lines(state: Path) -> list[bytes]:
    """Every line of the journal, newlines included."""
    return [line for path in sorted((state / "journal").glob("*.jsonl")) for line in path.read_bytes().splitlines(True)]

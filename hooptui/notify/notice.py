"""What is said, and what never is: identifiers and the rule, made from events. Knows no channel.

A notice leaves the bastion, so it has no field for anything that came from outside: no statement, no parameter, no reason, no name of
a person, and no link that decides something. Whoever wants to know more looks at the screen.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from hooptui.core.events import BODIES, Alert, Body, Event, Held, Voted
from hooptui.core.events_people import IdentityBlocked

_HOLDS: Final = 1000
"""Holds whose rule is remembered for the vote that may come."""
_LONGEST: Final = 200
"""Characters of one field."""
_CODE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
OWN: Final = "notify-"
"""How the codes of this room's own alerts begin; telling of them would go in circles."""


class Topic(StrEnum):
    """What a notice is about; what a channel can be subscribed to."""

    HELD = "held"
    """An operation waits for people."""
    ACCESS = "access"
    """A connection asks to be let in."""
    BREAK_GLASS = "break-glass"
    """Somebody let something go alone."""
    BLOCK = "block"
    """An identity was locked out."""
    ALERT = "alert"
    """A target is down, a lease was guessed at, an issuer does not answer …"""


GRAVE: Final = frozenset({Topic.BREAK_GLASS, Topic.BLOCK})
"""What is dropped last."""
HEARD: Final[tuple[type[Body], ...]] = (Held, Voted, IdentityBlocked, Alert)
DEAF_TO: Final = frozenset(BODIES) - frozenset(HEARD)
"""What the bus need not hand over."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to be told."""

    id: str
    """Unique; a receiver that has seen it need not look again."""
    topic: Topic
    at: float
    """Unix seconds."""
    gateway: str
    facts: Mapping[str, str | int] = field(default_factory=lambda: MappingProxyType({}))
    """Of `number session target rule risk objects code sessions leases grants`, those that apply."""

    @property
    def title(self) -> str:
        """One line for people."""
        facts = self.facts
        match self.topic:
            case Topic.HELD:
                more = f", {facts['objects']} objects in one review," if "objects" in facts else ""
                words = f"#{facts['number']}{more} is held on {facts['target']}"
            case Topic.ACCESS:
                words = f"#{facts['number']} asks for access to {facts['target']}"
            case Topic.BREAK_GLASS:
                words = f"the glass was broken for #{facts['number']} on {facts['target']}"
            case Topic.BLOCK:
                words = "an identity was locked out"
            case Topic.ALERT:
                words = f"alert {facts['code']}"
        return f"hooptui {self.gateway}: {words}"

    @property
    def text(self) -> str:
        """The rest, one fact a line."""
        return "\n".join(f"{name} {value}" for name, value in self.facts.items())

    @property
    def stamp(self) -> str:
        """`at` by RFC 3339, in UTC."""
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.at))


class Notices:
    """Turns events into notices; remembers what is held, and what it said a moment ago."""

    def __init__(self, gateway: str, target_of: Callable[[str], str], *, repeat: float) -> None:
        """`target_of` names the target of a session; the same alert is told once in `repeat` seconds."""
        self._gateway = _short(gateway)
        self._target_of = target_of
        self._repeat = repeat
        self._holds: dict[int, Held] = {}
        self._said: dict[str, float] = {}

    def of(self, event: Event) -> Notice | None:
        """The notice of an event; None when it is not worth one."""
        match event.body:
            case Held(approval=number) as held:
                self._holds.pop(number, None)
                self._holds[number] = held
                if len(self._holds) > _HOLDS:
                    del self._holds[next(iter(self._holds))]
                return self._notice(
                    Topic.ACCESS if held.access else Topic.HELD, event, self._about(event.session, held)
                )
            case Voted(approval=number, break_glass=True):
                held_then = self._holds.get(number)
                facts = self._about(event.session, held_then) if held_then else self._where(event.session, number)
                return self._notice(Topic.BREAK_GLASS, event, facts)
            case IdentityBlocked(sessions=sessions, leases=leases, grants=grants):
                return self._notice(Topic.BLOCK, event, {"sessions": sessions, "leases": leases, "grants": grants})
            case Alert(code=code):
                return self._alert(code if _CODE.fullmatch(code) else "other", event)
            case _:
                return None

    def _alert(self, code: str, event: Event) -> Notice | None:
        if code.startswith(OWN):
            return None
        said = self._said.get(code)
        if said is not None and 0 <= event.at - said < self._repeat:
            return None
        self._said[code] = event.at
        if len(self._said) > _HOLDS:
            del self._said[next(iter(self._said))]
        return self._notice(Topic.ALERT, event, {"code": code})

    def _about(self, session: str, held: Held) -> dict[str, str | int]:
        objects: dict[str, str | int] = {"objects": len(held.group)} if held.group else {}
        return {**self._where(session, held.approval), "rule": _short(held.rule), "risk": _short(held.risk), **objects}

    def _where(self, session: str, number: int) -> dict[str, str | int]:
        return {"number": number, "session": _short(session), "target": _short(self._target_of(session)) or "a target"}

    def _notice(self, topic: Topic, event: Event, facts: dict[str, str | int]) -> Notice:
        return Notice(f"msg_{secrets.token_hex(16)}", topic, event.at, self._gateway, MappingProxyType(facts))


def _short(text: str) -> str:
    """Names that the operator's configuration chose, on one line."""
    return "".join(char if char.isprintable() else " " for char in text[:_LONGEST])

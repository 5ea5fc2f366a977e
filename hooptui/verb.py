"""What a verb of the command table is made of: its arguments, one call of it, and what may be wrong with them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from hooptui.core.desk import Outcome
from hooptui.core.model import Identity
from hooptui.core.session import Session
from hooptui.door.seat import Seat
from hooptui.gateway import Gateway
from hooptui.strictyaml import duration

LONGEST = 2000
"""Characters of a reason or another free argument."""


@dataclass(frozen=True, slots=True)
class Argument:
    name: str
    help: str
    required: bool = True
    default: str = ""


class BadArgument(Exception):
    """An argument is missing or wrong; the message names it and what was expected."""


@dataclass(frozen=True, slots=True)
class Call:
    """One command, given by somebody at some desk."""

    gateway: Gateway
    seat: Seat
    operator: Identity
    args: Mapping[str, str]

    def number(self, name: str = "number") -> int:
        """Raises:
        BadArgument: it is not the number of a held operation.
        """
        text = self.args[name].removeprefix("#")
        if not text.isdecimal() or len(text) > 12:
            raise BadArgument(f"found {self.args[name]!r}, expected the number of a held operation, such as 17")
        return int(text)

    def session(self) -> Session:
        """Raises:
        BadArgument: none or several are called so.
        """
        wanted = self.args["session"]
        found = [one for number, one in self.gateway.sessions.items() if number.startswith(wanted)]
        if len(found) == 1:
            return found[0]
        if found:
            raise BadArgument(f"{wanted!r} begins the names of {len(found)} sessions, expected one of them")
        raise BadArgument(f"no open session is called {wanted!r}")

    def seconds(self, name: str) -> float | None:
        """A length of time such as `5m`; None when it is not given.

        Raises:
            BadArgument: it is none.
        """
        text = self.args.get(name, "")
        if not text:
            return None
        try:
            return duration(text)
        except ValueError:
            raise BadArgument(f"{name}: found {text!r}, expected a length of time such as 90s, 5m or 1h") from None


@dataclass(frozen=True, slots=True)
class Verb:
    """One row of the table."""

    name: str
    help: str
    args: tuple[Argument, ...]
    changes: bool
    """False when a read-only desk may run it."""
    dangerous: bool
    """It cannot be undone; faces ask before they run it."""
    run: Callable[[Call], Awaitable[Outcome]]
    anonymous: bool = False
    """It changes the world before anybody has said who they are: logging in."""

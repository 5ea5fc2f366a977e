"""A login that a person confirms in a browser (RFC 8628): what to tell them, and asking until they have. Knows no server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from hooptui.core.clock import Clock
from hooptui.errors import UserError
from hooptui.login.gateway import DeviceStart, Refused
from hooptui.login.terminal import Terminal, span, when
from hooptui.login.web import Unreachable

T = TypeVar("T")

SLOWER: Final = 5.0
"""Seconds that `slow_down` adds, for good (RFC 8628 section 3.5)."""
SLOWEST: Final = 60.0


def announce(start: DeviceStart, where: str, clock: Clock, terminal: Terminal) -> None:
    """Tell the person what to do. `where` is what they log in to."""
    terminal.say(f"To log in to {where}, open this page in a browser, on any device:\n")
    terminal.say(f"    {start.complete or start.verification_uri}\n")
    if start.complete:
        terminal.say(f"It must show the code {start.user_code}; confirm it there only if it does.")
    else:
        terminal.say(f"and type this code:  {start.user_code}")
    terminal.say(f"\nWaiting until {when(clock.now() + start.expires_in)} ({span(start.expires_in)}). Ctrl-C gives up.")


def wait(
    start: DeviceStart, ask: Callable[[], T], clock: Clock, sleep: Callable[[float], None], terminal: Terminal
) -> T:
    """Ask until the person has confirmed, as often as the server wants to be asked and no more.

    Raises:
        UserError: they said no, or nothing in time, or the server refuses for good.
    """
    interval = start.interval
    end = clock.monotonic() + start.expires_in
    pause, said = interval, False
    while True:
        if clock.monotonic() + pause >= end:
            raise UserError("nobody confirmed the login in time; nobody is logged in. Run the same command again")
        sleep(pause)
        try:
            return ask()
        except Refused as no:
            match no.error:
                case "authorization_pending":
                    pause = interval
                case "slow_down":
                    interval = min(interval + SLOWER, SLOWEST)
                    pause = max(interval, no.wait)
                case "temporarily_unavailable":
                    pause = max(interval, no.wait)
                case "access_denied":
                    raise UserError(f"the login was denied in the browser; nobody is logged in{_why(no)}") from None
                case "expired_token":
                    raise UserError("the code is over; nobody is logged in. Run the same command again") from None
                case _:
                    raise UserError(f"the login was refused: {no.sentence()}") from None
        except Unreachable as away:
            # RFC 8628 section 3.5: back off exponentially from a server that does not answer.
            if not said:
                terminal.say(f"{away}; still trying")
            said = True
            pause = interval = min(interval * 2, SLOWEST)


def _why(no: Refused) -> str:
    return f" ({no.sentence()})" if no.words else ""

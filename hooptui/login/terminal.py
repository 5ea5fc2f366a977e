"""What is said to the person at the terminal. Words go to stderr; stdout is for what a program reads."""

from __future__ import annotations

import sys
import time

from hooptui.core.visible import visible


class Terminal:
    """See the module. Everything said is shown, not obeyed: most of it comes from servers."""

    def say(self, text: str = "") -> None:
        """One or more lines for a person."""
        sys.stderr.write(visible(text, keep="\n") + "\n")
        sys.stderr.flush()

    def answer(self, text: str) -> None:
        """What the caller asked for, for a program."""
        sys.stdout.write(text)
        sys.stdout.flush()

    def someone(self) -> bool:
        """Whether a person can read what is said."""
        return sys.stderr.isatty()


def when(at: float) -> str:
    """A time of day for a person: `14:12`."""
    return time.strftime("%H:%M", time.localtime(at))


def span(seconds: float) -> str:
    """A length of time for a person: `59 minutes`, `1 hour 30 minutes`."""
    minutes = max(0, round(seconds / 60))
    hours, minutes = divmod(minutes, 60)
    parts = [
        f"{count} {unit}{'s' if count != 1 else ''}" for count, unit in ((hours, "hour"), (minutes, "minute")) if count
    ]
    return " ".join(parts) or "less than a minute"

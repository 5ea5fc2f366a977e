"""A recorded session with terminals, and a strict reader of asciicasts, written from their specification."""

from __future__ import annotations

import json
from typing import Any

from hooptui.core.events import (
    Asked,
    Body,
    Decided,
    Event,
    Finished,
    Held,
    KillAsked,
    Omitted,
    Output,
    SessionClosed,
    Voted,
)
from hooptui.core.events_channels import FileDone, TerminalOpened, TerminalOutput, TerminalResized
from tests.audit.making import NOW, M, opened


def bodies() -> list[Body]:
    """A shell, an exec beside it that is held, and vim on another terminal."""
    return [
        opened(),
        Asked(1, "shell", M("interactive shell"), ("shell",), ()),
        Decided(1, "allow", "policy", ("shells",), "", "p1"),
        TerminalOpened(1, M("xterm-256color"), 20, 4),
        TerminalOutput(1, M("$ ls\r\none\r\ntwo\r\n\x1b[3")),
        TerminalOutput(1, M("1mthree\x1b[m\r\nfour\r\n$ ")),
        Asked(2, "rm", M("rm -rf /srv/\x1b[2J"), ("exec",), ("/srv",)),
        Held(2, 9, "danger", "it deletes", ("ops",), 1, "high", NOW + 60),
        Voted(9, 2, "https://id.example#o", M("olga"), False, M("no"), "once"),
        Decided(2, "deny", "denied", ("danger",), "no", "p1", 9),
        TerminalResized(1, 40, 5),
        Asked(3, "vim", M("vim notes"), ("exec",), ()),
        TerminalOpened(3, M(""), 0, 0),
        TerminalOutput(3, M("\x1b[?1049h\x1b[Hhello vim\x1b[2;1H~\x1b]0;title\x07")),
        TerminalOutput(1, M("exit\r\n")),
        Finished(1, M("exit 7"), False, 0, 0, 3.0),
        TerminalOutput(3, M("\x1b[?1049lbye\r\n")),
        Omitted(3, 0, 5000, 1000),
        Finished(3, M("signal TERM"), False, 0, 0, 3.0),
        FileDone(4, "read", (M("/etc/\x1b[1m"),), True, M("ok"), False, 12, 0, "ab" * 32),
        FileDone(5, "write", (M("/srv/a"),), False, M("denied by rule r"), True, None, 0, ""),
        Output(6, "stdout", M("plain\n")),
        KillAsked("ops-1", M("enough")),
        SessionClosed(M("client left"), 6, 0, 10, 20),
    ]


def recorded(name: str = "ab12") -> list[Event]:
    return [Event(NOW + index * 0.1, name, body) for index, body in enumerate(bodies())]


def read_cast(text: str) -> tuple[dict[str, Any], list[tuple[float, str, str]]]:
    """Header and events with times from the start; asserts whatever the specifications demand."""
    first, *rest = text.splitlines()
    header = json.loads(first)
    version = header["version"]
    assert version in (2, 3) and isinstance(header["timestamp"], int)
    if version == 3:
        assert set(header) <= {
            "version",
            "term",
            "timestamp",
            "idle_time_limit",
            "command",
            "title",
            "env",
            "tags",
            "theme",
        }
        assert set(header["term"]) <= {"cols", "rows", "type", "version", "theme"}
        columns, rows = header["term"]["cols"], header["term"]["rows"]
    else:
        assert set(header) <= {
            "version",
            "width",
            "height",
            "timestamp",
            "duration",
            "idle_time_limit",
            "command",
            "title",
            "env",
            "theme",
        }
        columns, rows = header["width"], header["height"]
        assert all(isinstance(value, str) for value in header["env"].values())
    assert isinstance(columns, int) and isinstance(rows, int) and columns > 0 and rows > 0
    events: list[tuple[float, str, str]] = []
    moment = 0.0
    for line in rest:
        number, code, data = json.loads(line)
        assert isinstance(number, int | float) and number >= 0 and isinstance(data, str)
        assert code in (("o", "i", "m", "r", "x") if version == 3 else ("o", "i", "m", "r"))
        if code == "r":
            assert all(part.isdecimal() and int(part) > 0 for part in data.split("x")) and data.count("x") == 1
        if code == "x":
            assert int(data) >= 0
        assert version == 3 or number >= moment, "times of version 2 go on"
        moment = moment + number if version == 3 else number
        events.append((moment, code, data))
    assert not any(code == "x" for _, code, _ in events[:-1]), "the exit is the last"
    return header, events

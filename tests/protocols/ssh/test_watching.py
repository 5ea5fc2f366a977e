"""A shell that is open is watched: what was typed is on record as a hint, some lines alarm the operator, some end the session."""

from __future__ import annotations

import os
import pty as ptys
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hooptui.core.events import Alert, KillAsked, Output
from hooptui.core.model import MaskRule
from hooptui.core.watch import WatchEffect, WatchRule
from hooptui.policy.match_watch import looked_for
from hooptui.policy.rules import Watch
from hooptui.strictyaml import Where
from tests.protocols.contract import until
from tests.protocols.ssh.gatehouse import Gatehouse, open_gate
from tests.ssh_server import SshServer

CARD = "4111111111111111"


def watch(name: str, effect: WatchEffect, typed: str = "", output: str = "") -> WatchRule:
    return looked_for(
        Watch(
            name,
            effect,
            Where("a.yaml", 1),
            f"reason of {name}",
            typed=(typed,) if typed else None,
            output=(output,) if output else None,
        )
    )


RULES = (
    watch("wipes", WatchEffect.KILL, typed="*rm -rf /nowhere*"),
    watch("hides", WatchEffect.ALERT, typed="*HISTFILE*"),
    watch("denied", WatchEffect.ALERT, output="*Permission denied*"),
)


@pytest.fixture(scope="module")
def gate(terminals: SshServer) -> Iterator[Gatehouse]:
    with open_gate(terminals, masks=(MaskRule("cards", detect=("credit-card",)),)) as house:
        house.judge.watched = RULES
        yield house


class Shell:
    """A person at a terminal, with bash on the other side."""

    def __init__(self, gate: Gatehouse, *words: str) -> None:
        self.master, slave = ptys.openpty()
        self.program = gate.start(
            gate.through(*words, more=("-tt",)), stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        )
        os.close(slave)
        os.set_blocking(self.master, False)
        self.shown = b""

    def types(self, text: str) -> None:
        os.write(self.master, text.encode())

    def sees(self, what: bytes, *, within: float = 60.0) -> None:
        """Wait for it among what has not been seen yet."""
        end = time.monotonic() + within
        while what not in self.shown:
            assert time.monotonic() < end, self.shown
            try:
                self.shown += os.read(self.master, 65536)
            except BlockingIOError:
                time.sleep(0.005)
            except OSError:
                raise AssertionError(self.shown) from None
        self.shown = self.shown[self.shown.index(what) + len(what) :]


@contextmanager
def shell(gate: Gatehouse) -> Iterator[Shell]:
    """bash, without anybody's own settings."""
    made = Shell(gate, "env -i TERM=xterm PS1='ready> ' bash --norc --noprofile -i")
    made.sees(b"ready> ")
    try:
        yield made
    finally:
        if made.program.poll() is None:
            made.program.send_signal(signal.SIGTERM)
        made.program.wait(60)
        os.close(made.master)


def hints(gate: Gatehouse) -> list[str]:
    """Lines on record as typed, of the session that was opened last."""
    last = gate.door.sessions[-1].id
    return [
        event.body.text
        for event in gate.book.events
        if event.session == last and isinstance(event.body, Output) and event.body.stream == "typed"
    ]


def test_typed_lines_are_on_record_and_what_is_not_echoed_is_not(gate: Gatehouse) -> None:
    with shell(gate) as made:
        made.types("echo a''nswer\r")
        made.sees(b"answer")
        made.sees(b"ready> ")
        made.types("read -s -p 'Password: ' word; echo\r")
        made.sees(b"echo\r\n")
        made.sees(b"Password: ")
        made.types("hunter2\r")
        made.sees(b"ready> ")
        made.types("\x1b[A\x1b[A\r")
        made.sees(b"answer")
        made.sees(b"ready> ")
        made.types(f"echo {CARD}\r")
        made.sees(b"ready> ")
        made.types("stty -echo\r")
        made.sees(b"ready> ")
        made.types("exit 3\r")
        assert made.program.wait(60) == 3
    until(lambda: len(hints(gate)) >= 5)
    found = hints(gate)
    assert found[:3] == ["echo a''nswer", "read -s -p 'Password: ' word; echo", "echo a''nswer"]
    assert found[3] == "echo ****", "as the client itself saw it, masked"
    assert found[4] == "stty -echo"
    assert not any("hunter2" in str(event.body) for event in gate.book.events)


def test_what_alarms_the_operator(gate: Gatehouse) -> None:
    before = len(gate.book.bodies(Alert))
    with shell(gate) as made:
        for _ in range(3):
            made.types("unset HISTFILE\r")
            made.sees(b"ready> ")
        made.types("echo Permission' 'denied\r")
        made.sees(b"Permission denied")
        made.sees(b"ready> ")
        made.types("exit\r")
        made.program.wait(60)
    until(lambda: len(gate.book.bodies(Alert)) >= before + 2)
    alerts = gate.book.bodies(Alert)[before:]
    assert [one.code for one in alerts] == ["watch", "watch"], "each of them once in a while, not each time"
    last = gate.door.sessions[-1].id
    assert alerts[0].text == f"{last} on web-01: hides: reason of hides; typed: unset HISTFILE"
    assert alerts[1].text == f"{last} on web-01: denied: reason of denied; shown: Permission denied"
    assert {event.session for event in gate.book.events if isinstance(event.body, Alert)} <= {
        one.id for one in gate.door.sessions
    }
    assert gate.book.bodies(KillAsked) == []


def test_what_ends_the_session(gate: Gatehouse) -> None:
    with shell(gate) as made:
        made.types("sleep 300; rm -rf /nowhere/at-all\r")
        made.sees(b"terminated by rule wipes: reason of wipes")
        assert made.program.wait(60) != 0
    until(lambda: gate.book.bodies(KillAsked))
    [killed] = gate.book.bodies(KillAsked)
    assert killed.by == "rule wipes" and killed.reason == "reason of wipes"
    assert "typed: sleep 300; rm -rf /nowhere/at-all" in gate.book.bodies(Alert)[-1].text
    until(lambda: gate.door.sessions[-1].state == "closed")


def test_a_command_without_a_terminal_has_its_output_watched_and_no_hints(gate: Gatehouse) -> None:
    before = len(gate.book.bodies(Alert))
    done = subprocess.run(
        gate.through("cat; echo Permission denied >&2"), input=b"unset HISTFILE\n", capture_output=True, timeout=60,
        env=gate.environment(), check=False,
    )  # fmt: skip
    assert done.stdout == b"unset HISTFILE\n"
    until(lambda: len(gate.book.bodies(Alert)) > before)
    assert "shown: Permission denied" in gate.book.bodies(Alert)[-1].text
    assert hints(gate) == []


def test_a_new_policy_watches_shells_that_are_open(gate: Gatehouse) -> None:
    before = len(gate.book.bodies(Alert))
    with shell(gate) as made:
        gate.judge.watched, gate.judge.version = (watch("news", WatchEffect.ALERT, typed="uptime*"),), "v2"
        try:
            made.types("uptime --pretty\r")
            until(lambda: len(gate.book.bodies(Alert)) > before)
            assert "news" in gate.book.bodies(Alert)[-1].text
        finally:
            gate.judge.watched, gate.judge.version = RULES, "v3"


def test_lines_are_whole_whatever_the_pieces_and_the_colours(gate: Gatehouse) -> None:
    before = len(gate.book.bodies(Alert))
    script = (
        r"printf '\033[31mPermission '; sleep 0.1; printf '\033[0mdenied\n'; head -c 100000 /dev/zero | tr '\0' x; echo"
    )
    done = gate.run(gate.through(script))
    assert len(done.stdout) > 100_000
    until(lambda: len(gate.book.bodies(Alert)) > before)
    assert gate.book.bodies(Alert)[-1].text.endswith("shown: Permission denied")

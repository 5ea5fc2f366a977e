"""Terminals by the stock client: sizes, modes, keys that are signals, breaks, and what is left when it ends."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from functools import partial
from typing import Any

import pytest

from tests.protocols.ssh.compare.sides import Seen, Side, Sides, Table

SAME = Table()
FORCED = ("-tt",)


class Typist:
    """The client in a terminal of its own, and somebody at it."""

    def __init__(
        self, side: Side, *words: str, rows: int = 33, columns: int = 99, more: tuple[str, ...] = ("-t",),
        command: list[str] | None = None,
    ) -> None:  # fmt: skip
        """`command` is another client than ssh."""
        self._master, slave = pty.openpty()
        self.seen = b""
        self.resize(rows, columns)
        self.program = side.start(
            command or side.ssh(*words, more=more), stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(slave)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def sees(self, text: bytes, within: float = 60.0) -> None:
        deadline = time.monotonic() + within
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen[-2000:]
            self._read(0.1)

    def ends(self, status: int) -> bytes:
        """All that was shown, when it has ended with this status."""
        deadline = time.monotonic() + 60
        while self.program.poll() is None or self._read(0):
            assert time.monotonic() < deadline, self.seen[-2000:]
            self._read(0.05)
        os.close(self._master)
        assert self.program.returncode == status, (self.program.returncode, self.seen[-2000:])
        return self.seen

    def _read(self, seconds: float) -> bool:
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        try:
            got = os.read(self._master, 65536)
        except OSError:
            return False
        self.seen += got
        return bool(got)


def forced(side: Side, *words: str, **how: Any) -> Seen:
    return side.exec(*words, more=FORCED, **how)


@SAME
def it_is_one(side: Side) -> Seen:
    return forced(
        side, "test -t 0 && test -t 1 && test -t 2; echo $?; echo $TERM; exit 5", status=5, TERM="xterm-kitty"
    )


@SAME
def without_a_terminal_here(side: Side) -> Seen:
    return side.exec("test -t 0; echo $?", more=("-t",))


@SAME
def its_modes(side: Side) -> bytes:
    """What the client's own terminal is set to, on the target's."""
    typist = Typist(side, "stty -a; exit 3")
    return typist.ends(3)


@SAME
def modes_that_were_changed_here(side: Side) -> bytes:
    typist = Typist(side, "stty -a | tr ';' '\\n' | grep -E 'intr|erase|rows|columns|start'")
    return typist.ends(0)


@SAME
def both_streams_are_one(side: Side) -> Seen:
    return forced(side, "echo out; echo err >&2; exit 4", status=4)


@SAME
def line_ends_are_a_terminals(side: Side) -> Seen:
    return forced(side, "printf 'a\\nb\\n'; stty -onlcr; printf 'c\\nd\\n'")


@SAME
def much_output(side: Side) -> Seen:
    return forced(side, "stty -onlcr -opost; seq 200000")


@SAME
def much_input(side: Side) -> bytes:
    """Once the terminal takes it as it is: what comes before would be echoed, or not, as it happens."""
    typist = Typist(side, "stty raw -echo; echo ready; head -c 64000 | sha256sum")
    typist.sees(b"ready")
    for _ in range(32):
        typist.type(b"keys and more keys\r\n" * 100)
    return typist.ends(0)


@SAME
def every_byte_in_raw(side: Side) -> bytes:
    typist = Typist(side, "stty raw -echo; echo ready; head -c 256 | od -An -tx1")
    typist.sees(b"ready")
    typist.type(bytes(range(256)))
    return typist.ends(0)


def key(side: Side, typed: bytes, name: str) -> bytes:
    typist = Typist(side, f"trap 'echo got {name}; exit 9' {name}; echo ready; while :; do sleep 0.02; done")
    typist.sees(b"ready")
    typist.type(typed)
    typist.sees(b"got")
    # The shell says so when the key has hit its sleep as well.
    return typist.ends(9).replace(b"Quit\r\n", b"")


SAME.add("ctrl_c", partial(key, typed=b"\x03", name="INT"))
SAME.add("ctrl_backslash", partial(key, typed=b"\x1c", name="QUIT"))


@SAME
def ctrl_c_ends_what_does_not_mind_it(side: Side) -> bytes:
    typist = Typist(side, "echo ready; exec sleep 100")
    typist.sees(b"ready")
    typist.type(b"\x03")
    return typist.ends(255)


@SAME
def ctrl_z_and_on(side: Side) -> bool:
    typist = Typist(side, more=("-tt", "-e", "none"))
    typist.type(b"PS1='rea''dy> '\r")
    typist.sees(b"ready> ")
    typist.type(b"sh -c 'echo run\"\"ning; exec sleep 100'\r")
    typist.sees(b"running\r\n")
    typist.type(b"\x1a")
    typist.sees(b"Stopped")
    typist.type(b"kill -KILL %1\r")
    typist.sees(b"Killed")
    typist.type(b"exit 6\r")
    return bool(typist.ends(6))


@SAME
def ctrl_d_ends_a_shell(side: Side) -> int:
    typist = Typist(side, more=("-tt",))
    typist.type(b"PS1='rea''dy> '; (exit 7)\r")
    typist.sees(b"ready> ")
    typist.type(b"\x04")
    typist.ends(7)
    return typist.program.returncode


@SAME
def its_size_and_another(side: Side) -> bytes:
    typist = Typist(side, "trap 'stty size; exit 4' WINCH; stty size; while :; do sleep 0.02; done")
    typist.sees(b"33 99")
    typist.resize(44, 111)
    typist.program.send_signal(signal.SIGWINCH)
    typist.sees(b"44 111")
    return typist.ends(4)


@SAME
def a_size_of_nothing(side: Side) -> bytes:
    return Typist(side, "stty size", rows=0, columns=0).ends(0)


@SAME
def a_break(side: Side) -> bytes:
    """`~B` asks for one. Linux's terminals know none, so that what shows is that nothing breaks."""
    typist = Typist(side, 'echo ready; read a; echo "<$a>"; exit 8')
    typist.sees(b"ready")
    typist.type(b"\r~B")
    typist.sees(b"<>")
    return typist.ends(8)


@SAME
def left_by_its_escape(side: Side) -> int:
    typist = Typist(side, "echo ready; exec cat", more=("-tt",))
    typist.sees(b"ready")
    typist.type(b"\r~.")
    typist.ends(255)
    return typist.program.returncode


@SAME
def echo_and_no_echo(side: Side) -> bytes:
    typist = Typist(side, 'echo ready; read a; stty -echo; echo quiet; read b; stty echo; echo "<$a|$b>"')
    typist.sees(b"ready")
    typist.type(b"seen\r")
    typist.sees(b"quiet")
    typist.type(b"hidden\r")
    typist.sees(b"<seen|hidden>")
    assert typist.seen.count(b"hidden") == 1
    return typist.ends(0)


@SAME
def a_prompt_without_an_end(side: Side) -> bytes:
    typist = Typist(side, "printf 'Password: '; read a; echo \"[$a]\"")
    typist.sees(b"Password: ")
    typist.type(b"x\r")
    return typist.ends(0)


@SAME
def a_shell_that_is_fed(side: Side) -> int:
    return forced(side, stdin=b"echo $((6*7)); exit 8\n", status=8).status


@SAME
def colours_and_the_other_screen(side: Side) -> Seen:
    return forced(
        side, r"printf '\033[?1049h\033[31mred\033[0m\033]0;title\007\033[2J\033[10;10H\033P+q544e\033\\\033[?1049l'"
    )


@SAME
def what_no_terminal_understands(side: Side) -> Seen:
    return forced(
        side, r"stty -opost; i=0; while [ $i -lt 3000 ]; do printf '\033[%d;%dx\377\033]' $i $i; i=$((i+1)); done"
    )


@SAME
def over_a_shared_connection(side: Side) -> bytes:
    return Typist(side, "stty size; tty >/dev/null && echo yes; exit 5", more=("-tt", "-S", str(side.shared))).ends(5)


@SAME
def hung_up(side: Side) -> bool:
    """The client's terminal goes away; what ran in the target's is told so."""
    pid = side.there / "pid"
    typist = Typist(
        side,
        f"trap 'echo hup > {side.there}/told; exit' HUP; echo $$ > {pid}; echo ready; while :; do sleep 0.02; done",
    )
    typist.sees(b"ready")
    typist.program.kill()
    deadline = time.monotonic() + 60
    while not (side.there / "told").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    typist.program.wait(60)
    return True


@pytest.mark.parametrize(
    "name",
    SAME.names(
        "it_is_one",
        "its_modes",
        "much_output",
        "every_byte_in_raw",
        "ctrl_c",
        "ctrl_d_ends_a_shell",
        "its_size_and_another",
        "echo_and_no_echo",
        "hung_up",
        "over_a_shared_connection",
    ),
)
def test_as_directly(terminals: Sides, name: str) -> None:
    terminals.same(SAME[name])


def test_a_terminal_that_is_not_asked_for(terminals: Sides) -> None:
    side = terminals.through()
    done = subprocess.run(
        side.ssh("tty", more=("-T",)), capture_output=True, timeout=60, env=side.environment(), stdin=subprocess.DEVNULL
    )
    assert (done.returncode, done.stdout) == (1, b"not a tty\n")

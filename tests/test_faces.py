"""The faces in a real pseudo-terminal: gateway with screen, a second screen attached, a screen that crashes."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hooptui.control.client import RemoteDesk
from tests.e2e.bed import Bed, bed
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.e2e

ALTERNATE, BACK = b"\x1b[?1049h", b"\x1b[?1049l"
"""What a terminal is told when a full screen begins and ends."""


class Terminal:
    """A program on a pseudo-terminal of 120 by 36."""

    def __init__(self, command: list[str]) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(Path(__file__).parent.parent)}
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
        )
        os.close(slave)
        self.seen = b""

    def until(self, *words: bytes, seconds: float = 60.0) -> None:
        """Read until all of `words` have been written."""
        deadline = time.monotonic() + seconds
        while not all(word in self.seen for word in words):
            assert time.monotonic() < deadline, self.seen[-2000:]
            if select.select([self.master], [], [], 0.2)[0]:
                try:
                    self.seen += os.read(self.master, 65536)
                except OSError:
                    assert all(word in self.seen for word in words), self.seen[-2000:]
                    return

    def end(self, number: int) -> int:
        """Send a signal and read to the end."""
        self.process.send_signal(number)
        while True:
            try:
                if not (piece := os.read(self.master, 65536)):
                    break
                self.seen += piece
            except OSError:
                break
        os.close(self.master)
        return self.process.wait(60)


@pytest.fixture
def world(postgres: PostgresServer) -> Iterator[Bed]:
    with bed(postgres) as made:
        made.gateway.stop("a process of its own takes over")
        (made.home / "hooptui.yaml").write_text(made.config_text)
        yield made


@contextmanager
def shown(*command: str) -> Iterator[Terminal]:
    terminal = Terminal([sys.executable, *command])
    try:
        yield terminal
    finally:
        if terminal.process.poll() is None:
            terminal.process.kill()
            terminal.process.wait()


@pytest.mark.timeout(180)
def test_a_screen_and_one_attached_to_it(world: Bed) -> None:
    config = str(world.home / "hooptui.yaml")
    with shown("-m", "hooptui.cli", "--config", config) as first:
        first.until(ALTERNATE, b"Live", b"Held")
        with shown("-m", "hooptui.cli", "attach", "--readonly", "--config", config) as second:
            second.until(ALTERNATE, b"Live", b"Held")
            second.end(signal.SIGTERM)
            assert BACK in second.seen, "the terminal is given back"
            assert b"Traceback" not in second.seen
        assert first.process.poll() is None, "a screen that leaves takes no gateway with it"
        first.end(signal.SIGTERM)
        assert BACK in first.seen
        assert b"Traceback" not in first.seen
    assert not (world.state / "control.sock").exists()


CRASH = """
import sys
from hooptui.tui.app import HooptuiApp
def crash(self, *args, **more):
    raise RuntimeError("the screen is broken")
setattr(HooptuiApp, sys.argv.pop(1), crash)
from hooptui.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.timeout(180)
@pytest.mark.parametrize("where", ["run", "on_mount"])
def test_a_screen_that_crashes_leaves_the_gateway(world: Bed, where: str) -> None:
    with shown("-c", CRASH, where, "--config", str(world.home / "hooptui.yaml")) as terminal:
        terminal.until(b"the screen crashed", b"the gateway goes on")
        assert "the screen is broken" in (world.state / "screen-crash.txt").read_text()

        async def live() -> int:
            desk = RemoteDesk(world.state, readonly=True)
            try:
                return len((await desk.snapshot()).health.listeners)
            finally:
                await desk.close()

        assert world.on_bed(live()) == 1
        assert terminal.end(signal.SIGTERM) == 1

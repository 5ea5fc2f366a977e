"""What the demo's servers share: the guard that they run under, a free port, an account without rights, private files.

Knows none of the servers.
"""

from __future__ import annotations

import json
import os
import pwd
import random
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from hooptui.demo import guard
from hooptui.errors import UserError

STOP_WITHIN = 15.0
"""Seconds that a guard has for putting everything away."""
_PORTS = range(20_000, 32_000)
"""Below the ephemeral range, so that no outgoing connection takes the port first."""
_NOBODY = 65_534


def launch(plan: Mapping[str, object]) -> subprocess.Popen[str]:
    """The guard, in a session of its own: the terminal's Ctrl-C is for the demo, which then ends it in order."""
    return subprocess.Popen(  # noqa: S603 - our own script, with our own plan
        [sys.executable, "-I", "-S", guard.__file__, json.dumps(plan)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def end(running: subprocess.Popen[str]) -> None:
    with running:
        if running.stdin is not None:
            running.stdin.close()
        try:
            running.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            running.kill()


def nobody() -> int | None:
    """Whom root hands its servers to: not everything runs as root, and nothing should. None when we are not root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("nobody").pw_uid
    except KeyError:
        return _NOBODY


def private_file(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def free_port() -> int:
    for port in random.sample(_PORTS, 200):
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise UserError(f"demo: no free port between {_PORTS.start} and {_PORTS.stop}")

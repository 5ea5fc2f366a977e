"""What a program prints: run without a shell, in an environment of its own, for a bounded time and number of bytes.

What it says on standard error is thrown away: a tool that fails may well quote the secret there. Knows no reference but its own.
"""

from __future__ import annotations

import os
import selectors
import signal
import stat
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from hooptui.credentials.references import CredentialTrouble, ExecReference

TIMEOUT = 10.0
"""Seconds."""

_PATH = "/usr/local/bin:/usr/bin:/bin"


def output(where: ExecReference, limit: int) -> bytes:
    """Standard output, at most `limit` bytes and one more; blocks until the program has ended.

    The program gets PATH, HOME and LANG, nothing else of the gateway's environment, no input and no terminal.

    Raises:
        CredentialTrouble: it cannot be run, everybody may change it, it fails, or takes too long.
    """
    _ours(where)
    environment = {"PATH": _PATH, "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8"}
    try:
        process = subprocess.Popen(  # noqa: S603 - the operator's own configuration names it, by its whole path
            where.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, cwd="/",
            start_new_session=True,
        )  # fmt: skip
    except OSError as fault:
        raise CredentialTrouble(f"{where} cannot be run: {fault.strerror or fault}") from None
    deadline = time.monotonic() + TIMEOUT
    with process:
        try:
            raw = _read(process, limit, deadline)
            code = process.wait(max(0.0, deadline - time.monotonic()))
        except (TimeoutError, subprocess.TimeoutExpired):
            raise CredentialTrouble(f"{where} took longer than {TIMEOUT:g} s") from None
        finally:
            # With everything that it has started and left behind.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if code and len(raw) <= limit:
        how = f"with exit status {code}" if code > 0 else f"by signal {-code}"
        raise CredentialTrouble(f"{where} ended {how}; run it as the gateway's user to see why")
    return raw


def _ours(where: ExecReference) -> None:
    try:
        status = Path(where.argv[0]).stat()
    except OSError as fault:
        raise CredentialTrouble(f"{where} cannot be run: {fault.strerror or fault}") from None
    if stat.S_ISREG(status.st_mode) and status.st_mode & 0o002:
        mode = stat.S_IMODE(status.st_mode)
        raise CredentialTrouble(
            f"{where} has mode {mode:04o}, so everybody on this machine may change it; do: chmod o-w {where.argv[0]}"
        )


def _read(process: subprocess.Popen[bytes], limit: int, deadline: float) -> bytes:
    """Until the end of file or more than `limit` bytes.

    Raises:
        TimeoutError: neither came in time.
    """
    if process.stdout is None:
        raise RuntimeError("the program has no standard output")
    raw = bytearray()
    descriptor = process.stdout.fileno()
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while len(raw) <= limit:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise TimeoutError
            part = os.read(descriptor, 65536)
            if not part:
                break
            raw += part
    if len(raw) > limit:
        # Nobody reads the rest, so it would wait for ever.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return bytes(raw[: limit + 1])

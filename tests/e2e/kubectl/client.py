"""kubectl as one person uses it: a home, a kubeconfig, and a transcript of everything that was said, made comparable."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.kubectl.programs import Program

WITHIN = 60.0

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"
AGE = r"(?<![\w.-])(?:\d+y)?(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?(?<=[smhdy])(?![\w/.-])"
BLANKS = re.compile(r" {2,}")
PLACES = (
    (re.compile(r"https://127\.0\.0\.1:\d+(?:/clusters/[\w-]+)?"), "SERVER"),
    (re.compile(r"(?:127\.0\.0\.1|\[::1\]):\d+"), "LOCAL"),
    (re.compile(r"Handling connection for \d+"), "Handling connection"),
    (re.compile(r"/clusters/[\w-]+"), ""),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ [+-]\d{4}"), "TIME"),
    (re.compile(STAMP), "TIME"),
    (re.compile(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}"), "TIME"),
    (re.compile(r"(resourceVersion: )\"\d+\"|(\"resourceVersion\": ?)\"\d+\""), r"\1\2RV"),
    (re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+"), "TOKEN"),
    # See `LOST`.
    (re.compile(r"^[EWI]\d{4} .*\] Unknown stream id \d, discarding message\n?", re.MULTILINE), ""),
    (re.compile(r"^[EWI]\d{4} \d\d:\d\d:\d\d\.\d+\s+\d+ ", re.MULTILINE), "LOG "),
    (re.compile(r"/tmp/[\w.-]*(?:LIVE|MERGED)-\d+"), "DIFFED"),
    (re.compile(AGE), "AGE"),
)


LOST = "Unknown stream id"
"""kubectl 1.30 to 1.33 drops what comes over a WebSocket before it has made its streams, and says so: a race of its own
(kubernetes/kubernetes#131189), which says nothing about whoever it talks to."""
AGAIN = 5
"""Times that a command is run at most, when kubectl has lost its answer."""


def comparable(text: str, *homes: Path) -> str:
    """Without what differs from run to run: addresses, times, ages, versions, tokens, and the spaces that align columns."""
    for home in homes:
        text = text.replace(str(home), "HOME")
    for pattern, word in PLACES:
        text = pattern.sub(word, text)
    return "\n".join(BLANKS.sub("  ", line).rstrip() for line in text.splitlines())


@dataclass(frozen=True, slots=True)
class Said:
    """One run of kubectl."""

    command: str
    code: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"$ kubectl {self.command}\n{self.out}\n--- stderr, exit {self.code}\n{self.err}"


@dataclass
class Kubectl:
    """See the module. `__call__` runs a command to its end; whatever it says goes into `said`."""

    program: Program
    kubeconfig: Path
    home: Path
    work: Path
    """Where it runs; made by whoever makes this, and empty."""
    prefix: str = ""
    """The path of the server."""
    environment: dict[str, str] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)

    def __call__(
        self,
        command: str,
        *,
        stdin: str | None = None,
        code: int | None = 0,
        within: float = WITHIN,
        racing: bool = False,
        **more: str,
    ) -> Said:
        """Run it; `code` is what its exit status must be, None when that is for the caller to see. `racing`: it may end before it
        has said everything, so that what it says is not compared."""
        for _ in range(AGAIN):
            done = subprocess.run(
                self._words(command), input=stdin, capture_output=True, text=True, timeout=within, cwd=self.work,
                env=self._environment(more), errors="replace", stdin=subprocess.DEVNULL if stdin is None else None,
            )  # fmt: skip
            if LOST not in done.stderr:
                break
        return self.note(command, done.returncode, *(("", "") if racing else (done.stdout, done.stderr)), code)

    def raw(self, verb: str, path: str, **more: int) -> Said:
        """`get --raw` and its like, which put the path in place of the server's own: whoever serves clusters by path is told it."""
        return self(f"{verb} --raw {self.prefix}{path}", **more)  # type: ignore[arg-type]

    def note(self, command: str, code: int, out: str, err: str, wanted: int | None = 0) -> Said:
        said = Said(command, code, out, err)
        self.said.append(said)
        assert wanted is None or code == wanted, str(said)
        return said

    def file(self, name: str, text: str) -> Path:
        path = self.work / name
        path.write_text(text)
        return path

    @contextmanager
    def running(self, command: str, **more: str) -> Iterator[Running]:
        """Left running; killed at the end, if it has not ended."""
        process = subprocess.Popen(
            self._words(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.work,
            env=self._environment(more),
        )  # fmt: skip
        found = Running(command, process)
        try:
            yield found
        finally:
            if process.poll() is None:
                process.kill()
            found.join()

    def _words(self, command: str) -> list[str]:
        cache = self.home / f"cache-{self.program}"
        return [self.program.path, f"--kubeconfig={self.kubeconfig}", f"--cache-dir={cache}", *shlex.split(command)]

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"], "HOME": str(self.home), "LC_ALL": "C.UTF-8", "TZ": "UTC", "KUBECTL_PORT_FORWARD_WEBSOCKETS": "true",
            **self.environment, **more,
        }  # fmt: skip


class Running:
    """A kubectl that runs: what it has said so far, by threads of its own."""

    def __init__(self, command: str, process: subprocess.Popen[bytes]) -> None:
        self.command = command
        self.process = process
        self._parts: dict[str, bytearray] = {"out": bytearray(), "err": bytearray()}
        self._threads = [
            threading.Thread(target=self._read, args=(name,), daemon=True, name=f"kubectl {name}")
            for name in ("out", "err")
        ]
        for thread in self._threads:
            thread.start()

    def _read(self, name: str) -> None:
        stream = self.process.stdout if name == "out" else self.process.stderr
        assert stream is not None
        with stream:
            while data := stream.read1(65_536):  # type: ignore[attr-defined]
                self._parts[name] += data

    @property
    def out(self) -> str:
        return self._parts["out"].decode(errors="replace")

    @property
    def err(self) -> str:
        return self._parts["err"].decode(errors="replace")

    def type(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def until(self, pattern: str, *, within: float = 60.0) -> re.Match[str]:
        """Wait until it has said this."""
        deadline = time.monotonic() + within
        while (found := re.search(pattern, self.out + self.err)) is None:
            assert time.monotonic() < deadline, f"kubectl {self.command} never said {pattern}: {self.out}{self.err}"
            assert self.process.poll() is None or re.search(pattern, self._all()), (
                f"kubectl {self.command} ended: {self.out}{self.err}"
            )
            time.sleep(0.02)
        return found

    def _all(self) -> str:
        self.join()
        return self.out + self.err

    def end(self, *, within: float = 60.0) -> int:
        """Wait for its end; its exit status."""
        if self.process.stdin is not None and not self.process.stdin.closed:
            self.process.stdin.close()
        code = self.process.wait(within)
        self.join()
        return code

    def join(self) -> None:
        self.process.wait(60)
        if self.process.stdin is not None and not self.process.stdin.closed:
            self.process.stdin.close()
        for thread in self._threads:
            thread.join(60)

"""A list of what is revoked, kept by somebody else in a file or behind a URL, one JSON object a line.

    {"jti": "235b3a54-b797"}                      one token
    {"sub": "etl-7"}                              everything of one subject
    {"sub": "ops-1", "before": 1800000000}        what was issued to it before then (Unix seconds)

A list that cannot be read whole is no list: a line that is not understood may be the one that matters.
"""

from __future__ import annotations

import asyncio
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from hooptui.auth.oidc import Verifier
from hooptui.auth.oracle import ACTIVE, Mark, Verdict
from hooptui.auth.paths import printable
from hooptui.auth.provider import Provider
from hooptui.auth.tokens import NotStrict, strict_object
from hooptui.auth.validity import Revocation
from hooptui.core.clock import Clock
from hooptui.core.gate import LoginRefused

MAX_BYTES = 16 * 1024 * 1024
MAX_LINES = 200_000
MAX_LINE = 4 * 1024
RETRY_INTERVAL = 1.0
"""Seconds for which a list that could not be read is not tried again, however many ask."""
_MEMBERS = frozenset({"jti", "sub", "before"})


class BadList(ValueError):
    """A list that cannot be read; the message names the line, and quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Denied:
    """What one list says."""

    tokens: frozenset[str] = frozenset()
    subjects: dict[str, float | None] = field(default_factory=dict)
    """By subject the time before which its tokens are revoked; None for all of them."""

    def names(self, mark: Mark) -> str:
        """Why this credential is revoked; empty when it is not."""
        if mark.jti is not None and mark.jti in self.tokens:
            return "the token is on the list of revoked ones"
        for subject in mark.subjects:
            if subject not in self.subjects:
                continue
            before = self.subjects[subject]
            # A token that does not say when it was issued may be an old one.
            if before is None or mark.issued is None or mark.issued < before:
                return "its subject is on the list of revoked ones"
        return ""


def read(raw: bytes) -> Denied:
    """The list in these bytes.

    Raises:
        BadList: too long, or a line that is no JSON object with `jti`, or with `sub` and perhaps `before`.
    """
    if len(raw) > MAX_BYTES:
        raise BadList(f"it has more than {MAX_BYTES} bytes")
    lines = raw.split(b"\n")
    if len(lines) > MAX_LINES:
        raise BadList(f"it has more than {MAX_LINES} lines")
    tokens: set[str] = set()
    subjects: dict[str, float | None] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        jti, subject, before = _line(line, number)
        if jti:
            tokens.add(jti)
            continue
        known = subjects.get(subject, 0.0)
        subjects[subject] = None if before is None or known is None else max(before, known)
    return Denied(frozenset(tokens), subjects)


def _line(line: bytes, number: int) -> tuple[str, str, float | None]:
    expected = 'expected {"jti": "…"}, {"sub": "…"} or {"sub": "…", "before": seconds}'
    try:
        if len(line) > MAX_LINE:
            raise NotStrict("too long")
        entry = strict_object(line)
    except NotStrict as bad:
        raise BadList(f"line {number} is {bad}; {expected}") from None
    jti, subject, before = entry.get("jti", ""), entry.get("sub", ""), entry.get("before")
    for name, value in (("jti", jti), ("sub", subject)):
        if name in entry and not printable(value, MAX_LINE):
            raise BadList(f"line {number}: {name} is not a printable string; {expected}")
    if entry.keys() - _MEMBERS or ("jti" in entry) == ("sub" in entry) or ("before" in entry and "sub" not in entry):
        raise BadList(f"line {number} has other members; {expected}")
    if "before" in entry and (isinstance(before, bool) or not isinstance(before, int | float)):
        raise BadList(f"line {number}: before is not a number of seconds; {expected}")
    return str(jti), str(subject), float(before) if isinstance(before, int | float) else None


class Denylist:
    """The oracle that looks things up in such a list, and reads it anew when it is older than half its interval."""

    def __init__(self, issuer_url: str, settings: Revocation, verifier: Verifier, clock: Clock) -> None:
        self._url = issuer_url
        self._where = settings.denylist
        self._fresh = settings.interval / 2
        self._verifier = verifier
        self._clock = clock
        self._denied = Denied()
        self._read: float | None = None
        self._seen: object = None
        """What told the file that was read from others: identity, size and time of change."""
        self._tried = 0.0
        self._trouble: LoginRefused | None = None
        self._turn = asyncio.Lock()

    def answers(self, mark: Mark) -> bool:
        return True

    async def probe(self) -> None:
        await self._refresh()

    async def look(self, mark: Mark) -> Verdict:
        await self._refresh()
        words = self._denied.names(mark)
        return Verdict(False, words) if words else ACTIVE

    async def _refresh(self) -> None:
        async with self._turn:
            now = self._clock.monotonic()
            if self._trouble is not None and now - self._tried < RETRY_INTERVAL:
                raise self._trouble
            if self._read is not None and now - self._read < self._fresh:
                return
            provider = self._verifier.provider(self._url)
            self._tried = now
            try:
                await (self._fetch(provider) if "://" in self._where else self._open(provider))
            except LoginRefused as trouble:
                self._trouble = trouble.with_traceback(None)
                raise
            self._read, self._trouble = now, None

    async def _fetch(self, provider: Provider) -> None:
        answer = await provider.ask("GET", self._where, "denylist", limit=MAX_BYTES)
        if answer.status != 200:
            raise provider.unreachable(f"the denylist answers {answer.status}")
        await self._take(provider, answer.body)

    async def _open(self, provider: Provider) -> None:
        try:
            found = await asyncio.to_thread(_changed, Path(self._where), self._seen)
        except OSError as fault:
            raise provider.unreachable(f"the denylist {self._where}: {fault.strerror or fault}") from None
        except BadList as bad:
            raise provider.misconfigured(f"the denylist {self._where}: {bad}") from None
        if found is not None:
            await self._take(provider, found[1])
            self._seen = found[0]

    async def _take(self, provider: Provider, raw: bytes) -> None:
        try:
            self._denied = await asyncio.to_thread(read, raw)
        except BadList as bad:
            raise provider.misconfigured(f"the denylist {self._where}: {bad}") from None


def _changed(path: Path, seen: object) -> tuple[object, bytes] | None:
    """The file's mark and bytes; None when it is the one seen before.

    Raises:
        OSError: it cannot be read.
        BadList: it is no regular file, or too long.
    """
    # Without O_NONBLOCK the open of a FIFO would wait for a writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        # Of the open file, not of the path: the path may lead elsewhere a moment later.
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise BadList("it is not a regular file")
        if status.st_mode & 0o002:
            raise BadList("everybody on this machine may write to it")
        found = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if found == seen:
            return None
        raw = bytearray()
        while len(raw) <= MAX_BYTES and (chunk := os.read(descriptor, 1 << 20)):
            raw += chunk
        return found, bytes(raw)
    finally:
        os.close(descriptor)

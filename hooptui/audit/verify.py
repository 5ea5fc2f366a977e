"""Is the record whole, and as it was written? Reads, never writes; streams, so that memory does not grow with the journal
(but by 8 bytes a recording); works beside a gateway that writes.

What is seen: any changed, added, doubled, reordered or missing byte, line, segment or sealed recording up to the last
checkpoint, since the chain ties each line to the one before it and a checkpoint is signed; and a changed checkpoint.

What cannot be seen from this host's files alone:
- that everything after some checkpoint was cut off, together with the recordings sealed there. An anchor shows it: a
  sequence number and hash noted elsewhere (`anchor`);
- a changed last record that no checkpoint follows yet. The number of unsigned records is reported;
- a whole new journal by somebody who has the signing key, or who put a key of their own in its place. The public key, or
  its fingerprint, kept elsewhere shows the latter (`public_key`, `fingerprint`);
- changes to a recording between a kill of the gateway and its next start, which seals it as it finds it.

An auditor needs no hooptui: `sha256sum` of a line without its newline is the next line's `prev`, and a checkpoint's `sig`
is Ed25519 over the text in `chain.signed`, for `openssl pkeyutl -verify -rawin -pubin -inkey journal.pub`.
"""

from __future__ import annotations

import os
import stat
import time
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

from hooptui.audit.chain import ABSENT, Checkpoint, Record, checkpoint_line, genesis, line_hash, parse, signed
from hooptui.audit.codec import Unreadable, decode_event
from hooptui.audit.files import JournalError, Layout, Piece, day_of, locked, pieces, words
from hooptui.audit.journal import LONGEST
from hooptui.audit.keys import Checker, checker
from hooptui.audit.recording import NO_RECORDING, file_hash
from hooptui.core.desk import VerifyView
from hooptui.core.events import Alert, Event, RecordingSealed, SessionOpened, TornTail

_FINDINGS: Final = 500
"""Findings that are spelled out; the rest is counted."""
INTACT, BROKEN, UNREADABLE = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Report(VerifyView):
    """What was found, and what to note elsewhere as an anchor."""

    head: tuple[int, str] = (0, "")
    """Sequence number and hash of the last record: `SEQ:HASH` is an anchor."""
    unsigned: int = 0
    """Records after the last checkpoint."""
    fingerprint: str = ""
    """SHA-256 of the public key that was used."""


class _Findings:
    def __init__(self) -> None:
        self.broken = False
        self.texts: list[str] = []
        self.more = 0

    def wrong(self, text: str) -> None:
        self.broken = True
        self.note(text)

    def note(self, text: str) -> None:
        if len(self.texts) < _FINDINGS:
            self.texts.append(text)
        else:
            self.more += 1

    def all(self) -> tuple[str, ...]:
        return (*self.texts, f"and {self.more} more") if self.more else tuple(self.texts)


def verify(
    state: Path, *, anchor: str | None = None, public_key: Path | None = None, fingerprint: str | None = None
) -> Report:
    """Check the journal and every sealed recording under a state directory. Never raises for what it finds.

    `anchor` is `SEQ:HASH` of a record that must be there; `public_key` a PEM file to be used instead of the state
    directory's own; `fingerprint` (SHA-256, hex) what the key's must be.
    """
    started = time.monotonic()
    findings = _Findings()
    walk: _Walk | None = None
    try:
        key = checker(public_key or state / "journal.pub")
        if fingerprint is not None and key.fingerprint != fingerprint.strip().lower():
            findings.wrong(f"the key has the fingerprint {key.fingerprint}, not the one that was asked for")
        walk = _Walk(Layout(state), key, findings, _anchor(anchor))
        _check(walk)
        status = BROKEN if findings.broken else INTACT
    except OSError as error:
        findings.note(words(error, state))
        status = UNREADABLE
    except (JournalError, ValueError) as error:
        findings.note(str(error))
        status = UNREADABLE
    seconds = time.monotonic() - started
    if walk is None:
        return Report(status, 0, 0, 0, findings.all(), seconds)
    return Report(
        status,
        walk.records,
        walk.checkpoints,
        walk.recordings,
        findings.all(),
        seconds,
        (walk.seq, (walk.hash or b"").decode()),
        walk.seq - walk.signed_seq,
        walk.key.fingerprint,
    )


def _anchor(text: str | None) -> tuple[int, bytes] | None:
    if text is None:
        return None
    seq, _, digest = text.strip().partition(":")
    if not seq.isdecimal() or int(seq) < 1 or len(digest) != 64 or set(digest.lower()) - set("0123456789abcdef"):
        raise ValueError("an anchor is a record's number and its hash: SEQ:64 hex digits")
    return int(seq), digest.lower().encode()


def _check(walk: _Walk) -> None:
    """The order matters beside a live gateway: it marks a session, journals its begin, journals its seal, unmarks it."""
    layout, findings = walk.layout, walk.findings
    live = locked(layout.lock)
    walk.go_on()
    unsealed = [one for one in _on_disk(layout, findings) if not walk.knows(*one)]
    markers = set(layout.markers())
    walk.go_on()
    for day, session in unsealed:
        if (day, session) not in markers and not walk.knows(day, session):
            findings.wrong(
                f"{layout.recording(day, session)}: the journal has no seal for it; it was added, or the journal was cut off"
            )
    # Read again: a session may have begun between the last reading and the walk that saw it begin.
    markers = set(layout.markers())
    lost = {session: day for session, day in walk.opened.items() if (day, session) not in markers}
    walk.go_on()
    for session, day in lost.items():
        if walk.opened.get(session) == day:
            findings.wrong(
                f"session {session} of {day} began, but there is neither a sealed nor an open recording of it"
            )
    if not live:
        for day, session in sorted(markers):
            if walk.opened.get(session) == day:
                findings.note(
                    f"session {session} of {day} was cut short: its recording is not sealed; the next start does that"
                )
    walk.end(live)


def _on_disk(layout: Layout, findings: _Findings) -> Iterator[tuple[str, str]]:
    """Day and session of the recordings that are there."""
    for day, path, named in layout.recorded():
        if named:
            yield day, path.stem
        else:
            findings.note(f"{path}: not a recording")


class _Walk:
    """One walk along the chain; may go on where it stopped, when the journal has grown."""

    def __init__(self, layout: Layout, key: Checker, findings: _Findings, anchor: tuple[int, bytes] | None) -> None:
        self.layout = layout
        self.key = key
        self.findings = findings
        self.anchor = anchor
        start = genesis(key.fingerprint)
        self.seq = start.seq
        self.hash: bytes | None = start.hash
        """Hash of the last line; None when it could not be read, so that the next one has nothing to be compared with."""
        self.records = self.checkpoints = self.recordings = self.signed_seq = 0
        self.opened: dict[str, str] = {}
        """Sessions that began and were not sealed, with the day they began."""
        self._salt = os.urandom(16)
        self._sealed = array("Q")
        self._sorted = True
        self._segment = 0
        self._offset = 0
        self._line = 0
        self._half: Piece | None = None
        self._path = layout.journal
        self._lost_count = False

    def go_on(self) -> None:
        """Walk to the end as it is now. Raises OSError."""
        segments = self.layout.segments()
        if not segments:
            self.findings.wrong(f"{self.layout.journal}: there is a key but no segment: all of the journal is gone")
        for first, path in segments:
            if first < self._segment:
                continue
            if first > self._segment or path != self._path:
                self._enter(first, path)
            self._half = None
            for piece in pieces(path, start=self._offset, limit=LONGEST):
                if not piece.whole:
                    self._half = piece
                    break
                self._line += 1
                self._offset = piece.start + len(piece.data) + 1
                self._one(piece.data)

    def end(self, live: bool) -> None:
        """What can only be said at the end."""
        findings = self.findings
        if self._half is not None and len(self._half.data) > LONGEST:
            findings.wrong(f"{self._where(1)}: longer than the {LONGEST} bytes that a line may have")
        elif self._half is not None and not live:
            findings.note(
                f"{self._where(1)}: torn tail: {len(self._half.data)} bytes of half a line after record {self.seq};"
                " the next start sets them aside"
            )
        unsigned = self.seq - self.signed_seq
        if unsigned and not live:
            findings.note(
                f"the last {unsigned} records are not signed: the gateway was killed, or the end was changed or cut off"
            )
        if self.anchor is not None and self.anchor[0] > self.seq:
            findings.wrong(
                f"the journal was cut off: the anchor names record {self.anchor[0]}, the last one is {self.seq}"
            )

    def knows(self, day: str, session: str) -> bool:
        """Whether the journal has a seal for it."""
        if not self._sorted:
            self._sealed = array("Q", sorted(self._sealed))
            self._sorted = True
        name = self._name(day, session)
        at = bisect_left(self._sealed, name)
        return at < len(self._sealed) and self._sealed[at] == name

    def _name(self, day: str, session: str) -> int:
        digest = blake2b(f"{day}/{session}".encode(), digest_size=8, key=self._salt).digest()
        return int.from_bytes(digest, "big")

    def _enter(self, first: int, path: Path) -> None:
        if self._half is not None:
            self.findings.wrong(f"{self._where(1)}: half a line, though another segment follows")
            self.hash = None
        self._segment, self._path, self._offset, self._line = first, path, 0, 0
        if first == self.seq + 1:
            return
        if first > self.seq + 1:
            self.findings.wrong(f"records {self.seq + 1} to {first - 1} are missing before {path}")
        else:
            self.findings.wrong(
                f"{path}: begins with record {first}, though record {self.seq} came before; it was added or renamed"
            )
        self.seq, self.hash = first - 1, None

    def _where(self, ahead: int = 0) -> str:
        return f"{self._path}:{self._line + ahead}"

    def _one(self, line: bytes) -> None:
        self.records += 1
        try:
            record = parse(line)
        except Unreadable as error:
            self.findings.wrong(f"{self._where()}: not a record, after record {self.seq}: {error}")
            self.hash, self._lost_count = None, True
            return
        self._follows(record)
        self.seq, self.hash = record.seq, line_hash(line)
        if self.anchor is not None and self.anchor[0] == record.seq and self.anchor[1] != self.hash:
            self.findings.wrong(f"{self._where()}: record {record.seq} is not the one that the anchor names")
        if record.event is not ABSENT:
            self._event(record)
        elif record.checkpoint is not None:
            self._checkpoint(record, record.checkpoint, line)
        elif record.gap is not None:
            self.findings.note(f"{self._where()}: {record.gap.words}")

    def _follows(self, record: Record) -> None:
        expected, known = self.seq + 1, self.hash
        # After an unreadable line its number may or may not have been used up.
        counted = record.seq == expected or (self._lost_count and record.seq == expected + 1)
        self._lost_count = False
        if not counted and record.seq > expected:
            self.findings.wrong(
                f"{self._where()}: records {expected} to {record.seq - 1} are missing before record {record.seq}"
            )
        elif not counted:
            self.findings.wrong(
                f"{self._where()}: record {record.seq} after record {self.seq}: doubled, added or out of order"
            )
        elif known is not None and record.prev.encode() != known:
            before = f"record {self.seq}" if self.seq else "the key of this journal"
            self.findings.wrong(
                f"{self._where()}: record {record.seq} does not follow from {before}: one of the two was changed"
            )

    def _checkpoint(self, record: Record, checkpoint: Checkpoint, line: bytes) -> None:
        message = signed(record.seq, record.prev, checkpoint.at, checkpoint.key)
        try:
            sig = bytes.fromhex(checkpoint.sig)
        except ValueError:
            sig = b""
        # Only one spelling counts: nothing follows the last checkpoint that would notice another.
        same = line == checkpoint_line(record.seq, record.prev, checkpoint) and sig.hex() == checkpoint.sig
        if checkpoint.key != self.key.fingerprint:
            self.findings.wrong(f"{self._where()}: the checkpoint in record {record.seq} is signed with another key")
        elif not same or not self.key.good(message, sig):
            self.findings.wrong(f"{self._where()}: the signature of the checkpoint in record {record.seq} is wrong")
        else:
            self.checkpoints += 1
            self.signed_seq = record.seq

    def _event(self, record: Record) -> None:
        try:
            event = decode_event(record.event)
        except Unreadable as error:
            self.findings.note(f"{self._where()}: record {record.seq} is not understood by this version: {error}")
            return
        try:
            self._meaning(record.seq, event)
        except ValueError as error:
            # Never written like this, so the chain is broken here too; the walk goes on to say all of it.
            self.findings.wrong(f"{self._where()}: record {record.seq}: {error}")

    def _meaning(self, seq: int, event: Event) -> None:
        """What an event says about recordings. Raises ValueError for a session's name or a day that cannot be, OSError."""
        match event.body:
            case SessionOpened():
                self.opened[event.session] = day_of(event.at)
            case RecordingSealed() as seal:
                self._seal(seq, event, seal)
            case TornTail() as torn:
                self.findings.note(
                    f"{self._where()}: torn tail: the run before was killed while writing {torn.segment} after record"
                    f" {torn.after}; {torn.torn_bytes} bytes were set aside, which is as it should be"
                )
            case Alert(code=code) if code == NO_RECORDING:
                self.opened.pop(event.session, None)
            case _:
                return

    def _seal(self, seq: int, event: Event, seal: RecordingSealed) -> None:
        day = self.opened.pop(event.session, None) or self._day(event)
        path = self.layout.recording(day, event.session)
        self._sealed.append(self._name(day, event.session))
        self._sorted = False
        self.recordings += 1
        try:
            found = path.lstat()
        except FileNotFoundError:
            self.findings.wrong(f"{path}: missing, though record {seq} seals it")
            return
        if not stat.S_ISREG(found.st_mode):
            self.findings.wrong(f"{path}: not a file, though record {seq} seals it")
        elif found.st_size != seal.size:
            self.findings.wrong(f"{path}: has {found.st_size} bytes, but record {seq} sealed {seal.size}")
        elif file_hash(path) != seal.sha256:
            self.findings.wrong(f"{path}: was changed since record {seq} sealed it")
        elif not seal.size:
            self.findings.note(f"{path}: empty: the gateway was killed before it wrote any of it")

    def _day(self, event: Event) -> str:
        """For a seal that came again, or whose session's begin is missing: the newest day that has such a file."""
        sealed = day_of(event.at)
        for day in self.layout.days():
            if day <= sealed and self.layout.recording(day, event.session).exists():
                return day
        return sealed

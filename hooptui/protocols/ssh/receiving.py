"""What comes in over one of asyncssh's connections, with a short way for bulk data in AES-GCM.

What one read has brought is taken apart at once: packets are decrypted into one place for all, a large one is handed on from there,
and small ones that follow one another on a channel are delivered as one piece. Window adjustments, of which OpenSSH sends one for
every two or three packets of data, go the short way as well. All other packets, and all other ciphers, go asyncssh's way.

Knows what arrives and whom it is for; how it goes on is `transport`.
"""

from __future__ import annotations

import struct
import sys
from typing import Any, Final, Protocol

import asyncssh
from asyncssh.channel import SSHChannel
from asyncssh.connection import SSHConnection
from asyncssh.constants import MSG_CHANNEL_DATA, MSG_CHANNEL_WINDOW_ADJUST
from asyncssh.misc import MACError, ProtocolError
from asyncssh.packet import UInt32

from hooptui.protocols.ssh.ciphers import TAG, Gcm
from hooptui.protocols.ssh.scratch import KIB, READ, scratch

LARGE: Final = 8 * KIB
"""Bytes of one packet that are handed on from where they are. Smaller ones are gathered."""
JOINED: Final = 32 * KIB
"""Bytes up to which what waits is joined, so that single bytes do not cost a hundred times their size."""
AWAKE: Final = 1 / 32
"""Of the time after which silence is noticed, by how much it may be noticed early."""
SEQUENCE: Final = 0xFFFFFFFF
_LENGTH = struct.Struct(">I")
_HEAD = struct.Struct(">BBII")
"""Of a packet about a channel: length of the padding, kind, number of the channel, and bytes of data or of window."""
_BEFORE: Final = _HEAD.size
_SENDS: Final = frozenset(("open", "eof_pending", "eof"))
"""A peer's state of a channel in which we may send to it: it has not closed."""


class Carries(Protocol):
    """A session that takes large pieces of data as they are."""

    def carry(self, data: bytes | memoryview) -> None:
        """As `data_received` without a data type; the bytes are there during the call only."""


class Receiver(SSHConnection):
    """See the module. What it has in common on both sides."""

    _awake_until = 0.0
    """When something that comes puts off again the question whether the peer lives."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.scratch = scratch()
        super().__init__(*args, **kwargs)

    # --- how it goes on: `transport.Swift` has both, and nobody makes a Receiver alone

    def put(self) -> None:
        """Write what is ready."""
        raise NotImplementedError

    def listen(self) -> None:
        """Read on or do not, by what waits on either way."""
        raise NotImplementedError

    # --- what comes in

    def place(self) -> memoryview:
        """Where the next bytes are to be put; `came` is called before anything else is."""
        kept, view = self._inpbuf, self.scratch.view
        size = len(kept)
        view[:size] = kept
        return view[size : size + READ]

    def came(self, size: int) -> None:
        """`size` bytes are in `place`."""
        kept, self._inpbuf = len(self._inpbuf), b""
        scratch, now = self.scratch, self._loop.time()
        if now >= self._awake_until:
            # Not for each of thousands of reads in a second.
            self._reset_keepalive_timer()
            self._awake_until = now + AWAKE * self._keepalive_interval if self._keepalive_timer is not None else 0.0
        scratch.writers = []
        try:
            self._feed(scratch.view[: kept + size])
        finally:
            # One system call for all that one read has brought.
            scratch.write()
            scratch.writers = None

    def _recv_data(self) -> None:
        # By asyncssh, when a packet has been answered behind which others wait.
        kept, self._inpbuf = self._inpbuf, b""
        self._feed(memoryview(kept))

    def _feed(self, view: memoryview) -> None:
        """Take the packets out of received bytes, and keep what is none yet."""
        at = 0
        try:
            while type(self._recv_encryption) is Gcm and self._recv_handler == self._recv_pkthdr and self._transport:
                at, plain, raw = self._bulk(self._recv_encryption, view, at)
                if plain is None or self._transport is None:
                    break
                # Not data, or not as it should be: asyncssh's affair, which is handed the packet decrypted.
                self._recv_encryption.opened = plain
                self._inpbuf = bytes(raw)
                super()._recv_data()
            else:
                self._inpbuf += bytes(view[at:])
                at = len(view)
                if self._transport is not None:
                    super()._recv_data()
        except asyncssh.DisconnectError as wrong:
            self._send_disconnect(wrong.code, wrong.reason, wrong.lang)
            self._force_close(wrong)
        except Exception:  # noqa: BLE001 - as asyncssh does: whatever it was, it is this connection's end
            self.internal_error()
        if at < len(view):
            self._inpbuf += bytes(view[at:])
        self.listen()

    def _bulk(self, cipher: Gcm, view: memoryview, at: int) -> tuple[int, bytes | None, memoryview]:
        """Deliver data and adjust windows from `at` on; where it stopped, and the packet that is something else, or None.

        Raises:
            ProtocolError, MACError: a packet is too large, or not from the peer. What came before it is delivered.
        """
        size, channels, longest, plain = len(view), self._channels, self._max_recv_pktlen, self.scratch.plain
        quick = self._auth_complete and self._decompressor is None
        run = _Run()
        try:
            while size - at > 4:
                length = _LENGTH.unpack_from(view, at)[0]
                if length > longest:
                    raise ProtocolError("Max packet size exceeded")
                start, body, end = at, at + 4, at + 4 + length + TAG
                if end > size:
                    break
                # There is room, since nothing becomes longer than it was in what was read.
                place = run.end + length
                opened = plain[run.end : place]
                if not length or not cipher.open_into(view[start:body], view[body:end], opened):
                    raise MACError("MAC verification failed")
                at = end
                if not quick or length < _BEFORE:
                    return at, bytes(opened), view[start:end]
                padding, kind, number, count = _HEAD.unpack_from(opened)
                if run.chan is not None and (number != run.number or kind != MSG_CHANNEL_DATA):
                    run.deliver()
                    if self._transport is None:
                        break
                chan, behind = channels.get(number), length - _BEFORE - padding
                if chan is None:
                    return at, bytes(opened), view[start:end]
                state = chan._recv_state
                if kind == MSG_CHANNEL_DATA and state == "open" and behind == count <= chan._recv_window - run.size:
                    if count < LARGE:
                        run.add(number, chan, opened[_BEFORE : _BEFORE + count], place)
                    else:
                        run.deliver()
                        _deliver(chan, opened[_BEFORE : _BEFORE + count])
                elif kind == MSG_CHANNEL_WINDOW_ADJUST and state in _SENDS and not behind:
                    chan._send_window += count
                    chan._flush_send_buf()
                else:
                    return at, bytes(opened), view[start:end]
                self._recv_seq = (self._recv_seq + 1) & SEQUENCE
                self._auth_final = True
                if self._transport is None:
                    break
        finally:
            run.deliver()
        return at, None, view

    def _recv_pkthdr(self) -> bool:
        # In GCM the length is readable: nothing is taken before the whole packet is there, so that `_feed` can go on anywhere.
        if type(self._recv_encryption) is Gcm:
            length = int.from_bytes(self._inpbuf[:4], "big")
            if len(self._inpbuf) < 4 or (length <= self._max_recv_pktlen and len(self._inpbuf) < 4 + length + TAG):
                return False
        return super()._recv_pkthdr()

    def internal_error(self, exc_info: Any = None, error_logger: Any = None) -> None:
        fault = (exc_info or sys.exc_info())[1]
        if isinstance(fault, (ValueError, IndexError)):
            # What cannot be read is the peer's error, and is told to it as such; asyncssh takes it for its own.
            wrong = ProtocolError(f"a packet makes no sense: {type(fault).__name__}")
            self._send_disconnect(wrong.code, wrong.reason, wrong.lang)
            self._force_close(wrong)
        else:
            super().internal_error(exc_info, error_logger)


class _Run:
    """Data of packets that follow one another on one channel."""

    __slots__ = ("_pieces", "chan", "end", "number", "size")

    def __init__(self) -> None:
        self.chan: SSHChannel[Any] | None = None
        """Of which there is something."""
        self.number = 0
        self.size = 0
        """Bytes of data."""
        self.end = 0
        """Where in the scratch the last of them, and what was around it, ends. Before it nothing may be put."""
        self._pieces: list[memoryview] = []

    def add(self, number: int, chan: SSHChannel[Any], data: memoryview, end: int) -> None:
        """`number` is the channel's, as the peer writes it."""
        self.number, self.chan = number, chan
        self._pieces.append(data)
        self.size += len(data)
        self.end = end

    def deliver(self) -> None:
        """What there is, if anything, to its channel, within whose window it is."""
        chan, pieces = self.chan, self._pieces
        if chan is None:
            return
        self.chan, self.size, self.end, self._pieces = None, 0, 0, []
        _deliver(chan, pieces[0] if len(pieces) == 1 else b"".join(pieces))


def _deliver(chan: SSHChannel[Any], data: bytes | memoryview) -> None:
    """Data within a channel's window, to whom it is for."""
    size = len(data)
    if chan._recv_paused:
        waiting = chan._recv_buf
        if waiting and waiting[-1][1] is None and len(waiting[-1][0]) + size <= JOINED:
            chan._recv_window -= size
            waiting[-1] = (waiting[-1][0] + data, None)
            return
    elif chan._send_state == "open" and (carry := getattr(chan._session, "carry", None)) is not None:
        # As asyncssh does in `_deliver_data`.
        chan._recv_window -= size
        if chan._recv_window < chan._init_recv_window / 2:
            chan.send_packet(MSG_CHANNEL_WINDOW_ADJUST, UInt32(chan._init_recv_window - chan._recv_window))
            chan._recv_window = chan._init_recv_window
        carry(data)
        return
    chan._accept_data(bytes(data))

"""What comes in over one of asyncssh's connections, with a short way for bulk data in AES-GCM.

What one read has brought is taken apart at once: packets are decrypted into one place for all, and data that follows on a channel is
delivered as one `Train`, from where it lies. Window adjustments, of which OpenSSH sends one for every two or three packets of data,
go the short way as well. All other packets, and all other ciphers, go asyncssh's way.

Knows what arrives and whom it is for; how it goes on is `transport`.
"""

from __future__ import annotations

import sys
from typing import Any, Final, Protocol

import asyncssh
from asyncssh.channel import SSHChannel
from asyncssh.connection import SSHConnection
from asyncssh.constants import MSG_CHANNEL_DATA, MSG_CHANNEL_WINDOW_ADJUST
from asyncssh.misc import ProtocolError
from asyncssh.packet import UInt32

from hooptui.protocols.ssh.ciphers import Gcm
from hooptui.protocols.ssh.lane import TAG
from hooptui.protocols.ssh.scratch import KIB, READ, scratch
from hooptui.protocols.ssh.train import Train, Unpacker

JOINED: Final = 32 * KIB
"""Bytes up to which what waits is joined, so that single bytes do not cost a hundred times their size."""
AWAKE: Final = 1 / 32
"""Of the time after which silence is noticed, by how much it may be noticed early."""
SEQUENCE: Final = 0xFFFFFFFF
_SENDS: Final = frozenset(("open", "eof_pending", "eof"))
"""A peer's state of a channel in which we may send to it: it has not closed."""


class Carries(Protocol):
    """A session that takes large pieces of data as they are."""

    def carry(self, train: Train) -> None:
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
        packets = Unpacker(cipher.lane, view, at, self.scratch.plain, self._max_recv_pktlen)
        quick = self._auth_complete and self._decompressor is None
        chan: SSHChannel[Any] | None = None
        """Of which there is something in the train."""
        number = -1
        try:
            while self._transport is not None:
                there = packets.next(number, chan._recv_window if chan is not None else 0)
                self._counted(packets)
                if chan is not None:
                    taker, chan, number = chan, None, -1
                    _deliver(taker, packets.whole())
                if not there:
                    break
                known = self._channels.get(packets.number) if quick and packets.kind >= 0 and self._transport else None
                state, count = known._recv_state if known is not None else "", packets.count
                if (
                    known is not None
                    and packets.kind == MSG_CHANNEL_DATA
                    and state == "open"
                    and packets.fits == count <= known._recv_window
                ):
                    packets.take()
                    chan, number = known, packets.number
                elif (
                    known is not None
                    and packets.kind == MSG_CHANNEL_WINDOW_ADJUST
                    and state in _SENDS
                    and not packets.fits
                ):
                    packets.taken += 1
                    self._counted(packets)
                    known._send_window += count
                    known._flush_send_buf()
                else:
                    return packets.at, bytes(packets.opened), view[packets.start : packets.at]
        finally:
            if chan is not None:
                self._counted(packets)
                _deliver(chan, packets.whole())
        return packets.at, None, view

    def _counted(self, packets: Unpacker) -> None:
        if packets.taken:
            self._recv_seq = (self._recv_seq + packets.taken) & SEQUENCE
            self._auth_final = True
            packets.taken = 0

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


def _deliver(chan: SSHChannel[Any], train: Train) -> None:
    """Data within a channel's window, to whom it is for."""
    size = train.size
    if chan._recv_paused:
        waiting = chan._recv_buf
        if waiting and waiting[-1][1] is None and len(waiting[-1][0]) + size <= JOINED:
            chan._recv_window -= size
            waiting[-1] = (waiting[-1][0] + train.joined(), None)
            return
    elif chan._send_state == "open" and (carry := getattr(chan._session, "carry", None)) is not None:
        # As asyncssh does in `_deliver_data`.
        chan._recv_window -= size
        if chan._recv_window < chan._init_recv_window / 2:
            chan.send_packet(MSG_CHANNEL_WINDOW_ADJUST, UInt32(chan._init_recv_window - chan._recv_window))
            chan._recv_window = chan._init_recv_window
        carry(train)
        return
    chan._accept_data(train.joined())

"""asyncssh's connections with a short way for bulk data, and with bounds where asyncssh has none.

asyncssh is an SSH for every use; a gateway moves gigabytes between strangers. So this overrides, and nobody else does:

- The way of channel data in AES-GCM: whole packets are decrypted where they were received, and encrypted with one copy. All
  other packets, and all other ciphers, go asyncssh's way.
- What asyncssh keeps without end for a peer that does not read, does not finish a key exchange, or sends while it has not
  been answered: data waits in its channel, which stops its source; the peer is not read; at last the connection ends.
- Channels: how many there may be, and how small their packets.

It reaches into asyncssh, whose version is pinned; `tests/protocols/ssh/test_transport.py` fails when what it reaches for changes.
"""

from __future__ import annotations

import asyncio
import os
import struct
import sys
import threading
from functools import partial
from typing import Any, Final, cast

import asyncssh
from asyncssh.channel import SSHChannel
from asyncssh.connection import SSHConnection
from asyncssh.constants import MSG_CHANNEL_DATA, MSG_CHANNEL_EXTENDED_DATA, MSG_CHANNEL_OPEN, MSG_GLOBAL_REQUEST
from asyncssh.misc import MACError, ProtocolError
from asyncssh.packet import SSHPacket, SSHPacketLogger

from hooptui.protocols.ssh.ciphers import BLOCK, TAG, Gcm, Inflater, adopted

KIB: Final = 1024
READ: Final = 256 * KIB
"""Bytes that are read at a time."""
HIGH: Final = 512 * KIB
"""Bytes on their way into a socket beyond which channels keep their data, and their sources are not read."""
LOW: Final = 128 * KIB
ANSWERS: Final = HIGH + 1024 * KIB
"""Bytes on their way beyond which a peer is not read: it asks and does not read the answers."""
BEHIND: Final = 320 * KIB
"""Received bytes that wait, for the rest of a packet or for an answer to what came before; beyond it the peer is not read."""
DEFERRED: Final = 4096
"""Packets that wait for the end of a key exchange; beyond it the connection ends."""
REQUESTS: Final = 256
"""Requests of a connection, none of a channel, that wait for an answer; beyond it the connection ends."""
LEAST: Final = 1024
"""Bytes of data that a peer must take in one packet. Everybody takes 16 KiB and more; one byte would be a packet for each."""
JOINED: Final = 32 * KIB
"""Bytes up to which what waits is joined, so that single bytes do not cost a hundred times their size."""
_SEQUENCE = 0xFFFFFFFF
_DATA = struct.Struct(">IBBII")
_EXTENDED = struct.Struct(">IBBIII")
_PADDING = 4096


class _Scratch(threading.local):
    """What all connections of a loop read into: whole packets are taken out before the next read."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray(2 * BEHIND + READ))
        self.writers: list[Swift] | None = None
        """Connections with something to send, while what was read is taken apart."""


_scratch = _Scratch()


class Swift(SSHConnection):
    """See the module. What it has in common on both sides."""

    most_channels = 1 << 32
    """Channels that may be open at a time."""
    _choked = False
    """The socket takes no more; data waits in its channel."""
    _deaf = False
    """The peer is not read."""
    _padding = b""
    _pad_at = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._ready: list[bytes] = []
        """Sealed packets of the read that is taken apart now."""
        super().__init__(*args, **kwargs)

    # --- what comes in

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).set_write_buffer_limits(HIGH, LOW)
        super().connection_made(transport)

    def place(self) -> memoryview:
        """Where the next bytes are to be put; `came` is called before anything else is."""
        kept, view = self._inpbuf, _scratch.view
        size = len(kept)
        view[:size] = kept
        return view[size : size + READ]

    def came(self, size: int) -> None:
        kept, self._inpbuf = len(self._inpbuf), b""
        self._reset_keepalive_timer()
        writers: list[Swift] = []
        _scratch.writers = writers
        try:
            self._feed(_scratch.view[: kept + size])
        finally:
            # One system call for all that one read has brought.
            _scratch.writers = None
            for writer in writers:
                writer._put()

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
                if plain is None:
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
        self._listen()

    def _bulk(self, cipher: Gcm, view: memoryview, at: int) -> tuple[int, bytes | None, memoryview]:
        """Deliver packets of channel data from `at` on; where it stopped, and the packet that is something else, or None.

        Raises:
            ProtocolError, MACError: a packet is too large, or not from the peer.
        """
        size, channels, longest = len(view), self._channels, self._max_recv_pktlen
        quick = self._auth_complete and self._decompressor is None
        while size - at > 4:
            header = view[at : at + 4]
            length = int.from_bytes(header, "big")
            if length > longest:
                raise ProtocolError("Max packet size exceeded")
            end = at + 4 + length + TAG
            if end > size:
                break
            plain = cipher.open(header, view[at + 4 : end])
            if not plain:
                raise MACError("MAC verification failed")
            start, at = at, end
            if not quick or length < 10 or plain[1] != MSG_CHANNEL_DATA:
                return at, plain, view[start:end]
            chan = channels.get(int.from_bytes(plain[2:6], "big"))
            count = int.from_bytes(plain[6:10], "big")
            if (
                chan is None
                or chan._recv_state != "open"
                or count > chan._recv_window
                or 10 + count + plain[0] != length
            ):
                return at, plain, view[start:end]
            self._recv_seq = (self._recv_seq + 1) & _SEQUENCE
            self._auth_final = True
            _accept(chan, plain[10 : 10 + count])
            if self._transport is None:
                break
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

    def _listen(self) -> None:
        """Read on or do not, by what waits on either way."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        behind = len(self._inpbuf) > BEHIND
        deaf = behind or (self._choked and transport.get_write_buffer_size() > ANSWERS)
        if deaf != self._deaf:
            self._deaf = deaf
            if deaf:
                transport.pause_reading()
            else:
                transport.resume_reading()

    # --- what goes out

    def send_newkeys(self, k: bytes, h: bytes) -> None:
        super().send_newkeys(k, h)
        self._send_encryption = adopted(self._send_encryption)
        self._next_recv_encryption = adopted(self._next_recv_encryption)
        if self._next_decompressor is not None:
            self._next_decompressor = Inflater()
        for chan in tuple(self._channels.values()):
            chan._flush_send_buf()

    def send_packet(self, pkttype: int, *args: bytes, handler: SSHPacketLogger | None = None) -> None:
        if self._quick_send():
            self._sealed(bytes((pkttype,)) + b"".join(args))
            return
        super().send_packet(pkttype, *args, handler=handler)
        if len(self._deferred_packets) > DEFERRED:
            self._deferred_packets.clear()
            self._force_close(ProtocolError("the key exchange does not end"))

    def send_data(self, chan: SSHChannel[Any], data: bytes | bytearray, datatype: int | None) -> None:
        """One packet of channel data; the window has room for it."""
        number = chan._send_chan
        if number is None:
            return
        if not self._quick_send():
            size = len(data).to_bytes(4, "big")
            if datatype is None:
                chan.send_packet(MSG_CHANNEL_DATA, size, bytes(data))
            else:
                chan.send_packet(MSG_CHANNEL_EXTENDED_DATA, datatype.to_bytes(4, "big"), size, bytes(data))
        elif datatype is None:
            self._sealed(struct.pack(">BII", MSG_CHANNEL_DATA, number, len(data)), data)
        else:
            self._sealed(struct.pack(">BIII", MSG_CHANNEL_EXTENDED_DATA, number, datatype, len(data)), data)

    def _quick_send(self) -> bool:
        """Whether a packet goes out at once and only encrypted."""
        return (
            type(self._send_encryption) is Gcm
            and self._kex_complete
            and self._auth_complete
            and self._compressor is None
            and self._rekey_bytes_sent < self._rekey_bytes
            and not (self._rekey_seconds and self._loop.time() >= self._rekey_time)
        )

    def _sealed(self, *payload: bytes | bytearray) -> None:
        # No MSG_IGNORE before it, which asyncssh sends against an attack on CBC.
        size = 1 + sum(map(len, payload))
        pad = -size % BLOCK
        if pad < 4:
            pad += BLOCK
        if self._pad_at + pad > len(self._padding):
            self._padding, self._pad_at = os.urandom(_PADDING), 0
        packet = b"".join((bytes((pad,)), *payload, self._padding[self._pad_at : self._pad_at + pad]))
        self._pad_at += pad
        header = (size + pad).to_bytes(4, "big")
        assert type(self._send_encryption) is Gcm
        sealed = self._send_encryption.seal(header, packet)
        self._send_seq = (self._send_seq + 1) & _SEQUENCE
        self._rekey_bytes_sent += size + pad
        if not self._ready and (writers := _scratch.writers) is not None:
            writers.append(self)
        self._ready += (header, sealed)
        if _scratch.writers is None:
            self._put()

    def _send(self, data: bytes) -> None:
        # By asyncssh, in the other ways.
        self._put()
        super()._send(data)

    def _put(self) -> None:
        """Write what is ready."""
        ready, self._ready = self._ready, []
        transport = self._transport
        if ready and transport is not None and not transport.is_closing():
            transport.writelines(ready)

    def _force_close(self, exc: Exception | None) -> None:
        self._put()  # the reason, most often
        super()._force_close(exc)

    # --- back-pressure

    def pause_writing(self) -> None:
        self._choked = True

    def resume_writing(self) -> None:
        self._choked = False
        for chan in tuple(self._channels.values()):
            chan._flush_send_buf()
            if self._choked:
                break
        self._listen()

    def add_channel(self, chan: SSHChannel[Any]) -> int:
        chan._flush_send_buf = partial(self._flush, chan)  # type: ignore[method-assign]  # asyncssh makes its channels itself
        return super().add_channel(chan)

    def remove_channel(self, recv_chan: int) -> None:
        self._channels[recv_chan].__dict__.pop("_flush_send_buf", None)
        super().remove_channel(recv_chan)

    def _flush(self, chan: SSHChannel[Any]) -> None:
        """Send what waits in a channel, as far as its window, the socket and a key exchange allow."""
        waiting = chan._send_buf
        while waiting and chan._send_window and self._kex_complete and not self._choked:
            data, datatype = waiting[0]
            room = min(chan._send_window, chan._send_pktsize)
            if len(data) > room:
                piece = data[:room]
                del data[:room]
            else:
                piece = data
                del waiting[0]
            chan._send_buf_len -= len(piece)
            chan._send_window -= len(piece)
            self.send_data(chan, piece, datatype)
        if waiting:
            chan._pause_resume_writing()
        else:
            SSHChannel._flush_send_buf(chan)

    def write(self, chan: SSHChannel[Any], data: bytes, datatype: int | None) -> None:
        """What `send` does."""
        if chan._send_buf or chan._send_state != "open" or not self._kex_complete or self._choked:
            last = chan._send_buf[-1] if chan._send_buf else None
            if last is not None and last[1] == datatype and len(last[0]) < JOINED and chan._send_state == "open":
                last[0].extend(data)
                chan._send_buf_len += len(data)
                chan._flush_send_buf()
            else:
                chan.write(data, datatype)
            return
        if datatype is not None and datatype not in chan._write_datatypes:
            raise OSError("Invalid extended data type")
        at, size = 0, len(data)
        while at < size and chan._send_window and not self._choked:
            count = min(chan._send_window, chan._send_pktsize, size - at)
            piece = data if count == size else data[at : at + count]
            at += count
            chan._send_window -= count
            self.send_data(chan, piece, datatype)
        if at < size:
            chan.write(data[at:], datatype)

    # --- who asks for too much

    def _process_channel_open(self, pkttype: int, pktid: int, packet: SSHPacket) -> None:
        asked = SSHPacket(packet.get_remaining_payload())
        asked.get_string()
        number, _, pktsize = asked.get_uint32(), asked.get_uint32(), asked.get_uint32()
        if pktsize < LEAST:
            said = f"packets of {pktsize} bytes are too small; expected {LEAST} or more"
        elif len(self._channels) >= self.most_channels:
            said = f"more than {self.most_channels} channels at a time"
        else:
            super()._process_channel_open(pkttype, pktid, packet)
            return
        self.send_channel_open_failure(number, asyncssh.OPEN_RESOURCE_SHORTAGE, said, "")

    def _process_global_request(self, pkttype: int, pktid: int, packet: SSHPacket) -> None:
        if len(self._global_request_queue) >= REQUESTS:
            raise ProtocolError(f"more than {REQUESTS} requests wait for an answer")
        super()._process_global_request(pkttype, pktid, packet)

    _packet_handlers = SSHConnection._packet_handlers | {
        MSG_CHANNEL_OPEN: _process_channel_open,
        MSG_GLOBAL_REQUEST: _process_global_request,
    }


def _accept(chan: SSHChannel[Any], data: bytes) -> None:
    """Data for a channel, within its window."""
    waiting = chan._recv_buf
    if chan._recv_paused and waiting and waiting[-1][1] is None and len(waiting[-1][0]) < JOINED:
        chan._recv_window -= len(data)
        waiting[-1] = (waiting[-1][0] + data, None)
    else:
        chan._accept_data(data)


def send(chan: Any, data: bytes, datatype: int | None = None) -> None:
    """Data to a channel's peer, as `chan.write` does it.

    Raises:
        BrokenPipeError: the channel is closing.
    """
    connection = chan._conn
    if isinstance(connection, Swift):
        connection.write(chan, data, datatype)
    else:
        chan.write(data, datatype)

"""asyncssh's connections with a short way for bulk data, and with bounds where asyncssh has none.

asyncssh is an SSH for every use; a gateway moves gigabytes between strangers. So this overrides, and nobody else does:

- The way of channel data in AES-GCM: packets are decrypted and handed on as `receiving` says, and sealed where they are written
  from, a `Train` without a copy, other data with one. All other packets, and all other ciphers, go asyncssh's way.
- What asyncssh keeps without end for a peer that does not read, does not finish a key exchange, or sends while it has not
  been answered: data waits in its channel, which stops its source; the peer is not read; at last the connection ends.
- Channels: how many there may be, and how small their packets.

It reaches into asyncssh, whose version is pinned; `tests/protocols/ssh/test_transport.py` fails when what it reaches for changes.
"""

from __future__ import annotations

import asyncio
import struct
from functools import partial
from typing import Any, Final, cast

import asyncssh
from asyncssh.channel import SSHChannel
from asyncssh.connection import SSHConnection
from asyncssh.constants import MSG_CHANNEL_DATA, MSG_CHANNEL_EXTENDED_DATA, MSG_CHANNEL_OPEN, MSG_GLOBAL_REQUEST
from asyncssh.misc import ProtocolError
from asyncssh.packet import SSHPacket, SSHPacketLogger

from hooptui.protocols.ssh.ciphers import Gcm, Inflater, adopted
from hooptui.protocols.ssh.lane import BLOCK
from hooptui.protocols.ssh.receiving import JOINED, SEQUENCE, Receiver
from hooptui.protocols.ssh.scratch import BEHIND, KIB
from hooptui.protocols.ssh.train import AROUND, LENGTH, Train

HIGH: Final = 512 * KIB
"""Bytes on their way into a socket beyond which channels keep their data, and their sources are not read."""
LOW: Final = 128 * KIB
ANSWERS: Final = HIGH + 1024 * KIB
"""Bytes on their way beyond which a peer is not read: it asks and does not read the answers."""
DEFERRED: Final = 4096
"""Packets that wait for the end of a key exchange; beyond it the connection ends."""
REQUESTS: Final = 256
"""Requests of a connection, none of a channel, that wait for an answer; beyond it the connection ends."""
LEAST: Final = 1024
"""Bytes of data that a peer must take in one packet. Everybody takes 16 KiB and more; one byte would be a packet for each."""
_DATA = struct.Struct(">BII")
_EXTENDED = struct.Struct(">BIII")
_PAD = [bytes((size,)) for size in range(4 + BLOCK)]


class Swift(Receiver):
    """See the module. What it has in common on both sides."""

    most_channels = 1 << 32
    """Channels that may be open at a time."""
    _choked = False
    """The socket takes no more; data waits in its channel."""
    _deaf = False
    """The peer is not read."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._ready: list[memoryview] = []
        """Sealed packets of the read that is taken apart now."""
        super().__init__(*args, **kwargs)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).set_write_buffer_limits(HIGH, LOW)
        super().connection_made(transport)

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
            self._sealed(bytes((pkttype,)), b"".join(args))
            return
        super().send_packet(pkttype, *args, handler=handler)
        if len(self._deferred_packets) > DEFERRED:
            self._deferred_packets.clear()
            self._force_close(ProtocolError("the key exchange does not end"))

    def send_data(self, chan: SSHChannel[Any], data: bytes | bytearray | memoryview, datatype: int | None) -> None:
        """One packet of channel data; the window has room for it."""
        number = chan._send_chan
        if number is None:
            return
        count = len(data)
        if not self._quick_send():
            size = count.to_bytes(4, "big")
            if datatype is None:
                chan.send_packet(MSG_CHANNEL_DATA, size, bytes(data))
            else:
                chan.send_packet(MSG_CHANNEL_EXTENDED_DATA, datatype.to_bytes(4, "big"), size, bytes(data))
        elif datatype is None:
            self._sealed(_DATA.pack(MSG_CHANNEL_DATA, number, count), data)
        else:
            self._sealed(_EXTENDED.pack(MSG_CHANNEL_EXTENDED_DATA, number, datatype, count), data)

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

    def _sealed(self, head: bytes, data: bytes | bytearray | memoryview) -> None:
        # No MSG_IGNORE before it, which asyncssh sends against an attack on CBC.
        size = 1 + len(head) + len(data)
        pad = -size % BLOCK
        if pad < 4:
            pad += BLOCK
        assert type(self._send_encryption) is Gcm
        lane = self._send_encryption.lane
        packet = b"".join((_PAD[pad], head, data, lane.padding(pad)))
        size += pad
        header = LENGTH.pack(size)
        scratch = self.scratch
        if scratch.room(AROUND + size):
            start = scratch.at
            scratch.at = end = start + AROUND + size
            out = scratch.out
            out[start : start + 4] = header
            lane.seal_into(header, packet, out[start + 4 : end])
            self._sent(1, size, out[start:end])
        else:
            self._sent(1, size, memoryview(header + lane.seal(header, packet)))

    def _sent(self, packets: int, size: int, ready: memoryview) -> None:
        """Have sealed packets written, which are `size` bytes in plain."""
        self._send_seq = (self._send_seq + packets) & SEQUENCE
        self._rekey_bytes_sent += size
        scratch = self.scratch
        if scratch.writers is None:
            self._ready.append(ready)
            self.put()
            scratch.at = 0
            return
        if not self._ready:
            scratch.writers.append(self)
        self._ready.append(ready)

    def _send(self, data: bytes) -> None:
        # By asyncssh, in the other ways.
        self.put()
        super()._send(data)

    def put(self) -> None:
        """Write what is ready."""
        ready, self._ready = self._ready, []
        transport = self._transport
        if not ready or transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size():
            # It will wait, and only this keeps it from being worked over.
            transport.write(b"".join(ready))
        else:
            transport.writelines(ready)
            if transport.get_write_buffer_size():
                self.scratch.renew()

    def _force_close(self, exc: Exception | None) -> None:
        self.put()  # the reason, most often
        super()._force_close(exc)

    # --- back-pressure

    def listen(self) -> None:
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

    def pause_writing(self) -> None:
        self._choked = True

    def resume_writing(self) -> None:
        self._choked = False
        for chan in tuple(self._channels.values()):
            chan._flush_send_buf()
            if self._choked:
                break
        self.listen()

    def add_channel(self, chan: SSHChannel[Any]) -> int:
        chan._flush_send_buf = partial(self._flush, chan)  # type: ignore[method-assign]  # asyncssh makes its channels itself
        return super().add_channel(chan)

    def remove_channel(self, recv_chan: int) -> None:
        self._channels[recv_chan].__dict__.pop("_flush_send_buf", None)
        super().remove_channel(recv_chan)

    def _flush(self, chan: SSHChannel[Any]) -> None:
        """Send what waits in a channel, as far as its window, the socket and a key exchange allow."""
        waiting: list[tuple[Any, int | None]] = chan._send_buf
        while waiting and chan._send_window and self._kex_complete and not self._choked:
            data, datatype = waiting[0]
            count, room = len(data), min(chan._send_window, chan._send_pktsize)
            if count > room:
                rest = memoryview(data)
                data, waiting[0], count = rest[:room], (rest[room:], datatype), room
            else:
                del waiting[0]
            chan._send_buf_len -= count
            chan._send_window -= count
            self.send_data(chan, data, datatype)
        if waiting:
            chan._pause_resume_writing()
        else:
            SSHChannel._flush_send_buf(chan)

    def pass_on(self, chan: SSHChannel[Any], train: Train) -> None:
        """What `pass_on` does."""
        if chan._send_state != "open":
            raise BrokenPipeError("Channel not open for sending")
        done, number, scratch = 0, chan._send_chan, self.scratch
        if train.large() and not chan._send_buf and number is not None:
            while done < len(train.frames) and self._quick_send() and not self._choked:
                if not scratch.room(AROUND + len(train.frames[done])):
                    break
                assert type(self._send_encryption) is Gcm
                start, first, lane = scratch.at, done, self._send_encryption.lane
                left = self._rekey_bytes - self._rekey_bytes_sent
                done, end, moved = train.seal(
                    done, lane, number, chan._send_window, chan._send_pktsize, left, scratch.out, start
                )
                if done == first:
                    break
                scratch.at = end
                chan._send_window -= moved
                self._sent(done - first, end - start - (done - first) * AROUND, scratch.out[start:end])
        if done < len(train.frames):
            self.write(chan, train.joined(done), None)

    def write(self, chan: SSHChannel[Any], data: bytes | memoryview, datatype: int | None) -> None:
        """What `send` does."""
        if chan._send_state != "open":
            raise BrokenPipeError("Channel not open for sending")
        if datatype is not None and datatype not in chan._write_datatypes:
            raise OSError("Invalid extended data type")
        at, size = 0, len(data)
        if not chan._send_buf and self._kex_complete:
            view = memoryview(data)
            while at < size and chan._send_window and not self._choked:
                count = min(chan._send_window, chan._send_pktsize, size - at)
                chan._send_window -= count
                self.send_data(chan, view[at : at + count], datatype)
                at += count
        if at < size:
            self._keep(chan, data[at:], datatype)

    def _keep(self, chan: SSHChannel[Any], data: bytes | memoryview, datatype: int | None) -> None:
        """Let it wait in its channel, whose source is stopped when that is much."""
        waiting: list[tuple[Any, int | None]] = chan._send_buf
        last, kind = waiting[-1] if waiting else (b"", None)
        if waiting and kind == datatype and len(last) + len(data) <= JOINED:
            if type(last) is not bytearray:
                last = bytearray(last)
                waiting[-1] = (last, datatype)
            last += data
        else:
            waiting.append((bytes(data), datatype))
        chan._send_buf_len += len(data)
        chan._pause_resume_writing()

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


def send(chan: Any, data: bytes | memoryview, datatype: int | None = None) -> None:
    """Data to a channel's peer, as `chan.write` does it.

    Raises:
        BrokenPipeError: the channel is closing.
    """
    connection = chan._conn
    if isinstance(connection, Swift):
        connection.write(chan, data, datatype)
    else:
        chan.write(data, datatype)


def pass_on(chan: Any, train: Train) -> None:
    """Data to a channel's peer as it came. Raises as `send`."""
    connection = chan._conn
    if isinstance(connection, Swift):
        connection.pass_on(chan, train)
    else:
        chan.write(train.joined())

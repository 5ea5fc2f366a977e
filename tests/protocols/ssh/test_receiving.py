"""The scratch that all connections work in: whatever the packets, cuts and waits, each channel gets its own bytes and the peer its packets."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncssh
import pytest
from asyncssh.constants import MSG_CHANNEL_DATA, MSG_CHANNEL_WINDOW_ADJUST, MSG_IGNORE

from hooptui.protocols.ssh.ciphers import Gcm, adopted
from hooptui.protocols.ssh.connections import ServerConnection
from hooptui.protocols.ssh.lane import TAG
from hooptui.protocols.ssh.scratch import OUT, READ
from hooptui.protocols.ssh.train import Train
from hooptui.protocols.ssh.transport import pass_on, send
from tests.protocols.ssh.test_transport import pair

SIZES = (0, 1, 5, 100, 1000, 8191, 8192, 8193, 20_000, 32_768)


class Kept(asyncssh.SSHServerSession[bytes]):
    """What came for one channel."""

    def __init__(self) -> None:
        self.found = bytearray()

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self.chan = chan

    def shell_requested(self) -> bool:
        return True

    def data_received(self, data: bytes, datatype: int | None) -> None:
        assert type(data) is bytes, "whoever is handed no view may keep what it is handed"
        self.found += data


class Carried(Kept):
    def carry(self, train: Train) -> None:
        self.found += train.joined()


class Wire(asyncio.Transport):
    """Takes what is written as a loop does: what is not sent at once is kept as it was given, without a copy."""

    def __init__(self) -> None:
        super().__init__()
        self.takes = 1 << 40
        """Bytes that go out at once."""
        self.sent = bytearray()
        self.waiting: list[memoryview] = []
        self.closing = False

    def write(self, data: Any) -> None:
        self.writelines([data])

    def writelines(self, list_of_data: Any) -> None:
        self.waiting += [memoryview(data) for data in list_of_data]
        self.drain(self.takes)

    def drain(self, most: int) -> None:
        while self.waiting and most:
            piece = self.waiting.pop(0)
            self.sent += piece[:most]
            if len(piece) > most:
                self.waiting.insert(0, piece[most:])
            most -= min(most, len(piece))

    def get_write_buffer_size(self) -> int:
        return sum(map(len, self.waiting))

    def is_closing(self) -> bool:
        return self.closing

    def abort(self) -> None:
        self.closing = True

    close = abort

    def pause_reading(self) -> None:
        return

    resume_reading = pause_reading


@dataclass
class Bench:
    """A connection cut off its socket, and both ciphers of its peer."""

    server: ServerConnection
    sessions: list[Kept]
    seals: Gcm
    opens: Gcm
    wire: Wire = field(default_factory=Wire)

    def packet(self, payload: bytes) -> bytes:
        pad = 16 - (1 + len(payload)) % 16
        pad += 16 if pad < 4 else 0
        header = struct.pack(">I", 1 + len(payload) + pad)
        return header + self.seals.lane.seal(header, bytes((pad,)) + payload + bytes(pad))

    def data(self, channel: int, data: bytes) -> bytes:
        number = self.sessions[channel].chan._recv_chan
        return self.packet(struct.pack(">BII", MSG_CHANNEL_DATA, number, len(data)) + data)

    def feed(self, stream: bytes, most: int = READ) -> None:
        """As if it came in reads of `most` bytes."""
        while stream:
            place = self.server.place()
            size = min(len(stream), len(place), most)
            place[:size] = stream[:size]
            self.server.came(size)
            stream = stream[size:]

    def answers(self) -> dict[int, bytes]:
        """Data for the peer by its number of the channel, out of all that was sent."""
        found: dict[int, bytes] = {}
        sent, at = memoryview(bytes(self.wire.sent)), 0
        while at < len(sent):
            length = struct.unpack_from(">I", sent, at)[0]
            plain = self.opens.lane.open(sent[at : at + 4], sent[at + 4 : at + 4 + length + TAG])
            assert plain is not None, "what was sent is not what was sealed"
            at += 4 + length + TAG
            if plain[1] == MSG_CHANNEL_DATA:
                number, size = struct.unpack_from(">II", plain, 2)
                found[number] = found.get(number, b"") + plain[10 : 10 + size]
        return found


@asynccontextmanager
async def bench(session: type[Kept], channels: int) -> AsyncIterator[Bench]:
    made: list[Kept] = []

    def make() -> Kept:
        made.append(session())
        return made[-1]

    async with pair(session=make, encryption_algs=["aes128-gcm@openssh.com"]) as (server, client):
        for _ in range(channels):
            await client.create_session(asyncssh.SSHClientSession, encoding=None)
        real, theirs = server._transport, server._send_encryption
        await asyncio.sleep(0)
        seals, opens = adopted(client._send_encryption), adopted(client._recv_encryption)
        assert type(seals) is Gcm and type(opens) is Gcm and type(theirs) is Gcm
        one = Bench(server, made, seals, opens)
        server._transport = one.wire
        try:
            yield one
        finally:
            server._transport = real


@pytest.mark.parametrize("session", [Kept, Carried])
@pytest.mark.parametrize("seed", range(12))
async def test_each_channel_gets_its_own_bytes(session: type[Kept], seed: int) -> None:
    dice = random.Random(seed)
    async with bench(session, 3) as one:
        stream, expected = bytearray(), [bytearray() for _ in one.sessions]
        for _ in range(dice.randrange(1, 80)):
            channel = dice.randrange(3)
            match dice.randrange(8):
                case 0:
                    number = one.sessions[channel].chan._recv_chan
                    stream += one.packet(struct.pack(">BII", MSG_CHANNEL_WINDOW_ADJUST, number, 1000))
                case 1:
                    stream += one.packet(struct.pack(">BI", MSG_IGNORE, 3) + b"abc")
                case _:
                    data = dice.randbytes(dice.choice(SIZES))
                    expected[channel] += data
                    stream += one.data(channel, data)
        paused = dice.randrange(3)
        one.sessions[paused].chan.pause_reading()
        one.feed(bytes(stream), dice.choice((7_000, 100_000, READ)))
        one.sessions[paused].chan.resume_reading()
        for kept, wanted in zip(one.sessions, expected, strict=True):
            assert kept.found == wanted


async def test_a_window_opens_by_what_was_adjusted_and_no_more() -> None:
    async with bench(Kept, 1) as one:
        chan: Any = one.sessions[0].chan
        chan._send_window, number = 10, chan._recv_chan
        send(chan, bytes(5000))
        assert sum(map(len, one.answers().values())) == 10
        one.wire.sent.clear()
        one.feed(one.packet(struct.pack(">BII", MSG_CHANNEL_WINDOW_ADJUST, number, 3000)))
        assert sum(map(len, one.answers().values())) == 3000
        # The peer has ended its direction; ours goes on.
        one.wire.sent.clear()
        chan._recv_state = "eof"
        one.feed(one.packet(struct.pack(">BII", MSG_CHANNEL_WINDOW_ADJUST, number, 3000)))
        assert sum(map(len, one.answers().values())) == 1990


async def test_what_a_channel_keeps_is_within_its_window() -> None:
    async with bench(Kept, 1) as one:
        chan: Any = one.sessions[0].chan
        chan.pause_reading()
        chan._recv_window = 20_000
        one.feed(b"".join(one.data(0, bytes(6000)) for _ in range(4)))
        assert one.server._transport is None


async def test_what_comes_puts_off_the_question_whether_the_peer_lives() -> None:
    async with bench(Kept, 1) as one:
        server: Any = one.server

        def timer() -> Any:
            return server._keepalive_timer

        server._keepalive_interval = 0.0
        one.feed(one.data(0, b"x"))
        assert timer() is None
        server._keepalive_interval = 1000.0
        one.feed(one.data(0, b"x"))
        first = timer()
        assert first is not None
        one.feed(one.data(0, b"x"))
        assert timer() is first, "not for each read"
        server._loop.time = lambda: first.when() - 900
        try:
            one.feed(one.data(0, b"x"))
            assert timer() is not first
        finally:
            del server._loop.time
            server._cancel_keepalive_timer()


async def test_data_beyond_the_window_ends_the_connection_and_is_not_delivered() -> None:
    async with bench(Carried, 1) as one:
        chan: Any = one.sessions[0].chan
        chan._recv_window = 20_000
        chan._init_recv_window = 20_000
        # Gathered pieces count as well as large ones.
        one.feed(one.data(0, bytes(6000)) + one.data(0, bytes(6000)) + one.data(0, bytes(32_768)))
        assert len(one.sessions[0].found) == 12_000
        assert one.server._transport is None


async def test_what_came_before_a_forged_packet_is_delivered_and_nothing_else() -> None:
    async with bench(Carried, 1) as one:
        first, forged = one.data(0, b"first"), bytearray(one.data(0, b"second"))
        forged[-1] ^= 1
        one.feed(first + bytes(forged) + one.data(0, b"third"))
        assert one.sessions[0].found == b"first"
        assert one.server._transport is None


@pytest.mark.parametrize("seed", range(8))
async def test_what_waits_in_a_socket_is_not_worked_over(seed: int) -> None:
    """Many answers in one read, more than fit the scratch, to a peer that takes some of it, and later the rest."""
    dice = random.Random(seed)

    class Answers(Kept):
        """Says it to every channel."""

        def data_received(self, data: bytes, datatype: int | None) -> None:
            for kept in one.sessions:
                send(kept.chan, data)

        def carry(self, train: Train) -> None:
            for kept in one.sessions:
                pass_on(kept.chan, train)

    async with bench(Answers, 3) as one:
        expected = b""
        for _ in range(6):
            one.wire.takes = dice.choice((0, 100, 50_000, OUT, 1 << 40))
            stream = bytearray()
            for _ in range(dice.randrange(1, 12)):
                data = dice.randbytes(dice.choice(SIZES[1:]))
                stream += one.data(dice.randrange(3), data)
                expected += data
            for kept in one.sessions:
                kept.chan._send_window = dice.choice((0, 1000, 60_000, 1 << 30))
            one.feed(bytes(stream), dice.choice((50_000, READ)))
            one.wire.drain(dice.choice((0, 1 << 20)))
        for kept in one.sessions:
            kept.chan._send_window = 1 << 30
            kept.chan._flush_send_buf()
        one.wire.drain(1 << 40)
        assert [*one.answers().values()] == [expected] * 3


async def test_a_train_counts_as_its_packets() -> None:
    class Passing(Kept):
        """Says it to the second channel."""

        def carry(self, train: Train) -> None:
            pass_on(one.sessions[1].chan, train)

    async with bench(Passing, 2) as one:
        server: Any = one.server
        chan: Any = one.sessions[1].chan
        source: Any = one.sessions[0].chan
        chan._send_window = 70_000
        datas = [random.Random(n).randbytes(20_000) for n in range(5)]
        before = server._send_seq, server._recv_seq, server._rekey_bytes_sent, source._recv_window
        one.feed(b"".join(one.data(0, data) for data in datas))
        after = server._send_seq, server._recv_seq, server._rekey_bytes_sent, source._recv_window
        # Three whole ones and half of one: with a head of 10 bytes and padding, a multiple of 16.
        assert [new - old for new, old in zip(after, before, strict=True)] == [4, 5, 3 * 20_016 + 10_016, -100_000]
        assert (chan._send_window, chan._send_buf_len) == (0, 30_000)
        number = chan._recv_chan
        one.feed(one.packet(struct.pack(">BII", MSG_CHANNEL_WINDOW_ADJUST, number, 100_000)))
        assert (chan._send_window, chan._send_buf_len) == (70_000, 0)
        assert [*one.answers().values()] == [b"".join(datas)]

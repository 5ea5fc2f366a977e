"""Frames and channels alone: WebSocket and SPDY, any chunking, both roles; what a command's status says; what is a file transfer."""

from __future__ import annotations

import asyncio
import itertools
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooptui.protocols.kubernetes.limits import Limits
from hooptui.protocols.kubernetes.plug import Plug
from hooptui.protocols.kubernetes.streams import handshake, spdy, websocket
from hooptui.protocols.kubernetes.streams.command import ended, transfer
from hooptui.protocols.kubernetes.streams.legs import ERROR, STDERR, STDIN, STDOUT, Leg, Piece, SpdyLeg, WebSocketLeg
from hooptui.protocols.kubernetes.streams.tunnel import refuse


def chunks(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in itertools.pairwise(places)]


CUTS = st.lists(st.integers(0, 100_000), max_size=12)


@given(st.lists(st.binary(max_size=70_000), max_size=4), CUTS, st.booleans())
def test_websocket_messages_survive_any_chunking(messages: list[bytes], cuts: list[int], masked: bool) -> None:
    raw = b"".join(websocket.frame(websocket.BINARY, one, masked=masked) for one in messages)
    reader = websocket.Reader(masked=masked, most=1 << 20)
    got = [one for part in chunks(raw, cuts) for one in reader.feed(part)]
    assert [one.data for one in got] == messages


@pytest.mark.parametrize(
    "raw",
    [
        websocket.frame(websocket.BINARY, b"x", masked=False),  # a client's must be masked
        b"\xc2\x80" + bytes(4),  # a reserved bit
        b"\x83\x80" + bytes(4),  # an unknown kind
        b"\x80\x80" + bytes(4),  # goes on with nothing
        b"\x09\x80" + bytes(4),  # a ping in parts
        b"\x89\xfe\x00\x80" + bytes(4 + 128),  # a long ping
        b"\x82\xff" + (1 << 40).to_bytes(8, "big") + bytes(4),  # endless
        b"\x88\x81" + bytes(5),  # half a close code
    ],
)
def test_websocket_nonsense_is_broken_at_once(raw: bytes) -> None:
    with pytest.raises(websocket.Broken):
        websocket.Reader(masked=True, most=1 << 20).feed(raw)


@given(st.binary(max_size=400), CUTS)
def test_arbitrary_bytes_are_messages_or_broken(raw: bytes, cuts: list[int]) -> None:
    for reader in (websocket.Reader(masked=True, most=1000), websocket.Reader(masked=False, most=1000), spdy.Reader()):
        try:
            for part in chunks(raw, cuts):
                reader.feed(part)
        except (websocket.Broken, spdy.Broken):
            pass


NAMES = st.text("abcdefghij-", min_size=1, max_size=20)


@given(
    st.lists(st.tuples(NAMES, st.text("abc 012/", max_size=40)), max_size=5),
    st.lists(st.binary(max_size=3000), max_size=4),
    CUTS,
)
def test_spdy_frames_survive_any_chunking(headers: list[tuple[str, str]], parts: list[bytes], cuts: list[int]) -> None:
    writer, reader = spdy.Writer(), spdy.Reader()
    raw = writer.open(1, tuple(headers)) + writer.reply(1, tuple(headers)) + writer.ping(7)
    raw += (
        b"".join(writer.data(1, part) for part in parts)
        + writer.data(1, b"", last=True)
        + writer.reset(1, 5)
        + writer.away(1)
    )
    got = [one for part in chunks(raw, cuts) for one in reader.feed(part)]
    assert got[:3] == [spdy.Open(1, tuple(headers)), spdy.Reply(1, tuple(headers)), spdy.Ping(7)]
    assert got[-2:] == [spdy.Reset(1, 5), spdy.Away()]
    data = [one for one in got if isinstance(one, spdy.Data)]
    assert b"".join(one.data for one in data) == b"".join(parts) and [one.last for one in data] == [False] * (
        len(data) - 1
    ) + [True]


def test_the_dictionary_is_the_one_of_the_draft() -> None:
    assert zlib.adler32(spdy.DICTIONARY) == 0xE3C6A7C2


def test_a_header_block_that_swells_is_broken() -> None:
    pack = zlib.compressobj(zdict=spdy.DICTIONARY)
    block = pack.compress(bytes(10_000_000)) + pack.flush(zlib.Z_SYNC_FLUSH)
    assert len(block) < spdy.CONTROL_MAX
    frame = (0x80030001).to_bytes(4, "big") + (10 + len(block)).to_bytes(4, "big") + bytes(10) + block
    with pytest.raises(spdy.Broken, match="header block"):
        spdy.Reader().feed(frame)


# --- legs


class Wire:
    """A transport in memory: what one plug writes, the other reads."""

    def __init__(self) -> None:
        self.left, self.right = Plug(), Plug()
        for mine, other in ((self.left, self.right), (self.right, self.left)):
            mine.connection_made(_Transport(other))


class _Transport(asyncio.Transport):
    def __init__(self, other: Plug) -> None:
        super().__init__()
        self._other = other
        self._closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._other.data_received(bytes(data))

    def is_closing(self) -> bool:
        return self._closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def pair(kind: str, closes: bool = True) -> tuple[Leg, Leg]:
    wire, limits = Wire(), Limits()
    if kind == "spdy":
        server: Leg = SpdyLeg(wire.left, limits, client=True)
        client: Leg = SpdyLeg(wire.right, limits, client=False, channels=(ERROR, STDIN, STDOUT, STDERR))
    else:
        server = WebSocketLeg(wire.left, limits, client=True, closes=closes)
        client = WebSocketLeg(wire.right, limits, client=False, closes=closes)
    server.begin()
    client.begin()
    return server, client


@pytest.mark.parametrize("kind", ["spdy", "websocket"])
async def test_channels_both_ways_and_half_closes(kind: str) -> None:
    server, client = pair(kind)
    assert await server.ready((ERROR, STDIN, STDOUT, STDERR), 1)
    client.send(STDIN, b"typed")
    client.finish(STDIN)
    got = [await server.receive()]
    while not (got[-1] and got[-1].last):
        got.append(await server.receive())
    assert [one for one in got if one and one.data] == [Piece(STDIN, b"typed")] and got[-1].channel == STDIN
    server.send(STDOUT, b"out")
    server.send(STDERR, b"err")
    server.part()
    seen = []
    while (piece := await client.receive()) is not None:
        if piece.data:
            seen.append(piece)
    assert seen == [Piece(STDOUT, b"out"), Piece(STDERR, b"err")] and not client.broken
    await server.end()
    await client.end()


async def test_what_is_said_before_a_stream_is_open_comes_when_it_is() -> None:
    wire, limits = Wire(), Limits()
    server = SpdyLeg(wire.left, limits, client=True)
    server.send(STDERR, b"held for approval")
    server.finish(STDERR)
    server.begin()
    assert not await server.ready((STDERR,), 0.01)
    client = SpdyLeg(wire.right, limits, client=False, channels=(ERROR, STDERR))
    client.begin()
    assert await client.receive() == Piece(STDERR, b"held for approval")
    assert await client.receive() == Piece(STDERR, b"", last=True)
    await server.end()
    await client.end()


async def test_pings_are_answered_while_nobody_reads() -> None:
    wire = Wire()
    server = WebSocketLeg(wire.left, Limits(), client=True, closes=True)
    server.begin()
    wire.right.write(websocket.frame(websocket.PING, b"7", masked=True))
    raw = await wire.right.read()
    assert websocket.Reader(masked=False, most=100).feed(raw) == [websocket.Message(websocket.PONG, b"7")]
    await server.end()


async def test_a_side_that_sends_too_much_is_not_read_any_more() -> None:
    wire = Wire()
    server = WebSocketLeg(wire.left, Limits(ahead=1000), client=True, closes=True)
    server.begin()
    for _ in range(10):
        wire.right.write(websocket.frame(websocket.BINARY, b"\0" + bytes(600), masked=True))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert len(wire.left.buffer) > 600, "the rest stays where the socket's own limit sees it"
    pieces = [await server.receive() for _ in range(10)]
    assert sum(len(one.data) for one in pieces if one) == 6000
    await server.end()


@pytest.mark.parametrize("raw", [b"\x05x", b"\xff", b"\xff\x00\x00"])
async def test_a_channel_that_there_is_none_of_ends_the_leg(raw: bytes) -> None:
    wire = Wire()
    server = WebSocketLeg(wire.left, Limits(), client=True, closes=True)
    server.begin()
    wire.right.write(websocket.frame(websocket.BINARY, raw, masked=True))
    assert await server.receive() is None and server.broken
    await server.end()


# --- words


@pytest.mark.parametrize(
    ("command", "is_one"),
    [
        (("tar", "cf", "-", "/etc"), True),
        (("tar", "xmf", "-", "-C", "/tmp"), True),
        (("tar", "-xmf", "-"), True),
        (("tar", "--no-same-permissions", "--no-same-owner", "-xmf", "-", "-C", "/tmp"), True),
        (("tar", "cf", "-", "--to-command=cat"), False),
        (("tar", "cf", "-", "-I", "sh"), False),
        (("tar", "cf", "-", "/a", "--checkpoint-action=exec=sh"), False),
        (("tar", "tf", "-"), False),
        (("cat", "cf", "-", "/etc"), False),
        (("./tar", "cf", "-", "/etc"), False),
        (("sh", "-c", "tar cf - /etc"), False),
        ((), False),
    ],
)
def test_only_what_cp_runs_is_a_transfer(command: tuple[str, ...], is_one: bool) -> None:
    assert transfer(command) is is_one


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (b'{"status":"Success"}', ("exit 0", True)),
        (b'{"status":"Failure","details":{"causes":[{"reason":"ExitCode","message":"3"}]}}', ("exit 3", False)),
        (b'{"status":"Failure","reason":"InternalError"}', ("failed: InternalError", False)),
        (b"", ("closed without a status", False)),
        (b"{", ("a status that makes no sense", False)),
        (b"[]", ("closed without a status", False)),
    ],
)
def test_what_a_commands_status_says(status: bytes, said: tuple[str, bool]) -> None:
    assert ended(status) == said


def test_a_port_forward_is_refused_where_its_client_looks() -> None:
    asking = spdy.Writer()
    pending = asking.open(1, (("streamtype", "error"), ("port", "80"))) + asking.open(3, (("streamtype", "data"),))
    got = spdy.Reader().feed(refuse("spdy", handshake.PORTS, pending, "not today"))
    assert spdy.Data(1, b"hooptui: not today", last=True) in got and got[-1] == spdy.Away()
    inside = websocket.frame(websocket.BINARY, pending, masked=True)
    raw = refuse("websocket", handshake.TUNNEL, inside, "not today")
    messages = websocket.Reader(masked=False, most=1 << 20).feed(raw)
    assert spdy.Data(1, b"hooptui: not today", last=True) in spdy.Reader().feed(messages[0].data)
    assert messages[-1].opcode == websocket.CLOSE and messages[-1].data.endswith(b"not today")

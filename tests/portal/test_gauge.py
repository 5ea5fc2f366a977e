"""Slow, many and greedy clients at the portal's socket."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import uvloop

from hooptui.listener import Listener
from hooptui.portal import gauge
from hooptui.portal.settings import PortalSettings
from tests.portal.porter import Bed, portal_bed

LOOPS: tuple[Callable[[], asyncio.AbstractEventLoop], ...] = (asyncio.new_event_loop, uvloop.new_event_loop)


@pytest.fixture
async def bed(certified: Path) -> AsyncIterator[Bed]:
    async with portal_bed(certified, settings=PortalSettings(connections=6, connections_per_peer=6)) as made:
        yield made


@contextlib.asynccontextmanager
async def connected(bed: Bed) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("localhost", bed.port, ssl=bed.trust)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def says(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the other side hangs up."""
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        return await asyncio.wait_for(reader.read(), 60)
    return b""


GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


def listening(bed: Bed) -> Listener:
    found = bed.portal._listener
    assert found is not None
    return found


async def test_a_request_is_answered_and_the_connection_kept(bed: Bed) -> None:
    async with connected(bed) as (reader, writer):
        for _ in range(3):
            writer.write(GET)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r")[0])
            await reader.readexactly(length)
    assert bed.porter.troubles == []


async def test_only_http_1_1_is_offered(bed: Bed) -> None:
    bed.trust.set_alpn_protocols(["h2", "http/1.1"])
    async with connected(bed) as (_, writer):
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"


async def test_who_sends_headers_slowly_is_cut(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauge, "REQUEST", 0.4)
    began = asyncio.get_running_loop().time()
    async with connected(bed) as (reader, writer):
        with contextlib.suppress(ConnectionError):
            for byte in GET[:-1]:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.03)
        assert await says(reader) == b""
    assert asyncio.get_running_loop().time() - began < 30
    await until(lambda: listening(bed).connections == 0)


async def test_who_says_nothing_is_cut(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauge, "REQUEST", 0.2)
    async with connected(bed) as (reader, _):
        assert await says(reader) == b""


async def test_who_rests_after_an_answer_is_cut(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauge, "REQUEST", 2.5)
    async with connected(bed) as (reader, writer):
        writer.write(GET)
        assert (await says(reader)).startswith(b"HTTP/1.1 200 OK")


async def test_who_sends_a_body_slowly_is_told_so_and_cut(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hooptui.portal.context.BODY_SECONDS", 0.2)
    async with connected(bed) as (reader, writer):
        head = b"POST /v1/device HTTP/1.1\r\nHost: %b\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\nab"
        writer.write(head % bed.url.removeprefix("https://").encode())
        said = await says(reader)
        assert said.startswith(b"HTTP/1.1 408 ")
        assert b'"too-slow"' in said


async def test_an_answer_has_an_end_too(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauge, "ANSWER", 0.2)
    async with connected(bed) as (reader, writer):
        head = b"POST /v1/device HTTP/1.1\r\nHost: %b\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\nab"
        writer.write(head % bed.url.removeprefix("https://").encode())
        assert await says(reader) == b""


@pytest.mark.parametrize("first", [b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 200])
async def test_who_shakes_no_hands_is_cut(bed: Bed, monkeypatch: pytest.MonkeyPatch, first: bytes) -> None:
    monkeypatch.setattr(gauge, "HANDSHAKE", 0.3)
    reader, writer = await asyncio.open_connection("localhost", bed.port)
    writer.write(first)
    await says(reader)
    writer.close()
    await until(lambda: listening(bed).connections == 0)
    assert bed.porter.troubles == []


async def test_too_many_are_turned_away_and_a_place_is_free_again(bed: Bed) -> None:
    held = [await asyncio.open_connection("localhost", bed.port, ssl=bed.trust) for _ in range(5)]
    silent = await asyncio.open_connection("localhost", bed.port)
    await until(lambda: listening(bed).connections == 6)
    with pytest.raises((ConnectionError, ssl.SSLError)):
        await asyncio.open_connection("localhost", bed.port, ssl=bed.trust)
    assert listening(bed).turned_away == 1
    silent[1].close()
    held[0][1].close()
    await until(lambda: listening(bed).connections == 4)
    async with connected(bed) as (reader, writer):
        writer.write(GET)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    for _, writer in held:
        writer.close()


async def test_many_addresses_share_what_there_is(certified: Path) -> None:
    async with portal_bed(certified, settings=PortalSettings(connections=3, connections_per_peer=2)) as bed:
        homes = ("127.0.0.1", "127.0.0.1", "127.0.0.2", "127.0.0.3")
        held = [await asyncio.open_connection("127.0.0.1", bed.port, local_addr=(home, 0)) for home in homes]
        assert await says(held[-1][0]) == b""
        assert listening(bed).turned_away == 1
        assert listening(bed).connections == 3
        for _, writer in held:
            writer.close()


async def test_one_address_has_its_share_only(certified: Path) -> None:
    async with portal_bed(certified, settings=PortalSettings(connections=6, connections_per_peer=2)) as bed:
        held = [await asyncio.open_connection("localhost", bed.port, ssl=bed.trust) for _ in range(2)]
        with pytest.raises((ConnectionError, ssl.SSLError)):
            await asyncio.open_connection("localhost", bed.port, ssl=bed.trust)
        for _, writer in held:
            writer.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 40_000,
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: %b\r\n" % (n, b"a" * 30_000) for n in range(10)),
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: a\r\n" % n for n in range(500)) + b"\r\n",
        b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n folded\r\nX: y\r\n\r\n",
        b"GARBAGE\r\n\r\n",
        b"\x00" * 5000,
    ],
    ids=[
        "one large header",
        "many large headers",
        "many headers",
        "long path",
        "smuggling",
        "folding",
        "garbage",
        "zeros",
    ],
)
async def test_bad_and_greedy_requests_end_soon_and_small(bed: Bed, sent: bytes) -> None:
    async with connected(bed) as (reader, writer):
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            writer.write(sent)
            await writer.drain()
            if b"\r\n\r\n" not in sent:
                writer.write(b"\r\n\r\n")
        said = await says(reader)
    assert len(said) < 4096
    assert not said or said.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), said[:200]
    assert b"\r\nServer: hooptui\r\n" in said or not said
    assert b"aaaa" not in said
    assert b"\\x00" not in said
    assert b"Traceback" not in said
    assert bed.porter.troubles == []
    async with bed.client.get(f"{bed.url}/healthz") as well:
        assert well.status == 200


class Wire(asyncio.Transport):
    """A transport that only knows whether it was cut."""

    cut = False

    def abort(self) -> None:
        self.cut = True


@pytest.mark.parametrize("step", [1, 3, 4, 1000])
@pytest.mark.parametrize(
    ("most", "body", "cut"),
    [
        (gauge.MAX_BYTES, gauge.MAX_BYTES - 100, False),
        (gauge.MAX_BYTES, gauge.MAX_BYTES + 1, True),
        (gauge.LARGE, gauge.MAX_BYTES + 1, False),
        (gauge.LARGE, gauge.LARGE + 1, True),
    ],
)
async def test_how_much_may_come_in(most: int, body: int, cut: bool, step: int) -> None:
    meter, wire = gauge.Gauge(asyncio.Protocol(), asyncio.get_running_loop()), Wire()
    meter.connection_made(wire)
    head = b"POST / HTTP/1.1\r\nA: b\r\n\r\n"
    for start in range(0, len(head), step):
        meter.data_received(head[start : start + step])
    meter.data_received(b"a" * (gauge.MAX_BYTES - len(head)))
    meter.data_received(b"a" * min(100, body - gauge.MAX_BYTES + len(head)))
    assert not wire.cut, "a body may come before anybody has looked at its headers"
    meter.ended()
    meter.began(most)
    meter.data_received(b"a" * body)
    assert wire.cut is cut
    meter.connection_lost(None)


async def test_headers_without_an_end_are_cut() -> None:
    meter, wire = gauge.Gauge(asyncio.Protocol(), asyncio.get_running_loop()), Wire()
    meter.connection_made(wire)
    for _ in range(gauge.MAX_BYTES // 1000):
        meter.data_received(b"X: y\r\n" + b"a" * 994)
    assert not wire.cut
    meter.data_received(b"a" * 1000)
    assert wire.cut
    meter.connection_lost(None)


async def test_an_endless_body_is_cut(bed: Bed) -> None:
    async with connected(bed) as (reader, writer):
        head = b"POST /v1/device HTTP/1.1\r\nHost: %b\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head % bed.url.removeprefix("https://").encode())
        sent = 0
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while sent < 4 * 1024 * 1024 and not reader.at_eof():
                writer.write(b"4000\r\n" + b"a" * 0x4000 + b"\r\n")
                await asyncio.wait_for(writer.drain(), 60)
                sent += 0x4000
                await asyncio.sleep(0)
        assert sent < 4 * 1024 * 1024
        said = await says(reader)
    assert not said or said.startswith(b"HTTP/1.1 413 ")
    await until(lambda: listening(bed).connections == 0)


@pytest.mark.parametrize("make", LOOPS, ids=["asyncio", "uvloop"])
def test_stopping_leaves_nothing(certified: Path, make: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """On the gateway's own kind of loop too: port free, connections cut, no task left."""

    async def life() -> None:
        async with portal_bed(certified) as bed:
            port, cut = bed.port, bed.trust
            idle = await asyncio.open_connection("localhost", port, ssl=cut)
            silent = await asyncio.open_connection("localhost", port)
            async with bed.client.get(f"{bed.url}/healthz") as well:
                assert well.status == 200
            await bed.portal.stop()
            assert await says(idle[0]) == b""
            assert await says(silent[0]) == b""
            idle[1].close()
            silent[1].close()
            with pytest.raises(OSError):
                await asyncio.open_connection("localhost", port)
            await bed.portal.stop()
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        assert left == []

    with asyncio.Runner(loop_factory=make) as runner:
        runner.run(life())


async def test_a_port_in_use_is_an_error_and_nothing_is_left(bed: Bed, certified: Path) -> None:
    with pytest.raises(OSError):
        async with portal_bed(certified, settings=PortalSettings(port=bed.port)):
            raise AssertionError("it started")

"""TLS between transport and protocol: any chunking, pauses, farewells, changes of keys, and peers that are not ours."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.credentials import certificates
from hooptui.protocols.postgres import tls


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's and a client's that trusts it."""
    made = certificates.ensure(tmp_path_factory.mktemp("tls") / "own", ("127.0.0.1",), now=time.time())
    client = ssl.create_default_context(cafile=str(made.ca))
    return certificates.server_context(made.certificate, made.key, now=time.time()), client


class Below(asyncio.Transport):
    """A transport that keeps what is written until it is carried over."""

    def __init__(self) -> None:
        super().__init__()
        self.out = bytearray()
        self.closed = self.cut = False
        self.reading = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed, "written behind the end"
        self.out += data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.cut = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class App(asyncio.Protocol):
    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.got = bytearray()
        self.pieces = 0
        self.ended = False
        self.lost: list[Exception | None] = []
        self.news = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert self.transport is None
        self.transport = transport  # type: ignore[assignment]  # a transport in everything but its bases

    def data_received(self, data: bytes) -> None:
        assert data and not self.ended
        self.got += data
        self.pieces += 1
        self.news.set()

    def eof_received(self) -> None:
        self.ended = True
        self.news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.append(exc)
        self.news.set()

    async def until(self, size: int) -> None:
        while len(self.got) < size:
            self.news.clear()
            await asyncio.wait_for(self.news.wait(), 60)

    async def over(self) -> None:
        while not self.lost:
            self.news.clear()
            await asyncio.wait_for(self.news.wait(), 60)


class Pair:
    """Both ends of one connection, whose bytes move when told to."""

    def __init__(self, contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
        loop = asyncio.get_running_loop()
        self.apps = (App(), App())
        self.below = (Below(), Below())
        self.ends = (
            tls.Tls(loop, contexts[0], self.apps[0], server_side=True),
            tls.Tls(loop, contexts[1], self.apps[1], server_side=False, server_hostname="127.0.0.1"),
        )
        for end, below in zip(self.ends, self.below, strict=True):
            end.connection_made(below)

    def carry(self, which: int, size: int) -> bool:
        """Move so many bytes from this end to the other; whether there were any."""
        out, other = self.below[which].out, self.ends[1 - which]
        part = bytes(out[: min(size, tls.CHUNK)])
        del out[: len(part)]
        if part:
            other.get_buffer(-1)[: len(part)] = part
            other.buffer_updated(len(part))
        return bool(part)

    def settle(self, size: int = tls.CHUNK) -> None:
        while self.carry(0, size) | self.carry(1, size):
            pass


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.tuples(st.sampled_from([0, 1]), st.integers(1, 90_000)), max_size=6),
    cuts=st.lists(st.integers(1, 40_000), min_size=1, max_size=8),
)
def test_whatever_the_chunks_what_is_sent_arrives_whole_and_in_order(contexts, texts, cuts):
    async def go() -> None:
        pair = Pair(contexts)
        # A handshake in pieces of a byte, too.
        pair.settle(cuts[0])
        sent = (bytearray(), bytearray())
        for turn, (which, size) in enumerate(texts):
            data = bytes((turn + at) & 0xFF for at in range(size))
            pair.ends[which].write(data)
            sent[which].extend(data)
            for cut in cuts:
                pair.carry(which, cut)
        pair.settle(cuts[-1] + 1000)
        assert pair.apps[0].got == sent[1] and pair.apps[1].got == sent[0]

    asyncio.run(go())


def test_a_small_message_is_one_record_each_way_and_told_at_once(contexts):
    async def go() -> None:
        pair = Pair(contexts)
        pair.settle()
        pair.ends[1].write(b"SELECT 1")
        assert 8 < len(pair.below[1].out) < 8 + 64
        pair.settle()
        assert pair.apps[0].got == b"SELECT 1" and pair.apps[0].pieces == 1

    asyncio.run(go())


def test_a_pause_keeps_what_has_come_and_a_resume_gives_it_later(contexts):
    async def go() -> None:
        pair = Pair(contexts)
        pair.settle()
        server, app = pair.ends[0], pair.apps[0]
        server.pause_reading()
        assert not pair.below[0].reading and not server.is_reading()
        pair.ends[1].write(b"early")
        pair.settle()
        assert not app.got
        server.resume_reading()
        assert pair.below[0].reading and not app.got, "not while it resumes"
        await asyncio.sleep(0)
        assert app.got == b"early"

    asyncio.run(go())


def test_a_pause_in_the_middle_of_what_is_told_holds_back_the_rest(contexts):
    async def go() -> None:
        pair = Pair(contexts)
        pair.settle()
        pair.ends[0].pause_reading()
        for text in (b"one", b"two"):
            pair.ends[1].write(text)
            pair.settle()
        pair.ends[0].resume_reading()
        pair.ends[0].pause_reading()
        await asyncio.sleep(0)
        assert not pair.apps[0].got

    asyncio.run(go())


def test_a_farewell_is_answered_behind_the_last_words_and_closes_both(contexts):
    async def go() -> None:
        pair = Pair(contexts)
        pair.settle()
        server, client = pair.ends
        server.write(b"last words")
        server.close()
        server.write(b"and more")
        assert server.is_closing() and not pair.below[0].closed
        client.write(b"still talking")
        pair.settle()
        assert pair.apps[1].got == b"last words" and pair.apps[1].ended
        assert pair.below[1].closed and client.is_closing()
        pair.settle()
        assert pair.below[0].closed and not pair.below[0].cut, "the farewell was answered"
        assert not pair.apps[0].got, "whoever closes hears no more"

    asyncio.run(go())


def test_who_never_answers_a_farewell_is_cut_off(contexts, monkeypatch):
    monkeypatch.setattr(tls, "GOODBYE", 0.01)

    async def go() -> None:
        pair = Pair(contexts)
        pair.settle()
        pair.ends[0].close()
        async with asyncio.timeout(60):
            while not pair.below[0].cut:
                await asyncio.sleep(0.005)

    asyncio.run(go())


def test_a_paused_end_that_closes_reads_the_farewell(contexts):
    async def go() -> None:
        pair = Pair(contexts)
        pair.settle()
        pair.ends[0].pause_reading()
        pair.ends[0].close()
        assert pair.below[0].reading
        pair.settle()
        assert pair.below[0].closed and not pair.below[0].cut

    asyncio.run(go())


@pytest.mark.parametrize("state", ["handshake", "open"])
def test_a_byte_changed_on_the_way_ends_the_connection_with_an_alert(contexts, state):
    async def go() -> None:
        pair = Pair(contexts)
        if state == "open":
            pair.settle()
            pair.ends[1].write(b"a query")
        pair.below[1].out[-1] ^= 1
        if state == "handshake":
            # A length that no hello has.
            pair.below[1].out[6] ^= 0xFF
        pair.carry(1, tls.CHUNK)
        assert pair.below[0].closed and pair.below[0].out, "behind the alert"
        assert not pair.apps[0].got
        pair.ends[0].connection_lost(None)
        if state == "open":
            assert isinstance(pair.apps[0].lost[0], ssl.SSLError)
            return
        with pytest.raises(ssl.SSLError):
            await pair.ends[0].shaken
        assert not pair.apps[0].lost, "it never heard of the connection"

    asyncio.run(go())


def test_a_connection_lost_during_the_handshake_is_told_to_who_waits(contexts):
    async def go() -> None:
        pair = Pair(contexts)
        pair.ends[0].connection_lost(None)
        with pytest.raises(ConnectionResetError):
            await pair.ends[0].shaken
        assert pair.apps[0].transport is None and not pair.apps[0].lost

    asyncio.run(go())


def test_plain_text_is_never_sent(contexts):
    async def go() -> None:
        pair = Pair(contexts)
        for end in pair.ends:
            end.write(b"too early: canary-7f3a")
        secret = b"canary-7f3a" * 5000
        seen = bytearray()
        for _ in range(4):
            for which in (0, 1):
                seen += pair.below[which].out
                pair.carry(which, tls.CHUNK)
        pair.ends[0].write(secret)
        pair.ends[0].close()
        pair.ends[0].write(secret)
        seen += pair.below[0].out
        assert len(seen) > len(secret) and b"canary" not in seen

    asyncio.run(go())


def test_great_writes_leave_no_great_buffers(contexts):
    async def go() -> None:
        pair = Pair(contexts)
        pair.settle()
        largest = 0
        real = pair.below[0].write

        def write(data: bytes | bytearray | memoryview) -> None:
            nonlocal largest
            largest = max(largest, len(data))
            real(data)

        pair.below[0].write = write  # type: ignore[method-assign]
        pair.ends[0].write(bytes(3_000_000))
        pair.settle()
        assert len(pair.apps[1].got) == 3_000_000 and largest < tls.CHUNK + 1024

    asyncio.run(go())


# --- peers that are not ours, on both event loops


@asynccontextmanager
async def serving(context: ssl.SSLContext) -> AsyncIterator[tuple[int, asyncio.Queue[App]]]:
    """A port that greets with TLS and hands out its apps."""
    loop = asyncio.get_running_loop()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    apps: asyncio.Queue[App] = asyncio.Queue()

    async def run() -> None:
        while True:
            sock, _ = await loop.sock_accept(listener)
            sock.setblocking(False)
            app = App()
            await tls.accept(sock, context, app, within=60)
            apps.put_nowait(app)

    task = loop.create_task(run())
    try:
        yield listener.getsockname()[1], apps
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        listener.close()


loops = pytest.mark.parametrize(
    "loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)


@loops
def test_it_talks_to_the_event_loop_s_own_tls_with_back_pressure_both_ways(contexts, loop_factory):
    async def go() -> None:
        async with serving(contexts[0]) as (port, apps):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=contexts[1])
            app = await apps.get()
            server = app.transport
            assert server is not None and server.get_extra_info("ssl_object").version() == "TLSv1.3"
            assert server.get_extra_info("socket") is not None
            data = bytes(range(256)) * 20_000
            writer.write(data)
            await asyncio.gather(writer.drain(), app.until(len(data)))
            server.write(bytes(app.got))
            assert await reader.readexactly(len(data)) == data == bytes(app.got)
            server.write(b"the last")
            server.close()
            assert await reader.read() == b"the last"
            writer.close()
            await writer.wait_closed()
            await app.over()
            assert app.lost == [None]

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(go())


@loops
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_it_is_a_client_of_the_standard_library_s_server(contexts, loop_factory, version):
    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(200_000))
        await writer.drain()
        writer.close()

    async def go() -> None:
        theirs = await asyncio.start_server(served, "127.0.0.1", 0, ssl=contexts[0])
        mine = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        mine.load_verify_locations(cadata=contexts[1].get_ca_certs(binary_form=True)[0])
        mine.maximum_version = version
        sock = socket.create_connection(theirs.sockets[0].getsockname())
        sock.setblocking(False)
        app = App()
        await tls.connect(sock, mine, app, host="127.0.0.1", within=60)
        assert app.transport is not None
        app.transport.write(b"x" * 200_000)
        await app.until(200_000)
        await app.over()
        assert app.ended and app.lost == [None]
        theirs.close()
        await theirs.wait_closed()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(go())


@loops
def test_a_certificate_of_another_name_is_not_taken(contexts, loop_factory):
    async def go() -> None:
        async with serving(contexts[0]) as (port, _):
            sock = socket.create_connection(("127.0.0.1", port))
            sock.setblocking(False)
            app = App()
            with pytest.raises(ssl.SSLCertVerificationError):
                await tls.connect(sock, contexts[1], app, host="another.example", within=60)
            assert app.transport is None

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(go())


@loops
def test_a_handshake_that_does_not_end_is_ended(contexts, loop_factory):
    async def go() -> None:
        loop = asyncio.get_running_loop()
        here, there = socket.socketpair()
        with there:
            here.setblocking(False)
            app = App()
            with pytest.raises(ConnectionAbortedError, match="longer than"):
                await tls.accept(here, contexts[0], app, within=0.05)
            there.setblocking(False)
            assert await asyncio.wait_for(loop.sock_recv(there, 1), 5) == b""

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(go())


@loops
def test_a_client_that_goes_without_a_farewell_is_the_end_of_file(contexts, loop_factory):
    async def go() -> None:
        async with serving(contexts[0]) as (port, apps):
            raw = socket.create_connection(("127.0.0.1", port))
            client = await asyncio.to_thread(contexts[1].wrap_socket, raw, server_hostname="127.0.0.1")
            app = await apps.get()
            await asyncio.to_thread(client.sendall, b"bye")
            await app.until(3)
            # The descriptor alone, so that OpenSSL cannot say anything.
            socket.close(client.detach())
            await app.over()
            assert app.lost == [None]

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(go())


@loops
def test_the_other_side_may_change_its_keys_and_ask_for_ours(contexts, tmp_path: Path, loop_factory):
    """`openssl s_client`: a line `K` changes both sides' keys in the way of TLS 1.3, and OpenSSL owes an answer to that."""

    async def go() -> None:
        async with serving(contexts[0]) as (port, apps):
            client = await asyncio.create_subprocess_exec(
                "openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_3", "-msg",
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
            app = await apps.get()
            assert app.transport is not None and client.stdin is not None and client.stdout is not None
            client.stdin.write(b"before\n")
            await app.until(7)
            client.stdin.write(b"K\n")
            # Sent before the next line is typed, for a command is the first letter of what is read at once.
            said = b""
            while not re.search(rb">>> .*KeyUpdate", said):
                said += await asyncio.wait_for(client.stdout.read(4096), 60)
            client.stdin.write(b"after\n")
            await app.until(13)
            assert app.got == b"before\nafter\n"
            app.transport.write(b"with new keys\n")
            app.transport.close()
            rest, _ = await asyncio.wait_for(client.communicate(), 60)
            said += rest
            assert b"with new keys" in said and re.search(rb"<<< .*KeyUpdate", said), "ours have changed too"
            await app.over()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(go())

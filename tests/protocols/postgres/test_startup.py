"""The client's handshake against real clients and hostile ones, on both event loops."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvloop

from hooptui.core.secret import Secret
from hooptui.credentials import certificates
from hooptui.protocols.base import Bearer
from hooptui.protocols.postgres import build, codec
from hooptui.protocols.postgres.dialogue import Dialogue
from hooptui.protocols.postgres.packets import Startup, packet
from hooptui.protocols.postgres.startup import CancelAsked, ClientHello, Greeted, Unwelcome, greet
from tests.postgres_server import PostgresServer

TOKEN = "header.payload.signature" * 40


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> certificates.Certificates:
    return certificates.ensure(tmp_path_factory.mktemp("tls") / "own", (), now=time.time())


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Iterator[Callable[[Awaitable[object]], object]]:
    """Run a coroutine on a fresh loop of either kind; what the loop reports as unhandled fails the test."""
    factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop
    unhandled: list[object] = []

    def go(scenario: Awaitable[object]) -> object:
        async def main() -> object:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
            return await asyncio.wait_for(scenario, 60)

        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(main())

    yield go
    assert unhandled == []


@dataclass
class Door:
    """A listener that greets every connection and keeps what came of it."""

    port: int
    results: asyncio.Queue[Greeted | Unwelcome]

    async def result(self) -> Greeted | Unwelcome:
        return await asyncio.wait_for(self.results.get(), 60)

    async def refusal(self) -> Unwelcome:
        found = await self.result()
        assert isinstance(found, Unwelcome)
        return found

    async def hello(self) -> ClientHello:
        found = await self.result()
        assert isinstance(found, ClientHello), found
        return found


@asynccontextmanager
async def door(tls: certificates.Certificates, timeout: float = 5.0):
    loop = asyncio.get_running_loop()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    opened = Door(listener.getsockname()[1], asyncio.Queue())
    context = certificates.server_context(tls.certificate, tls.key, now=time.time())

    async def one(sock: socket.socket) -> None:
        try:
            opened.results.put_nowait(await greet(sock, context, timeout=timeout))
        except Unwelcome as unwelcome:
            opened.results.put_nowait(unwelcome)

    async def accept() -> None:
        async with asyncio.TaskGroup() as tasks:
            while True:
                sock, _ = await loop.sock_accept(listener)
                tasks.create_task(one(sock))

    accepting = asyncio.create_task(accept())
    try:
        yield opened
    finally:
        accepting.cancel()
        await asyncio.wait([accepting])
        listener.close()
        assert accepting.cancelled()


class Client:
    """A client in raw bytes, blocking, used through a thread."""

    def __init__(self, port: int) -> None:
        self.sock: socket.socket = socket.create_connection(("127.0.0.1", port), timeout=60)

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def tls(self, ca: Path, *, direct: bool = False, alpn: bool = True) -> None:
        if not direct:
            self.send(build.SSL_REQUEST)
            assert self.sock.recv(1) == b"S"
        context = ssl.create_default_context(cafile=str(ca))
        if alpn:
            context.set_alpn_protocols(["postgresql"])
        self.sock = context.wrap_socket(self.sock, server_hostname="localhost")

    def start(self, ca: Path, *, minor: int = 0, **parameters: str) -> bytes:
        self.tls(ca)
        self.send(build.startup({"user": "ops-1", "database": "orders", **parameters}.items(), minor=minor))
        return self.message()

    def message(self) -> bytes:
        head = self.exactly(5)
        return head + self.exactly(struct.unpack(">I", head[1:])[0] - 4)

    def exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self.sock.recv(size - len(data))
            if not part:
                raise EOFError(data)
            data += part
        return data

    def closed(self) -> bool:
        """Nothing but the end comes."""
        try:
            return self.sock.recv(1) == b""
        except (ConnectionResetError, ssl.SSLEOFError):
            return True

    def error(self) -> dict[str, bytes]:
        raw = self.message()
        assert raw[:1] == b"E"
        return codec.error_fields(raw)


def play(run, tls, steps: Callable[[Client], object], *, timeout: float = 5.0):
    """Run the blocking `steps` of one client in a thread; gives what the door made of it and what the steps returned."""

    async def scenario():
        async with door(tls, timeout) as opened:
            client = Client(opened.port)

            def all_steps() -> object:
                try:
                    return steps(client)
                finally:
                    client.sock.close()

            try:
                steps_done = asyncio.create_task(asyncio.to_thread(all_steps))
                result = await opened.result()
                if isinstance(result, ClientHello):
                    await result.refuse(build.error("28P01", "played", severity="FATAL"))
                if isinstance(result, CancelAsked):
                    await result.finish()
                return result, await steps_done
            finally:
                client.sock.close()

    return run(scenario())


def test_classic_tls_asks_for_the_credential_and_hands_over_what_came(run, tls):
    def steps(client):
        assert client.start(tls.ca, application_name="psql", options="-c search_path=a\\ b") == build.CLEARTEXT_REQUEST
        client.send(build.password(TOKEN))
        return client.error()

    hello, error = play(run, tls, steps)
    assert hello.credential == Bearer(Secret(TOKEN)) and TOKEN not in repr(hello)
    assert (hello.user, hello.database, hello.application, hello.minor) == ("ops-1", "orders", "psql", 0)
    assert hello.asked.settings == {"application_name": "psql", "search_path": "a b"}
    assert hello.peer.startswith("127.0.0.1:")
    assert error["M"] == b"played"


def test_direct_tls_needs_the_protocol_name(run, tls):
    def good(client):
        client.tls(tls.ca, direct=True)
        client.send(build.startup([("user", "ops-1")]))
        assert client.message() == build.CLEARTEXT_REQUEST
        client.send(build.password(TOKEN))
        client.error()

    hello, _ = play(run, tls, good)
    assert hello.database == "ops-1"

    def bad(client):
        client.tls(tls.ca, direct=True, alpn=False)
        return client.error()

    refused, error = play(run, tls, bad)
    assert refused.code == "protocol" and b"ALPN" in error["M"] and error["C"] == b"08P01"


def test_classic_tls_does_not_need_the_protocol_name(run, tls):
    def steps(client):
        client.tls(tls.ca, alpn=False)
        client.send(build.startup([("user", "ops-1")]))
        return client.message()

    refused, message = play(run, tls, steps)
    assert message == build.CLEARTEXT_REQUEST and refused.code == "gone"


def test_gssenc_is_declined_and_tls_follows(run, tls):
    def steps(client):
        client.send(build.GSSENC_REQUEST)
        assert client.exactly(1) == b"N"
        client.start(tls.ca)
        client.send(build.password(TOKEN))
        client.error()

    hello, _ = play(run, tls, steps)
    assert isinstance(hello, ClientHello)


def test_gssenc_twice_is_refused(run, tls):
    def steps(client):
        client.send(build.GSSENC_REQUEST)
        client.exactly(1)
        client.send(build.GSSENC_REQUEST)
        return client.error()

    refused, error = play(run, tls, steps)
    assert refused.code == "protocol" and error["C"] == b"08P01"


def test_plaintext_start_up_gets_advice_and_no_password_request(run, tls):
    def steps(client):
        client.send(build.startup([("user", "ops-1")]))
        error = client.error()
        return error, client.closed()

    refused, (error, closed) = play(run, tls, steps)
    assert refused.code == "no-tls" and closed
    assert error["S"] == error["V"] == b"FATAL" and error["C"] == b"28000"
    assert b"sslmode=verify-full" in error["H"] and b"sslmode=require" in error["H"]


@pytest.mark.parametrize("smuggled", [b"Q", build.startup([("user", "mallory")]), b"\x16"])
def test_bytes_between_sslrequest_and_tls_kill_the_connection(run, tls, smuggled):
    def steps(client):
        client.send(build.SSL_REQUEST + smuggled)
        first = client.exactly(1)
        if first == b"S":
            # They came in a later segment than the request: TLS meets them as the garbage they are.
            return client.closed()
        return first == b"E"

    refused, killed = play(run, tls, steps)
    assert refused.code in ("protocol", "tls-failed", "gone") and killed


@pytest.mark.parametrize("request_", [build.SSL_REQUEST, build.GSSENC_REQUEST])
def test_encryption_inside_tls_is_refused(run, tls, request_):
    def steps(client):
        client.tls(tls.ca)
        client.send(request_)
        return client.error()

    refused, error = play(run, tls, steps)
    assert refused.code == "protocol" and error["C"] == b"08P01"


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("key", [b"\x01\x02\x03\x04", bytes(range(256))])
def test_cancel_comes_in_plaintext_and_inside_tls(run, tls, inside, key):
    def steps(client):
        if inside:
            client.tls(tls.ca)
        client.send(build.cancel(4711, key))
        return client.closed()

    asked, closed = play(run, tls, steps)
    assert isinstance(asked, CancelAsked) and (asked.pid, asked.key) == (4711, key) and closed
    assert repr(key) not in repr(asked)


@pytest.mark.parametrize("value", ["true", "database", "on", "1"])
def test_replication_is_refused(run, tls, value):
    def steps(client):
        client.tls(tls.ca)
        client.send(build.startup([("user", "ops-1"), ("replication", value)]))
        return client.error()

    refused, error = play(run, tls, steps)
    assert refused.code == "unsupported" and error["C"] == b"0A000"


def test_settings_that_pass_the_policy_by_are_refused(run, tls):
    def steps(client):
        client.tls(tls.ca)
        client.send(build.startup([("user", "ops-1"), ("options", "-c work_mem=1MB --ROLE=postgres")]))
        return client.error()

    refused, error = play(run, tls, steps)
    assert refused.code == "unsupported" and error["C"] == b"42501" and b"role" in error["M"]


@pytest.mark.parametrize(("minor", "spoken", "told"), [(0, 0, None), (2, 2, None), (1, 0, 0), (9999, 2, 2)])
def test_minor_versions_are_negotiated(run, tls, minor, spoken, told):
    def steps(client):
        first = client.start(tls.ca, minor=minor)
        if told is not None:
            assert codec.negotiation(first) == codec.Negotiation(told, ())
            first = client.message()
        assert first == build.CLEARTEXT_REQUEST
        client.send(build.password(TOKEN))
        client.error()

    hello, _ = play(run, tls, steps)
    assert hello.minor == spoken


def test_unknown_protocol_options_are_named(run, tls):
    def steps(client):
        first = codec.negotiation(client.start(tls.ca, **{"_pq_.new": "1"}))
        client.send(build.password(TOKEN))
        client.message()
        return first

    hello, negotiation = play(run, tls, steps)
    assert negotiation.options == ("_pq_.new",) and "_pq_.new" not in hello.parameters


@pytest.mark.parametrize(
    "garbage",
    [b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\0", b"\0\0\0\x07abc", struct.pack(">II", 8, 2 << 16), struct.pack(">II", 100_000, 3 << 16)],
    ids=["http", "zero", "short", "v2", "huge"],
)  # fmt: skip
def test_garbage_gets_a_native_error_and_is_closed(run, tls, garbage):
    def steps(client):
        client.send(garbage)
        return client.error(), client.closed()

    refused, (error, closed) = play(run, tls, steps)
    assert refused.code == "protocol" and error["C"] == b"08P01" and closed


@pytest.mark.parametrize(
    ("message", "sqlstate"),
    [
        (build.password(b"x" * 65_536), b"08P01"),
        (build.query("SELECT 1"), b"08P01"),
        (build.password(b""), b"28P01"),
        (build.password(b"\xff\xfe"), b"28P01"),
        (build.message(b"p", b"no end"), b"08P01"),
    ],
    ids=["too-large", "no-password", "empty", "not-utf8", "no-terminator"],
)
def test_bad_credentials_get_a_native_error(run, tls, message, sqlstate):
    def steps(client):
        client.start(tls.ca)
        client.send(message)
        return client.error()

    refused, error = play(run, tls, steps)
    assert isinstance(refused, Unwelcome) and refused.code == ("no-credential" if sqlstate == b"28P01" else "protocol")
    assert error["C"] == sqlstate and error["V"] == b"FATAL"


def test_the_largest_credential_is_taken(run, tls):
    token = "x" * (65_536 - 5)

    def steps(client):
        client.start(tls.ca)
        client.send(build.password(token))
        client.error()

    hello, _ = play(run, tls, steps)
    assert hello.credential == Bearer(Secret(token))


def test_silence_ends_by_the_deadline_and_stalls_nobody(run, tls):
    async def silent(port: int, how: str) -> None:
        slow = Client(port)
        match how:
            case "half-packet":
                slow.send(build.SSL_REQUEST[:5])
            case "tls-half":
                slow.send(build.SSL_REQUEST)
                await asyncio.to_thread(slow.exactly, 1)
                slow.send(b"\x16\x03\x01")
            case "after-tls":
                await asyncio.to_thread(slow.tls, tls.ca)
            case "at-password":
                await asyncio.to_thread(slow.start, tls.ca)
        if how == "tls-half":
            assert await asyncio.to_thread(slow.closed)
        else:
            assert (await asyncio.to_thread(slow.error))["C"] == b"57014"
        slow.sock.close()

    async def scenario():
        ways = ("nothing", "half-packet", "tls-half", "after-tls", "at-password")
        async with door(tls, timeout=2.0) as opened:
            slow = [asyncio.create_task(silent(opened.port, how)) for how in ways]
            quick = Client(opened.port)

            def steps() -> None:
                quick.start(tls.ca)
                quick.send(build.password(TOKEN))

            await asyncio.to_thread(steps)
            hello = await opened.hello()
            assert not any(task.done() for task in slow)
            await asyncio.gather(*slow)
            assert [(await opened.refusal()).code for _ in ways] == ["timeout"] * len(ways)
            quick.sock.close()
            await hello.refuse(b"")

    run(scenario())


@pytest.mark.parametrize("when", ["at-once", "in-packet", "in-tls", "at-password", "terminate"])
def test_a_client_that_leaves_is_gone_and_nothing_more(run, tls, when):
    def steps(client):
        match when:
            case "in-packet":
                client.send(build.SSL_REQUEST[:6])
            case "in-tls":
                client.send(build.SSL_REQUEST)
                client.exactly(1)
            case "at-password":
                client.start(tls.ca)
            case "terminate":
                client.start(tls.ca)
                client.send(build.TERMINATE)
        client.sock.close()

    refused, _ = play(run, tls, steps)
    assert isinstance(refused, Unwelcome) and refused.code == "gone"


def test_a_client_that_distrusts_the_certificate_is_told_apart(run, tls, tmp_path):
    other = certificates.ensure(tmp_path / "other", (), now=time.time())

    def steps(client):
        with pytest.raises(ssl.SSLCertVerificationError):
            client.tls(other.ca)
        client.sock.close()

    refused, _ = play(run, tls, steps)
    assert refused.code == "tls-failed"


class Relay(asyncio.Protocol):
    """Collects what a successor is given."""

    def __init__(self) -> None:
        self.seen = bytearray()
        self.calls: list[str] = []
        self.lost = asyncio.get_running_loop().create_future()
        self.enough = asyncio.Event()
        self.want = 1 << 60

    def connection_made(self, transport) -> None:
        self.calls.append("made")

    def data_received(self, data: bytes) -> None:
        self.seen += data
        if len(self.seen) >= self.want:
            self.enough.set()

    def connection_lost(self, exc) -> None:
        self.calls.append("lost")
        self.lost.set_result(None)


def test_nothing_is_lost_between_handshake_and_relay(run, tls):
    """Much comes right behind the password, some before and some after the switch; all of it arrives once, in order."""
    body = os.urandom(3_000_000)

    def steps(client):
        client.start(tls.ca)
        client.send(build.password(TOKEN) + body)
        assert client.exactly(2) == b"ok"
        client.sock.close()

    async def scenario():
        async with door(tls) as opened:
            client = Client(opened.port)
            sending = asyncio.create_task(asyncio.to_thread(steps, client))
            hello = await opened.hello()
            relay = Relay()
            relay.want = len(body)
            hello.hand_over(relay)
            await relay.enough.wait()
            hello.transport.write(b"ok")
            await sending
            await relay.lost
            assert bytes(relay.seen) == body
            assert relay.calls == ["made", "lost"]

    run(scenario())


def test_unread_bytes_are_bounded_before_the_relay_takes_over(run, tls):
    def flood(client):
        client.start(tls.ca)
        client.send(build.password(TOKEN))
        sent = 0
        client.sock.settimeout(0.5)
        try:
            while sent < 200_000_000:
                sent += client.sock.send(b"x" * 65_536)
        except TimeoutError:
            pass
        return sent

    async def scenario():
        async with door(tls) as opened:
            client = Client(opened.port)
            flooding = asyncio.create_task(asyncio.to_thread(flood, client))
            hello = await opened.hello()
            sent = await flooding
            assert sent < 100_000_000
            assert len(hello.dialogue._buffer) < 1_000_000
            client.sock.close()
            await hello.refuse(b"")

    run(scenario())


def test_a_client_lost_before_the_hand_over_is_reported_to_the_relay(run, tls):
    def steps(client):
        client.start(tls.ca)
        client.send(build.password(TOKEN))
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.socket(fileno=client.sock.detach()).close()

    async def scenario():
        async with door(tls) as opened:
            client = Client(opened.port)
            await asyncio.to_thread(steps, client)
            hello = await opened.hello()
            relay = Relay()
            hello.hand_over(relay)
            await asyncio.wait_for(relay.lost, 60)
            assert relay.calls == ["made", "lost"]

    run(scenario())


class Wire(asyncio.Transport):
    """A transport that does nothing but keep what is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def __getattribute__(self, name: str):
        if name in ("pause_reading", "resume_reading", "abort", "close"):
            return lambda: self.calls.append(name)
        if name == "is_closing":
            return lambda: False
        if name == "set_protocol":
            return lambda protocol: self.calls.append(name)
        return super().__getattribute__(name)


async def test_reading_is_on_only_while_somebody_waits():
    dialogue, wire = Dialogue(), Wire()
    dialogue.connection_made(wire)
    assert wire.calls == ["pause_reading"]
    reading = asyncio.create_task(dialogue.read(3))
    await asyncio.sleep(0)
    assert wire.calls[1:] == ["resume_reading"]
    dialogue.data_received(b"ab")
    assert wire.calls[2:] == ["pause_reading"]
    await asyncio.sleep(0)
    assert wire.calls[3:] == ["resume_reading"]
    dialogue.data_received(b"cd")
    assert await reading == b"abc"
    assert wire.calls[4:] == ["pause_reading"]


async def test_what_the_loop_had_queued_for_the_handshake_reaches_the_successor():
    class Late(Relay):
        def pause_writing(self) -> None:
            self.calls.append("pause_writing")

    dialogue, wire, relay = Dialogue(), Wire(), Late()
    dialogue.connection_made(wire)
    dialogue.data_received(b"early ")
    dialogue.pause_writing()
    dialogue.hand_over(relay)
    assert relay.calls == ["made", "pause_writing"] and bytes(relay.seen) == b"early "
    assert wire.calls == ["pause_reading", "set_protocol", "resume_reading"]
    dialogue.data_received(b"late")
    dialogue.connection_lost(None)
    assert bytes(relay.seen) == b"early late" and relay.calls[2:] == ["lost"]
    with pytest.raises(RuntimeError):
        dialogue.hand_over(relay)


async def test_an_abandoned_dialogue_drops_the_transport_it_gets_late():
    dialogue, wire = Dialogue(), Wire()
    dialogue.abort()
    dialogue.connection_made(wire)
    assert "abort" in wire.calls
    dialogue.data_received(b"x" * 1000)
    assert not dialogue._buffer


def test_a_cancelled_greeting_closes_its_socket(run, tls):
    async def scenario():
        listener = socket.create_server(("127.0.0.1", 0))
        client = Client(listener.getsockname()[1])
        sock, _ = listener.accept()
        sock.setblocking(False)
        context = certificates.server_context(tls.certificate, tls.key, now=time.time())
        greeting = asyncio.create_task(greet(sock, context))
        await asyncio.sleep(0)
        greeting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await greeting
        assert await asyncio.to_thread(client.closed)
        client.sock.close()
        listener.close()

    run(scenario())


@pytest.mark.e2e
def test_psql_shows_the_refusals(run, tls, postgres: PostgresServer):
    """The real client: it prints what a refusal says, with and without TLS, and never leaks its password in the clear."""

    def psql(port: int, **settings: str) -> str:
        values = {"host": "localhost", "port": str(port), "user": "ops-1", "dbname": "orders", **settings}
        done = subprocess.run(
            [postgres.bin("psql"), "-X", "-w", "-c", "SELECT 1", " ".join(f"{k}={v}" for k, v in values.items())],
            capture_output=True, text=True, timeout=60, env={"PGPASSWORD": TOKEN, "PATH": os.environ["PATH"]}, check=False,
        )  # fmt: skip
        assert done.returncode == 2
        return done.stderr

    async def scenario():
        async with door(tls) as opened:
            said = await asyncio.to_thread(psql, opened.port, sslmode="disable")
            assert "TLS only" in said and "sslmode=verify-full" in said
            assert (await opened.refusal()).code == "no-tls"
            for settings in (
                {"sslmode": "verify-full", "sslrootcert": str(tls.ca)},
                {"sslmode": "require", "sslnegotiation": "direct"},
            ):
                talking = asyncio.create_task(asyncio.to_thread(psql, opened.port, **settings))
                hello = await opened.hello()
                assert hello.credential == Bearer(Secret(TOKEN)) and hello.application == "psql"
                await hello.refuse(build.error("28P01", "token expired", severity="FATAL"))
                assert "FATAL:  token expired" in await talking

    run(scenario())


def test_startup_packet_reading_is_strict():
    good = build.startup([("user", "a"), ("application_name", "x")], minor=2)
    assert packet(good) == Startup(2, {"user": "a", "application_name": "x"}, ())


def test_nothing_secret_is_logged(run, tls, caplog):
    caplog.set_level(logging.DEBUG)

    def steps(client):
        client.start(tls.ca)
        client.send(build.password(TOKEN))
        client.error()

    play(run, tls, steps)
    assert TOKEN not in caplog.text

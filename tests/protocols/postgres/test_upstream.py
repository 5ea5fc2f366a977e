"""Logging in to a real PostgreSQL by every method, and to servers that are down, wrong or hostile; on both event loops."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing

import pytest
import uvloop
from scramp import ScramMechanism

from hooptui.core.secret import Secret
from hooptui.credentials import certificates
from hooptui.protocols.postgres import build, codec
from hooptui.protocols.postgres.scram import Scram, ScramFailed
from hooptui.protocols.postgres.upstream import Connected, Fault, SslMode, Upstream, UpstreamFailed, cancel, connect
from tests.postgres_server import PASSWORD, PostgresServer


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Iterator[Callable[[Awaitable[object]], object]]:
    factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop
    unhandled: list[object] = []

    def go(scenario):
        async def main():
            asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
            return await asyncio.wait_for(scenario, 60)

        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(main())

    yield go
    assert unhandled == []


def settings(server: PostgresServer, user: str = "scram", **changes) -> Upstream:
    base = Upstream(
        server.host, server.port, "postgres", user, Secret(PASSWORD), ca_file=server.ca, connect_timeout=60.0
    )
    return dataclasses.replace(base, **changes)


async def ask(session: Connected, text: str) -> list[list[bytes | None]]:
    """Run a simple query on a session that has not been handed over."""
    session.dialogue.send(build.query(text))
    rows = []
    while True:
        kind, raw = await session.dialogue.frame(1 << 20)
        if kind == ord("D"):
            rows.append(codec.data_row(raw))
        elif kind == ord("E"):
            raise AssertionError(codec.error_fields(raw))
        elif kind == ord("Z"):
            return rows


async def fails(upstream: Upstream, parameters: dict[str, str] | None = None, *, minor: int = 0) -> UpstreamFailed:
    with pytest.raises(UpstreamFailed) as caught:
        await connect(upstream, parameters or {}, minor=minor)
    failed = caught.value
    assert PASSWORD not in repr(failed) + failed.message + failed.public
    assert upstream.host not in failed.public and upstream.user not in failed.public
    return failed


# --- a real server


@pytest.mark.parametrize("user", ["scram", "md5", "cleartext", "trust"])
@pytest.mark.parametrize("sslmode", list(SslMode))
def test_every_method_under_every_sslmode(run, postgres, user, sslmode):
    async def scenario():
        upstream = settings(postgres, user, sslmode=sslmode)
        if user == "cleartext" and sslmode is SslMode.DISABLE:
            failed = await fails(upstream)
            assert failed.code is Fault.REJECTED and "in the clear" in failed.message
            return
        session = await connect(upstream, {})
        assert session.encrypted == (sslmode is not SslMode.DISABLE)
        assert session.status == b"I" and session.pid > 0 and len(session.key) == 4
        assert (b"server_encoding", b"UTF8") in session.parameters
        assert repr(session.key) not in repr(session)
        rows = await ask(session, "SELECT current_user, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        assert rows == [[user.encode(), b"t" if session.encrypted else b"f"]]
        await session.close()

    run(scenario())


def test_the_exchange_is_bound_to_the_channel_where_there_is_one(run, postgres, monkeypatch):
    used = []
    first = Scram.first
    monkeypatch.setattr(Scram, "first", lambda self: used.append(self.mechanism) or first(self))

    async def scenario():
        for sslmode in (SslMode.VERIFY_FULL, SslMode.DISABLE):
            await (await connect(settings(postgres, sslmode=sslmode), {})).close()

    run(scenario())
    assert used == ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]


def test_unix_socket(run, postgres):
    async def scenario():
        session = await connect(settings(postgres, "trust", host=str(postgres.socket_dir)), {})
        assert not session.encrypted
        assert await ask(session, "SELECT inet_server_addr() IS NULL") == [[b"t"]]
        await cancel(settings(postgres, "trust", host=str(postgres.socket_dir)), session.pid, session.key)
        await session.close()

    run(scenario())


def test_client_settings_are_passed_on_but_not_who_or_where(run, postgres):
    parameters = {
        "user": "mallory", "database": "template1", "replication": "database", "_pq_.x": "1",
        "application_name": "psql", "client_encoding": "LATIN1", "options": "-c search_path=a,b -c work_mem=1MB",
    }  # fmt: skip

    async def scenario():
        session = await connect(settings(postgres), parameters)
        rows = await ask(
            session,
            "SELECT current_user, current_database(), current_setting('application_name'), current_setting('client_encoding'),"
            " current_setting('search_path'), current_setting('work_mem')",
        )
        assert rows == [[b"scram", b"postgres", b"psql", b"LATIN1", b"a,b", b"1MB"]]
        assert (b"client_encoding", b"LATIN1") in session.parameters
        await session.close()

    run(scenario())


def test_a_newer_protocol_is_asked_for_and_given_up(run, postgres):
    async def scenario():
        session = await connect(settings(postgres), {}, minor=2)
        # Servers up to 17 speak 3.0 only, and 18 has longer keys.
        version = dict(session.parameters)[b"server_version"]
        assert (session.minor, len(session.key)) == ((2, 32) if int(version[:2]) >= 18 else (0, 4))
        assert await ask(session, "SELECT 1") == [[b"1"]]
        await session.close()

    run(scenario())


@pytest.mark.parametrize("sslmode", [SslMode.DISABLE, SslMode.VERIFY_FULL])
def test_cancel_reaches_the_running_query(run, postgres, sslmode):
    async def scenario():
        upstream = settings(postgres, sslmode=sslmode)
        session = await connect(upstream, {})
        session.dialogue.send(build.query("SELECT pg_sleep(60)"))
        first = asyncio.create_task(session.dialogue.frame(1 << 20))
        started = time.monotonic()
        while not first.done():
            await cancel(upstream, session.pid, session.key, address=session.address)
            await asyncio.wait([first], timeout=0.05)
        while (kind := (await first)[0]) != ord("E"):
            assert kind in b"T"
            first = asyncio.create_task(session.dialogue.frame(1 << 20))
            await cancel(upstream, session.pid, session.key, address=session.address)
        assert codec.error_fields((await first)[1])["C"] == b"57014"
        assert time.monotonic() - started < 50
        await session.close()

    run(scenario())


def test_a_wrong_key_cancels_nothing_and_is_no_error(run, postgres):
    async def scenario():
        upstream = settings(postgres)
        session = await connect(upstream, {})
        await cancel(upstream, session.pid, bytes(4))
        assert await ask(session, "SELECT 1") == [[b"1"]]
        await session.close()

    run(scenario())


@pytest.mark.parametrize("user", ["scram", "md5", "cleartext"])
def test_wrong_and_missing_password(run, postgres, user):
    async def scenario():
        wrong = await fails(settings(postgres, user, password=Secret("wrong")))
        assert wrong.code is Fault.WRONG_CREDENTIAL and wrong.fields["C"] == b"28P01"
        missing = await fails(settings(postgres, user, password=None))
        assert missing.code is Fault.WRONG_CREDENTIAL and "none is configured" in missing.message

    run(scenario())


def test_what_the_server_says_no_to(run, postgres):
    async def scenario():
        assert (await fails(settings(postgres, database="nowhere"))).code is Fault.NO_SUCH_DATABASE
        assert (await fails(settings(postgres, "nobody-here"))).code is Fault.WRONG_CREDENTIAL
        assert (await fails(settings(postgres, "notls"))).code is Fault.WRONG_CREDENTIAL
        assert (await fails(settings(postgres), {"work_mem": "much"})).code is Fault.BAD_SETTING
        assert (await fails(settings(postgres), {"no_such": "x"})).code is Fault.BAD_SETTING
        assert (await fails(settings(postgres), {"options": "--nonsense"})).code is Fault.BAD_SETTING

    run(scenario())


def test_too_many_connections(run, postgres):
    postgres.sql("CREATE ROLE few LOGIN CONNECTION LIMIT 0")
    try:

        async def scenario():
            postgres.sql(f"ALTER ROLE few PASSWORD '{PASSWORD}'")
            assert (await fails(settings(postgres, "few"))).code is Fault.TOO_MANY_CONNECTIONS

        run(scenario())
    finally:
        postgres.sql("DROP ROLE few")


def test_certificates_that_are_not_trusted(run, postgres, tmp_path):
    other = certificates.ensure(tmp_path / "other", (), now=time.time())
    broken = tmp_path / "broken.crt"
    broken.write_text("no certificate")

    async def scenario():
        for sslmode in (SslMode.REQUIRE, SslMode.VERIFY_CA, SslMode.VERIFY_FULL):
            untrusted = await fails(settings(postgres, ca_file=other.ca, sslmode=sslmode))
            assert untrusted.code is Fault.TLS_UNTRUSTED and "not trusted" in untrusted.message
        system = await fails(settings(postgres, ca_file=None))
        assert system.code is Fault.TLS_UNTRUSTED
        for path in (broken, tmp_path / "missing.crt"):
            unusable = await fails(settings(postgres, ca_file=path))
            assert unusable.code is Fault.TLS_UNTRUSTED and str(path) in unusable.message
        wrong_host = await fails(settings(postgres, host=postgres.other_host))
        assert wrong_host.code is Fault.TLS_UNTRUSTED and postgres.other_host in wrong_host.message
        # verify-ca does not look at the name, and require without a CA looks at nothing.
        await (await connect(settings(postgres, host=postgres.other_host, sslmode=SslMode.VERIFY_CA), {})).close()
        await (await connect(settings(postgres, ca_file=None, sslmode=SslMode.REQUIRE), {})).close()

    run(scenario())


def test_nobody_there(run, tmp_path):
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

        async def scenario():
            down = Upstream("127.0.0.1", port, "d", "svc-42", sslmode=SslMode.DISABLE)
            assert (await fails(down)).code is Fault.REFUSED
            assert (await fails(dataclasses.replace(down, host="no-such-host.invalid"))).code is Fault.UNREACHABLE
            assert (await fails(dataclasses.replace(down, host="no\u2014such..host"))).code is Fault.UNREACHABLE
            assert (await fails(dataclasses.replace(down, host=str(tmp_path)))).code is Fault.UNREACHABLE
            with pytest.raises(UpstreamFailed, match="refuses connections"):
                await cancel(down, 1, bytes(4))

        run(scenario())


# --- servers that are not what they seem


@asynccontextmanager
async def impostor(conversation):
    """A server that holds `conversation(reader, writer)` with each client; a failed assertion in it fails the test."""
    failures: list[AssertionError] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await conversation(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except AssertionError as fault:
            failures.append(fault)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield Upstream(
            "127.0.0.1",
            server.sockets[0].getsockname()[1],
            "d",
            "svc-42",
            Secret(PASSWORD),
            sslmode=SslMode.DISABLE,
            connect_timeout=60.0,
        )
    finally:
        server.close()
        await server.wait_closed()
    assert failures == []


async def packet(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(4)
    return head + await reader.readexactly(struct.unpack(">I", head)[0] - 4)


async def message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(5)
    return head + await reader.readexactly(struct.unpack(">I", head[1:])[0] - 4)


READY = build.backend_key(7, b"key!") + build.ready(b"I")


def says(*answers: bytes):
    """A conversation that reads the start-up packet, writes these, and waits for the client to go."""

    async def conversation(reader, writer):
        await packet(reader)
        writer.write(b"".join(answers))
        await reader.read()

    return conversation


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ([READY], Fault.PROTOCOL),
        ([build.parameter_status("a", "b")], Fault.PROTOCOL),
        ([build.AUTH_OK, build.ready(b"I")], Fault.PROTOCOL),
        ([build.AUTH_OK, build.data_row([b"x"])], Fault.PROTOCOL),
        ([build.AUTH_OK, b"K\0\0\0\5x"], Fault.PROTOCOL),
        ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], Fault.PROTOCOL),
        ([b"S\xff\xff\xff\xff"], Fault.PROTOCOL),
        ([build.AUTH_OK, build.notice("x" * 1000) * 1100], Fault.PROTOCOL),
        ([build.message(b"R", struct.pack(">I", 7))], Fault.REJECTED),
        ([build.message(b"R", struct.pack(">I", 10) + b"SCRAM-SHA-1\0\0")], Fault.PROTOCOL),
        ([build.message(b"R", struct.pack(">I", 10) + b"SCRAM-SHA-256-PLUS\0\0")], Fault.PROTOCOL),
        ([build.message(b"R", struct.pack(">I", 10) + b"SCRAM-SHA-256")], Fault.PROTOCOL),
        ([build.message(b"R", struct.pack(">I", 10) + b"SCRAM-SHA-256\0\0"), build.AUTH_OK, READY], Fault.PROTOCOL),
        ([build.message(b"R", struct.pack(">I", 10) + b"SCRAM-SHA-256\0\0"), build.CLEARTEXT_REQUEST], Fault.PROTOCOL),
        ([build.message(b"R", struct.pack(">I", 12) + b"v=AAAA")], Fault.PROTOCOL),
        ([build.message(b"R", struct.pack(">I", 5) + b"salt") * 2], Fault.PROTOCOL),
        ([build.error("57P03", "starting up", severity="FATAL")], Fault.NOT_READY),
        ([build.error("53300", "too many", severity="FATAL")], Fault.TOO_MANY_CONNECTIONS),
        ([build.AUTH_OK, build.error("42501", "may not", severity="FATAL", hint="ask")], Fault.REJECTED),
        ([build.AUTH_OK], Fault.TIMEOUT),
        ([], Fault.TIMEOUT),
    ],
)  # fmt: skip
def test_a_server_that_does_not_behave(run, answers, code):
    async def scenario():
        async with impostor(says(*answers)) as upstream:
            failed = await fails(dataclasses.replace(upstream, connect_timeout=0.2 if code is Fault.TIMEOUT else 60.0))
            assert failed.code is code, failed.message

    run(scenario())


def test_a_server_that_closes(run):
    async def conversation(reader, writer):
        await packet(reader)

    async def scenario():
        async with impostor(conversation) as upstream:
            assert (await fails(upstream)).code is Fault.CLOSED

    run(scenario())


@pytest.mark.parametrize(
    ("answer", "sslmode", "code"),
    [
        (b"N", SslMode.REQUIRE, Fault.TLS_REFUSED),
        (b"N", SslMode.VERIFY_FULL, Fault.TLS_REFUSED),
        (build.error("53300", "forged words"), SslMode.PREFER, Fault.PROTOCOL),
        (b"SHTTP/1.1 400 Bad Request", SslMode.REQUIRE, Fault.TLS_FAILED),
        (b"S" + build.AUTH_OK + READY, SslMode.REQUIRE, Fault.TLS_FAILED),
    ],
)
def test_answers_to_the_request_for_tls(run, answer, sslmode, code):
    async def scenario():
        async with impostor(says(answer)) as upstream:
            failed = await fails(dataclasses.replace(upstream, sslmode=sslmode))
            assert failed.code is code and "forged" not in failed.message

    run(scenario())


def test_prefer_goes_on_without_tls_where_there_is_none(run):
    async def conversation(reader, writer):
        assert await packet(reader) == build.SSL_REQUEST
        writer.write(b"N")
        await packet(reader)
        writer.write(build.AUTH_OK + READY)
        await reader.read()

    async def scenario():
        async with impostor(conversation) as upstream:
            session = await connect(dataclasses.replace(upstream, sslmode=SslMode.PREFER), {})
            assert not session.encrypted and session.key == b"key!"
            await session.close()

    run(scenario())


def test_protocol_3_2_and_its_long_key(run):
    key = bytes(range(256))

    async def conversation(reader, writer):
        assert (await packet(reader))[4:8] == struct.pack(">HH", 3, 2)
        notice = build.notice("hello")
        writer.write(build.AUTH_OK + notice + build.backend_key(9, key) + build.ready(b"I"))
        await reader.read()

    async def scenario():
        async with impostor(conversation) as upstream:
            session = await connect(upstream, {}, minor=2)
            assert (session.minor, session.pid, session.key) == (2, 9, key)
            assert session.notices == (build.notice("hello"),)
            await session.close()

    run(scenario())


def test_a_server_without_the_password_is_found_out(run):
    """Any server can say ok; in SCRAM it has to prove that it knows the password."""
    mechanism = ScramMechanism("SCRAM-SHA-256")

    async def conversation(reader, writer):
        await packet(reader)
        server = mechanism.make_server(lambda _: mechanism.make_auth_info("another"))
        writer.write(build.message(b"R", struct.pack(">I", 10) + b"SCRAM-SHA-256\0\0"))
        first = (await message(reader))[5 + len("SCRAM-SHA-256") + 1 + 4 :]
        server.set_client_first(first.decode())
        writer.write(build.message(b"R", struct.pack(">I", 11) + server.get_server_first().encode()))
        await message(reader)
        writer.write(build.message(b"R", struct.pack(">I", 12) + b"v=" + b"A" * 43 + b"=") + build.AUTH_OK + READY)
        await reader.read()

    async def scenario():
        async with impostor(conversation) as upstream:
            failed = await fails(upstream)
            assert failed.code is Fault.PROTOCOL and "prove" in failed.message

    run(scenario())


async def test_scram_bounds_the_work_a_server_can_ask_for():
    scram = Scram(["SCRAM-SHA-256"], Secret(PASSWORD), None)
    nonce = scram.first().split(b"r=")[1]
    with pytest.raises(ScramFailed, match="iterations"):
        await scram.final(b"r=%sx,s=c2FsdHNhbHRzYWx0,i=5000000" % nonce)


def test_unread_bytes_go_to_the_successor(run):
    async def conversation(reader, writer):
        await packet(reader)
        writer.write(build.AUTH_OK + READY + b"behind")
        await reader.read()

    class Relay(asyncio.Protocol):
        def __init__(self) -> None:
            self.seen = b""

        def data_received(self, data: bytes) -> None:
            self.seen += data

    async def scenario():
        async with impostor(conversation) as upstream:
            session = await connect(upstream, {})
            relay = Relay()
            session.hand_over(relay)
            while relay.seen != b"behind":
                await asyncio.sleep(0)
            session.transport.abort()

    run(scenario())


def test_a_cancelled_connect_leaves_no_connection(run):
    came = asyncio.Event()

    async def conversation(reader, writer):
        await packet(reader)
        came.set()
        assert await reader.read() == b""

    async def scenario():
        async with impostor(conversation) as upstream:
            connecting = asyncio.create_task(connect(upstream, {}))
            await came.wait()
            connecting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await connecting

    run(scenario())


def test_settings_do_not_show_the_password():
    assert PASSWORD not in repr(Upstream("h", 1, "d", "svc-42", Secret(PASSWORD)))

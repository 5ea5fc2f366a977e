"""When things break: the client gets its own protocol's words, the operator sees why, other sessions go on."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import time
from collections.abc import Iterator

import psycopg
import pytest

from hooptui.core.events import Alert, LoginFailed
from tests.e2e.bed import Bed, bed
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def world(postgres: PostgresServer) -> Iterator[Bed]:
    with bed(postgres, more="limits: {handshake: 2s}") as made:
        yield made
        made.gateway.stop("the module is over")
        assert made.leaks() == []


def told(world: Bed, kind: type) -> list[object]:
    """Events of one kind in the journal's tail."""
    return [one.event.body for one in world.on_bed(world.desk.journal(limit=50)) if isinstance(one.event.body, kind)]


def test_a_journal_that_cannot_sync_stops_everything_and_recovers(world: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    with psycopg.connect(world.dsn(), autocommit=True) as running:
        running.execute("SELECT 1")
        psql = world.start_psql()
        assert psql.stdin is not None
        psql.stdin.write("UPDATE orders SET note = 'unrecorded';\n")
        psql.stdin.flush()
        world.held()

        def fails(descriptor: int) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        with monkeypatch.context() as broken:
            broken.setattr(os, "fdatasync", fails)
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="cannot record this operation"):
                running.execute("INSERT INTO orders VALUES (9000, 1)")
            world.until(lambda: not world.snapshot().health.journal_ok)
            assert "EIO" in world.snapshot().health.journal_error or "I/O" in world.snapshot().health.journal_error
            world.until(lambda: not world.snapshot().held)
            refused = world.psql("SELECT 1")
            assert refused.returncode == 2
            assert "cannot record sessions now" in refused.stderr
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="cannot record this operation"):
                running.execute("SELECT 2")
        world.until(lambda: world.snapshot().health.journal_ok)
        assert running.execute("SELECT 3").fetchone() == (3,)
    _, err = world.finish(psql)
    assert "cannot record this operation" in err
    assert world.psql("SELECT 4").stdout.strip() == "4"
    counted = "SELECT count(*) FROM orders WHERE id = 9000 OR note = 'unrecorded'"
    assert world.server.sql(counted, database=world.database) == "0"
    assert world.on_bed(world.desk.verify()).status == 0


def test_a_session_ends_with_its_token(world: Bed) -> None:
    now = int(time.time())
    psql = world.start_psql(token=world.token(iat=now, exp=now - 27))
    assert psql.stdin is not None
    psql.stdin.write("SELECT pg_sleep(60);\n")
    psql.stdin.flush()
    _, err = world.finish(psql)
    assert "time is over" in err or "expired" in err


def drip(world: Bed, first: bytes) -> bytes:
    """What a connection that sends `first` and then nothing gets before it is closed."""
    with socket.create_connection(("127.0.0.1", world.port), timeout=60) as raw:
        raw.sendall(first)
        got = b""
        while piece := raw.recv(4096):
            got += piece
        return got


@pytest.mark.parametrize(
    "first",
    [b"", b"\0", b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\x08\x04\xd2\x16\x2f", b"\xff" * 64, b"\x16\x03\x01\x02\x00", b"\0\0\0\x04", b"\x7f\xff\xff\xff\0\3\0\0"],
)  # fmt: skip
def test_garbage_and_silence_end_and_touch_nobody(world: Bed, first: bytes) -> None:
    with psycopg.connect(world.dsn(), autocommit=True) as beside:
        started = time.monotonic()
        with contextlib.suppress(ConnectionResetError):
            drip(world, first)
        assert time.monotonic() - started < 60
        assert beside.execute("SELECT 1").fetchone() == (1,)


def test_a_plaintext_password_is_never_taken(world: Bed) -> None:
    startup = b"\0\3\0\0user\0x\0database\0orders-db\0\0"
    answer = drip(world, (len(startup) + 4).to_bytes(4, "big") + startup)
    assert answer.startswith(b"E")
    assert b"28000" in answer
    assert b"sslmode" in answer


def test_a_target_that_is_down(postgres: PostgresServer) -> None:
    with bed(postgres, more="") as world:
        world.gateway.stop("again, with a port where nobody listens")
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            port = closed.getsockname()[1]
        world.restart(world.config_text.replace(f"port: {postgres.port}", f"port: {port}"))
        done = world.psql("SELECT 1")
        assert done.returncode == 2
        assert 'hooptui cannot open target "orders-db"' in done.stderr
        assert str(port) not in done.stderr, "clients need not know where the target is"
        [alert] = world.until(lambda: told(world, Alert))
        assert isinstance(alert, Alert)
        assert alert.code == "refused"
        assert str(port) in alert.text


def test_a_wrong_credential_upstream(postgres: PostgresServer) -> None:
    with bed(postgres, more="") as world:
        world.gateway.stop("again, with another password")
        (world.home / "password").write_text("not-the-password\n")
        world.restart(world.config_text)
        done = world.psql("SELECT 1")
        assert "does not accept the gateway's credential" in done.stderr
        assert "not-the-password" not in done.stderr + world.state.joinpath("journal").as_posix()
        [alert] = world.until(lambda: told(world, Alert))
        assert isinstance(alert, Alert)
        assert alert.code == "wrong-credential"
        world.canaries.password = "not-the-password"
        assert world.leaks() == []


def test_refused_logins_are_in_the_journal_with_their_reason(world: Bed) -> None:
    world.psql("SELECT 1", token=world.token("guest", ("guests",)))
    world.psql("SELECT 1", token=world.token(aud="another"))
    world.until(
        lambda: (
            [one.code for one in told(world, LoginFailed) if isinstance(one, LoginFailed)][-2:]
            == ["no-access", "wrong-audience"]
        )
    )

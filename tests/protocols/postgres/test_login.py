"""Real clients prove who they are: leases over SCRAM with and without channel binding, tokens over OAUTHBEARER."""

from __future__ import annotations

import asyncio
import ctypes
import json
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import psycopg
import psycopg_binary
import pytest

from hooptui.core.secret import Secret
from hooptui.protocols.postgres import build, codec, sasl
from hooptui.protocols.postgres.scram import Scram, ScramFailed
from hooptui.protocols.postgres.wire import Framer
from tests.postgres_server import PostgresServer
from tests.protocols.postgres.gatehouse import LEASE, LEASE_SECRET, TOKEN, Gatehouse, open_gate

ISSUER = "https://idp.example/realms/ops"


@pytest.fixture(scope="module")
def house(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gatehouse]:
    name = postgres.database("proved")
    with open_gate(postgres, name, tmp_path_factory.mktemp("gate"), oauth=sasl.OAuth(ISSUER)) as gatehouse:
        yield gatehouse


@pytest.fixture(autouse=True)
def nothing_said(house: Gatehouse) -> None:
    house.door.refusals.clear()


class Knock:
    """A client in raw messages, past its start-up packet."""

    def __init__(self, house: Gatehouse, user: str) -> None:
        context = ssl.create_default_context(cafile=house.ca)
        plain = socket.create_connection(("127.0.0.1", house.port), timeout=60)
        plain.sendall(build.SSL_REQUEST)
        assert plain.recv(1) == b"S"
        self.socket = context.wrap_socket(plain, server_hostname="127.0.0.1")
        self._framer = Framer(1 << 20)
        self._frames: list[bytes] = []
        self.send(build.startup([("user", user), ("database", "orders")]))

    def send(self, message: bytes) -> None:
        self.socket.sendall(message)

    def read(self) -> bytes:
        while not self._frames:
            data = self.socket.recv(65536)
            if not data:
                return b""
            self._frames += [raw for _, raw in self._framer.feed(data)]
        return self._frames.pop(0)

    def auth(self) -> codec.Authentication:
        raw = self.read()
        assert raw[:1] == b"R", raw
        return codec.authentication(raw)

    def error(self) -> dict[str, str]:
        raw = self.read()
        assert raw[:1] == b"E", raw
        return {name: value.decode() for name, value in codec.error_fields(raw).items()}


@contextmanager
def knock(house: Gatehouse, user: str) -> Iterator[Knock]:
    client = Knock(house, user)
    try:
        yield client
    finally:
        client.socket.close()


# --- leases by SCRAM


@pytest.mark.parametrize("binding", ["require", "prefer", "disable"])
def test_psql_logs_in_with_a_lease_and_needs_no_ca_file(house: Gatehouse, binding: str) -> None:
    done = house.psql(
        "-Atc", "SELECT 41 + 1", user=LEASE, password=LEASE_SECRET, sslmode="require", sslrootcert="/nowhere", channel_binding=binding,
        require_auth="scram-sha-256",
    )  # fmt: skip
    assert (done.stdout, done.stderr, done.returncode) == ("42\n", "", 0)
    assert house.door.sessions[-1].lease == LEASE and house.door.refusals == []


def test_the_system_s_own_psql_binds_to_the_channel(house: Gatehouse) -> None:
    """Whatever version it is: Debian 12 has 15."""
    program = Path("/usr/bin/psql")
    if not program.exists():
        pytest.skip("this machine has no psql of its own")
    where = house.dsn(
        user=LEASE, password=LEASE_SECRET, sslmode="require", sslrootcert="/nowhere", channel_binding="require"
    )
    done = subprocess.run(
        [program, "-XAtc", "SELECT 1", where], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_psycopg_and_asyncpg_log_in_with_a_lease(house: Gatehouse) -> None:
    with psycopg.connect(house.dsn(user=LEASE, password=LEASE_SECRET, channel_binding="require")) as made:
        assert made.execute("SELECT 7").fetchone() == (7,)

    async def driver() -> int:
        trust = ssl.create_default_context(cafile=house.ca)
        made = await asyncpg.connect(
            host="127.0.0.1", port=house.port, user=LEASE, password=LEASE_SECRET, database="orders", ssl=trust
        )
        try:
            found: int = await made.fetchval("SELECT 8")
            return found
        finally:
            await made.close()

    assert asyncio.run(driver()) == 8


def test_a_wrong_secret_and_an_unknown_lease_fail_alike(house: Gatehouse) -> None:
    said = []
    for user, password in ((LEASE, "wrong"), ("hl_zzzzzzzzzzzz", LEASE_SECRET), ("hl_", "x"), (LEASE, TOKEN)):
        done = house.psql("-c", "SELECT 1", user=user, password=password)
        assert done.returncode == 2 and LEASE_SECRET not in done.stderr
        said.append(done.stderr.replace(user, "USER").split("FATAL:")[1])
    assert said == [said[0]] * 4
    assert 'the secret of lease "USER" is wrong, or there is no such lease' in said[0]
    # The doorman was told each time, and only once.
    assert house.door.refusals == [("lease-wrong", user) for user in (LEASE, "hl_zzzzzzzzzzzz", "hl_", LEASE)]


def test_an_unknown_lease_gets_every_message_of_the_exchange(house: Gatehouse) -> None:
    firsts = []
    for _ in range(2):
        with knock(house, "hl_nosuchlease1") as client:
            offer = codec.sasl_mechanisms(client.auth().data)
            assert offer == ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256")
            mine = Scram(offer, Secret("x"), client.socket)  # type: ignore[arg-type]  # an SSLSocket has what an SSLObject has
            client.send(build.sasl_initial(mine.mechanism, mine.first()))
            first = client.auth()
            assert first.code == 11
            firsts.append(first.data.partition(b",")[2])
            client.send(build.sasl_response(asyncio.run(mine.final(first.data))))
            assert client.error()["C"] == "28P01"
    assert firsts[0] == firsts[1], "the salt of a lease that does not exist gives it away when it changes"


def test_somebody_in_between_who_hides_channel_binding_is_found_out(house: Gatehouse) -> None:
    with knock(house, LEASE) as client:
        assert client.auth().code == 10
        client.send(build.sasl_initial("SCRAM-SHA-256", b"y,,n=,r=abcdefghijkl"))
        error = client.error()
        assert error["C"] == "28000" and "somebody in between has taken it away" in error["M"]
    assert [code for code, _ in house.until(lambda: house.door.refusals)] == ["channel-binding"]


def test_a_relayed_login_is_bound_to_another_certificate(house: Gatehouse, tmp_path: Path) -> None:
    """psql through a man in the middle with a certificate of his own: the proof he relays is worth nothing."""
    with (
        open_gate(house.server, "postgres", tmp_path) as other,
        knock(house, LEASE) as client,
        knock(other, LEASE) as victim,
    ):
        offer = codec.sasl_mechanisms(client.auth().data)
        victims = Scram(offer, Secret(LEASE_SECRET), victim.socket)  # type: ignore[arg-type]  # as above
        client.send(build.sasl_initial(victims.mechanism, victims.first()))
        client.send(build.sasl_response(asyncio.run(victims.final(client.auth().data))))
        error = client.error()
        assert error["C"] == "28000" and "SCRAM channel binding failed" in error["M"]
    assert [code for code, _ in house.until(lambda: house.door.refusals)] == ["channel-binding"]
    assert "lease-wrong" not in str(house.door.refusals), "nobody guessed"


@pytest.mark.parametrize(
    "message",
    [build.password("hl_x.secret"), build.sasl_initial("PLAIN", b"\0hl\0secret"), build.sasl_initial("SCRAM-SHA-256", b""),
     build.message(b"p", b"x" * 3000), build.query("SELECT 1"), build.sasl_response(b"n,,n=,r=abc")],
)  # fmt: skip
def test_broken_exchanges_are_violations(house: Gatehouse, message: bytes) -> None:
    with knock(house, LEASE) as client:
        assert client.auth().code == 10
        client.send(message)
        assert client.error()["C"] == "08P01"
    assert house.until(lambda: house.door.refusals)[0][0] in ("sasl", "protocol")


def test_who_guesses_too_often_is_told_to_go_away(house: Gatehouse) -> None:
    house.door.locked = True
    try:
        done = house.psql("-c", "SELECT 1", user=LEASE, password=LEASE_SECRET)
    finally:
        house.door.locked = False
    assert "too many wrong guesses" in done.stderr
    [(code, log)] = house.until(lambda: house.door.refusals)
    assert code == "lease-locked" and "guesses" in log


def test_the_server_s_proof_comes_before_the_welcome(house: Gatehouse) -> None:
    with knock(house, LEASE) as client:
        mine = Scram(codec.sasl_mechanisms(client.auth().data), Secret(LEASE_SECRET), client.socket)  # type: ignore[arg-type]  # as above
        client.send(build.sasl_initial(mine.mechanism, mine.first()))
        client.send(build.sasl_response(asyncio.run(mine.final(client.auth().data))))
        last = client.auth()
        assert last.code == 12
        mine.check(last.data)
        with pytest.raises(ScramFailed):
            mine.check(last.data.replace(b"v=", b"v=AAAA"))
        assert client.auth().code == 0


# --- OAUTHBEARER


def test_a_token_comes_by_oauthbearer(house: Gatehouse) -> None:
    with knock(house, "oauth") as client:
        assert codec.sasl_mechanisms(client.auth().data) == ("OAUTHBEARER",)
        client.send(build.sasl_initial("OAUTHBEARER", f"n,,\x01auth=Bearer {TOKEN}\x01\x01".encode()))
        assert client.auth().code == 0
    assert house.door.refusals == []


def test_a_client_without_a_token_is_told_where_to_get_one(house: Gatehouse) -> None:
    with knock(house, "oauth") as client:
        client.auth()
        client.send(build.sasl_initial("OAUTHBEARER", b"n,,\x01auth=\x01\x01"))
        told = client.auth()
        assert (
            told.code == 11
            and json.loads(told.data)["openid-configuration"] == f"{ISSUER}/.well-known/openid-configuration"
        )
        client.send(build.sasl_response(b"\x01"))
        assert client.error()["C"] == "28000"
        assert client.read() == b""
    assert house.door.refusals == [], "nobody tried to get in"


@pytest.mark.parametrize("answer", [build.sasl_response(b"\x01"), build.sasl_response(b"n"), build.query("SELECT 1")])
def test_a_token_that_is_worth_nothing_is_refused_as_rfc_7628_has_it(house: Gatehouse, answer: bytes) -> None:
    with knock(house, "oauth") as client:
        client.auth()
        client.send(build.sasl_initial("OAUTHBEARER", b"n,,\x01auth=Bearer not.that.one\x01\x01"))
        assert json.loads(client.auth().data)["status"] == "invalid_token"
        client.send(answer)
        error = client.error()
        assert error["C"] == "28P01" and error["M"] == "the token is not valid"
        assert client.read() == b""


def test_a_refused_client_that_says_nothing_more_is_closed_all_the_same(house: Gatehouse) -> None:
    with knock(house, "oauth") as client:
        client.auth()
        client.send(build.sasl_initial("OAUTHBEARER", b"n,,\x01auth=Bearer not.that.one\x01\x01"))
        assert client.auth().code == 11
        assert client.error()["M"] == "the token is not valid"
        assert client.read() == b""


# --- OAUTHBEARER by the real libpq 18


class _TokenRequest(ctypes.Structure):
    """PGoauthBearerRequest of libpq-fe.h, version 18."""

    _fields_ = (
        ("openid_configuration", ctypes.c_char_p),
        ("scope", ctypes.c_char_p),
        ("async_", ctypes.c_void_p),
        ("cleanup", ctypes.c_void_p),
        ("token", ctypes.c_char_p),
        ("user", ctypes.c_void_p),
    )


_HOOK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
_BEARER_TOKEN = 1
"""PQAUTHDATA_OAUTH_BEARER_TOKEN; 0 is the prompt for a device code."""


@contextmanager
def libpq_token(token: str) -> Iterator[list[tuple[bytes, bytes]]]:
    """The libpq inside psycopg's wheel gets this token from its application; yields what it asked with."""
    [path] = (Path(psycopg_binary.__file__).parent.parent / "psycopg_binary.libs").glob("libpq-*.so*")
    libpq = ctypes.CDLL(str(path))
    asked: list[tuple[bytes, bytes]] = []
    kept = ctypes.create_string_buffer(token.encode())

    @_HOOK
    def hook(kind: int, _connection: int, data: int) -> int:
        if kind != _BEARER_TOKEN:
            return 0
        request = ctypes.cast(data, ctypes.POINTER(_TokenRequest)).contents
        asked.append((request.openid_configuration, request.scope))
        request.token = ctypes.cast(kept, ctypes.c_char_p)
        return 1

    libpq.PQsetAuthDataHook.argtypes = [_HOOK]
    libpq.PQgetAuthDataHook.restype = _HOOK
    before = libpq.PQgetAuthDataHook()
    libpq.PQsetAuthDataHook(hook)
    try:
        yield asked
    finally:
        libpq.PQsetAuthDataHook(before)


def test_libpq_18_is_told_the_issuer_and_comes_back_with_a_token(house: Gatehouse) -> None:
    assert psycopg.pq.version() >= 180000
    words = {
        "user": "oauth",
        "password": "unused",
        "oauth_issuer": ISSUER,
        "oauth_client_id": "psql",
        "require_auth": "oauth",
    }
    with libpq_token(TOKEN) as asked, psycopg.connect(house.dsn(**words)) as made:
        assert made.execute("SELECT 9").fetchone() == (9,)
    assert asked == [(f"{ISSUER}/.well-known/openid-configuration".encode(), b"openid")]
    assert house.door.refusals == []


def test_libpq_18_says_why_its_token_is_refused(house: Gatehouse) -> None:
    words = {"user": "oauth", "oauth_issuer": ISSUER, "oauth_client_id": "psql"}
    with libpq_token("not.that.one"), pytest.raises(psycopg.OperationalError, match="the token is not valid"):
        psycopg.connect(house.dsn(**words))
    other = {**words, "oauth_issuer": "https://idp.example/realms/other"}
    with libpq_token(TOKEN) as asked, pytest.raises(psycopg.OperationalError, match="issuer"):
        psycopg.connect(house.dsn(**other))
    assert asked == [], "libpq compares the issuer that it is told with its own"

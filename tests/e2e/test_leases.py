"""Leases and tokens by SASL with stock clients: psql, psycopg and asyncpg by SCRAM, libpq 18 by OAUTHBEARER, each end with its reason."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any

import asyncpg
import psycopg
import pytest

from hooptui.core.model import Identity, Lease
from hooptui.core.secret import Secret
from tests.e2e.bed import POLICY, Bed, bed
from tests.e2e.jit import Waiting, later, psqls
from tests.postgres_server import PostgresServer
from tests.protocols.postgres.test_login import libpq_token

__all__ = ["later", "psqls"]

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("psqls")]

SHORT = """
  - {id: short-timers, effect: allow, session_max: 5m, when: {principal: {groups: [short]}, resource: {protocol: postgres}, postgres: {commands: [select, call]}}}
"""


@pytest.fixture(scope="module")
def world(postgres: PostgresServer) -> Iterator[Bed]:
    with bed(postgres, policy=POLICY.replace("masks:\n", SHORT.lstrip("\n") + "masks:\n", 1)) as made:
        yield made
        made.gateway.stop("the module is over")
        assert made.leaks() == []


def lease(world: Bed, name: str = "leaser", until: float | None = None) -> tuple[Lease, str]:
    """A lease as the portal gives one out, and the secret that goes with its id."""
    gateway = world.gateway.gateway
    assert gateway is not None
    who = Identity(world.issuer.url, name, name, frozenset({"agents"}))

    async def issue() -> tuple[Lease, Secret]:
        return gateway.keeper.issue(who, "device", peer="127.0.0.1:1", until=until)

    made, secret = world.on_gateway(issue())
    return made, secret.reveal().partition(".")[2]


def scram(made: Lease, **more: str) -> dict[str, str]:
    """libpq's variables for a login that needs no CA file: the channel binding proves the gateway."""
    return {
        "PGUSER": made.id,
        "PGSSLMODE": "require",
        "PGSSLROOTCERT": "/nowhere",
        "PGCHANNELBINDING": "require",
        **more,
    }


def events(world: Bed, kind: str) -> list[dict[str, Any]]:
    """What the journal on disk holds of a kind."""
    found = [line["event"] for line in world.journal() if "event" in line]
    return [event for event in found if event["kind"] == kind]


def refusals(world: Bed) -> list[str]:
    return [event["data"]["code"] for event in events(world, "login_failed")]


def test_psql_proves_a_lease_without_a_ca_file(world: Bed) -> None:
    made, secret = lease(world)
    done = world.run("psql", "-XAtc", "SELECT 6 * 7", token=secret, **scram(made))
    assert (done.stdout, done.returncode) == ("42\n", 0), done.stderr
    [opened] = world.until(
        lambda: [one["data"] for one in events(world, "session_opened") if one["data"]["lease"] == made.id]
    )
    assert opened["subject"] == "leaser"
    assert secret not in str(world.journal())


def test_drivers_prove_a_lease(world: Bed) -> None:
    made, secret = lease(world)
    with psycopg.connect(world.dsn(secret, user=made.id, channel_binding="require")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)

    async def driver() -> int:
        trust = ssl.create_default_context(cafile=world.ca)
        connection = await asyncpg.connect(
            host="127.0.0.1", port=world.port, user=made.id, password=secret, database="orders-db", ssl=trust
        )
        try:
            return int(await connection.fetchval("SELECT 2"))
        finally:
            await connection.close()

    assert asyncio.run(driver()) == 2


def test_a_guesser_is_locked_out_and_learns_nothing(world: Bed) -> None:
    made, secret = lease(world, "victim")
    words = []
    for user in (made.id, "hl_aaaaaaaaaaaa"):
        done = world.run("psql", "-XAtc", "SELECT 1", token="wrong", **scram(made, PGUSER=user))
        words.append(done.stderr.replace(user, "USER").split("FATAL:")[1])
    assert words[0] == words[1], "a lease that exists fails as one that does not"
    for _ in range(12):
        done = world.run("psql", "-XAtc", "SELECT 1", token="wrong", **scram(made))
    assert "too many wrong leases were sent" in done.stderr
    right = world.run("psql", "-XAtc", "SELECT 1", token=secret, **scram(made))
    assert right.returncode == 2, "even the right secret waits for the lock to end"
    world.until(lambda: {"lease-wrong", "lease-locked"} <= set(refusals(world)))
    assert len([event for event in events(world, "alert") if "guesses leases" in str(event)]) == 1, "told once"
    other, good = lease(world, "bystander")
    assert world.run("psql", "-XAtc", "SELECT 1", token=good, **scram(other)).stdout == "1\n", (
        "others are not locked out"
    )


def test_a_revoked_lease_ends_its_session_and_opens_no_other(world: Bed) -> None:
    made, secret = lease(world)
    psql = Waiting(world, "-c", "SELECT pg_sleep(60)", token=secret, **scram(made))
    world.until(lambda: [one for one in world.snapshot().sessions if one.lease == made.id and one.state == "running"])
    assert world.do("revoke", what=made.id, reason="laptop lost").ok
    _, err, code = psql.end()
    assert code == 2 and "laptop lost" in err
    again = world.run("psql", "-XAtc", "SELECT 1", token=secret, **scram(made))
    assert again.returncode == 2 and "revoked" in again.stderr


def test_each_bound_says_itself_why_the_time_is_over(world: Bed, later: Callable[[float], None]) -> None:
    now = time.time()
    made, secret = lease(world, "short-lease", until=now + 500)
    waiting = {
        "the lease it was opened with has ended": Waiting(world, "-c", "SELECT pg_sleep(60)", token=secret, **scram(made)),
        "the token it was opened with has expired": Waiting(
            world, "-c", "SELECT pg_sleep(60)", token=world.token("short-token", exp=int(now) + 400)
        ),
        "the policy gives it no more time": Waiting(
            world, "-c", "SELECT pg_sleep(60)", token=world.token("short-policy", ("short",), exp=int(now) + 3600)
        ),
    }  # fmt: skip
    world.until(lambda: len([one for one in world.snapshot().sessions if one.state == "running"]) == 3)
    later(600.0)
    for words, psql in waiting.items():
        _, err, code = psql.end()
        assert code == 2 and f"FATAL:  this session's time is over: {words}" in err
    expired = world.run("psql", "-XAtc", "SELECT 1", token=secret, **scram(made))
    assert expired.returncode == 2 and "expired" in expired.stderr


def test_libpq_18_logs_in_by_oauthbearer(world: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGOAUTHDEBUG", "UNSAFE")  # the issuer of the tests has no TLS
    words = {"user": "oauth", "oauth_issuer": world.issuer.url, "oauth_client_id": "psql", "require_auth": "oauth"}
    with libpq_token(world.token("person")) as asked, psycopg.connect(world.dsn("unused", **words)) as connection:
        assert connection.execute("SELECT 3").fetchone() == (3,)
    assert asked == [(f"{world.issuer.url}/.well-known/openid-configuration".encode(), b"openid")]
    expired = world.token("person", iat=int(time.time()) - 7200, exp=int(time.time()) - 3600)
    with libpq_token(expired), pytest.raises(psycopg.OperationalError, match="expired"):
        psycopg.connect(world.dsn("unused", **words))
    world.until(lambda: "token-expired" in refusals(world))

"""psql through the gateway with a real OpenID provider behind it: client credentials, revocation, outage and key rotation."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hooptui.core.desk import SessionView
from hooptui.core.events import Alert
from tests.e2e.bed import Bed, bed
from tests.postgres_server import PostgresServer
from tests.providers.oidc_provider import AUDIENCE, PORTAL, OidcProvider, oidc_provider

pytestmark = pytest.mark.e2e

SLEEP = "SELECT pg_sleep(120)"


@pytest.fixture(scope="module")
def idp() -> Iterator[OidcProvider]:
    with oidc_provider() as running:
        yield running


@contextmanager
def beside(postgres: PostgresServer, idp: OidcProvider, tmp_path: Path, *, keep_for: str) -> Iterator[Bed]:
    """A bed whose gateway knows the provider too, and asks it every second whether tokens are still good."""
    secret = tmp_path / "introspection"
    secret.write_text(idp.secrets[PORTAL])
    secret.chmod(0o600)
    issuer = (
        f', {{issuer: "{idp.url}", audience: "{AUDIENCE}", kind: {{claim: idtyp, equals: app}}, owner: act.sub, revocation:'
        f' {{mode: introspection, interval: 1s, keep_for: {keep_for}, client_id: {PORTAL}, client_secret: {{file: "{secret}"}}}}}}'
    )
    with bed(postgres, issuers=issuer) as made:
        yield made
        made.gateway.stop("the test is over")
        assert made.leaks() == []


@pytest.fixture
def house(postgres: PostgresServer, idp: OidcProvider, tmp_path: Path) -> Iterator[Bed]:
    with beside(postgres, idp, tmp_path, keep_for="60s") as made:
        yield made


def running(world: Bed, count: int = 1) -> list[SessionView]:
    return world.until(
        lambda: len(found := [one for one in world.snapshot().sessions if one.state == "running"]) == count and found
    )


def test_a_workload_and_an_agent_log_in_by_client_credentials(house: Bed, idp: OidcProvider) -> None:
    for client, kind, owner in (("etl-7", "workload", ""), ("bot-8", "agent", f"{idp.url}#ops-1")):
        psql = house.start_psql("-c", SLEEP, token=str(idp.workload(client)["access_token"]))
        [session] = running(house)
        assert (session.identity, session.kind, session.owner) == (f"{idp.url}#{client}", kind, owner)
        assert session.bounds[0][0] == "token"
        assert house.do("kill", session=session.id).ok
        house.finish(psql, timeout=60)


def test_revocation_cuts_a_live_session_by_a_poll(house: Bed, idp: OidcProvider) -> None:
    token = str(idp.workload("etl-7")["access_token"])
    other = str(idp.workload("bot-8")["access_token"])
    psql, beside_it = (house.start_psql("-c", SLEEP, token=one) for one in (token, other))
    running(house, 2)
    try:
        idp.revoke(sub="etl-7")
        began = time.monotonic()
        _, err = house.finish(psql, timeout=60)
        assert time.monotonic() - began < 60, "half of the query's time"
        assert "the identity provider says that the token is not active" in err
        assert len(running(house)) == 1, "whose token is good goes on"
        again = house.psql("SELECT 1", token=token)
        assert again.returncode == 2 and "has been revoked" in again.stderr
    finally:
        idp.restore("etl-7")
        for session in house.snapshot().sessions:
            house.do("kill", session=session.id)
        house.finish(beside_it, timeout=60)


def test_an_outage_is_waited_out_as_long_as_the_issuer_says(
    postgres: PostgresServer, idp: OidcProvider, tmp_path: Path
) -> None:
    with beside(postgres, idp, tmp_path, keep_for="4s") as world:
        psql = world.start_psql("-c", SLEEP, token=str(idp.workload("etl-7")["access_token"]))
        running(world)
        try:
            idp.trouble({"/token/introspection": {"kind": "error", "status": 503}})
            began = time.monotonic()
            _, err = world.finish(psql, timeout=60)
            assert 3 < time.monotonic() - began < 60
            assert "nobody could say whether the token is still good" in err
        finally:
            idp.trouble({})
        alerts = [line.event.body for line in world.on_bed(world.desk.journal(limit=200))]
        assert "revocation-unreachable" in [one.code for one in alerts if isinstance(one, Alert)]


def test_keys_may_rotate_while_sessions_live(house: Bed, idp: OidcProvider) -> None:
    before = str(idp.workload("etl-7")["access_token"])
    psql = house.start_psql(token=before)
    assert psql.stdin is not None
    psql.stdin.write("SELECT 1;\n")
    psql.stdin.flush()
    house.until(lambda: house.snapshot().sessions)
    idp.rotate()
    after = str(idp.workload("etl-7")["access_token"])
    assert house.psql("SELECT 2", token=after).stdout == "2\n"
    assert house.psql("SELECT 3", token=before).stdout == "3\n", "the old key is still published"
    out, _ = house.finish(psql, "SELECT 4;\n")
    assert out == "1\n4\n"

"""Real programs under a role of their own: nothing changes for them but the name, and no role outlives its session."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator

import asyncpg
import pytest

from hooptui.core.events import CredentialMinted, CredentialRemoved
from tests.e2e.bed import Bed
from tests.e2e.jit import MINTER, ROLE, Waiting, minting_bed, psqls, roles
from tests.postgres_server import PostgresServer

__all__ = ["psqls"]

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("psqls")]


@pytest.fixture(scope="module")
def world(postgres: PostgresServer) -> Iterator[Bed]:
    with minting_bed(postgres) as made:
        yield made


@pytest.fixture(autouse=True)
def no_role_is_left(world: Bed) -> Iterator[None]:
    yield
    world.until(lambda: roles(world) == [])


def count(world: Bed, kind: type) -> int:
    return sum(isinstance(one.event.body, kind) for one in world.on_bed(world.desk.journal(limit=2000)))


def test_masks_and_reviews_work_under_a_minted_role(world: Bed) -> None:
    """Names of columns are looked up by the gateway's own login, which needs no right on the tables."""
    done = world.psql("SELECT email AS a, ssn AS b FROM (SELECT * FROM customers) c WHERE id = 1")
    assert (done.stdout, done.returncode) == ("████|████\n", 0)
    psql = world.start_psql("-c", "UPDATE orders SET paid = true")
    held = world.held()
    assert world.do("approve", number=str(held.number), reason="ok").ok
    assert "held for approval" in world.finish(psql)[1] and psql.returncode == 0


def test_what_is_created_belongs_to_the_configured_role(world: Bed) -> None:
    assert world.psql("CREATE TABLE kept AS SELECT 1 AS id").returncode == 0
    world.until(lambda: roles(world) == [])
    owner = world.server.sql("SELECT tableowner FROM pg_tables WHERE tablename = 'kept'", database=world.database)
    assert owner == ROLE
    assert world.psql("SELECT id FROM kept").stdout == "1\n", "another session of the same rights may use it"


def test_pgbench_and_asyncpg_open_many_sessions_and_leave_no_role(world: Bed) -> None:
    before = count(world, CredentialMinted)
    script = world.home / "script.sql"
    script.write_text("\\set id random(1, 200)\nSELECT total FROM orders WHERE id = :id;\n")
    token = world.token("bench", ("admins",))
    done = world.run("pgbench", "-n", "-f", str(script), "-c", "4", "-t", "25", "-M", "prepared", token=token)
    assert done.returncode == 0 and "100/100" in done.stdout, done.stderr

    async def pool() -> list[str]:
        trust = ssl.create_default_context(cafile=world.ca)
        async with asyncpg.create_pool(
            host="127.0.0.1",
            port=world.port,
            user="anyone",
            password=token,
            database="orders-db",
            ssl=trust,
            min_size=5,
            max_size=5,
        ) as made:
            return await asyncio.gather(*(made.fetchval("SELECT session_user FROM pg_sleep(0.2)") for _ in range(5)))

    names = asyncio.run(pool())
    assert len(set(names)) == 5 and all(name.startswith("hooptui_") for name in names)
    world.until(lambda: roles(world) == [])
    made = count(world, CredentialMinted) - before
    assert made >= 9
    world.until(lambda: count(world, CredentialMinted) == count(world, CredentialRemoved))


def test_a_kill_is_confirmed_and_the_role_goes_with_it(world: Bed) -> None:
    psql = Waiting(world, "-c", "SELECT pg_sleep(60)", token=world.token())
    [session] = world.until(lambda: [one for one in world.snapshot().sessions if one.state == "running"])
    outcome = world.do("kill", session=session.id, reason="enough")
    assert outcome.ok and "gone from pg_stat_activity" in outcome.text, outcome.text
    assert "FATAL:  terminated by ops-1: enough" in psql.end()[1]
    world.until(lambda: roles(world) == [])


def test_a_role_cannot_be_used_beside_its_session(world: Bed) -> None:
    """Nobody outside the gateway knows the password, and one connection is all that the server lets it have."""
    psql = Waiting(world, "-c", "SELECT pg_sleep(60)", token=world.token())
    [session] = world.until(lambda: [one for one in world.snapshot().sessions if one.state == "running"])
    [role] = roles(world)
    shown = world.server.sql(f"SELECT rolconnlimit, rolsuper, rolcreaterole FROM pg_roles WHERE rolname = '{role}'")
    assert shown == "1|f|f"
    about = world.server.sql(f"SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = '{role}'")
    assert about == f"hooptui session {session.id} of {world.issuer.url}#bot"
    assert world.do("kill", session=session.id, reason="done").ok
    psql.end()


def test_a_mint_that_may_not_is_the_operator_s_trouble(world: Bed) -> None:
    world.server.sql(f"REVOKE ADMIN OPTION FOR {ROLE} FROM {MINTER}")
    try:
        done = world.psql("SELECT 1")
    finally:
        world.server.sql(f"GRANT {ROLE} TO {MINTER} WITH ADMIN OPTION")
    assert done.returncode == 2 and "does not give the gateway a credential for this session" in done.stderr
    assert MINTER not in done.stderr and ROLE not in done.stderr
    text = world.until(lambda: [line for line in world.journal() if "mint-refused" in str(line)])
    assert "permission denied" in str(text)
    assert world.psql("SELECT 1").stdout == "1\n"


def test_an_orphan_of_another_gateway_is_left_alone(world: Bed) -> None:
    """The sweep of this one has run at its start, and runs again; names of others are not its."""
    world.server.sql("CREATE ROLE hooptui_otherone_abc LOGIN")
    try:
        gateway = world.gateway.gateway
        assert gateway is not None
        psql = Waiting(world, "-c", "SELECT pg_sleep(60)", token=world.token())
        [session] = world.until(lambda: [one for one in world.snapshot().sessions if one.state == "running"])
        world.on_gateway(gateway.custody.sweep())
        assert len(roles(world)) == 2 and "hooptui_otherone_abc" in roles(world)
        assert world.do("kill", session=session.id, reason="done").ok
        psql.end()
    finally:
        world.server.sql("DROP ROLE hooptui_otherone_abc")

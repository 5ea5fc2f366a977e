"""The demo's world: seeded, private, described by an ordinary configuration and an honest policy."""

from __future__ import annotations

import stat
from pathlib import Path

import psycopg
import pytest

from hooptui.auth.oidc import Issuer, Verifier
from hooptui.config.load import load
from hooptui.core.clock import SystemClock
from hooptui.core.gate import LoginRefused
from hooptui.core.model import Kind
from hooptui.credentials.static import FileReference, resolve
from hooptui.demo.canaries import FIRST_ID, search
from hooptui.demo.headless import SCRIPTS as HEADLESS
from hooptui.demo.scripts import SCRIPTS
from hooptui.demo.world import (
    AUDIENCE,
    CLIENTS,
    CLUSTER,
    DATABASE,
    HOST_TARGET,
    OPERATOR,
    ROLE,
    SUPPORT_ROLE,
    TARGET,
    World,
)
from hooptui.errors import UserError
from hooptui.policy import suite
from hooptui.protocols.kubernetes.stated import read_request
from hooptui.protocols.postgres.facts import understand
from hooptui.protocols.ssh.commands import read_command

pytestmark = pytest.mark.asyncio(loop_scope="module")

TABLES = ("customers", "cards", "employees", "orders", "payments", "integrations")


async def rows(world: World, sql: str) -> list[tuple[object, ...]]:
    info = world.postgres.conninfo(ROLE, world.password, DATABASE)
    async with await psycopg.AsyncConnection.connect(info) as connection:
        return await (await connection.execute(sql.encode())).fetchall()


async def test_seeded_with_a_few_thousand_rows_and_every_canary(world: World) -> None:
    counts = {table: (await rows(world, f"SELECT count(*) FROM {table}"))[0][0] for table in TABLES}
    assert counts == {
        "customers": 2008,
        "cards": 2008,
        "employees": 128,
        "orders": 4000,
        "payments": 4000,
        "integrations": 28,
    }
    canaries = world.canaries.all()
    witness = await world.witness()
    assert {one.kind for one in search(canaries, [("w", witness)])} == {one.kind for one in canaries}
    assert len(search(canaries, [("w", witness)])) == len(canaries) == 56
    for table in ("customers", "cards", "employees", "integrations"):
        newest = await rows(world, f"SELECT * FROM {table} ORDER BY id DESC LIMIT 8")
        assert len(search(canaries, [(str(row), repr(row).encode()) for row in newest])) >= 8


async def test_the_seed_is_the_same_every_time(world: World, tmp_path: Path) -> None:
    digest = "SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM {} AS t WHERE id < " + str(FIRST_ID)
    async with World(tmp_path) as other:
        for table in TABLES:
            assert await rows(world, digest.format(table)) == await rows(other, digest.format(table))
        assert not {one.value for one in world.canaries.all()} & {one.value for one in other.canaries.all()}


async def test_numbers_in_the_seed_are_well_formed(world: World) -> None:
    from hooptui.masking.detectors import find

    for column, table, detector in (
        ("pan", "cards", "credit-card"), ("ssn", "customers", "us-ssn"), ("email", "customers", "email"), ("iban", "customers", "iban"),
        ("phone", "customers", "phone"), ("ssn", "employees", "us-ssn"), ("token", "integrations", "api-key"),
    ):  # fmt: skip
        for (value,) in await rows(world, f"SELECT {column} FROM {table}"):
            assert find(detector, str(value)) == [(0, len(str(value)))], (column, value)


async def test_secrets_on_disk_are_private(world: World) -> None:
    assert resolve(FileReference(world.directory / "orders-db.password")).matches(world.password.reveal())
    for name in ("orders-db.password", "minter.password", "web-01.key", "prod-eu.token", "hooptui.yaml", "policy.yaml"):
        assert stat.S_IMODE((world.directory / name).stat().st_mode) == 0o600
    for secret in (world.password, world.minter, world.host.key):
        assert secret.reveal() not in world.config_text()


async def test_the_configuration_is_an_ordinary_one(world: World) -> None:
    config = load(world.config_file)
    target, support = config.targets
    (host,) = config.hosts
    (cluster,) = config.clusters
    assert (cluster.target.name, cluster.target.protocol, cluster.target.labels) == (
        CLUSTER,
        "kubernetes",
        {"env": "prod"},
    )
    assert (host.target.name, host.target.protocol, host.target.labels) == (HOST_TARGET, "ssh", {"env": "prod"})
    assert (target.target.name, target.target.labels, target.mint) == (TARGET, {"env": "prod"}, None)
    assert support.mint is not None and support.mint.role == SUPPORT_ROLE
    assert config.operator is not None and config.operator.name == OPERATOR and "dba" in config.operator.groups
    (issuer,) = config.issuers
    async with Verifier([issuer], SystemClock()) as verifier:
        for client in CLIENTS:
            identity = await verifier.identify(await world.token(client.id))
            assert (identity.subject, identity.groups, identity.kind) == (client.id, set(client.groups), Kind.WORKLOAD)


async def test_tokens_of_the_world_are_worth_nothing_elsewhere(world: World) -> None:
    token = await world.token("bot")
    other = Issuer(world.issuer.url, frozenset({"another"}), ca_file=world.issuer_ca)
    async with Verifier([other], SystemClock()) as verifier:
        with pytest.raises(LoginRefused) as caught:
            await verifier.identify(token)
    assert caught.value.code == "wrong-audience" and AUDIENCE in caught.value.log


async def test_the_policy_passes_its_own_tests_which_miss_no_rule(world: World) -> None:
    report = suite.check([world.directory / "policy.yaml"])
    assert report.policy is not None and not report.problems and not report.warnings

    def reader(sql: str) -> object:
        return understand(sql).facts

    tested = suite.run_tests(report.policy, reader, read_command, read_request)  # type: ignore[arg-type]
    assert tested.ok, tested.failed
    covered = suite.coverage(report.policy, reader, read_command, read_request)  # type: ignore[arg-type]
    assert covered.ok, covered.uncovered


async def test_every_statement_of_the_agents_is_understood(world: World) -> None:
    for script in (*SCRIPTS, *HEADLESS):
        for step in script.steps if script.program != "kubectl" else ():
            shell = script.program == "ssh"
            facts = read_command(step.text) if shell else understand(step.text.replace("%s", "$1")).facts
            assert facts.understood, (step.text, facts.unknown)


async def test_the_hosts_log_holds_what_nobody_should_write_there(world: World) -> None:
    found = {one.kind for one in search(world.canaries.all(), [("log", world.log())])}
    assert found == {"email", "ssn", "card", "api-key"}


async def test_the_cluster_holds_its_secrets_and_nothing_else_does(world: World) -> None:
    canaries = world.in_cluster()
    assert len(search(canaries, [("cluster", world.cluster_witness())])) == len(canaries) == 4
    assert not search(canaries, [("config", world.config_text().encode())])


async def test_a_directory_that_is_kept_serves_again_with_its_own_policy(tmp_path: Path) -> None:
    async with World(tmp_path) as first:
        text = (tmp_path / "policy.yaml").read_text()
        port = first.postgres.port
    (tmp_path / "policy.yaml").write_text(text + "# mine\n")
    async with World(tmp_path) as second:
        assert (tmp_path / "policy.yaml").read_text().endswith("# mine\n")
        assert await rows(second, "SELECT 1") == [(1,)]
        assert second.issuer_ca.is_file() and (second.postgres.port != port or port > 0)


async def test_a_world_that_fails_to_start_leaves_nothing_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path)

    async def broken() -> None:
        raise UserError("no seed")

    monkeypatch.setattr(world, "_seed", broken)
    with pytest.raises(UserError, match="no seed"):
        await world.__aenter__()
    with pytest.raises(psycopg.OperationalError, match="refused"):
        await psycopg.AsyncConnection.connect(world.postgres.conninfo(ROLE, world.password, DATABASE))

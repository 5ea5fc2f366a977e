"""Taking access away for real: block, revoke, leases and grants through a running gateway, with psql at the other end."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from hooptui.control.client import RemoteDesk
from hooptui.core.desk import Command, DeskClosed, Outcome
from hooptui.core.events import Voted
from hooptui.core.model import Identity, Lease
from hooptui.core.secret import Secret
from tests.e2e.bed import POLICY, Bed, bed
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.e2e

ACCESS = """
  - id: jit
    effect: approve
    grants: true
    reason: on-call access
    when: {principal: {groups: [oncall]}, resource: {protocol: postgres}, postgres: {commands: [select, call]}}
    approval: {by: [dba], scope_lasts: 5m, break_glass: [leads], break_glass_lasts: 5m}
"""


@pytest.fixture(scope="module")
def world(postgres: PostgresServer) -> object:
    with bed(postgres, policy=POLICY.replace("masks:\n", ACCESS.lstrip("\n") + "masks:\n", 1)) as made:
        yield made


def lease(world: Bed, who: Identity) -> tuple[Lease, Secret]:
    """A lease as the portal gives one out."""
    gateway = world.gateway.gateway
    assert gateway is not None

    async def issue() -> tuple[Lease, Secret]:
        return gateway.keeper.issue(who, "device", peer="127.0.0.1:1")

    return world.on_gateway(issue())


def bot(world: Bed, name: str = "leaser") -> Identity:
    return Identity(world.issuer.url, name, name, frozenset({"agents"}))


def remote(world: Bed, command: Command, credential: str = "") -> Outcome:
    """One command over the control socket, as `hooptui do` gives it."""

    async def go() -> Outcome:
        desk = RemoteDesk(world.state, readonly=False)
        try:
            if credential:
                await desk.sit(Secret(credential))
            return await desk.run(command)
        finally:
            await desk.close()

    return world.on_bed(go())


def votes(world: Bed, number: int) -> list[Voted]:
    """What the journal on disk says about an approval."""
    bodies = [line.event.body for line in world.on_bed(world.desk.journal(limit=200))]
    return [body for body in bodies if isinstance(body, Voted) and body.approval == number]


def test_a_lease_is_a_password_until_it_is_taken_back(world: Bed) -> None:
    made, secret = lease(world, bot(world))
    assert world.psql("SELECT 1", token=secret.reveal()).stdout == "1\n"
    psql = world.start_psql("-c", "SELECT pg_sleep(60)", token=secret.reveal())
    world.until(lambda: [one.state for one in world.snapshot().sessions if one.lease == made.id] == ["running"])
    [view] = [one for one in world.snapshot().leases if one.id == made.id]
    assert view.sessions == 1
    outcome = world.do("revoke", what=made.id, reason="laptop lost")
    assert outcome.ok and outcome.data == {"sessions": 1}
    _, err = world.finish(psql, timeout=60)
    assert "laptop lost" in err
    again = world.psql("SELECT 1", token=secret.reveal())
    assert again.returncode == 2 and "the lease was revoked" in again.stderr


def test_a_blocked_identity_is_out_at_once_and_stays_out(world: Bed) -> None:
    token = world.token("mallory")
    psql = world.start_psql("-c", "SELECT pg_sleep(60)", token=token)
    [session] = world.until(lambda: [one for one in world.snapshot().sessions if one.state == "running"])
    began = time.monotonic()
    outcome = world.do("block", identity=session.id, reason="leaked key")
    assert outcome.ok, outcome.text
    assert outcome.data["sessions"] == 1 and outcome.data["confirmed"] is True
    assert time.monotonic() - began < 50
    _, err = world.finish(psql, timeout=60)
    assert "leaked key" in err
    refused = world.psql("SELECT 1", token=token)
    assert refused.returncode == 2 and "locked you out" in refused.stderr
    key = f"{world.issuer.url}#mallory"
    assert [one.identity for one in world.snapshot().blocks] == [key]
    assert world.do("unblock", identity=key).ok
    assert world.psql("SELECT 1", token=token).stdout == "1\n"


def test_access_is_asked_for_given_and_taken_back(world: Bed) -> None:
    token = world.token("ops-9", ("oncall",))
    psql = world.start_psql("-c", "SELECT 1", "-c", "SELECT pg_sleep(60)", token=token)
    held = world.held()
    assert held.access and held.rule == "jit"
    outcome = world.do("approve", number=str(held.number), lasts="2m", reason="INC-1")
    assert outcome.ok, outcome.text
    [session] = world.until(lambda: [one for one in world.snapshot().sessions if one.state == "running"])
    assert session.grant == held.number and session.bounds[0][0] == "grant"
    assert world.psql("SELECT 2", token=token).stdout == "2\n", "the grant opens further connections without asking"
    denied = world.psql("DELETE FROM orders WHERE id = 1", token=token)
    assert "no rule lets you delete" in denied.stderr
    world.until(lambda: [one.id for one in world.snapshot().sessions] == [session.id])
    outcome = world.do("revoke", what=str(held.number), reason="over")
    assert outcome.ok and outcome.data["sessions"] == 1
    _, err = world.finish(psql, timeout=60)
    assert "took back the access" in err


def test_a_vote_over_the_socket_is_by_whoever_proved_who_they_are(world: Bed) -> None:
    psql = world.start_psql("-c", "DELETE FROM orders", token=world.token("clumsy"))
    held = world.held()
    command = Command("deny", {"number": str(held.number), "reason": "no"})
    stranger = remote(world, command, world.token("dev-1", ("developers",)))
    assert not stranger.ok and "in none of the groups" in stranger.text
    own = remote(world, command, world.token("clumsy", ("dba",)))
    assert not own.ok and "cannot judge it" in own.text
    assert remote(world, command, world.token("ops-2", ("dba",))).ok
    world.finish(psql, timeout=60)
    [voted] = world.until(lambda: votes(world, held.number))
    assert (voted.by, voted.groups) == (f"{world.issuer.url}#ops-2", ("dba",))
    told = subprocess.run(
        [sys.executable, "-m", "hooptui.cli", "prove", held.session, "--state-dir", str(world.state)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout + told.stderr
    assert "ops-2" in told.stdout and "deny" in told.stdout and "clumsy" in told.stdout
    with pytest.raises(DeskClosed, match="not a signed token"):
        remote(world, command, "nonsense")


def test_nothing_of_all_this_shows_a_secret(world: Bed) -> None:
    _, secret = lease(world, bot(world, "quiet"))
    assert world.psql("SELECT email FROM customers", token=secret.reveal()).returncode == 0
    assert world.leaks() == []
    kept = "\n".join(path.read_bytes().decode("latin-1") for path in world.state.rglob("*") if path.is_file())
    assert secret.reveal().partition(".")[2] not in kept

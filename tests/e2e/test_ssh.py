"""Stock ssh through a whole gateway: a lease or its certificate, commands judged, held, masked and recorded, sessions killed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hooptui.core.events import Asked
from hooptui.core.model import Identity, Kind
from hooptui.core.secret import Secret
from hooptui.credentials.ssh_certificates import SshCa
from tests import ssh_server
from tests.e2e.bed import POLICY, Bed, bed
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.e2e

RULES = """
  - id: ssh-reads
    effect: allow
    when: {principal: {groups: [agents]}, resource: {protocol: ssh}, ssh: {actions: [exec], programs: [{run: ["echo *", "cat *", id, "sleep *", "printf *", "exit *"]}]}}
  - id: ssh-removes
    effect: deny
    reason: files are removed by tickets
    when: {resource: {protocol: ssh}, ssh: {programs: [{run: rm}]}}
  - id: ssh-restarts
    effect: approve
    reason: restarts need a second pair of eyes
    when: {principal: {groups: [agents]}, resource: {protocol: ssh}, ssh: {programs: [{run: printf}]}}
    approval: {by: [dba], expires: 1m}
masks:
  - {id: ssh-cards, when: {resource: {protocol: ssh}}, detect: [credit-card], action: redact}
"""


class Client:
    """A home with a key, a certificate for a lease, and the gateway's host key."""

    def __init__(self, world: Bed, home: Path) -> None:
        self.world = world
        self.home = home
        gateway = world.gateway.gateway
        assert gateway is not None
        self.port = next(int(one.address.rpartition(":")[2]) for one in gateway.listeners if one.protocol == "ssh")
        who = Identity(world.issuer.url, "sally", "sally", frozenset({"agents"}), kind=Kind.HUMAN)

        async def issue() -> tuple[str, Secret]:
            lease, secret = gateway.keeper.issue(who, "device", peer="127.0.0.1:1")
            return lease.id, secret

        self.lease, self.secret = world.on_gateway(issue())
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / "id")], check=True, timeout=60)
        signed = SshCa.kept(world.state).sign((home / "id.pub").read_bytes(), who, self.lease, now=gateway.clock.now())
        (home / "id-cert.pub").write_text(signed.certificate + "\n")
        host_key = (world.state / "ssh_host_ed25519.pub").read_text().strip()
        (home / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {host_key}\n")

    def command(self, *words: str, user: str = "web-01") -> list[str]:
        return [
            "ssh", "-F", "none", "-p", str(self.port), "-i", str(self.home / "id"), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
            "-o", f"UserKnownHostsFile={self.home}/known_hosts", "-o", "GlobalKnownHostsFile=none", "-o", "StrictHostKeyChecking=yes",
            f"{user}@127.0.0.1", *words,
        ]  # fmt: skip

    def run(self, *words: str, user: str = "web-01") -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*words, user=user), capture_output=True, text=True, timeout=60, env=self.environment()
        )
        self.world.seen.append(done.stdout + done.stderr)
        return done

    def environment(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if not name.startswith("SSH_")}


@pytest.fixture(scope="module")
def house(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    if shutil.which("ssh") is None and os.environ.get("CI") != "true":
        pytest.skip("no ssh")
    with ssh_server.running() as server:
        key = tmp_path_factory.mktemp("keys") / "key"
        key.write_text(server.key)
        key.chmod(0o600)
        host = (
            f'  web-01: {{protocol: ssh, host: 127.0.0.1, port: {server.port}, user: {server.user}, key: {{file: "{key}"}}, '
            f'host_key: "{server.host_key}", labels: {{env: prod}}}}'
        )
        policy = POLICY.replace("masks:\n", RULES.lstrip("\n"), 1)
        with bed(postgres, policy=policy, listen=', ssh: "127.0.0.1:0"', targets=host) as made:
            yield made
            made.gateway.stop("the module is over")
            assert made.leaks() == []


@pytest.fixture(scope="module")
def client(house: Bed, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(house, tmp_path_factory.mktemp("client"))


def asked(house: Bed) -> list[Asked]:
    """What the journal on disk says was asked for."""
    bodies = [line.event.body for line in house.on_bed(house.desk.journal(limit=200))]
    return [body for body in bodies if isinstance(body, Asked)]


def test_a_command_runs_and_is_on_record(house: Bed, client: Client) -> None:
    done = client.run("echo hello; cat /no-such-file; exit 3")
    assert (done.stdout, done.returncode) == ("hello\n", 3), done.stderr
    assert "No such file" in done.stderr
    house.until(lambda: any("echo hello" in one.text for one in asked(house)))


def test_a_denied_command_never_runs(house: Bed, client: Client, tmp_path: Path) -> None:
    marker = tmp_path / "kept"
    marker.write_text("here")
    done = client.run(f"rm -f {marker}")
    assert done.returncode == 126
    assert "files are removed by tickets" in done.stderr
    assert marker.exists()


def test_a_held_command_waits_for_a_person(house: Bed, client: Client) -> None:
    held_by = subprocess.Popen(
        client.command("printf done"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=client.environment(),
    )  # fmt: skip
    held = house.held()
    assert (held.via, held.target, held.rule) == ("ssh", "web-01", "ssh-restarts")
    assert house.do("approve", number=str(held.number), reason="INC-9").ok
    out, err = held_by.communicate(timeout=60)
    assert (out, held_by.returncode) == ("done", 0)
    assert f"#{held.number}" in err, "the client was told why it waits"


def test_output_is_masked(house: Bed, client: Client) -> None:
    card = house.canaries.card
    done = client.run(f"echo card {card[:8]}''{card[8:]} ok")
    assert done.returncode == 0, done.stderr
    assert card not in done.stdout and done.stdout.startswith("card ") and done.stdout.endswith(" ok\n")


def test_a_reviewer_sees_paths_masked(house: Bed, client: Client) -> None:
    """Whatever is planted in a path: the list of what is held, its facts, and the review."""
    card = house.canaries.card
    held_by = subprocess.Popen(
        client.command(f"printf x /tmp/of-{card}.txt /tmp/plain.txt"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env=client.environment(),
    )  # fmt: skip
    held = house.held()
    review = house.on_bed(house.desk.review(held.number))
    assert review is not None
    assert len(held.relations) == 2 and "/tmp/plain.txt" in held.relations, "the paths are there to be judged"
    [masked] = [path for path in held.relations if path != "/tmp/plain.txt"]
    assert masked.startswith("/tmp/of-") and masked.endswith(".txt")
    assert "printf x /tmp/of-" in held.text
    assert any("/tmp/plain.txt" in value for _, value in held.facts)
    assert card not in repr(held) + repr(review) + repr(house.snapshot())
    assert house.do("deny", number=str(held.number), reason="no such files").ok
    out, err = held_by.communicate(timeout=60)
    assert held_by.returncode == 126 and not Path(f"/tmp/of-{card}.txt").exists()
    house.seen.append(out)
    assert "no such files" in err
    house.until(lambda: any("/tmp/plain.txt" in one.relations for one in asked(house)))
    assert not any(card in repr(one) for one in asked(house)), "nor does the journal"


def test_a_kill_ends_it_and_says_so(house: Bed, client: Client) -> None:
    sleeping = subprocess.Popen(
        client.command("sleep 300"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=client.environment(),
    )  # fmt: skip
    [session] = house.until(lambda: [one for one in house.snapshot().sessions if one.state == "running"])
    outcome = house.do("kill", session=session.id, reason="enough")
    assert outcome.ok, outcome.text
    _, err = sleeping.communicate(timeout=60)
    assert sleeping.returncode != 0
    assert "enough" in err


def test_a_blocked_identity_has_no_way_in(house: Bed, client: Client) -> None:
    key = f"{house.issuer.url}#sally"
    assert house.do("block", identity=key, reason="laptop stolen").ok
    try:
        done = client.run("echo again")
        assert done.returncode == 255 and "again" not in done.stdout
    finally:
        assert house.do("unblock", identity=key).ok


def test_unknown_hosts_and_forbidden_ones_sound_the_same(house: Bed, client: Client) -> None:
    assert client.run("id", user="no-such-host").returncode == 255

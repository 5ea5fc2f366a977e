"""`ssh -A` through the gate with a real agent: carried where the policy allows, never otherwise, and never the gateway's own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hooptui.core.events import Asked, Decided, Finished
from hooptui.core.model import Decision, Operation
from tests.core.world import allow, deny, hold
from tests.protocols.contract import until
from tests.protocols.ssh.gatehouse import Gatehouse, open_gate
from tests.ssh_server import SshServer


class Agent:
    """A real ssh-agent with one key."""

    def __init__(self, home: Path) -> None:
        self.socket = home / "agent.sock"
        self._process = subprocess.Popen(["ssh-agent", "-D", "-a", str(self.socket)], stdout=subprocess.DEVNULL)
        until(self.socket.exists)
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "of-the-client", "-f", str(home / "key")],
            check=True,
            timeout=60,
        )
        subprocess.run(
            ["ssh-add", "-q", str(home / "key")],
            check=True,
            timeout=60,
            env={**os.environ, "SSH_AUTH_SOCK": str(self.socket)},
        )
        self.key = (home / "key.pub").read_text().split()[1]

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(60)


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    made = Agent(tmp_path_factory.mktemp("agent"))
    yield made
    made.stop()


class Policy:
    """What a gate's policy says of agents; everything else goes."""

    def __init__(self) -> None:
        self.agents = allow()

    def __call__(self, operation: Operation) -> Decision:
        if operation.facts.commands == {"agent_forward"}:
            return self.agents
        return deny() if "deny-me" in operation.text else allow()


@pytest.fixture(scope="module")
def policy() -> Policy:
    return Policy()


@pytest.fixture(scope="module")
def gate(server: SshServer, policy: Policy) -> Iterator[Gatehouse]:
    with open_gate(server, policy) as house:
        yield house


def run(
    gate: Gatehouse, agent: Agent, *words: str, more: tuple[str, ...] = ("-A",)
) -> subprocess.CompletedProcess[bytes]:
    return gate.run(gate.through(*words, more=more), env={"SSH_AUTH_SOCK": str(agent.socket)})


def finished(gate: Gatehouse) -> list[str]:
    return [body.tag for body in gate.book.bodies(Finished)]


def test_an_agent_that_the_policy_allows(gate: Gatehouse, agent: Agent, policy: Policy) -> None:
    policy.agents = allow()
    done = run(gate, agent, "ssh-add -L; ssh-add -L")
    assert done.stdout.decode().count(agent.key) == 2, done.stderr
    until(lambda: "used 2 times" in finished(gate))
    asked = [body for body in gate.book.bodies(Asked) if body.verb == "agent_forward"]
    assert asked[-1].text == "use the client's ssh agent"


def test_it_signs_and_many_at_once(gate: Gatehouse, agent: Agent, policy: Policy) -> None:
    policy.agents = allow()
    work = "for n in 1 2 3 4 5 6 7 8; do ssh-add -L & done; wait; t=$(mktemp); echo x > $t; ssh-add -L > $t.pub; ssh-keygen -q -Y sign -n file -f $t.pub $t && head -1 $t.sig"
    done = run(gate, agent, work)
    assert done.stdout.decode().count(agent.key) == 8 and b"BEGIN SSH SIGNATURE" in done.stdout, done.stderr


def test_without_a_rule_it_is_not_carried_and_the_command_runs(gate: Gatehouse, agent: Agent, policy: Policy) -> None:
    policy.agents = deny()
    done = run(gate, agent, 'echo "[$SSH_AUTH_SOCK]"; ssh-add -L')
    assert done.stdout == b"[]\n" and agent.key.encode() not in done.stdout + done.stderr
    assert b"your agent is not forwarded: refused: " in done.stderr and b"going on without it" in done.stderr
    decided = [body for body in gate.book.bodies(Decided) if body.effect == "deny"]
    assert decided, "on record"


def test_a_client_that_does_not_offer_it_gives_none(gate: Gatehouse, agent: Agent, policy: Policy) -> None:
    policy.agents = allow()
    before = len([body for body in gate.book.bodies(Asked) if body.verb == "agent_forward"])
    done = run(gate, agent, 'echo "[$SSH_AUTH_SOCK]"', more=("-a",))
    assert done.stdout == b"[]\n"
    assert len([body for body in gate.book.bodies(Asked) if body.verb == "agent_forward"]) == before


def test_it_may_wait_for_a_person(gate: Gatehouse, agent: Agent, policy: Policy) -> None:
    policy.agents = hold()
    command = gate.through("ssh-add -L", more=("-A",))
    program = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=gate.environment(SSH_AUTH_SOCK=str(agent.socket)),
    )  # fmt: skip
    gate.vote(True)
    out, err = program.communicate(timeout=60)
    assert agent.key.encode() in out and b"held for approval" in err
    policy.agents = hold()
    program = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=gate.environment(SSH_AUTH_SOCK=str(agent.socket)),
    )  # fmt: skip
    gate.vote(False, "not today")
    out, err = program.communicate(timeout=60)
    assert agent.key.encode() not in out and b"not today" in err


def test_a_denied_command_gets_no_agent(gate: Gatehouse, agent: Agent, policy: Policy) -> None:
    policy.agents = allow()
    done = run(gate, agent, "deny-me")
    assert done.returncode == 126
    until(lambda: "used 0 times" in finished(gate))


def test_the_agent_is_gone_with_its_channel(gate: Gatehouse, agent: Agent, policy: Policy, tmp_path: Path) -> None:
    """On a connection that is shared, one command with an agent gives none to the next without."""
    policy.agents = allow()
    shared = ("-o", f"ControlPath={tmp_path}/mux", "-o", "ControlPersist=10")
    first = run(gate, agent, "ssh-add -L", more=("-A", "-o", "ControlMaster=yes", *shared))
    assert agent.key.encode() in first.stdout
    try:
        policy.agents = deny()
        # sshd keeps its socket for the whole connection; nobody answers there any more.
        second = run(gate, agent, "echo in; ssh-add -L", more=("-A", *shared))
        assert b"in\n" in second.stdout and agent.key.encode() not in second.stdout + second.stderr
    finally:
        gate.run(gate.through(more=("-O", "exit", *shared)))

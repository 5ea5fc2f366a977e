"""What is not as directly, on purpose: each difference with what there is directly, what there is through the gate, and why."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from hooptui.core.model import Decision, Operation, SshFacts
from hooptui.protocols.ssh.commands import read_command
from tests.core.world import allow, deny
from tests.protocols.ssh.compare.sides import MASKS, Seen, Side, Sides
from tests.protocols.ssh.compare.test_forwards import Echo, served
from tests.protocols.ssh.gatehouse import open_gate
from tests.ssh_server import running


def some(operation: Operation) -> Decision:
    """Everything but what says `forbidden`, and forwards to anywhere but one's own ports above 1024."""
    facts = operation.facts
    assert isinstance(facts, SshFacts)
    if "forbidden" in operation.text or "agent_forward" in facts.actions:
        return deny()
    return allow()


@pytest.fixture(scope="module")
def guarded() -> Iterator[Sides]:
    """With commands read as in production."""
    import shutil
    import tempfile
    from pathlib import Path

    root = Path(tempfile.mkdtemp(prefix="hooptui-compare-"))
    try:
        with running() as server, open_gate(server, some, masks=MASKS, read=read_command) as gate:
            yield Sides(gate, root)
    finally:
        shutil.rmtree(root)


@dataclass(frozen=True, slots=True)
class Difference:
    why: str
    case: Callable[[Side], Seen]
    direct: Callable[[Seen], bool]
    through: Callable[[Seen], bool]


def ran(text: str | bytes, *more: str, stdin: bytes = b"") -> Callable[[Side], Seen]:
    return lambda side: side.exec(text, more=("-T", *more), stdin=stdin, status=None)


def refused(words: bytes) -> Callable[[Seen], bool]:
    return lambda seen: seen.status == 126 and not seen.out and words in seen.err


def sftp_reads(side: Side) -> Seen:
    side.target_file("forbidden", b"secret")
    batch = side.file(".cache-batch", f"get {side.there}/forbidden\n".encode())
    return side.run(["sftp", "-F", str(side.config), "-b", str(batch), "host"], status=None)


def goes_on(side: Side) -> Seen:
    """To another sshd through this one, as `-J` does."""
    return side.run(side.ssh(more=("-T", "-W", "127.0.0.1:22")), status=None)


def forwards(side: Side) -> Seen:
    with served(Echo) as there:
        return side.run(side.ssh(more=("-T", "-W", f"forbidden.localhost:{there}")), stdin=b"x", status=None)


def with_an_agent(side: Side) -> Seen:
    agent = subprocess.run(["ssh-agent", "-s"], capture_output=True, text=True, check=True, timeout=60).stdout
    named = dict(part.split("=", 1) for part in agent.replace("\n", "").split(";") if "=" in part)
    try:
        return side.run(
            side.ssh('test -S "$SSH_AUTH_SOCK" && echo agent || echo none', more=("-T", "-A")), status=None, SSH_AUTH_SOCK=named["SSH_AUTH_SOCK"]
        )  # fmt: skip
    finally:
        subprocess.run(["kill", named["SSH_AGENT_PID"]], check=True, timeout=60)


DIFFERENCES = {
    "a secret": Difference(
        "values that detectors find are masked",
        ran("cat; cat >&2", stdin=b"card 4111 1111 1111 1111 of ada@example.org\n"),
        lambda seen: b"4111 1111 1111 1111" in seen.out and b"ada@example.org" in seen.out,
        lambda seen: seen.status == 0 and b"4111" not in seen.out and b"ada@" not in seen.out and seen.out.startswith(b"card "),
    ),
    "a denied command": Difference(
        "a rule denies it: 126, and the reason on stderr",
        ran("echo forbidden"),
        lambda seen: seen == Seen(0, b"forbidden\n", b""),
        refused(b"hooptui: refused"),
    ),
    "what cannot be read": Difference(
        "what is not understood is never allowed",
        ran("if then"),
        lambda seen: seen.status == 2,
        refused(b"not understood"),
    ),
    "another subsystem": Difference(
        "of subsystems only sftp is carried, whose requests can be judged",
        ran("no-such", "-s"),
        lambda seen: seen.status != 0 and not seen.out,
        refused(b"carries no subsystem"),
    ),
    "a file that may not be read": Difference(
        "files of sftp are judged one by one",
        sftp_reads,
        lambda seen: seen.status == 0,
        lambda seen: seen.status == 1 and not seen.out.count(b"Fetching") and b"not found" in seen.err,
    ),
    "another sshd behind this one": Difference(
        "an ssh inside a forward is seen by nobody, so port 22 is refused with the reason",
        goes_on,
        lambda seen: b"hooptui" not in seen.err,
        lambda seen: seen.status == 255 and b"cannot be judged" in seen.err and b"administratively prohibited" in seen.err,
    ),
    "a forward that no rule allows": Difference(
        "each destination is judged",
        forwards,
        lambda seen: b"administratively" not in seen.err,
        lambda seen: seen.status == 255 and b"administratively prohibited" in seen.err,
    ),
    "an agent without a rule": Difference(
        "an agent is forwarded only where a rule allows it",
        with_an_agent,
        lambda seen: seen.out == b"agent\n",
        lambda seen: seen.out == b"none\n" or seen.status != 0,
    ),
    "a variable for hooptui": Difference(
        "the reason for access is for people here, not for the host",
        ran('echo "[$HOOPTUI_REASON]"', "-o", "SetEnv=HOOPTUI_REASON=INC-1"),
        lambda seen: seen.out == b"[INC-1]\n",
        lambda seen: seen.out == b"[]\n",
    ),
    "X11": Difference(
        "a window is no operation that could be judged",
        lambda side: side.run(side.ssh('echo "[$DISPLAY]"', more=("-T", "-X")), status=None, DISPLAY="localhost:9"),
        lambda seen: seen.status == 0,
        lambda seen: seen.out == b"[]\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DIFFERENCES)
def test_different_on_purpose(guarded: Sides, name: str) -> None:
    one = DIFFERENCES[name]
    for side in ("direct", "through"):
        seen = one.case(guarded._side(side))
        assert (one.direct if side == "direct" else one.through)(seen), f"{side}: {seen} ({one.why})"

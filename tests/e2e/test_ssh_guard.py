"""The shipped strict policy on a real host: every disguise is sent, none of them runs, and everyday work is as without a gate.

`tests/policy/test_ssh_guard.py` asks the policy alone. Here the gate stands before an sshd, and what counts is what the host
looks like afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from hooptui.core.events import Asked, Decided, Finished
from hooptui.core.model import Decision, Effect, Kind, Operation, Target
from hooptui.policy.decide import PolicyJudge
from hooptui.policy.loader import load
from hooptui.protocols.ssh.commands import read_command
from tests.core.world import DBA, vote
from tests.policy.making import who
from tests.policy.ssh_disguises import DISGUISES, lines
from tests.policy.ssh_everyday import EVERYDAY
from tests.policy.test_ssh_guard import HELD, STRICT
from tests.protocols.ssh.compare.sides import own, tree
from tests.protocols.ssh.gatehouse import NAME, Gatehouse, open_gate
from tests.ssh_server import SshServer, running

pytestmark = pytest.mark.e2e

AGENT = who("agents", kind=Kind.AGENT)
WEB = Target(NAME, "ssh", {"env": "prod"})
AT_ONCE = 12
LONG = 6.0
"""Seconds after which what still runs has shown that it runs: followers, mostly."""
WORKS = (
    "rm -rf /srv/app", "'r'm -rf /srv/app", r"r\m -rf /srv/app", "X=rm; $X -rf /srv/app", "{rm,-rf,/srv/app}", "ls; rm -rf /srv/app",
    "ls\nrm -rf /srv/app", "f() { rm -rf /srv/app; }; f", "echo $(rm -rf /srv/app)", "cat <(rm -rf /srv/app)", "bash <<< 'rm -rf /srv/app'",
    "eval 'rm -rf /srv/app'", "echo 'rm -rf /srv/app' | bash", "echo /srv/app | xargs rm -rf", "find /srv/app -delete",
    "find /srv/app -exec rm {} +", "env rm -rf /srv/app", "nohup rm -rf /srv/app", "sh -c 'rm -rf /srv/app'", "echo x > /srv/app/x",
    "trap 'rm -rf /srv/app' EXIT", "chmod -R 777 /srv/app", "sleep 1 & rm -rf /srv/app",
)  # fmt: skip
"""Disguises that do what they are for on any host with bash: the control for the look at the host's state."""


@pytest.fixture(scope="module")
def server() -> Iterator[SshServer]:
    with running() as found:
        yield found


@pytest.fixture(scope="module")
def judge() -> PolicyJudge:
    return PolicyJudge(load([STRICT]))


@pytest.fixture(scope="module")
def gate(server: SshServer, judge: PolicyJudge) -> Iterator[Gatehouse]:
    def decide(operation: Operation) -> Decision:
        return judge.decide(AGENT, WEB, operation)

    with open_gate(server, decide, read=read_command) as made:
        yield made


@pytest.fixture
def place(server: SshServer) -> Iterator[Path]:
    """What the disguises are about, in the place of /srv/app; the host's login owns it."""
    root = Path(tempfile.mkdtemp(prefix="hooptui-guard-"))
    root.chmod(0o755)
    grow(root / "app", server)
    yield root / "app"
    shutil.rmtree(root)


def grow(app: Path, server: SshServer) -> None:
    shutil.rmtree(app, ignore_errors=True)
    (app / "deep").mkdir(parents=True)
    for name in ("x", "y", "deep/z"):
        (app / name).write_text(name)
    for path in (app.parent, app, *app.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    own(app.parent, server.uid)


def login(gate: Gatehouse, *, direct: bool = False) -> asyncssh.SSHClientConnection:
    home = gate.home
    return asyncssh.connect(
        "127.0.0.1", gate.server.port if direct else gate.port, config=None, username=gate.server.user if direct else NAME,
        client_keys=[str(home / "direct")] if direct else [(str(home / "id"), str(home / "id-cert.pub"))],
        known_hosts=str(home / "known_hosts"), agent_path=None, encoding=None,
    )  # fmt: skip


async def run(connection: asyncssh.SSHClientConnection, command: str) -> tuple[int | None, bytes, bytes]:
    """Status, None for what runs on after a while, and what it said."""
    process = await connection.create_process(command.encode(), stdin=asyncssh.DEVNULL, encoding=None)  # type: ignore[arg-type]
    out, err = bytearray(), bytearray()

    async def take(stream: asyncssh.SSHReader[bytes], to: bytearray) -> None:
        while part := await stream.read(65536):
            to.extend(part)

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LONG):
            await asyncio.gather(take(process.stdout, out), take(process.stderr, err))
            await process.wait_closed()
    process.close()
    return process.exit_status, bytes(out), bytes(err)


def test_no_disguise_touches_the_host(gate: Gatehouse, judge: PolicyJudge, place: Path) -> None:
    commands = [command.replace("/srv/app", str(place)) for command in lines(DISGUISES) if "\x00" not in command]
    for command in commands:
        # Not sent when it would run: it might do what it says to the machine of whoever runs this.
        operation = Operation("ssh", "exec", command, read_command(command.encode("utf-8", "surrogateescape")))
        assert judge.decide(AGENT, WEB, operation).effect is not Effect.ALLOW, command
    before = tree(place.parent, times=True)
    held: list[int] = []

    async def all_of_them() -> list[tuple[int | None, bytes, bytes]]:
        turn = asyncio.Semaphore(AT_ONCE)
        async with login(gate) as connection:

            async def one(command: str) -> tuple[int | None, bytes, bytes]:
                async with turn:
                    return await run(connection, command)

            denying = asyncio.create_task(deny())
            try:
                return list(await asyncio.gather(*map(one, commands)))
            finally:
                denying.cancel()

    async def deny() -> None:
        while True:
            for waiting in await asyncio.to_thread(gate.waiting):
                # While it waits nothing of it has begun.
                assert tree(place.parent, times=True) == before
                ballot = vote(DBA, False, time.time(), reason="not here")
                await asyncio.to_thread(
                    gate.on_loop, lambda n=waiting.number, b=ballot: gate.door.house.approvals.vote(n, b)
                )
                held.append(waiting.number)
            await asyncio.sleep(0.01)

    seen = asyncio.run(all_of_them())
    assert tree(place.parent, times=True) == before
    wrong = [
        (text, one)
        for text, one in zip(commands, seen, strict=True)
        if one[0] != 126 or one[1] or b"hooptui: refused" not in one[2]
    ]
    assert not wrong, wrong[:5]
    assert len(commands) >= 300 and len(held) >= 200, (len(commands), len(held))
    asked = [body.operation for body in gate.book.bodies(Asked)]
    assert len(asked) == len(commands) and not gate.book.bodies(Finished), "nothing was begun"
    assert {body.effect for body in gate.book.bodies(Decided)} == {"deny"}


def test_the_look_at_the_host_would_have_shown_it(gate: Gatehouse, place: Path) -> None:
    """The control: what disguises do when nobody stands in between."""
    table = set(lines(DISGUISES))

    async def each() -> list[str]:
        idle = []
        async with login(gate, direct=True) as connection:
            for command in WORKS:
                assert command in table, command
                grow(place, gate.server)
                before = tree(place.parent)
                await run(connection, command.replace("/srv/app", str(place)))
                if tree(place.parent) == before:
                    idle.append(command)
        return idle

    assert asyncio.run(each()) == []


def test_everyday_work_is_as_without_a_gate(gate: Gatehouse) -> None:
    commands = [command for command in lines(EVERYDAY) if command not in HELD]
    begun = len(gate.book.bodies(Asked))

    async def both() -> list[tuple[tuple[int | None, bytes, bytes], tuple[int | None, bytes, bytes]]]:
        turn = asyncio.Semaphore(AT_ONCE)
        async with login(gate) as through, login(gate, direct=True) as direct:

            async def one(command: str) -> tuple[tuple[int | None, bytes, bytes], tuple[int | None, bytes, bytes]]:
                async with turn:
                    return await run(direct, command), await run(through, command)

            return list(await asyncio.gather(*map(one, commands)))

    seen = asyncio.run(both())
    untouched = [
        text
        for text, (direct, through) in zip(commands, seen, strict=True)
        if direct[0] == through[0] and b"hooptui" not in through[2]
    ]
    assert len(untouched) >= 100, [text for text in commands if text not in untouched]
    same = [text for text, (direct, through) in zip(commands, seen, strict=True) if direct == through]
    assert len(same) >= 60, "what does not change from one moment to the next is the same to the byte"
    assert gate.waiting() == ()
    decided = gate.book.bodies(Decided)[-(len(gate.book.bodies(Asked)) - begun) :]
    assert {body.effect for body in decided} == {"allow"}

"""The agent on a host, through a real gate: with the stock client and without one."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from hooptui.core.events import Asked, SessionOpened
from hooptui.core.secret import Secret
from hooptui.demo.agents import Gate
from hooptui.demo.received import Received
from hooptui.demo.scripts import SRE, Step
from hooptui.demo.shell import ShellAgent
from tests.protocols.ssh.gatehouse import NAME, TOKEN, Gatehouse, open_gate
from tests.ssh_server import SshServer, running


@pytest.fixture(scope="module")
def server() -> Iterator[SshServer]:
    with running() as found:
        yield found


@pytest.fixture
def house(server: SshServer) -> Iterator[Gatehouse]:
    with open_gate(server) as made:
        yield made


@pytest.fixture(params=["ssh", "asyncssh"])
def client(request: pytest.FixtureRequest) -> str:
    """Path of the stock client, or nothing for the library."""
    if request.param == "asyncssh":
        return ""
    found = shutil.which("ssh")
    if found is None:
        if os.environ.get("CI") == "true":
            raise RuntimeError("no ssh")
        pytest.skip("no ssh")
    return found


def gate(house: Gatehouse, home: Path, secret: str = TOKEN, port: int = 0) -> Gate:
    async def token(_client: str) -> Secret:
        return Secret(secret)

    line = next(line for line in (house.home / "known_hosts").read_text().splitlines() if f":{house.port} " in line)
    return Gate("psql", 0, home / "ca", "none", home, token, port or house.port, line.partition(" ")[2])


def heard(received: Received) -> dict[str, bytes]:
    return dict(received.places())


async def test_commands_share_one_login(house: Gatehouse, client: str, tmp_path: Path) -> None:
    received = Received()
    async with ShellAgent(SRE, gate(house, tmp_path), received, ssh=client) as agent:
        for text in ("echo one", "echo two; echo err >&2; exit 3", "deny-me"):
            assert await agent.say(Step(text))
    assert SRE.target == NAME
    said = heard(received)
    assert said["sre-4"] == b"one\ntwo\n"
    assert b"err\n" in said["sre-4 (errors)"] and b"DDL goes through migrations" in said["sre-4 (errors)"]
    assert len(house.book.bodies(SessionOpened)) == 1 and len(house.book.bodies(Asked)) == 3
    assert TOKEN not in repr(said)


async def test_what_is_held_is_waited_for(house: Gatehouse, client: str, tmp_path: Path) -> None:
    received = Received()
    async with ShellAgent(SRE, gate(house, tmp_path), received, ssh=client) as agent:
        saying = asyncio.create_task(agent.say(Step("echo hold-me")))
        await asyncio.to_thread(house.vote, True)
        assert await saying
    assert heard(received)["sre-4"] == b"hold-me\n"


async def test_who_is_not_let_in_says_nothing(house: Gatehouse, client: str, tmp_path: Path) -> None:
    for refused in (gate(house, tmp_path, "wrong"), gate(house, tmp_path, port=1)):
        received = Received()
        async with ShellAgent(SRE, refused, received, ssh=client) as agent:
            assert not await agent.say(Step("echo in"))
        said = heard(received)
        assert not said["sre-4"] if "sre-4" in said else True
        assert said["sre-4 (errors)"], "and it was told why"
    assert not house.book.bodies(Asked)


async def test_a_killed_session_ends_the_conversation(house: Gatehouse, client: str, tmp_path: Path) -> None:
    received = Received()
    async with ShellAgent(SRE, gate(house, tmp_path), received, ssh=client) as agent:
        assert await agent.say(Step("echo up"))
        saying = asyncio.create_task(agent.say(Step("exec sleep 100")))
        while len(house.book.bodies(Asked)) < 2:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(house.call, house.door.sessions[-1].kill("ops-1", "enough"))
        assert not await saying
        assert not await agent.say(Step("echo again"))
    assert b"again" not in heard(received)["sre-4"]


async def test_cancelled_it_is_gone_at_once(house: Gatehouse, client: str, tmp_path: Path) -> None:
    received = Received()

    async def work() -> None:
        async with ShellAgent(SRE, gate(house, tmp_path), received, ssh=client) as agent:
            await agent.say(Step("exec sleep 100"))

    working = asyncio.create_task(work())
    while not house.book.bodies(Asked):
        await asyncio.sleep(0.01)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(working, 60)
    while house.gate.connections:
        await asyncio.sleep(0.01)

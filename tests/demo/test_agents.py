"""The agents' programs, here straight at the database: what they send, hear, and how they end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio

from hooptui.core.secret import Secret
from hooptui.demo import agents, scripts
from hooptui.demo import received as kept
from hooptui.demo.agents import Agent, Gate
from hooptui.demo.canaries import search
from hooptui.demo.crew import crew, work
from hooptui.demo.received import Nothing, Received
from hooptui.demo.scripts import BOT, ETL, EVERYTHING, REPORT, RUNAWAY, SCRIPTS, Script, Step
from hooptui.demo.world import DATABASE, World

pytestmark = pytest.mark.asyncio(loop_scope="module")

PASSWORD = Secret("an-agent's own")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def admin(world: World) -> AsyncIterator[psycopg.AsyncConnection[tuple[object, ...]]]:
    info = world.postgres.conninfo("postgres", world.postgres.password, DATABASE)
    async with await psycopg.AsyncConnection.connect(info, autocommit=True) as connection:
        for script in SCRIPTS:
            await connection.execute(
                f"CREATE ROLE \"{script.name}\" SUPERUSER LOGIN PASSWORD 'an-agent''s own'".encode()
            )
        yield connection


@pytest.fixture
def gate(world: World, admin: object) -> Gate:
    async def token(client: str) -> Secret:
        return PASSWORD

    return Gate(
        world.postgres.tool("psql"), world.postgres.port, world.postgres.ca_file, DATABASE, world.directory, token
    )


def heard(received: Received) -> str:
    return b"".join(content for _, content in received.places()).decode()


@pytest.mark.parametrize("script", [ETL, REPORT], ids=["psql", "psycopg"])
async def test_answers_come_one_by_one_over_verified_tls(gate: Gate, script: Script) -> None:
    received = Received()
    async with Agent(script, gate, received) as agent:
        assert await agent.say(Step("SELECT ssl, current_user FROM pg_stat_ssl WHERE pid = pg_backend_pid()"))
        first = heard(received)
        assert script.name in first and ("True" in first or " t " in first)
        assert await agent.say(Step("SELECT nonsense"))
        assert await agent.say(Step("SELECT repeat('x', 2_500_000) AS long"))
        assert await agent.say(Step("SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()"))
    text = heard(received)
    assert (
        '"nonsense" does not exist' in text
        and text.count("x") > 2_500_000
        and f"{script.name} {script.program}" in text
    )
    assert PASSWORD.reveal() not in text


async def test_arguments_are_bound(gate: Gate) -> None:
    received = Received()
    async with Agent(REPORT, gate, received) as agent:
        assert await agent.say(Step("SELECT %s::int + 1, %s::text", args=(41, "it's")))
    assert "42 | it's" in heard(received)


@pytest.mark.parametrize("script", [ETL, REPORT], ids=["psql", "psycopg"])
async def test_a_killed_connection_ends_the_conversation(
    gate: Gate, script: Script, admin: psycopg.AsyncConnection[tuple[object, ...]]
) -> None:
    async with Agent(script, gate, received := Received()) as agent:
        waiting = asyncio.create_task(agent.say(Step(RUNAWAY)))
        kill = b"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query = %s AND state = 'active'"
        while await (await admin.execute(kill, (RUNAWAY + (";" if script is ETL else ""),))).fetchone() != (1,):
            await asyncio.sleep(0.02)
        assert await waiting is False
        assert await agent.say(Step("SELECT 1")) is False
    assert "terminating connection" in heard(received)


@pytest.mark.parametrize("script", [ETL, REPORT], ids=["psql", "psycopg"])
async def test_nothing_gets_in_with_a_wrong_token(gate: Gate, script: Script, world: World) -> None:
    async def wrong(client: str) -> Secret:
        return Secret("wrong")

    received = Received()
    refused = Gate(gate.psql, gate.port, gate.ca_file, gate.target, gate.home, wrong)
    async with Agent(script, refused, received) as agent:
        assert await agent.say(Step("SELECT 1")) is False
    assert "password authentication failed" in heard(received)


async def test_cancelled_agents_are_gone_at_once_with_their_runaways(
    gate: Gate, admin: psycopg.AsyncConnection[tuple[object, ...]]
) -> None:
    received = Received()
    running = asyncio.create_task(
        crew((ETL, Script("report-3", "psycopg", (Step(RUNAWAY),))), gate, received, hurry=50)
    )
    active = b"SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%orders b%' AND state = 'active' AND pid <> pg_backend_pid()"
    while (await (await admin.execute(active)).fetchone()) != (1,):
        await asyncio.sleep(0.02)
    started = time.monotonic()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert time.monotonic() - started < agents.END_WITHIN
    await admin.execute(b"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'report-3'")


async def test_the_search_sees_what_agents_receive_unmasked(gate: Gate, world: World) -> None:
    """The positive control: without a gateway, everything leaks."""
    received = Received()
    running = asyncio.create_task(crew((Script(ETL.name, ETL.program, ETL.steps), REPORT), gate, received, hurry=50))
    markers = (f"end of {ETL.name} {len(ETL.steps)}", f"end of {REPORT.name} 3")
    while not all(marker in heard(received) for marker in markers):
        await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    leaks = search(world.canaries.all(), received.places())
    assert {leak.kind for leak in leaks} == {"email", "phone", "ssn", "iban", "card", "api-key", "salary"}
    assert {leak.where for leak in leaks} >= {"etl-7", "report-3", "etl-7 (errors)"}


async def test_scripts_say_what_the_demo_promises() -> None:
    held = [step.text for step in BOT.steps]
    assert scripts.DROP in held and all(text in held for text in EVERYTHING) and REPORT.steps[-1].text == RUNAWAY
    until_held = sum(step.pause for step in BOT.steps[: held.index(EVERYTHING[0]) + 1])
    assert until_held <= 1, "something to approve within 10 seconds of start"


async def test_received_is_bounded_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MAX_KEPT", 10)
    received = Received()
    received.add("a", b"12345")
    received.add("b", b"678")
    received.add("a", b"90")
    assert received.places() == [("a", b"1234590"), ("b", b"678")] and not received.cut
    received.add("a", b"x")
    assert received.cut and received.places()[0] == ("a", b"1234590")
    nothing = Nothing()
    nothing.add("a", b"x" * 100)
    assert nothing.places() == [] and not nothing.cut


async def test_a_missing_program_is_an_error(gate: Gate, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await work(
            ETL, Gate(str(tmp_path / "psql"), gate.port, gate.ca_file, gate.target, gate.home, gate.token), Nothing()
        )

"""The control socket: the same desk from another process, for the gateway's own user only."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from hooptui.control.client import RemoteDesk
from hooptui.core.desk import Command, Desk, DeskClosed
from hooptui.core.events import Asked, Held
from tests.e2e.bed import Bed, bed
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def world(postgres: PostgresServer) -> Iterator[Bed]:
    with bed(postgres) as made:
        yield made


async def look(desk: Desk, world: Bed) -> None:
    """One walk through everything a screen asks, over either desk."""
    psql = await asyncio.to_thread(world.start_psql)
    assert psql.stdin is not None
    psql.stdin.write("SELECT 7;\n")
    psql.stdin.flush()
    while not any(one.operations for one in (await desk.snapshot()).sessions):
        await asyncio.sleep(0.02)
    [session] = (await desk.snapshot()).sessions
    watch = await desk.watch(session.id)
    psql.stdin.write("UPDATE orders SET note = 'x';\n")
    psql.stdin.flush()
    while not (held := (await desk.snapshot()).held):
        await asyncio.sleep(0.02)
    review = await desk.review(held[0].number)
    assert review is not None
    assert review.held.text == "UPDATE orders SET note = 'x';"
    assert "orders" in review.estimate.lower() or "rows" in review.estimate, review.estimate
    assert review.history == ("SELECT 7;",)
    assert review.may_vote == ""
    denied = await desk.run(Command("deny", {"number": str(held[0].number), "reason": "no"}))
    assert denied.ok, denied.text
    assert await desk.review(held[0].number) is None
    seen: list[object] = []
    while not any(isinstance(one, Held) for one in seen):
        await asyncio.sleep(0.05)
        events, lost = watch.drain()
        assert lost == 0
        seen += [event.body for event in events]
    await watch.close()
    events, after = await desk.transcript(session.id)
    assert next(event.body.text for event in events if isinstance(event.body, Asked)) == "SELECT 7;"
    more, end = await desk.transcript(session.id, after=after)
    assert end >= after
    assert not set(map(id, more)) & set(map(id, events))
    assert any(one.session == session.id and one.live for one in await desk.recordings())
    assert (await desk.journal(limit=5))[-1].seq > 0
    assert (await desk.verify()).status == 0
    await asyncio.to_thread(world.finish, psql)


async def test_the_remote_desk_does_all_a_local_one_does(world: Bed) -> None:
    await look(world.gateway.desk(), world)
    remote = RemoteDesk(world.state, readonly=False)
    await look(remote, world)
    await remote.close()


async def test_a_readonly_remote_desk(world: Bed) -> None:
    remote = RemoteDesk(world.state, readonly=True)
    assert "read-only" in (await remote.run(Command("drain"))).text
    await remote.close()


async def test_garbage_is_answered_and_the_gateway_goes_on(world: Bed) -> None:
    reader, writer = await asyncio.open_unix_connection(str(world.state / "control.sock"))
    for bad in (b"junk\n", b"{}\n", b'{"id":1,"call":"__class__"}\n', b'{"id":2,"call":"review","args":{"number":"x"}}\n',
                b'{"id":3,"call":"drain","args":{"watch":99}}\n', b'{"id":4,"call":"run","args":{"command":{"verb":1}}}\n'):  # fmt: skip
        writer.write(bad)
        answer = json.loads(await asyncio.wait_for(reader.readline(), 60))
        assert answer["error"], bad
    writer.write(b'{"id":5,"call":"snapshot"}\n')
    assert not json.loads(await asyncio.wait_for(reader.readline(), 60))["error"]
    writer.close()


def test_the_socket_is_its_users_alone(world: Bed) -> None:
    path = world.state / "control.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_uid == os.getuid()


async def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(DeskClosed, match="no gateway answers"):
        await RemoteDesk(tmp_path, readonly=True).snapshot()

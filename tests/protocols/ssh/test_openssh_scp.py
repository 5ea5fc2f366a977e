"""OpenSSH's `scp -O` with scp on the target, and the guard between them: as without it, but for what is refused."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from hooptui.core.model import Operation
from hooptui.protocols.ssh.scp import ScpGuard
from hooptui.protocols.ssh.transfers import recognise
from tests.protocols.ssh.sftp.bed import Bed, bed, facts

pytestmark = pytest.mark.skipif(
    not os.environ.get("CI") and shutil.which("scp") is None, reason="OpenSSH's scp is not installed"
)


def guard(place: Bed, command: str, up: Callable[[bytes], None], down: Callable[[bytes], None]) -> ScpGuard:
    transfer = recognise(command)
    assert transfer is not None
    assert transfer.facts.understood, transfer.facts.unknown
    return ScpGuard(place.ask, up, down, transfer, report=place.reports.append, end=place.ended.append)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Bed]:
    async with bed(tmp_path) as it:
        it.make = guard
        yield it


def tree(root: Path) -> list[tuple[str, bytes | None, int, float]]:
    return sorted(
        (str(one.relative_to(root)), one.read_bytes() if one.is_file() else None, one.stat().st_mode, int(one.stat().st_mtime) if one.is_file() else 0)
        for one in root.rglob("*")
    )  # fmt: skip


def grow(root: Path) -> None:
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "empty").touch()
    (root / "a" / "b" / "x y").write_bytes(os.urandom(70_000))
    (root / "a" / "no").write_text("no")
    (root / "a" / "z").write_text("z")
    os.utime(root / "a" / "z", (1_000_000_000, 1_000_000_000))


async def test_a_hundred_megabytes_each_way(place: Bed) -> None:
    (place.here / "big").write_bytes(os.urandom(1 << 20) * 100)
    digest = hashlib.sha256((place.here / "big").read_bytes()).hexdigest()
    assert (await place.scp("-O", "big", "host:there"))[0] == 0
    assert (await place.scp("-O", "host:there", "back"))[0] == 0
    assert hashlib.sha256((place.here / "back").read_bytes()).hexdigest() == digest
    assert place.lines() == [
        f'write "there" "there/big" 104857600 bytes sha256 {digest} ok',
        f'read "there" 104857600 bytes sha256 {digest} ok',
    ]
    assert [facts(one).size for one in place.asked] == [104857600] * 2
    assert place.ended == []


async def test_trees_with_times_go_up_and_come_down_whole(place: Bed) -> None:
    grow(place.here)
    assert await place.scp("-O", "-r", "-p", "a", f"host:{place.home}/") == (0, "", "")
    assert tree(place.home) == tree(place.here)
    (place.here / "back").mkdir()
    assert await place.scp("-O", "-r", "-p", f"host:{place.home}/a", "back/") == (0, "", "")
    assert tree(place.here / "back") == tree(place.home)
    assert place.verbs().count("write") == place.verbs().count("read") == 4
    assert {str(place.home / "a" / "b" / "x y")} in [facts(one).paths for one in place.asked]


@pytest.mark.parametrize("up", [True, False])
async def test_one_of_many_is_refused_and_the_rest_goes_on(place: Bed, up: bool) -> None:
    grow(place.here if up else place.home)
    place.verdict = lambda one: "not this" if any(path.endswith(("/no", "/b")) for path in facts(one).paths) else ""
    argv = ("a", "host:.") if up else ("host:a", ".")
    code, out, err = await place.scp("-O", "-r", "-p", *argv)
    assert code == 1
    assert (out + err).count("denied by rule no-such-thing: not this") >= 2
    got = place.home if up else place.here
    assert [name for name, *_ in tree(got)] == ["a", "a/empty", "a/z"]
    assert int((got / "a" / "z").stat().st_mtime) == 1_000_000_000
    assert sum(one.refused for one in place.reports) == 2


async def test_a_held_file_passes_no_byte_until_it_may(place: Bed) -> None:
    (place.home / "f").write_text("content")
    held, free = asyncio.Event(), asyncio.Event()

    async def wait(_one: Operation) -> str:
        held.set()
        await free.wait()
        return ""

    place.verdict = wait
    run = asyncio.ensure_future(place.scp("-O", "host:f", "got"))
    await held.wait()
    assert not (place.here / "got").exists()
    free.set()
    assert (await run)[0] == 0
    assert (place.here / "got").read_text() == "content"


async def test_wildcards_and_what_is_not_there(place: Bed) -> None:
    for name in ("a.txt", "b.txt", "c.bin"):
        (place.home / name).write_text(name)
    place.verdict = lambda one: "no" if facts(one).paths == {"b.txt"} else ""
    code, _, _ = await place.scp("-O", "host:*.txt", "host:c.bin", ".")
    assert code == 1
    assert sorted(one.name for one in place.here.iterdir()) == ["a.txt", "c.bin"]
    code, _, err = await place.scp("-O", "host:nowhere", ".")
    assert code == 1
    assert "No such file" in err


async def test_a_target_that_cannot_write_says_so(place: Bed) -> None:
    (place.here / "f").write_text("f")
    (place.home / "f").mkdir()
    (place.home / "f" / "f").mkdir()
    code, _, err = await place.scp("-O", "f", "host:f")
    assert code == 1
    assert "directory" in err
    assert [one.ok for one in place.reports] == [False]

"""Files by the stock sftp and scp, in both protocols of scp: what arrives, what is told, and how it ends."""

from __future__ import annotations

import os
import subprocess
from functools import partial
from typing import Any

import pytest

from tests.protocols.ssh.compare.sides import BIG, HOST, Seen, Side, Sides, Table

SAME = Table()
ODD = (
    "with space",
    "-dash",
    "ünïcödé 日本",
    "quote'\"",
    "semi;colon",
    "$(echo x)",
    "star*",
    "back\\slash",
    "new\nline",
    "tab\tname",
    " lead",
)


def sftp(side: Side, *lines: str, status: int = 0, more: tuple[str, ...] = (), **how: Any) -> Seen:
    """A batch, in the target's directory."""
    batch = side.here / ".cache-batch"
    batch.write_text("\n".join((f"cd {side.there}", *lines)) + "\n")
    return side.run(
        ["sftp", "-F", str(side.config), "-S", "/usr/bin/ssh", *more, "-b", str(batch), HOST], status=status, **how
    )


def scp(side: Side, *words: str, status: int = 0) -> Seen:
    return side.run(["scp", "-F", str(side.config), *words], status=status)


# --- sftp


@SAME
def put_and_get(side: Side) -> object:
    side.file("up", BIG)
    side.target_file("down", BIG[::-1])
    return sftp(side, "put up", "get down", "get up again"), side.trees()


@SAME
def empty_files(side: Side) -> object:
    side.file("up", b"")
    side.target_file("down", b"")
    return sftp(side, "put up", "get down"), side.trees()


@SAME
def with_times_and_modes(side: Side) -> object:
    up = side.file("up", mode=0o750)
    os.utime(up, (1_000_000_000, 1_111_111_111))
    down = side.target_file("down", mode=0o604)
    os.utime(down, (1_200_000_000, 1_222_222_222))
    sftp(side, "put -p up", "get -p down")
    return side.trees(times=True)


@SAME
def names_and_places(side: Side) -> object:
    side.target_file("a/file")
    seen = sftp(
        side, "pwd", "mkdir d", "rename a/file d/moved", "ls -1 d", "symlink d/moved link", "ln d/moved hard", "ls -1", "rm link",
        "rmdir a", "cd d", "pwd", "lcd /", "lpwd", "version",
    )  # fmt: skip
    return seen, side.trees()


@SAME
def modes_are_changed(side: Side) -> object:
    side.target_file("f")
    return sftp(side, "chmod 600 f", "chmod 4711 f", "ls -1 f"), side.trees()


@SAME
def how_full_it_is(side: Side) -> object:
    # The numbers change meanwhile; that there are any does not.
    return len(sftp(side, "df -h").out.splitlines())


@SAME
def lists(side: Side) -> object:
    for name in ("b", "a", ".hidden", "c/d"):
        side.target_file(name)
    for path in (side.there, *side.there.rglob("*")):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    return sftp(side, "ls", "ls -1a", "ls -l", "ls -n", "ls -la c", "ls [ab]", "ls no-such", status=1)


@SAME
def a_wide_directory(side: Side) -> object:
    for n in range(400):
        (side.there / f"file-{n:04}").touch()
    return sftp(side, "ls -1")


@SAME
def what_is_not_there(side: Side) -> object:
    return (
        sftp(side, "get no-such", status=1),
        sftp(side, "-rm no-such", "-rmdir no-such", "-cd no-such", "-rename a b", "pwd"),
        side.trees(),
    )


@SAME
def what_may_not_be(side: Side) -> object:
    side.file("up")
    return sftp(
        side, "-put up /proc/none", "-mkdir /proc/none", "-get /proc/kmsg", "-put up no/such/place", "pwd"
    ), side.trees()


@SAME
def it_goes_on_where_it_was_cut(side: Side) -> object:
    side.file("up", BIG)
    side.target_file("up", BIG[:3_000_000])
    side.target_file("down", BIG[::-1])
    side.file("down", BIG[::-1][:5_000_000])
    return sftp(side, "reput up", "reget down"), side.trees()


@SAME
def whole_trees(side: Side) -> object:
    for n in range(12):
        side.file(f"tree/sub{n % 3}/deep/file{n}", bytes([n]) * n * 1000)
    (side.here / "tree" / "empty").mkdir()
    side.target_file("far/a/b/c")
    side.target_file("far/d")
    return sftp(side, "put -r tree", "get -r far", "get -r tree back"), side.trees()


@SAME
def odd_names(side: Side) -> object:
    for name in ODD:
        side.file(f"odd/{name}", name.encode())
    sftp(side, "put -r odd", "get -r odd back")
    return side.trees()


@SAME
def names_that_are_not_utf_8(side: Side) -> object:
    (side.there / os.fsdecode(b"\xff\xfename")).write_bytes(b"x")
    return sftp(side, "ls -1", "get * ."), side.trees()


@SAME
def many_small_files(side: Side) -> object:
    for n in range(150):
        side.file(f"many/{n:03}", b"%d\n" % n)
    return sftp(side, "put -r many"), side.trees()


@SAME
def in_small_requests(side: Side) -> object:
    side.file("up", BIG[:2_000_000])
    return sftp(side, "put up", "get up back", more=("-B", "4096", "-R", "3")), side.trees()


@SAME
def in_many_requests(side: Side) -> object:
    side.file("up", BIG)
    return sftp(side, "put up", "get up back", more=("-B", "200000", "-R", "200")), side.trees()


@SAME
def over_a_shared_connection(side: Side) -> object:
    side.file("up", BIG[:500_000])
    return sftp(side, "put up", "get up back", more=("-o", f"ControlPath={side.shared}")), side.trees()


@SAME
def compressed(side: Side) -> object:
    side.file("up", BIG[:2_000_000] + bytes(2_000_000))
    return sftp(side, "put up", "get up back", more=("-C",)), side.trees()


@SAME
def copied_on_the_target(side: Side) -> object:
    side.target_file("f", BIG)
    return sftp(side, "copy f g"), side.trees()


@SAME
def a_get_that_is_cut_off(side: Side) -> object:
    """The client dies in the middle; what it had asked for has no effect on the target."""
    with (side.there / "huge").open("wb") as file:
        file.truncate(4 << 30)
    program = side.start(
        ["sftp", "-F", str(side.config), f"{HOST}:{side.there}/huge", str(side.here / "huge")], stdin=subprocess.DEVNULL
    )
    while not ((side.here / "huge").exists() and (side.here / "huge").stat().st_size > 1 << 20):
        assert program.poll() is None
    program.kill()
    program.wait(60)
    (side.here / "huge").unlink()
    return [path.name for path in side.there.iterdir()], (side.there / "huge").stat().st_size


# --- scp, by both of its protocols


def scp_up(side: Side, way: str) -> object:
    side.file("up", BIG)
    return scp(side, way, "up", f"{HOST}:{side.there}/to"), side.trees()


def scp_down(side: Side, way: str) -> object:
    side.target_file("down", BIG)
    return scp(side, way, f"{HOST}:{side.there}/down", "."), side.trees()


def scp_trees(side: Side, way: str) -> object:
    for name, mode in (("a/x", 0o600), ("a/b/y", 0o755), ("a/b/c/z", 0o444)):
        os.utime(side.file(name, name.encode(), mode=mode), (1_000_000_000, 1_000_000_001))
    seen = (
        scp(side, way, "-r", "-p", "a", f"{HOST}:{side.there}/"),
        scp(side, way, "-rp", f"{HOST}:{side.there}/a", "back"),
    )
    files = [path for path in (*side.here.rglob("*"), *side.there.rglob("*")) if path.is_file()]
    return seen, side.trees(), sorted(int(path.stat().st_mtime) for path in files if ".cache" not in path.name)


def scp_many(side: Side, way: str) -> object:
    for name in ("one", "two", "three.txt"):
        side.file(name, name.encode())
    (side.there / "dir").mkdir(mode=0o777)
    (side.there / "dir").chmod(0o777)
    return (
        scp(side, way, "one", "two", "three.txt", f"{HOST}:{side.there}/dir"),
        scp(side, way, f"{HOST}:{side.there}/dir/t*", "."),
        side.trees(),
    )


def scp_nothing(side: Side, way: str) -> object:
    return scp(side, way, f"{HOST}:{side.there}/no-such", ".", status=1), side.trees()


def scp_forbidden(side: Side, way: str) -> object:
    side.file("up")
    return scp(side, way, "up", f"{HOST}:/proc/none", status=1), scp(
        side, way, "up", f"{HOST}:{side.there}/no/such/place", status=1
    )


def scp_odd(side: Side, way: str) -> object:
    for name in ("ünï", "with space", "semi;colon"):
        side.file(f"odd/{name}", name.encode())
    return (
        scp(side, way, "-r", "odd", f"{HOST}:{side.there}/odd"),
        scp(side, way, "-r", f"{HOST}:{side.there}/odd", "back"),
        side.trees(),
    )


def scp_between(side: Side, way: str) -> object:
    side.target_file("from", BIG[:1_000_000])
    return scp(side, way, "-3", f"{HOST}:{side.there}/from", f"{HOST}:{side.there}/to"), side.trees()


def scp_slowly(side: Side, way: str) -> object:
    side.file("up", BIG[:300_000])
    return scp(side, way, "-l", "8000", "-C", "up", f"{HOST}:{side.there}/to"), side.trees()


for _way, _called in (("-O", "by_its_own_protocol"), ("-s", "by_sftp")):
    for _case in (scp_up, scp_down, scp_trees, scp_many, scp_nothing, scp_forbidden, scp_odd, scp_between, scp_slowly):
        SAME.add(f"{_case.__name__}_{_called}", partial(_case, way=_way))


@pytest.mark.parametrize(
    "name",
    SAME.names(
        "put_and_get",
        "what_is_not_there",
        "what_may_not_be",
        "it_goes_on_where_it_was_cut",
        "odd_names",
        "in_many_requests",
        "a_get_that_is_cut_off",
        "scp_trees_by_sftp",
        "scp_trees_by_its_own_protocol",
        "scp_odd_by_its_own_protocol",
    ),
)
def test_as_directly(sides: Sides, name: str) -> None:
    sides.same(SAME[name])

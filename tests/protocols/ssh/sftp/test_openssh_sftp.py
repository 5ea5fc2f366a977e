"""OpenSSH's sftp and sftp-server with the guard between them: what is allowed is as it is without, what is not never arrives."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hooptui.core.model import Operation
from tests.protocols.ssh.sftp.bed import SERVER, Bed, bed, facts

pytestmark = pytest.mark.skipif(
    not os.environ.get("CI") and (shutil.which("sftp") is None or not Path(SERVER).exists()),
    reason="OpenSSH's sftp and sftp-server are not installed",
)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Bed]:
    async with bed(tmp_path) as it:
        yield it


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def test_a_hundred_megabytes_each_way_are_the_same_and_hashed(place: Bed) -> None:
    (place.here / "big").write_bytes(os.urandom(1 << 20) * 100)
    code, _, err = await place.sftp("put big there\nget there back\n")
    assert (code, err) == (0, "")
    digest = sha(place.here / "big")
    assert sha(place.here / "back") == sha(place.home / "there") == digest
    name = place.home / "there"
    assert f'write "{name}" 104857600 bytes sha256 {digest} ok' in place.lines()
    assert f'read "{name}" 104857600 bytes sha256 {digest} ok' in place.lines()
    read = next(one for one in place.asked if one.verb == "read")
    assert facts(read).size == 104857600
    assert facts(read).paths == {str(name)}
    assert facts(read).actions == {"file_read"}
    assert len(place.asked) < 12, "the bytes are not asked about"


async def test_everything_a_client_can_do_works_as_it_does_without_a_guard(place: Bed) -> None:
    (place.here / "tree" / "in").mkdir(parents=True)
    (place.here / "tree" / "in" / "a b").write_text("one")
    (place.here / "tree" / "ü").write_text("two")
    (place.here / "tree" / "empty").touch()
    batch = (
        "pwd\nput -r tree\nls -l tree\nrename tree/ü tree/in/v\nsymlink tree/in lnk\nln tree/empty hard\nchmod 600 tree/empty\n"
        "mkdir d\nrmdir d\nget -r tree back\ndf\ncopy tree/in/v copied\nrm hard\ncd tree/../tree/in\npwd\n-rmdir nowhere\n-get nowhere\n"
    )
    seen = []
    for guarded in (False, True):
        place.guarded = guarded
        code, out, err = await place.sftp(batch)
        back = sorted(
            (str(one.relative_to(place.here)), one.is_file() and one.read_text())
            for one in place.here.rglob("back/**/*")
        )
        home = sorted(str(one.relative_to(place.home)) for one in place.home.rglob("*"))
        assert (place.home / "lnk").is_symlink()
        assert (place.home / "tree" / "empty").stat().st_mode & 0o777 == 0o600
        assert (place.home / "copied").read_text() == "two"
        steady = [line for line in out.splitlines() if not line.strip()[:1].isdigit() and "root" not in line]
        seen.append((code, steady, err, back, home))
        for left in (*place.home.iterdir(), place.here / "back"):
            shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
    assert seen[0] == seen[1]
    assert seen[0][0] == 0
    assert len(seen[0][3]) == 4
    wanted = {
        "write",
        "read",
        "list",
        "stat",
        "rename",
        "symlink",
        "hardlink",
        "setstat",
        "mkdir",
        "rmdir",
        "copy",
        "remove",
    }
    assert wanted <= set(place.verbs())


async def test_a_denied_operation_never_arrives_and_the_session_goes_on(place: Bed) -> None:
    for name in ("keep", "other"):
        (place.home / name).write_text(name)
    (place.here / "up").write_text("new")
    denied = {"remove", "rename", "mkdir", "setstat", "symlink", "hardlink", "copy"}
    place.verdict = lambda one: "not here" if one.verb in denied or (one.verb == "write") else ""
    tries = (
        "rm keep",
        "rename keep gone",
        "mkdir d",
        "chmod 600 keep",
        "symlink keep s",
        "ln keep h",
        "put up",
        "put up keep",
        "copy keep c",
    )
    code, _, err = await place.sftp("".join(f"-{one}\n" for one in tries) + "get other\n")
    assert code == 0
    assert err.lower().count("permission denied") == len(tries)
    assert sorted(one.name for one in place.home.iterdir()) == ["keep", "other"]
    assert (place.home / "keep").read_text() == "keep"
    assert (place.home / "keep").stat().st_mode & 0o777 != 0o600
    assert (place.here / "other").read_text() == "other"
    assert sum(one.refused for one in place.reports) == len(tries)
    assert all("denied by rule no-such-thing: not here" in one.line for one in place.reports if one.refused)


async def test_reading_is_denied_without_a_byte(place: Bed) -> None:
    (place.home / "secret").write_text("s3cr3t")
    place.verdict = lambda one: "no" if "file_read" in facts(one).actions else ""
    code, out, err = await place.sftp("-get secret\n-reget secret\n-ln secret other\nls\n")
    assert code == 0
    assert err.count("Permission denied") >= 2
    assert "s3cr3t" not in out + err
    assert not (place.here / "secret").exists() or (place.here / "secret").read_text() == ""
    assert not (place.home / "other").exists()


async def test_a_held_upload_waits_and_goes_on_and_a_denied_one_after_waiting_does_not(place: Bed) -> None:
    (place.here / "up").write_text("content")
    held, free, asked = asyncio.Event(), asyncio.Event(), []

    async def wait(one: Operation) -> str:
        if one.verb != "write":
            return ""
        asked.append(one)
        held.set()
        await free.wait()
        return "" if len(asked) == 1 else "thought better of it"

    place.verdict = wait
    run = asyncio.ensure_future(place.sftp("put up first\n-put up second\n"))
    await held.wait()
    assert not (place.home / "first").exists()
    free.set()
    code, _, err = await run
    assert code == 0
    assert (place.home / "first").read_text() == "content"
    assert not (place.home / "second").exists()
    assert "Permission denied" in err


async def test_a_transfer_is_resumed_with_the_rest_alone(place: Bed) -> None:
    whole = os.urandom(300_000)
    (place.here / "up").write_bytes(whole)
    (place.home / "up").write_bytes(whole[:100_000])
    (place.home / "down").write_bytes(whole)
    (place.here / "down").write_bytes(whole[:123_456])
    code, _, err = await place.sftp("reput up\nreget down\n")
    assert (code, err) == (0, "")
    assert (place.home / "up").read_bytes() == (place.here / "down").read_bytes() == whole
    lines = "\n".join(place.lines())
    assert f"200000 bytes from 100000 sha256 {hashlib.sha256(whole[100_000:]).hexdigest()}" in lines
    assert f"176544 bytes from 123456 sha256 {hashlib.sha256(whole[123_456:]).hexdigest()}" in lines


async def test_a_symlink_out_of_a_directory_is_judged_by_where_it_leads(place: Bed) -> None:
    """Neither a link that is there nor one that the client makes is a way around a rule on paths."""
    inside = place.home / "inside"
    inside.mkdir()
    (place.home / "secret").write_text("s3cr3t")
    (inside / "file").symlink_to(place.home / "secret")
    (inside / "dir").symlink_to(place.home)
    place.verdict = lambda one: (
        "outside"
        if "file_list" not in facts(one).actions and any(not path.startswith(str(inside)) for path in facts(one).paths)
        else ""
    )
    tries = (
        "get inside/file", "get inside/dir/secret", "put ../here/x inside/dir/x", "rm inside/dir/secret", "mkdir inside/dir/d",
        "rename inside/dir/secret inside/s", "symlink ../secret inside/mine", f"symlink {place.home}/secret inside/mine",
        "ln inside/dir/secret inside/h", "put ../here/x inside/../x", "chmod 777 inside/file", "put ../here/x inside/dir/../x",
    )  # fmt: skip
    (place.here / "x").write_text("x")
    code, _, err = await place.sftp("".join(f"-{one}\n" for one in tries) + "put x inside/x\nget inside/x y\n")
    assert code == 0, err
    assert sorted(one.name for one in place.home.iterdir()) == ["inside", "secret"]
    assert sorted(one.name for one in inside.iterdir()) == ["dir", "file", "x"]
    assert (place.here / "y").read_text() == "x"
    assert not any(
        (place.here / one).exists() and (place.here / one).read_text() == "s3cr3t" for one in ("file", "secret")
    )
    assert (place.home / "secret").stat().st_mode & 0o777 != 0o777


async def test_what_is_sent_has_no_dots_left(place: Bed) -> None:
    """`link/..` is where the link leads; judged by text it would be something else, so it is sent as judged."""
    (place.home / "far" / "deep").mkdir(parents=True)
    (place.home / "link").symlink_to(place.home / "far" / "deep")
    (place.home / "x").write_text("near")
    (place.home / "far" / "x").write_text("far")
    code, _, err = await place.sftp(f"get {place.home}/link/../x got\n")
    assert (code, err) == (0, "")
    assert (place.here / "got").read_text() == "near"
    assert facts(next(one for one in place.asked if one.verb == "read")).paths == {str(place.home / "x")}


async def test_names_that_are_not_utf8_go_through(place: Bed) -> None:
    odd = os.fsencode(place.here) + b"/\xff\xfe x"
    with open(odd, "wb") as file:
        file.write(b"odd")
    code, _, err = await place.sftp('put "\udcff\udcfe x"\nmkdir "\udcc3"\n')
    assert (code, err) == (0, "")
    with open(os.fsencode(place.home) + b"/\xff\xfe x", "rb") as file:
        assert file.read() == b"odd"
    assert any(path.endswith("/\\xff\\xfe x") for one in place.asked for path in facts(one).paths)


async def test_scp_in_sftp_mode(place: Bed) -> None:
    (place.here / "tree").mkdir()
    (place.here / "tree" / "f").write_bytes(os.urandom(100_000))
    (place.here / "tree" / "no").write_text("no")
    place.verdict = lambda one: "not this" if any(path.endswith("/no") for path in facts(one).paths) else ""
    code, _, err = await place.scp("-s", "-r", "-p", "tree", "host:copy")
    assert code != 0
    assert "denied" in err.lower()
    assert (place.home / "copy" / "f").read_bytes() == (place.here / "tree" / "f").read_bytes()
    assert not (place.home / "copy" / "no").exists()
    code, _, err = await place.scp("-s", "host:copy/f", "back")
    assert (code, err) == (0, "")
    assert (place.here / "back").read_bytes() == (place.here / "tree" / "f").read_bytes()

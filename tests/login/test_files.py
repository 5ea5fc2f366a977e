"""Other people's files: our section comes, changes and stays one, and every other byte stays as it was."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.errors import UserError
from hooptui.login import files

BEGIN, END = files.marks("prod-eu")

line = st.binary(max_size=20).filter(lambda one: b"\n" not in one) | st.sampled_from(
    [
        b"[service]",
        b"host=x",
        b"Host *",
        b"# >>> hooptui login other >>>",
        b"\xff",
        b"a\r",
        b"\x0b\x0c\x85",
        BEGIN + b"x",
    ]
)
text = st.lists(line, max_size=8).map(b"\n".join)
where: st.SearchStrategy[Literal["first", "last"]] = st.sampled_from(["first", "last"])
body = st.lists(line.filter(lambda one: one.rstrip(b"\r") not in (BEGIN, END)), max_size=4).map(b"\n".join)


@settings(max_examples=200, derandomize=True)
@given(text, body, body, where)
def test_a_section_comes_once_and_disturbs_nothing(
    before: bytes, one: bytes, two: bytes, new: Literal["first", "last"]
) -> None:
    once = files.section(before, "prod-eu", one, new=new)
    assert files.section(once, "prod-eu", one, new=new) == once
    found = files.find(once, "prod-eu")
    assert found is not None
    rest = once[: found[0]] + once[found[1] :]
    assert rest == before or (new == "last" and rest == before + b"\n" and not before.endswith(b"\n"))
    changed = files.section(once, "prod-eu", two, new="last" if new == "first" else "first")
    place = files.find(changed, "prod-eu")
    assert place is not None and place[0] == found[0], "it stays where it is"
    assert changed[: place[0]] + changed[place[1] :] == rest
    both = files.section(changed, "third", one, new=new)
    assert files.section(both, "prod-eu", one, new=new).count(BEGIN + b"\n") == both.count(BEGIN + b"\n")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([b"a", BEGIN, b"b"], "3: our section does not end"),
        ([BEGIN, END, BEGIN, END], "3: our section begins twice"),
        ([BEGIN, b"a", BEGIN, END], "3: our section begins twice"),
        ([b"a", END], "2: our section ends without a beginning"),
        ([BEGIN, END, END], "3: our section ends without a beginning"),
    ],
)
def test_damaged_marks_are_named_and_left(tmp_path: Path, lines: list[bytes], words: str) -> None:
    path = tmp_path / "config"
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(UserError, match=f"^{path}:{words}"):
        files.put_section(path, "prod-eu", "x", new="last")
    assert path.read_bytes() == b"\n".join(lines)


def test_a_link_stays_a_link_and_a_mode_a_mode(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "config"
    real.parent.mkdir()
    real.write_text("Host a\r\n  User b")
    real.chmod(0o640)
    link = tmp_path / "config"
    link.symlink_to(real)
    files.put_section(link, "prod-eu", "Include x", new="first")
    assert link.is_symlink() and real.stat().st_mode & 0o777 == 0o640
    assert real.read_bytes() == BEGIN + b"\nInclude x\n" + END + b"\nHost a\r\n  User b"
    assert sorted(path.name for path in real.parent.iterdir()) == ["config"], "no draft is left"


def test_what_says_the_same_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "config"
    files.put_section(path, "prod-eu", "x", new="last")
    before = path.stat()
    files.put_section(path, "prod-eu", "x\n", new="last")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert before.st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_replaced_is_still_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config"
    path.write_text("mine\n")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="No space left on device"):
        files.put_section(path, "prod-eu", "x", new="last")
    assert [one.name for one in tmp_path.iterdir()] == ["config"] and path.read_text() == "mine\n"


def test_what_is_too_large_or_no_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Is a directory"):
        files.read(tmp_path)
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(files.LARGEST + 1)
    with pytest.raises(UserError, match="larger than 4 MiB"):
        files.read(big)
    with pytest.raises(UserError, match="File exists"):
        files.private_directory(big)
    with pytest.raises(UserError, match="HOME is not set"):
        files.state_home({})


def test_one_at_a_time(tmp_path: Path) -> None:
    order: list[str] = []
    inside, go = threading.Event(), threading.Event()

    def first() -> None:
        with files.locked(tmp_path / "lock"):
            inside.set()
            assert go.wait(60)
            order.append("first")

    def second() -> None:
        assert inside.wait(60)
        go.set()
        with files.locked(tmp_path / "lock"):
            order.append("second")

    threads = [threading.Thread(target=one) for one in (first, second)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert order == ["first", "second"]

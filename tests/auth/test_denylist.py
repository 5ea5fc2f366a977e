"""Denylists: read whole or not at all, reloaded when they change, and as good as any other source of truth."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.auth import denylist
from hooptui.auth.denylist import BadList, Denied, read
from hooptui.auth.oracle import Mark, mark
from hooptui.auth.validity import Mode, Revocation
from hooptui.core.clock import ManualClock
from hooptui.core.model import Identity
from hooptui.core.secret import Secret

from .forge import NOW, says, token
from .watching import Book, Stage


def known(*subjects: str, jti: str | None = None, issued: float | None = NOW) -> Mark:
    return Mark("https://idp.example", frozenset(subjects), None, jti, issued)


def test_a_list_names_tokens_and_subjects() -> None:
    denied = read(b'{"jti": "j-1"}\n\n{"sub": "etl-7"}\r\n{"sub": "ops-1", "before": 1800000000}\n')
    assert denied.names(known("x", jti="j-1")) and denied.names(known("etl-7")) and denied.names(known("y", "etl-7"))
    assert denied.names(known("ops-1", issued=NOW - 1)) and denied.names(known("ops-1", issued=None))
    assert not denied.names(known("ops-1", issued=NOW)) and not denied.names(known("x", jti="j-2"))
    assert not denied.names(known("j-1")) and not denied.names(known("x", jti="etl-7"))
    assert read(b"") == Denied() == read(b"\n \n")


def test_of_two_lines_about_one_subject_the_harder_counts() -> None:
    for lines in (b'{"sub": "a"}\n{"sub": "a", "before": 5}', b'{"sub": "a", "before": 5}\n{"sub": "a"}'):
        assert read(lines).subjects == {"a": None}
    assert read(b'{"sub": "a", "before": 5}\n{"sub": "a", "before": 9}\n{"sub": "a", "before": 7}').subjects == {
        "a": 9.0
    }


@pytest.mark.parametrize(
    "line",
    [
        b"etl-7", b"{", b"[]", b'"etl-7"', b"{}", b'{"sub": ""}', b'{"sub": 7}', b'{"sub": null}', b'{"jti": ["x"]}', b'{"jti": "a\\n"}',
        b'{"jti": "x", "sub": "y"}', b'{"sub": "x", "sub": "y"}', b'{"sub": "x", "until": 5}', b'{"jti": "x", "before": 5}', b'{"before": 5}',
        b'{"sub": "x", "before": "5"}', b'{"sub": "x", "before": true}', b'{"sub": "x", "before": null}', b'{"sub": "x", "before": NaN}',
        b'{"sub": "x"} # gone', b"\xff", b'\xef\xbb\xbf{"sub": "x"}', b'{"sub": "' + b"x" * 5000 + b'"}',
    ],
)  # fmt: skip
def test_a_line_that_is_not_understood_spoils_the_list(line: bytes) -> None:
    with pytest.raises(BadList, match="line 2") as caught:
        read(b'{"jti": "j-1"}\n' + line)
    assert "etl-7" not in str(caught.value)


def test_an_endless_list_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(denylist, "MAX_LINES", 3)
    with pytest.raises(BadList, match="lines"):
        read(b"\n" * 3)
    monkeypatch.setattr(denylist, "MAX_BYTES", 3)
    with pytest.raises(BadList, match="bytes"):
        read(b"\n" * 4)


@given(st.binary(max_size=60) | st.text(max_size=40).map(str.encode))
@settings(max_examples=200, derandomize=True, deadline=None)
def test_anything_is_a_list_or_is_refused(raw: bytes) -> None:
    try:
        denied = read(raw)
    except BadList:
        return
    assert len(denied.tokens) + len(denied.subjects) <= raw.count(b"\n") + 1


def listed(where: Path | str, **more: float) -> Revocation:
    return Revocation(Mode.DENYLIST, denylist=str(where), **more)


def write(path: Path, text: str) -> None:
    """As a careful writer does: whole, by another name first."""
    other = path.with_suffix(".new")
    other.write_text(text)
    os.replace(other, path)


async def test_a_file_is_read_anew_when_it_changes(book: Book, tmp_path: Path) -> None:
    path, clock = tmp_path / "denied.jsonl", ManualClock(NOW)
    write(path, '{"sub": "dev-9"}\n')
    async with Stage(book, listed(path), clock) as stage:
        one, two = Secret(token(stage.url, jti="j-1")), Secret(token(stage.url, jti="j-2"))
        assert await stage.code(one) == await stage.code(two) == "ok"
        stage.watch("one", one)
        stage.watch("two", two)
        assert stage.watch("lease", None)
        write(path, '{"jti": "j-1"}\n')
        clock.advance(30)
        await stage.watcher.look()
        assert set(stage.ended) == {"one"} and "list" in stage.ended["one"]
        assert await stage.code(one) == "token-revoked"
        write(path, '{"sub": "etl-7"}\n')
        clock.advance(30)
        await stage.watcher.look()
        assert set(stage.ended) == {"one", "two", "lease"} and not stage.alerts
        assert await stage.code(None) == "token-revoked"


async def test_a_subject_is_found_behind_its_expired_token(book: Book, tmp_path: Path) -> None:
    path, clock = tmp_path / "denied.jsonl", ManualClock(NOW)
    write(path, "")
    async with Stage(book, listed(path), clock) as stage:
        stage.watch("a", Secret(token(stage.url, exp=NOW + 10)))
        clock.advance(60)
        await stage.watcher.look()
        write(path, '{"sub": "etl-7"}')
        clock.advance(30)
        await stage.watcher.look()
        assert set(stage.ended) == {"a"}


def test_an_agent_is_known_by_its_person_too() -> None:
    who = Identity("https://idp.example", "agent-5", "agent-5", owner="https://idp.example#ops-1")
    assert mark(who, None).subjects == {"agent-5", "ops-1"}
    stranger = Identity("https://idp.example", "agent-5", "agent-5", owner="https://other.example#ops-1")
    assert mark(stranger, None).subjects == {"agent-5"}
    assert "eyJ" not in repr(mark(who, Secret(token("https://idp.example"))))


async def test_a_list_that_cannot_be_read_is_an_outage(book: Book, tmp_path: Path) -> None:
    path, clock = tmp_path / "denied.jsonl", ManualClock(NOW)
    async with Stage(book, listed(path, keep_for=60.0), clock) as stage:
        secret = Secret(token(stage.url))
        assert await stage.code(secret) == "validity-unknown" and "No such file" in stage.alerts[0][1]
        write(path, "")
        clock.advance(1)
        assert await stage.code(secret) == "ok"
        stage.watch("a", secret)
        write(path, "{")
        for _ in range(3):
            clock.advance(30)
            await stage.watcher.look()
        assert set(stage.ended) == {"a"}
        assert stage.codes == ["revocation-unreachable", "revocation-again", "revocation-misconfigured"]


@pytest.mark.parametrize("kind", ["directory", "fifo", "world-writable"])
async def test_what_is_no_file_of_the_operators(book: Book, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "denied.jsonl"
    match kind:
        case "directory":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case _:
            path.write_text("")
            path.chmod(0o666)
    async with Stage(book, listed(path), ManualClock(NOW)) as stage:
        assert await stage.code(Secret(token(stage.url))) == "validity-unknown"
        assert stage.codes == ["revocation-misconfigured"]


async def test_a_list_behind_a_url(book: Book) -> None:
    clock, url = ManualClock(NOW), book.publisher.url
    book.publisher.answers["/denied"] = says(200, b'{"jti": "j-1"}\n')
    async with Stage(book, listed(f"{url}/denied"), clock) as stage:
        one, two = Secret(token(url, jti="j-1")), Secret(token(url, jti="j-2"))
        assert await stage.code(one) == "token-revoked" and await stage.code(two) == "ok"
        for number in range(20):
            stage.watch(str(number), Secret(token(url, jti=f"x-{number}")))
        await stage.watcher.look()
        assert book.publisher.asked == {"/denied": 1}
        book.publisher.answers["/denied"] = says(404)
        clock.advance(30)
        assert await stage.code(one) == "validity-unknown" and "404" in stage.alerts[0][1]

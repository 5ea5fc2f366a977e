"""Recordings read back: in slices, live, torn, as a list, as text, as a file."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.audit import replay
from hooptui.audit.codec import Unreadable, decode_event, encode_event
from hooptui.audit.export import export_session
from hooptui.audit.plain import plain
from hooptui.audit.replay import NoRecording, events, find, index, list_recordings, stream
from hooptui.core.events import (
    BODIES,
    Alert,
    Asked,
    Body,
    Decided,
    Event,
    Finished,
    Header,
    Held,
    Omitted,
    Output,
    Rows,
    SessionClosed,
    Voted,
)
from hooptui.core.gate import Masked
from hooptui.core.visible import visible
from tests.audit.making import DAY, NOW, M, body_of, log_in, opened, session, write


@pytest.fixture
async def state(tmp_path: Path) -> Path:
    await write(tmp_path, [*session("ab12"), *session("cd34", at=NOW + 50, operations=1)])
    return tmp_path


def path_of(state: Path, name: str) -> Path:
    return state / "recordings" / DAY / f"{name}.jsonl"


@pytest.mark.parametrize("limit", [1, 3, 1000])
async def test_slices_put_together_are_the_session(state: Path, limit: int) -> None:
    found: list[Event] = []
    position = 0
    while True:
        some, after = events(state, "ab12", position, limit)
        assert len(some) <= limit
        found += some
        if after == position:
            break
        position = after
    assert found == session("ab12") == list(stream(state, "ab12"))
    assert position == path_of(state, "ab12").stat().st_size


async def test_a_slice_is_bounded_in_bytes_too(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "_SLICE", 400)
    some, _ = events(state, "ab12")
    assert 1 < len(some) < 5


async def test_a_position_inside_a_line_is_an_error(state: Path) -> None:
    with pytest.raises(ValueError, match="not where a line begins"):
        events(state, "ab12", 5)


async def test_a_live_recording_is_read_while_it_grows(tmp_path: Path) -> None:
    one = session("ab", operations=20)
    async with log_in(tmp_path) as log:
        found: list[Event] = []
        position = 0
        known = None
        assert events(tmp_path, "ab", 0) == ((), 0)
        for at, event in enumerate(one):
            log.append(event)
            if at % 10 == 0:
                async with asyncio.timeout(60):
                    while len(found) <= at:
                        some, position = events(tmp_path, "ab", position)
                        found += some
                        await asyncio.sleep(0.002)
                known = index(tmp_path, "ab", known)
                assert known.events >= len(found)
            if at == 30:
                (view,) = list_recordings(tmp_path)
                assert (view.live, view.closed_at) == (True, None)
                assert 0 < view.operations <= 20
    assert index(tmp_path, "ab", known) == index(tmp_path, "ab")
    found += events(tmp_path, "ab", position)[0]
    assert found == one


async def test_half_a_line_is_left_out_and_named(state: Path) -> None:
    with path_of(state, "ab12").open("ab") as file:
        file.write(b'{"at":1,"se')
    assert list(stream(state, "ab12")) == session("ab12")
    some, position = events(state, "ab12")
    assert list(some) == session("ab12")
    assert events(state, "ab12", position) == ((), position)
    assert index(state, "ab12").torn == 11


async def test_a_changed_line_is_an_error_that_says_where(state: Path) -> None:
    path = path_of(state, "ab12")
    path.write_bytes(path.read_bytes().replace(b'"kind":"decided"', b'"kind":"dreamed"', 1))
    with pytest.raises(Unreadable, match=r"ab12\.jsonl at byte \d+: unknown kind of event: 'dreamed'"):
        list(stream(state, "ab12"))


async def test_the_index_knows_operations_risk_and_time(tmp_path: Path) -> None:
    def asked(number: int, command: str) -> Asked:
        return Asked(number, command, M(f"{command} {number} " + "x" * 300), (command,), ("t",))

    bodies: list[Body] = [
        opened(),
        asked(1, "select"),
        asked(2, "delete"),
        asked(3, "select"),
        Held(3, 17, "r", "why", ("dba",), 1, "high", NOW + 60),
        asked(4, "select"),
        Decided(4, "deny", "policy", ("r",), "no", "p1"),
        asked(5, "show"),
        Decided(5, "allow", "policy", ("r",), "yes", "p1"),
    ]
    one = [Event(NOW + number, "ab", body) for number, body in enumerate(bodies)]
    await write(tmp_path, one)
    found = index(tmp_path, "ab")
    assert [mark.operation for mark in found.marks if mark.risky] == [2, 3, 4]
    assert [mark.at - NOW for mark in found.marks] == [1, 2, 3, 5, 7]
    assert (found.duration, found.events, found.torn, found.complete) == (8.0, 9, 0, True)
    assert len(found.marks[0].text) == 200
    for mark in found.marks:
        (first, *_), _ = events(tmp_path, "ab", mark.position, 1)
        assert isinstance(first.body, Asked)
        assert first.body.operation == mark.operation


async def test_an_index_is_bounded_and_says_so(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "_MARKS", 1)
    found = index(state, "ab12")
    assert (len(found.marks), found.complete, found.events) == (1, False, len(session("ab12")))


async def test_the_list_is_newest_first_bounded_and_read_from_both_ends(state: Path) -> None:
    long = [Event(NOW + 99, "ef", opened(name="ops-1"))]
    long += [Event(NOW + 99, "ef", Output(1, "copy-out", M("y" * 5000))) for _ in range(60)]
    long.append(Event(NOW + 120, "ef", SessionClosed(M("bye"), 41, 0, 0, 0)))
    await write(state, long)
    views = list_recordings(state)
    assert [view.session for view in views] == ["ef", "cd34", "ab12"]
    first = views[0]
    assert (first.who, first.target, first.via) == ("ops-1", "orders-db", "pg")
    assert (first.opened_at, first.closed_at, first.operations, first.live) == (NOW + 99, NOW + 120, 41, False)
    assert first.size == path_of(state, "ef").stat().st_size
    assert [view.operations for view in views[1:]] == [1, 2]
    assert len(list_recordings(state, 2)) == 2
    path_of(state, "aa").write_bytes(b"garbage\n")
    (state / "recordings" / DAY / "notes.txt").write_text("x")
    assert len(list_recordings(state)) == 3


async def test_a_last_line_longer_than_the_tail_is_found(tmp_path: Path) -> None:
    last = Event(NOW + 5, "ab", SessionClosed(M("r" * 300_000), 7, 0, 0, 0))
    await write(tmp_path, [Event(NOW, "ab", opened()), last])
    (view,) = list_recordings(tmp_path)
    assert (view.closed_at, view.operations) == (NOW + 5, 7)


async def test_a_session_is_found_by_the_beginning_of_its_name(state: Path) -> None:
    await write(state, session("ab99"))
    assert find(state, "ab12") == find(state, "ab1") == find(state, " AB12 ") == "ab12"
    with pytest.raises(NoRecording, match="several recordings begin with ab: ab12, ab99"):
        find(state, "ab")
    with pytest.raises(NoRecording, match="no recording of a session ff"):
        find(state, "ff")
    for nonsense in ("", "../ab12", "a/b", "*"):
        with pytest.raises(NoRecording):
            find(state, nonsense)
        with pytest.raises(NoRecording):
            list(stream(state, nonsense))


# --- text ----------------------------------------------------------------------------------------


async def test_a_session_reads_as_text(state: Path) -> None:
    lines = list(replay.plain(stream(state, "ab12")))
    assert lines[:13] == [
        "2023-11-14 22:13:20 UTC",
        "   0:00.0 ● etl-7 → orders-db (postgres) from 10.0.0.9:5000",
        "            https://id.example#u7 (workload)",
        "            groups agents · application psql · policy p1",
        "   0:00.1 ▶ 1 SELECT id, email FROM customers",
        "            $1 = '1'",
        "            $2 = NULL",
        "   0:00.2 ✓ 1 allow (policy) · rule agents-read · agents may read",
        "   0:00.4   id │ email",
        "            ───┼─────────────",
        "            1  │ ████@acme.io",
        "            2  │ NULL",
        "   0:00.5 ◀ 1 SELECT 2 · 2 rows · 0.8 ms · 1 values masked (pii)",
    ]
    assert lines[-1] == "   0:01.1 ○ closed: client left · 2 operations · 2 values masked · 100 bytes in, 200 out"


HOSTILE = "\x1b]0;x\x07\x9b2J\u202e\u200b\r\n\x00\t\ud800│DROP"


@pytest.mark.parametrize("kind", BODIES, ids=lambda kind: kind.__name__)
def test_hostile_text_is_inert_in_every_kind(kind: type[Body]) -> None:
    for line in plain([Event(NOW, "ab", body_of(Header, HOSTILE)), Event(NOW, "ab", body_of(kind, HOSTILE))]):
        assert not set(line) & set("\x1b\x07\x9b\u202e\u200b\r\n\x00\ud800"), line
        line.encode()


@settings(max_examples=150, derandomize=True, deadline=None)
@given(
    st.lists(
        st.lists(st.none() | st.text(st.characters(exclude_categories=())), max_size=4).map(tuple), max_size=5
    ).map(tuple),
    st.lists(st.text(), max_size=4).map(tuple),
)
def test_any_rows_under_any_header_are_drawn(
    rows: tuple[tuple[Masked | None, ...], ...], names: tuple[Masked, ...]
) -> None:
    lines = list(plain([Event(NOW, "a", Header(1, names)), Event(NOW, "a", Rows(1, rows))]))
    assert all(visible(line) == line for line in lines)
    assert all(len(line) < 400 for line in lines)


def test_a_header_without_rows_a_long_statement_and_what_was_left_out_are_shown() -> None:
    lines = list(
        plain(
            [
                Event(NOW, "a", Asked(1, "select", M("SELECT 1\nFROM t"), (), ())),
                Event(NOW, "a", Header(1, (M("id"),))),
                Event(NOW, "a", Omitted(1, 500, 70_000, 65_536)),
                Event(NOW, "a", Finished(1, M("ERROR 42501"), False, 0, 0, 1.0)),
                Event(NOW + 4000, "a", Voted(3, 1, "iss#ops-2", M("ops-2"), False, M("freeze"), "once")),
                Event(NOW - 50, "a", Alert("c", M("x"))),
            ]
        )
    )
    text = "\n".join(lines)
    assert "▶ 1 SELECT 1\n                      FROM t" in text
    assert "500 rows, 70000 bytes not recorded: the cap is 65536 bytes" in text
    assert "  id\n" in text
    assert "◀ ! 1 ERROR 42501 · 1.0 ms" in text, "no rows, and no words of them"
    assert "1:06:40.0 ✗ ops-2 (iss#ops-2) denies #3: freeze" in text
    assert "   0:00.0 ● alert: code c · text x" in text


def test_long_cells_are_cut_and_wide_ones_keep_the_columns_straight() -> None:
    rows = ((M("日本"), M("a")), (M("x" * 500), M("b")))
    lines = [line[10:] for line in plain([Event(NOW, "a", Rows(1, rows))])][1:]
    assert lines == ["  日本" + " " * 56 + " │ a", "  " + "x" * 59 + "… │ b"]


# --- files ---------------------------------------------------------------------------------------


async def test_an_export_as_lines_is_the_recording_byte_for_byte(state: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    written = export_session(state, "ab1", out, "jsonl")
    assert written == out / "ab12.jsonl"
    assert written.read_bytes() == path_of(state, "ab12").read_bytes()
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert export_session(state, "ab12", out, "jsonl") == out / "ab12-2.jsonl"


async def test_an_export_as_text_is_what_replay_prints(state: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    written = export_session(state, "cd34", out)
    assert written.name == "cd34.txt"
    assert written.read_text().splitlines() == list(plain(stream(state, "cd34")))


async def test_what_cannot_be_exported_leaves_no_file(state: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(ValueError, match="text, jsonl, cast or cast2, not 'pdf'"):
        export_session(state, "ab12", out, "pdf")
    with pytest.raises(NoRecording):
        export_session(state, "ff", out)
    path_of(state, "ab12").write_bytes(encode_event(Event(NOW, "ab12", opened())) + b"\ngarbage\n")
    with pytest.raises(Unreadable):
        export_session(state, "ab12", out)
    with pytest.raises(FileNotFoundError):
        export_session(state, "cd34", tmp_path / "nowhere")
    (out / "cd34.txt").symlink_to(tmp_path / "victim")
    assert export_session(state, "cd34", out).name == "cd34-2.txt"
    assert not (tmp_path / "victim").exists()
    assert sorted(path.name for path in out.iterdir()) == ["cd34-2.txt", "cd34.txt"]
    assert decode_event(path_of(state, "cd34").read_bytes().splitlines()[0]).session == "cd34"

"""Framing: the same frames whatever the chunks, bounded memory, no quadratic work."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.protocols.postgres import build
from hooptui.protocols.postgres.wire import Framer, ProtocolViolation, RunFramer, bulk

LIMIT = 1000

KINDS = b"DDDDddTZCEN"


def message(kind: int, size: int) -> bytes:
    return bytes([kind]) + (size + 4).to_bytes(4, "big") + bytes(i % 251 for i in range(size))


frames = st.lists(st.builds(message, st.sampled_from(KINDS), st.integers(0, 40)), max_size=30)
cuts = st.lists(st.integers(1, 50), min_size=1, max_size=20)


def chunks(stream: bytes, sizes: list[int]):
    position = turn = 0
    while position < len(stream):
        size = sizes[turn % len(sizes)]
        yield stream[position : position + size]
        position += size
        turn += 1


def fed(framer, pieces) -> tuple[list, str]:
    """Everything a framer gives for these chunks, and how it ended."""
    found: list = []
    for piece in pieces:
        try:
            found += framer.feed(piece)
        except ProtocolViolation as violation:
            return found + (violation.frames or violation.runs), str(violation)
    return found, f"{framer.pending} pending"


@settings(max_examples=150, deadline=None, derandomize=True)
@given(frames, cuts)
def test_any_chunking_gives_the_same_frames(messages, sizes):
    found, end = fed(Framer(LIMIT), chunks(b"".join(messages), sizes))
    assert found == [(raw[0], raw) for raw in messages] and end == "0 pending"


@settings(max_examples=150, deadline=None, derandomize=True)
@given(frames, cuts)
def test_runs_hold_the_same_bytes_and_counts(messages, sizes):
    stream = b"".join(messages)
    runs, end = fed(RunFramer(LIMIT), chunks(stream, sizes))
    assert b"".join(raw for _, raw, _ in runs) == stream and end == "0 pending"
    assert sum(count for _, _, count in runs) == len(messages)
    again = [frame for kind, raw, count in runs for frame in Framer(LIMIT).feed(raw)]
    assert again == [(raw[0], raw) for raw in messages]
    for kind, raw, count in runs:
        assert count == 1 or kind in b"Dd"
        assert all(kind == inner for inner, _ in Framer(LIMIT).feed(raw))
        assert len(Framer(LIMIT).feed(raw)) == count


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=300), cuts, st.sampled_from([Framer, RunFramer]))
def test_arbitrary_bytes_give_the_same_frames_or_violation_however_cut(stream, sizes, kind):
    def flat(found):
        return [frame for item in found for frame in Framer(LIMIT).feed(item[1])]

    whole, end = fed(kind(LIMIT), [stream])
    pieces, same = fed(kind(LIMIT), chunks(stream, sizes))
    assert (flat(whole), end) == (flat(pieces), same)


def test_runs_are_as_long_as_the_chunk_allows():
    rows = build.data_row([b"a", None]) * 500
    stream = build.row_description([]) + rows + build.command_complete("SELECT 500") + build.ready(b"I")
    assert RunFramer(LIMIT).feed(stream) == [
        (ord("T"), build.row_description([]), 1),
        (ord("D"), rows, 500),
        (ord("C"), build.command_complete("SELECT 500"), 1),
        (ord("Z"), build.ready(b"I"), 1),
    ]
    framer = RunFramer(LIMIT)
    assert framer.feed(rows[:-1]) == [(ord("D"), rows[: -len(rows) // 500], 499)]
    assert framer.feed(rows[-1:]) == [(ord("D"), rows[: len(rows) // 500], 1)]


def test_a_chunk_of_rows_alone_is_passed_on_uncopied():
    rows = build.data_row([b"a"]) * 10
    ((_, raw, _),) = RunFramer(LIMIT).feed(rows)
    assert raw is rows


@pytest.mark.parametrize("kind", [Framer, RunFramer])
@pytest.mark.parametrize("first", [b"D", b"Q", b"\x01"])
@pytest.mark.parametrize("length", [0, 3, LIMIT + 1, 0x7FFFFFFF, 0xFFFFFFFF])
def test_lengths_out_of_bounds_are_refused_before_the_body(kind, first, length):
    good = build.SYNC
    framer = kind(LIMIT)
    header = first + length.to_bytes(4, "big")
    with pytest.raises(ProtocolViolation) as caught:
        framer.feed(good + header)
    assert [item[1] for item in caught.value.frames + caught.value.runs] == [good]
    assert framer.pending == 0
    with pytest.raises(ProtocolViolation):
        framer.feed(good)
    drip = kind(LIMIT)
    for byte in header[:-1]:
        assert drip.feed(bytes([byte])) == []
    with pytest.raises(ProtocolViolation):
        drip.feed(header[-1:])


@pytest.mark.parametrize("kind", [Framer, RunFramer])
def test_a_violation_in_the_middle_of_rows_comes_after_the_rows(kind):
    row = build.data_row([b"a"])
    with pytest.raises(ProtocolViolation) as caught:
        kind(LIMIT).feed(row * 3 + b"D\0\0\0\1")
    assert b"".join(item[1] for item in caught.value.frames + caught.value.runs) == row * 3


@pytest.mark.parametrize("kind", [Framer, RunFramer])
def test_the_limit_itself_is_allowed(kind):
    raw = message(ord("D"), LIMIT - 4)
    assert [item[1] for item in kind(LIMIT).feed(raw)] == [raw]


@pytest.mark.parametrize("kind", [Framer, RunFramer])
def test_unread_bytes_can_be_taken_away(kind):
    framer = kind(LIMIT)
    framer.feed(build.SYNC + b"Q\0\0\0\x09ab")
    assert framer.pending == 7
    assert framer.take() == b"Q\0\0\0\x09ab" and framer.pending == 0
    assert [item[1] for item in framer.feed(build.SYNC)] == [build.SYNC]


def test_an_announced_length_costs_no_memory():
    framer = Framer(1 << 30)
    tracemalloc.start()
    framer.feed(b"Q\x3f\xff\xff\xff" + b"x" * 100)
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert used < 10_000


def test_memory_stays_near_what_has_come():
    size = 4_000_000
    raw = message(ord("d"), size)
    framer = RunFramer(1 << 30)
    tracemalloc.start()
    for start in range(0, len(raw) - 1000, 65_536):
        framer.feed(raw[start : min(start + 65_536, len(raw) - 1000)])
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert used < 1.3 * size


@pytest.mark.parametrize("kind", [Framer, RunFramer])
def test_drip_is_not_quadratic(kind):
    def seconds(size: int) -> float:
        raw = message(ord("D"), size)
        pieces = [raw[i : i + 1] for i in range(len(raw))]
        framer = kind(1 << 30)
        started = time.process_time()
        for piece in pieces[:-1]:
            assert framer.feed(piece) == []
        assert framer.feed(pieces[-1])[0][1] == raw
        return time.process_time() - started

    small = min(seconds(20_000) for _ in range(3))
    # Ten times the bytes; quadratic work would take a hundred times as long.
    assert seconds(200_000) < 40 * small


def test_bulk_walks_one_kind_and_stops_where_it_must():
    row, copy = build.data_row([b"abc"]), build.copy_data(b"x")
    stream = row * 3 + copy * 2 + row[:-1]
    assert bulk(stream, 0, LIMIT) == (3 * len(row), 3)
    assert bulk(stream, 3 * len(row), LIMIT) == (3 * len(row) + 2 * len(copy), 2)
    tail = 3 * len(row) + 2 * len(copy)
    assert bulk(stream, tail, LIMIT) == (tail, 0)
    assert bulk(stream, len(stream) - 2, LIMIT) == (len(stream) - 2, 0)
    assert bulk(b"", 0, LIMIT) == (0, 0)
    assert bulk(row + b"D\0\0\0\0", 0, LIMIT) == (len(row), 1)
    with pytest.raises(ProtocolViolation):
        bulk(b"D\0\0\0\0", 0, LIMIT)

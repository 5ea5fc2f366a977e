"""Rows under masks: the walk that makes no values does what taking rows apart and putting them together again does."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.core.model import Column, MaskAction, MaskRule, MaskSet
from hooptui.core.ports import Masker
from hooptui.masking import make_masker
from hooptui.protocols.postgres import build, rows
from hooptui.protocols.postgres.copying import CopyOut
from hooptui.protocols.postgres.facts import understand
from hooptui.protocols.postgres.rows import Layout, Tally
from hooptui.protocols.postgres.wire import HEADER, ProtocolViolation

CARD = b"4242424242424242"
TYPES = {"id": 23, "email": 25, "note": 25, "secret": 25, "amount": 1700, "raw": 17}


def masker(action: MaskAction, *detect: str) -> Masker:
    named = MaskRule("named", ("email",), (), action)
    gone = MaskRule("gone", ("secret",), (), MaskAction.NULL)
    found = (MaskRule("found", (), detect, MaskAction.PARTIAL),) if detect else ()
    return make_masker(MaskSet((named, gone, *found), "v"), b"k" * 32)


def layout(names: tuple[str, ...], which: Masker) -> Layout:
    columns = tuple(Column(name, None, TYPES[name]) for name in names)
    return rows.layout(columns, tuple(() for _ in names), which)


names = st.lists(st.sampled_from(sorted(TYPES)), min_size=1, max_size=6).map(tuple)
values = (
    st.none()
    | st.sampled_from([b"", b"x", CARD, b"a card: " + CARD, b"bob@acme.io", b"7" * 1100])
    | st.binary(max_size=40)
)
actions = st.sampled_from([MaskAction.REDACT, MaskAction.PARTIAL, MaskAction.NULL])


@st.composite
def results(draw: st.DrawFn) -> tuple[Layout, bytes]:
    detect = draw(st.sampled_from([(), ("credit-card",), ("credit-card", "email")]))
    made = layout(draw(names), masker(draw(actions), *detect))
    width = len(made.columns)
    return made, b"".join(
        map(build.data_row, draw(st.lists(st.lists(values, min_size=width, max_size=width), max_size=5)))
    )


@settings(max_examples=500, derandomize=True, deadline=None)
@given(results())
def test_the_quick_walk_gives_the_same_bytes_and_the_same_count(result: tuple[Layout, bytes]) -> None:
    made, run = result
    if made.plan is None:
        return
    kept, quick = Tally(), Tally()
    slow = rows.mask_run(run, made, made.plan, kept, lambda row, size: None)
    fast = rows.mask_run(run, made, made.plan, quick, None)
    assert fast == slow
    assert (quick.masked, quick.rules) == (kept.masked, kept.rules)
    every = Tally()
    thorough = []
    for frame in rows.frames(run):
        row = rows.values(frame, len(made.columns))
        rows.mask_values(row, made.plan.columns, every)
        thorough.append(build.data_row(row))
    assert fast == b"".join(thorough), "no mask is left out that would have found something"
    assert quick.masked == every.masked


@settings(max_examples=300, derandomize=True, deadline=None)
@given(results(), st.data())
def test_spoilt_rows_are_violations_both_ways(result: tuple[Layout, bytes], data: st.DataObject) -> None:
    made, run = result
    if made.plan is None or not run:
        return
    spoilt = bytearray(run)
    # Any byte but the lengths of messages, which the framer has seen to.
    lengths = set()
    at = 0
    for frame in rows.frames(run):
        lengths |= set(range(at, at + HEADER))
        at += len(frame)
    place = data.draw(st.sampled_from(sorted(set(range(len(run))) - lengths)))
    spoilt[place] = data.draw(st.integers(0, 255))

    def outcome(quick: bool) -> bytes | None:
        """None: a violation."""
        assert made.plan is not None
        try:
            return rows.mask_run(bytes(spoilt), made, made.plan, Tally(), None if quick else lambda row, size: None)
        except ProtocolViolation:
            return None

    assert outcome(True) == outcome(False)


def test_rows_that_no_mask_touches_are_the_same_object() -> None:
    made = layout(("id", "email"), masker(MaskAction.REDACT))
    assert made.plan is not None
    run = build.data_row([b"1", None]) * 3
    assert rows.mask_run(run, made, made.plan, Tally(), None) is run


@pytest.mark.parametrize("form", ["text", "csv"])
@settings(max_examples=200, derandomize=True, deadline=None)
@given(
    lines=st.lists(
        st.tuples(
            *[st.sampled_from([b"", b"a", b"\\N", b"a\\tb", CARD, b"bob@acme.io", b'"q""r"', b"4242\\t4242"])] * 3
        ),
        min_size=1,
        max_size=4,
    )
)
def test_copied_rows_do_not_depend_on_their_neighbours(form: str, lines: list[tuple[bytes, ...]]) -> None:
    """What one row needs to have looked at changes nothing of another."""
    made = layout(("note", "email", "secret"), masker(MaskAction.REDACT, "credit-card"))
    shape = understand(f"COPY t TO STDOUT (FORMAT {form})").statements[0].copy
    assert shape is not None
    delimiter = b"\t" if form == "text" else b","
    frames = [build.copy_data(delimiter.join(line) + b"\n") for line in lines]
    together, alone = Tally(), Tally()
    whole = CopyOut(shape, made).mask(b"".join(frames), together)
    assert whole == b"".join(CopyOut(shape, made).mask(frame, alone) for frame in frames)
    assert together.masked == alone.masked
    assert CARD not in whole
    assert all(frame[HEADER:].split(delimiter)[1] != b"bob@acme.io" for frame in rows.frames(whole))

"""Bodies of Kubernetes for people: whatever comes, there are few lines, and none of it is obeyed."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hooptui.core.events import Event, Finished, Output
from hooptui.tui import cluster_words
from hooptui.tui.text import Row
from hooptui.tui.transcript import Memo, render
from tests.ui.scenes import M

values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["kind", "items", "rows", "cells", "metadata", "name", "columnDefinitions", "object", "data", "x"]), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


def text(rows: list[Row]) -> str:
    return "\n".join("".join(part for part, _ in row) for row in rows)


@given(st.one_of(values, st.builds(lambda rows: {"kind": "Table", "rows": rows}, values)))
def test_any_body_has_lines(value: Any) -> None:
    rows = cluster_words.body(json.dumps(value))
    assert 1 <= len(rows) <= cluster_words.LINES + 2 or value in ({}, {"items": []}) or not any(rows)
    shown = text(rows)
    assert all(unicodedata.category(char) not in ("Cc", "Cf", "Cs") or char == "\n" for char in shown)


@given(st.text(max_size=200))
def test_what_is_no_json_is_one_line(raw: str) -> None:
    try:
        json.loads(raw)
    except ValueError:
        assert len(cluster_words.body(raw)) == 1


@given(st.lists(values, max_size=4), st.integers(1, 30))
def test_events_come_whole_however_they_are_cut(objects: list[Any], size: int) -> None:
    whole = "".join(json.dumps({"type": "ADDED", "object": one}) + "\n" for one in objects)
    left, rows = "", []
    for at in range(0, len(whole), size):
        more, left = cluster_words.events(left + whole[at : at + size])
        rows += more
    assert left == "" and len(rows) == len(objects)
    assert rows == cluster_words.events(whole)[0]


def test_an_answer_in_pieces_is_drawn_once_and_whole() -> None:
    body = json.dumps({"kind": "PodList", "items": [{"metadata": {"name": f"p{n}"}} for n in range(100)]})
    memo, lines = Memo(), []
    for at in range(0, len(body), 100):
        more, memo = render(Event(0.0, "s", Output(1, "response", M(body[at : at + 100]))), memo)
        assert more == ()
    more, memo = render(Event(0.0, "s", Finished(1, M("200 OK"), True, 0, 0, 1.0)), memo)
    lines = [line.text for line in more]
    assert lines[0] == "PodList of 100" and lines[1] == "Pod p0" and lines[-1] == "200 OK"
    assert "60 more not shown" in lines[-2]
    again, _ = render(Event(0.0, "s", Finished(1, M("200 OK"), True, 0, 0, 1.0)), memo)
    assert [line.text for line in again] == ["200 OK"]


def test_a_masked_value_looks_masked() -> None:
    value = {"kind": "Secret", "data": {"p": "bWFza2VkLWJ5LWhvb3B0dWkuMDAwMDAwMDAuMzUwN2E0MmQ3ZWQ1OWNlMQ=="}, "note": "x masked-by-hooptui.00000000.3507a42d7ed59ce1 y"}  # fmt: skip
    shown = text(cluster_words.body(json.dumps(value)))
    assert "p: ████" in shown and "note: x ████ y" in shown


def test_an_endless_answer_is_not_kept() -> None:
    memo = Memo()
    for _ in range(100):
        _, memo = render(Event(0.0, "s", Output(1, "response", M("x" * 8192))), memo)
    assert len(memo.table(1).body) == cluster_words.BODY

"""The exposition format, read back by Prometheus' own parser."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from hooptui.portal.base import Metric
from hooptui.portal.metrics import render


def read(text: str) -> dict[str, tuple[str, list[tuple[dict[str, str], float]]]]:
    return {
        family.name: (family.type, [(dict(sample.labels), sample.value) for sample in family.samples])
        for family in text_string_to_metric_families(text)
    }


def test_gauges_and_counters() -> None:
    text = render(
        (
            Metric("hooptui_sessions", "Open now.", "gauge", (({"via": "pg"}, 3), ({"via": "ssh"}, 0))),
            Metric("hooptui_logins_refused_total", "Refused, by reason.", "counter", (({"code": "token-expired"}, 7),)),
            Metric("hooptui_loop_delay_seconds", "Late by.", "gauge", (({}, 0.00125),)),
        )
    )
    assert read(text) == {
        "hooptui_sessions": ("gauge", [({"via": "pg"}, 3.0), ({"via": "ssh"}, 0.0)]),
        "hooptui_logins_refused": ("counter", [({"code": "token-expired"}, 7.0)]),
        "hooptui_loop_delay_seconds": ("gauge", [({}, 0.00125)]),
    }
    assert text.endswith("\n")
    assert "# HELP hooptui_sessions Open now.\n" in text


@settings(max_examples=80, derandomize=True)
@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.text('"\\\n{}=,n ', max_size=8),
    st.one_of(st.floats(allow_nan=False), st.integers(0, 1 << 53)),
)
def test_any_label_value_and_number_comes_back(label: str, value: float) -> None:
    families = read(render((Metric("m", "Help \\ with\nlines.", "gauge", (({"label": label}, value),)),)))
    [(labels, number)] = families["m"][1]
    assert labels == {"label": label}
    assert number == value


def test_not_a_number_is_said_so() -> None:
    [(_, number)] = read(render((Metric("m", "", "gauge", (({}, math.nan),)),)))["m"][1]
    assert math.isnan(number)


@pytest.mark.parametrize(
    "metrics",
    [
        (Metric("has space", "", "gauge", ()),),
        (Metric("m", "", "gauge", (({"bad-label": "x"}, 1),)),),
        (Metric("m", "", "gauge", ()), Metric("m", "", "gauge", ())),
        (Metric('m{x="1"}', "", "gauge", ()),),
    ],
)
def test_what_is_not_the_format_is_not_written(metrics: tuple[Metric, ...]) -> None:
    with pytest.raises(ValueError, match=r"metric name|label name|twice"):
        render(metrics)

"""The Prometheus text exposition format, version 0.0.4: values in, text out. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from hooptui.portal.base import Metric

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def render(metrics: Iterable[Metric]) -> str:
    """All families, in the order they come.

    Raises:
        ValueError: a name or label is not one of the format's, or a family comes twice.
    """
    lines: list[str] = []
    seen: set[str] = set()
    for metric in metrics:
        if not _NAME.fullmatch(metric.name):
            raise ValueError(f"{metric.name!r} is no metric name")
        if metric.name in seen:
            raise ValueError(f"{metric.name} is there twice")
        seen.add(metric.name)
        lines.append(
            f"# HELP {metric.name} {metric.help.replace(chr(92), chr(92) * 2).replace(chr(10), chr(92) + 'n')}"
        )
        lines.append(f"# TYPE {metric.name} {metric.kind}")
        for labels, value in metric.samples:
            if bad := [label for label in labels if not _LABEL.fullmatch(label)]:
                raise ValueError(f"{metric.name}: {bad[0]!r} is no label name")
            inner = ",".join(f'{label}="{_escaped(text)}"' for label, text in sorted(labels.items()))
            lines.append(f"{metric.name}{{{inner}}} {_number(value)}" if inner else f"{metric.name} {_number(value)}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    """Go's ParseFloat reads Python's repr, but for infinities and what is not a number."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return repr(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))

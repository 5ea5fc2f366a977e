"""Line 1, which never scrolls away: listeners, live, held with the oldest wait, journal, loop delay, clock. And the banner.

Pure functions of the snapshot; the widths decide how many words there is room for, and only a loop that is well gives up its place.
"""

from __future__ import annotations

from datetime import datetime, tzinfo

from hooptui.core.desk import Health, Snapshot
from hooptui.tui.people import brief, is_local, operator_words
from hooptui.tui.text import Row, Span, clean, count, fit, row_width, span_of, width

SLOW_LOOP = 0.05
"""Seconds of loop delay from which line 1 shows it as a warning."""


LOGIN_SOON = 300.0
"""Seconds before the operator's login ends from which line 1 counts them."""


def clock(at: float, zone: tzinfo | None, *, seconds: bool = False) -> str:
    """`14:02`, in `zone` or the machine's own."""
    return datetime.fromtimestamp(at, zone).strftime("%H:%M:%S" if seconds else "%H:%M")


def status_row(
    health: Health | None,
    cells: int,
    zone: tzinfo | None,
    *,
    demo: str = "",
    readonly: bool = False,
    silent: float = 0.0,
) -> Row:
    """Line 1 for `cells` columns. `silent` is how many seconds the gateway has not answered."""
    if health is None:
        return ((" hooptui", "strong"), ("  asking the gateway …", "faint"))
    for words in (6, 5, 4, 3, 2, 1, 0):
        row = _status(health, zone, words, demo, readonly, silent)
        if row_width(row) <= cells:
            break
    spare = cells - row_width(row[:-1]) - width(row[-1][0]) - 1
    # The clock stands at the right edge, where the eye looks for it.
    return (*row[:-1], (" " * max(0, spare), ""), row[-1])


def _status(health: Health, zone: tzinfo | None, words: int, demo: str, readonly: bool, silent: float) -> Row:
    """`words` is how many there is room for: 6 all, 5 and 4 without what one knows anyway, down to 0."""
    roomy = words >= 2
    gap = "  " if roomy else " "
    spans: list[Span] = [
        (" hooptui " if words >= 6 else " ", "strong"),
        (fit_name(clean(health.name, 40), 16 if roomy else 10), "strong"),
    ]
    if demo:
        spans.append((f" {clean(demo, 20) if words >= 4 else 'demo'}", "warn"))
    if readonly:
        spans.append((gap + "read-only" if roomy else " ro", "warn"))
    if health.draining:
        spans.append((gap + "draining", "held"))
    for one in health.listeners:
        port = one.address.rsplit(":", 1)[-1]
        label = f"{clean(one.protocol, 8)} {clean(port, 8)} " if words >= 3 else f"{clean(one.protocol, 8)} "
        spans += [(gap + label, "text" if one.up else "bad"), ("●" if one.up else "○", "up" if one.up else "bad")]
    spans.append((f"{gap}{count(health.live)} live", "text"))
    if health.held:
        oldest = f", oldest {span_of(health.oldest_held)}" if words >= 3 else f" {span_of(health.oldest_held)}"
        spans.append((f"{gap}▲ {count(health.held)} held{oldest}", "held"))
    else:
        spans.append((f"{gap}0 held", "faint"))
    records = f" {health.journal_records}" if roomy else ""
    spans += [
        (f"{gap}journal ", "text"),
        (f"{'✓' if health.journal_ok else '✗'}{records}", "ok" if health.journal_ok else "bad"),
    ]
    slow = health.loop_delay >= SLOW_LOOP
    if words or slow:
        delay = f"{round(health.loop_delay * 1000)}ms"
        spans.append((f"{gap}{'loop ' if words >= 5 else ''}{delay}", "warn" if slow else "faint"))
    if silent:
        spans.append((f"{gap}✗ silent {span_of(silent)}", "bad"))
    if not readonly:
        spans.append(_operator(health, words, gap))
    spans.append((f"{gap}{clock(health.now, zone)} ", "text"))
    return tuple(spans)


def _operator(health: Health, words: int, gap: str) -> Span:
    """Who decides here; `local` says that no identity provider stands behind the name."""
    who = operator_words(health, 24 if words >= 2 else 10)
    if who:
        soon = health.operator_until is not None and health.operator_until - health.now < LOGIN_SOON
        left = f" {brief(health.operator_until - health.now)}" if soon and health.operator_until is not None else ""
        return f"{gap}{who}{left}", "warn" if soon or is_local(health) else "ok"
    over = "login over" if health.operator else "no operator"
    return f"{gap}{over}{': O logs in' if words >= 2 and health.may_log_in else ''}", "bad"


def fit_name(text: str, most: int) -> str:
    return fit(text, most) if width(text) > most else text


def alarms(snapshot: Snapshot | None, closed: str, silent: float, alerts: tuple[str, ...]) -> list[str]:
    """What is wrong now, worst first, one line each; empty when nothing is."""
    said: list[str] = []
    if closed:
        said.append(f"the gateway does not answer: {clean(closed, 200)}; trying again. What is shown is old")
    elif silent >= 2:
        said.append(f"the gateway has not answered for {span_of(silent)}. What is shown is old")
    if snapshot is None:
        return said
    health = snapshot.health
    if not health.journal_ok:
        why = clean(health.journal_error, 200) or "no reason given"
        said.append(f"journal cannot write: {why}. No new session or operation; held ones are denied")
    if health.policy_error:
        said.append(f"policy rejected, the old one stays: {clean(health.policy_error, 300)}")
    said += [
        f"{clean(one.protocol, 8)} listener {clean(one.address, 60)} is down: {clean(one.error, 200) or 'no reason given'}"
        for one in health.listeners
        if not one.up
    ]
    said += [clean(one, 300) for one in alerts]
    return said

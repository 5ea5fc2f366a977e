"""Words about who somebody is and how long they have: kind, issuer, owner, and what ends a session. Pure; knows no widget."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from hooptui.core.desk import Health, HeldView, LeaseView, SessionView, Snapshot
from hooptui.tui.text import Span, clean, fit, width

LOCAL: Final = "local"
"""Issuer of the operator that the configuration names: no identity provider stands behind that one."""

READ_ONLY: Final = "read-only"
"""What a screen is that may only look."""

SOON: Final = 60.0
"""Seconds before an end from which it is shown as a warning."""

_KINDS: Final = {"human": "human", "workload": "work", "agent": "agent"}


def kind_word(kind: str) -> str:
    """`human`, `work` or `agent`: five cells at most, a sign that needs no colour."""
    return _KINDS.get(kind, fit(clean(kind, 20), 5).strip() or "?")


def subject(key: str) -> str:
    """The readable end of an identity's key: the subject without its issuer."""
    return clean(key.rsplit("#", 1)[-1] or key, 60)


def decider(key: str) -> str:
    """Who decided something, from their key: `ops-1`, or `ops-1 (local)` where no identity provider stands behind the name."""
    return subject(key) + (f" ({LOCAL})" if issuer(key) == LOCAL else "")


def issuer(key: str) -> str:
    """The issuer of an identity's key, whole."""
    return clean(key.partition("#")[0], 200)


def host(key: str) -> str:
    """The issuer of an identity's key for a column: the host where it is a URL, else as it is."""
    whole = key.partition("#")[0]
    try:
        found = urlsplit(whole).hostname
    except ValueError:
        found = None
    return clean(found or whole, 80)


def name_of(snapshot: Snapshot | None, key: str) -> str:
    """The display name of an identity as far as somebody open now has it; else the end of its key."""
    if snapshot is not None:
        rows: tuple[SessionView | LeaseView, ...] = (*snapshot.sessions, *snapshot.leases)
        for one in rows:
            if one.identity == key:
                return clean(one.who, 80)
    return subject(key)


def who_words(name: str, kind: str, key: str, owner: str) -> str:
    """`agent bot of id.example, for ops-2`."""
    acts = f", for {subject(owner)}" if owner else ""
    of = f" of {host(key)}" if key else ""
    return f"{clean(kind, 12)} {clean(name, 60)}{of}{acts}".strip()


# --- time


def brief(seconds: float) -> str:
    """Time that is left, for a narrow column: `47s`, `12m`, `3h`, `4d`; never more than there is."""
    whole = max(0, int(seconds))
    for size, unit, least in ((86400, "d", 2), (3600, "h", 2), (60, "m", 1)):
        if whole >= size * least:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def spoken(seconds: float) -> str:
    """A length of time as people say it: `45 s`, `15 min`, `1 h`, `90 min`, `12 h`."""
    whole = max(0, round(seconds))
    if whole >= 3600 and whole % 3600 == 0:
        return f"{whole // 3600} h"
    if whole >= 60:
        return f"{whole // 60} min" if whole % 60 == 0 or whole >= 600 else f"{whole // 60} min {whole % 60} s"
    return f"{whole} s"


def bound_of(one: SessionView) -> tuple[str, float] | None:
    """What ends a session first, and when; None when nothing does."""
    if one.bounds:
        return min(one.bounds, key=lambda bound: bound[1])
    return ("", one.deadline) if one.deadline is not None else None


def left(one: SessionView, now: float, *, glass: Iterable[int] = ()) -> Span:
    """`12m lease`, `4m grant`: how long a session has, and what ends it. `glass` are the numbers of broken glass."""
    bound = bound_of(one)
    if bound is None:
        return "no end", "faint"
    which, until = bound
    broken = bool(one.grant) and one.grant in glass
    word = "GLASS" if broken and which == "grant" else clean(which, 8)
    seconds = until - now
    style = "bad" if broken or seconds < SOON else "warn" if seconds < 5 * SOON else ""
    return f"{brief(seconds)} {word}".rstrip(), style


def left_words(one: SessionView, now: float) -> str:
    """`4m grant #17`, `12m lease`: the same where there is room for the number."""
    text = left(one, now)[0]
    bound = bound_of(one)
    return f"{text} #{one.grant}" if bound is not None and bound[0] == "grant" and one.grant else text


# --- the operator of this desk


def is_local(health: Health) -> bool:
    """Whether the operator is named by the configuration alone."""
    return issuer(health.operator_key) == LOCAL


def login_over(health: Health) -> bool:
    """Whether the operator's login has ended, though nobody has said so yet."""
    return health.operator_until is not None and health.now >= health.operator_until


def operator_words(health: Health, most: int = 30) -> str:
    """`ops-1`, or `ops-1 local`; empty when nobody may decide here. `most` cells of the name are shown."""
    if not health.operator or login_over(health):
        return ""
    name = clean(health.operator, 60)
    return (fit(name, most) if width(name) > most else name) + (" local" if is_local(health) else "")


def why_not(health: Health) -> str:
    """Why the operator of this desk may decide nothing; empty when they may."""
    if health.operator and not login_over(health):
        return ""
    if not health.may_log_in:
        return "the operator's login is over" if health.operator else READ_ONLY
    if health.operator:
        return f"the login of {clean(health.operator, 30)} is over: O logs in again"
    return "no operator: O logs in"


def requester(one: HeldView, snapshot: Snapshot | None) -> SessionView | None:
    """The session that a hold belongs to, while it is open."""
    if snapshot is None:
        return None
    return next((session for session in snapshot.sessions if session.id == one.session), None)

"""Worlds with a cluster in them: what kubectl asked and got, a deletion and an exec that wait. Times are fixed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hooptui.control.facts import facts_of
from hooptui.core.desk import HeldView
from hooptui.core.events import Asked, Body, Decided, Finished, Held, Output
from hooptui.core.group import Group, Member
from hooptui.core.model import MaskRule, MaskSet
from hooptui.masking.kubernetes.masks import ClusterMasks
from hooptui.protocols.kubernetes.groups import with_group
from tests.protocols.kubernetes.asking import operation
from tests.ui.desk import SceneDesk, review_of
from tests.ui.scenes import NOW, OPENED, M, busy, ev, hold

WHO = replace(OPENED, subject="aid", name=M("aid"), groups=("agents", "sre-helpers"), kind="agent", owner="https://id.example#ops-2", target="prod-eu", protocol="kubernetes", application=M("kubectl/v1.33.1 (linux/amd64)"))  # fmt: skip
MASKS = ClusterMasks(MaskSet((MaskRule("no-secret-values", secrets=True),)), bytes(range(32)))


def masked(value: Any) -> str:
    """As the gateway lets it out."""
    mask = MASKS.answer("secrets", "application/json")
    return (mask.feed(json.dumps(value).encode()) + mask.close()).decode()


def table(names: tuple[str, ...], *rows: tuple[object, ...]) -> str:
    columns = [{"name": name, "priority": 0} for name in names] + [{"name": "IP", "priority": 1}]
    return json.dumps({"kind": "Table", "columnDefinitions": columns, "rows": [{"cells": [*row, "10.1.2.3"]} for row in rows]})  # fmt: skip


PODS = table(
    ("Name", "Ready", "Status", "Restarts", "Age"),
    ("api-5d9c7b6f4-8xkqp", "1/1", "Running", 0, "6d2h"),
    ("api-5d9c7b6f4-tz2nw", "0/1", "CrashLoopBackOff", "41 (72s ago)", "6d2h"),
    ("web-7f8d9c6b5-4jv7m", "1/1", "Running", 0, "12d"),
)
SECRET = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "api-db", "namespace": "web"}, "data": {"password": "aHVudGVyMg=="}, "type": "Opaque"}  # fmt: skip
WATCHED = "".join(
    json.dumps({"type": kind, "object": {"kind": "Pod", "metadata": {"namespace": "web", "name": name}}}) + "\n"
    for kind, name in (("ADDED", "api-5d9c7b6f4-tz2nw"), ("MODIFIED", "api-5d9c7b6f4-tz2nw"))
)

DELETE = "DELETE /apis/apps/v1/namespaces/web/deployments/api"
OPTIONS = b'{"kind":"DeleteOptions","apiVersion":"apps/v1","propagationPolicy":"Background"}'
EXEC = "GET /api/v1/namespaces/web/pods/api-5d9c7b6f4-tz2nw/exec?command=sh&command=-c&command=kill%201&container=api&stdout=true&stderr=true"
UPGRADE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: v5.channel.k8s.io")  # fmt: skip


POD = "DELETE /api/v1/namespaces/web/pods/worker-0"
LISTED = tuple(f"web/pods/worker-{number}" for number in range(42))


def waits(number: int, waited: float, left: float, rule: str, words: str, risk: str, line: str, body: bytes, *headers: str, listed: tuple[str, ...] = ()) -> HeldView:  # fmt: skip
    asked = operation(line, body, "application/json" if body else "", *headers)
    if listed:
        members = tuple(Member(about, about) for about in listed)
        asked = with_group(asked, Group("", members[0], members))
    return hold(
        number, "aid", "prod-eu", "k8s", waited, left, asked.text, rule, session="b810", verb=asked.verb,
        relations=tuple(M(one) for one in sorted(asked.facts.reads | asked.facts.writes)),
        facts=tuple((label, M(said)) for label, said in facts_of(asked)), rule_words=words, by=("sre",), scopes=("group", "once") if listed else ("once",),
        group=len(listed), members=tuple(M(one) for one in listed[:5]), kind="agent", owner="https://id.example#ops-2", risk=risk,
    )  # fmt: skip


RUN = ("Kubectl-Command: kubectl delete", "Kubectl-Session: 5f0f3a52-6d0b-4b7a-9d1f-2d0f4c1c7f3e")
DELETION = waits(23, 18, 102, "deletes-need-sre", "Deleting what runs in prod", "high", DELETE, OPTIONS, *RUN)
WORKERS = waits(
    25, 9, 111, "deletes-need-sre", "Deleting what runs in prod", "medium", POD, OPTIONS, *RUN, listed=LISTED
)
SHELL = waits(24, 4, 116, "exec-needs-sre", "A command inside a container of prod", "medium", EXEC, b"", *UPGRADE)


def bodies() -> list[tuple[float, Body]]:
    def asked(number: int, at: float, line: str, body: bytes = b"", *headers: str) -> tuple[float, Body]:
        found = operation(line, body, "application/json" if body else "", *headers)
        about = tuple(sorted(found.facts.reads | found.facts.writes))
        return at, Asked(number, found.verb, M(found.text), tuple(sorted(found.facts.commands)), about)

    def allowed(number: int, at: float, rule: str) -> tuple[float, Body]:
        return at, Decided(number, "allow", "policy", (rule,), "", "1f3c9a02")

    return [
        (-521, WHO),
        asked(1, -520, "GET /api/v1/namespaces/web/pods?limit=500"),
        allowed(1, -520, "agents-look"),
        (-520, Output(1, "response", M(PODS[:200]))),
        (-520, Output(1, "response", M(PODS[200:]))),
        (-520, Finished(1, M("200 OK"), True, 0, 0, 22.0)),
        asked(2, -400, "GET /api/v1/namespaces/web/secrets/api-db"),
        allowed(2, -400, "agents-look"),
        (-400, Output(2, "response", M(masked(SECRET)))),
        (-400, Finished(2, M("200 OK"), True, 0, 1, 14.0, ("no-secret-values",))),
        asked(3, -300, "DELETE /api/v1/namespaces/web"),
        (-300, Decided(3, "deny", "policy", ("no-namespace-deletes",), "namespaces go through review", "1f3c9a02")),
        asked(4, -60, "GET /api/v1/namespaces/web/pods?watch=true"),
        allowed(4, -60, "agents-look"),
        (-60, Output(4, "watch", M(WATCHED[:100]))),
        (-59, Output(4, "watch", M(WATCHED[100:]))),
        asked(5, -18, DELETE, OPTIONS, *RUN),
        (-18, Held(5, 23, "deletes-need-sre", "Deleting what runs in prod", ("sre",), 1, "high", NOW + 102)),
    ]


def cluster() -> SceneDesk:
    """An agent that looks around a cluster, and wants to delete and to run something in it."""
    desk = busy()
    sessions = tuple(replace(one, last=DELETION.text) if one.id == "b810" else one for one in desk.state.sessions)
    desk.state = replace(desk.state, sessions=sessions, held=(desk.state.held[0], DELETION, SHELL))
    desk.transcripts["b810"] = [ev(at, body, "b810") for at, body in bodies()]
    about = {
        23: "3 replicas; takes along 2 ReplicaSets, 3 Pods",
        24: "pod api-5d9c7b6f4-tz2nw on node node-2; service account default; container api (registry.example/api:4.1); mounts secret api-db",
    }
    for one in (DELETION, SHELL):
        desk.reviews[one.number] = replace(
            review_of(one), estimate=M(about[one.number]), application=WHO.application, groups=WHO.groups,
            history=(M("get pods -n web"), M("get secrets/api-db -n web"), M("watch pods -n web")),
        )  # fmt: skip
    desk._count()
    return desk


def many() -> SceneDesk:
    """An agent that deletes what a selector finds: one review for all of it."""
    return only(WORKERS, "together these 42 pods own nothing that is looked for")


def named() -> SceneDesk:
    """An agent that deletes what it names, one after the other, under a rule that offers the rest of such a run."""
    return only(
        replace(WORKERS, scopes=("once", "run"), group=0, members=(), facts=DELETION.facts),
        "owns nothing that is looked for",
    )


def only(held: HeldView, about: str) -> SceneDesk:
    desk = busy()
    desk.state = replace(desk.state, held=(held,))
    desk.reviews[held.number] = replace(
        review_of(held), estimate=M(about), application=WHO.application, groups=WHO.groups,
        history=(M("get pods -n web"), M("get pods -n web -l app=worker")),
        members=tuple(M(one) for one in LISTED) if held.group else (),
    )  # fmt: skip
    desk._count()
    return desk

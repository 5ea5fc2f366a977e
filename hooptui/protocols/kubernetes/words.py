"""A request as people read it: much like the kubectl command that makes one. Pure; raw text, which a masker sees before any person."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from hooptui.core.model import KubernetesFacts
from hooptui.protocols.kubernetes.actions import flag
from hooptui.protocols.kubernetes.request import Request

_VERBS = {
    "deletecollection": "delete",
    "list": "get",
    "watch": "get",
    "update": "replace",
    "portforward": "port-forward",
}

_RAW = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "replace", "PATCH": "patch", "DELETE": "delete"}


def verb(facts: KubernetesFacts) -> str:
    """One word for a narrow column."""
    for one in ("exec", "attach", "portforward", "proxy"):
        if one in facts.actions:
            return _VERBS.get(one, one)
    if "eviction" in facts.traits:
        return "evict"
    if "apply" in facts.traits:
        return "apply"
    if facts.subresource == "scale" and "scale" in facts.traits:
        return "scale"
    if facts.subresource == "log" and facts.verb == "get":
        return "logs"
    return _VERBS.get(facts.verb, facts.verb) or "unknown"


def text(request: Request, facts: KubernetesFacts, notes: Iterable[str] = ()) -> str:
    """`delete deployments.apps/web -n prod (cascade=background)`; `notes` stand in the brackets."""
    said = verb(facts)
    if not facts.resource or said == "proxy" or not facts.understood:
        parts = [_raw(request)]
    elif said == "exec":
        parts = [said, facts.name, *_where(facts), *_streams(facts), "--", shlex.join(facts.command)]
    elif said in ("attach", "port-forward", "logs"):
        parts = [said, facts.name, *_where(facts), *_streams(facts), *_logs(request, said)]
    else:
        parts = [said, _object(facts, said), *_where(facts), *_selectors(facts)]
    if facts.dry_run:
        parts.append("--dry-run=server")
    listed = ", ".join(notes)
    return " ".join(part for part in parts if part) + (f" ({listed})" if listed else "")


def _raw(request: Request) -> str:
    return f"{_RAW[request.method]} --raw {shlex.quote(request.target())}"


def _object(facts: KubernetesFacts, said: str) -> str:
    kind, _, part = facts.kind.partition("/")
    if part == "token" and said == "create":
        return f"token {facts.name}"
    many = "--all" if facts.verb == "deletecollection" and not (facts.label_selector or facts.field_selector) else ""
    where = f"--subresource={part}" if part and said not in ("scale", "evict") else ""
    return " ".join(filter(None, (f"{kind}/{facts.name}" if facts.name else kind, many, where)))


def _where(facts: KubernetesFacts) -> list[str]:
    if facts.namespace and facts.resource != "namespaces":
        return ["-n", facts.namespace]
    return ["-A"] if "all_namespaces" in facts.traits else []


def _selectors(facts: KubernetesFacts) -> list[str]:
    found = []
    if facts.label_selector:
        found += ["-l", shlex.quote(facts.label_selector)]
    if facts.field_selector:
        found += ["--field-selector", shlex.quote(facts.field_selector)]
    if facts.verb == "watch":
        found.append("--watch")
    return found


def _streams(facts: KubernetesFacts) -> list[str]:
    found = ["-c", facts.container] if facts.container else []
    return found + [short for trait, short in (("stdin", "-i"), ("tty", "-t")) if trait in facts.traits]


def _logs(request: Request, said: str) -> list[str]:
    if said != "logs":
        return []
    found = ["-f"] if flag(request, "follow") else []
    if flag(request, "previous"):
        found.append("-p")
    tail = request.first("tailLines")
    return [*found, f"--tail={tail}"] if tail else found

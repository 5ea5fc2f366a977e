"""Objects as JSON gives them, and what is asked of every kind: their names, their labels, whether a selector takes them.

Knows neither store nor wire.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from hooptui.demo.cluster.problems import bad_request

Object = dict[str, Any]
Test = Callable[[Object], bool]


def meta(obj: Object) -> Object:
    found = obj.setdefault("metadata", {})
    assert isinstance(found, dict)
    return found


def name_of(obj: Object) -> str:
    return str(meta(obj).get("name", ""))


def namespace_of(obj: Object) -> str:
    return str(meta(obj).get("namespace", ""))


def labels(obj: Object) -> Mapping[str, str]:
    return meta(obj).get("labels") or {}


def stamp(seconds: float | None = None) -> str:
    """Now, or a moment in Unix seconds, as RFC 3339 without fractions."""
    return datetime.fromtimestamp(time.time() if seconds is None else seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def dig(obj: Any, *path: str | int, default: Any = None) -> Any:
    """What lies at a path, or the default when the way there ends."""
    for step in path:
        try:
            obj = obj[step]
        except (KeyError, IndexError, TypeError):
            return default
    return default if obj is None else obj


def owned_by(obj: Object, uid: str) -> bool:
    return any(one.get("uid") == uid for one in meta(obj).get("ownerReferences") or ())


def matches(selector: Mapping[str, Any] | None, found: Mapping[str, str]) -> bool:
    """A LabelSelector of an object (matchLabels and matchExpressions), or a plain map as Services have; empty takes all."""
    if not selector:
        return True
    if "matchLabels" not in selector and "matchExpressions" not in selector:
        return all(found.get(key) == value for key, value in selector.items())
    for key, value in (selector.get("matchLabels") or {}).items():
        if found.get(key) != value:
            return False
    for one in selector.get("matchExpressions") or ():
        if not _holds(one["key"], one["operator"].lower(), tuple(one.get("values") or ()), found):
            return False
    return True


def _holds(key: str, operator: str, values: tuple[str, ...], found: Mapping[str, str]) -> bool:
    match operator:
        case "in":
            return found.get(key) in values
        case "notin":
            return found.get(key) not in values
        case "exists":
            return key in found
        case _:
            return key not in found


_TERM = re.compile(
    r"""\s*(?:
    (?P<set>[^\s=!,()]+)\s+(?P<op>in|notin)\s*\((?P<values>[^)]*)\)
    | (?P<key>[^\s=!,()]+)\s*(?P<eq>==|=|!=)\s*(?P<value>[^\s=!,()]*)
    | !\s*(?P<absent>[^\s=!,()]+)
    | (?P<present>[^\s=!,()]+)
    )\s*(?:,|$)""",
    re.VERBOSE,
)


def label_test(text: str) -> Test:
    """A `labelSelector` of a query.

    Raises:
        Problem: it cannot be parsed (400).
    """
    terms: list[tuple[str, str, tuple[str, ...]]] = []
    at = 0
    while at < len(text):
        found = _TERM.match(text, at)
        if found is None or found.end() == at:
            raise bad_request(
                f"unable to parse requirement: found '{text[at:]}', expected: !, identifier, or \"end of string\""
            )
        at = found.end()
        if found["set"]:
            terms.append((found["set"], found["op"], tuple(one.strip() for one in found["values"].split(","))))
        elif found["key"]:
            terms.append((found["key"], "notin" if found["eq"] == "!=" else "in", (found["value"],)))
        elif found["absent"]:
            terms.append((found["absent"], "absent", ()))
        else:
            terms.append((found["present"], "exists", ()))
    return lambda obj: all(_holds(key, operator, values, labels(obj)) for key, operator, values in terms)


FIELDS: dict[str, tuple[str, ...]] = {
    "pods": (
        "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
        "status.phase", "status.podIP", "status.podIPs", "status.nominatedNodeName",
    ),
    "events": (
        "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
        "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason",
        "reportingComponent", "source", "type",
    ),
    "secrets": ("type",),
    "namespaces": ("status.phase",),
    "nodes": ("spec.unschedulable",),
    "jobs": ("status.successful",),
    "replicasets": ("status.replicas",),
    "replicationcontrollers": ("status.replicas",),
    "certificatesigningrequests": ("spec.signerName",),
}  # fmt: skip
"""The fields of a `fieldSelector`, beside name and namespace."""


def field_test(text: str, plural: str) -> Test:
    """A `fieldSelector` of a query.

    Raises:
        Problem: the field is not one that may be selected by (400).
    """
    terms: list[tuple[tuple[str, ...], str, bool]] = []
    for part in filter(None, text.split(",")):
        found = re.fullmatch(r"([^=!]+)(==|=|!=)(.*)", part)
        if found is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        field, operator, value = found.groups()
        if field not in ("metadata.name", "metadata.namespace", *FIELDS.get(plural, ())):
            raise bad_request(f"field label not supported: {field}")
        terms.append((tuple(field.split(".")), value, operator != "!="))
    return lambda obj: all((_text(dig(obj, *path)) == value) is wanted for path, value, wanted in terms)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)

"""What an API server takes a request for: verb, group, resource, name. Pure; quirks included, for they decide what is done.

As `RequestInfoFactory` of k8s.io/apiserver (pkg/endpoints/request/requestinfo.go, 1.36) computes it; its RBAC decides on the same words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from hooptui.protocols.kubernetes.request import Request

_VERBS: Final = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_NAMESPACE_PARTS: Final = frozenset({"status", "finalize"})
_SELECT: Final = frozenset({"list", "watch", "deletecollection"})
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,19}\Z")


@dataclass(frozen=True, slots=True)
class RequestInfo:
    verb: str
    """`get list watch create update patch delete deletecollection`, `proxy` by an old path; of other paths the method, lower case."""
    path: str
    is_resource: bool = False
    prefix: str = ""
    """`api` or `apis`."""
    api_group: str = ""
    api_version: str = ""
    namespace: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    """From the path, or from a field selector of a list."""
    parts: tuple[str, ...] = ()
    """Resource, name, subresource, and what is left to whoever serves it."""
    field_selector: str = ""
    label_selector: str = ""
    broken: str = ""
    """Why the API server would not even say this much; what it does with such a request is not known."""


def request_info(request: Request) -> RequestInfo:
    """See the module. Never raises."""
    parts, path = request.segments, request.path
    plain = RequestInfo(request.method.lower(), path)
    if len(parts) < 3 or parts[0] not in ("api", "apis"):
        return plain
    prefix, group, parts = parts[0], "", parts[1:]
    if prefix == "apis":
        if len(parts) < 3:
            return replace(plain, prefix=prefix)
        group, parts = parts[0], parts[1:]
    version, parts = parts[0], parts[1:]
    by_path = parts[0] in ("proxy", "watch")
    if by_path:
        if len(parts) < 2:
            return RequestInfo(
                plain.verb, path, True, prefix, group, version, broken=f"nothing follows {parts[0]} in {path}"
            )
        verb, parts = parts[0], parts[1:]
    else:
        verb = _VERBS.get(request.method, "")
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 1:
        namespace = parts[1]
        if len(parts) > 2 and parts[2] not in _NAMESPACE_PARTS:
            parts = parts[2:]
    resource, name = parts[0], parts[1] if len(parts) > 1 else ""
    subresource = parts[2] if len(parts) > 2 and verb != "proxy" else ""
    broken = ""
    if not name and verb == "get":
        verb, name = _list(request)
        if not (request.first("watch") or "").isascii():
            # Go folds more than ASCII to `false` in one place, and not in another.
            broken = "a watch that is not ASCII"
    if not name and verb == "delete":
        verb = "deletecollection"
    field_selector = label_selector = ""
    if not by_path and verb in _SELECT:
        field_selector = request.first("fieldSelector") or ""
        label_selector = request.first("labelSelector") or ""
    return RequestInfo(
        verb, path, True, prefix, group, version, namespace, resource, subresource, name, parts, field_selector, label_selector, broken
    )  # fmt: skip


def _list(request: Request) -> tuple[str, str]:
    """The verb and the name of a GET without a name in its path."""
    watch = request.first("watch")
    terms = field_terms(request.first("fieldSelector") or "")
    # Anything but these watches, an empty value too: Convert_Slice_string_To_bool of apimachinery.
    verb = "list" if watch is None or watch == "0" or watch.lower() == "false" else "watch"
    if terms is None or not _decodes(request):
        return verb, ""
    name = next((value for key, operator, value in terms if key == "metadata.name" and operator != "!="), "")
    return verb, "" if name in (".", "..") or "/" in name or "%" in name else name


def _decodes(request: Request) -> bool:
    """Whether the numbers among the options of a list can be read; when not, the API server names nothing, and refuses later."""
    return all(
        _NUMBER.match(value) is not None
        for key in ("limit", "timeoutSeconds")
        if (value := request.first(key)) is not None
    )


def field_terms(selector: str) -> tuple[tuple[str, str, str], ...] | None:
    """The terms of a field selector, `key operator value` each; None when an API server would not read it.

    fields.ParseSelector of apimachinery: `,` separates, a backslash quotes a backslash, a comma or an equals sign.
    """
    found: list[tuple[str, str, str]] = []
    for term in _split(selector):
        if not term:
            continue
        at = re.search(r"!=|==|=", term)
        if at is None:
            return None
        value = _unescaped(term[at.end() :])
        if value is None:
            return None
        found.append((term[: at.start()], at[0], value))
    return tuple(found)


def _split(selector: str) -> list[str]:
    """At commas that no backslash stands before; a pair of backslashes is one that quotes nothing more."""
    terms, start, quoted = [], 0, False
    for at, character in enumerate(selector):
        if quoted:
            quoted = False
        elif character == "\\":
            quoted = True
        elif character == ",":
            terms.append(selector[start:at])
            start = at + 1
    return [*terms, selector[start:]]


def _unescaped(value: str) -> str | None:
    found, quoted = [], False
    for character in value:
        if quoted:
            if character not in "\\,=":
                return None
            found.append(character)
            quoted = False
        elif character == "\\":
            quoted = True
        elif character in ",=":
            return None
        else:
            found.append(character)
    return None if quoted else "".join(found)

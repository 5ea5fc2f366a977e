"""Short ways to make requests for the tests of this room: from raw bytes, the way a client sends them."""

from __future__ import annotations

from hooptui.core.model import KubernetesFacts, Operation
from hooptui.protocols.kubernetes.operations import read
from hooptui.protocols.kubernetes.request import Request
from hooptui.protocols.kubernetes.wire import Head, read_head, split_head

JSON = "application/json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
YAML = "application/yaml"

TOKEN = "Bearer abc.def.ghi"


def raw(line: str, *headers: str, body: bytes = b"", end: str = "\r\n") -> bytes:
    """The head of `METHOD /path` below a cluster's prefix, with a Host and a token."""
    method, target = line.split(" ", 1)
    lines = [f"{method} /clusters/prod{target} HTTP/1.1", "Host: bastion:6443", f"Authorization: {TOKEN}", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return (end.join(lines) + end + end).encode("latin-1")


def head(line: str, *headers: str, body: bytes = b"") -> Head:
    return read_head(*split_head(raw(line, *headers, body=body)))


def request(line: str, *headers: str, body: bytes = b"") -> Request:
    return head(line, *headers, body=body).request


def operation(line: str, body: bytes = b"", kind: str = "", *headers: str) -> Operation:
    said = (*headers, f"Content-Type: {kind}") if kind else headers
    return read(request(line, *said, body=body), body)


def facts(line: str, body: bytes = b"", kind: str = "", *headers: str) -> KubernetesFacts:
    found = operation(line, body, kind, *headers).facts
    assert isinstance(found, KubernetesFacts)
    return found


def unknown(line: str, body: bytes, kind: str = JSON) -> str:
    """Why a body is not understood; fails when it is."""
    found = facts(line, body, kind)
    assert not found.understood and found.commands
    return found.unknown

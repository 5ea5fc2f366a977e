"""Requests as people state them, in the tests of a policy and on the command line: `GET /api/v1/pods`. Read as a client's would be. Pure."""

from __future__ import annotations

from hooptui.core.model import EMPTY, KubernetesFacts, Operation
from hooptui.core.vocabulary import UNKNOWN
from hooptui.protocols.kubernetes.operations import PROTOCOL, read
from hooptui.protocols.kubernetes.wire import Malformed, read_head


def read_stated(line: str, body: bytes = b"", media_type: str = "") -> Operation:
    """The operation of a request by its first line, below the cluster's prefix. Never raises.

    What would be refused before anybody judges it is unknown, with the reason that the client gets.
    """
    method, _, target = line.partition(" ")
    headers = [(b"host", b"bastion")]
    if media_type:
        headers.append((b"content-type", media_type.encode()))
    if body:
        headers.append((b"content-length", b"%d" % len(body)))
    try:
        head = read_head(method.encode(), target.encode(), headers, by_path=False)
    except Malformed as wrong:
        facts = KubernetesFacts(frozenset({UNKNOWN}), unknown=f"refused with {wrong.status}: {wrong.reason}")
        return Operation(PROTOCOL, "unknown", line, facts, context=EMPTY)
    return read(head.request, body)


def read_request(line: str, body: bytes = b"", media_type: str = "") -> KubernetesFacts:
    """The same, its facts alone."""
    facts = read_stated(line, body, media_type).facts
    if not isinstance(facts, KubernetesFacts):
        raise TypeError(f"expected facts of Kubernetes, got {type(facts).__name__}")
    return facts

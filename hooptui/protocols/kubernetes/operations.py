"""A request as an Operation with facts: what it does to which object. Pure and total; what is not understood says so in its facts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from hooptui.core.model import EMPTY, KubernetesFacts, Operation
from hooptui.core.vocabulary import KUBERNETES_READS
from hooptui.protocols.kubernetes import words
from hooptui.protocols.kubernetes.actions import media_type
from hooptui.protocols.kubernetes.facts import facts_of
from hooptui.protocols.kubernetes.request import Request

PROTOCOL: Final = "kubernetes"
MAX_BODY: Final = 3 * 1024 * 1024
"""Bytes; kube-apiserver itself takes no more."""


def needs_body(request: Request) -> int:
    """How many bytes of body `read` must be handed whole: 0 for none; a longer body is refused (413) unread.

    Everything that has one: what a write does is in its body, and what is approved is approved to the byte.
    """
    return MAX_BODY if request.has_body else 0


def read(request: Request, body: bytes | None = None) -> Operation:
    """The operation. `body` is the whole of it where `needs_body` says so."""
    facts, notes = facts_of(request, body)
    parameters: tuple[str | None, ...] = ()
    if not facts.actions <= KUBERNETES_READS:
        # An approval of "this operation for 15 minutes" is of this request, to the byte.
        parameters = (f"sha256:{_digest(request, body or b'')}",)
    return Operation(
        PROTOCOL,
        words.verb(facts),
        words.text(request, facts, notes),
        facts,
        parameters,
        context=_context(request, facts, body),
        run=_run(request, facts, body),
    )


def _digest(request: Request, body: bytes) -> str:
    head = "\0".join((request.method, request.target(), media_type(request)))
    return sha256(head.encode() + b"\0" + body).hexdigest()


RUN: Final = re.compile(r"([0-9a-f]{8})-[0-9a-f-]{27}\Z")
_COMMAND: Final = re.compile(r"kubectl [a-z -]{1,40}\Z")
_PATCHES: Final = {
    "application/json-patch+json": "a JSON patch",
    "application/merge-patch+json": "a merge patch",
    "application/strategic-merge-patch+json": "a strategic merge patch",
    "application/apply-patch+yaml": "a server-side apply",
}


def _run(request: Request, facts: KubernetesFacts, body: bytes | None) -> str:
    """What deletions of one run of kubectl have in common, all but the name: kubectl deletes many one after the other.

    The client's word, which is why everything else that is judged stands beside it."""
    if (
        request.method != "DELETE"
        or not facts.name
        or facts.unknown
        or not RUN.match(request.header("kubectl-session"))
    ):
        return ""
    return alike(request, facts, body, facts.namespace)


def alike(request: Request, facts: KubernetesFacts, body: bytes | None, *more: str) -> str:
    """A hash of all that a request says but the object, and of `more`: what it is part of, does, and is to be done by."""
    same = (
        request.header("kubectl-session"), request.header("kubectl-command"), facts.verb, facts.kind, facts.version, *more,
        *sorted(facts.actions), "", *sorted(facts.traits), "", *(f"{key}={value}" for key, value in request.query),
    )  # fmt: skip
    return sha256("\0".join(same).encode() + b"\0" + (body or b"")).hexdigest()


def _context(request: Request, facts: KubernetesFacts, body: bytes | None) -> Mapping[str, str]:
    """What a reviewer should see beside text and facts; raw."""
    if facts.actions <= KUBERNETES_READS:
        return EMPTY
    found: dict[str, str] = {}
    if run := RUN.match(request.header("kubectl-session")):
        # Only the client's word, but what a person needs who sees ten deletions that are one command.
        command = request.header("kubectl-command")
        found["part of"] = f"{command if _COMMAND.match(command) else 'kubectl'}, run {run[1]}"
    if facts.container:
        found["container"] = facts.container
    if body:
        found["body"] = f"{_PATCHES.get(media_type(request), media_type(request) or 'JSON')} of {len(body)} bytes"
    if facts.streams and facts.subresource != "exec" and request.query:
        found["with"] = " ".join(f"{key}={value}" for key, value in request.query)
    return found

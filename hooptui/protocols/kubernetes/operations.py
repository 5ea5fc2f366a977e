"""A request as an Operation with facts: what it does to which object. Pure and total; what is not understood says so in its facts."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from hooptui.core.model import EMPTY, KubernetesFacts, Operation
from hooptui.core.vocabulary import KUBERNETES_READS
from hooptui.protocols.kubernetes import words
from hooptui.protocols.kubernetes.actions import deed, flag, media_type, streams
from hooptui.protocols.kubernetes.info import RequestInfo, request_info
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
    info = request_info(request)
    facts = _facts(request, info, body)
    parameters: tuple[str | None, ...] = ()
    if not facts.actions <= KUBERNETES_READS:
        # An approval of "this operation for 15 minutes" is of this request, to the byte.
        parameters = (f"sha256:{_digest(request, body or b'')}",)
    return Operation(PROTOCOL, words.verb(facts), words.text(request, facts), facts, parameters, context=EMPTY)


def _facts(request: Request, info: RequestInfo, body: bytes | None) -> KubernetesFacts:
    done = deed(request, info)
    traits = done.traits
    stream = streams(info)
    if stream in ("exec", "attach"):
        traits |= {key for key in ("stdin", "tty") if flag(request, key)}
    return KubernetesFacts(
        done.actions,
        info.verb,
        info.api_group,
        info.api_version,
        info.resource,
        info.subresource,
        info.namespace,
        info.name,
        "" if info.is_resource else info.path,
        info.label_selector,
        info.field_selector,
        traits,
        request.every("command") if stream == "exec" else (),
        (request.first("container") or "") if stream or info.subresource == "log" else "",
        unknown=done.unknown,
    )


def _digest(request: Request, body: bytes) -> str:
    head = "\0".join((request.method, request.target(), media_type(request)))
    return sha256(head.encode() + b"\0" + body).hexdigest()

"""What the gateway itself says to a Kubernetes client: Status documents, and lines while something waits. Pure.

A Status (meta/v1) is what kubectl prints as `Error from server (Forbidden): …`, so that the message holds everything that a person
should read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from hooptui.core.approvals import Approval
from hooptui.core.gate import Refused, Why
from hooptui.core.visible import visible

REASONS: Final = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    408: "Timeout",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    429: "TooManyRequests",
    500: "InternalError",
    502: "BadGateway",
    503: "ServiceUnavailable",
    504: "Timeout",
}
"""`reason` of a Status by its code, as apimachinery has them where it has one."""

PHRASES: Final = {
    200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    406: "Not Acceptable", 408: "Request Timeout", 411: "Length Required", 413: "Content Too Large", 414: "URI Too Long",
    415: "Unsupported Media Type", 417: "Expectation Failed", 429: "Too Many Requests", 431: "Request Header Fields Too Large",
    500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
}  # fmt: skip


HOP: Final = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade", "content-length", "alt-svc",
    }
)  # fmt: skip
"""Headers of an answer that are that connection's own (RFC 9110 section 7.6.1)."""


def passed(headers: Iterable[tuple[str, str]], prefix: str) -> list[tuple[str, str]]:
    """Those of an API server's answer that go on to the client; `prefix` is what its paths have before ours."""
    found = []
    for name, value in headers:
        low = name.lower()
        if low in HOP or "\r" in value or "\n" in value:
            continue
        found.append((name, prefix + value if low == "location" and value.startswith("/") else value))
    return found


def status(code: int, message: str, *, details: dict[str, Any] | None = None) -> bytes:
    """A failure as a Status document; the words are made inert."""
    body: dict[str, Any] = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": visible(f"hooptui: {message}"),
        "reason": REASONS.get(code, "InternalError" if code >= 500 else "BadRequest"),
        "code": code,
    }
    if details:
        body["details"] = details
    return json.dumps(body).encode() + b"\n"


def refused_code(refused: Refused) -> int:
    match refused.why:
        case Why.UNRECORDED | Why.ERROR:
            return 503
        case Why.POLICY | Why.DENIED | Why.EXPIRED | Why.WITHDRAWN | Why.KILLED | Why.DEADLINE:
            return 403


def refused_words(refused: Refused) -> str:
    """Why an operation does not run, in one line, for that is what kubectl prints."""
    parts = [f"refused: {refused.message}"]
    about = [f"rule {refused.rule}" if refused.rule else "", refused.detail]
    if refused.number:
        about.append(f"operation {refused.number}")
    if said := ", ".join(part for part in about if part):
        parts.append(f" ({said})")
    if refused.hint:
        parts.append(f". {refused.hint[:1].upper()}{refused.hint[1:]}")
    return "".join(parts)


def refused(refusal: Refused) -> tuple[int, bytes]:
    """Code and Status of a refusal."""
    code = refused_code(refusal)
    details = {"causes": [{"reason": "PolicyRule", "message": visible(refusal.rule)}]} if refusal.rule else None
    return code, status(code, refused_words(refusal), details=details)


def held(approval: Approval, remaining: float) -> tuple[str, ...]:
    """What a client that can be told anything sees at once and every few seconds while its stream waits."""
    return (
        f"held for approval #{approval.number}: {approval.rule_words}",
        f"{_waits(approval, remaining)} Ctrl-C withdraws it.",
    )


def lines(words: tuple[str, ...], *, terminal: bool) -> bytes:
    """Lines for a client's stderr, inert whatever they quote; on a raw terminal with their own carriage returns."""
    end = "\r\n" if terminal else "\n"
    return "".join(f"hooptui: {visible(line)}{end}" for line in words).encode()


def clock(seconds: float) -> str:
    """Minutes and seconds, as people read them."""
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02d}"


def warning(words: str) -> str:
    """A Warning header (RFC 7234 section 5.5) as client-go prints it: code 299, agent `-`, quoted text."""
    text = visible(words).encode("ascii", "replace").decode().replace("\\", "\\\\").replace('"', '\\"')
    return f'299 - "{text}"'


def watch_error(code: int, message: str) -> bytes:
    """The last event of a watch that the gateway ends."""
    return json.dumps({"type": "ERROR", "object": json.loads(status(code, message))}).encode() + b"\n"


def _waits(approval: Approval, remaining: float) -> str:
    terms = approval.terms
    by = " or ".join(sorted(terms.by)) or "nobody"
    people = f"{terms.quorum} of {by}" if terms.quorum > 1 else f"one of {by}"
    return f"rule {terms.rule}; waits for {people}, {clock(remaining)} left, then it is refused."

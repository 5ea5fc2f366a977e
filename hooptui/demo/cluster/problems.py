"""What goes wrong, as a `Status` (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/), in the words of kube-apiserver.

Knows no transport.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hooptui.demo.cluster.kinds import Kind


class Problem(Exception):
    """A request ends with this Status."""

    def __init__(self, code: int, reason: str, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.headers: dict[str, str] = {}

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": self.message,
        }  # fmt: skip
        if self.reason:
            found["reason"] = self.reason
        if self.details is not None:
            found["details"] = self.details
        return {**found, "code": self.code}


def _details(kind: Kind, name: str) -> dict[str, Any]:
    found = {"name": name, "group": kind.group, "kind": kind.plural}
    return {key: value for key, value in found.items() if value}


def not_found(kind: Kind, name: str) -> Problem:
    return Problem(404, "NotFound", f'{kind.qualified} "{name}" not found', _details(kind, name))


def no_such_page() -> Problem:
    """A path that is no resource. The real server says this in plain text, and in JSON for API groups."""
    return Problem(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(kind: Kind, name: str) -> Problem:
    return Problem(409, "AlreadyExists", f'{kind.qualified} "{name}" already exists', _details(kind, name))


def conflict(kind: Kind, name: str, why: str = "") -> Problem:
    text = why or "the object has been modified; please apply your changes to the latest version and try again"
    return Problem(
        409, "Conflict", f'Operation cannot be fulfilled on {kind.qualified} "{name}": {text}', _details(kind, name)
    )


def invalid(kind: Kind, name: str, causes: Sequence[tuple[str, str, str]]) -> Problem:
    """422. `causes` are reason (`FieldValueRequired`), message, field."""
    texts = [f"{field}: {message}" for _, message, field in causes]
    text = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    details = {
        "name": name,
        "group": kind.group,
        "kind": kind.kind,
        "causes": [{"reason": reason, "message": message, "field": field} for reason, message, field in causes],
    }
    return Problem(
        422,
        "Invalid",
        f'{f"{kind.kind}.{kind.group}" if kind.group else kind.kind} "{name}" is invalid: {text}',
        {key: value for key, value in details.items() if value},
    )


def bad_request(message: str) -> Problem:
    return Problem(400, "BadRequest", message)


def forbidden(message: str, kind: Kind | None = None, name: str = "") -> Problem:
    return Problem(403, "Forbidden", message, _details(kind, name) if kind else {})


def unauthorized() -> Problem:
    return Problem(401, "Unauthorized", "Unauthorized")


def not_allowed() -> Problem:
    return Problem(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def not_acceptable(served: str) -> Problem:
    return Problem(406, "NotAcceptable", f"only the following media types are accepted: {served}")


def unsupported_media(served: str) -> Problem:
    return Problem(
        415,
        "UnsupportedMediaType",
        f"the body of the request was in an unknown format - accepted media types include: {served}",
    )


def gone(message: str) -> Problem:
    return Problem(410, "Expired", message)


def too_many(message: str, causes: Sequence[dict[str, str]] = ()) -> Problem:
    """429, as an eviction that a disruption budget forbids."""
    return Problem(429, "TooManyRequests", message, {"causes": list(causes)} if causes else None)


def too_large(limit: int) -> Problem:
    return Problem(413, "RequestEntityTooLarge", f"Request entity too large: limit is {limit}")

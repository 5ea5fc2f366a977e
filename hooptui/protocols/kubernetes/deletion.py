"""The options of a delete, from its body or from its query, as an API server takes them: from the body alone when there is one. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from hooptui.protocols.kubernetes.actions import flag
from hooptui.protocols.kubernetes.request import Request
from hooptui.protocols.kubernetes.unread import Unread

_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,18}\Z")


@dataclass(frozen=True, slots=True)
class Options:
    traits: frozenset[str]
    dry_run: bool
    notes: tuple[str, ...]
    """For people: `cascade=background`, `grace=0`."""


def options(request: Request, body: dict[str, Any] | None) -> Options:
    """See the module. `body` is the DeleteOptions that was sent.

    Raises:
        Unread: a value of another type than the option's.
    """
    if body is not None and body.get("kind") not in (None, "", "DeleteOptions"):
        raise Unread("options of a delete that are something else")
    said = _from_query(request) if body is None else body
    grace, orphan, unsafe = (
        said.get(key)
        for key in ("gracePeriodSeconds", "orphanDependents", "ignoreStoreReadErrorWithClusterBreakingPotential")
    )
    policy, dry = said.get("propagationPolicy"), said.get("dryRun")
    if isinstance(grace, bool) or not isinstance(grace, int | float | None):
        raise Unread("a gracePeriodSeconds that is no number")
    if not isinstance(orphan, bool | None) or not isinstance(unsafe, bool | None):
        raise Unread("an option of a delete that is no boolean")
    if policy not in (None, "", "Orphan", "Foreground", "Background"):
        raise Unread("a propagationPolicy that is not known")
    if dry is not None and not isinstance(dry, list):
        raise Unread("a dryRun that is no list")
    traits: set[str] = set()
    if grace is not None and grace <= 0:
        traits.add("force")
    if orphan or policy == "Orphan":
        traits.add("orphan")
    if policy == "Foreground":
        traits.add("foreground")
    if unsafe:
        traits.add("unsafe_delete")
    notes = [f"cascade={str(policy).lower()}"] if policy else ["cascade=orphan"] if orphan else []
    if grace is not None:
        notes.append(f"grace={grace:g}s")
    if unsafe:
        notes.append("even if unreadable")
    return Options(frozenset(traits), bool(dry) and all(one == "All" for one in dry or ()), tuple(notes))


def bindable(body: bytes) -> bool:
    """Whether `bound` can add its precondition: options in JSON that have none. Without a body they are in the query, and a body
    would take their place."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and not any(key.lower() == "preconditions" for key in said)


def bound(body: bytes, uid: str) -> bytes:
    """These options with the precondition that the object is this very one, which the API server checks as it deletes: 409 when
    another has its name by now (meta/v1 Preconditions)."""
    return json.dumps({**json.loads(body), "preconditions": {"uid": uid}}, separators=(",", ":")).encode()


def _from_query(request: Request) -> dict[str, Any]:
    found: dict[str, Any] = {
        "dryRun": list(request.every("dryRun")),
        "propagationPolicy": request.first("propagationPolicy"),
    }
    grace = request.first("gracePeriodSeconds")
    if grace is not None:
        if not _NUMBER.match(grace):
            raise Unread("a gracePeriodSeconds that is no number")
        found["gracePeriodSeconds"] = int(grace)
    for key in ("orphanDependents", "ignoreStoreReadErrorWithClusterBreakingPotential"):
        if request.first(key) is not None:
            found[key] = flag(request, key)
    return found

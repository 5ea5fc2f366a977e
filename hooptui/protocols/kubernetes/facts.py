"""All that is known of one request: its line, its options and its body, as KubernetesFacts. Pure and total."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any, Final

from hooptui.core.model import KubernetesFacts
from hooptui.core.vocabulary import KUBERNETES_WRITES, UNKNOWN
from hooptui.protocols.kubernetes import bodies, contents
from hooptui.protocols.kubernetes.actions import deed, flag, media_type, streams
from hooptui.protocols.kubernetes.deletion import options
from hooptui.protocols.kubernetes.info import RequestInfo, request_info
from hooptui.protocols.kubernetes.interpreters import program_traits
from hooptui.protocols.kubernetes.patches import probes, steps
from hooptui.protocols.kubernetes.request import Request
from hooptui.protocols.kubernetes.unread import Unread

NAME: Final = re.compile(r"[!-$&-.0-~]{1,253}\Z")
"""Printable ASCII less `%` and `/`, which no API server takes in a name."""
_GENERATED: Final = re.compile(r"[a-z0-9.-]{1,253}\Z")

_OPAQUE: Final = frozenset({"tokenreviews", "subjectaccessreviews", "localsubjectaccessreviews", "selfsubjectreviews"})
_OPAQUE_PARTS: Final = frozenset({"token", "binding", "approval"})
"""Of these the path tells all that facts need."""

KEPT: Final = frozenset(
    {
        "", "apps", "batch", "autoscaling", "policy", "networking.k8s.io", "rbac.authorization.k8s.io", "storage.k8s.io",
        "scheduling.k8s.io", "coordination.k8s.io", "node.k8s.io", "discovery.k8s.io", "admissionregistration.k8s.io",
        "apiextensions.k8s.io", "apiregistration.k8s.io", "certificates.k8s.io", "events.k8s.io", "flowcontrol.apiserver.k8s.io",
        "resource.k8s.io",
    }
)  # fmt: skip
"""Groups that kube-apiserver itself serves. Behind any other may be a server that knows no dry run, and no precondition."""


@dataclass(slots=True)
class _Said:
    """What body and options add."""

    traits: set[str] = field(default_factory=set)
    name: str = ""
    dry_run: bool = False
    probes: bool = False
    """Tells of what is stored, also when it is a dry run."""
    notes: tuple[str, ...] = ()


def facts_of(request: Request, body: bytes | None) -> tuple[KubernetesFacts, tuple[str, ...]]:
    """The facts, and notes for people: `cascade=background`. Never raises.

    `body` is all of it; None or empty when there is none.
    """
    info = request_info(request)
    done = deed(request, info)
    stream = streams(info)
    command = request.every("command") if stream == "exec" else ()
    facts = KubernetesFacts(
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
        done.traits | _stream_traits(request, stream, command),
        command,
        (request.first("container") or "") if stream or info.subresource == "log" else "",
        unknown=done.unknown,
    )
    if done.unknown:
        return facts, ()
    if stream == "exec" and not command:
        return replace(facts, unknown="an exec without a command"), ()
    if stream or not info.is_resource or info.verb not in KUBERNETES_WRITES or "review" in done.actions:
        return facts, ()
    try:
        said = _said(request, info, body or b"")
    except Unread as wrong:
        return replace(facts, actions=facts.actions | {UNKNOWN}, unknown=str(wrong)), ()
    return _together(facts, said), said.notes


def _together(facts: KubernetesFacts, said: _Said) -> KubernetesFacts:
    traits, actions = facts.traits | said.traits, facts.actions
    if said.dry_run:
        traits |= {"dry_run"}
        if facts.group in KEPT and facts.subresource in ("", "scale", "status") and not said.probes:
            actions = frozenset({"dry_run"})
    return replace(
        facts, actions=actions, traits=traits, name=facts.name or said.name, dry_run=actions == frozenset({"dry_run"})
    )


def _stream_traits(request: Request, stream: str, command: tuple[str, ...]) -> frozenset[str]:
    if stream not in ("exec", "attach"):
        return frozenset()
    return frozenset({key for key in ("stdin", "tty") if flag(request, key)}) | program_traits(command)


def _said(request: Request, info: RequestInfo, body: bytes) -> _Said:
    if info.verb in ("delete", "deletecollection"):
        told = options(request, bodies.decode(info, media_type(request), body).value if body else None)
        return _Said(set(told.traits), dry_run=told.dry_run, notes=told.notes)
    said = _Said(dry_run=_dry_run(request))
    if info.resource in _OPAQUE or info.subresource in _OPAQUE_PARTS:
        return said
    read = bodies.decode(info, media_type(request), body)
    match read.form:
        case "json":
            _json_patch(said, read.value, info)
        case _:
            _object(said, read, info)
    if info.subresource == "scale" and read.form == "object":
        # What is left out of a whole Scale is zero.
        spec = read.value.get("spec")
        replicas = spec.get("replicas") if isinstance(spec, dict) else None
        said.traits |= set() if replicas else {"scale_to_zero"}
    if info.subresource == "eviction" and read.form == "object":
        told = read.value.get("deleteOptions")
        if isinstance(told, dict):
            said.traits |= options(request, told).traits
    return said


def _dry_run(request: Request) -> bool:
    """Whether it is a dry run of everything; there is no other, but a value that is not known is none."""
    values = request.every("dryRun")
    return bool(values) and all(value == "All" for value in values)


def _object(said: _Said, body: bodies.Body, info: RequestInfo) -> None:
    value: dict[str, Any] = body.value
    changes = body.form != "object" or info.verb == "update"
    said.traits |= contents.traits(value, resource=info.resource, changes=changes)
    if info.verb == "create" and not info.name:
        _named(said, value)
    said.notes += _replicas(value)
    if body.form in ("merge", "strategic") and _loses(value, whole=body.form == "merge"):
        said.traits.add("removes_finalizers")
    if info.subresource == "finalize":
        spec = value.get("spec")
        if not (isinstance(spec, dict) and spec.get("finalizers")):
            said.traits.add("removes_finalizers")
    if body.form != "object" and info.subresource == "scale" and _no_replicas(value, said_whole=body.form == "apply"):
        said.traits.add("scale_to_zero")


def _replicas(value: Any) -> tuple[str, ...]:
    """For people: how many there are to be."""
    spec = value.get("spec") if isinstance(value, dict) else None
    count = spec.get("replicas") if isinstance(spec, dict) else None
    return (f"replicas={count:g}",) if isinstance(count, int | float) and not isinstance(count, bool) else ()


def _no_replicas(value: dict[str, Any], *, said_whole: bool) -> bool:
    """Whether a patch of a Scale takes the number away, which leaves zero; `said_whole`: what an apply does not say it gives up."""
    spec = value.get("spec", {})
    if not isinstance(spec, dict) or _directs(value) or _directs(spec):
        return True
    return spec.get("replicas") is None if said_whole or "replicas" in spec else False


def _loses(value: dict[str, Any], *, whole: bool) -> bool:
    """Whether a patch may take finalizers away; `whole`: a list in it replaces the list that is there."""
    metadata = value.get("metadata", {})
    if metadata is None or _directs(value) or (isinstance(metadata, dict) and _directs(metadata)):
        return True
    if not isinstance(metadata, dict):
        return False
    if "$deleteFromPrimitiveList/finalizers" in metadata or "$setElementOrder/finalizers" in metadata:
        return True
    return "finalizers" in metadata and (whole or not metadata["finalizers"])


def _directs(value: dict[str, Any]) -> bool:
    return "$patch" in value or "$retainKeys" in value


def _json_patch(said: _Said, patch: Any, info: RequestInfo) -> None:
    said.traits.add("json_patch")
    said.probes = probes(patch)
    for step in steps(patch):
        overlay = step.overlay()
        said.traits |= contents.traits(overlay, resource=info.resource, changes=True)
        said.notes += _replicas(overlay)
        if step.removes and ("metadata", "finalizers")[: len(step.path)] == step.path[:2]:
            said.traits.add("removes_finalizers")
        if step.path == ():
            said.traits.add("replaces")
        if info.subresource == "scale" and step.removes and ("spec", "replicas")[: len(step.path)] == step.path:
            spec = step.value.get("spec") if step.path == () and isinstance(step.value, dict) else step.value
            kept = spec.get("replicas") if isinstance(spec, dict) else spec
            said.traits |= set() if kept else {"scale_to_zero"}


def _named(said: _Said, value: dict[str, Any]) -> None:
    """The name that a create gives, in its body alone."""
    metadata = value.get("metadata")
    if not isinstance(metadata, dict):
        raise Unread("a body without metadata")
    name, generated = metadata.get("name"), metadata.get("generateName")
    if name not in (None, ""):
        if not isinstance(name, str) or not NAME.match(name):
            raise Unread("a body with a name that no object has")
        said.name = name
    elif isinstance(generated, str) and _GENERATED.match(generated):
        said.traits.add("generated_name")
    else:
        raise Unread("a body without a name")

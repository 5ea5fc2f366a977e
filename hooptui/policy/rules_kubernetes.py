"""What a rule says of Kubernetes, as written in YAML and as kept. Knows not how it is applied: see `match_kubernetes`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Final, Literal

from hooptui.core.vocabulary import (
    KUBERNETES_ACTIONS,
    KUBERNETES_GROUPS,
    KUBERNETES_STREAMS,
    KUBERNETES_TRAITS,
    UNKNOWN,
)
from hooptui.policy.rules_ssh import Program
from hooptui.strictyaml import Matches, NotEmpty, OneOf, OneOrMany

Name = Annotated[str, Matches(r"[^\s/%]{1,253}", "a name, where * stands for any text and ? for one character")]
Path = Annotated[str, Matches(r"(/[^\s?#]{0,1023}|\*)", "a path that begins with a slash, where * stands for any text")]
Selector = Annotated[str, Matches(r"[^\n]{1,1024}", "a label selector, where * stands for any text")]
Verb = Annotated[
    str,
    OneOf(
        (KUBERNETES_ACTIONS | frozenset(KUBERNETES_GROUPS)) - {UNKNOWN},
        f"a verb such as get, list, patch, delete, exec, or one of the groups {', '.join(sorted(KUBERNETES_GROUPS))}",
    ),
]
Trait = Annotated[str, OneOf(KUBERNETES_TRAITS, f"one of {', '.join(sorted(KUBERNETES_TRAITS))}")]
Kind = Annotated[
    str,
    Matches(
        r"[a-z0-9*?-]{1,63}(\.[a-z0-9.*?-]{1,253})?(/[a-z0-9*?]{1,63})?",
        "a resource with its group and subresource, such as pods, pods/exec, deployments.apps, deployments.apps/scale, *.example.com, */status",
    ),
]
Names = Annotated[tuple[Name, ...], OneOrMany(), NotEmpty()]


@dataclass(frozen=True, slots=True)
class Kubernetes:
    """What. All keys that are there must agree.

    In an allow, everything that is asked must be covered: `pods` is pods of the core group and none of its subresources, a list has no
    name, and what is over all namespaces is in none. In a deny or approve, what may be meant is: `pods` is any resource of that name in
    any group, with its subresources; what is about many is about each; what is over all namespaces is in each.
    """

    verbs: Annotated[frozenset[Verb], NotEmpty()] | None = None
    resources: Annotated[tuple[Kind, ...], OneOrMany(), NotEmpty()] | None = None
    """With `paths`, either is enough; alone, no path is meant."""
    paths: Annotated[tuple[Path, ...], OneOrMany(), NotEmpty()] | None = None
    """Of what is no resource: `/version`, `/openapi/*`."""
    namespaces: Names | None = None
    """A namespace is in itself."""
    names: Names | None = None
    traits: Annotated[frozenset[Trait], NotEmpty()] | None = None
    """In an allow, those that may be there: with `programs` none when it does not say, else any."""
    programs: Annotated[tuple[Program, ...], NotEmpty()] | None = None
    """Of an exec, word by word as its argument vector has them."""
    selectors: Annotated[tuple[Selector, ...], OneOrMany(), NotEmpty()] | None = None
    """Of labels, as written."""
    without_selector: bool | None = None
    """Whether a whole collection is deleted, with no selector of labels or fields."""
    rest: bool = False
    """For an approve that grants: holds only what no allow covers."""


@dataclass(frozen=True, slots=True)
class StatedKubernetes:
    """A request of a test: as a client would send it, or in words."""

    request: (
        Annotated[str, Matches(r"[A-Z]{1,16} /[^\s]{0,8192}", "a method and a path, such as GET /api/v1/pods")] | None
    ) = None
    """Below the cluster's prefix."""
    body: str | None = None
    """As it is sent."""
    type: Literal["json", "yaml", "merge", "strategic", "json-patch", "apply"] = "json"
    """What the body is."""
    verbs: Annotated[frozenset[Annotated[str, OneOf(KUBERNETES_ACTIONS - {UNKNOWN}, "a verb")]], NotEmpty()] | None = (
        None
    )
    resource: Kind | None = None
    namespace: str = ""
    name: str = ""
    path: str = ""
    traits: frozenset[Trait] = frozenset()
    command: tuple[str, ...] = ()
    unknown: str = ""


def expand(verbs: frozenset[str]) -> frozenset[str]:
    """Verbs with the group names replaced by what they stand for."""
    return frozenset().union(*(KUBERNETES_GROUPS.get(word, (word,)) for word in verbs))


def incoherent(what: Kubernetes, *, opens: bool, grants: bool) -> Iterator[tuple[str, str, str]]:
    """What no single key can say: what was found, what was expected, and `.key` of where."""
    if what.rest and not grants:
        yield "rest", "it only in an approve that grants", ".rest"
    if not opens:
        if any(one.never is not None for one in what.programs or ()):
            yield "never", "it only in what allows or grants", ".programs"
        return
    named = [
        key
        for key in ("resources", "paths", "namespaces", "names", "programs", "selectors")
        if getattr(what, key) is not None
    ]
    if named and what.verbs is None:
        yield f"{named[0]} without verbs", "verbs too: an allow says what may be done with them", ""
    verbs = expand(what.verbs or frozenset())
    if what.programs is not None and verbs - {"exec"}:
        other = ", ".join(sorted(verbs - {"exec"})) or "no verb"
        yield f"{other} beside programs", "exec alone: nothing else starts a program that is named", ".verbs"
    for one in what.resources or ():
        home = HOMES.get(one.partition("/")[0])
        if home is not None:
            name, slash, part = one.partition("/")
            yield (
                one,
                f"{name}.{home}{slash}{part}: without a group it is one of the core, where there is none",
                ".resources",
            )
    if what.verbs is None or what.resources is None or "*" in what.resources:
        return
    parts = {one.partition("/")[2] for one in what.resources}
    for verb in sorted(what.verbs & KUBERNETES_STREAMS):
        if not parts & {verb, "*"}:
            yield (
                f"{verb} without */{verb} among resources",
                f"pods/{verb} or the like too: it is asked of that subresource",
                ".verbs",
            )


def unsound(stated: StatedKubernetes) -> tuple[str, str] | None:
    """What is wrong with the request of a test: found, expected."""
    words = stated.verbs is not None or stated.resource is not None or bool(stated.path)
    if (stated.request is None) is not words:
        return ("both or neither", "request, or verbs with resource or path")
    if stated.request is None and (stated.body is not None or stated.verbs is None):
        return ("words without verbs, or with a body", "verbs with resource or path, or a request")
    return None


HOMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("deployments", "statefulsets", "daemonsets", "replicasets", "controllerrevisions"), "apps"),
        **dict.fromkeys(("jobs", "cronjobs"), "batch"),
        **dict.fromkeys(("ingresses", "networkpolicies", "ingressclasses"), "networking.k8s.io"),
        **dict.fromkeys(("roles", "clusterroles", "rolebindings", "clusterrolebindings"), "rbac.authorization.k8s.io"),
        **dict.fromkeys(("horizontalpodautoscalers",), "autoscaling"),
        **dict.fromkeys(("poddisruptionbudgets",), "policy"),
        **dict.fromkeys(("storageclasses", "volumeattachments", "csidrivers", "csinodes"), "storage.k8s.io"),
        **dict.fromkeys(("customresourcedefinitions",), "apiextensions.k8s.io"),
        **dict.fromkeys(("apiservices",), "apiregistration.k8s.io"),
        **dict.fromkeys(("leases",), "coordination.k8s.io"),
        **dict.fromkeys(("endpointslices",), "discovery.k8s.io"),
        **dict.fromkeys(("priorityclasses",), "scheduling.k8s.io"),
        **dict.fromkeys(("certificatesigningrequests",), "certificates.k8s.io"),
        **dict.fromkeys(
            ("mutatingwebhookconfigurations", "validatingwebhookconfigurations"), "admissionregistration.k8s.io"
        ),
    }
)
"""Groups of resources that are easily taken for the core's."""

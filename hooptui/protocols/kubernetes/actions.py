"""From a request's line to what it does: the actions, and the traits that path and query alone tell. Pure; bodies are read elsewhere."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from hooptui.core.vocabulary import KUBERNETES_WRITES, UNKNOWN
from hooptui.protocols.kubernetes.info import RequestInfo
from hooptui.protocols.kubernetes.request import Request

STREAMS: Final = frozenset({"exec", "attach", "portforward", "proxy"})
APPLY: Final = frozenset({"application/apply-patch+yaml", "application/apply-patch+cbor"})

_BY_METHOD: Final = {
    "GET": "get",
    "HEAD": "get",
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
_WORD: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\Z")
_REVIEWS: Final = frozenset(
    {
        ("authorization.k8s.io", "selfsubjectaccessreviews"),
        ("authorization.k8s.io", "selfsubjectrulesreviews"),
        ("authentication.k8s.io", "selfsubjectreviews"),
    }
)
_PROXIES: Final = {"pods": "pod_proxy", "services": "service_proxy", "nodes": "node_proxy"}
_SUBRESOURCES: Final = {
    "eviction": "eviction",
    "ephemeralcontainers": "ephemeral_container",
    "binding": "binding",
    "scale": "scale",
    "status": "status",
    "finalize": "finalize",
}
_GROUPS: Final = {
    "rbac.authorization.k8s.io": "rbac",
    "admissionregistration.k8s.io": "webhook",
    "apiregistration.k8s.io": "api_service",
    "apiextensions.k8s.io": "crd",
}
_CLUSTERWIDE: Final = frozenset(
    {
        "namespaces", "nodes", "persistentvolumes", "componentstatuses", "clusterroles", "clusterrolebindings", "storageclasses",
        "customresourcedefinitions", "apiservices", "priorityclasses", "ingressclasses", "runtimeclasses", "csidrivers", "csinodes",
        "volumeattachments", "certificatesigningrequests", "mutatingwebhookconfigurations", "validatingwebhookconfigurations",
        "flowschemas", "prioritylevelconfigurations", "selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Deed:
    """What path, method and query say."""

    actions: frozenset[str]
    traits: frozenset[str] = frozenset()
    unknown: str = ""


def deed(request: Request, info: RequestInfo) -> Deed:
    """See the module. Never raises."""
    if not info.is_resource:
        traits = frozenset({"logs"}) if request.segments[:1] == ("logs",) else frozenset[str]()
        return Deed(frozenset({_BY_METHOD[request.method]}), traits)
    unknown = _not_understood(request, info)
    if unknown:
        return Deed(frozenset({UNKNOWN}), unknown=unknown)
    traits = _traits(request, info)
    return Deed(_actions(request, info), traits)


def _not_understood(request: Request, info: RequestInfo) -> str:
    if info.broken:
        return info.broken
    words = (info.api_version, info.resource, *filter(None, (info.api_group, info.subresource)))
    if not all(map(_WORD.match, words)):
        return "a group, version, resource or subresource that no API server has"
    if info.verb == "watch" and request.method not in ("GET", "HEAD"):
        return f"{request.method} of a watch"
    if len(info.parts) > 3 and not streams(info):
        return f"a path that goes on behind {info.resource}/{info.subresource}"
    return ""


def streams(info: RequestInfo) -> str:
    """The stream that it is to become, or `proxy`; empty for a plain request."""
    if not info.is_resource:
        return ""
    if info.verb == "proxy":
        return "proxy"
    return info.subresource if info.subresource in STREAMS else ""


def _actions(request: Request, info: RequestInfo) -> frozenset[str]:
    if stream := streams(info):
        return frozenset({stream})
    if info.verb == "create" and info.subresource == "eviction":
        return frozenset({"create", "delete"})
    if info.verb == "create" and not info.subresource and (info.api_group, info.resource) in _REVIEWS:
        return frozenset({"review"})
    if info.verb == "deletecollection":
        return frozenset({"delete", "deletecollection"})
    if info.verb == "patch" and media_type(request) in APPLY:
        return frozenset({"patch", "create"})
    return frozenset({info.verb})


def _traits(request: Request, info: RequestInfo) -> frozenset[str]:
    found: set[str] = set()
    if streams(info) == "proxy" and info.resource in _PROXIES:
        found.add(_PROXIES[info.resource])
    if info.verb in ("list", "watch", "deletecollection") and not info.namespace and not _clusterwide(info):
        found.add("all_namespaces")
    if info.subresource == "log":
        found.add("logs")
    if info.verb not in KUBERNETES_WRITES:
        return frozenset(found)
    if info.subresource in _SUBRESOURCES:
        found.add(_SUBRESOURCES[info.subresource])
    if info.api_group in _GROUPS:
        found.add(_GROUPS[info.api_group])
    if info.resource == "bindings" and not info.api_group:
        found.add("binding")
    if info.resource == "serviceaccounts" and info.subresource == "token":
        found.add("service_account_token")
    if info.resource == "certificatesigningrequests":
        # Who writes the status writes the certificate.
        found.add("csr_approval" if info.subresource in ("approval", "status") else "csr")
    if info.verb == "update":
        found.add("replaces")
    if info.verb == "patch" and media_type(request) in APPLY:
        found.add("apply")
    return frozenset(found)


def _clusterwide(info: RequestInfo) -> bool:
    """Whether it is a resource of Kubernetes' own that has no namespaces; of others that is not known."""
    return info.resource in _CLUSTERWIDE and (not info.api_group or info.api_group.endswith(".k8s.io"))


def media_type(request: Request) -> str:
    """Of the body, lower case and without parameters; empty when it does not say."""
    return request.header("content-type").partition(";")[0].strip().lower()


def flag(request: Request, key: str) -> bool:
    """A boolean among the options, as an API server takes it: anything but `false` and `0`, an empty value too."""
    value = request.first(key)
    return value is not None and value != "0" and value.casefold() != "false"

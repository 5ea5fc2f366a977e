"""Discovery: what is served, in both its forms, and the version (https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api).

Knows the kinds and nothing else.
"""

from __future__ import annotations

from hooptui.demo.cluster.kinds import PREFERRED, Kind, Kinds
from hooptui.demo.cluster.objects import Object

AGGREGATED = "g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
SUB_KINDS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "attach": ("", "PodAttachOptions", ("create", "get")),
    "binding": ("", "Binding", ("create",)),
    "eviction": ("policy/v1", "Eviction", ("create",)),
    "exec": ("", "PodExecOptions", ("create", "get")),
    "log": ("", "Pod", ("get",)),
    "portforward": ("", "PodPortForwardOptions", ("create", "get")),
    "token": ("authentication.k8s.io/v1", "TokenRequest", ("create",)),
    "scale": ("autoscaling/v1", "Scale", ("get", "patch", "update")),
}
"""Kind and verbs of subresources that are not of their resource's own kind: apiVersion where it is another's."""


def version() -> Object:
    return {
        "major": "1", "minor": "33", "emulationMajor": "1", "emulationMinor": "33", "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "32", "gitVersion": "v1.33.4", "gitCommit": "0" * 40, "gitTreeState": "clean",
        "buildDate": "2025-08-12T00:00:00Z", "goVersion": "go1.24.5", "compiler": "gc", "platform": "linux/amd64",
    }  # fmt: skip


def api_versions(address: str) -> Object:
    return {
        "kind": "APIVersions", "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }  # fmt: skip


def group(name: str, versions: list[str]) -> Object:
    found = [{"groupVersion": f"{name}/{one}", "version": one} for one in versions]
    return {"name": name, "versions": found, "preferredVersion": found[0]}


def groups(kinds: Kinds) -> Object:
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [group(*one) for one in kinds.groups().items()]}


def _of(kinds: Kinds, name: str, version: str) -> list[Kind]:
    return sorted(
        (one for one in kinds.all() if (one.group, one.version) == (name, version)), key=lambda one: one.plural
    )


def _sub(kind: Kind, name: str) -> tuple[str, str, tuple[str, ...]]:
    if name == "proxy":
        verbs = ("create", "delete", "get", "patch", "update")
        return (
            "",
            {"pods": "PodProxyOptions", "nodes": "NodeProxyOptions"}.get(kind.plural, "ServiceProxyOptions"),
            verbs,
        )
    if name == "finalize":
        return "", "Namespace", ("update",)
    if name == "ephemeralcontainers":
        return "", "Pod", ("get", "patch", "update")
    return SUB_KINDS.get(name, ("", kind.kind, ("get", "patch", "update")))


def resources(kinds: Kinds, name: str, version: str) -> Object | None:
    """APIResourceList of a group's version; None when there is no such."""
    found = _of(kinds, name, version)
    if not found:
        return None
    listed: list[Object] = []
    for kind in found:
        one: Object = {
            "name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced, "kind": kind.kind, "verbs": list(kind.verbs),
        }  # fmt: skip
        if kind.short:
            one["shortNames"] = list(kind.short)
        if kind.categories:
            one["categories"] = list(kind.categories)
        listed.append(one)
        for sub in kind.subresources:
            where, sub_kind, verbs = _sub(kind, sub)
            entry: Object = {"name": f"{kind.plural}/{sub}", "singularName": "", "namespaced": kind.namespaced}
            if where:
                entry["group"], _, entry["version"] = where.rpartition("/")
            listed.append({**entry, "kind": sub_kind, "verbs": list(verbs)})
    found_version = f"{name}/{version}" if name else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": found_version, "resources": listed}


def aggregated(kinds: Kinds, names: list[tuple[str, list[str]]]) -> Object:
    """APIGroupDiscoveryList of these groups with their versions."""
    items = []
    for name, versions in names:
        found = [
            {"version": one, "resources": [_aggregated(kind) for kind in _of(kinds, name, one)], "freshness": "Current"}
            for one in versions
        ]
        metadata: Object = {"creationTimestamp": None, **({"name": name} if name else {})}
        items.append({"metadata": metadata, "versions": found})
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _aggregated(kind: Kind) -> Object:
    found: Object = {
        "resource": kind.plural, "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "scope": "Namespaced" if kind.namespaced else "Cluster", "singularResource": kind.singular, "verbs": list(kind.verbs),
    }  # fmt: skip
    if kind.short:
        found["shortNames"] = list(kind.short)
    if kind.categories:
        found["categories"] = list(kind.categories)
    subs = []
    for name in kind.subresources:
        where, sub_kind, verbs = _sub(kind, name)
        group_name, _, sub_version = where.rpartition("/") if where else (kind.group, "", kind.version)
        subs.append(
            {
                "subresource": name,
                "responseKind": {"group": group_name, "version": sub_version, "kind": sub_kind},
                "verbs": list(verbs),
            }
        )
    if subs:
        found["subresources"] = subs
    return found


def ordered(kinds: Kinds) -> list[tuple[str, list[str]]]:
    """Groups with the preferred version first."""
    return [
        (name, sorted(versions, key=lambda one: one != PREFERRED.get(name)))
        for name, versions in kinds.groups().items()
    ]

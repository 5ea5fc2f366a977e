"""What a held request would do, for its reviewer: the API server's own dry run as a list of changes, what a delete takes with it, where an
exec would run. Asked as the session's own identity on the cluster, and only for what promises to change nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from hooptui.core.group import Group
from hooptui.core.visible import visible
from hooptui.credentials.kubernetes_api import ApiTrouble, call
from hooptui.credentials.kubernetes_login import Access
from hooptui.protocols.kubernetes.info import request_info
from hooptui.protocols.kubernetes.link import Link
from hooptui.protocols.kubernetes.request import Request
from hooptui.protocols.kubernetes.upstream import UpstreamFailed

GROUPS: Final = frozenset(
    {
        "", "apps", "autoscaling", "batch", "policy", "networking.k8s.io", "rbac.authorization.k8s.io", "storage.k8s.io", "scheduling.k8s.io",
        "coordination.k8s.io", "discovery.k8s.io", "admissionregistration.k8s.io", "apiextensions.k8s.io", "node.k8s.io",
    }
)  # fmt: skip
"""Groups that the API server itself serves: another server behind it might take a dry run for a write."""
DRY: Final = ("create", "update", "patch")
CHANGES: Final = 12
"""Changes that are listed."""
VALUE: Final = 60
"""Characters of one value."""
NAMES: Final = 6
SPACES: Final = 3
"""Namespaces in which it is counted what a group takes along."""
_OWN: Final = frozenset({"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"})
_OWNED: Final = (
    ("apps/v1", "replicasets", "ReplicaSet"),
    ("batch/v1", "jobs", "Job"),
    ("v1", "pods", "Pod"),
    ("v1", "persistentvolumeclaims", "PersistentVolumeClaim"),
)
"""What is looked through for what a deleted object owns, owners first."""
_IN_NAMESPACE: Final = (
    *_OWNED, ("apps/v1", "deployments", "Deployment"), ("apps/v1", "statefulsets", "StatefulSet"), ("v1", "services", "Service"),
    ("v1", "secrets", "Secret"), ("v1", "configmaps", "ConfigMap"),
)  # fmt: skip
_COUNTING: Final = (("Accept", "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"),)


async def preview(link: Link, request: Request, body: bytes, group: Group | None = None) -> str:
    """In one line of raw words; says why when there is nothing to say. With a `group`, of all that is deleted under one review."""
    look = Look(link, request, body, group)
    try:
        return await look.words()
    except (ApiTrouble, UpstreamFailed) as trouble:
        return f"no preview: {trouble.message}"


class Look:
    """One request that is looked into."""

    def __init__(self, link: Link, request: Request, body: bytes, group: Group | None = None) -> None:
        self._group = group
        self._link = link
        self._request = request
        self._body = body
        self._info = request_info(request)
        self._headers: list[tuple[str, str]] = []
        self._access: Access | None = None

    async def words(self) -> str:
        """Raises:
        ApiTrouble, UpstreamFailed: the API server cannot be asked.
        """
        self._access, self._headers = await self._link.credential()
        info = self._info
        match info.verb:
            case _ if not info.is_resource:
                return "no preview: it is about no resource"
            case "get" | "create" if info.subresource in ("exec", "attach", "portforward"):
                return await self._pod()
            case "delete" if not info.subresource and self._group is not None:
                return await self._all(self._group)
            case "delete" if not info.subresource:
                return await self._deleted()
            case "deletecollection":
                return await self._many()
            case verb if verb in DRY and info.api_group in GROUPS and info.subresource in ("", "scale", "status"):
                return await self._dry_run()
            case _:
                return "no preview: nobody can say beforehand what it changes"

    # --- writes

    async def _dry_run(self) -> str:
        request = self._request
        code, before = await self._get() if self._info.name and self._info.verb != "create" else (404, {})
        query = tuple(pair for pair in request.query if pair[0] != "dryRun")
        kind = request.header("content-type") or "application/json"
        target = _with(request, (*query, ("dryRun", "All")))
        dry, after = await self._call(request.method, target, self._body, kind)
        if dry >= 300:
            return f"dry run: the API server would refuse it: {dry} {_words(after)}"
        shown = self._shown(after)
        if code != 200:
            return f"dry run accepted: creates {_named(shown)}"
        changes = list(_changes(self._shown(before), shown))
        listed = ", ".join(f"{path} {_value(old)} → {_value(new)}" for path, old, new in changes[:CHANGES])
        more = f", and {len(changes) - CHANGES} more" if len(changes) > CHANGES else ""
        return f"dry run accepted: {listed}{more}" if changes else "dry run accepted: it changes nothing"

    # --- deletes

    async def _deleted(self) -> str:
        code, found = await self._get()
        if code != 200:
            return f"there is none: {code} {_words(found)}"
        if self._info.resource == "namespaces" and not self._info.api_group:
            counts = {
                kind: len(await self._items(version, plural, self._info.name))
                for version, plural, kind in _IN_NAMESPACE
            }
            return f"takes everything in it along: {_counted(counts) or 'nothing that is looked for'}"
        said = [
            f"takes along {counted}"
            if (counted := _counted(await self._owned({_member(found, "metadata").get("uid")}, self._info.namespace)))
            else "owns nothing that is looked for"
        ]
        spec = _member(found, "spec")
        if isinstance(replicas := spec.get("replicas"), int):
            said.insert(0, f"{replicas} replicas")
        if claims := spec.get("volumeClaimTemplates"):
            said.append(f"its {len(claims)} kinds of PersistentVolumeClaims stay")
        if finalizers := _member(found, "metadata").get("finalizers"):
            said.append(f"waits for finalizers {', '.join(map(str, finalizers))}")
        return "; ".join(said)

    async def _all(self, group: Group) -> str:
        """Of a group whatever takes no more looks than of a few objects; for the rest it says that nobody has counted."""
        info = self._info
        head = f"{len(group.members)} {info.resource}"
        if info.resource == "namespaces" and not info.api_group:
            return f"{head}: each takes everything in it along, which is not counted for so many"
        if _orphans(self._request, self._body):
            return f"{head}; what they own stays"
        spaces = sorted({one.about.partition("/")[0] for one in group.members if one.about.count("/") > 1})
        if len(spaces) > SPACES:
            return f"{head} in {len(spaces)} namespaces; what they take along is not counted in so many"
        counts: dict[str, int] = {}
        for space in spaces:
            for kind, count in (await self._owned({one.identity for one in group.members}, space)).items():
                counts[kind] = counts.get(kind, 0) + count
        owned = f"take along {counted}" if (counted := _counted(counts)) else "own nothing that is looked for"
        return f"together these {head} {owned}"

    async def _owned(self, owners: set[Any], namespace: str) -> dict[str, int]:
        """What these own there, by kind; `owners` are uids."""
        uids = owners - {None}
        counts: dict[str, int] = {}
        if not namespace or _orphans(self._request, self._body):
            return counts
        for version, plural, kind in _OWNED:
            for one in await self._items(version, plural, namespace):
                metadata = _member(one, "metadata")
                refs = metadata.get("ownerReferences") or ()
                if metadata.get("uid") not in uids and any(
                    isinstance(ref, dict) and ref.get("uid") in uids for ref in refs
                ):
                    counts[kind] = counts.get(kind, 0) + 1
                    uids.add(metadata.get("uid"))
        return counts

    async def _many(self) -> str:
        query = tuple(pair for pair in self._request.query if pair[0] in ("labelSelector", "fieldSelector"))
        code, found = await self._call("GET", _with(self._request, (*query, ("limit", "500"))), headers=_COUNTING)
        if code != 200:
            return f"no preview: {code} {_words(found)}"
        names = [str(_member(one, "metadata").get("name")) for one in found.get("items") or ()]
        more = "more than " if _member(found, "metadata").get("continue") else ""
        listed = ", ".join(names[:NAMES]) + (" …" if len(names) > NAMES else "")
        return (
            f"deletes {more}{len(names)} {self._info.resource}: {listed}"
            if names
            else "deletes nothing that is there now"
        )

    # --- streams

    async def _pod(self) -> str:
        info = self._info
        code, found = await self._call("GET", f"/api/v1/namespaces/{quote(info.namespace)}/pods/{quote(info.name)}")
        if code != 200:
            return f"there is no such pod: {code} {_words(found)}"
        spec = _member(found, "spec")
        said = [
            f"pod {info.name} on node {spec.get('nodeName') or 'none'}",
            f"service account {spec.get('serviceAccountName') or 'default'}",
        ]
        wanted = self._request.first("container")
        for one in spec.get("containers") or ():
            if isinstance(one, dict) and wanted in (None, one.get("name")):
                said.append(f"container {one.get('name')} ({one.get('image')})")
                if _member(one, "securityContext").get("privileged") is True:
                    said.append("PRIVILEGED")
        said += [
            f"host {key.removeprefix('host')}" for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key) is True
        ]
        said += [mount for one in spec.get("volumes") or () if isinstance(one, dict) and (mount := _mount(one))]
        return "; ".join(said)

    # --- inside

    async def _get(self) -> tuple[int, dict[str, Any]]:
        return await self._call("GET", _with(self._request, ()))

    async def _items(self, version: str, plural: str, namespace: str) -> list[dict[str, Any]]:
        prefix = "/api" if version == "v1" else "/apis"
        target = f"{prefix}/{version}/namespaces/{quote(namespace)}/{plural}?limit=500"
        code, found = await self._call("GET", target, headers=_COUNTING)
        return [one for one in found.get("items") or () if isinstance(one, dict)] if code == 200 else []

    async def _call(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        content_type: str = "application/json",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> tuple[int, dict[str, Any]]:
        assert self._access is not None
        said = [pair for pair in self._headers if pair[0] != "Accept"]
        return await call(self._access, method, target, body, headers=[*headers, *said], content_type=content_type)

    def _shown(self, found: dict[str, Any]) -> dict[str, Any]:
        """As it may be shown: nothing of a Secret."""
        text = str(self._link.masks.body(json.dumps(found).encode(), self._info, most=1 << 24))
        try:
            shown: Any = json.loads(text)
        except ValueError:
            return {}
        return shown if isinstance(shown, dict) else {}


def _with(request: Request, query: tuple[tuple[str, str], ...]) -> str:
    return Request(request.method, request.segments, query, slash=request.slash).target()


def _changes(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Fields that differ; what the API server keeps for itself is left out."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in (*old, *(key for key in new if key not in old)):
            if key in _OWN or (not path and key == "status"):
                continue
            yield from _changes(old.get(key), new.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _changes(one, other, f"{path}[{number}]")
    elif old != new:
        yield path, old, new


def _value(value: Any) -> str:
    text = "none" if value is None else value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return visible(text if len(text) <= VALUE else f"{text[:VALUE]}…")


def _named(found: Mapping[str, Any]) -> str:
    metadata = _member(found, "metadata")
    return f"{found.get('kind')} {metadata.get('namespace', '')}/{metadata.get('name', '')}".replace(" /", " ")


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in counts.items() if count)


def _mount(volume: Mapping[str, Any]) -> str:
    """What of a volume a reviewer should know."""
    if name := _member(volume, "secret").get("secretName"):
        return f"mounts secret {name}"
    if place := _member(volume, "hostPath").get("path"):
        return f"mounts host path {place}"
    if claim := _member(volume, "persistentVolumeClaim").get("claimName"):
        return f"mounts claim {claim}"
    return ""


def _orphans(request: Request, body: bytes) -> bool:
    """Whether what it owns is left alone."""
    return request.first("propagationPolicy") == "Orphan" or b'"Orphan"' in body


def _member(value: Any, key: str) -> dict[str, Any]:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def _words(found: Mapping[str, Any]) -> str:
    return visible(str(found.get("message") or "")[:200])

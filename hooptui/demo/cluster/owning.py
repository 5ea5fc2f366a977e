"""What controllers have in common: making what they want, finding what is theirs, saying how it is.

Knows the store.
"""

from __future__ import annotations

import copy
import hashlib
import json
import zlib

from hooptui.demo.cluster import defaults, ownership
from hooptui.demo.cluster.kinds import BUILT_IN
from hooptui.demo.cluster.objects import Object, dig, labels, matches, meta, name_of, namespace_of, stamp
from hooptui.demo.cluster.protobuf import message_for
from hooptui.demo.cluster.store import ALPHABET, Store

MANAGER = "kube-controller-manager"


def owner(obj: Object, api_version: str, kind: str, *, controller: bool = True) -> Object:
    return {
        "apiVersion": api_version, "kind": kind, "name": name_of(obj), "uid": meta(obj)["uid"], "controller": controller,
        "blockOwnerDeletion": True,
    }  # fmt: skip


def make(store: Store, key: str, obj: Object, manager: str) -> Object:
    """Create what a controller wants, with its defaults."""
    kind = next(one for one in BUILT_IN if one.key == key and one.api_version == obj["apiVersion"])
    metadata = meta(obj)
    if "name" not in metadata:
        metadata["name"] = f"{metadata['generateName']}{store.suffix()}"
    metadata.setdefault("uid", store.uid())
    metadata.setdefault("creationTimestamp", stamp())
    if kind.group == "apps" or kind.plural == "pods":
        metadata.setdefault("generation", 1)
    defaults.fill(kind, obj)
    ownership.updated(None, obj, manager, message_for(kind.api_version, kind.kind))
    return store.put(key, obj)


def note(store: Store, obj: Object, reason: str, text: str, source: str, path: str = "") -> None:
    """An Event about an object."""
    involved = {
        "kind": obj["kind"], "apiVersion": obj["apiVersion"], "name": name_of(obj), "namespace": namespace_of(obj),
        "uid": meta(obj)["uid"], "resourceVersion": meta(obj).get("resourceVersion", ""),
    }  # fmt: skip
    if path:
        involved["fieldPath"] = path
    digest = hashlib.sha256(f"{involved['uid']}{reason}{text}".encode()).hexdigest()[:16]
    name = f"{name_of(obj)}.{digest}"
    now = stamp()
    if store.get("events", namespace_of(obj), name) is not None:
        return
    store.put(
        "events",
        {
            "kind": "Event", "apiVersion": "v1",
            "metadata": {"name": name, "namespace": namespace_of(obj) or "default", "uid": store.uid(), "creationTimestamp": now},
            "involvedObject": involved, "reason": reason, "message": text, "source": {"component": source}, "firstTimestamp": now,
            "lastTimestamp": now, "count": 1, "type": "Normal", "eventTime": None, "reportingComponent": source, "reportingInstance": "",
        },
    )  # fmt: skip


def template_hash(template: Object) -> str:
    digest = zlib.crc32(json.dumps(template, sort_keys=True).encode())
    return "".join(ALPHABET[digest >> shift & 0xF] for shift in range(0, 32, 4)) + ALPHABET[digest % 27]


def owned(store: Store, key: str, obj: Object) -> list[Object]:
    uid = meta(obj)["uid"]
    return [
        one
        for one in store.all(key, namespace_of(obj))
        if any(r["uid"] == uid for r in meta(one).get("ownerReferences") or ())
    ]


def pods_of(store: Store, obj: Object) -> list[Object]:
    return [one for one in owned(store, "pods", obj) if not meta(one).get("deletionTimestamp")]


def ready_of(pods: list[Object]) -> int:
    return sum(
        any(one["type"] == "Ready" and one["status"] == "True" for one in dig(pod, "status", "conditions", default=[]))
        for pod in pods
    )


def is_gone(obj: Object) -> bool:
    return bool(meta(obj).get("deletionTimestamp"))


def write_status(store: Store, key: str, obj: Object, status: Object) -> None:
    """Write the status when it is another, leaving out what is zero as the API does."""
    found = {name: value for name, value in status.items() if value or name in ("observedGeneration", "replicas")}
    if obj.get("status") != found:
        store.put(key, {**obj, "status": found})


def adopt(store: Store, key: str, obj: Object, kind: str, selector: Object | None) -> None:
    """Pods without a controller that the selector takes become ours."""
    for pod in store.all("pods", namespace_of(obj)):
        if (
            meta(pod).get("ownerReferences")
            or meta(pod).get("deletionTimestamp")
            or not selector
            or not matches(selector, labels(pod))
        ):
            continue
        fresh = copy.deepcopy(pod)
        meta(fresh)["ownerReferences"] = [owner(obj, obj["apiVersion"], kind)]
        store.put("pods", fresh)

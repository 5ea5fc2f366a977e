"""Deployments: a ReplicaSet for every template there was, the current one scaled up and the others down, revisions counted.

Knows the store; pods are the ReplicaSets' business.
"""

from __future__ import annotations

import copy

from hooptui.demo.cluster.objects import Object, dig, labels, matches, meta, name_of, namespace_of, stamp
from hooptui.demo.cluster.owning import (
    MANAGER,
    is_gone,
    make,
    note,
    owned,
    owner,
    pods_of,
    ready_of,
    template_hash,
    write_status,
)
from hooptui.demo.cluster.store import Store

REVISION = "deployment.kubernetes.io/revision"
HASH = "pod-template-hash"


def reconcile(store: Store, obj: Object) -> None:
    if is_gone(obj):
        return
    key, spec = "replicasets.apps", obj["spec"]
    sets = owned(store, key, obj)
    for one in store.all(key, namespace_of(obj)):
        if not meta(one).get("ownerReferences") and matches(spec["selector"], labels(one)):
            fresh = copy.deepcopy(one)
            meta(fresh)["ownerReferences"] = [owner(obj, "apps/v1", "Deployment")]
            sets.append(store.put(key, fresh))
    current = next((one for one in sets if _template(one) == spec["template"]), None)
    newest = max((int(dig(one, "metadata", "annotations", REVISION, default=0)) for one in sets), default=0)
    if current is None and not spec.get("paused"):
        current = _new_set(store, obj, newest + 1)
        sets.append(current)
    if current is None:
        return
    revision = int(dig(current, "metadata", "annotations", REVISION, default=0))
    notes = {
        k: v
        for k, v in (meta(obj).get("annotations") or {}).items()
        if k not in (REVISION, "kubectl.kubernetes.io/last-applied-configuration")
    }
    wanted = revision if revision == newest or len(sets) == 1 else newest + 1
    marks = {
        **(meta(current).get("annotations") or {}), **notes, REVISION: str(max(wanted, 1)),
        "deployment.kubernetes.io/desired-replicas": str(spec["replicas"]), "deployment.kubernetes.io/max-replicas": str(_surge(spec)),
    }  # fmt: skip
    for one in sets:
        replicas = spec["replicas"] if one is current else 0
        if one["spec"]["replicas"] != replicas or (one is current and meta(one).get("annotations") != marks):
            fresh = copy.deepcopy(one)
            if one["spec"]["replicas"] != replicas:
                how = "up" if replicas > one["spec"]["replicas"] else "down"
                text = f"Scaled {how} replica set {name_of(one)} from {one['spec']['replicas']} to {replicas}"
                note(store, obj, "ScalingReplicaSet", text, "deployment-controller")
                fresh["spec"]["replicas"] = replicas
                meta(fresh)["generation"] = meta(fresh).get("generation", 1) + 1
            if one is current:
                meta(fresh)["annotations"] = marks
            store.put(key, fresh)
    if dig(obj, "metadata", "annotations", REVISION) != marks[REVISION]:
        fresh = copy.deepcopy(obj)
        meta(fresh).setdefault("annotations", {})[REVISION] = marks[REVISION]
        obj = store.put("deployments.apps", fresh)
    _prune(store, obj, sets, current)
    pods = [pod for one in sets for pod in pods_of(store, one)]
    new = pods_of(store, current)
    ready = ready_of(pods)
    enough = ready >= spec["replicas"]
    before = {one["type"]: one for one in dig(obj, "status", "conditions", default=[])}
    conditions = [
        _condition(before, "Available", enough, *(("MinimumReplicasAvailable", "Deployment has minimum availability.") if enough else ("MinimumReplicasUnavailable", "Deployment does not have minimum availability."))),
        _condition(before, "Progressing", True, *(
            ("DeploymentPaused", "Deployment is paused") if spec.get("paused") else
            ("NewReplicaSetAvailable", f'ReplicaSet "{name_of(current)}" has successfully progressed.') if enough
            else ("ReplicaSetUpdated", f'ReplicaSet "{name_of(current)}" is progressing.')
        )),
    ]  # fmt: skip
    write_status(
        store, "deployments.apps", obj,
        {
            "observedGeneration": meta(obj).get("generation", 1), "replicas": len(pods), "updatedReplicas": len(new), "readyReplicas": ready,
            "availableReplicas": ready, "unavailableReplicas": max(0, spec["replicas"] - ready), "conditions": conditions,
        },
    )  # fmt: skip


def _surge(spec: Object) -> int:
    most = dig(spec, "strategy", "rollingUpdate", "maxSurge", default=0)
    share = -(-spec["replicas"] * int(most[:-1]) // 100) if isinstance(most, str) else most
    return int(spec["replicas"] + share)


def _condition(before: Object, kind: str, holds: bool, reason: str, message: str) -> Object:
    old, status, now = before.get(kind), "True" if holds else "False", stamp()
    if old is not None and (old["status"], old["reason"], old["message"]) == (status, reason, message):
        return dict(old)
    moved = old["lastTransitionTime"] if old is not None and old["status"] == status else now
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastUpdateTime": now,
        "lastTransitionTime": moved,
    }


def _template(one: Object) -> Object:
    """A ReplicaSet's template as its Deployment has it."""
    template = copy.deepcopy(one["spec"]["template"])
    dig(template, "metadata", "labels", default={}).pop(HASH, None)
    return template  # type: ignore[no-any-return]


def _new_set(store: Store, obj: Object, revision: int) -> Object:
    spec = obj["spec"]
    mark = template_hash(spec["template"])
    template = copy.deepcopy(spec["template"])
    meta(template).setdefault("labels", {})[HASH] = mark
    selector = copy.deepcopy(spec["selector"])
    selector.setdefault("matchLabels", {})[HASH] = mark
    return make(
        store, "replicasets.apps",
        {
            "kind": "ReplicaSet", "apiVersion": "apps/v1",
            "metadata": {
                "name": f"{name_of(obj)}-{mark}", "namespace": namespace_of(obj), "labels": dict(labels(template)),
                "annotations": {REVISION: str(revision)}, "ownerReferences": [owner(obj, "apps/v1", "Deployment")],
            },
            "spec": {"replicas": 0, "selector": selector, "template": template},
        },
        MANAGER,
    )  # fmt: skip


def _prune(store: Store, obj: Object, sets: list[Object], current: Object) -> None:
    old = [one for one in sets if one is not current and one["spec"]["replicas"] == 0 and not pods_of(store, one)]
    old.sort(key=lambda one: int(dig(one, "metadata", "annotations", REVISION, default=0)))
    for one in old[: max(0, len(old) - obj["spec"].get("revisionHistoryLimit", 10))]:
        store.remove("replicasets.apps", namespace_of(one), name_of(one))

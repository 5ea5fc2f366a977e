"""ReplicaSets, StatefulSets, DaemonSets, Jobs and autoscalers: the pods they want, and what they say of them.

Knows the store; a pod that it makes is scheduled and started elsewhere.
"""

from __future__ import annotations

import copy

from hooptui.demo.cluster import deployments
from hooptui.demo.cluster.objects import Object, dig, labels, matches, meta, name_of, namespace_of, stamp
from hooptui.demo.cluster.owning import (
    MANAGER,
    adopt,
    is_gone,
    make,
    note,
    owner,
    pods_of,
    ready_of,
    template_hash,
    write_status,
)
from hooptui.demo.cluster.store import Store


def round_of(store: Store) -> None:
    """One step of all of them."""
    for obj in store.all("deployments.apps"):
        deployments.reconcile(store, obj)
    for key in ("replicasets.apps", "replicationcontrollers"):
        for obj in store.all(key):
            _replicas(store, key, obj)
    for obj in store.all("statefulsets.apps"):
        _stateful(store, obj)
    for obj in store.all("daemonsets.apps"):
        _daemon(store, obj)
    for obj in store.all("jobs.batch"):
        _job(store, obj)
    for obj in store.all("horizontalpodautoscalers.autoscaling"):
        _autoscaler(store, obj)


def _pod_of(obj: Object, api_version: str, kind: str, template: Object, name: Object) -> Object:
    metadata = copy.deepcopy(meta(template))
    metadata.pop("creationTimestamp", None)
    return {
        "kind": "Pod", "apiVersion": "v1",
        "metadata": {**metadata, **name, "namespace": namespace_of(obj), "ownerReferences": [owner(obj, api_version, kind)]},
        "spec": copy.deepcopy(template["spec"]),
    }  # fmt: skip


def _replicas(store: Store, key: str, obj: Object) -> None:
    if is_gone(obj):
        return
    spec = obj["spec"]
    adopt(store, key, obj, obj["kind"], spec.get("selector"))
    pods = pods_of(store, obj)
    alive = [one for one in pods if dig(one, "status", "phase") not in ("Failed", "Succeeded")]
    for _ in range(spec["replicas"] - len(alive)):
        pod = make(
            store,
            "pods",
            _pod_of(obj, obj["apiVersion"], obj["kind"], spec["template"], {"generateName": f"{name_of(obj)}-"}),
            MANAGER,
        )
        note(store, obj, "SuccessfulCreate", f"Created pod: {name_of(pod)}", "replicaset-controller")
        alive.append(pod)
    for pod in sorted(alive, key=lambda one: int(meta(one)["resourceVersion"]))[spec["replicas"] :]:
        _end(store, pod)
        note(store, obj, "SuccessfulDelete", f"Deleted pod: {name_of(pod)}", "replicaset-controller")
    alive = alive[: spec["replicas"]]
    ready = ready_of(alive)
    count = len(alive)
    write_status(
        store, key, obj,
        {
            "replicas": count, "fullyLabeledReplicas": count, "readyReplicas": ready, "availableReplicas": ready,
            "observedGeneration": meta(obj).get("generation", 1),
        },
    )  # fmt: skip


def _end(store: Store, pod: Object) -> None:
    fresh = copy.deepcopy(pod)
    meta(fresh).update({"deletionTimestamp": stamp(), "deletionGracePeriodSeconds": 30})
    store.put("pods", fresh)


def _stateful(store: Store, obj: Object) -> None:
    if is_gone(obj):
        return
    spec = obj["spec"]
    mark = f"{name_of(obj)}-{template_hash(spec['template'])}"
    found = {name_of(pod): pod for pod in pods_of(store, obj)}
    wanted = [f"{name_of(obj)}-{number}" for number in range(spec["replicas"])]
    for name, pod in found.items():
        if name not in wanted or labels(pod).get("controller-revision-hash") != mark:
            _end(store, pod)
    for number, name in enumerate(wanted):
        if store.get("pods", namespace_of(obj), name) is not None:
            continue
        for claim in spec.get("volumeClaimTemplates") or ():
            own = f"{name_of(claim)}-{name}"
            if store.get("persistentvolumeclaims", namespace_of(obj), own) is None:
                make(
                    store, "persistentvolumeclaims",
                    {
                        "kind": "PersistentVolumeClaim", "apiVersion": "v1", "spec": copy.deepcopy(claim["spec"]),
                        "metadata": {"name": own, "namespace": namespace_of(obj), "labels": dict(dig(spec, "selector", "matchLabels", default={}))},
                    },
                    MANAGER,
                )  # fmt: skip
        pod = _pod_of(obj, "apps/v1", "StatefulSet", spec["template"], {"name": name})
        meta(pod).setdefault("labels", {}).update(
            {
                "statefulset.kubernetes.io/pod-name": name, "controller-revision-hash": mark, "apps.kubernetes.io/pod-index": str(number),
            }
        )  # fmt: skip
        pod["spec"] |= {"hostname": name, "subdomain": spec.get("serviceName", "")}
        for claim in spec.get("volumeClaimTemplates") or ():
            pod["spec"].setdefault("volumes", []).append(
                {"name": name_of(claim), "persistentVolumeClaim": {"claimName": f"{name_of(claim)}-{name}"}}
            )
        make(store, "pods", pod, MANAGER)
    pods = pods_of(store, obj)
    ready = ready_of(pods)
    write_status(
        store, "statefulsets.apps", obj,
        {
            "observedGeneration": meta(obj).get("generation", 1), "replicas": len(pods), "readyReplicas": ready, "availableReplicas": ready,
            "currentReplicas": len(pods), "updatedReplicas": len(pods), "currentRevision": mark, "updateRevision": mark, "collisionCount": 0,
        },
    )  # fmt: skip


def _daemon(store: Store, obj: Object) -> None:
    if is_gone(obj):
        return
    template = obj["spec"]["template"]
    pods = {dig(pod, "spec", "nodeName"): pod for pod in pods_of(store, obj)}
    nodes = [
        name_of(node)
        for node in store.all("nodes")
        if matches(dig(template, "spec", "nodeSelector", default={}), labels(node))
    ]
    for node in nodes:
        if node not in pods:
            pod = _pod_of(obj, "apps/v1", "DaemonSet", template, {"generateName": f"{name_of(obj)}-"})
            pod["spec"]["nodeName"] = node
            make(store, "pods", pod, MANAGER)
    for node, pod in pods.items():
        if node not in nodes:
            _end(store, pod)
    alive = pods_of(store, obj)
    ready, count = ready_of(alive), len(alive)
    found = {
        "currentNumberScheduled": count, "numberMisscheduled": 0, "desiredNumberScheduled": len(nodes), "numberReady": ready,
        "observedGeneration": meta(obj).get("generation", 1), "updatedNumberScheduled": count, "numberAvailable": ready,
    }  # fmt: skip
    if obj.get("status") != found:
        store.put("daemonsets.apps", {**obj, "status": found})


def _job(store: Store, obj: Object) -> None:
    spec, status = obj["spec"], obj.get("status") or {}
    if (
        is_gone(obj)
        or spec.get("suspend")
        or any(one["type"] in ("Complete", "Failed") for one in status.get("conditions", ()))
    ):
        return
    pods = pods_of(store, obj)
    succeeded = sum(dig(pod, "status", "phase") == "Succeeded" for pod in pods)
    failed = sum(dig(pod, "status", "phase") == "Failed" for pod in pods)
    active = len(pods) - succeeded - failed
    done = succeeded >= spec["completions"]
    dead = failed > spec["backoffLimit"]
    if not done and not dead:
        for _ in range(min(spec["parallelism"], spec["completions"] - succeeded) - active):
            pod = make(
                store,
                "pods",
                _pod_of(obj, "batch/v1", "Job", spec["template"], {"generateName": f"{name_of(obj)}-"}),
                "kube-controller-manager",
            )
            note(store, obj, "SuccessfulCreate", f"Created pod: {name_of(pod)}", "job-controller")
            active += 1
    now = stamp()
    fresh: Object = {
        "startTime": status.get("startTime", now), "active": active, "succeeded": succeeded, "failed": failed, "ready": active,
        "terminating": 0, "uncountedTerminatedPods": {},
    }  # fmt: skip
    if done or dead:
        kind, reason, text = (
            ("Complete", "CompletionsReached", "Reached expected number of succeeded pods") if done
            else ("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
        )  # fmt: skip
        fresh["conditions"] = [
            {
                "type": one,
                "status": "True",
                "reason": reason,
                "message": text,
                "lastProbeTime": now,
                "lastTransitionTime": now,
            }
            for one in (("SuccessCriteriaMet", "Complete") if done else ("FailureTarget", kind))
        ]
        fresh |= {"active": 0, "ready": 0}
        if done:
            fresh["completionTime"] = now
    fresh = {
        name: value
        for name, value in fresh.items()
        if value or name in ("ready", "terminating", "uncountedTerminatedPods")
    }
    if status != fresh:
        store.put("jobs.batch", {**obj, "status": fresh})


def _autoscaler(store: Store, obj: Object) -> None:
    wanted = obj["spec"]["scaleTargetRef"]
    target = store.get(f"{wanted['kind'].lower()}s.apps", namespace_of(obj), wanted["name"])
    found = {
        "currentReplicas": dig(target, "status", "replicas", default=0),
        "desiredReplicas": dig(target, "spec", "replicas", default=0),
    }
    if any(dig(obj, "status", name, default=0) != value for name, value in found.items()):
        store.put("horizontalpodautoscalers.autoscaling", {**obj, "status": {**(obj.get("status") or {}), **found}})

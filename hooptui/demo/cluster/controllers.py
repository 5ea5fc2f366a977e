"""The controllers: what one write leads to. Namespaces, Deployments and their kin, Jobs, Services, budgets, garbage.

Run to rest after every write (`settle`), so that nothing has to be waited for. Knows the store and the kubelet.
"""

from __future__ import annotations

import copy
import hashlib

from hooptui.demo.cluster import owning, workloads
from hooptui.demo.cluster.kinds import Kinds
from hooptui.demo.cluster.kubelet import Kubelet
from hooptui.demo.cluster.objects import Object, dig, labels, matches, meta, name_of, namespace_of, stamp
from hooptui.demo.cluster.store import Expired, Store

ROUNDS = 60
"""Rounds after which controllers that do not come to rest are a defect of theirs."""
INERT = {"configmaps", "secrets", "events", "leases.coordination.k8s.io"}
"""Nothing follows from writing these, unless they are deleted."""


class Controllers:
    """See the module."""

    def __init__(self, store: Store, kinds: Kinds, ca: str) -> None:
        self.store = store
        self.kinds = kinds
        self.kubelet: Kubelet | None = None
        self._ca = ca
        self._seen = store.version
        self._busy = False

    def settle(self) -> None:
        """Do what the writes since the last time lead to."""
        if self._busy or not self._relevant():
            return
        self._busy = True
        try:
            for _ in range(ROUNDS):
                before = self.store.version
                self._round()
                if self.store.version == before:
                    return
            raise RuntimeError("the controllers do not come to rest")
        finally:
            self._busy = False
            self._seen = self.store.version

    def _relevant(self) -> bool:
        try:
            changes = [change for key in INERT for change in self.store.since(self._seen, key)]
        except Expired:
            return True
        inert = sum(change.type != "DELETED" for change in changes)
        if inert == self.store.version - self._seen:
            self._seen = self.store.version
            return False
        return True

    def _round(self) -> None:
        store = self.store
        for obj in store.all("namespaces"):
            self._namespace(obj)
        self._garbage()
        for obj in store.all("customresourcedefinitions.apiextensions.k8s.io"):
            self._definition(obj)
        workloads.round_of(store)
        for pod in store.all("pods"):
            self._schedule(pod)
        for pod in store.all("pods"):
            if self.kubelet is not None:
                self.kubelet.tend(pod)
        for obj in store.all("services"):
            self._endpoints(obj)
        for obj in store.all("persistentvolumeclaims"):
            self._bind(obj)
        for obj in store.all("poddisruptionbudgets.policy"):
            self._budget(obj)

    # --- namespaces and definitions

    def _namespace(self, obj: Object) -> None:
        store, name = self.store, name_of(obj)
        if meta(obj).get("deletionTimestamp"):
            for key, one in store.everything():
                if namespace_of(one) == name:
                    if key == "pods" and self.kubelet is not None:
                        self.kubelet.forget(one)
                    store.remove(key, name, name_of(one))
            store.remove("namespaces", "", name)
            return
        if store.get("serviceaccounts", name, "default") is None:
            self._make(
                "serviceaccounts",
                {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}},
            )
        if store.get("configmaps", name, "kube-root-ca.crt") is None:
            self._make(
                "configmaps",
                {
                    "apiVersion": "v1", "kind": "ConfigMap", "data": {"ca.crt": self._ca},
                    "metadata": {"name": "kube-root-ca.crt", "namespace": name},
                },
            )  # fmt: skip

    def _definition(self, obj: Object) -> None:
        if dig(obj, "status", "conditions"):
            return
        fresh = copy.deepcopy(obj)
        names = {**fresh["spec"]["names"]}
        names.setdefault("listKind", f"{names['kind']}List")
        names.setdefault("singular", names["kind"].lower())
        fresh["spec"]["names"] = names
        fresh["status"] = {
            "acceptedNames": names, "storedVersions": [one["name"] for one in fresh["spec"]["versions"] if one["storage"]],
            "conditions": [
                {"type": kind, "status": "True", "reason": reason, "message": text, "lastTransitionTime": stamp()}
                for kind, reason, text in (
                    ("NamesAccepted", "NoConflicts", "no conflicts found"),
                    ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
                )
            ],
        }  # fmt: skip
        self.store.put("customresourcedefinitions.apiextensions.k8s.io", fresh)

    def _make(self, key: str, obj: Object) -> None:
        owning.make(self.store, key, obj, "kube-controller-manager")

    # --- garbage

    def _garbage(self) -> None:
        """What nobody owns any more goes; what waits for its dependents, or lets go of them, goes after that."""
        store = self.store
        alive = {meta(obj)["uid"] for _, obj in store.everything()}
        for key, obj in store.everything():
            owners = meta(obj).get("ownerReferences") or ()
            if owners and not any(one["uid"] in alive for one in owners):
                self._drop(key, obj)
        for key, obj in store.everything():
            finalizers = meta(obj).get("finalizers") or ()
            if not meta(obj).get("deletionTimestamp") or key == "namespaces":
                continue
            if "orphan" in finalizers:
                self._let_go(meta(obj)["uid"])
                self._finalized(key, obj, "orphan")
            elif "foregroundDeletion" in finalizers:
                below = [
                    (k, one)
                    for k, one in store.everything()
                    if any(r["uid"] == meta(obj)["uid"] for r in meta(one).get("ownerReferences") or ())
                ]
                for other, one in below:
                    self._drop(other, one)
                if not below:
                    self._finalized(key, obj, "foregroundDeletion")
            elif not finalizers and key != "pods":
                store.remove(key, namespace_of(obj), name_of(obj))

    def _drop(self, key: str, obj: Object) -> None:
        if meta(obj).get("finalizers"):
            if not meta(obj).get("deletionTimestamp"):
                fresh = copy.deepcopy(obj)
                meta(fresh).update({"deletionTimestamp": stamp(), "deletionGracePeriodSeconds": 0})
                self.store.put(key, fresh)
            return
        if key == "pods" and self.kubelet is not None:
            self.kubelet.forget(obj)
        self.store.remove(key, namespace_of(obj), name_of(obj))

    def _let_go(self, uid: str) -> None:
        for key, obj in self.store.everything():
            owners = meta(obj).get("ownerReferences") or ()
            if any(one["uid"] == uid for one in owners):
                fresh = copy.deepcopy(obj)
                meta(fresh)["ownerReferences"] = [one for one in owners if one["uid"] != uid]
                if not meta(fresh)["ownerReferences"]:
                    del meta(fresh)["ownerReferences"]
                self.store.put(key, fresh)

    def _finalized(self, key: str, obj: Object, finalizer: str) -> None:
        fresh = copy.deepcopy(obj)
        left = [one for one in meta(fresh)["finalizers"] if one != finalizer]
        meta(fresh)["finalizers"] = left
        if not left:
            del meta(fresh)["finalizers"]
        self.store.put(key, fresh)

    # --- pods, services, claims, budgets

    def _schedule(self, pod: Object) -> None:
        if dig(pod, "spec", "nodeName") or meta(pod).get("deletionTimestamp"):
            return
        wanted = dig(pod, "spec", "nodeSelector", default={})
        nodes = [
            one
            for one in self.store.all("nodes")
            if not dig(one, "spec", "unschedulable") and matches(wanted, labels(one)) and tolerated(pod, one)
        ]
        fresh = copy.deepcopy(pod)
        if not nodes:
            condition = {
                "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "lastProbeTime": None,
                "lastTransitionTime": dig(pod, "status", "conditions", 0, "lastTransitionTime", default=stamp()),
                "message": f"0/{len(self.store.all('nodes'))} nodes are available",
            }  # fmt: skip
            fresh["status"] = {**fresh.get("status", {}), "conditions": [condition]}
        else:
            load = {name_of(node): 0 for node in nodes}
            for one in self.store.all("pods"):
                if dig(one, "spec", "nodeName") in load:
                    load[one["spec"]["nodeName"]] += 1
            node = min(load, key=lambda name: (load[name], name))
            fresh["spec"]["nodeName"] = node
            owning.note(
                self.store,
                fresh,
                "Scheduled",
                f"Successfully assigned {namespace_of(pod)}/{name_of(pod)} to {node}",
                "default-scheduler",
            )
            for reason, text in (
                ("Pulled", 'Container image "{}" already present on machine'), ("Created", "Created container: {}"), ("Started", "Started container {}"),
            ):  # fmt: skip
                for one in fresh["spec"]["containers"]:
                    shown = text.format(one["image"] if reason == "Pulled" else one["name"])
                    owning.note(self.store, fresh, reason, shown, "kubelet", f"spec.containers{{{one['name']}}}")
        self.store.put("pods", fresh)

    def _endpoints(self, obj: Object) -> None:
        selector = dig(obj, "spec", "selector")
        if not selector:
            return
        ready = [
            one
            for one in self.store.all("pods", namespace_of(obj))
            if matches(selector, labels(one))
            and dig(one, "status", "podIP")
            and dig(one, "status", "phase") == "Running"
        ]
        addresses: list[Object] = [
            {
                "ip": one["status"]["podIP"], "nodeName": one["spec"]["nodeName"],
                "targetRef": {"kind": "Pod", "namespace": namespace_of(one), "name": name_of(one), "uid": meta(one)["uid"]},
            }
            for one in ready
        ]  # fmt: skip
        ports: list[Object] = [
            {
                key: value
                for key, value in (
                    ("name", port.get("name")),
                    ("port", _port(port, ready)),
                    ("protocol", port["protocol"]),
                )
                if value
            }
            for port in dig(obj, "spec", "ports", default=[])
        ]
        found = self.store.get("endpoints", namespace_of(obj), name_of(obj))
        metadata: Object = {"name": name_of(obj), "namespace": namespace_of(obj), "labels": dict(labels(obj))}
        fresh: Object = (
            copy.deepcopy(found) if found else {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata}
        )
        fresh.pop("subsets", None)
        if addresses:
            fresh["subsets"] = [{"addresses": addresses, "ports": ports}]
        if found is None:
            self._make("endpoints", fresh)
        else:
            self.store.put("endpoints", fresh)
        slices: Object = {
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "ports": ports,
            "metadata": {
                "name": f"{name_of(obj)}-{hashlib.sha256(name_of(obj).encode()).hexdigest()[:5]}", "namespace": namespace_of(obj),
                "labels": {"kubernetes.io/service-name": name_of(obj), "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"},
                "ownerReferences": [owning.owner(obj, "v1", "Service")],
            },
            "endpoints": [
                {"addresses": [one["ip"]], "conditions": {"ready": True, "serving": True, "terminating": False}, "nodeName": one["nodeName"], "targetRef": one["targetRef"]}
                for one in addresses
            ],
        }  # fmt: skip
        key = "endpointslices.discovery.k8s.io"
        old = self.store.get(key, namespace_of(obj), name_of(slices))
        if old is None:
            self._make(key, slices)
        else:
            self.store.put(key, {**old, "endpoints": slices["endpoints"], "ports": ports})

    def _bind(self, obj: Object) -> None:
        if dig(obj, "status", "phase") == "Bound":
            return
        fresh = copy.deepcopy(obj)
        volume = f"pvc-{meta(obj)['uid']}"
        storage = dig(obj, "spec", "resources", "requests", "storage", default="1Gi")
        fresh["spec"]["volumeName"] = volume
        fresh["status"] = {
            "phase": "Bound",
            "accessModes": fresh["spec"].get("accessModes", []),
            "capacity": {"storage": storage},
        }
        self._make(
            "persistentvolumes",
            {
                "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": volume}, "status": {"phase": "Bound"},
                "spec": {
                    "capacity": {"storage": storage}, "accessModes": fresh["spec"].get("accessModes", []), "volumeMode": "Filesystem",
                    "persistentVolumeReclaimPolicy": "Delete", "storageClassName": fresh["spec"].get("storageClassName", ""),
                    "claimRef": {"kind": "PersistentVolumeClaim", "apiVersion": "v1", "namespace": namespace_of(obj), "name": name_of(obj), "uid": meta(obj)["uid"]},
                    "hostPath": {"path": f"/srv/{volume}"},
                },
            },
        )  # fmt: skip
        self.store.put("persistentvolumeclaims", fresh)

    def _budget(self, obj: Object) -> None:
        pods = [
            one
            for one in self.store.all("pods", namespace_of(obj))
            if matches(dig(obj, "spec", "selector"), labels(one))
        ]
        healthy = sum(dig(one, "status", "phase") == "Running" for one in pods)
        least, most = dig(obj, "spec", "minAvailable"), dig(obj, "spec", "maxUnavailable")
        wanted = _share(least, len(pods)) if least is not None else len(pods) - _share(most, len(pods))
        status = {
            "currentHealthy": healthy, "desiredHealthy": wanted, "expectedPods": len(pods),
            "disruptionsAllowed": max(0, healthy - wanted), "observedGeneration": meta(obj).get("generation", 1),
        }  # fmt: skip
        if dig(obj, "status") != status:
            self.store.put("poddisruptionbudgets.policy", {**obj, "status": status})


def tolerated(pod: Object, node: Object) -> bool:
    """Does the pod tolerate every taint that keeps pods away?"""
    for taint in dig(node, "spec", "taints", default=[]):
        if taint["effect"] in ("NoSchedule", "NoExecute") and not any(
            (one.get("key") in (None, taint["key"]))
            and one.get("effect") in (None, "", taint["effect"])
            and (one.get("operator") == "Exists" or one.get("value", "") == taint.get("value", ""))
            for one in dig(pod, "spec", "tolerations", default=[])
        ):
            return False
    return True


def _port(port: Object, pods: list[Object]) -> int:
    wanted = port.get("targetPort", port["port"])
    if isinstance(wanted, int):
        return wanted
    for pod in pods:
        for container in pod["spec"]["containers"]:
            for one in container.get("ports") or ():
                if one.get("name") == wanted:
                    return int(one["containerPort"])
    return int(port["port"])


def _share(value: object, of: int) -> int:
    text = str(value)
    return -(-of * int(text[:-1]) // 100) if text.endswith("%") else int(text)

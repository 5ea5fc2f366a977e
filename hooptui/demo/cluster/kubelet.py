"""What a kubelet does: starts a pod's containers, says how they are, ends them. One stands for all nodes.

Knows the store and the containers; knows no request. A container without a command idles, with a few lines in its log.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import zlib
from collections.abc import Callable

from hooptui.demo.cluster.machine.container import Container, Log
from hooptui.demo.cluster.objects import Object, dig, meta, name_of, namespace_of, stamp
from hooptui.demo.cluster.store import Store

VERSION = "v1.33.4"
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - where it lies


class Kubelet:
    """See the module. `changed` is called when a pod's status changes by itself."""

    def __init__(self, store: Store, changed: Callable[[], None], token: Callable[[Object], str]) -> None:
        self._store = store
        self._changed = changed
        self._token = token
        self._containers: dict[tuple[str, str], Container] = {}
        """By the pod's uid and the container's name."""
        self._tasks: set[asyncio.Task[None]] = set()

    def container(self, pod: Object, name: str) -> Container | None:
        return self._containers.get((meta(pod)["uid"], name))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- pods

    def tend(self, pod: Object) -> None:
        """Start a scheduled pod, start what was added to a running one, end a deleted one."""
        if meta(pod).get("deletionTimestamp"):
            self._end(pod)
            return
        if not dig(pod, "spec", "nodeName"):
            return
        if dig(pod, "status", "phase") == "Pending":
            self._start(pod)
        elif dig(pod, "status", "phase") == "Running":
            self._add(pod)

    def forget(self, pod: Object) -> None:
        """The pod is gone from the store."""
        for key in [key for key in self._containers if key[0] == meta(pod)["uid"]]:
            self._containers.pop(key).stop()

    def _start(self, pod: Object) -> None:
        obj = copy.deepcopy(pod)
        now = stamp()
        digest = zlib.crc32(meta(obj)["uid"].encode())
        ip = f"10.244.{digest >> 8 & 255}.{digest & 255 or 1}"
        node = self._store.get("nodes", "", obj["spec"]["nodeName"])
        addresses = dig(node, "status", "addresses", default=[])
        host = next((one["address"] for one in addresses if one["type"] == "InternalIP"), "10.0.0.1")
        statuses = [self._launch(obj, one, now) for one in obj["spec"]["containers"]]
        obj["status"] = {
            **obj.get("status", {}), "phase": "Running", "startTime": now, "podIP": ip, "podIPs": [{"ip": ip}], "hostIP": host,
            "hostIPs": [{"ip": host}], "containerStatuses": statuses,
            "conditions": [
                {"type": kind, "status": "True", "lastProbeTime": None, "lastTransitionTime": now}
                for kind in ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
            ],
        }  # fmt: skip
        if obj["spec"].get("initContainers"):
            obj["status"]["initContainerStatuses"] = [
                {
                    **self._status(one, now),
                    "ready": True,
                    "started": False,
                    "state": {
                        "terminated": {
                            "exitCode": 0,
                            "reason": "Completed",
                            "startedAt": now,
                            "finishedAt": now,
                            "containerID": "",
                        }
                    },
                }
                for one in obj["spec"]["initContainers"]
            ]
        self._store.put("pods", obj)

    def _add(self, pod: Object) -> None:
        """Ephemeral containers."""
        new = [
            one
            for one in dig(pod, "spec", "ephemeralContainers", default=[])
            if (meta(pod)["uid"], one["name"]) not in self._containers
        ]
        if new:
            obj = copy.deepcopy(pod)
            statuses = obj["status"].setdefault("ephemeralContainerStatuses", [])
            statuses += [self._launch(obj, one, stamp()) for one in new]
            self._store.put("pods", obj)

    @staticmethod
    def _status(spec: Object, now: str) -> Object:
        digest = f"{zlib.crc32(spec['image'].encode()):08x}" * 8
        return {
            "name": spec["name"], "image": spec["image"], "imageID": f"{spec['image'].partition(':')[0]}@sha256:{digest}",
            "containerID": f"containerd://{digest[::-1]}", "ready": True, "started": True, "restartCount": 0, "lastState": {},
            "state": {"running": {"startedAt": now}},
        }  # fmt: skip

    def _launch(self, pod: Object, spec: Object, now: str) -> Object:
        command = [*spec.get("command", ()), *spec.get("args", ())]
        if not spec.get("command") and spec.get("args") and spec.get("stdin") is None:
            command = []
        container = Container(
            spec["name"], name_of(pod), spec["image"], command or (["sh"] if spec.get("stdin") else []), self._environment(pod, spec),
            stdin=bool(spec.get("stdin")), tty=bool(spec.get("tty")),
        )  # fmt: skip
        self._containers[meta(pod)["uid"], spec["name"]] = container
        self._mount(pod, spec, container)
        if container.command:
            task = asyncio.get_running_loop().create_task(
                self._main(pod, container), name=f"{name_of(pod)} {spec['name']}"
            )
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            container.say(f"{spec['image']}: starting as {name_of(pod)}")
            container.say("configuration read, listening on :8080")
        restarts = int(dig(pod, "metadata", "annotations", "demo/restarts", default=0))
        if restarts:
            container.previous = Log()
            container.previous.write(f"{spec['image']}: starting\npanic: out of memory\n".encode())
            container.previous.end()
        found = self._status(spec, now)
        if restarts:
            ended = {"exitCode": 137, "reason": "OOMKilled", "startedAt": now, "finishedAt": now, "containerID": ""}
            found |= {"restartCount": restarts, "lastState": {"terminated": ended}}
        return found

    async def _main(self, pod: Object, container: Container) -> None:
        began = stamp()
        code = await container.main()
        found = self._store.get("pods", namespace_of(pod), name_of(pod))
        if found is None or meta(found)["uid"] != meta(pod)["uid"]:
            return
        obj = copy.deepcopy(found)
        ended = {
            "exitCode": code, "reason": "Completed" if code == 0 else "Error", "startedAt": began, "finishedAt": stamp(),
            "containerID": "",
        }  # fmt: skip
        for one in (
            *dig(obj, "status", "containerStatuses", default=[]),
            *dig(obj, "status", "ephemeralContainerStatuses", default=[]),
        ):
            if one["name"] == container.name:
                one |= {"state": {"terminated": ended}, "ready": False, "started": False}
        statuses = dig(obj, "status", "containerStatuses", default=[])
        if all("terminated" in one["state"] for one in statuses) and dig(obj, "spec", "restartPolicy") != "Always":
            codes = [one["state"]["terminated"]["exitCode"] for one in statuses]
            obj["status"]["phase"] = "Failed" if any(codes) else "Succeeded"
        for one in obj["status"].get("conditions", ()):
            if one["type"] in ("Ready", "ContainersReady") and not all(status["ready"] for status in statuses):
                one |= {"status": "False", "reason": "PodCompleted"}
        self._store.put("pods", obj)
        self._changed()

    def _end(self, pod: Object) -> None:
        self.forget(pod)
        if not meta(pod).get("finalizers"):
            self._store.remove("pods", namespace_of(pod), name_of(pod))

    # --- what a container sees

    def _value(self, namespace: str, resource: str, reference: Object) -> str | None:
        found = self._store.get(resource, namespace, reference.get("name", ""))
        value: str | None = dig(found, "data", reference.get("key", ""))
        if value is not None and resource == "secrets":
            return base64.b64decode(value).decode(errors="replace")
        return value

    def _environment(self, pod: Object, spec: Object) -> dict[str, str]:
        namespace = namespace_of(pod)
        found: dict[str, str] = {}
        for one in spec.get("envFrom") or ():
            for resource, kind in (("secrets", "secretRef"), ("configmaps", "configMapRef")):
                held = self._store.get(resource, namespace, dig(one, kind, "name", default=""))
                for key in sorted(dig(held, "data", default={})):
                    value = self._value(namespace, resource, {"name": dig(one, kind, "name"), "key": key})
                    found[f"{one.get('prefix', '')}{key}"] = value or ""
        for one in spec.get("env") or ():
            value = one.get("value")
            source = one.get("valueFrom") or {}
            if "secretKeyRef" in source:
                value = self._value(namespace, "secrets", source["secretKeyRef"])
            elif "configMapKeyRef" in source:
                value = self._value(namespace, "configmaps", source["configMapKeyRef"])
            elif "fieldRef" in source:
                value = str(dig(pod, *source["fieldRef"]["fieldPath"].split("."), default=""))
            if value is not None:
                found[one["name"]] = value
        return {**found, "KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}

    def _mount(self, pod: Object, spec: Object, container: Container) -> None:
        volumes = {one["name"]: one for one in dig(pod, "spec", "volumes", default=[])}
        for mount in spec.get("volumeMounts") or ():
            volume = volumes.get(mount["name"], {})
            container.files.make(mount["mountPath"].rstrip("/"))
            for source, resource, label in (("secret", "secrets", "secretName"), ("configMap", "configmaps", "name")):
                name = dig(volume, source, label)
                held = self._store.get(resource, namespace_of(pod), name) if name else None
                for key in dig(held, "data", default={}):
                    text = self._value(namespace_of(pod), resource, {"name": name, "key": key}) or ""
                    container.files.plant(f"{mount['mountPath'].rstrip('/')}/{key}", text.encode())
        container.files.plant(f"{TOKEN}/token", self._token(pod).encode())
        container.files.plant(f"{TOKEN}/namespace", namespace_of(pod).encode())

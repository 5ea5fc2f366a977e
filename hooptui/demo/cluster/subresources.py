"""Subresources that are plain requests: scale, eviction, binding, token, log, approval, finalize.

Knows resources and pods; the streaming ones (exec and its kin) are elsewhere.
"""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

from hooptui.demo.cluster import bodies, patches
from hooptui.demo.cluster.call import Call, Reply
from hooptui.demo.cluster.kubelet import Kubelet
from hooptui.demo.cluster.machine.container import Container, Line
from hooptui.demo.cluster.objects import Object, dig, labels, matches, meta, name_of, stamp
from hooptui.demo.cluster.people import ISSUER, People
from hooptui.demo.cluster.problems import Problem, bad_request, conflict, not_found, too_many
from hooptui.demo.cluster.resources import Place, Resources

Change = Callable[[Object], Object]


def scale(resources: Resources, place: Place, call: Call) -> Object:
    """GET, PUT and PATCH of a Scale."""
    target = Place(place.kind, place.namespace, place.name)
    live = resources.get(target)
    if call.method == "GET":
        return _scale_of(live)
    how = bodies.options(call)
    if call.method == "PUT":
        wanted = bodies.parse(call, ("autoscaling/v1", "Scale"))
        given = meta(wanted).get("resourceVersion")
        if given and given != meta(live)["resourceVersion"]:
            raise conflict(place.kind, place.name)
    else:
        wanted = patches.apply(bodies.media_type(call), _scale_of(live), call.body, "autoscaling/v1.Scale")
    fresh = copy.deepcopy(live)
    fresh["spec"]["replicas"] = int(dig(wanted, "spec", "replicas", default=0))
    return _scale_of(resources.update(place, fresh, how))


def _scale_of(obj: Object) -> Object:
    metadata = {
        key: value
        for key, value in meta(obj).items()
        if key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    }
    selector = dig(obj, "spec", "selector", "matchLabels", default=dig(obj, "spec", "selector", default={}))
    return {
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": {"replicas": dig(obj, "spec", "replicas", default=0)},
        "status": {
            "replicas": dig(obj, "status", "replicas", default=0),
            "selector": ",".join(f"{key}={value}" for key, value in sorted(selector.items())),
        },
    }  # fmt: skip


def evict(resources: Resources, place: Place, call: Call) -> Object:
    """Delete a pod unless a disruption budget forbids it."""
    eviction = bodies.parse(call, ("policy/v1", "Eviction"))
    pod = resources.get(Place(place.kind, place.namespace, place.name))
    for budget in resources.store.all("poddisruptionbudgets.policy", place.namespace):
        if matches(dig(budget, "spec", "selector"), labels(pod)) and not dig(
            budget, "status", "disruptionsAllowed", default=0
        ):
            needs, has = (
                dig(budget, "status", "desiredHealthy", default=0),
                dig(budget, "status", "currentHealthy", default=0),
            )
            text = f"The disruption budget {name_of(budget)} needs {needs} healthy pods and has {has} currently"
            raise too_many(
                "Cannot evict pod as it would violate the pod's disruption budget.",
                [{"reason": "DisruptionBudget", "message": text}],
            )
    body = eviction.get("deleteOptions") or {}
    resources.delete(Place(place.kind, place.namespace, place.name), body, call)
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def bind(resources: Resources, place: Place, call: Call) -> Object:
    binding = bodies.parse(call, ("v1", "Binding"))
    store = resources.store
    found = store.get("pods", place.namespace, place.name)
    if found is None:
        raise not_found(place.kind, place.name)
    if dig(found, "spec", "nodeName"):
        raise conflict(
            place.kind, place.name, f'pod {place.name} is already assigned to node "{found["spec"]["nodeName"]}"'
        )
    fresh = copy.deepcopy(found)
    fresh["spec"]["nodeName"] = dig(binding, "target", "name", default="")
    store.put("pods", fresh)
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def token(resources: Resources, place: Place, call: Call, people: People) -> Object:
    """A TokenRequest (https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/)."""
    asked = bodies.parse(call, ("authentication.k8s.io/v1", "TokenRequest"))
    account = resources.get(Place(place.kind, place.namespace, place.name))
    spec = asked.get("spec") or {}
    lasts = int(spec.get("expirationSeconds") or 3600)
    if lasts < 600:
        raise Problem(
            422, "Invalid", f'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: {lasts}: may not specify a duration less than 10 minutes',
            {"group": "authentication.k8s.io", "kind": "TokenRequest"},
        )  # fmt: skip
    audiences = [str(one) for one in spec.get("audiences") or [ISSUER]]
    bound = spec.get("boundObjectRef")
    text, ends = people.service_token(
        place.namespace, place.name, meta(account)["uid"], lasts=lasts, audiences=audiences,
        pod={"name": bound.get("name", ""), "uid": bound.get("uid", "")} if bound and bound.get("kind") == "Pod" else None,
    )  # fmt: skip
    return {
        "kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": place.name, "namespace": place.namespace, "creationTimestamp": stamp()},
        "spec": {"audiences": audiences, "expirationSeconds": lasts, "boundObjectRef": bound},
        "status": {"token": text, "expirationTimestamp": stamp(ends)},
    }  # fmt: skip


# --- logs


def container_of(kubelet: Kubelet, pod: Object, wanted: str, what: str) -> Container:
    """The container that is asked for, or the only one.

    Raises:
        Problem: there is none of that name, or none is named and there are several (400).
    """
    names = [one["name"] for one in dig(pod, "spec", "containers", default=[])]
    names += [one["name"] for one in dig(pod, "spec", "ephemeralContainers", default=[])]
    if not wanted:
        plain = [one["name"] for one in dig(pod, "spec", "containers", default=[])]
        if len(plain) > 1:
            raise bad_request(
                f"a container name must be specified for pod {name_of(pod)}, choose one of: [{' '.join(plain)}]"
            )
        wanted = plain[0]
    if wanted not in names:
        raise bad_request(f"container {wanted} is not valid for pod {name_of(pod)}")
    found = kubelet.container(pod, wanted)
    if found is None:
        raise bad_request(f'container "{wanted}" in pod "{name_of(pod)}" is waiting to start: ContainerCreating')
    return found


def log(resources: Resources, place: Place, call: Call, kubelet: Kubelet) -> Reply:
    """`kubectl logs`, once or followed."""
    pod = resources.get(Place(place.kind, place.namespace, place.name))
    container = container_of(kubelet, pod, call.asked("container"), "logs")
    if call.flag("previous") and container.previous is None:
        raise bad_request(f'previous terminated container "{container.name}" in pod "{place.name}" not found')
    source = container.previous if call.flag("previous") and container.previous is not None else container.log
    lines = _chosen(source.lines(), call)
    stamps = call.flag("timestamps")
    limit = int(call.asked("limitBytes") or 0)

    def shown(line: Line) -> bytes:
        return (line.when.strftime("%Y-%m-%dT%H:%M:%S.%f000Z ").encode() if stamps else b"") + line.text

    if not call.flag("follow"):
        content = b"".join(shown(line) for line in lines)
        return Reply(200, content[:limit] if limit else content, "text/plain")
    after = lines[-1].number if lines else max((one.number for one in source.lines()), default=0)

    async def followed() -> AsyncIterator[bytes]:
        for line in lines:
            yield shown(line)
        async for line in source.follow(after):
            yield shown(line)

    return Reply(200, followed(), "text/plain")


def _chosen(lines: list[Line], call: Call) -> list[Line]:
    since = 0.0
    if call.asked("sinceSeconds"):
        since = datetime.now(UTC).timestamp() - float(call.asked("sinceSeconds"))
    if call.asked("sinceTime"):
        since = datetime.fromisoformat(call.asked("sinceTime").replace("Z", "+00:00")).timestamp()
    found = [line for line in lines if line.when.timestamp() >= since]
    tail = call.asked("tailLines")
    if tail:
        found = found[len(found) - int(tail) :] if int(tail) < len(found) else found
    return found if tail != "0" else []


def body_of(call: Call) -> Object:
    """The DeleteOptions of a DELETE, if it has any."""
    if not call.body.strip():
        return {}
    if bodies.media_type(call) == "application/json":
        try:
            found = json.loads(call.body)
        except ValueError as fault:
            raise bad_request(f"couldn't get version/kind; json parse error: {fault}") from None
        return found if isinstance(found, dict) else {}
    return bodies.parse(call, ("v1", "DeleteOptions"))

"""What an API server fills in and what it refuses: defaults, generated values and validation of the common kinds.

A part of the real rules, those that clients notice. Knows no store.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Callable
from typing import Any

from hooptui.demo.cluster.kinds import Kind
from hooptui.demo.cluster.objects import Object, dig, labels, matches, meta, name_of
from hooptui.demo.cluster.problems import invalid

Cause = tuple[str, str, str]
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an"
    " alphanumeric character (e.g. 'example.com', regex used for validation is"
    " '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LOOSE_NAMES = ("roles", "clusterroles", "rolebindings", "clusterrolebindings")
"""May have colons in their names."""


def fill(kind: Kind, obj: Object) -> None:
    """Set the defaults, in place."""
    if kind.custom:
        return
    spec = obj.setdefault("spec", {}) if kind.plural in _SPEC else None
    filler = _FILL.get(kind.plural)
    if filler is not None:
        filler(obj)
    if spec is not None and kind.plural in TEMPLATED:
        template = dig(obj, *TEMPLATED[kind.plural])
        if isinstance(template, dict):
            meta(template).setdefault("creationTimestamp", None)
            pod(template.setdefault("spec", {}))


TEMPLATED: dict[str, tuple[str, ...]] = {
    "deployments": ("spec", "template"),
    "replicasets": ("spec", "template"),
    "statefulsets": ("spec", "template"),
    "daemonsets": ("spec", "template"),
    "replicationcontrollers": ("spec", "template"),
    "jobs": ("spec", "template"),
    "cronjobs": ("spec", "jobTemplate", "spec", "template"),
}
"""Where a kind has its pod template."""


def pod(spec: Object) -> None:
    """The defaults of a PodSpec."""
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")
    if "serviceAccountName" in spec:
        spec.setdefault("serviceAccount", spec["serviceAccountName"])
    for volume in spec.get("volumes") or ():
        for source in ("secret", "configMap", "projected"):
            if source in volume:
                volume[source].setdefault("defaultMode", 420)
        if len(volume) == 1:
            volume["emptyDir"] = {}
    for one in (*spec.get("containers", ()), *spec.get("initContainers", ()), *spec.get("ephemeralContainers", ())):
        container(one)


def container(one: Object) -> None:
    one.setdefault("resources", {})
    one.setdefault("terminationMessagePath", "/dev/termination-log")
    one.setdefault("terminationMessagePolicy", "File")
    tag = str(one.get("image", "")).rpartition("/")[2].partition(":")[2]
    one.setdefault("imagePullPolicy", "Always" if tag in ("", "latest") else "IfNotPresent")
    for port in one.get("ports") or ():
        port.setdefault("protocol", "TCP")
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if probe in one:
            for name, value in (
                ("timeoutSeconds", 1),
                ("periodSeconds", 10),
                ("successThreshold", 1),
                ("failureThreshold", 3),
            ):
                one[probe].setdefault(name, value)


def _pod(obj: Object) -> None:
    spec = obj["spec"]
    pod(spec)
    spec.setdefault("enableServiceLinks", True)
    spec.setdefault("serviceAccountName", "default")
    spec.setdefault("serviceAccount", spec["serviceAccountName"])
    spec.setdefault("priority", 0)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    spec.setdefault(
        "tolerations",
        [
            {"key": f"node.kubernetes.io/{name}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            for name in ("not-ready", "unreachable")
        ],
    )
    status = obj.setdefault("status", {})
    status.setdefault("phase", "Pending")
    status.setdefault(
        "qosClass", "Burstable" if any(one.get("resources") for one in spec.get("containers") or ()) else "BestEffort"
    )


def _deployment(obj: Object) -> None:
    spec = obj["spec"]
    spec.setdefault("replicas", 1)
    spec.setdefault("strategy", {}).setdefault("type", "RollingUpdate")
    if spec["strategy"]["type"] == "RollingUpdate":
        rolling = spec["strategy"].setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)


def _replicas(obj: Object) -> None:
    obj["spec"].setdefault("replicas", 1)


def _stateful(obj: Object) -> None:
    spec = obj["spec"]
    spec.setdefault("replicas", 1)
    spec.setdefault("podManagementPolicy", "OrderedReady")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("updateStrategy", {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}})
    spec.setdefault("persistentVolumeClaimRetentionPolicy", {"whenDeleted": "Retain", "whenScaled": "Retain"})


def _daemon(obj: Object) -> None:
    obj["spec"].setdefault("revisionHistoryLimit", 10)
    obj["spec"].setdefault(
        "updateStrategy", {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}
    )


def _job(obj: Object) -> None:
    job(obj["spec"])
    uid, name = meta(obj).get("uid", ""), name_of(obj)
    spec = obj["spec"]
    own = {
        "batch.kubernetes.io/controller-uid": uid, "batch.kubernetes.io/job-name": name, "controller-uid": uid, "job-name": name,
    }  # fmt: skip
    if not spec.get("manualSelector") and uid and "selector" not in spec:
        spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
        meta(spec["template"]).setdefault("labels", {}).update(own)


def job(spec: Object) -> None:
    for name, value in (
        ("parallelism", 1), ("completions", 1), ("backoffLimit", 6), ("completionMode", "NonIndexed"), ("suspend", False),
        ("podReplacementPolicy", "TerminatingOrFailed"),
    ):  # fmt: skip
        spec.setdefault(name, value)


def _cron(obj: Object) -> None:
    for name, value in (
        ("concurrencyPolicy", "Allow"), ("suspend", False), ("successfulJobsHistoryLimit", 3), ("failedJobsHistoryLimit", 1),
    ):  # fmt: skip
        obj["spec"].setdefault(name, value)
    meta(obj["spec"].setdefault("jobTemplate", {})).setdefault("creationTimestamp", None)


def _service(obj: Object) -> None:
    spec = obj["spec"]
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))
        if spec["type"] in ("NodePort", "LoadBalancer"):
            port.setdefault("nodePort", 30_000 + zlib.crc32(f"{name_of(obj)}{port.get('port')}".encode()) % 2_768)
    if spec["type"] == "ExternalName":
        return
    digest = zlib.crc32(f"{meta(obj).get('namespace')}/{name_of(obj)}".encode())
    spec.setdefault("clusterIP", f"10.96.{digest >> 8 & 255}.{digest & 255 or 1}")
    spec.setdefault("clusterIPs", [spec["clusterIP"]])
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    spec.setdefault("internalTrafficPolicy", "Cluster")
    if spec["type"] in ("NodePort", "LoadBalancer"):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    obj.setdefault("status", {}).setdefault("loadBalancer", {})


def _secret(obj: Object) -> None:
    obj.setdefault("type", "Opaque")
    plain = obj.pop("stringData", None)
    if plain:
        obj.setdefault("data", {}).update(
            {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
        )


def _claim(obj: Object) -> None:
    obj["spec"].setdefault("volumeMode", "Filesystem")
    obj["spec"].setdefault("storageClassName", "standard")
    obj.setdefault("status", {}).setdefault("phase", "Pending")


def _namespace(obj: Object) -> None:
    meta(obj).setdefault("labels", {})["kubernetes.io/metadata.name"] = name_of(obj)
    obj["spec"].setdefault("finalizers", ["kubernetes"])
    obj.setdefault("status", {}).setdefault("phase", "Active")


def _binding(obj: Object) -> None:
    obj.get("roleRef", {}).setdefault("apiGroup", "rbac.authorization.k8s.io")
    for one in obj.get("subjects") or ():
        if one["kind"] != "ServiceAccount":
            one.setdefault("apiGroup", "rbac.authorization.k8s.io")


_FILL: dict[str, Callable[[Object], None]] = {
    "pods": _pod, "deployments": _deployment, "replicasets": _replicas, "replicationcontrollers": _replicas,
    "statefulsets": _stateful, "daemonsets": _daemon, "jobs": _job, "cronjobs": _cron, "services": _service,
    "secrets": _secret, "persistentvolumeclaims": _claim, "namespaces": _namespace, "rolebindings": _binding,
    "clusterrolebindings": _binding,
}  # fmt: skip
_SPEC = {
    "pods", "deployments", "replicasets", "replicationcontrollers", "statefulsets", "daemonsets", "jobs", "cronjobs", "services",
    "persistentvolumeclaims", "namespaces",
}  # fmt: skip


# --- what is refused


def check(kind: Kind, obj: Object, before: Object | None = None) -> None:
    """Raises: Problem for an object that its kind does not allow (422)."""
    causes = [*_name(kind, obj), *(_CHECKS.get(kind.plural, _nothing)(obj) if not kind.custom else ())]
    if before is not None:
        causes += _unchanged(kind, obj, before)
    if causes:
        raise invalid(kind, name_of(obj), causes)


def _nothing(_: Object) -> list[Cause]:
    return []


def _required(field: str, more: str = "") -> Cause:
    return "FieldValueRequired", f"Required value{': ' + more if more else ''}", field


def _name(kind: Kind, obj: Object) -> list[Cause]:
    name = name_of(obj)
    if not name:
        return [_required("metadata.name", "name or generateName is required")]
    if kind.plural in LOOSE_NAMES or (SUBDOMAIN.fullmatch(name) and len(name) <= 253):
        return []
    return [("FieldValueInvalid", f'Invalid value: "{name}": {_SUBDOMAIN_TEXT}', "metadata.name")]


def _containers(spec: Any, path: str) -> list[Cause]:
    found: list[Cause] = []
    if not dig(spec, "containers"):
        return [_required(f"{path}.containers")]
    seen = set()
    for place, one in enumerate(spec["containers"]):
        here = f"{path}.containers[{place}]"
        if not one.get("name"):
            found.append(_required(f"{here}.name"))
        elif one["name"] in seen:
            found.append(("FieldValueDuplicate", f'Duplicate value: "{one["name"]}"', f"{here}.name"))
        if not one.get("image"):
            found.append(_required(f"{here}.image"))
        seen.add(one.get("name"))
    return found


def _template(obj: Object) -> list[Cause]:
    template = dig(obj, "spec", "template", default={})
    found = _containers(template.get("spec"), "spec.template.spec")
    selector = dig(obj, "spec", "selector")
    if selector is None:
        found.append(_required("spec.selector"))
    elif not matches(selector, labels(template)):
        shown = "{" + ", ".join(f'"{key}":"{value}"' for key, value in sorted(labels(template).items())) + "}"
        text = f"Invalid value: {shown}: `selector` does not match template `labels`"
        found.append(("FieldValueInvalid", text, "spec.template.metadata.labels"))
    replicas = dig(obj, "spec", "replicas", default=0)
    if replicas < 0:
        found.append(
            ("FieldValueInvalid", f"Invalid value: {replicas}: must be greater than or equal to 0", "spec.replicas")
        )
    return found


def _service_ports(obj: Object) -> list[Cause]:
    spec = obj["spec"]
    if not spec.get("ports") and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None":
        return [_required("spec.ports")]
    return []


_CHECKS: dict[str, Callable[[Object], list[Cause]]] = {
    "pods": lambda obj: _containers(obj["spec"], "spec"),
    "deployments": _template,
    "replicasets": _template,
    "statefulsets": _template,
    "daemonsets": _template,
    "jobs": lambda obj: _containers(dig(obj, "spec", "template", "spec"), "spec.template.spec"),
    "services": _service_ports,
}


def _unchanged(kind: Kind, obj: Object, before: Object) -> list[Cause]:
    found: list[Cause] = []
    if before.get("immutable") and kind.plural in ("secrets", "configmaps"):
        found += [
            ("FieldValueForbidden", "Forbidden: field is immutable when `immutable` is set", field)
            for field in ("data", "binaryData")
            if obj.get(field) != before.get(field)
        ]
    fixed = {
        "secrets": ("type",), "deployments": ("spec", "selector"), "replicasets": ("spec", "selector"), "jobs": ("spec", "template"),
        "rolebindings": ("roleRef",), "clusterrolebindings": ("roleRef",),
    }.get(kind.plural)  # fmt: skip
    if fixed and dig(obj, *fixed) != dig(before, *fixed):
        text = "cannot change roleRef" if fixed == ("roleRef",) else "field is immutable"
        found.append(("FieldValueInvalid", f"Invalid value: {_shown(dig(obj, *fixed))}: {text}", ".".join(fixed)))
    if kind.plural == "pods" and _frozen(obj) != _frozen(before):
        text = (
            "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
            "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
            "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
        )
        found.append(("FieldValueForbidden", text, "spec"))
    return found


def _shown(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _frozen(obj: Object) -> Object:
    """What of a pod's spec may not change."""
    spec = {
        key: value
        for key, value in obj["spec"].items()
        if key not in ("activeDeadlineSeconds", "tolerations", "nodeName", "ephemeralContainers")
    }
    for name in ("containers", "initContainers"):
        if name in spec:
            spec[name] = [
                {key: value for key, value in one.items() if key not in ("image", "resources")} for one in spec[name]
            ]
    return spec

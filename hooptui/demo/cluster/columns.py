"""The columns that `kubectl get` shows of each built-in kind, and how a cell is made; as kube-apiserver's printers have them.

Knows objects. A column with priority 1 is for `-o wide`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hooptui.demo.cluster.objects import Object, dig, labels, name_of

Cell = Callable[[Object], Any]


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    cell: Cell
    type: str = "string"
    priority: int = 0

    def definition(self) -> Object:
        return {
            "name": self.name, "type": self.type, "format": "name" if self.name == "Name" else "",
            "description": f"{self.name} of the object.", "priority": self.priority,
        }  # fmt: skip


def span(seconds: float) -> str:
    """A time span as kubectl shows ages, the two largest units at most."""
    whole = max(0, int(seconds))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86_400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return f"{minutes}m{whole % 60}s" if whole % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    if days < 730:
        return f"{days}d"
    years = days // 365
    return f"{years}y{days % 365}d" if years < 8 and days % 365 else f"{years}y"


def since(text: Any) -> str:
    if not text:
        return "<unknown>"
    return span(time.time() - datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())


def at(*path: str | int, default: Any = "") -> Cell:
    return lambda obj: dig(obj, *path, default=default)


def pairs(found: Any) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted((found or {}).items())) or "<none>"


def selector_text(found: Any) -> str:
    """A LabelSelector as the command line would have it."""
    terms = [f"{key}={value}" for key, value in sorted(dig(found, "matchLabels", default={}).items())]
    for one in dig(found, "matchExpressions", default=[]):
        values = ",".join(sorted(one.get("values") or ()))
        terms.append(
            {"In": f"{one['key']} in ({values})", "NotIn": f"{one['key']} notin ({values})", "Exists": one["key"]}.get(
                one["operator"], f"!{one['key']}"
            )
        )
    return ",".join(terms) or "<none>"


NAME = Column("Name", name_of)
AGE = Column("Age", lambda obj: since(dig(obj, "metadata", "creationTimestamp")))
CREATED = Column("Created At", at("metadata", "creationTimestamp"))


def _template(obj: Object, name: str) -> str:
    return ",".join(one.get(name, "") for one in dig(obj, "spec", "template", "spec", "containers", default=[]))


CONTAINERS = (
    Column("Containers", lambda obj: _template(obj, "name"), priority=1),
    Column("Images", lambda obj: _template(obj, "image"), priority=1),
)
SELECTOR = Column("Selector", lambda obj: selector_text(dig(obj, "spec", "selector")), priority=1)


def _replicas(obj: Object) -> str:
    return f"{dig(obj, 'status', 'readyReplicas', default=0)}/{dig(obj, 'spec', 'replicas', default=0)}"


def number(name: str, *path: str) -> Column:
    return Column(name, at(*path, default=0), "integer")


# --- pods


def pod_status(obj: Object) -> str:
    """The word in the STATUS column."""
    reason = dig(obj, "status", "reason") or dig(obj, "status", "phase", default="")
    for one in dig(obj, "status", "containerStatuses", default=[]):
        waiting, ended = dig(one, "state", "waiting", "reason"), dig(one, "state", "terminated")
        if waiting:
            reason = waiting
        elif ended:
            reason = ended.get("reason") or f"ExitCode:{ended.get('exitCode')}"
    if dig(obj, "metadata", "deletionTimestamp"):
        return "Terminating"
    return str(reason)


def _ready(obj: Object) -> str:
    found = dig(obj, "status", "containerStatuses", default=[])
    return f"{sum(bool(one.get('ready')) for one in found)}/{len(dig(obj, 'spec', 'containers', default=[]))}"


def _restarts(obj: Object) -> str:
    found = dig(obj, "status", "containerStatuses", default=[])
    count = sum(one.get("restartCount", 0) for one in found)
    ended = [dig(one, "lastState", "terminated", "finishedAt") for one in found]
    last = max(filter(None, ended), default="")
    return f"{count} ({since(last)} ago)" if count and last else str(count)


PODS = (
    NAME, Column("Ready", _ready), Column("Status", pod_status), Column("Restarts", _restarts), AGE,
    Column("IP", at("status", "podIP", default="<none>"), priority=1),
    Column("Node", at("spec", "nodeName", default="<none>"), priority=1),
    Column("Nominated Node", at("status", "nominatedNodeName", default="<none>"), priority=1),
    Column("Readiness Gates", lambda obj: "<none>", priority=1),
)  # fmt: skip


# --- nodes, services and the others


def _node_status(obj: Object) -> str:
    ready = next((one for one in dig(obj, "status", "conditions", default=[]) if one["type"] == "Ready"), None)
    words = ["Unknown" if ready is None else "Ready" if ready["status"] == "True" else "NotReady"]
    if dig(obj, "spec", "unschedulable"):
        words.append("SchedulingDisabled")
    return ",".join(words)


def _roles(obj: Object) -> str:
    prefix = "node-role.kubernetes.io/"
    return ",".join(sorted(key.removeprefix(prefix) for key in labels(obj) if key.startswith(prefix))) or "<none>"


def _address(kind: str) -> Cell:
    return lambda obj: next(
        (one["address"] for one in dig(obj, "status", "addresses", default=[]) if one["type"] == kind), "<none>"
    )


NODES = (
    NAME, Column("Status", _node_status), Column("Roles", _roles), AGE,
    Column("Version", at("status", "nodeInfo", "kubeletVersion")),
    Column("Internal-IP", _address("InternalIP"), priority=1), Column("External-IP", _address("ExternalIP"), priority=1),
    Column("OS-Image", at("status", "nodeInfo", "osImage"), priority=1),
    Column("Kernel-Version", at("status", "nodeInfo", "kernelVersion"), priority=1),
    Column("Container-Runtime", at("status", "nodeInfo", "containerRuntimeVersion"), priority=1),
)  # fmt: skip


def _ports(obj: Object) -> str:
    texts = []
    for one in dig(obj, "spec", "ports", default=[]):
        node = f":{one['nodePort']}" if one.get("nodePort") else ""
        texts.append(f"{one['port']}{node}/{one.get('protocol', 'TCP')}")
    return ",".join(texts) or "<none>"


def _external(obj: Object) -> str:
    match dig(obj, "spec", "type"):
        case "ExternalName":
            return str(dig(obj, "spec", "externalName", default=""))
        case "LoadBalancer":
            found = [
                one.get("ip") or one.get("hostname")
                for one in dig(obj, "status", "loadBalancer", "ingress", default=[])
            ]
            return ",".join(filter(None, found)) or "<pending>"
        case _:
            return ",".join(dig(obj, "spec", "externalIPs", default=[])) or "<none>"


def _endpoints(obj: Object) -> str:
    found = [
        f"{address['ip']}:{port['port']}"
        for subset in obj.get("subsets") or ()
        for port in subset.get("ports") or ()
        for address in subset.get("addresses") or ()
    ]
    more = f" + {len(found) - 3} more..." if len(found) > 3 else ""
    return ",".join(found[:3]) + more or "<none>"


def _modes(obj: Object) -> str:
    short = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
    return ",".join(short.get(one, one) for one in dig(obj, "spec", "accessModes", default=[]))


def _job_status(obj: Object) -> str:
    for one in dig(obj, "status", "conditions", default=[]):
        if one["status"] == "True" and one["type"] in ("Complete", "Failed", "Suspended"):
            return str(one["type"])
    return "Running"


def _job_duration(obj: Object) -> str:
    began, ended = dig(obj, "status", "startTime"), dig(obj, "status", "completionTime")
    if not began:
        return ""
    first = datetime.fromisoformat(began.replace("Z", "+00:00")).timestamp()
    last = datetime.fromisoformat(ended.replace("Z", "+00:00")).timestamp() if ended else time.time()
    return span(last - first)


def _targets(obj: Object) -> str:
    texts = []
    for one in dig(obj, "spec", "metrics", default=[]):
        wanted = dig(one, "resource", "target", "averageUtilization")
        name = dig(one, "resource", "name", default="")
        texts.append(f"{name}: <unknown>/{wanted}%" if wanted is not None else f"{name}: <unknown>/auto")
    return ", ".join(texts) or "<none>"


def _budget(name: str) -> Cell:
    return lambda obj: str(dig(obj, "spec", name, default="N/A"))


def _subjects(kind: str) -> Cell:
    def cell(obj: Object) -> str:
        found = [one for one in obj.get("subjects") or () if one["kind"] == kind]
        return ", ".join(f"{one['namespace']}/{one['name']}" if one.get("namespace") else one["name"] for one in found)

    return cell


def _involved(obj: Object) -> str:
    found = obj.get("involvedObject") or {}
    return f"{found.get('kind', '').lower()}/{found.get('name', '')}"


def _source(obj: Object) -> str:
    return ", ".join(filter(None, (dig(obj, "source", "component"), dig(obj, "source", "host")))) or str(
        obj.get("reportingComponent", "")
    )


def _quota(limits: bool) -> Cell:
    def cell(obj: Object) -> str:
        hard = dig(obj, "spec", "hard", default={})
        chosen = sorted(name for name in hard if name.startswith("limits.") is limits)
        return ", ".join(f"{name}: {dig(obj, 'status', 'used', name, default='0')}/{hard[name]}" for name in chosen)

    return cell


BINDING = (
    NAME, Column("Role", lambda obj: f"{obj['roleRef']['kind']}/{obj['roleRef']['name']}"), AGE,
    Column("Users", _subjects("User"), priority=1), Column("Groups", _subjects("Group"), priority=1),
    Column("ServiceAccounts", _subjects("ServiceAccount"), priority=1),
)  # fmt: skip
SCALED = (
    NAME, number("Desired", "spec", "replicas"), number("Current", "status", "replicas"),
    number("Ready", "status", "readyReplicas"), AGE, *CONTAINERS, SELECTOR,
)  # fmt: skip

COLUMNS: dict[str, tuple[Column, ...]] = {
    "pods": PODS,
    "nodes": NODES,
    "deployments": (
        NAME, Column("Ready", _replicas), number("Up-to-date", "status", "updatedReplicas"),
        number("Available", "status", "availableReplicas"), AGE, *CONTAINERS, SELECTOR,
    ),
    "replicasets": SCALED,
    "replicationcontrollers": SCALED,
    "statefulsets": (NAME, Column("Ready", _replicas), AGE, *CONTAINERS),
    "daemonsets": (
        NAME, number("Desired", "status", "desiredNumberScheduled"), number("Current", "status", "currentNumberScheduled"),
        number("Ready", "status", "numberReady"), number("Up-to-date", "status", "updatedNumberScheduled"),
        number("Available", "status", "numberAvailable"),
        Column("Node Selector", lambda obj: pairs(dig(obj, "spec", "template", "spec", "nodeSelector"))), AGE, *CONTAINERS, SELECTOR,
    ),
    "jobs": (
        NAME, Column("Status", _job_status),
        Column("Completions", lambda obj: f"{dig(obj, 'status', 'succeeded', default=0)}/{dig(obj, 'spec', 'completions', default=1)}"),
        Column("Duration", _job_duration), AGE, *CONTAINERS, SELECTOR,
    ),
    "cronjobs": (
        NAME, Column("Schedule", at("spec", "schedule")), Column("Timezone", at("spec", "timeZone", default="<none>")),
        Column("Suspend", lambda obj: str(bool(dig(obj, "spec", "suspend")))),
        Column("Active", lambda obj: len(dig(obj, "status", "active", default=[])), "integer"),
        Column("Last Schedule", lambda obj: since(dig(obj, "status", "lastScheduleTime")) if dig(obj, "status", "lastScheduleTime") else "<none>"),
        AGE,
        Column("Containers", lambda obj: _template(dig(obj, "spec", "jobTemplate", default={}), "name"), priority=1),
        Column("Images", lambda obj: _template(dig(obj, "spec", "jobTemplate", default={}), "image"), priority=1),
        Column("Selector", lambda obj: "<none>", priority=1),
    ),
    "services": (
        NAME, Column("Type", at("spec", "type")), Column("Cluster-IP", at("spec", "clusterIP", default="<none>")),
        Column("External-IP", _external), Column("Port(s)", _ports), AGE,
        Column("Selector", lambda obj: pairs(dig(obj, "spec", "selector")), priority=1),
    ),
    "endpoints": (NAME, Column("Endpoints", _endpoints), AGE),
    "namespaces": (NAME, Column("Status", at("status", "phase")), AGE),
    "configmaps": (NAME, Column("Data", lambda obj: len(obj.get("data") or {}) + len(obj.get("binaryData") or {}), "string"), AGE),
    "secrets": (NAME, Column("Type", at("type")), Column("Data", lambda obj: len(obj.get("data") or {}), "string"), AGE),
    "serviceaccounts": (NAME, Column("Secrets", lambda obj: len(obj.get("secrets") or ()), "string"), AGE),
    "persistentvolumeclaims": (
        NAME, Column("Status", at("status", "phase")), Column("Volume", at("spec", "volumeName")),
        Column("Capacity", at("status", "capacity", "storage")), Column("Access Modes", _modes),
        Column("StorageClass", at("spec", "storageClassName")),
        Column("VolumeAttributesClass", at("spec", "volumeAttributesClassName", default="<unset>")), AGE,
        Column("VolumeMode", at("spec", "volumeMode", default="<unset>"), priority=1),
    ),
    "persistentvolumes": (
        NAME, Column("Capacity", at("spec", "capacity", "storage")), Column("Access Modes", _modes),
        Column("Reclaim Policy", at("spec", "persistentVolumeReclaimPolicy")), Column("Status", at("status", "phase")),
        Column("Claim", lambda obj: f"{dig(obj, 'spec', 'claimRef', 'namespace')}/{dig(obj, 'spec', 'claimRef', 'name')}" if dig(obj, "spec", "claimRef") else ""),
        Column("StorageClass", at("spec", "storageClassName")),
        Column("VolumeAttributesClass", at("spec", "volumeAttributesClassName", default="<unset>")),
        Column("Reason", at("status", "reason")), AGE,
        Column("VolumeMode", at("spec", "volumeMode", default="<unset>"), priority=1),
    ),
    "events": (
        Column("Last Seen", lambda obj: since(obj.get("lastTimestamp") or obj.get("eventTime"))), Column("Type", at("type")),
        Column("Reason", at("reason")), Column("Object", _involved),
        Column("Subobject", at("involvedObject", "fieldPath"), priority=1), Column("Source", _source, priority=1),
        Column("Message", lambda obj: str(obj.get("message", "")).strip()),
        Column("First Seen", lambda obj: since(obj.get("firstTimestamp") or obj.get("eventTime")), priority=1),
        Column("Count", at("count", default=1), "integer", 1), Column("Name", name_of, priority=1),
    ),
    "horizontalpodautoscalers": (
        NAME, Column("Reference", lambda obj: f"{obj['spec']['scaleTargetRef']['kind']}/{obj['spec']['scaleTargetRef']['name']}"),
        Column("Targets", _targets), Column("MinPods", lambda obj: str(dig(obj, "spec", "minReplicas", default="<unset>"))),
        number("MaxPods", "spec", "maxReplicas"), number("Replicas", "status", "currentReplicas"), AGE,
    ),
    "poddisruptionbudgets": (
        NAME, Column("Min Available", _budget("minAvailable")), Column("Max Unavailable", _budget("maxUnavailable")),
        number("Allowed Disruptions", "status", "disruptionsAllowed"), AGE,
    ),
    "ingresses": (
        NAME, Column("Class", at("spec", "ingressClassName", default="<none>")),
        Column("Hosts", lambda obj: ",".join(one.get("host", "*") for one in dig(obj, "spec", "rules", default=[])) or "*"),
        Column("Address", lambda obj: ""), Column("Ports", lambda obj: "80, 443" if dig(obj, "spec", "tls") else "80"), AGE,
    ),
    "networkpolicies": (NAME, Column("Pod-Selector", lambda obj: selector_text(dig(obj, "spec", "podSelector"))), AGE),
    "roles": (NAME, CREATED),
    "clusterroles": (NAME, CREATED),
    "rolebindings": BINDING,
    "clusterrolebindings": BINDING,
    "customresourcedefinitions": (NAME, CREATED),
    "limitranges": (NAME, CREATED),
    "storageclasses": (
        NAME, Column("Provisioner", at("provisioner")), Column("ReclaimPolicy", at("reclaimPolicy", default="Delete")),
        Column("VolumeBindingMode", at("volumeBindingMode", default="Immediate")),
        Column("AllowVolumeExpansion", lambda obj: str(bool(obj.get("allowVolumeExpansion"))).lower()), AGE,
    ),
    "priorityclasses": (
        NAME, Column("Value", at("value", default=0), "integer"),
        Column("Global-Default", lambda obj: str(bool(obj.get("globalDefault"))).lower()), AGE,
        Column("PreemptionPolicy", at("preemptionPolicy", default="PreemptLowerPriority")),
    ),
    "resourcequotas": (NAME, Column("Request", _quota(False)), Column("Limit", _quota(True)), AGE),
    "leases": (NAME, Column("Holder", at("spec", "holderIdentity")), AGE),
    "certificatesigningrequests": (
        NAME, AGE, Column("SignerName", at("spec", "signerName")), Column("Requestor", at("spec", "username")),
        Column("RequestedDuration", lambda obj: "<none>"),
        Column("Condition", lambda obj: ",".join(one["type"] for one in dig(obj, "status", "conditions", default=[])) or "Pending"),
    ),
}  # fmt: skip

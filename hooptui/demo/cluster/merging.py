"""Which lists are maps in disguise: the keys by which strategic merge patch and server-side apply tell their items apart.

From the API's own annotations (patchMergeKey, listMapKey); a list that is not here is one value.
"""

from __future__ import annotations

from hooptui.demo.cluster.protobuf import messages

_NAMED = ("name",)
_TYPED = ("type",)
STRATEGIC: dict[tuple[str, str], tuple[str, ...]] = {
    ("core/v1.PodSpec", "containers"): _NAMED,
    ("core/v1.PodSpec", "initContainers"): _NAMED,
    ("core/v1.PodSpec", "ephemeralContainers"): _NAMED,
    ("core/v1.PodSpec", "volumes"): _NAMED,
    ("core/v1.PodSpec", "imagePullSecrets"): _NAMED,
    ("core/v1.PodSpec", "hostAliases"): ("ip",),
    ("core/v1.PodSpec", "topologySpreadConstraints"): ("topologyKey",),
    ("core/v1.PodSpec", "schedulingGates"): _NAMED,
    ("core/v1.PodStatus", "conditions"): _TYPED,
    ("core/v1.PodStatus", "podIPs"): ("ip",),
    ("core/v1.Container", "env"): _NAMED,
    ("core/v1.Container", "ports"): ("containerPort",),
    ("core/v1.Container", "volumeMounts"): ("mountPath",),
    ("core/v1.Container", "volumeDevices"): ("devicePath",),
    ("core/v1.EphemeralContainer", "env"): _NAMED,
    ("core/v1.EphemeralContainer", "ports"): ("containerPort",),
    ("core/v1.EphemeralContainer", "volumeMounts"): ("mountPath",),
    ("core/v1.ServiceSpec", "ports"): ("port",),
    ("core/v1.ServiceAccount", "secrets"): _NAMED,
    ("core/v1.ServiceAccount", "imagePullSecrets"): _NAMED,
    ("core/v1.NodeStatus", "addresses"): _TYPED,
    ("core/v1.NodeStatus", "conditions"): _TYPED,
    ("core/v1.PersistentVolumeClaimStatus", "conditions"): _TYPED,
    ("core/v1.NamespaceStatus", "conditions"): _TYPED,
    ("apps/v1.DeploymentStatus", "conditions"): _TYPED,
    ("apps/v1.ReplicaSetStatus", "conditions"): _TYPED,
    ("apps/v1.StatefulSetStatus", "conditions"): _TYPED,
    ("apps/v1.DaemonSetStatus", "conditions"): _TYPED,
    ("batch/v1.JobStatus", "conditions"): _TYPED,
    ("meta.ObjectMeta", "ownerReferences"): ("uid",),
}
APPLIED = {
    **STRATEGIC,
    ("core/v1.Container", "ports"): ("containerPort", "protocol"),
    ("core/v1.EphemeralContainer", "ports"): ("containerPort", "protocol"),
    ("core/v1.ServiceSpec", "ports"): ("port", "protocol"),
    ("core/v1.PodSpec", "topologySpreadConstraints"): ("topologyKey", "whenUnsatisfiable"),
}
SETS = {("meta.ObjectMeta", "finalizers"), ("core/v1.Namespace", "finalizers")}
"""Lists of plain values that merge."""
DEFAULTS = {"protocol": "TCP"}
"""Of keys that may be left out."""


def below(message: str | None, name: str) -> str | None:
    """The message of a field; None when it has none, or when nothing is known of this object (a custom one)."""
    if name == "metadata":
        return "meta.ObjectMeta"
    for field in messages().get(message or "", ()):
        if field.name == name and "." in field.type:
            return field.type
        if "!" in field.flags and (found := below(field.type, name)) is not None:
            return found
    return None


def granular(message: str | None, name: str) -> bool:
    """Is a map under this field merged member by member? Selectors and resource references are one value."""
    return (message, name) not in {
        ("apps/v1.DeploymentSpec", "selector"), ("apps/v1.ReplicaSetSpec", "selector"), ("apps/v1.StatefulSetSpec", "selector"),
        ("apps/v1.DaemonSetSpec", "selector"), ("batch/v1.JobSpec", "selector"), ("core/v1.ServiceSpec", "selector"),
        ("core/v1.PodSpec", "nodeSelector"),
    }  # fmt: skip


def is_map(message: str | None, name: str) -> bool:
    """Is this field a map from strings, as labels are, and no message?"""
    if name in ("labels", "annotations") and message in (None, "meta.ObjectMeta"):
        return True
    return any(field.name == name and "%" in field.flags for field in messages().get(message or "", ()))

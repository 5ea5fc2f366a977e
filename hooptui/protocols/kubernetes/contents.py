"""What the contents of an object would do, as traits. Pure.

Found by the names of fields wherever they stand, not by kind: so they are found in a patch that holds a part alone, and in the custom
resources that have a pod template somewhere. A field of that name which means something else gives a trait too many, never one too few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from hooptui.protocols.kubernetes.grants import binding_traits, rule_traits

Found = set[str]
Object = dict[str, Any]

_BASELINE: Final = frozenset(
    {
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP",
        "SETUID", "SYS_CHROOT",
    }
)  # fmt: skip
"""What a container may add, https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline."""
_UNCONFINED: Final = "Unconfined"
_POD_SECURITY: Final = "pod-security.kubernetes.io/"
_AGGREGATES: Final = "rbac.authorization.k8s.io/aggregate-to-"
_PLACED: Final = frozenset(
    {"hostNetwork", "hostPID", "hostIPC", "nodeName", "replicas", "minReplicas", "parallelism", "image", "command", "args", "unschedulable",
     "taints", "type"}
)  # fmt: skip
_GUARDS: Final = frozenset(
    {
        "securityContext",
        "runAsNonRoot",
        "seccompProfile",
        "appArmorProfile",
        "capabilities",
        "allowPrivilegeEscalation",
        "runAsUser",
    }
)
"""Fields that keep a container in when they are there; to take one away is to loosen it."""

_MAPS: Final = frozenset(
    {"labels", "annotations", "matchLabels", "nodeSelector", "data", "stringData", "binaryData", "managedFields"}
)
"""Fields whose keys are the user's own words, or say nothing of what is done."""


def traits(value: Any, *, resource: str, changes: bool) -> frozenset[str]:
    """See the module.

    Args:
        value: plain JSON: an object, or a part of one.
        resource: in the path of the request.
        changes: whether something is there already: a patch or an update, not a create.
    """
    found: Found = set()
    for parent, key, inner in _fields(value):
        if key in _GUARDS:
            found.add("security_context")
            if inner is None or (isinstance(inner, dict) and "$patch" in inner):
                found.add("run_as_root")
        reader = _READERS.get(key)
        if reader is not None:
            reader(found, inner)
        else:
            _place(found, parent, key, inner, resource=resource, changes=changes)
    if isinstance(value, dict):
        found |= _whole(value, resource)
    return frozenset(found)


def _whole(value: Object, resource: str) -> Found:
    """What only the object as a whole tells."""
    found: Found = set()
    if resource == "services":
        spec = value.get("spec")
        if isinstance(spec, dict) and (
            spec.get("type") in ("LoadBalancer", "NodePort", "ExternalName")
            or spec.get("externalIPs")
            or spec.get("externalName")
        ):
            found.add("external")
    if resource in ("ingresses", "gateways", "httproutes"):
        found.add("external")
    return found | binding_traits(value)


def _place(found: Found, parent: str, key: str, inner: Any, *, resource: str, changes: bool) -> None:
    """Fields that mean something in their place alone, or where something is changed."""
    match key:
        case "hostNetwork" | "hostPID" | "hostIPC":
            if inner is True:
                found.add("host_namespaces")
        case "nodeName":
            if inner and not resource.startswith("endpoint"):
                found.add("names_node")
        case "replicas":
            if parent == "spec" and changes:
                found.add("scale_to_zero" if _zero(inner) else "scale")
        case "minReplicas" | "parallelism":
            if changes and _zero(inner):
                found.add("scale_to_zero")
        case "image":
            if isinstance(inner, str) and changes:
                found.add("changes_image")
        case "command" | "args":
            if changes and isinstance(inner, list | None):
                found.add("changes_command")
        case "unschedulable" | "taints":
            if inner is True or (resource == "nodes" and key == "taints"):
                found.add("cordon")
        case "type":
            if not parent and inner == "kubernetes.io/service-account-token":
                found.add("service_account_token")


def _fields(value: Any) -> Iterator[tuple[str, str, Any]]:
    """Every field that is known here, at any depth: the name of the field that its object stands in, its own name, its value.

    Not recursive, and quick to pass by what is not known: a body may have some hundred thousand fields.
    """
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        parent, one = waiting.pop()
        if isinstance(one, dict):
            for key, inner in one.items():
                if key in _KNOWN:
                    yield parent, key, inner
                if (inner.__class__ is dict or inner.__class__ is list) and key not in _MAPS:
                    waiting.append((key, inner))
        elif isinstance(one, list):
            waiting += [(parent, inner) for inner in one if inner.__class__ is dict or inner.__class__ is list]


def _zero(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == 0


def _containers(found: Found, value: Any) -> None:
    if isinstance(value, list):
        found.add("workload")


def _ephemeral(found: Found, value: Any) -> None:
    found.add("ephemeral_container")


def _privileged(found: Found, value: Any) -> None:
    if value is True:
        found.add("privileged")


def _escalation(found: Found, value: Any) -> None:
    if value is True:
        found.add("run_as_root")


def _proc_mount(found: Found, value: Any) -> None:
    if value not in (None, "", "Default"):
        found.add("privileged")


def _profile(found: Found, value: Any) -> None:
    if isinstance(value, dict) and value.get("type") == _UNCONFINED:
        found.add("privileged")


def _sysctls(found: Found, value: Any) -> None:
    if value:
        found.add("security_context")


def _host_path(found: Found, value: Any) -> None:
    if isinstance(value, dict):
        found.add("host_path")


def _local(found: Found, value: Any) -> None:
    if isinstance(value, dict) and isinstance(value.get("path"), str):
        found.add("host_path")


def _git_repo(found: Found, value: Any) -> None:
    # The kubelet runs git as root, hooks included.
    if isinstance(value, dict):
        found.add("privileged")


def _host_port(found: Found, value: Any) -> None:
    if value not in (None, 0):
        found.add("host_port")


def _capabilities(found: Found, value: Any) -> None:
    added = value.get("add") if isinstance(value, dict) else None
    if added and not (isinstance(added, list) and all(one in _BASELINE for one in added)):
        found.add("added_capabilities")


def _user(found: Found, value: Any) -> None:
    if _zero(value):
        found.add("run_as_root")


def _non_root(found: Found, value: Any) -> None:
    if value is False:
        found.add("run_as_root")


def _user_name(found: Found, value: Any) -> None:
    if isinstance(value, str) and "administrator" in value.lower():
        found.add("run_as_root")


def _secret(found: Found, value: Any) -> None:
    if isinstance(value, dict):
        found.add("mounts_secret")


def _csi(found: Found, value: Any) -> None:
    if isinstance(value, dict) and "secrets-store" in str(value.get("driver", "")):
        found.add("mounts_secret")


def _account(found: Found, value: Any) -> None:
    if isinstance(value, str) and value not in ("", "default"):
        found.add("service_account")


def _token(found: Found, value: Any) -> None:
    if value is True or isinstance(value, dict):
        found.add("mounts_token")


def _suspend(found: Found, value: Any) -> None:
    if value is True:
        found.add("suspends")


def _owners(found: Found, value: Any) -> None:
    found.add("owner_references")


def _labels(found: Found, value: Any) -> None:
    for key in value if isinstance(value, dict) else ():
        if key.startswith(_POD_SECURITY):
            found.add("pod_security")
        elif key.startswith(_AGGREGATES):
            found.add("rbac_escalation")


def _annotations(found: Found, value: Any) -> None:
    for key, text in value.items() if isinstance(value, dict) else ():
        if key.startswith(("container.apparmor.security.beta.", "seccomp.security.alpha.")) and text == "unconfined":
            found.add("privileged")


def _rules(found: Found, value: Any) -> None:
    found |= rule_traits(value)


_READERS: Final[dict[str, Callable[[Found, Any], None]]] = {
    "containers": _containers,
    "initContainers": _containers,
    "ephemeralContainers": _ephemeral,
    "privileged": _privileged,
    "allowPrivilegeEscalation": _escalation,
    "hostProcess": _privileged,
    "procMount": _proc_mount,
    "seccompProfile": _profile,
    "appArmorProfile": _profile,
    "sysctls": _sysctls,
    "hostPath": _host_path,
    "local": _local,
    "gitRepo": _git_repo,
    "hostPort": _host_port,
    "capabilities": _capabilities,
    "runAsUser": _user,
    "runAsNonRoot": _non_root,
    "runAsUserName": _user_name,
    "secret": _secret,
    "secretRef": _secret,
    "secretKeyRef": _secret,
    "nodePublishSecretRef": _secret,
    "csi": _csi,
    "serviceAccountName": _account,
    "serviceAccount": _account,
    "serviceAccountToken": _token,
    "automountServiceAccountToken": _token,
    "suspend": _suspend,
    "paused": _suspend,
    "ownerReferences": _owners,
    "labels": _labels,
    "annotations": _annotations,
    "rules": _rules,
    "aggregationRule": lambda found, value: found.add("rbac_escalation") if value is not None else None,
}

_KNOWN: Final = frozenset(_READERS) | _PLACED | _GUARDS

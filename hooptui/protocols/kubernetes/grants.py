"""Whether a role or a binding gives away more than it seems: Kubernetes' own ladder to more rights. Pure.

https://kubernetes.io/docs/concepts/security/rbac-good-practices/#privilege-escalation-risks
"""

from __future__ import annotations

from typing import Any, Final

_VERBS: Final = frozenset({"*", "escalate", "bind", "impersonate"})
_LOOKS: Final = frozenset({"get", "list", "watch"})
_READABLE: Final = frozenset({"secrets"})
"""Whoever may read these holds what is in them."""
_REACHES: Final = frozenset(
    {
        "*", "pods/exec", "pods/attach", "pods/portforward", "pods/ephemeralcontainers", "nodes/proxy", "pods/proxy", "services/proxy",
        "serviceaccounts/token", "certificatesigningrequests/approval", "certificatesigningrequests/status", "signers", "roles",
        "clusterroles", "rolebindings", "clusterrolebindings", "mutatingwebhookconfigurations", "validatingwebhookconfigurations",
        "mutatingadmissionpolicies", "apiservices", "customresourcedefinitions", "persistentvolumes", "users", "groups",
        "userextras", "pods", "deployments", "daemonsets", "statefulsets", "replicasets", "replicationcontrollers", "jobs", "cronjobs",
        "namespaces", "serviceaccounts", "nodes", "nodes/status",
    }
)  # fmt: skip
"""Whoever may write these can become somebody else: a workload runs as any service account of its namespace."""
_EVERYBODY: Final = frozenset(
    {"system:masters", "system:anonymous", "system:unauthenticated", "system:authenticated", "system:serviceaccounts"}
)


def rule_traits(rules: Any) -> frozenset[str]:
    """Of a list of PolicyRules; empty when it is something else that has the name."""
    escalates = any(_escalates(rule) for rule in rules if isinstance(rule, dict)) if isinstance(rules, list) else False
    return frozenset({"rbac_escalation"}) if escalates else frozenset()


def _escalates(rule: dict[str, Any]) -> bool:
    verbs, resources, urls = (_words(rule.get(key)) for key in ("verbs", "resources", "nonResourceURLs"))
    if not verbs:
        return False
    if verbs & _VERBS or any(url.endswith("*") and len(url) < 3 for url in urls):
        return True
    if any(one.startswith("*/") for one in resources):
        return True
    looks, changes = verbs & _LOOKS, verbs - _LOOKS
    return bool((looks and resources & (_READABLE | {"*"})) or (changes and resources & _REACHES))


def binding_traits(value: dict[str, Any]) -> frozenset[str]:
    """Of an object that may be a binding; empty when it has no roleRef and no subjects."""
    found: set[str] = set()
    role = value.get("roleRef")
    if isinstance(role, dict):
        name = role.get("name")
        if name == "cluster-admin":
            found |= {"cluster_admin", "rbac_escalation"}
        elif isinstance(name, str) and (name in ("admin", "edit") or name.startswith("system:")):
            found.add("rbac_escalation")
    subjects = value.get("subjects")
    for one in subjects if isinstance(subjects, list) else ():
        name = one.get("name") if isinstance(one, dict) else None
        if isinstance(name, str) and (name in _EVERYBODY or name.startswith("system:serviceaccounts:")):
            found.add("rbac_escalation")
            if name == "system:masters":
                found.add("cluster_admin")
    return frozenset(found)


def _words(value: Any) -> frozenset[str]:
    return frozenset(one for one in value if isinstance(one, str)) if isinstance(value, list) else frozenset()

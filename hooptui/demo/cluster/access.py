"""Roles and bindings: what a user may do (https://kubernetes.io/docs/reference/access-authn-authz/rbac/).

Reads Role, ClusterRole and their bindings from the store; knows no request.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hooptui.demo.cluster.call import User
from hooptui.demo.cluster.objects import Object, dig, matches, namespace_of
from hooptui.demo.cluster.store import Store

ROLES = "rbac.authorization.k8s.io"
MASTERS = "system:masters"


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to do; to a resource, or to a path when that is not empty."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def what(self) -> str:
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource

    def refused(self, user: User) -> str:
        """kube-apiserver's sentence for a refusal, without the resource's own name in front."""
        if self.path:
            return f'forbidden: User "{user.name}" cannot {self.verb} path "{self.path}"'
        place = f'in the namespace "{self.namespace}"' if self.namespace else "at the cluster scope"
        shown = f'"{self.name}" is ' if self.name else "is "
        qualified = f"{self.resource}.{self.group}" if self.group else self.resource
        return (
            f'{qualified} {shown}forbidden: User "{user.name}" cannot {self.verb} resource "{self.what}"'
            f' in API group "{self.group}" {place}'
        )


class Access:
    """See the module."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def allows(self, user: User, wish: Wish) -> str:
        """The binding that allows it, in words; empty when none does."""
        if MASTERS in user.groups:
            return "system:masters"
        for rule, binding in self._rules(user, wish.namespace):
            if _covers(rule, wish):
                return binding
        return ""

    def rules(self, user: User, namespace: str) -> list[Object]:
        """All rules that hold for a user in a namespace."""
        return [rule for rule, _ in self._rules(user, namespace)]

    def _rules(self, user: User, namespace: str) -> Iterator[tuple[Object, str]]:
        bindings = [*self._store.all(f"clusterrolebindings.{ROLES}")]
        if namespace:
            bindings += self._store.all(f"rolebindings.{ROLES}", namespace)
        for binding in bindings:
            if not any(_is(user, one, namespace_of(binding)) for one in binding.get("subjects") or ()):
                continue
            reference = binding["roleRef"]
            own = namespace_of(binding) if reference["kind"] == "Role" else ""
            role = self._store.get(f"{reference['kind'].lower()}s.{ROLES}", own, reference["name"])
            if role is None:
                continue
            words = (
                f'RBAC: allowed by {binding["kind"]} "{binding["metadata"]["name"]}" of {reference["kind"]} '
                f'"{reference["name"]}"'
            )
            for rule in self._all_rules(role):
                yield rule, words

    def _all_rules(self, role: Object) -> Iterator[Object]:
        yield from role.get("rules") or ()
        selectors = dig(role, "aggregationRule", "clusterRoleSelectors", default=[])
        for one in self._store.all(f"clusterroles.{ROLES}") if selectors else ():
            if one is not role and any(
                matches(selector, one["metadata"].get("labels") or {}) for selector in selectors
            ):
                yield from one.get("rules") or ()


def _is(user: User, subject: Object, namespace: str) -> bool:
    match subject["kind"]:
        case "User":
            return bool(subject["name"] == user.name)
        case "Group":
            return subject["name"] in user.groups
        case _:
            return user.name == f"system:serviceaccount:{subject.get('namespace') or namespace}:{subject['name']}"


def _covers(rule: Object, wish: Wish) -> bool:
    if not {wish.verb, "*"} & set(rule["verbs"]):
        return False
    if wish.path:
        return any(
            one == "*" or one == wish.path or (one.endswith("*") and wish.path.startswith(one[:-1]))
            for one in rule.get("nonResourceURLs") or ()
        )
    resources = {wish.what, "*"} | ({f"*/{wish.subresource}"} if wish.subresource else set())
    if not {wish.group, "*"} & set(rule.get("apiGroups") or ()) or not resources & set(rule.get("resources") or ()):
        return False
    names = rule.get("resourceNames") or ()
    return not names or wish.name in names

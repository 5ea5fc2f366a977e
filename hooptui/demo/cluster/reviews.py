"""Questions about access and identity: the reviews, which are created and never stored.

Knows access and people; knows no transport.
"""

from __future__ import annotations

from hooptui.demo.cluster.access import Access, Wish
from hooptui.demo.cluster.call import User
from hooptui.demo.cluster.kinds import Kind
from hooptui.demo.cluster.objects import Object, dig, stamp
from hooptui.demo.cluster.people import ISSUER, People


def _user_info(user: User) -> Object:
    found: Object = {"username": user.name, "groups": list(user.groups)}
    if user.uid:
        found["uid"] = user.uid
    if user.extra:
        found["extra"] = {key: list(values) for key, values in user.extra.items()}
    return found


def answer(kind: Kind, obj: Object, namespace: str, user: User, access: Access, people: People) -> Object:
    """The review with its status."""
    spec = obj.get("spec") or {}
    found: Object = {
        "kind": kind.kind,
        "apiVersion": kind.api_version,
        "metadata": {"creationTimestamp": None},
        "spec": spec,
    }
    match kind.kind:
        case "SelfSubjectReview":
            found["metadata"] = {"creationTimestamp": stamp()}
            del found["spec"]
            found["status"] = {"userInfo": _user_info(user)}
        case "TokenReview":
            owner = people.of_token(str(spec.get("token", "")))
            found["status"] = (
                {"authenticated": True, "user": _user_info(owner), "audiences": [ISSUER]}
                if owner is not None
                else {"user": {}, "error": "[invalid bearer token, token lookup failed]"}
            )
        case "SelfSubjectRulesReview":
            rules = access.rules(user, str(spec.get("namespace", "")))
            found["status"] = {
                "resourceRules": [
                    {key: rule.get(key) or [] for key in ("verbs", "apiGroups", "resources")}
                    | ({"resourceNames": rule["resourceNames"]} if rule.get("resourceNames") else {})
                    for rule in rules
                    if rule.get("resources")
                ],
                "nonResourceRules": [
                    {"verbs": rule["verbs"], "nonResourceURLs": rule["nonResourceURLs"]}
                    for rule in rules
                    if rule.get("nonResourceURLs")
                ],
                "incomplete": False,
            }
        case _:
            asking = user
            if kind.kind != "SelfSubjectAccessReview":
                asking = User(str(spec.get("user", "")), tuple(spec.get("groups") or ()))
            reason = access.allows(asking, _wish(spec, namespace))
            found["status"] = {"allowed": bool(reason)}
            if reason and reason != "system:masters":
                found["status"]["reason"] = reason
    return found


def _wish(spec: Object, namespace: str) -> Wish:
    path = dig(spec, "nonResourceAttributes")
    if path:
        return Wish(str(path.get("verb", "")), path=str(path.get("path", "")) or "/")
    wanted = spec.get("resourceAttributes") or {}
    return Wish(
        wanted.get("verb", ""),
        wanted.get("group", ""),
        wanted.get("resource", ""),
        wanted.get("subresource", ""),
        wanted.get("namespace", "") or namespace,
        wanted.get("name", ""),
    )

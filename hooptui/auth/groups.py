"""The groups that a token's claims give. Pure. A provider that says it left groups out has not said that there are none."""

from __future__ import annotations

from collections.abc import Mapping

from hooptui.auth.issuer import Derived, Issuer
from hooptui.auth.paths import MISSING, find, printable, steps, worded
from hooptui.auth.refusals import Code, refusal

MAX_GROUPS = 1_000
MAX_GROUP = 256


def groups(claims: Mapping[str, object], issuer: Issuer) -> frozenset[str]:
    """Names under the issuer's groups claim and those made of single claims, each with the issuer's prefix.

    Raises:
        LoginRefused: bad-groups, group-overage or bad-claims.
    """
    found = _claimed(claims, issuer.groups) if issuer.groups else set()
    for one in issuer.derived:
        name = _derived(claims, one)
        if name is not None:
            found.add(name)
    return frozenset(issuer.groups_prefix + name for name in found)


def _claimed(claims: Mapping[str, object], path: str) -> set[str]:
    _no_overage(claims, path)
    value = find(claims, path)
    if value is MISSING:
        return set()
    if not isinstance(value, list):
        raise refusal(Code.BAD_GROUPS, f"{path} is not a list")
    if len(value) > MAX_GROUPS:
        raise refusal(Code.BAD_GROUPS, f"{path} has more than {MAX_GROUPS} members")
    names: set[str] = set()
    for one in value:
        if not printable(one, MAX_GROUP):
            raise refusal(
                Code.BAD_GROUPS, f"{path} has a member that is not a printable string of 1 to {MAX_GROUP} characters"
            )
        names.add(one)
    return names


def _no_overage(claims: Mapping[str, object], path: str) -> None:
    """Entra names claims it left out in `_claim_names` (OpenID Connect Core section 5.6.2), or says `hasgroups`."""
    if "_claim_names" in claims:
        names = claims["_claim_names"]
        if not isinstance(names, Mapping):
            raise refusal(Code.BAD_CLAIMS, "_claim_names is not an object")
        if path in names or steps(path)[0] in names:
            raise refusal(Code.GROUP_OVERAGE, f"_claim_names says that {path} was left out")
    if path == "groups" and claims.get("hasgroups", False) not in (False, "false"):
        raise refusal(Code.GROUP_OVERAGE, "hasgroups says that groups were left out")


def _derived(claims: Mapping[str, object], rule: Derived) -> str | None:
    words: list[str] = []
    for path in rule.claims:
        value = find(claims, path)
        # Providers leave out what does not apply, or send it empty: a job without an environment is in no environment.
        if value is MISSING or value is None or value == "":
            return None
        word = worded(value)
        if not printable(word, MAX_GROUP):
            raise refusal(Code.BAD_GROUPS, f"{path} is not a printable value of 1 to {MAX_GROUP} characters")
        words.append(word)
    return rule.prefix + ":".join(words)

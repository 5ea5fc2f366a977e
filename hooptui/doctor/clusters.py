"""What `hooptui doctor` tries of a cluster: that it is reached and trusted, who the gateway is there, and that it may do what it is to."""

from __future__ import annotations

import secrets
from typing import Any

from hooptui.config.targets import KubernetesTargetConfig
from hooptui.core.clock import SystemClock
from hooptui.credentials.kubernetes_api import ApiTrouble, call
from hooptui.credentials.kubernetes_login import Access
from hooptui.credentials.mint import MintTrouble
from hooptui.credentials.references import CredentialTrouble
from hooptui.doctor.finding import Finding
from hooptui.targets import clusters

SEE = "see targets in the configuration"


async def cluster(config: KubernetesTargetConfig) -> Finding:
    """One cluster."""
    name = f"target {config.target.name}"
    try:
        access = await config.login.access()
    except CredentialTrouble as wrong:
        return Finding(False, name, str(wrong), "the credential's place must exist and be readable by this user only")
    where = access.server.url
    try:
        version, who = await _version(access), await _who(access)
        if not who:
            return Finding(False, name, f"{where}: it does not take the gateway's credential", SEE)
        words = f"{where}: Kubernetes {version}, the gateway is {who}"
        if config.impersonation is not None and not await _may_impersonate(access):
            mend = f"allow {who} to `impersonate` users and groups (a ClusterRole), named ones if you can"
            return Finding(False, name, f"{words}, and may not impersonate", mend)
    except ApiTrouble as trouble:
        return Finding(False, name, trouble.message, "check server, ca_file and firewall")
    return await _mint(name, config, words) if config.mint is not None else Finding(True, name, words)


async def _version(access: Access) -> str:
    _, found = await call(access, "GET", "/version")
    return str(found.get("gitVersion") or "of an unknown version")


async def _who(access: Access) -> str:
    """Its name on the cluster; empty when it has none there."""
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    code, found = await call(access, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
    if code == 404:
        # Before Kubernetes 1.28.
        code, _ = await call(access, "GET", "/api")
        return "somebody" if code == 200 else ""
    user = _at(found, "status", "userInfo", "username")
    return "" if user in ("", "system:anonymous") else user


async def _may_impersonate(access: Access) -> bool:
    for resource in ("users", "groups"):
        wanted = {"resourceAttributes": {"verb": "impersonate", "resource": resource}}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": wanted}
        _, found = await call(access, "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
        if _at(found, "status", "allowed") != "True":
            return False
    return True


async def _mint(name: str, config: KubernetesTargetConfig, words: str) -> Finding:
    """Whether the mint works: it makes one token and takes it back."""
    clock = SystemClock()
    mint = clusters([config], "doctor00", clock)[config.target.name].mint
    if mint is None:
        return Finding(True, name, words)
    try:
        minted = await mint.issue(secrets.token_hex(5), "doctor", clock.now() + 60.0)
        removed = await mint.retire(minted.name)
    except MintTrouble as trouble:
        mend = "the gateway needs create on serviceaccounts/token, and create, get, list, delete on secrets, in that namespace"
        return Finding(False, name, f"{words}; mint: {trouble.code}: {trouble.message}", mend)
    if not removed.confirmed:
        return Finding(False, name, f"{words}; mint: {removed.how}", f"look for the secret {minted.name} and delete it")
    return Finding(True, name, f"{words}; made {minted.kind} {minted.name} and took it back")


def _at(found: Any, *path: str) -> str:
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return "" if found is None else str(found)

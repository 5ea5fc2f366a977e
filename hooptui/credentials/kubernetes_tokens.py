"""A service account's token for one session alone: short (TokenRequest), and bound to an object that is deleted with the session.

A token by itself cannot be taken back before it ends. So each is bound to a Secret without contents that is made for its session: once
that is gone, the API server believes the token no more. The gateway's own login needs `create` on `serviceaccounts/token` of the account,
and `create`, `get`, `list`, `delete` on secrets in its namespace, which had better hold no others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from hooptui.core.clock import Clock
from hooptui.core.secret import Secret
from hooptui.credentials.kubernetes_api import ApiTrouble, call
from hooptui.credentials.kubernetes_login import Login
from hooptui.credentials.mint import Minted, MintTrouble, Removed
from hooptui.credentials.references import CredentialTrouble

KIND: Final = "token"
LABEL: Final = "hooptui.dev/gateway"
IDENTITY: Final = "hooptui.dev/identity"
LEAST: Final = 600
"""Seconds; an API server makes no shorter token."""


@dataclass(frozen=True, slots=True)
class TokenMint:
    """Which tokens are made."""

    namespace: str
    account: str
    """The service account whose rights they have."""
    lasts: float
    """Seconds that one lives; a session that goes on gets another."""
    audiences: tuple[str, ...]
    """Whom they are for; empty for the API server itself."""
    tag: str
    """Tells this gateway's objects from another's."""


class ServiceAccountTokens:
    """Implements `mint.Mint` for one service account on one cluster."""

    def __init__(self, login: Login, settings: TokenMint, clock: Clock) -> None:
        self._login = login
        self._settings = settings
        self._clock = clock

    def name(self, session: str) -> str:
        return f"hooptui-{self._settings.tag}-{session}".lower()

    async def issue(self, session: str, identity: str, until: float | None) -> Minted:
        name, made = self.name(session), self._settings
        base = f"/api/v1/namespaces/{made.namespace}"
        marker = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "labels": {LABEL: made.tag}, "annotations": {IDENTITY: identity}},
            "type": "Opaque",
        }
        code, found = await self._call("POST", f"{base}/secrets", marker)
        if code == 409:
            code, found = await self._call("GET", f"{base}/secrets/{name}")
        uid = self._expected(code, found, "metadata", "uid", doing=f"make the secret {made.namespace}/{name}")
        lasts = made.lasts if until is None else min(made.lasts, until - self._clock.now())
        spec: dict[str, Any] = {
            "expirationSeconds": max(LEAST, int(lasts)),
            "audiences": [*made.audiences],
            "boundObjectRef": {"apiVersion": "v1", "kind": "Secret", "name": name, "uid": uid},
        }
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        code, found = await self._call("POST", f"{base}/serviceaccounts/{made.account}/token", request)
        doing = f"make a token of {made.namespace}/{made.account}"
        token = self._expected(code, found, "status", "token", doing=doing)
        ends = self._expected(code, found, "status", "expirationTimestamp", doing=doing)
        try:
            end = datetime.fromisoformat(ends).timestamp()
        except ValueError:
            raise MintTrouble("mint-refused", f"{doing}: its end is no time") from None
        return Minted(KIND, name, Secret(token), end)

    async def retire(self, name: str) -> Removed:
        where = f"/api/v1/namespaces/{self._settings.namespace}/secrets/{name}"
        code, found = await self._call("DELETE", where)
        if code == 404:
            return Removed(KIND, name, True, "there was none")
        if code >= 300:
            raise self._refused(code, found, f"delete the secret {name}")
        code, _ = await self._call("GET", where)
        if code == 404:
            return Removed(
                KIND, name, True, "the secret that it was bound to is deleted and gone, so it is believed no more"
            )
        return Removed(KIND, name, False, "the secret that it was bound to is deleted and still there")

    async def sweep(self, alive: Callable[[str], bool]) -> tuple[Removed, ...]:
        where = f"/api/v1/namespaces/{self._settings.namespace}/secrets?labelSelector={LABEL}%3D{self._settings.tag}&limit=500"
        code, found = await self._call("GET", where)
        if code != 200:
            raise self._refused(code, found, "list secrets")
        items = found.get("items")
        names = [str((one.get("metadata") or {}).get("name") or "") for one in items or () if isinstance(one, dict)]
        return tuple([await self.retire(name) for name in names if name.startswith("hooptui-") and not alive(name)])

    # --- inside

    async def _call(self, method: str, target: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """Raises:
        MintTrouble: there is no answer that can be read.
        """
        try:
            return await call(await self._login.access(), method, target, body)
        except CredentialTrouble as trouble:
            raise MintTrouble("mint-misconfigured", str(trouble)) from None
        except ApiTrouble as trouble:
            code = trouble.code if trouble.code in ("unreachable", "timeout") else "refused"
            raise MintTrouble(f"mint-{code}", trouble.message) from None

    def _expected(self, code: int, found: dict[str, Any], *path: str, doing: str) -> str:
        value: Any = found
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if code >= 300 or not isinstance(value, str) or not value:
            raise self._refused(code, found, doing)
        return value

    @staticmethod
    def _refused(code: int, found: dict[str, Any], doing: str) -> MintTrouble:
        said = str(found.get("message") or "")[:300] if code >= 300 else "an answer without what was asked for"
        return MintTrouble("mint-refused", f"it may not {doing}: {code} {said}".rstrip())

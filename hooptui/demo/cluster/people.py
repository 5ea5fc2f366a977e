"""Who may come in: bearer tokens, client certificates, service-account tokens of its own making, and impersonation.

Knows no roles. Service-account tokens are JWTs signed with the cluster's own key and bound to nothing but time.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from hooptui.demo.cluster.call import ANONYMOUS, User
from hooptui.demo.cluster.problems import Problem, forbidden, unauthorized

ISSUER = "https://kubernetes.default.svc.cluster.local"
WEBSOCKET_BEARER = "base64url.bearer.authorization.k8s.io."
"""A browser cannot set Authorization, so the API server takes the token as a WebSocket subprotocol."""

May = Callable[[User, str, str, str], bool]
"""May this user impersonate (verb `impersonate`) that resource of that name: user, group, resource, name."""


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class People:
    """See the module."""

    def __init__(self) -> None:
        self._tokens: dict[str, User] = {}
        self._key = secrets.token_bytes(32)
        self._revoked: set[str] = set()

    def issue(self, user: User) -> str:
        """A static bearer token, as of `--token-auth-file`."""
        token = secrets.token_urlsafe(24)
        self._tokens[token] = user
        return token

    def service_token(
        self,
        namespace: str,
        name: str,
        uid: str,
        *,
        lasts: int,
        audiences: list[str],
        pod: Mapping[str, str] | None = None,
    ) -> tuple[str, float]:
        """A service account's token and when it ends, in Unix seconds."""
        now = int(time.time())
        bound: dict[str, object] = {"namespace": namespace, "serviceaccount": {"name": name, "uid": uid}}
        if pod:
            bound["pod"] = dict(pod)
        claims = {
            "aud": audiences, "exp": now + lasts, "iat": now, "nbf": now, "iss": ISSUER, "jti": secrets.token_hex(16),
            "kubernetes.io": bound, "sub": f"system:serviceaccount:{namespace}:{name}",
        }  # fmt: skip
        text = f"{_b64(json.dumps({'alg': 'HS256', 'kid': 'double'}).encode())}.{_b64(json.dumps(claims).encode())}"
        return f"{text}.{self._sign(text)}", float(now + lasts)

    def _sign(self, text: str) -> str:
        return _b64(hmac.digest(self._key, text.encode(), sha256))

    def forget(self, subject: str) -> None:
        """Tokens of a deleted service account (`namespace:name`) are good no longer."""
        self._revoked.add(f"system:serviceaccount:{subject}")

    def remember(self, subject: str) -> None:
        self._revoked.discard(f"system:serviceaccount:{subject}")

    def of_token(self, token: str) -> User | None:
        """Whose token this is; None when nobody's, or no longer."""
        for known, user in self._tokens.items():
            if hmac.compare_digest(known.encode(), token.encode()):
                return User(user.name, _authenticated(user.groups), user.uid, user.extra)
        head, _, signature = token.rpartition(".")
        if not head or not hmac.compare_digest(self._sign(head).encode(), signature.encode()):
            return None
        try:
            claims = json.loads(_unb64(head.split(".")[1]))
        except (binascii.Error, ValueError, IndexError):
            return None
        if claims["exp"] <= time.time() or claims["sub"] in self._revoked:
            return None
        bound = claims["kubernetes.io"]
        namespace = bound["namespace"]
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
        return User(claims["sub"], _authenticated(groups), bound["serviceaccount"]["uid"])

    def who(self, headers: Mapping[str, str], certificate: Mapping[str, Any] | None, may: May) -> User:
        """Who sends these headers over a connection with this certificate (as `ssl` decodes it), impersonation done.

        Raises:
            Problem: 401 for a credential that is none, 403 for impersonation that is not allowed.
        """
        return self._impersonated(self._authenticated_as(headers, certificate), headers, may)

    def _authenticated_as(self, headers: Mapping[str, str], certificate: Mapping[str, Any] | None) -> User:
        if certificate:
            subject = [pair for part in certificate["subject"] for pair in part]
            groups = tuple(value for key, value in subject if key == "organizationName")
            return User(dict(subject)["commonName"], _authenticated(groups))
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            token = _of_subprotocol(headers.get("sec-websocket-protocol", ""))
        if not token.strip():
            return ANONYMOUS
        user = self.of_token(token.strip())
        if user is None:
            raise unauthorized()
        return user

    def _impersonated(self, user: User, headers: Mapping[str, str], may: May) -> User:
        name = headers.get("impersonate-user", "")
        groups = tuple(filter(None, (one.strip() for one in headers.get("impersonate-group", "").split(","))))
        uid = headers.get("impersonate-uid", "")
        extra = {
            key.removeprefix("impersonate-extra-"): tuple(one.strip() for one in value.split(","))
            for key, value in headers.items()
            if key.startswith("impersonate-extra-")
        }
        if not name:
            if groups or uid or extra:
                raise Problem(
                    500,
                    "InternalError",
                    "Internal error occurred: requested impersonation without impersonating a user",
                )
            return user
        parts = name.split(":")
        if name.startswith("system:serviceaccount:") and len(parts) == 4:
            _must(user, may, "", "serviceaccounts", parts[3], name)
            groups = groups or ("system:serviceaccounts", f"system:serviceaccounts:{parts[2]}")
        else:
            _must(user, may, "", "users", name, name)
        for group in groups:
            if not group.startswith("system:serviceaccounts"):
                _must(user, may, "", "groups", group, group)
        return User(name, _authenticated(groups), uid, extra)


def _must(user: User, may: May, group: str, resource: str, name: str, shown: str) -> None:
    if not may(user, group, resource, name):
        raise forbidden(
            f'{resource} "{shown}" is forbidden: User "{user.name}" cannot impersonate resource "{resource}" in API group "{group}" at the cluster scope'
        )


def _authenticated(groups: tuple[str, ...]) -> tuple[str, ...]:
    return groups if "system:authenticated" in groups else (*groups, "system:authenticated")


def _of_subprotocol(offered: str) -> str:
    for one in offered.split(","):
        if one.strip().startswith(WEBSOCKET_BEARER):
            try:
                return _unb64(one.strip().removeprefix(WEBSOCKET_BEARER)).decode()
            except (binascii.Error, ValueError):
                return ""
    return ""

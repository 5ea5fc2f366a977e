"""How the gateway shows its password to a server: SCRAM-SHA-256 with and without channel binding, and md5. Knows no socket.

Sources: RFC 5802, RFC 7677, RFC 5929 (tls-server-end-point), PostgreSQL documentation "SASL Authentication".
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Collection

from scramp import ScramClient, ScramException  # type: ignore[import-untyped]  # it ships no types

from hooptui.core.secret import Secret

ITERATIONS_MAX = 1_000_000
"""A server that asks for more wants our processor, not our password; PostgreSQL's default is 4096."""

_PLUS, _BARE = "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"


class ScramFailed(Exception):
    """The exchange cannot go on; the message says why and holds nothing secret."""


class Scram:
    """One exchange, client's side: `first`, then `final` on the server's first answer, then `check` on its last."""

    def __init__(self, offered: Collection[str], password: Secret, tls: ssl.SSLObject | None) -> None:
        """`tls` is the connection's TLS, to which the exchange is bound where the server offers that.

        Raises:
            ScramFailed: no mechanism in common, or a password or certificate SCRAM cannot work with.
        """
        known = [name for name in (_PLUS, _BARE) if name in offered and (tls is not None or name != _PLUS)]
        if not known:
            raise ScramFailed(
                f"the server offers {', '.join(sorted(offered)) or 'no mechanism'}; {_BARE} and {_PLUS} are known here"
            )
        try:
            # The server goes by the user of the start-up packet and ignores this one, as libpq's empty one shows.
            self._client = ScramClient(
                known, "-", password.reveal(), channel_binding=None if tls is None else ("tls-server-end-point", tls)
            )
            self.mechanism: str = self._client.mechanism_name
        except ScramException as fault:
            raise ScramFailed(f"SCRAM cannot be used: {fault}") from None

    def first(self) -> bytes:
        """The data of SASLInitialResponse."""
        return str(self._client.get_client_first()).encode()

    async def final(self, server_first: bytes) -> bytes:
        """The data of SASLResponse: the proof. Worked out on a thread, for it is meant to be slow.

        Raises:
            ScramFailed: the server's message is no answer to ours, or asks for more work than is reasonable.
        """
        try:
            self._client.set_server_first(server_first.decode())
            if int(self._client.iterations) > ITERATIONS_MAX:
                raise ScramFailed(
                    f"the server asks for {self._client.iterations} iterations; {ITERATIONS_MAX} are allowed"
                )
            final: str = await asyncio.to_thread(self._client.get_client_final)
        except (ScramException, UnicodeDecodeError) as fault:
            raise ScramFailed(f"the server's first SCRAM message is not usable: {fault}") from None
        return final.encode()

    def check(self, server_final: bytes) -> None:
        """The server's own proof that it knows the password.

        Raises:
            ScramFailed: it does not.
        """
        try:
            self._client.set_server_final(server_final.decode())
        except (ScramException, UnicodeDecodeError) as fault:
            raise ScramFailed(f"the server could not prove that it knows the password: {fault}") from None


def md5(user: str, password: Secret, salt: bytes) -> str:
    """The answer to AuthenticationMD5Password."""
    inner = hashlib.md5(password.reveal().encode() + user.encode(), usedforsecurity=False).hexdigest()
    return "md5" + hashlib.md5(inner.encode() + salt, usedforsecurity=False).hexdigest()

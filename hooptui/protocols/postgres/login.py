"""How a client proves who it is, once TLS is up and its start-up packet is read: by password, by SCRAM with a lease, by OAUTHBEARER.

Which one is the user name's to say: `hl_…` is a lease and proves its secret without sending it, `oauth` brings a token the way
of RFC 7628, anybody else sends a token or a lease as the password. Sources: PostgreSQL documentation, "SASL Authentication"
and "OAuth Authorization/Authentication". Knows no target and not what a credential is worth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from hooptui.core.gate import LoginRefused
from hooptui.core.model import ScramKeys
from hooptui.core.secret import Secret
from hooptui.protocols.base import Bearer, Credential, ProvedLease
from hooptui.protocols.postgres import build, codec, sasl
from hooptui.protocols.postgres.dialogue import Dialogue, Gone

CREDENTIAL_MAX = 64 * 1024
"""Bytes of a message with a password or token."""

LEASE = "hl_"
"""How the user name of a lease begins."""

OAUTH = "oauth"
"""The user name that asks for OAUTHBEARER."""

WRONG = "28P01"


class LeaseBook(Protocol):
    """The part of the doorman that SCRAM needs."""

    def lease_keys(self, lease: str, *, peer: str) -> ScramKeys: ...

    def lease_failed(self, lease: str, *, protocol: str, target: str, peer: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways in beside the password that a listener offers."""

    leases: LeaseBook | None = None
    binding: bytes | None = None
    """What logins are bound to, see `sasl.server_end_point`; None when channel binding cannot be offered."""
    oauth: sasl.OAuth | None = None


PASSWORD_ONLY = Ways()


class NotProved(Exception):
    """The client did not show a credential. `code` is for the operator, `sqlstate`, `message` and `hint` are the client's.

    Codes: `no-credential`, `sasl`, `channel-binding`, what the doorman said of a lease; `lease-wrong`, of which it knows already, and
    `discovery`, when a client only asked where to get a token.
    """

    def __init__(self, code: str, sqlstate: str, message: str, *, hint: str = "", log: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.sqlstate = sqlstate
        self.message = message
        self.hint = hint
        self.log = log or message


@dataclass(frozen=True, slots=True)
class Shown:
    """A credential, and how its refusal begins."""

    credential: Credential
    challenge: bytes = b""
    """What an OAUTHBEARER client has to be told, and to answer, before the error."""

    async def refused(self, dialogue: Dialogue) -> None:
        """Say what the protocol wants said before the error."""
        if self.challenge:
            await _challenge(dialogue, self.challenge)


async def prove(dialogue: Dialogue, ways: Ways, *, user: str, database: str, peer: str) -> Shown:
    """Ask for the credential that goes with `user`, and take it.

    Raises:
        NotProved: there is none, or it is wrong.
        Gone, ProtocolViolation: see `Dialogue`.
    """
    if ways.leases is not None and user.startswith(LEASE):
        return await _lease(dialogue, ways, ways.leases, user, database, peer)
    if ways.oauth is not None and user == OAUTH:
        return await _oauth(dialogue, ways.oauth)
    return await _password(dialogue)


async def _password(dialogue: Dialogue) -> Shown:
    dialogue.send(build.CLEARTEXT_REQUEST)
    raw = await _answer(dialogue, CREDENTIAL_MAX)
    try:
        token = codec.password(raw).decode()
    except UnicodeDecodeError:
        raise NotProved("no-credential", WRONG, "the password is not UTF-8 text") from None
    if not token:
        raise NotProved(
            "no-credential", WRONG, "the password is empty", hint="Give the OIDC token or the lease as the password."
        )
    return Shown(Bearer(Secret(token)))


async def _lease(dialogue: Dialogue, ways: Ways, leases: LeaseBook, user: str, database: str, peer: str) -> Shown:
    try:
        keys = leases.lease_keys(user, peer=peer)
    except LoginRefused as no:
        raise NotProved(no.code, WRONG, no.message, hint=no.hint, log=no.log) from None
    exchange = sasl.ScramServer(keys, ways.binding)
    try:
        dialogue.send(sasl.request(exchange.mechanisms))
        first = exchange.first(sasl.initial(await _answer(dialogue, sasl.SCRAM_MAX + 64)))
        dialogue.send(sasl.proceed(first))
        last = exchange.final(sasl.response(await _answer(dialogue, sasl.SCRAM_MAX)))
    except sasl.SaslFailed as failed:
        if failed.code != "wrong-proof":
            raise _broken(failed) from None
        leases.lease_failed(user, protocol="postgres", target=database, peer=peer)
        raise NotProved(
            "lease-wrong",
            WRONG,
            f'the secret of lease "{user}" is wrong, or there is no such lease',
            hint="Leases live for an hour or so; get a new one with hooptui login.",
        ) from None
    dialogue.send(sasl.outcome(last))
    return Shown(ProvedLease(user))


async def _oauth(dialogue: Dialogue, oauth: sasl.OAuth) -> Shown:
    dialogue.send(sasl.request((sasl.OAUTHBEARER,)))
    try:
        token = sasl.bearer(sasl.initial(await _answer(dialogue, CREDENTIAL_MAX)))
    except sasl.SaslFailed as failed:
        raise _broken(failed) from None
    if not token:
        await _challenge(dialogue, oauth.challenge)
        raise NotProved("discovery", "28000", "no token was given", hint=f"Get one from {oauth.issuer}")
    return Shown(Bearer(token), oauth.challenge)


async def _challenge(dialogue: Dialogue, challenge: bytes) -> None:
    dialogue.send(sasl.proceed(challenge))
    if sasl.response(await _answer(dialogue, sasl.SCRAM_MAX)) != sasl.DUMMY:
        raise NotProved(
            "sasl", "08P01", "the client answered the refusal of its token with something else than it must"
        )


def _broken(failed: sasl.SaslFailed) -> NotProved:
    return NotProved(failed.code, "08P01" if failed.code == "sasl" else "28000", failed.message)


async def _answer(dialogue: Dialogue, limit: int) -> bytes:
    """The client's next message; what it says is checked by whoever asked.

    Raises:
        Gone: it took its leave instead.
    """
    kind, raw = await dialogue.frame(limit, expected=b"pX")
    if kind == ord("X"):
        raise Gone
    return raw

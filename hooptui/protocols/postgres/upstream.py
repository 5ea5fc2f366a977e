"""The server's side of the handshake: from settings to a session of a real PostgreSQL that is ready for queries.

Sources: PostgreSQL documentation, "Message Flow: Start-up" and "Canceling Requests in Progress". Knows no client but the
start-up settings it asked for, and no masking: notices and parameters come as the server sent them.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

from hooptui.core.secret import Secret
from hooptui.protocols.postgres import build, codec
from hooptui.protocols.postgres.dial import Address, Fault, SslMode, Upstream, UpstreamFailed, dial, within
from hooptui.protocols.postgres.dialogue import Dialogue, Gone
from hooptui.protocols.postgres.scram import Scram, ScramFailed, md5
from hooptui.protocols.postgres.wire import ProtocolViolation

__all__ = ["Address", "Connected", "Fault", "SslMode", "Upstream", "UpstreamFailed", "cancel", "connect"]

HANDSHAKE_MAX = 1 << 20
"""Bytes a server may send until it is ready, all messages together; some two thousand are usual."""

CANCEL_TIMEOUT = 5.0

_AUTH, _ERROR, _NOTICE, _NEGOTIATE, _PARAMETER, _KEY, _READY = b"RENvSKZ"
_OK, _CLEARTEXT, _MD5, _SASL, _SASL_CONTINUE, _SASL_FINAL = 0, 3, 5, 10, 11, 12

_BY_STATE = {
    "28000": Fault.WRONG_CREDENTIAL,
    "28P01": Fault.WRONG_CREDENTIAL,
    "3D000": Fault.NO_SUCH_DATABASE,
    "53300": Fault.TOO_MANY_CONNECTIONS,
    "57P01": Fault.NOT_READY,
    "57P02": Fault.NOT_READY,
    "57P03": Fault.NOT_READY,
    "22023": Fault.BAD_SETTING,
    "42704": Fault.BAD_SETTING,
    "42601": Fault.BAD_SETTING,
}
"""What an SQLSTATE at this stage means; any other is `rejected`."""


@dataclass(frozen=True, slots=True)
class Connected:
    """A session upstream, ready for queries, its transport paused. `hand_over` it to the relay or `close` it."""

    parameters: tuple[tuple[bytes, bytes], ...]
    """ParameterStatus as reported, in order."""
    pid: int
    key: bytes = field(repr=False)
    """The real cancel key; never shown to a client."""
    notices: tuple[bytes, ...]
    """Whole NoticeResponse messages the server sent meanwhile; raw."""
    status: bytes
    """Transaction status of the first ReadyForQuery."""
    minor: int
    """Minor version of protocol 3 spoken."""
    address: Address
    encrypted: bool
    dialogue: Dialogue = field(repr=False)

    @property
    def transport(self) -> asyncio.Transport:
        return self.dialogue.transport

    def hand_over(self, successor: asyncio.Protocol) -> None:
        """Give transport and unread bytes to the relay; see `Dialogue.hand_over`."""
        self.dialogue.hand_over(successor)

    async def close(self) -> None:
        await self.dialogue.close(build.TERMINATE)


async def connect(upstream: Upstream, parameters: Mapping[str, str], *, minor: int = 0) -> Connected:
    """Log in and wait until the server is ready.

    `parameters` are the client's start-up parameters; all but `user`, `database`, `replication` and protocol options are
    passed on. `minor` is the protocol version asked for; the server may speak less.

    Raises:
        UpstreamFailed: with a code for each reason.
    """
    async with within(upstream, upstream.connect_timeout, "until the session was ready"):
        dialogue, address, encrypted = await dial(upstream)
        try:
            return await _Login(upstream, dialogue, address, encrypted, minor).run(parameters)
        except BaseException:
            dialogue.abort()
            raise


async def cancel(
    upstream: Upstream, pid: int, key: bytes, *, address: Address | None = None, timeout: float = CANCEL_TIMEOUT
) -> None:
    """Ask the server to cancel what backend `pid` runs; returns once the server has taken note, or `timeout` seconds passed.

    Encrypted exactly as a session would be, as libpq does. `address` is the one the session is connected to.

    Raises:
        UpstreamFailed: the request may not have arrived.
    """
    async with within(upstream, timeout, "to take a cancel request"):
        dialogue, _, _ = await dial(upstream, address)
        try:
            dialogue.send(build.cancel(pid, key))
            try:
                # The server answers with the end of file, after it has sent the signal.
                await dialogue.read(1)
            except Gone:
                return
            raise ProtocolViolation("it answered a cancel request")
        finally:
            dialogue.abort()


class _Login:
    """One login: what the server has said so far."""

    def __init__(self, upstream: Upstream, dialogue: Dialogue, address: Address, encrypted: bool, minor: int) -> None:
        self._upstream = upstream
        self._dialogue = dialogue
        self._address = address
        self._encrypted = encrypted
        self._minor = minor
        self._left = HANDSHAKE_MAX
        self._authenticated = False
        self._answered = False
        """A password has been sent; a server asks once."""
        self._scram: Scram | None = None
        self._proved = False
        self._parameters: list[tuple[bytes, bytes]] = []
        self._notices: list[bytes] = []
        self._key: codec.BackendKey | None = None

    async def run(self, parameters: Mapping[str, str]) -> Connected:
        passed = [(name, value) for name, value in parameters.items() if _passes(name)]
        own = [("user", self._upstream.user), ("database", self._upstream.database)]
        self._dialogue.send(build.startup([*own, *passed], minor=self._minor))
        while True:
            kind, raw = await self._dialogue.frame(self._left)
            self._left -= len(raw)
            if kind == _ERROR:
                raise self._failed(codec.error_fields(raw))
            if kind == _NOTICE:
                codec.error_fields(raw)
                self._notices.append(raw)
            elif not self._authenticated:
                await self._before(kind, raw)
            elif kind == _PARAMETER:
                self._parameters.append(codec.parameter_status(raw))
            elif kind == _KEY:
                self._key = codec.backend_key(raw)
            elif kind == _READY:
                return self._connected(codec.ready_for_query(raw))
            else:
                raise ProtocolViolation(f"message of type {kind:#04x} came before the session was ready")

    async def _before(self, kind: int, raw: bytes) -> None:
        """One message before AuthenticationOk."""
        if kind == _AUTH:
            await self._answer(codec.authentication(raw))
        elif kind == _NEGOTIATE and self._scram is None:
            self._minor = min(self._minor, codec.negotiation(raw).minor)
        else:
            raise ProtocolViolation(f"message of type {kind:#04x} came before authentication was over")

    async def _answer(self, asked: codec.Authentication) -> None:
        upstream, data = self._upstream, asked.data
        if asked.code in (_SASL, _SASL_CONTINUE, _SASL_FINAL):
            await self._sasl(asked)
        elif self._scram is not None and not self._proved:
            raise ProtocolViolation("the server skipped its own proof in SCRAM")
        elif asked.code == _OK and not data:
            self._authenticated = True
        elif self._answered or self._scram is not None:
            raise ProtocolViolation("the server asked for the password twice")
        elif asked.code == _CLEARTEXT and not data:
            if not self._encrypted:
                raise UpstreamFailed(
                    Fault.REJECTED,
                    f"{upstream.place} asks for the password in the clear; the gateway sends that inside TLS only",
                )
            self._answered = True
            self._dialogue.send(build.password(self._password().reveal()))
        elif asked.code == _MD5 and len(data) == 4:
            self._answered = True
            self._dialogue.send(build.password(md5(upstream.user, self._password(), data)))
        else:
            raise UpstreamFailed(
                Fault.REJECTED, f"{upstream.place} asks for authentication method {asked.code}, which is not supported"
            )

    async def _sasl(self, asked: codec.Authentication) -> None:
        try:
            if asked.code == _SASL and self._scram is None and not self._answered:
                self._scram = Scram(codec.sasl_mechanisms(asked.data), self._password(), self._tls())
                self._dialogue.send(build.sasl_initial(self._scram.mechanism, self._scram.first()))
            elif asked.code == _SASL_CONTINUE and self._scram is not None:
                self._dialogue.send(build.sasl_response(await self._scram.final(asked.data)))
            elif asked.code == _SASL_FINAL and self._scram is not None:
                self._scram.check(asked.data)
                self._proved = True
            else:
                raise ProtocolViolation("the steps of SASL came out of order")
        except ScramFailed as fault:
            raise UpstreamFailed(Fault.PROTOCOL, f"{self._upstream.place}: {fault}") from None

    def _tls(self) -> ssl.SSLObject | None:
        tls: ssl.SSLObject | None = self._dialogue.transport.get_extra_info("ssl_object")
        return tls

    def _password(self) -> Secret:
        if self._upstream.password is None:
            raise UpstreamFailed(
                Fault.WRONG_CREDENTIAL,
                f"{self._upstream.place} asks user {self._upstream.user!r} for a password; none is configured",
            )
        return self._upstream.password

    def _connected(self, status: bytes) -> Connected:
        if self._key is None:
            raise ProtocolViolation("the session is ready without a key to cancel it")
        return Connected(
            tuple(self._parameters), self._key.pid, self._key.key, tuple(self._notices), status, self._minor,
            self._address, self._encrypted, self._dialogue,
        )  # fmt: skip

    def _failed(self, fields: dict[str, bytes]) -> UpstreamFailed:
        text = {code: value[:500].decode("utf-8", "replace") for code, value in fields.items()}
        state = text.get("C", "")
        hint = f"; hint: {text['H']}" if text.get("H") else ""
        return UpstreamFailed(
            _BY_STATE.get(state, Fault.REJECTED),
            f"{self._upstream.place} says: {text.get('M', 'nothing')} (SQLSTATE {state}){hint}",
            fields=fields,
        )


def _passes(name: str) -> bool:
    return name not in ("user", "database", "replication") and not name.startswith("_pq_.")

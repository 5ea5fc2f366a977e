"""The gate's side of one SSH connection: who the client is, and what each of its requests is handed to.

A certificate of our own authority that names a live lease, a lease or token as password, or a browser somewhere else. Every
refusal is told in the banner, which stock clients print. Whoever comes as `login` gets a certificate instead of a host. Knows
no target's connection.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

import asyncssh
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import SSHCertificate, load_ssh_public_identity

from hooptui.core.gate import LoginRefused
from hooptui.core.model import Lease
from hooptui.core.secret import Secret
from hooptui.core.session import Session
from hooptui.core.visible import visible
from hooptui.credentials.ssh_certificates import PRINCIPAL
from hooptui.protocols.base import Bearer, Credential, Doorman, Logins, ProvedLease, Signed
from hooptui.protocols.ssh import names, replies
from hooptui.protocols.ssh.guess import judge_guesses
from hooptui.protocols.ssh.interview import Challenge, Interview
from hooptui.protocols.ssh.limits import Limits
from hooptui.protocols.ssh.link import Link, SshTarget
from hooptui.protocols.ssh.operations import PROTOCOL
from hooptui.protocols.ssh.relay import ClientEnd
from hooptui.protocols.ssh.sessions import SessionChannel
from hooptui.protocols.ssh.signing import KeyDesk
from hooptui.protocols.ssh.tunnel import Forwards

Validate: TypeAlias = Callable[[str, bytes, bytes, bytes], Awaitable[bool]]

LEASE: Final = "hl_"
"""How the identifier of a lease begins."""


@dataclass(frozen=True, slots=True)
class Named:
    """What a certificate of our authority says."""

    identity: str
    lease: str


def named(key_data: bytes) -> Named | None:
    """Identity and lease of a certificate as `SshCa` makes it; None for anything else. Whether it is good was seen before."""
    length = int.from_bytes(key_data[:4], "big")
    kind = key_data[4 : 4 + length]
    try:
        found = load_ssh_public_identity(kind + b" " + base64.b64encode(key_data))
    except (ValueError, UnsupportedAlgorithm):
        return None
    if not isinstance(found, SSHCertificate) or len(found.valid_principals) != 1:
        return None
    try:
        key_id, principal = found.key_id.decode(), found.valid_principals[0].decode()
    except UnicodeDecodeError:
        return None
    identity, space, lease = key_id.rpartition(" ")
    if not space or not lease.startswith(LEASE):
        identity, lease = key_id, ""
    return Named(identity, lease) if principal == PRINCIPAL + identity else None


class Reception(asyncssh.SSHServer):
    """See the module. One for each connection."""

    def __init__(
        self,
        doorman: Doorman,
        find: Callable[[str], SshTarget | None],
        link: Callable[[asyncssh.SSHServerConnection, Session, SshTarget], Link],
        limits: Limits,
        peer: str,
        *,
        logins: Logins | None,
        wait: Callable[[float | None], bool],
    ) -> None:
        """`find` gives a target by its name, `link` makes what a session goes on over; `wait` as `Interview` takes it."""
        self.link: Link | None = None
        """Set once the client is in."""
        self.lease: Lease | None = None
        """Set instead when it came as `login`."""
        self.wrong = 0
        """Passwords that were refused."""
        self._doorman = doorman
        self._find = find
        self._make = link
        self._limits = limits
        self._peer = peer
        self._logins = logins
        self._wait = wait
        self._shown = 0
        """Keys and certificates that were shown and let nobody in."""
        self._interview: Interview | None = None
        self._connection: asyncssh.SSHServerConnection | None = None
        self._validate: Validate | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # --- who it is

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        judge_guesses(conn)
        self._validate = conn.validate_public_key
        # asyncssh tells a server which authority signed, not whom; so the answer is taken on its way.
        # What a session may do is the policy's to say; certificates say more and less for other servers.
        conn.check_certificate_permission = lambda permission: True  # type: ignore[method-assign]  # as above
        conn.validate_public_key = self._public_key  # type: ignore[method-assign, assignment]  # there is no hook that sees the certificate

    def connection_lost(self, exc: Exception | None) -> None:
        if self._interview is not None:
            self._interview.over()
        for task in tuple(self._tasks):
            task.cancel()

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    async def validate_password(self, username: str, password: str) -> bool:
        if await self._admit(username, Bearer(Secret(password)), cut=len(password.encode()) == replies.CUT):
            return True
        self._count()
        return False

    def kbdint_auth_supported(self) -> bool:
        return True

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> Challenge | bool:
        if self._interview is not None and self._interview.over():
            # A wait that is broken off is an attempt too, or one could follow the other for ever.
            self._count()
        self._interview = Interview(
            self._logins, self._peer, admit=partial(self._admit, username), say=self._say, wait=self._wait
        )
        return self._interview.ask()

    async def validate_kbdint_response(self, username: str, responses: Sequence[str]) -> Challenge | bool:
        if self._interview is None:
            return False
        found = await self._interview.answered(responses)
        if found is False:
            self._count()
        return found

    def _count(self) -> None:
        self.wrong += 1
        if self.wrong >= self._limits.attempts and self._connection is not None:
            self._connection.disconnect(asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, "too many wrong passwords")

    async def _public_key(self, username: str, key_data: bytes, message: bytes, signature: bytes) -> bool:
        """Whether a certificate is good; with its signature, whether it lets somebody in. So many may be shown, and no more."""
        if await self._proves(username, key_data, message, signature):
            return True
        self._shown += 1
        if self._shown >= self._limits.keys and self._connection is not None:
            self._connection.disconnect(
                asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, "too many keys that let nobody in"
            )
        return False

    async def _proves(self, username: str, key_data: bytes, message: bytes, signature: bytes) -> bool:
        if self._asks_for_login(username):
            # What a certificate leads to is never another certificate: that would outlast whoever gave the first one.
            return False
        # Our authority, its signature, its kind, the times, the source address, and the client's own signature: by asyncssh.
        assert self._validate is not None
        if not await self._validate(username, key_data, message, signature):
            return False
        found = named(key_data)
        if found is None:
            self._refused("certificate-foreign", "the certificate is not one that this gateway gives to people")
            return False
        if not message:
            return True
        if not found.lease:
            said = "this certificate was given for a token, which says nothing of your groups: get one with a lease, by hooptui login"
            self._refused("certificate-no-lease", said)
            return False
        return await self._admit(username, ProvedLease(found.lease), identity=found.identity)

    async def _admit(self, username: str, credential: Credential, *, identity: str = "", cut: bool = False) -> bool:
        if self._asks_for_login(username):
            return await self._admit_for_login(credential, cut=cut)
        asked = names.read(username)
        connection = self._connection
        assert connection is not None
        target = self._find(asked.target)
        name = asked.target
        if target is not None and asked.login not in ("", target.upstream.user):
            # The same words as for a target that there is not: which accounts a host has is nobody's business.
            target, name = None, username
        application = visible(str(connection.get_extra_info("client_version", "")))[:128]
        try:
            session = await self._doorman.admit(
                credential,
                name if target is None else target.target.name,
                protocol=PROTOCOL,
                peer=self._peer,
                application=application,
            )
        except LoginRefused as no:
            self._say(replies.CUT_WORDS if cut else no.message, "" if cut else no.hint)
            return False
        if target is None or (identity and session.identity.key != identity):
            # The doorman admits to known targets only, and leases keep their identities: whichever is wrong, nobody gets in.
            self._doorman.left(session, "the gateway does not agree with itself about who this is, or where to")
            return False
        self.link = self._make(connection, session, target)
        return True

    def _asks_for_login(self, username: str) -> bool:
        return username == names.LOGIN and self._logins is not None

    async def _admit_for_login(self, credential: Credential, *, cut: bool) -> bool:
        assert self._logins is not None
        try:
            self.lease = await self._logins.lease(credential, peer=self._peer)
        except LoginRefused as no:
            self._say(replies.CUT_WORDS if cut else no.message, "" if cut else no.hint)
            return False
        return True

    def _refused(self, code: str, message: str) -> None:
        self._doorman.refused(code, message, protocol=PROTOCOL, target="", peer=self._peer)
        self._say(message, "")

    def _say(self, message: str, hint: str) -> None:
        if self._connection is not None:
            lines = tuple(line for line in (message, hint) if line)
            self._connection.send_auth_banner(replies.shown(lines, terminal=True).decode())

    # --- what it wants

    def session_requested(self) -> tuple[asyncssh.SSHServerChannel[bytes], asyncssh.SSHServerSession[bytes]]:
        if self.lease is not None and self._logins is not None and self._connection is not None:
            lease, self.lease = self.lease, None
            desk = KeyDesk(partial(self._sign, lease), self._spawn, partial(self._doorman.trouble, ""))
            return SessionChannel(self._connection, self._limits), desk
        link = self._open()
        return SessionChannel(link.connection, self._limits), ClientEnd(link)

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> Coroutine[Any, Any, asyncssh.SSHTCPSession[bytes]]:
        # Never True, which would have the gateway itself dial.
        return Forwards(self._open()).out(dest_host, dest_port, orig_host, orig_port)

    def unix_connection_requested(self, dest_path: str) -> Coroutine[Any, Any, asyncssh.SSHUNIXSession[bytes]]:
        return Forwards(self._open()).out_unix(dest_path)

    async def server_requested(self, listen_host: str, listen_port: int) -> asyncssh.SSHListener | bool:
        return False if self.link is None else await Forwards(self.link).listen(listen_host, listen_port) or False

    async def unix_server_requested(self, listen_path: str) -> asyncssh.SSHListener | bool:
        return False if self.link is None else await Forwards(self.link).listen_unix(listen_path) or False

    def _sign(self, lease: Lease, key: bytes) -> Signed:
        assert self._logins is not None
        return self._logins.sign(lease, key, peer=self._peer)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _open(self) -> Link:
        """Raises:
        asyncssh.ChannelOpenError: it may open no channel now.
        """
        if self.link is None or self.link.closing:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "the session is over")
        if len(self.link.runs) >= self._limits.channels:
            said = f"more than {self._limits.channels} channels at a time"
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_RESOURCE_SHORTAGE, said)
        return self.link

"""OpenSSH user certificates (PROTOCOL.certkeys): the gateway's own authority, and short certificates for proven identities.

The authority's key lies in the state directory, private to its owner, and is made at first use. A certificate says who and
by which lease, and gives a terminal and nothing else: no forwarding, no agent, no X11, no rc file.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    SSHCertificateBuilder,
    SSHCertificateType,
    load_ssh_private_key,
    load_ssh_public_key,
)

from hooptui.core.model import Identity

LASTS: Final = 600.0
"""Seconds a certificate is valid."""
EARLIER: Final = 30
"""Seconds before now at which it begins, for clocks that differ."""
RSA_BITS: Final = (2048, 8192)
MAX_KEY_ID: Final = 1024
PRINCIPAL: Final = "hooptui:"
"""Put before an identity's key to make its one principal: no login name of any host is like it."""
KEY_NAME: Final = "ssh_ca"


class BadKey(ValueError):
    """A public key that is not signed; the message is for whoever sent it."""


@dataclass(frozen=True, slots=True)
class SshCertificate:
    """One signed certificate. Nothing in it is secret."""

    certificate: str
    """One line, as in `id_ed25519-cert.pub`."""
    key_id: str
    """What sshd and the gateway log: the identity's key, and the lease after a space when there was one."""
    serial: int
    until: float
    """Unix seconds."""


class SshCa:
    """The gateway's authority for user certificates."""

    def __init__(self, key: ed25519.Ed25519PrivateKey) -> None:
        self._key = key
        self.public_key = public_line(key.public_key())
        """One line for `TrustedUserCAKeys`."""

    @classmethod
    def kept(cls, state_dir: Path) -> SshCa:
        """The authority whose key lies in `state_dir`; made when there is none.

        Raises:
            OSError: it cannot be made or read, others may read it, or it is not an Ed25519 key in OpenSSH's format.
        """
        return cls(kept_key(state_dir / KEY_NAME))

    def sign(self, public_key: bytes, identity: Identity, lease: str, *, now: float) -> SshCertificate:
        """A certificate for one OpenSSH public key line.

        Args:
            public_key: As in `id_ed25519.pub`, at most one line.
            lease: Identifier of the lease that the client proved itself with; empty for a token.
            now: Unix seconds.

        Raises:
            BadKey: it is no such line, or of a type or size that is not signed.
        """
        key = _client_key(public_key)
        until = now + LASTS
        if identity.expires_at is not None:
            until = min(until, identity.expires_at)
        if until <= now:
            raise BadKey("the login that a certificate was asked for is over")
        key_id = _bounded(f"{identity.key} {lease}".rstrip())
        serial = secrets.randbits(63)
        made = (
            SSHCertificateBuilder()
            .public_key(key)
            .serial(serial)
            .type(SSHCertificateType.USER)
            .key_id(key_id.encode())
            .valid_principals([_bounded(PRINCIPAL + identity.key).encode()])
            .valid_after(max(0, int(now) - EARLIER))
            .valid_before(int(until))
            .add_extension(b"permit-pty", b"")
            .sign(self._key)
        )
        return SshCertificate(made.public_bytes().decode("ascii"), key_id, serial, float(int(until)))

    def lend(self, key: ed25519.Ed25519PublicKey, user: str, key_id: str, *, now: float, until: float) -> str:
        """A certificate line for the gateway's own use: it lets `key` in as `user` on hosts that trust this authority.

        Args:
            user: The account on the host, its one principal; no identity's principal is ever like it.
            key_id: What the host's sshd logs.
            now, until: Unix seconds.

        Raises:
            ValueError: the account could be mistaken for an identity, or there is no time left.
        """
        if not user or user.startswith(PRINCIPAL):
            raise ValueError(f"found the account {user!r}, expected one that is no identity's principal")
        if until <= now:
            raise ValueError("the session that a certificate was asked for is over")
        made = (
            SSHCertificateBuilder()
            .public_key(key)
            .serial(secrets.randbits(63))
            .type(SSHCertificateType.USER)
            .key_id(key_id.encode()[:MAX_KEY_ID])
            .valid_principals([user.encode()])
            .valid_after(max(0, int(now) - EARLIER))
            .valid_before(int(until))
            .add_extension(b"permit-pty", b"")
            .add_extension(b"permit-port-forwarding", b"")
            .sign(self._key)
        )
        return made.public_bytes().decode("ascii")


def _client_key(raw: bytes) -> ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey:
    lines = raw.strip().splitlines()
    if len(lines) != 1:
        raise BadKey("the body must be one OpenSSH public key, as in id_ed25519.pub")
    if b"-cert-" in lines[0][:64]:
        raise BadKey("found a certificate, expected the plain public key, as in id_ed25519.pub")
    try:
        key = load_ssh_public_key(lines[0])
    except (ValueError, UnsupportedAlgorithm):
        raise BadKey("the body is not an OpenSSH public key, as in id_ed25519.pub") from None
    match key:
        case ed25519.Ed25519PublicKey() | ec.EllipticCurvePublicKey():
            return key
        case rsa.RSAPublicKey() if RSA_BITS[0] <= key.key_size <= RSA_BITS[1]:
            return key
        case rsa.RSAPublicKey():
            raise BadKey(f"found an RSA key of {key.key_size} bits, expected {RSA_BITS[0]} to {RSA_BITS[1]}")
        case _:
            raise BadKey("keys of this type are not signed; expected Ed25519, ECDSA or RSA")


def _bounded(text: str) -> str:
    """Refuse what would not fit whole: a name cut short could be somebody else's."""
    if len(text.encode()) > MAX_KEY_ID:
        raise BadKey(f"the identity's name has more than {MAX_KEY_ID} bytes, which no certificate carries")
    return text


def kept_key(path: Path) -> ed25519.Ed25519PrivateKey:
    """The private key in a file, and its public line beside it as `.pub`; made when there is none.

    Raises:
        OSError: as `SshCa.kept`.
    """
    if not path.exists():
        _make(path)
    key, public = _read(path), path.with_suffix(".pub")
    if not public.exists():
        public.write_text(f"{public_line(key.public_key())} hooptui\n")
    return key


def public_line(key: ed25519.Ed25519PublicKey) -> str:
    """As in `id_ed25519.pub`, without a comment."""
    return key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode("ascii")


def _make(path: Path) -> None:
    """Put a new key there whole, or find that somebody else just did."""
    raw = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(new)
    finally:
        new.unlink()


def _read(path: Path) -> ed25519.Ed25519PrivateKey:
    mode = path.stat().st_mode
    if mode & 0o077:
        raise OSError(f"{path}: found mode {mode & 0o777:04o}, expected 0600: others could read the key")
    try:
        key = load_ssh_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise OSError(f"{path}: expected an unencrypted private key in OpenSSH's format") from None
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise OSError(f"{path}: found another type of key, expected Ed25519")
    return key

"""The stock ssh client: a key of its own, a short certificate renewed when a connection needs it, and the host it is for."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    SSHCertificate,
    load_ssh_private_key,
    load_ssh_public_identity,
)

from hooptui.errors import UserError
from hooptui.login import files
from hooptui.login.gateway import Signed
from hooptui.login.state import Login, Place

ENOUGH: Final = 60.0
"""Seconds that a certificate must have left to be used once more."""
_ODD: Final = re.compile(r'["\\\n\r*?\[\]%$]')
"""What ssh_config would take for the end of a word, a pattern or something to expand."""


def public_key(place: Place) -> str:
    """The public key of this login's own key pair, which is made when it is missing, as one OpenSSH line.

    Raises:
        UserError: the key that is there cannot be used.
    """
    raw = files.read(place.ssh_key)
    if raw is None:
        made = Ed25519PrivateKey.generate()
        raw = made.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        files.write(place.ssh_key, raw)
    try:
        key = load_ssh_private_key(raw, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UserError(f"{place.ssh_key}: no plain OpenSSH private key; remove it, and a new one is made") from None
    line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    files.write(place.ssh_key.with_suffix(".pub"), f"{line} hooptui\n".encode(), mode=0o644)
    return line


def left(place: Place, now: float) -> float:
    """Seconds for which the kept certificate is still good for the kept key; 0 when there is none. Raises UserError."""
    raw = files.read(place.ssh_certificate)
    if raw is None:
        return 0.0
    try:
        found = load_ssh_public_identity(raw)
        if not isinstance(found, SSHCertificate):
            return 0.0
        ours = found.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() == public_key(place)
        return max(0.0, found.valid_before - now) if ours else 0.0
    except (ValueError, UnsupportedAlgorithm):
        return 0.0


def renew(place: Place, sign: Callable[[str], Signed], now: float) -> None:
    """Have the key signed, unless the certificate is good for a while. Raises UserError, and what `sign` does."""
    if left(place, now) < ENOUGH:
        signed = sign(public_key(place))
        files.write(place.ssh_certificate, signed.certificate.encode() + b"\n", mode=0o644)


def install(
    place: Place,
    login: Login,
    address: tuple[str, int],
    host_ca: str,
    command: Sequence[str],
    environment: Mapping[str, str],
) -> Path:
    """Make the host called like the gateway, in a file of our own that ~/.ssh/config includes; returns the latter.

    With `host_ca`, a public key line, the host is known by its certificate and nothing is trusted at first use. The gateway's name
    stands for the host there, whatever address it is reached at.

    Our line comes first there, because ssh takes the first value it finds; what a file included there says of hosts ends
    with that file, so the lines after it mean what they meant.

    Raises:
        UserError: a file cannot be read or written.
    """
    if _ODD.search(str(place.directory)) or any(set(word) & set('"\\\n\r') for word in command):
        raise UserError(f"{place.directory}: ssh_config cannot hold this path, or the one of hooptui, for a sign in it")
    known = ""
    if host_ca:
        files.write(place.ssh_known_hosts, f"@cert-authority {login.name} {host_ca}\n".encode(), mode=0o644)
        known = f"""
    HostKeyAlias {login.name}
    UserKnownHostsFile "{place.ssh_known_hosts}" ~/.ssh/known_hosts"""
    renewal = shlex.join(command).replace("%", "%%")
    text = f"""# Written by `hooptui login`; written anew at each login.
Host {login.name}
    HostName {address[0]}
    Port {address[1]}{known}
Match originalhost {login.name} exec "{renewal}"
    IdentityFile "{place.ssh_key}"
    CertificateFile "{place.ssh_certificate}"
    IdentitiesOnly yes
"""
    files.write(place.ssh_config, text.encode())
    config = files.home(environment) / ".ssh" / "config"
    files.put_section(config, login.name, f'Include "{place.ssh_config}"', new="first")
    return config

"""Certificates for the gateway's own SSH host key (PROTOCOL.certkeys), by an authority of their own: no client has to trust at first use.

Another authority than the one for people: who may say "I am this gateway" and who may say "I am this person" are two powers. Its
key lies in the state directory, private to its owner, and is made at first use.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import SSHCertificateBuilder, SSHCertificateType, load_ssh_public_key

from hooptui.credentials.ssh_certificates import EARLIER, kept_key, public_line

KEY_NAME: Final = "ssh_host_ca"
DAY: Final = 86_400.0
LASTS: Final = 30 * DAY
"""Seconds that a certificate is valid."""
RENEWED: Final = 20 * DAY
"""Seconds after which a running gateway makes itself the next one."""


@dataclass(frozen=True, slots=True)
class HostCertificate:
    """One signed certificate of a host key. Nothing in it is secret."""

    certificate: str
    """One line, as in `ssh_host_ed25519_key-cert.pub`."""
    renew_at: float
    """Unix seconds at which it is time for the next one; it is good for a while longer."""


class HostCa:
    """The gateway's authority for host certificates."""

    def __init__(self, key: ed25519.Ed25519PrivateKey) -> None:
        self._key = key
        self.public_key = public_line(key.public_key())
        """One line, for what clients trust; see `trust`."""

    @classmethod
    def kept(cls, state_dir: Path) -> HostCa:
        """The authority whose key lies in `state_dir`; made when there is none.

        Raises:
            OSError: it cannot be made or read, others may read it, or it is not an Ed25519 key in OpenSSH's format.
        """
        return cls(kept_key(state_dir / KEY_NAME))

    def certify(self, host_key: str, names: Sequence[str], *, now: float) -> HostCertificate:
        """A certificate for a host key.

        Args:
            host_key: The public key, one OpenSSH line.
            names: What clients may call the host: names and addresses without a port, `*` and `?` as in OpenSSH's patterns.
            now: Unix seconds.

        Raises:
            ValueError: it is no Ed25519 key, or there are no names: such a certificate would be good for every host there is.
        """
        key = load_ssh_public_key(host_key.encode())
        if not isinstance(key, ed25519.Ed25519PublicKey):
            raise ValueError("found another type of host key, expected Ed25519")
        if not names or not all(names):
            raise ValueError("found no name, expected those that clients call the host by")
        made = (
            SSHCertificateBuilder()
            .public_key(key)
            .serial(secrets.randbits(63))
            .type(SSHCertificateType.HOST)
            .key_id(b"hooptui")
            .valid_principals([name.encode() for name in dict.fromkeys(names)])
            .valid_after(max(0, int(now) - EARLIER))
            .valid_before(int(now + LASTS))
            .sign(self._key)
        )
        return HostCertificate(made.public_bytes().decode("ascii"), now + RENEWED)


def trust(public_key: str, names: Sequence[str], port: int) -> str:
    """A line for known_hosts: whoever has a certificate of this authority is the gateway, under these names (sshd(8))."""
    shown = ",".join(dict.fromkeys(name if port == 22 else f"[{name}]:{port}" for name in names))
    return f"@cert-authority {shown} {public_key}"

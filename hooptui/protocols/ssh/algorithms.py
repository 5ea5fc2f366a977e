"""Which algorithms are spoken, as ssh-audit advises: nothing it calls weak, AES-GCM first because it is the fastest here.

AES-CTR stays for clients without GCM, dropbear's among them. ChaCha20 is left out: asyncssh's is the slowest, and OpenSSH
would pick it first.
"""

from __future__ import annotations

from typing import Final

ENCRYPTION: Final = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "aes256-ctr",
    "aes192-ctr",
    "aes128-ctr",
)
KEX: Final = (
    "mlkem768x25519-sha256",
    "sntrup761x25519-sha512",
    "sntrup761x25519-sha512@openssh.com",
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "diffie-hellman-group18-sha512",
    "diffie-hellman-group16-sha512",
)
MAC: Final = (
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
)
"""The last two for dropbear, which has no encrypt-then-MAC."""
COMPRESSION: Final = ("none", "zlib@openssh.com")
SIGNATURES: Final = (
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
"""Of clients' keys: no SHA-1, no DSA."""


def available(wanted: tuple[str, ...], known: list[bytes]) -> list[str]:
    """Those of `wanted` that this machine's libraries have, in their order."""
    return [name for name in wanted if name.encode() in known]

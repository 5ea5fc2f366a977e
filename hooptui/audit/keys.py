"""The journal's signing key and the fingerprints' key: made at first start, kept in the state directory, never shown.

Knows files of mode 0600 and nothing of what is signed.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hooptui.audit.files import JournalError, read_private, write_new


@dataclass(frozen=True, slots=True)
class Checker:
    """The public half."""

    public: Ed25519PublicKey
    fingerprint: str
    """SHA-256 of the key's DER (SubjectPublicKeyInfo), hex: what `openssl pkey -pubin -outform DER | sha256sum` prints."""

    def good(self, message: bytes, signature: bytes) -> bool:
        try:
            self.public.verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True, repr=False)
class Signer:
    """The private half."""

    private: Ed25519PrivateKey
    fingerprint: str

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message)


def signer(state: Path, *, fresh: bool) -> Signer:
    """The signing key of a state directory; made, with its public half beside it, when `fresh` and there is none.

    Raises:
        JournalError: it is missing although there is a journal, others may read it, or it is no Ed25519 key.
        OSError: it cannot be read or written.
    """
    path, public_path = state / "journal.key", state / "journal.pub"
    if not path.exists():
        if not fresh:
            raise JournalError(
                f"{path}: missing, but there is a journal; restore the key, or move {state} away to begin anew"
            )
        private = Ed25519PrivateKey.generate()
        pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_new(path, pem)
    loaded = _pem(path, read_private(path))
    public = loaded.public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    if not public_path.exists():
        write_new(public_path, pem, mode=0o644)
    if checker(public_path).fingerprint != fingerprint(public):
        raise JournalError(f"{public_path}: is not the public half of {path}; restore the right one")
    return Signer(loaded, fingerprint(public))


def checker(path: Path) -> Checker:
    """The public key in a PEM file.

    Raises:
        JournalError: it is no Ed25519 public key.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        text = file.read(10_000)
    try:
        public = serialization.load_pem_public_key(text)
    except ValueError:
        raise JournalError(f"{path}: not a public key in PEM") from None
    if not isinstance(public, Ed25519PublicKey):
        raise JournalError(f"{path}: not an Ed25519 public key")
    return Checker(public, fingerprint(public))


def fingerprint(public: Ed25519PublicKey) -> str:
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return sha256(der).hexdigest()


def hmac_key(state: Path) -> bytes:
    """The key of operation fingerprints: 32 random bytes, made when missing (grants do not outlive the process).

    Raises:
        JournalError: others may read it, or it is too short.
        OSError: it cannot be read or written.
    """
    path = state / "fingerprint.key"
    if not path.exists():
        write_new(path, secrets.token_bytes(32))
    key = read_private(path)
    if len(key) < 32:
        raise JournalError(f"{path}: has {len(key)} bytes instead of 32; remove it and a new one is made")
    return key


def _pem(path: Path, text: bytes) -> Ed25519PrivateKey:
    try:
        private = serialization.load_pem_private_key(text, password=None)
    except (ValueError, TypeError):
        raise JournalError(f"{path}: not an unencrypted private key in PEM; restore it") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise JournalError(f"{path}: not an Ed25519 private key; restore it")
    return private

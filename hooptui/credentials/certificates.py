"""The gateway's own TLS certificate: a CA made once, a server certificate that renews itself, or files the user brings.

Knows files and X.509; knows no listener. Clients verify against `ca.crt`, which therefore outlives every leaf and is never
replaced behind their back: whatever is wrong with it is an error that names the file, not a reason to make a new one.
"""

from __future__ import annotations

import fcntl
import os
import ssl
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LOCAL = ("localhost", "127.0.0.1", "::1")
"""Names every server certificate carries."""

CA_LASTS = timedelta(days=3650)
LEAF_LASTS = timedelta(days=397)
RENEW_BEFORE = timedelta(days=30)
"""A leaf is replaced once it has no more than this left."""

_BACKDATE = timedelta(hours=1)
"""Clients' clocks may be behind."""


class CertificateTrouble(Exception):
    """A certificate or key cannot be used. The message names the file, what was found and what was expected."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """Where the gateway's TLS material lies."""

    ca: Path
    """What clients verify against (`sslrootcert`)."""
    certificate: Path
    key: Path
    ends: float
    """Unix seconds at which the server certificate ends."""
    made: bool
    """True when the server certificate is new, so that the operator can be told."""


def ensure(directory: Path, names: Iterable[str], *, now: float) -> Certificates:
    """The CA and server certificate of `directory` (0700), made or renewed where needed.

    `names` are DNS names and IP addresses clients connect by; the local ones are added. `now` is in Unix seconds. Safe
    against another process doing the same, and against a crash between any two steps.

    Raises:
        CertificateTrouble: the directory or a file in it cannot be used; nothing was replaced.
    """
    wanted = _names((*names, *LOCAL))
    moment = datetime.fromtimestamp(now, UTC)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(directory):
            _only_ours(directory, 0o077, "0700")
            ca = directory / "ca.crt"
            _ensure_ca(directory, moment)
            made = not _leaf_serves(directory, wanted, moment)
            if made:
                _issue_leaf(directory, wanted, moment)
            leaf = _read_certificate(directory / "server.crt")
            return Certificates(
                ca, directory / "server.crt", directory / "server.key", leaf.not_valid_after_utc.timestamp(), made
            )
    except OSError as fault:
        raise CertificateTrouble(f"{fault.filename or directory}: {fault.strerror or fault}") from fault


def server_context(certificate: Path, key: Path, *, now: float) -> ssl.SSLContext:
    """A server's context: TLS 1.2 or newer, ALPN `postgresql`, no session tickets.

    Raises:
        CertificateTrouble: a file cannot be read, is not PEM, is encrypted, has ended, may be read by everybody, or the two
            do not belong together.
    """
    try:
        _only_ours(key, 0o007, "0600 or 0640")
        leaf, private = _read_certificate(certificate), _read_key(key)
    except OSError as fault:
        raise CertificateTrouble(f"{fault.filename or certificate}: {fault.strerror or fault}") from fault
    moment = datetime.fromtimestamp(now, UTC)
    if leaf.not_valid_after_utc <= moment:
        raise CertificateTrouble(
            f"{certificate}: the certificate ended on {leaf.not_valid_after_utc:%Y-%m-%d}; expected a valid one"
        )
    if leaf.not_valid_before_utc > moment:
        raise CertificateTrouble(
            f"{certificate}: the certificate begins on {leaf.not_valid_before_utc:%Y-%m-%d}; expected a valid one"
        )
    if not _belong(leaf, private):
        raise CertificateTrouble(f"{key}: this key does not belong to the first certificate in {certificate}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.num_tickets = 0
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    context.set_alpn_protocols(["postgresql"])
    try:
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as fault:
        raise CertificateTrouble(
            f"{certificate}: OpenSSL does not take it with {key}: {fault.reason or fault}"
        ) from fault
    return context


# --- inside


def _names(given: Iterable[str]) -> tuple[x509.GeneralName, ...]:
    """The names as a certificate holds them, each once, in order.

    Raises:
        CertificateTrouble: one is no DNS name and no IP address.
    """
    found: dict[x509.GeneralName, None] = {}
    for name in given:
        address: IPv4Address | IPv6Address
        try:
            address = ip_address(name)
        except ValueError:
            text = name.rstrip(".").lower()
            try:
                if not text or not text.isascii() or len(text) > 253 or any(c in text for c in " /:@\0"):
                    raise ValueError(name)
                found[x509.DNSName(text)] = None
            except ValueError:
                raise CertificateTrouble(f"{name!r} is neither a DNS name nor an IP address") from None
        else:
            found[x509.IPAddress(address)] = None
    return tuple(found)


def _ensure_ca(directory: Path, moment: datetime) -> None:
    """Make the CA unless there is one; what is there is checked, never replaced."""
    path, key_path = directory / "ca.crt", directory / "ca.key"
    if not path.exists():
        if (directory / "server.crt").exists():
            raise CertificateTrouble(
                f"{path}: missing beside a server.crt it has signed; bring it back, or move {directory} away"
            )
        # A ca.key alone was left by a crash between the two writes; nothing was ever signed with it.
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [x509.NameAttribute(NameOID.COMMON_NAME, f"hooptui CA {x509.random_serial_number():x}"[:40])]
        )
        public = key.public_key()
        certificate = (
            _builder(subject, subject, public, moment, moment + CA_LASTS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(key, hashes.SHA256())
        )
        _write(key_path, _pem(key), 0o600)
        _write(path, certificate.public_bytes(Encoding.PEM), 0o644)
        return
    certificate = _read_certificate(path)
    if certificate.not_valid_after_utc <= moment:
        raise CertificateTrouble(
            f"{path}: the CA ended on {certificate.not_valid_after_utc:%Y-%m-%d}; move {directory} away and give clients the new ca.crt"
        )


def _leaf_serves(directory: Path, wanted: tuple[x509.GeneralName, ...], moment: datetime) -> bool:
    """Whether the server certificate is there, ours, ours to use, long enough and for these names."""
    path, key_path = directory / "server.crt", directory / "server.key"
    if not path.exists() or not key_path.exists():
        return False
    _only_ours(key_path, 0o077, "0600")
    try:
        leaf, key = _read_certificate(path), _read_key(key_path)
        leaf.verify_directly_issued_by(_read_certificate(directory / "ca.crt"))
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (CertificateTrouble, InvalidSignature, ValueError, TypeError, x509.ExtensionNotFound):
        # Torn, foreign or of another CA: this certificate is ours to replace, unlike the CA.
        return False
    return (
        _belong(leaf, key)
        and set(names) == set(wanted)
        and leaf.not_valid_before_utc <= moment
        and leaf.not_valid_after_utc - moment > RENEW_BEFORE
    )


def _issue_leaf(directory: Path, wanted: tuple[x509.GeneralName, ...], moment: datetime) -> None:
    ca_path, ca_key_path = directory / "ca.crt", directory / "ca.key"
    if not ca_key_path.exists():
        raise CertificateTrouble(
            f"{ca_key_path}: missing, but {directory / 'server.crt'} must be issued anew and only this key can"
        )
    _only_ours(ca_key_path, 0o077, "0600")
    ca, ca_key = _read_certificate(ca_path), _read_key(ca_key_path)
    if not isinstance(ca_key, ec.EllipticCurvePrivateKey) or not _belong(ca, ca_key):
        raise CertificateTrouble(f"{ca_key_path}: this key does not belong to {ca_path}")
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    first = wanted[0].value
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, str(first)[:64])])
    leaf = (
        _builder(subject, ca.subject, public, moment, min(moment + LEAF_LASTS, ca.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(wanted), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    # A crash between these two leaves a pair that does not belong together, which the next start replaces.
    _write(directory / "server.key", _pem(key), 0o600)
    _write(directory / "server.crt", leaf.public_bytes(Encoding.PEM), 0o644)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, moment: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - _BACKDATE)
        .not_valid_after(end)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _belong(certificate: x509.Certificate, key: PrivateKeyTypes) -> bool:
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return certificate.public_key().public_bytes(*form) == key.public_key().public_bytes(*form)


def _read_certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())[0]
    except ValueError:
        raise CertificateTrouble(f"{path}: expected a certificate in PEM (-----BEGIN CERTIFICATE-----)") from None


def _read_key(path: Path) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(path.read_bytes(), None)
    except TypeError:
        raise CertificateTrouble(f"{path}: the private key is encrypted; expected one without a passphrase") from None
    except ValueError:
        raise CertificateTrouble(f"{path}: expected a private key in PEM (-----BEGIN PRIVATE KEY-----)") from None


def _only_ours(path: Path, forbidden: int, expected: str) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & forbidden:
        raise CertificateTrouble(f"{path}: mode {mode:04o} lets others in; expected {expected}")


def _write(path: Path, content: bytes, mode: int) -> None:
    """Put `content` at `path` at once and for good: a reader sees the old file or the new one, never a part."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold the directory against another process that starts at the same moment; makes renames in it durable at the end."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

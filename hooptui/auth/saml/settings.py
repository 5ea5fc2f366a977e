"""What the operator says about one SAML identity provider and about us towards it. Settings only: knows no XML."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hooptui.auth.urls import check_url
from hooptui.core.model import Kind

PERSISTENT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
TRANSIENT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
UNSPECIFIED: Final = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"

MAX_ENTITY: Final = 1024
"""SAML core section 8.3.6: an entity identifier has at most 1024 characters."""
MAX_CERTIFICATES: Final = 4
"""Two are enough for a rollover; each costs one signature check."""
LEAST_RSA: Final = 2048
CURVES: Final = ("secp256r1", "secp384r1", "secp521r1")

_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----[^-]{1,16384}-----END CERTIFICATE-----")
_MAX_FILE = 256 * 1024


@dataclass(frozen=True, slots=True)
class SamlIdp:
    """One identity provider as we know it beforehand. Nothing of this is ever taken from a response.

    Raises:
        ValueError: on construction, naming the field, what was found and what is expected.
    """

    entity_id: str
    """Exactly as the provider's responses have it in `Issuer`."""
    sso_url: str
    """Where its single sign-on service takes an HTTP-Redirect request."""
    certificates: tuple[x509.Certificate, ...] = field(repr=False)
    """The certificates it may sign with; more than one while it rolls its key over."""

    def __post_init__(self) -> None:
        _check_entity(self.entity_id, "entity_id")
        check_url(self.sso_url, "sso_url")
        if "#" in self.sso_url:
            raise ValueError(f"sso_url: {self.sso_url!r} has a fragment; expected a URL that can take a query")
        if not 1 <= len(self.certificates) <= MAX_CERTIFICATES:
            raise ValueError(f"certificates: found {len(self.certificates)}, expected 1 to {MAX_CERTIFICATES}")
        for certificate in self.certificates:
            _check_key(certificate)

    @classmethod
    def pinned(cls, entity_id: str, sso_url: str, files: Iterable[Path]) -> SamlIdp:
        """The provider with the certificates of these PEM files.

        Raises:
            ValueError: as on construction, or a file cannot be read or has no certificate.
        """
        found: list[x509.Certificate] = []
        for file in files:
            found.extend(certificates(read_bounded(file, "certificates").decode("utf-8", "replace"), str(file)))
        return cls(entity_id, sso_url, tuple(found))


@dataclass(frozen=True, slots=True)
class SamlWay:
    """One way to log in by SAML: a provider, our name towards it, and how its attributes become an identity.

    Raises:
        ValueError: on construction, naming the field, what was found and what is expected.
    """

    id: str
    """Short name in paths (`/saml/{id}/login`): lower-case letters, digits and hyphens."""
    title: str
    """What the login page calls it."""
    idp: SamlIdp
    sp_entity_id: str
    """Our own entity identifier; every assertion must name it as its audience."""
    subject: str = ""
    """Name of the attribute that is the identity's subject; empty for the NameID."""
    name_id_format: str = PERSISTENT
    """The format we ask for, and the only one accepted when the NameID is the subject. Never transient then."""
    name: str = ""
    """Name of the attribute with the display name; the subject where it is missing or not fit to print."""
    groups: str = ""
    """Name of the attribute with the groups; empty when this provider hands out none."""
    groups_prefix: str = ""
    """Put before every group, so that one provider cannot hand out another's groups."""
    kind: Kind = Kind.HUMAN
    leeway: float = 30.0
    """Seconds by which clocks may differ."""
    max_age: float = 300.0
    """Seconds after its issue within which a response must reach us."""
    authn_contexts: tuple[str, ...] = ()
    """Authentication context classes that are good enough, asked for and checked; empty for any."""
    force_authn: bool = False
    """Ask the provider to have the person prove themselves anew."""

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise ValueError(f"id: found {self.id!r}, expected up to 32 lower-case letters, digits and inner hyphens")
        if not self.title.strip() or len(self.title) > 64 or not self.title.isprintable():
            raise ValueError("title: expected 1 to 64 printable characters")
        _check_entity(self.sp_entity_id, "sp_entity_id")
        if self.sp_entity_id == self.idp.entity_id:
            raise ValueError("sp_entity_id: found the provider's own entity_id; expected another name")
        for label, text in (("subject", self.subject), ("name", self.name), ("groups", self.groups)):
            if len(text) > 256 or (text and (not text.isprintable() or text != text.strip())):
                raise ValueError(f"{label}: expected the name of an attribute of at most 256 printable characters")
        if self.kind is Kind.AGENT:
            raise ValueError("kind: found agent; SAML names no owner, expected human or workload")
        self._check_format()
        if len(self.authn_contexts) > 16 or not all(_is_uri(one) for one in self.authn_contexts):
            raise ValueError("authn_contexts: expected at most 16 URIs of authentication context classes")
        for label, value, least, most in (("leeway", self.leeway, 0.0, 300.0), ("max_age", self.max_age, 10.0, 3600.0)):
            if not least <= value <= most:
                raise ValueError(f"{label}: found {value:g}, expected {least:g} to {most:g} seconds")

    def _check_format(self) -> None:
        if not _is_uri(self.name_id_format):
            raise ValueError(f"name_id_format: found {self.name_id_format!r}, expected the URI of a NameID format")
        if self.name_id_format == TRANSIENT and not self.subject:
            raise ValueError(
                "name_id_format: a transient NameID is another one at each login; set subject to an attribute that stays"
            )


def certificates(text: str, where: str) -> tuple[x509.Certificate, ...]:
    """The certificates in a PEM text.

    Raises:
        ValueError: there is none, or one cannot be read; `where` names the text.
    """
    blocks = _PEM.findall(text)
    if not blocks or len(blocks) != text.count("-----BEGIN "):
        raise ValueError(
            f"certificates: {where} is not made of PEM certificates only (BEGIN CERTIFICATE … END CERTIFICATE)"
        )
    try:
        return tuple(x509.load_pem_x509_certificate(block.encode("ascii")) for block in blocks)
    except ValueError:
        raise ValueError(f"certificates: {where} has a certificate that cannot be read") from None


def read_bounded(file: Path, label: str) -> bytes:
    """The file's bytes.

    Raises:
        ValueError: it cannot be read, or is larger than 256 KiB.
    """
    try:
        with file.open("rb") as stream:
            raw = stream.read(_MAX_FILE + 1)
    except OSError as bad:
        raise ValueError(f"{label}: {file} cannot be read ({bad.strerror})") from None
    if len(raw) > _MAX_FILE:
        raise ValueError(f"{label}: {file} is larger than {_MAX_FILE // 1024} KiB")
    return raw


def _check_key(certificate: x509.Certificate) -> None:
    subject = certificate.subject.rfc4514_string()
    match certificate.public_key():
        case rsa.RSAPublicKey() as key if key.key_size >= LEAST_RSA:
            return
        case rsa.RSAPublicKey() as key:
            raise ValueError(
                f"certificates: {subject} has an RSA key of {key.key_size} bits, expected at least {LEAST_RSA}"
            )
        case ec.EllipticCurvePublicKey() as key if key.curve.name in CURVES:
            return
        case _:
            raise ValueError(f"certificates: {subject} has a key that is neither RSA nor on {', '.join(CURVES)}")


def _check_entity(text: str, label: str) -> None:
    if not _is_uri(text):
        raise ValueError(f"{label}: found {text!r}, expected a URI of at most {MAX_ENTITY} printable ASCII characters")


def _is_uri(text: str) -> bool:
    return 0 < len(text) <= MAX_ENTITY and text.isascii() and text.isprintable() and " " not in text

"""SAML responses made to measure: right ones signed by signxml, and wrong ones signed by hand where signxml would not."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureConstructionMethod, SignatureMethod
from signxml.signer import XMLSigner

from hooptui.auth.saml.names import DS, ENVELOPED, EXC_C14N, SAML, SAMLP
from hooptui.auth.saml.request import Asked
from hooptui.auth.saml.service import ServiceProvider
from hooptui.auth.saml.settings import SamlIdp, SamlWay
from hooptui.core.clock import ManualClock

NOW = 1_800_000_000.0
IDP = "https://idp.example.com/saml"
SP = "https://bastion.example.com/saml/corp"
ACS = "https://bastion.example.com/saml/acs"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
ASKED = Asked("_req0123456789abcdef0123456789abcdef01234567", "corp", ACS, "https://idp.example.com/sso?x")
PLACE = f'<ds:Signature xmlns:ds="{DS}" Id="placeholder"/>'

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def at(seconds: float) -> str:
    """An instant this far from NOW."""
    return datetime.fromtimestamp(NOW + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def certificate(key: Key, name: str, *, ends: float = 3.15e8) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begins = datetime.fromtimestamp(NOW, UTC) - timedelta(days=3650)
    return (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(begins)
        .not_valid_after(datetime.fromtimestamp(NOW + ends, UTC)).sign(key, hashes.SHA256())
    )  # fmt: skip


KEY = rsa.generate_private_key(65537, 2048)
CERT = certificate(KEY, "idp")
EVIL = rsa.generate_private_key(65537, 2048)
EVIL_CERT = certificate(EVIL, "idp")
CURVE = ec.generate_private_key(ec.SECP256R1())
CURVE_CERT = certificate(CURVE, "idp")


class Memory:
    """A replay store that forgets nothing."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], float] = {}

    def seen(self, kind: str, id_: str, until: float) -> bool:
        new = (kind, id_) not in self.held
        self.held[(kind, id_)] = until
        return new


def way(certificates: Sequence[x509.Certificate] = (CERT,), **changes: Any) -> SamlWay:
    idp = SamlIdp(IDP, "https://idp.example.com/sso?x", tuple(certificates))
    settings: dict[str, Any] = {"groups": "groups", "name": "displayName"} | changes
    return SamlWay(id="corp", title="Corporate", idp=idp, sp_entity_id=SP, **settings)


def provider(settings: SamlWay | None = None, now: float = NOW) -> ServiceProvider:
    return ServiceProvider(settings or way(), ManualClock(now), Memory())


def b64(raw: bytes | str) -> str:
    return base64.b64encode(raw.encode() if isinstance(raw, str) else raw).decode()


def attribute(name: str, *values: str) -> str:
    inner = "".join(f"<saml:AttributeValue>{value}</saml:AttributeValue>" for value in values)
    return f'<saml:Attribute Name="{name}">{inner}</saml:Attribute>'


def assertion(
    *,
    name: str = "_a1",
    place: str = PLACE,
    issuer: str = f"<saml:Issuer>{IDP}</saml:Issuer>",
    version: str = "2.0",
    issued: str = at(0),
    subject: str = "etl-7",
    name_id: str | None = None,
    qualifier: str = "",
    method: str = "urn:oasis:names:tc:SAML:2.0:cm:bearer",
    data: str | None = None,
    recipient: str = ACS,
    answers: str = ASKED.id,
    confirmed_until: str = at(120),
    confirmation: str | None = None,
    begins: str = at(-5),
    ends: str = at(120),
    audiences: str = f"<saml:AudienceRestriction><saml:Audience>{SP}</saml:Audience></saml:AudienceRestriction>",
    conditions: str | None = None,
    authn_at: str = at(-5),
    session: str = f' SessionNotOnOrAfter="{at(3600)}"',
    context: str = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
    authn: str | None = None,
    attributes: str | None = None,
    extra: str = "",
    spaces: str = "",
) -> str:
    """An assertion's text: right, but for what is said otherwise."""
    if name_id is None:
        name_id = f'<saml:NameID Format="{PERSISTENT}"{qualifier}>{subject}</saml:NameID>'
    if data is None:
        data = f'<saml:SubjectConfirmationData InResponseTo="{answers}" Recipient="{recipient}" NotOnOrAfter="{confirmed_until}"/>'
    if confirmation is None:
        confirmation = f'<saml:SubjectConfirmation Method="{method}">{data}</saml:SubjectConfirmation>'
    if conditions is None:
        conditions = f'<saml:Conditions NotBefore="{begins}" NotOnOrAfter="{ends}">{audiences}</saml:Conditions>'
    if authn is None:
        authn = (
            f'<saml:AuthnStatement AuthnInstant="{authn_at}"{session}><saml:AuthnContext><saml:AuthnContextClassRef>'
            f"{context}</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>"
        )
    if attributes is None:
        attributes = attribute("displayName", "ETL seven") + attribute("groups", "agents", "night")
    statement = f"<saml:AttributeStatement>{attributes}</saml:AttributeStatement>" if attributes else ""
    return (
        f'<saml:Assertion xmlns:saml="{SAML}"{spaces} ID="{name}" Version="{version}" IssueInstant="{issued}">{issuer}{place}'
        f"<saml:Subject>{name_id}{confirmation}</saml:Subject>{conditions}{authn}{statement}{extra}</saml:Assertion>"
    )


def envelope(
    inner: str,
    *,
    name: str = "_r1",
    place: str = "",
    issuer: str = f'<saml:Issuer xmlns:saml="{SAML}">{IDP}</saml:Issuer>',
    version: str = "2.0",
    issued: str = at(0),
    answers: str | None = ASKED.id,
    destination: str | None = ACS,
    status: str = '<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>',
    before: str = "",
    root: str = "Response",
    spaces: str = "",
) -> str:
    """A response around assertions, likewise."""
    answer = "" if answers is None else f' InResponseTo="{answers}"'
    sent = "" if destination is None else f' Destination="{destination}"'
    return (
        f'<samlp:{root} xmlns:samlp="{SAMLP}"{spaces} ID="{name}" Version="{version}" IssueInstant="{issued}"{answer}{sent}>'
        f"{issuer}{place}{before}{status}{inner}</samlp:{root}>"
    )


def sign(
    text: str,
    key: Key = KEY,
    cert: x509.Certificate = CERT,
    method: SignatureMethod = SignatureMethod.RSA_SHA256,
    digest: DigestAlgorithm = DigestAlgorithm.SHA256,
) -> str:
    """The element of this text with an enveloped signature in its place, as any good provider makes it."""
    root = etree.fromstring(text)
    signer = XMLSigner(
        SignatureConstructionMethod.enveloped, method, digest, CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0
    )
    done = signer.sign(
        root, key=pem(key), cert=[cert], reference_uri=f"#{root.get('ID')}", id_attribute="ID",
    )  # fmt: skip
    return etree.tostring(done, encoding="unicode")


def pem(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@cache
def good(**changes: Any) -> str:
    """A right response with a signed assertion."""
    return envelope(sign(assertion(**changes)))


def c14n(text: str, **how: Any) -> bytes:
    return etree.tostring(etree.fromstring(text), method="c14n", **({"exclusive": True, "with_comments": False} | how))


def x509_info(cert: x509.Certificate) -> str:
    der = b64(cert.public_bytes(serialization.Encoding.DER))
    return f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{der}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"


def transform(uri: str, inner: str = "") -> str:
    return f'<ds:Transform Algorithm="{uri}">{inner}</ds:Transform>'


def reference(
    digested: bytes, uri: str, transforms: str, digest: str = "http://www.w3.org/2001/04/xmlenc#sha256"
) -> str:
    algorithm = hashes.SHA1() if digest.endswith("#sha1") else hashes.SHA256()
    hasher = hashes.Hash(algorithm)
    hasher.update(digested)
    return (
        f'<ds:Reference URI="{uri}"><ds:Transforms>{transforms}</ds:Transforms><ds:DigestMethod Algorithm="{digest}"/>'
        f"<ds:DigestValue>{b64(hasher.finalize())}</ds:DigestValue></ds:Reference>"
    )


ENVELOPED_EXC = transform(ENVELOPED) + transform(EXC_C14N)
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"


def by_hand(
    text: str,
    *,
    references: str | None = None,
    uri: str | None = None,
    transforms: str = ENVELOPED_EXC,
    canonical: str = EXC_C14N,
    method: str = RSA_SHA256,
    digest: str = "http://www.w3.org/2001/04/xmlenc#sha256",
    info: str = "",
    extra: str = "",
    how: dict[str, Any] | None = None,
    mac: Callable[[bytes], bytes] | None = None,
    key: rsa.RSAPrivateKey = KEY,
) -> str:
    """An element with a signature of any form in its place; the numbers in it are right for what it says it is."""
    bare = text.replace(PLACE, "")
    if references is None:
        references = reference(
            c14n(bare, **(how or {})),
            f"#{etree.fromstring(text).get('ID')}" if uri is None else uri,
            transforms,
            digest,
        )
    signed = (
        f'<ds:SignedInfo xmlns:ds="{DS}"><ds:CanonicalizationMethod Algorithm="{canonical}"/>'
        f'<ds:SignatureMethod Algorithm="{method}"/>{references}</ds:SignedInfo>'
    )
    inclusive = {} if "exc" in canonical else {"exclusive": False}
    data = c14n(signed, **inclusive)
    hasher = hashes.SHA1() if method.endswith("sha1") else hashes.SHA256()
    value = mac(data) if mac else key.sign(data, padding.PKCS1v15(), hasher)
    signature = f'<ds:Signature xmlns:ds="{DS}">{signed}<ds:SignatureValue>{b64(value)}</ds:SignatureValue>{info}{extra}</ds:Signature>'
    return text.replace(PLACE, signature)


def mac_with(secret: bytes) -> Callable[[bytes], bytes]:
    def make(data: bytes) -> bytes:
        counter = hmac.HMAC(secret, hashes.SHA256())
        counter.update(data)
        return counter.finalize()

    return make


def changed(text: str, *pairs: tuple[str, str]) -> str:
    """The text with each first part replaced by its second; each must be there."""
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text

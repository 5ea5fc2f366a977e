"""The one signature form that is accepted, and what it proves: an element, as the verifier itself read it.

The form (SAML core section 5.4, narrowed): a `Signature` directly in the Response or the Assertion, one reference to that
element's own ID, the enveloped-signature transform and exclusive canonicalisation and no other, SHA-2, by a pinned key.
signxml does the cryptography; what is returned is its own parse of the bytes that were digested, nothing else. Knows no
time but the certificates', and no request.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from hooptui.auth.refusals import quoted
from hooptui.auth.saml.document import assertion_of, local, parser
from hooptui.auth.saml.names import DSIG11, ENVELOPED, EXC_C14N, ds, saml
from hooptui.auth.saml.refusals import SamlCode, refusal

RSA_METHODS: Final = frozenset(
    {
        SignatureMethod.RSA_SHA256,
        SignatureMethod.RSA_SHA384,
        SignatureMethod.RSA_SHA512,
        SignatureMethod.SHA256_RSA_MGF1,
        SignatureMethod.SHA384_RSA_MGF1,
        SignatureMethod.SHA512_RSA_MGF1,
    }
)
EC_METHODS: Final = frozenset(
    {SignatureMethod.ECDSA_SHA256, SignatureMethod.ECDSA_SHA384, SignatureMethod.ECDSA_SHA512}
)
DIGESTS: Final = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})
CURVE_URIS: Final = {
    "urn:oid:1.2.840.10045.3.1.7": "secp256r1",
    "urn:oid:1.3.132.0.34": "secp384r1",
    "urn:oid:1.3.132.0.35": "secp521r1",
}
MAX_PREFIXES: Final = 16

_METHODS = {method.value: method for method in RSA_METHODS | EC_METHODS}
_DIGESTS = {digest.value: digest for digest in DIGESTS}


@dataclass(frozen=True, slots=True)
class Proved:
    """What a signature vouches for."""

    assertion: etree._Element
    """The assertion, parsed anew from the bytes that were digested."""
    response: etree._Element | None
    """The whole response likewise, when it is signed as well; None when only the assertion is."""


def prove(root: etree._Element, certificates: Sequence[x509.Certificate], now: float) -> Proved:
    """Check every signature in a response that `document.response` has let through. At least one must be there.

    `now` is in Unix seconds, for the pinned certificates' own validity.

    Raises:
        LoginRefused: saml-unsigned, saml-signature-place, saml-reference, saml-transform, saml-canonicalisation,
            saml-algorithm, saml-key-type, saml-foreign-key, saml-certificate-expired or saml-bad-signature.
    """
    assertion = assertion_of(root)
    whole = _verified(root, root, "./", certificates, now) if _signature(root) is not None else None
    part = None
    if _signature(assertion) is not None:
        part = _verified(root, assertion, f"./{saml('Assertion')}/", certificates, now)
    if part is None:
        if whole is None:
            raise refusal(SamlCode.UNSIGNED, "neither the response nor its assertion is signed")
        part = assertion_of(whole)
    return Proved(part, whole)


def _signature(element: etree._Element) -> etree._Element | None:
    """The signature directly in `element`.

    Raises:
        LoginRefused: saml-signature-place, when there is more than one, or it is not right behind the issuer.
    """
    found = element.findall(ds("Signature"))
    if not found:
        return None
    before = [child.tag for child in element[: element.index(found[0])]]
    if len(found) > 1 or before not in ([], [saml("Issuer")]):
        raise refusal(
            SamlCode.SIGNATURE_PLACE, f"{local(element)} has its signature in another place than the schema says"
        )
    return found[0]


def _verified(
    root: etree._Element, element: etree._Element, location: str, certificates: Sequence[x509.Certificate], now: float
) -> etree._Element:
    signature = _signature(element)
    assert signature is not None  # the caller asked
    method = _policy(signature, element)
    keys = _keys(signature, certificates)
    fitting = [key for key in keys if _fits(key, method)]
    if not fitting:
        raise refusal(SamlCode.KEY_TYPE, f"the signature is {method.name}; the pinned key is of another type")
    moment = datetime.fromtimestamp(now, UTC)
    valid = [key for key in fitting if key.not_valid_before_utc <= moment <= key.not_valid_after_utc]
    if not valid:
        ends = max(key.not_valid_after_utc for key in fitting)
        raise refusal(
            SamlCode.CERTIFICATE_EXPIRED, f"the pinned certificate is valid until {ends:%Y-%m-%d}, or not yet"
        )
    why = ""
    for certificate in valid:
        try:
            return _by(certificate, root, element, signature, location, method, moment)
        except (SignXMLException, etree.LxmlError, binascii.Error, ValueError) as bad:
            # ValueError: numbers in the signature that no key takes. None of these quotes more than an algorithm or an ID.
            why = quoted(str(bad), 120)
    raise refusal(SamlCode.BAD_SIGNATURE, f"the signature of {local(element)} is wrong: {why}")


def _by(
    certificate: x509.Certificate,
    root: etree._Element,
    element: etree._Element,
    signature: etree._Element,
    location: str,
    method: SignatureMethod,
    moment: datetime,
) -> etree._Element:
    result = XMLVerifier().verify(
        root,
        x509_cert=certificate,
        parser=parser(),
        id_attribute="ID",
        expect_config=SignatureConfiguration(
            require_x509=True,
            location=location,
            expect_references=1,
            signature_methods=frozenset({method}),
            digest_algorithms=DIGESTS,
            ignore_ambiguous_key_info=True,  # `_keys` has compared every key named with the pinned ones
            verification_time=moment,
        ),
    )
    if isinstance(result, list) or result.signed_xml is None:
        raise ValueError("the verifier gave something else than one element")
    signed = result.signed_xml
    key = certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    same = (
        signed.tag == element.tag
        and signed.get("ID") == element.get("ID")
        and result.signature_key == key
        and _canonical(result.signature_xml) == _canonical(signature)
    )
    if not same:
        raise ValueError("the verifier looked at another element than the one that was checked")
    return signed


def _canonical(element: etree._Element) -> bytes:
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=True)


def _policy(signature: etree._Element, element: etree._Element) -> SignatureMethod:
    """Everything that can be said of a signature without a key."""
    info = _one(signature, "SignedInfo", SamlCode.REFERENCE)
    _filled(_one(signature, "SignatureValue", SamlCode.REFERENCE))
    canonical = _one(info, "CanonicalizationMethod", SamlCode.CANONICALISATION)
    if canonical.get("Algorithm") != EXC_C14N:
        raise refusal(SamlCode.CANONICALISATION, f"SignedInfo is canonicalised by {quoted(canonical.get('Algorithm'))}")
    _prefixes(canonical)
    name = _one(info, "SignatureMethod", SamlCode.ALGORITHM).get("Algorithm") or ""
    if name not in _METHODS:
        raise refusal(
            SamlCode.ALGORITHM, f"the signature method is {quoted(name)}; SHA-2 with RSA or ECDSA is expected"
        )
    references = info.findall(ds("Reference"))
    if len(references) != 1:
        raise refusal(SamlCode.REFERENCE, f"the signature has {len(references)} references, expected one")
    uri = references[0].get("URI")
    if uri != f"#{element.get('ID')}":
        raise refusal(
            SamlCode.REFERENCE, f"the signature in {local(element)} refers to {quoted(uri)}, not to that element"
        )
    _transforms(references[0])
    digest = _one(references[0], "DigestMethod", SamlCode.ALGORITHM).get("Algorithm") or ""
    if digest not in _DIGESTS:
        raise refusal(
            SamlCode.ALGORITHM, f"the digest method is {quoted(digest)}; SHA-256, SHA-384 or SHA-512 is expected"
        )
    _filled(_one(references[0], "DigestValue", SamlCode.REFERENCE))
    return _METHODS[name]


def _transforms(reference: etree._Element) -> None:
    transforms = _one(reference, "Transforms", SamlCode.TRANSFORM).findall(ds("Transform"))
    names = [transform.get("Algorithm") for transform in transforms]
    if names == [ENVELOPED, EXC_C14N]:
        if len(transforms[0]):
            raise refusal(SamlCode.TRANSFORM, "the enveloped-signature transform has parameters")
        _prefixes(transforms[1])
        return
    inclusive = len(names) == 2 and names[0] == ENVELOPED and "c14n" in (names[1] or "")
    shown = " ".join(quoted(name) for name in names[:4])
    raise refusal(
        SamlCode.CANONICALISATION if inclusive else SamlCode.TRANSFORM,
        f"the transforms are {shown or 'none'}; expected enveloped-signature, then exclusive canonicalisation",
    )


def _prefixes(canonicalisation: etree._Element) -> None:
    """At most one short `InclusiveNamespaces` (exclusive canonicalisation section 4)."""
    if len(canonicalisation) > 1:
        raise refusal(SamlCode.CANONICALISATION, "a canonicalisation has more than one InclusiveNamespaces")
    for inclusive in canonicalisation:
        names = (inclusive.get("PrefixList") or "").split(" ")
        if len(names) > MAX_PREFIXES or not all(name.isascii() and name.isprintable() and name for name in names):
            raise refusal(SamlCode.CANONICALISATION, "InclusiveNamespaces is not a short list of prefixes")


def _one(parent: etree._Element, name: str, code: SamlCode) -> etree._Element:
    found = parent.findall(ds(name))
    if len(found) != 1:
        raise refusal(code, f"{local(parent)} has {len(found)} {name}, expected one")
    return found[0]


def _filled(element: etree._Element) -> None:
    """The verifier reads base64 leniently; here it is read once strictly, so that there is one reading."""
    try:
        value = base64.b64decode("".join((element.text or "").split()), validate=True)
    except (binascii.Error, ValueError):
        value = b""
    if not value:
        raise refusal(SamlCode.BAD_SIGNATURE, f"{local(element)} is not base64 of anything")


def _keys(signature: etree._Element, certificates: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """The pinned certificates that fit all that `KeyInfo` says of the key; it can narrow the choice, never widen it."""
    fitting = list(certificates)
    try:
        for shown in signature.iter(ds("X509Certificate")):
            der = base64.b64decode("".join((shown.text or "").split()), validate=True)
            fitting = [one for one in fitting if one.public_bytes(Encoding.DER) == der]
        for shown in signature.iter(ds("RSAKeyValue")):
            pair = (_number(shown, ds("Modulus")), _number(shown, ds("Exponent")))
            fitting = [one for one in fitting if _rsa(one) == pair]
        for shown in signature.iter(f"{{{DSIG11}}}ECKeyValue"):
            point = (_curve(shown), _bytes(shown, f"{{{DSIG11}}}PublicKey"))
            fitting = [one for one in fitting if _point(one) == point]
    except (binascii.Error, ValueError):
        raise refusal(SamlCode.FOREIGN_KEY, "KeyInfo has a key that cannot be read") from None
    if not fitting:
        raise refusal(SamlCode.FOREIGN_KEY, "KeyInfo names a key that is not pinned for this identity provider")
    return fitting


def _bytes(parent: etree._Element, tag: str) -> bytes:
    return base64.b64decode("".join((parent.findtext(tag) or "").split()), validate=True)


def _number(parent: etree._Element, tag: str) -> int:
    return int.from_bytes(_bytes(parent, tag), "big")


def _curve(shown: etree._Element) -> str:
    named = shown.find(f"{{{DSIG11}}}NamedCurve")
    return CURVE_URIS.get(named.get("URI") or "" if named is not None else "", "")


def _rsa(certificate: x509.Certificate) -> tuple[int, int] | None:
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        return None
    numbers = key.public_numbers()
    return numbers.n, numbers.e


def _point(certificate: x509.Certificate) -> tuple[str, bytes] | None:
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return None
    return key.curve.name, key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _fits(certificate: x509.Certificate, method: SignatureMethod) -> bool:
    kind = rsa.RSAPublicKey if method in RSA_METHODS else ec.EllipticCurvePublicKey
    return isinstance(certificate.public_key(), kind)

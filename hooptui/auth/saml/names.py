"""The names of SAML and XML Signature that we know, and which element may stand in which. Anything else is refused.

Sources: SAML core (saml-core-2.0-os), the assertion and protocol schemas, XML Signature 1.1. What the schemas allow and no
web login needs (extensions, advice, authorisation decisions, holder-of-key data, signature objects) is left out here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SAMLP: Final = "urn:oasis:names:tc:SAML:2.0:protocol"
SAML: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
DS: Final = "http://www.w3.org/2000/09/xmldsig#"
DSIG11: Final = "http://www.w3.org/2009/xmldsig11#"
MD: Final = "urn:oasis:names:tc:SAML:2.0:metadata"
EXC_C14N: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED: Final = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"

SUCCESS: Final = "urn:oasis:names:tc:SAML:2.0:status:Success"
BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
ENTITY_FORMAT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
POST_BINDING: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
REDIRECT_BINDING: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"


def samlp(name: str) -> str:
    return f"{{{SAMLP}}}{name}"


def saml(name: str) -> str:
    return f"{{{SAML}}}{name}"


def ds(name: str) -> str:
    return f"{{{DS}}}{name}"


def _several(space: str, grammar: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """`Parent: "Child other:Child"` with names of `space` unless prefixed."""
    spaces = {"saml": SAML, "ds": DS, "ec": EXC_C14N, "dsig11": DSIG11}

    def full(name: str) -> str:
        prefix, _, local = name.rpartition(":")
        return f"{{{spaces.get(prefix, space)}}}{local}"

    return {full(parent): frozenset(full(child) for child in children.split()) for parent, children in grammar.items()}


CHILDREN: Final[Mapping[str, frozenset[str]]] = {
    **_several(
        SAMLP,
        {
            "Response": "saml:Issuer ds:Signature Status saml:Assertion",
            "Status": "StatusCode StatusMessage",
            "StatusCode": "StatusCode",
        },
    ),
    **_several(
        SAML,
        {
            "Assertion": "Issuer ds:Signature Subject Conditions AuthnStatement AttributeStatement",
            "Subject": "NameID SubjectConfirmation",
            "SubjectConfirmation": "SubjectConfirmationData",
            "Conditions": "AudienceRestriction OneTimeUse ProxyRestriction",
            "AudienceRestriction": "Audience",
            "ProxyRestriction": "Audience",
            "AuthnStatement": "AuthnContext SubjectLocality",
            "AuthnContext": "AuthnContextClassRef AuthnContextDeclRef AuthenticatingAuthority",
            "AttributeStatement": "Attribute",
            "Attribute": "AttributeValue",
            "AttributeValue": "NameID",
        },
    ),
    **_several(
        DS,
        {
            "Signature": "SignedInfo SignatureValue KeyInfo",
            "SignedInfo": "CanonicalizationMethod SignatureMethod Reference",
            "CanonicalizationMethod": "ec:InclusiveNamespaces",
            "Reference": "Transforms DigestMethod DigestValue",
            "Transforms": "Transform",
            "Transform": "ec:InclusiveNamespaces",
            "KeyInfo": "KeyName X509Data KeyValue",
            "X509Data": "X509Certificate X509SubjectName X509IssuerSerial X509SKI",
            "X509IssuerSerial": "X509IssuerName X509SerialNumber",
            "KeyValue": "RSAKeyValue dsig11:ECKeyValue",
            "RSAKeyValue": "Modulus Exponent",
            "dsig11:ECKeyValue": "dsig11:NamedCurve dsig11:PublicKey",
        },
    ),
}
"""What may stand in what. An element that is not a key here has text only."""

ONCE: Final = frozenset(
    {
        *(samlp(name) for name in ("Status", "StatusMessage")),
        *(
            saml(name)
            for name in ("Issuer", "Subject", "Conditions", "NameID", "SubjectConfirmationData", "AuthnContext")
        ),
        *(saml(name) for name in ("AuthnContextClassRef", "OneTimeUse", "ProxyRestriction")),
        *(
            ds(name)
            for name in ("SignedInfo", "SignatureValue", "KeyInfo", "CanonicalizationMethod", "SignatureMethod")
        ),
        *(ds(name) for name in ("Transforms", "DigestMethod", "DigestValue", "Modulus", "Exponent")),
    }
)
"""What stands in one parent at most once."""

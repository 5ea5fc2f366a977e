"""How wrong SAML responses are made: wrapped, embedded, retransformed. `cases` says what must refuse each.

Every attack aims at subject `ops-1` of group `dba`, while the provider signed for `etl-7`.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives import serialization
from lxml import etree

from hooptui.auth.saml.names import DS, ENVELOPED, SAML, SAMLP

from .forge import (
    ENVELOPED_EXC,
    EVIL,
    KEY,
    PLACE,
    assertion,
    attribute,
    b64,
    by_hand,
    c14n,
    changed,
    envelope,
    good,
    mac_with,
    reference,
    sign,
    transform,
)  # fmt: skip

Make = Callable[[], str]
"""What the browser posts as SAMLResponse."""

C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
C14N11 = "http://www.w3.org/2006/12/xml-c14n11"
XPATH = "<ds:XPath>not(ancestor-or-self::saml:Subject)</ds:XPath>"
XSLT = '<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" version="1.0"/>'
TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"


def x(make: Callable[[], str]) -> Make:
    return lambda: b64(make())


def evil(**more: str) -> str:
    """What the attacker wants to be read, unsigned."""
    return assertion(
        **({"name": "_evil", "place": "", "subject": "ops-1", "attributes": attribute("groups", "dba")} | more)  # type: ignore[arg-type]
    )


def one(**changes: object) -> str:
    return good(**changes)


def signed() -> str:
    return sign(assertion())


def whole(**changes: object) -> str:
    """A response that is signed as a whole, around an unsigned assertion."""
    return sign(envelope(assertion(place=""), place=PLACE, **changes))  # type: ignore[arg-type]


def part(text: str, name: str, space: str = DS) -> etree._Element:
    return next(etree.fromstring(text).iter(f"{{{space}}}{name}"))


def text(element: etree._Element) -> str:
    return etree.tostring(element, encoding="unicode", with_tail=False)


def signature_of(signed_text: str) -> str:
    return text(part(signed_text, "Signature"))


def without_signature(signed_text: str) -> str:
    root = etree.fromstring(signed_text)
    [found] = root.findall(f"{{{DS}}}Signature")
    root.remove(found)
    return text(root)


def inside_signature(original: str, wrapped: str) -> str:
    """The first signature of `original` with `wrapped` at its end."""
    return changed(original, ("</ds:Signature>", f"{wrapped}</ds:Signature>"))


def xsw1() -> str:
    """A forged response whose signature element holds the signed one."""
    signed_one = whole()
    return envelope(
        evil(), name="_evilr", place=inside_signature(signature_of(signed_one), without_signature(signed_one))
    )


def xsw2() -> str:
    """The signed response stands before its detached signature in a forged one."""
    signed_one = whole()
    return envelope(evil(), name="_evilr", place=without_signature(signed_one) + signature_of(signed_one))


def xsw4() -> str:
    return envelope(evil(extra=signed()))


def xsw5() -> str:
    """The signature stays in the changed assertion; what it signs follows at the end."""
    forged = changed(signed(), ('ID="_a1"', 'ID="_evil"'), ("etl-7", "ops-1"))
    return envelope(forged + without_signature(signed()))


def xsw6() -> str:
    forged = changed(signed(), ('ID="_a1"', 'ID="_evil"'), ("etl-7", "ops-1"))
    return envelope(inside_signature(forged, without_signature(signed())))


def xsw7() -> str:
    return envelope(signed(), before=f"<samlp:Extensions>{evil()}</samlp:Extensions>")


def xsw8() -> str:
    forged = changed(signed(), ('ID="_a1"', 'ID="_evil"'), ("etl-7", "ops-1"))
    return envelope(inside_signature(forged, f"<ds:Object>{without_signature(signed())}</ds:Object>"))


def same_id() -> str:
    """Both assertions have the signed identifier; which one is found depends on who looks."""
    return envelope(evil(name="_a1") + signed())


def other_element() -> str:
    """The signature in the assertion is over the envelope's status alone."""
    status = f'<samlp:Status xmlns:samlp="{SAMLP}" ID="_s1"><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>'
    refers = reference(c14n(status), "#_s1", ENVELOPED_EXC)
    return envelope(by_hand(evil(place=PLACE), references=refers), status=status)


def deep() -> str:
    return changed(one(), ("</saml:Subject>", "<saml:NameID>" * 30 + "</saml:NameID>" * 30 + "</saml:Subject>"))


def laughs() -> str:
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 9))
    return f'<!DOCTYPE r [<!ENTITY l0 "ha">{levels}]>' + one()


def utf16() -> str:
    return b64(('<?xml version="1.0" encoding="UTF-16"?>' + one()).encode("utf-16"))


def hmac_with_public_key() -> str:
    public = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    method = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"
    return envelope(by_hand(assertion(subject="ops-1"), method=method, mac=mac_with(public)))


def rsa_value(key: object = EVIL) -> str:
    numbers = key.public_key().public_numbers()  # type: ignore[attr-defined]
    n = b64(numbers.n.to_bytes(256, "big"))
    return f"<ds:KeyInfo><ds:KeyValue><ds:RSAKeyValue><ds:Modulus>{n}</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue></ds:KeyValue></ds:KeyInfo>"


def der_value() -> str:
    der = EVIL.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    inner = f'<d11:DEREncodedKeyValue xmlns:d11="http://www.w3.org/2009/xmldsig11#">{b64(der)}</d11:DEREncodedKeyValue>'
    return f"<ds:KeyInfo>{inner}</ds:KeyInfo>"


def two_references() -> str:
    bare = assertion(place="")
    uses = reference(c14n(bare), "#_a1", ENVELOPED_EXC)
    return envelope(by_hand(assertion(), references=uses + uses))


def void() -> str:
    """A relative namespace: some canonicalisers fail on it and digest the empty text."""
    refers = reference(b"", "#_a1", ENVELOPED_EXC)
    return envelope(by_hand(assertion(subject="ops-1", spaces=' xmlns:v="1"'), references=refers))


def inclusive_both() -> str:
    return envelope(
        by_hand(
            assertion(), transforms=transform(ENVELOPED) + transform(C14N), canonical=C14N, how={"exclusive": False}
        )
    )


def odd(signed_text: str, *pairs: tuple[str, str]) -> Make:
    return x(lambda: changed(signed_text, *pairs))


STATUS = "urn:oasis:names:tc:SAML:2.0:status:"
FAILED = f'<samlp:Status><samlp:StatusCode Value="{STATUS}Responder"><samlp:StatusCode Value="{STATUS}AuthnFailed"/></samlp:StatusCode><samlp:StatusMessage>no</samlp:StatusMessage></samlp:Status>'
ENCRYPTED = f'<saml:EncryptedAssertion xmlns:saml="{SAML}"><xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#"/></saml:EncryptedAssertion>'

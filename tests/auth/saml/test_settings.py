"""Settings say what is wrong with them; metadata go both ways; requests say what the profile wants; the extra is named."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from hooptui.auth.saml.metadata import idp_from_file, ours
from hooptui.auth.saml.names import DS, MD, POST_BINDING, REDIRECT_BINDING, SAML, SAMLP
from hooptui.auth.saml.request import ask
from hooptui.auth.saml.service import MissingExtra, ServiceProvider, need_extra
from hooptui.auth.saml.settings import TRANSIENT, SamlIdp, SamlWay
from hooptui.core.clock import ManualClock
from hooptui.core.model import Kind

from .forge import ACS, CERT, CURVE_CERT, IDP, NOW, SP, Memory, b64, certificate, way

SSO = "https://idp.example.com/sso"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"entity_id": ""}, "entity_id: found ''"),
        ({"entity_id": "a b"}, "entity_id: found 'a b', expected a URI"),
        ({"entity_id": "x" * 1025}, "1024"),
        ({"sso_url": "http://idp.example.com/sso"}, "sso_url: 'http://idp.example.com/sso' is not https"),
        ({"sso_url": "https://idp.example.com/sso#x"}, "has a fragment"),
        ({"sso_url": "https://u:p@idp.example.com/"}, "user information"),
        ({"certificates": ()}, "certificates: found 0, expected 1 to 4"),
        ({"certificates": (CERT,) * 5}, "certificates: found 5"),
        ({"certificates": (certificate(rsa.generate_private_key(65537, 1024), "old"),)}, "CN=old has an RSA key of 1024"),
        ({"certificates": (certificate(ec.generate_private_key(ec.SECP256K1()), "odd"),)}, "CN=odd has a key that is neither"),
    ],
)  # fmt: skip
def test_a_provider_that_cannot_be_right_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        SamlIdp(**({"entity_id": IDP, "sso_url": SSO, "certificates": (CERT,)} | changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"id": "Corp"}, "id: found 'Corp'"),
        ({"id": "-corp"}, "id: "),
        ({"title": " "}, "title: "),
        ({"title": "a\x1b"}, "title: "),
        ({"sp_entity_id": IDP}, "sp_entity_id: found the provider's own"),
        ({"sp_entity_id": "münchen"}, "sp_entity_id: "),
        ({"subject": "x" * 257}, "subject: "),
        ({"groups": " groups"}, "groups: "),
        ({"name_id_format": TRANSIENT}, "set subject to an attribute"),
        ({"name_id_format": ""}, "name_id_format: found ''"),
        ({"kind": Kind.AGENT}, "kind: found agent"),
        ({"authn_contexts": ("",)}, "authn_contexts: "),
        ({"leeway": 301.0}, "leeway: found 301, expected 0 to 300 seconds"),
        ({"leeway": float("nan")}, "leeway: "),
        ({"max_age": 5.0}, "max_age: found 5"),
    ],
)
def test_a_way_that_cannot_be_right_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        SamlWay(**({"id": "corp", "title": "Corporate", "idp": way().idp, "sp_entity_id": SP} | changes))


def test_certificates_are_pinned_from_files(tmp_path: Path) -> None:
    one, two, none = tmp_path / "one.pem", tmp_path / "two.pem", tmp_path / "none.pem"
    one.write_bytes(CERT.public_bytes(Encoding.PEM))
    two.write_bytes(b"# the next one\n" + CURVE_CERT.public_bytes(Encoding.PEM))
    assert SamlIdp.pinned(IDP, SSO, [one, two]).certificates == (CERT, CURVE_CERT)
    none.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    with pytest.raises(ValueError, match=r"none\.pem has a certificate that cannot be read"):
        SamlIdp.pinned(IDP, SSO, [none])
    none.write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    with pytest.raises(ValueError, match=r"none\.pem is not made of PEM certificates only"):
        SamlIdp.pinned(IDP, SSO, [none])
    with pytest.raises(ValueError, match=r"certificates: .*cannot be read"):
        SamlIdp.pinned(IDP, SSO, [tmp_path / "missing"])
    none.write_bytes(b"x" * 300_000)
    with pytest.raises(ValueError, match="larger than 256 KiB"):
        SamlIdp.pinned(IDP, SSO, [none])


def test_our_metadata_say_who_we_are() -> None:
    root = etree.fromstring(ours(way(), ACS))
    assert (root.tag, root.get("entityID")) == (f"{{{MD}}}EntityDescriptor", SP)
    role = root.find(f"{{{MD}}}SPSSODescriptor")
    assert role is not None and dict(role.attrib) == {
        "AuthnRequestsSigned": "false", "WantAssertionsSigned": "true", "protocolSupportEnumeration": SAMLP,
    }  # fmt: skip
    consumer = role.find(f"{{{MD}}}AssertionConsumerService")
    assert consumer is not None and (consumer.get("Binding"), consumer.get("Location")) == (POST_BINDING, ACS)


def described(*certificates: str, entity: str = IDP, more: str = "", binding: str = REDIRECT_BINDING) -> str:
    keys = "".join(
        f'<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="{DS}"><ds:X509Data><ds:X509Certificate>{one}'
        "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
        for one in certificates
    )
    return (
        f'<md:EntityDescriptor xmlns:md="{MD}" entityID="{entity}"><!-- by hand --><md:IDPSSODescriptor'
        f' protocolSupportEnumeration="{SAMLP}">{keys}{more}'
        f'<md:SingleSignOnService Binding="{binding}" Location="{SSO}"/></md:IDPSSODescriptor></md:EntityDescriptor>'
    )


DER = b64(CERT.public_bytes(Encoding.DER))


def test_a_provider_is_read_from_its_metadata(tmp_path: Path) -> None:
    file = tmp_path / "idp.xml"
    file.write_text(described(DER[:64] + "\n  " + DER[64:], DER, b64(CURVE_CERT.public_bytes(Encoding.DER))))
    assert idp_from_file(file) == SamlIdp(IDP, SSO, (CERT, CURVE_CERT))
    several = described(DER) + described(DER, entity="https://other.example.com")
    file.write_text(f'<md:EntitiesDescriptor xmlns:md="{MD}">{several}</md:EntitiesDescriptor>')
    assert idp_from_file(file, "https://other.example.com").entity_id == "https://other.example.com"
    with pytest.raises(ValueError, match="2 fitting entities, expected one entity; set entity_id"):
        idp_from_file(file)
    with pytest.raises(ValueError, match="0 fitting entities, expected https://third"):
        idp_from_file(file, "https://third.example.com")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<x", "not well-formed XML"),
        ('<!DOCTYPE x [<!ENTITY e "x">]><x/>', "document type declaration"),
        ("<x/>", "0 fitting entities"),
        (described(), "certificates: found 0"),
        (described(DER, binding=POST_BINDING), "0 SingleSignOnServices for HTTP-Redirect"),
        (described(DER).replace(SAMLP, "urn:oasis:names:tc:SAML:1.1:protocol"), "0 IDPSSODescriptors for SAML 2.0"),
        (described("AAAA"), "cannot be read"),
        (described(DER).replace('use="signing"', 'use="encryption"'), "certificates: found 0"),
    ],
)
def test_metadata_that_say_too_little_are_refused(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "idp.xml"
    file.write_text(text)
    with pytest.raises(ValueError, match=re.escape(words)):
        idp_from_file(file)


def test_a_request_asks_what_the_profile_says() -> None:
    strong = way(authn_contexts=("urn:a&b", "urn:c"), force_authn=True)
    asked = ask(strong, ACS, NOW + 0.9)
    query = parse_qs(urlsplit(asked.url).query, keep_blank_values=True)
    assert asked.url.startswith("https://idp.example.com/sso?x&SAMLRequest=") and list(query) == ["x", "SAMLRequest"]
    root = etree.fromstring(zlib.decompress(base64.b64decode(query["SAMLRequest"][0]), wbits=-15))
    assert root.tag == f"{{{SAMLP}}}AuthnRequest"
    assert dict(root.attrib) == {
        "ID": asked.id, "Version": "2.0", "IssueInstant": "2027-01-15T08:00:00Z",
        "Destination": "https://idp.example.com/sso?x", "AssertionConsumerServiceURL": ACS, "ProtocolBinding": POST_BINDING,
        "ForceAuthn": "true",
    }  # fmt: skip
    assert root.findtext(f"{{{SAML}}}Issuer") == SP
    policy = root.find(f"{{{SAMLP}}}NameIDPolicy")
    assert policy is not None and policy.get("Format") == strong.name_id_format
    contexts = root.iterfind(f"{{{SAMLP}}}RequestedAuthnContext/{{{SAML}}}AuthnContextClassRef")
    assert [one.text for one in contexts] == ["urn:a&b", "urn:c"]


def test_no_two_requests_have_one_name() -> None:
    names = {ask(way(), ACS, NOW).id for _ in range(100)}
    assert len(names) == 100 and all(len(name) == 41 and name[0] == "_" for name in names)


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "signxml.verifier", None)
    with pytest.raises(MissingExtra, match=r"SAML needs signxml.*pip install 'hooptui\[saml\]'"):
        need_extra()
    with pytest.raises(MissingExtra):
        ServiceProvider(way(), ManualClock(NOW), Memory())


def test_a_gateway_without_saml_loads_none_of_it() -> None:
    code = (
        "import sys, hooptui.auth.saml.settings, hooptui.auth.saml.service, hooptui.auth.saml.refusals, hooptui.portal.saml;"
        "sys.exit('lxml' in sys.modules or 'signxml' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

"""Right SAML responses of every kind give the identity that the provider signed for, and nothing else can."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod

from hooptui.auth.saml import document, signature
from hooptui.auth.saml.names import DS, ENVELOPED, EXC_C14N, SAML
from hooptui.auth.saml.refusals import SamlCode
from hooptui.auth.saml.settings import TRANSIENT, UNSPECIFIED
from hooptui.core.gate import LoginRefused
from hooptui.core.model import Identity, Kind

from .attacks import evil, rsa_value, signature_of, signed, without_signature
from .forge import (
    ASKED,
    CERT,
    CURVE,
    CURVE_CERT,
    ENVELOPED_EXC,
    IDP,
    KEY,
    NOW,
    PLACE,
    SP,
    assertion,
    at,
    attribute,
    b64,
    by_hand,
    c14n,
    changed,
    envelope,
    good,
    provider,
    reference,
    sign,
    transform,
    way,
    x509_info,
)  # fmt: skip


def judged(text: str, **changes: object) -> Identity:
    return provider(way(**changes)).judge(b64(text), ASKED).identity  # type: ignore[arg-type]


EXPECTED = Identity(IDP, "etl-7", "ETL seven", frozenset({"agents", "night"}), NOW + 3600)


@pytest.mark.parametrize("method", sorted(signature.RSA_METHODS, key=lambda one: one.name))
@pytest.mark.parametrize("digest", sorted(signature.DIGESTS, key=lambda one: one.name))
def test_every_accepted_rsa_algorithm(method: SignatureMethod, digest: DigestAlgorithm) -> None:
    assert judged(envelope(sign(assertion(), KEY, CERT, method, digest))) == EXPECTED


@pytest.mark.parametrize("method", sorted(signature.EC_METHODS, key=lambda one: one.name))
def test_every_accepted_ec_algorithm(method: SignatureMethod) -> None:
    text = envelope(sign(assertion(), CURVE, CURVE_CERT, method))
    assert provider(way([CURVE_CERT])).judge(b64(text), ASKED).identity == EXPECTED


@pytest.mark.parametrize(
    "text",
    [
        lambda: good(),
        lambda: sign(envelope(assertion(place=""), place=PLACE)),
        lambda: sign(envelope(sign(assertion()), place=PLACE)),
        lambda: envelope(by_hand(assertion())),
        lambda: envelope(by_hand(assertion(), info=x509_info(CERT))),
        lambda: envelope(by_hand(assertion(), info=rsa_value(KEY))),
        lambda: envelope(by_hand(assertion(), info="<ds:KeyInfo><ds:KeyName>whatever</ds:KeyName></ds:KeyInfo>")),
        lambda: '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n' + good() + "\n",
        lambda: envelope(sign(assertion(place=PLACE)), issuer=""),
        lambda: envelope(sign(assertion()), destination=None),
        lambda: good(qualifier=f' NameQualifier="{IDP}" SPNameQualifier="{SP}"'),
        lambda: good(spaces=' xmlns:xs="http://www.w3.org/2001/XMLSchema"'),
        lambda: good(audiences=f"<saml:AudienceRestriction><saml:Audience>urn:x</saml:Audience><saml:Audience>{SP}</saml:Audience></saml:AudienceRestriction><saml:OneTimeUse/>"),
        lambda: good(begins=at(30), issued=at(30), authn_at=at(30)),
        lambda: good(ends=at(-29), confirmed_until=at(-29)),
        lambda: good(issued=at(-330), authn_at=at(-90_000)),
        lambda: changed(good(), ("<saml:Subject>", "<saml:Subject >"), ("</saml:Conditions>", "</saml:Conditions\n>")),
    ],
)  # fmt: skip
def test_good_responses_of_every_kind(text) -> None:  # type: ignore[no-untyped-def]
    assert judged(text()) == EXPECTED


def test_base64_may_be_folded() -> None:
    flat = b64(good())
    folded = "\r\n".join(flat[at_ : at_ + 76] for at_ in range(0, len(flat), 76)) + "\r\n"
    assert provider().judge(folded, ASKED).identity == EXPECTED


def test_attributes_become_an_identity_as_configured() -> None:
    attributes = attribute("uid", "u-17") + attribute("Role", "dba") + attribute("Role", "oncall", "M\u00fcnchen &lt;3")
    text = good(attributes=attributes, name_id=f'<saml:NameID Format="{TRANSIENT}">_x</saml:NameID>', session="")
    who = judged(text, subject="uid", groups="Role", groups_prefix="corp:", name="Role", kind=Kind.WORKLOAD)
    assert who == Identity(
        IDP, "u-17", "u-17", frozenset({"corp:dba", "corp:oncall", "corp:M\u00fcnchen <3"}), None, Kind.WORKLOAD
    )
    assert who.key == f"{IDP}#u-17"


def test_without_groups_configured_nobody_gets_any() -> None:
    assert judged(good(), groups="").groups == frozenset()
    assert judged(good(attributes="")).groups == frozenset()
    assert judged(good(attributes="")).name == "etl-7"
    assert judged(good(attributes=attribute("displayName", "\x9b2J"))).name == "etl-7"


def test_another_format_of_name_when_that_is_configured() -> None:
    assert judged(good(name_id="<saml:NameID>ops-1</saml:NameID>"), name_id_format=UNSPECIFIED).subject == "ops-1"


def test_the_lease_ends_with_the_earliest_session_of_the_provider() -> None:
    authn = "".join(
        f'<saml:AuthnStatement AuthnInstant="{at(-5)}" SessionNotOnOrAfter="{at(end)}"/>' for end in (900, 300, 600)
    )
    assert judged(good(authn=authn)).expires_at == NOW + 300
    assert judged(good(session="")).expires_at is None
    assert judged(good(session=' SessionNotOnOrAfter="2027-01-15T08:10:00.250Z"')).expires_at == NOW + 600.25


def test_numbers_for_characters_cannot_hide_anything() -> None:
    """`&#45;` and `-` are one text to every reader, signer included."""
    assert judged(changed(good(), ("etl-7", "etl&#45;7"))) == EXPECTED


# What is returned comes from the digested bytes alone, even if the shape check should ever let a wrapped document through.


def wrapped() -> list[tuple[str, str]]:
    forged = changed(signed(), ('ID="_a1"', 'ID="_evil"'), ("etl-7", "ops-1"))
    original = without_signature(signed())
    return [
        ("forged first", envelope(evil() + signed())),
        ("forged last", envelope(signed() + evil())),
        ("around", envelope(evil(extra=signed()))),
        ("signature moved", envelope(forged + original)),
        ("same id", envelope(evil(name="_a1") + signed())),
        ("same id, inside", envelope(evil(name="_a1", extra=signed()))),
        ("in the signature", envelope(changed(forged, ("</ds:Signature>", f"<ds:Object>{original}</ds:Object></ds:Signature>")))),
        ("signature of another", envelope(evil(place=signature_of(signed()), extra=original))),
        ("same id in the signature", envelope(evil(name="_a1", place=changed(signature_of(signed()), ("</ds:Signature>", f"<ds:Object>{original}</ds:Object></ds:Signature>"))))),
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "text"), wrapped())
def test_the_verifier_alone_never_returns_what_is_not_signed(name: str, text: str) -> None:
    root = document.parse(text.encode())
    try:
        proved = signature.prove(root, [CERT], NOW)
    except LoginRefused:
        return
    assert proved.assertion.findtext(f"{{{SAML}}}Subject/{{{SAML}}}NameID") == "etl-7"
    assert proved.assertion.get("ID") == "_a1"


def test_a_digest_of_nothing_is_no_digest_of_a_relative_namespace() -> None:
    text = envelope(
        by_hand(assertion(subject="ops-1", spaces=' xmlns:v="1"'), references=reference(b"", "#_a1", ENVELOPED_EXC))
    )
    with pytest.raises(LoginRefused):
        signature.prove(document.parse(text.encode()), [CERT], NOW)


def test_a_prefix_list_changes_what_is_digested() -> None:
    inclusive = transform(EXC_C14N, f'<ec:InclusiveNamespaces xmlns:ec="{EXC_C14N}" PrefixList="xs"/>')
    bare = assertion(place="", spaces=' xmlns:xs="urn:xs"')
    listed = reference(c14n(bare, inclusive_ns_prefixes=["xs"]), "#_a1", transform(ENVELOPED) + inclusive)
    assert judged(envelope(by_hand(assertion(spaces=' xmlns:xs="urn:xs"'), references=listed))) == EXPECTED
    with pytest.raises(LoginRefused):
        judged(
            changed(envelope(by_hand(assertion(spaces=' xmlns:xs="urn:xs"'), references=listed)), ("urn:xs", "urn:xx"))
        )


def test_a_prefix_list_may_have_sixteen_prefixes() -> None:
    listed = f'<ec:InclusiveNamespaces xmlns:ec="{EXC_C14N}" PrefixList="{" ".join("p" * 16)}"/>'
    assert (
        judged(envelope(by_hand(assertion(), transforms=transform(ENVELOPED) + transform(EXC_C14N, listed))))
        == EXPECTED
    )


@pytest.mark.parametrize(
    "what", ["nothing", "two", "another element", "another name", "another key", "another signature"]
)
def test_a_verifier_that_looks_elsewhere_is_not_believed(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """signxml finds the signature and the element by its own search; both must be what was checked before."""
    verify = signature.XMLVerifier.verify

    def astray(self: object, *data: object, **how: object) -> object:
        result = verify(self, *data, **how)  # type: ignore[arg-type]
        match what:
            case "nothing":
                return replace(result, signed_xml=None)
            case "two":
                return [result, result]
            case "another element":
                return replace(result, signed_xml=etree.fromstring('<x ID="_a1"/>'))
            case "another name":
                return replace(result, signed_xml=etree.fromstring(assertion(name="_a2", place="")))
            case "another key":
                return replace(result, signature_key=b"another")
        return replace(result, signature_xml=etree.fromstring(signature_of(sign(assertion(name="_a2")))))

    monkeypatch.setattr(signature.XMLVerifier, "verify", astray)
    with pytest.raises(LoginRefused) as caught:
        judged(good())
    assert caught.value.code == SamlCode.BAD_SIGNATURE


# Any change to any byte is refused, or changes nothing.

VALID = [good().encode(), sign(envelope(assertion(place=""), place=PLACE)).encode()]


def same_or_refused(raw: bytes) -> None:
    service = provider()
    try:
        read = service.judge(b64(raw), ASKED)
    except LoginRefused:
        return
    assert (read.identity, read.assertion) == (EXPECTED, "_a1")


@settings(max_examples=1_000, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(VALID), st.data())
def test_any_byte_changed_is_refused_or_changes_nothing(raw: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(raw) - 1))
    byte = data.draw(st.integers(0, 255))
    same_or_refused(raw[:place] + bytes([byte]) + raw[place + 1 :])


MARKS = [
    b"<",
    b">",
    b"/",
    b'"',
    b"'",
    b"&",
    b" ",
    b"\n",
    b"x",
    b"<!---->",
    b"<x/>",
    b"&amp;",
    b"&#45;",
    b"\xc2\x85",
    b"saml:",
    b'ID="_a1" ',
]


@settings(max_examples=1_000, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(VALID), st.data())
def test_any_part_cut_doubled_moved_or_put_in_is_refused_or_changes_nothing(raw: bytes, data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(raw)))
    end = min(len(raw), begin + data.draw(st.integers(0, 400)))
    part = data.draw(st.sampled_from([b"", raw[begin:end] * 2, raw[begin:end][::-1], *MARKS]))
    target = data.draw(st.sampled_from([begin, end, data.draw(st.integers(0, len(raw)))]))
    rest = raw[:begin] + raw[end:]
    same_or_refused(rest[:target] + part + rest[target:])


@pytest.mark.parametrize("raw", VALID, ids=["assertion signed", "response signed"])
def test_each_single_byte_changed_is_refused_or_changes_nothing(raw: bytes) -> None:
    changes = (0x01, 0x20, 0x80, 0x02)
    for place, byte in enumerate(raw):
        same_or_refused(raw[:place] + bytes([byte ^ changes[place % 4]]) + raw[place + 1 :])


def elements(raw: bytes) -> list[etree._Element]:
    return list(etree.fromstring(raw).iter())


@settings(max_examples=600, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(VALID), st.integers(0, 60), st.integers(0, 60), st.integers(0, 6), st.booleans())
def test_any_element_moved_or_copied_is_refused_or_changes_nothing(
    raw: bytes, source: int, target: int, place: int, copy: bool
) -> None:
    root = etree.fromstring(raw)
    nodes = list(root.iter())
    moved, into = nodes[source % len(nodes)], nodes[target % len(nodes)]
    if moved is root or into is moved or into in list(moved.iter()):
        return
    again = etree.fromstring(etree.tostring(moved, with_tail=False)) if copy else moved
    into.insert(place, again)
    same_or_refused(etree.tostring(root))


def test_the_forge_signs_what_it_says() -> None:
    """If the ground were bad, refusing everything would pass the three properties above."""
    for raw in VALID:
        assert provider().judge(b64(raw), ASKED).identity == EXPECTED
        assert f"{{{DS}}}Signature" in [node.tag for node in elements(raw)]

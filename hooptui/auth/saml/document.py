"""A SAML response as a tree in which every element stands where it belongs. Nothing in it is believed yet.

A signature proves one element. Wrapping attacks put that element where the verifier finds it and another one where the
reader looks; so here nothing may stand where it does not belong, before any signature is looked at.
"""

from __future__ import annotations

import re

from lxml import etree

from hooptui.auth.refusals import quoted
from hooptui.auth.saml.names import CHILDREN, DS, ONCE, SUCCESS, ds, saml, samlp
from hooptui.auth.saml.prefilter import plain
from hooptui.auth.saml.refusals import SamlCode, refusal

_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,255}")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[\x21-\x7e]+\Z")
_ENCRYPTED = frozenset(
    {saml("EncryptedAssertion"), saml("EncryptedID"), saml("EncryptedAttribute"), saml("NewEncryptedID")}
)
_SPACE = " \t\r\n"


def parser() -> etree.XMLParser[etree._Element]:
    """A parser that fetches nothing, expands nothing and has libxml2's own limits on; for one use, since it keeps state."""
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        no_network=True,
        huge_tree=False,
        recover=False,
        remove_comments=False,
        remove_pis=False,
        remove_blank_text=False,
        strip_cdata=False,
        collect_ids=False,
    )


def parse(raw: bytes) -> etree._Element:
    """The root of any harmless XML document.

    Raises:
        LoginRefused: as `prefilter.plain`, or saml-not-xml.
    """
    try:
        root = etree.fromstring(plain(raw), parser())
    except (etree.XMLSyntaxError, ValueError) as bad:
        raise refusal(SamlCode.NOT_XML, f"the response is not XML: {quoted(str(bad), 120)}") from None
    if any(not isinstance(node.tag, str) for node in root.iter()):
        # The prefilter lets none through; this holds if it ever should.
        raise refusal(SamlCode.NOT_XML, "the response has nodes that are neither elements nor text")
    return root


def response(raw: bytes) -> etree._Element:
    """The root of a successful SAML 2.0 response with exactly one assertion and nothing that does not belong.

    Raises:
        LoginRefused: as `parse`, or saml-not-a-response, saml-status, saml-encrypted, saml-extensions, saml-misplaced,
            saml-stray-text, saml-namespace, saml-assertion-count, saml-id, saml-duplicate-id, saml-signature-place or saml-signature-object.
    """
    root = parse(raw)
    if root.tag != samlp("Response") or root.get("Version") != "2.0":
        raise refusal(
            SamlCode.NOT_RESPONSE, f"the root is {quoted(root.tag)} of version {quoted(root.get('Version') or '')}"
        )
    _status(root)
    for element in root.iter():
        _namespaces(element)
        _belongs(element)
    _ids(root)
    assertions = list(root.iter(saml("Assertion")))
    if len(assertions) != 1:
        raise refusal(SamlCode.ASSERTION_COUNT, f"the response has {len(assertions)} assertions, expected exactly one")
    if assertions[0].get("Version") != "2.0":
        raise refusal(SamlCode.NOT_RESPONSE, "the assertion is not of version 2.0")
    return root


def assertion_of(root: etree._Element) -> etree._Element:
    """The one assertion directly in a response.

    Raises:
        LoginRefused: saml-assertion-count.
    """
    found = root.findall(saml("Assertion"))
    if len(found) != 1:
        raise refusal(SamlCode.ASSERTION_COUNT, f"the response has {len(found)} assertions, expected exactly one")
    return found[0]


def local(element: etree._Element) -> str:
    return etree.QName(element).localname


def _status(root: etree._Element) -> None:
    """A failed login is told before anything else, since such a response rightly lacks the rest."""
    codes = root.findall(f"{samlp('Status')}/{samlp('StatusCode')}")
    if len(codes) != 1:
        raise refusal(SamlCode.NOT_RESPONSE, f"the response has {len(codes)} status codes, expected one")
    value = codes[0].get("Value")
    if value != SUCCESS:
        inner = codes[0].find(samlp("StatusCode"))
        why = inner.get("Value") if inner is not None else None
        message = root.findtext(f"{samlp('Status')}/{samlp('StatusMessage')}")
        raise refusal(
            SamlCode.STATUS, f"the status is {quoted(value or '')} {quoted(why or '')}: {quoted(message or '')}"
        )


def _namespaces(element: etree._Element) -> None:
    """Canonicalisation is not defined for relative namespace names; some libraries then digest nothing at all."""
    for uri in element.nsmap.values():
        if not _ABSOLUTE.match(uri):
            raise refusal(
                SamlCode.NAMESPACE, f"{local(element)} has the namespace {quoted(uri)}, which is not absolute"
            )


def _belongs(element: etree._Element) -> None:
    tag = str(element.tag)
    allowed = CHILDREN.get(tag, frozenset())
    seen: set[str] = set()
    for child in element:
        name = str(child.tag)
        if name not in allowed:
            _does_not(child, element)
        if name in seen and (name in ONCE or name == ds("Signature")):
            code = SamlCode.SIGNATURE_PLACE if name == ds("Signature") else SamlCode.MISPLACED
            raise refusal(code, f"{local(element)} has {local(child)} more than once")
        seen.add(name)
    # Text beside elements is shown by one reader and skipped by another.
    beside = [child.tail for child in element]
    if len(element) or (allowed and tag != saml("AttributeValue")):
        beside.append(element.text)
    if any(text is not None and text.strip(_SPACE) for text in beside):
        raise refusal(SamlCode.STRAY_TEXT, f"{local(element)} has text beside its elements")


def _does_not(child: etree._Element, parent: etree._Element) -> None:
    """Refuse an element for the reason that says most.

    Raises:
        LoginRefused: always.
    """
    where = f"{quoted(child.tag)} stands in {quoted(local(parent))}"
    space = etree.QName(child).namespace
    if child.tag in _ENCRYPTED:
        raise refusal(SamlCode.ENCRYPTED, where)
    if child.tag == samlp("Extensions"):
        raise refusal(SamlCode.EXTENSIONS, where)
    if child.tag == ds("Object"):
        raise refusal(SamlCode.SIGNATURE_OBJECT, where)
    if child.tag == ds("Signature"):
        raise refusal(SamlCode.SIGNATURE_PLACE, where)
    if parent.tag == ds("Transform") or (parent.tag == ds("Transforms") and space == DS):
        raise refusal(SamlCode.TRANSFORM, where)
    if parent.tag == ds("SignatureMethod"):
        raise refusal(SamlCode.ALGORITHM, where)
    if parent.tag in (ds("KeyInfo"), ds("X509Data"), ds("KeyValue")):
        raise refusal(SamlCode.FOREIGN_KEY, f"{where}; a key is pinned, never fetched or brought")
    raise refusal(SamlCode.MISPLACED, where)


def _ids(root: etree._Element) -> None:
    """Identifiers are looked up by their local name in any letter case, as the loosest reader would."""
    seen: set[str] = set()
    for element in root.iter():
        for name, value in element.attrib.items():
            bare = etree.QName(name).localname
            if bare.lower() != "id":
                continue
            # libxml2 accepts more letters in an ID; ASCII leaves nothing to normalise.
            if not isinstance(value, str) or not _ID.fullmatch(value):
                raise refusal(SamlCode.BAD_ID, f"{local(element)} has the identifier {quoted(value)}")
            if value in seen:
                raise refusal(SamlCode.DUPLICATE_ID, f"the identifier {quoted(value)} stands on two elements")
            seen.add(value)
    for element in (root, *root.iter(saml("Assertion"))):
        if element.get("ID") is None:
            raise refusal(SamlCode.BAD_ID, f"{local(element)} has no ID")

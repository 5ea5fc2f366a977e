"""The bytes of a SAML message before any XML library sees them: bounded, UTF-8, and of plain XML's simplest kind.

Comments, CDATA, processing instructions, document types and entities are how two readers come to read one document
differently (or one reader never ends), and no provider needs them. Knows no SAML and builds no tree.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final, NoReturn

from hooptui.auth.refusals import quoted
from hooptui.auth.saml.refusals import SamlCode, refusal

MAX_BYTES: Final = 256 * 1024
MAX_BASE64: Final = MAX_BYTES // 3 * 4 + 4 + MAX_BYTES // 24
"""Longest encoded form, with line ends every 48 bytes or more."""
MAX_DEPTH: Final = 24
"""A Response with both signatures and full key information is 9 deep."""
MAX_ELEMENTS: Final = 4_000
"""A thousand groups and all around them fit."""
MAX_ATTRIBUTES: Final = 24
"""On one element, namespace declarations included."""
MAX_NAME: Final = 256

_NAME = r"[^\x00-\x20<>/=\"'?!&]{1,256}+"
_SPACE = r"[ \t\r\n]"
_ATTRIBUTE = rf"""{_SPACE}++({_NAME}){_SPACE}*+={_SPACE}*+(?:"[^"<]*+"|'[^'<]*+')"""
_TAG = re.compile(
    rf"<(?:/{_NAME}{_SPACE}*+>|{_NAME}(?P<attributes>(?:{_ATTRIBUTE})*+){_SPACE}*+(?P<empty>/?+)>)",
)
_ONE_ATTRIBUTE = re.compile(_ATTRIBUTE)
_DECLARATION = re.compile(
    r"""<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*["']1\.0["']"""
    r"""(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*["'](?P<encoding>[A-Za-z0-9._-]{1,40})["'])?"""
    r"""(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*["'](?:yes|no)["'])?[ \t\r\n]*\?>"""
)
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REFERENCE = re.compile(r"&(?!(?:lt|gt|amp|quot|apos|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});)")


def decode(value: str) -> bytes:
    """The message in a form field, base64 as RFC 2045 folds it (SAML bindings section 3.5.4).

    Raises:
        LoginRefused: saml-missing, saml-too-large or saml-not-base64.
    """
    if not value.strip():
        raise refusal(SamlCode.MISSING, "the form has no SAMLResponse, or an empty one")
    if len(value) > MAX_BASE64:
        raise refusal(SamlCode.TOO_LARGE, f"SAMLResponse has {len(value)} characters, more than {MAX_BASE64}")
    packed = value.translate({9: None, 10: None, 13: None, 32: None})
    try:
        raw = base64.b64decode(packed.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise refusal(SamlCode.NOT_BASE64, "SAMLResponse has characters or a length that no base64 has") from None
    if base64.b64encode(raw).decode("ascii") != packed:
        raise refusal(SamlCode.NOT_BASE64, "SAMLResponse is not canonical base64")
    return raw


def plain(raw: bytes) -> bytes:
    """The same document without its XML declaration, once it is known to be harmless to parse. Linear time.

    Raises:
        LoginRefused: saml-too-large, saml-encoding, saml-dtd, saml-entity, saml-comment, saml-instruction, saml-cdata,
            saml-duplicate-attribute, saml-too-complex or saml-not-xml.
    """
    if len(raw) > MAX_BYTES:
        raise refusal(SamlCode.TOO_LARGE, f"the response has {len(raw)} bytes, more than {MAX_BYTES}")
    if raw.startswith((b"\xef\xbb\xbf", b"\xfe\xff", b"\xff\xfe")) or b"\x00" in raw[:4]:
        raise refusal(SamlCode.BAD_ENCODING, "the response starts with a byte order mark or is UTF-16 or UTF-32")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as bad:
        raise refusal(SamlCode.BAD_ENCODING, f"byte {bad.start} of the response is not UTF-8") from None
    body = _without_declaration(text)
    if (found := _NOT_XML.search(body)) is not None:
        raise refusal(SamlCode.NOT_XML, f"the response has U+{ord(found[0]):04X}, which no XML has")
    _walk(body)
    if (found := _REFERENCE.search(body)) is not None:
        raise refusal(SamlCode.ENTITY, f"the response refers to an entity: {quoted(body[found.start() :], 24)}")
    return body.encode()


def _without_declaration(text: str) -> str:
    if not text.startswith("<?xml") or text[5:6] not in (" ", "\t", "\r", "\n"):
        return text
    found = _DECLARATION.match(text)
    if found is None:
        raise refusal(SamlCode.BAD_ENCODING, f"the XML declaration is {quoted(text)}, expected version 1.0 and UTF-8")
    encoding = found["encoding"] or "UTF-8"
    if encoding.upper() != "UTF-8":
        raise refusal(SamlCode.BAD_ENCODING, f"the XML declaration says {quoted(encoding)}, expected UTF-8")
    return text[found.end() :]


def _walk(text: str) -> None:
    """Every `<` must begin a plain tag; counts depth, elements and attributes."""
    depth = elements = 0
    at = text.find("<")
    while at >= 0:
        tag = _TAG.match(text, at)
        if tag is None:
            _not_a_tag(text, at)
        if text.startswith("</", at):
            depth -= 1
        else:
            elements += 1
            _attributes(tag["attributes"])
            depth += not tag["empty"]
        if depth > MAX_DEPTH or elements > MAX_ELEMENTS:
            raise refusal(
                SamlCode.TOO_COMPLEX,
                f"the response has more than {MAX_ELEMENTS} elements, or more than {MAX_DEPTH} inside each other",
            )
        at = text.find("<", tag.end())


def _attributes(text: str) -> None:
    names = _ONE_ATTRIBUTE.findall(text)
    if len(names) > MAX_ATTRIBUTES:
        raise refusal(SamlCode.TOO_COMPLEX, f"an element has {len(names)} attributes, more than {MAX_ATTRIBUTES}")
    if len(set(names)) != len(names):
        raise refusal(SamlCode.DUPLICATE_ATTRIBUTE, "an element has the same attribute twice")


def _not_a_tag(text: str, at: int) -> NoReturn:
    """Name what stands where a tag was expected.

    Raises:
        LoginRefused: always.
    """
    shown = quoted(text[at:], 24)
    if text.startswith("<!--", at):
        raise refusal(SamlCode.COMMENT, f"the response has a comment: {shown}")
    if text.startswith("<![CDATA[", at):
        raise refusal(SamlCode.CDATA, f"the response has a CDATA section: {shown}")
    if text.startswith("<!", at):
        raise refusal(SamlCode.DTD, f"the response has a declaration: {shown}")
    if text.startswith("<?", at):
        raise refusal(SamlCode.INSTRUCTION, f"the response has a processing instruction: {shown}")
    raise refusal(SamlCode.NOT_XML, f"the response has something that is no tag: {shown}")

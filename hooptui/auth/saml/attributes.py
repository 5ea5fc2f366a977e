"""A proved assertion's subject and attributes to an Identity. What is not understood refuses; nothing is guessed."""

from __future__ import annotations

from typing import Final

from lxml import etree

from hooptui.auth.refusals import quoted
from hooptui.auth.saml.names import saml
from hooptui.auth.saml.refusals import SamlCode, refusal
from hooptui.auth.saml.settings import TRANSIENT, UNSPECIFIED, SamlWay
from hooptui.core.model import Identity

MAX_SUBJECT: Final = 255
MAX_NAME: Final = 128
MAX_GROUPS: Final = 1_000
MAX_GROUP: Final = 256
OVERAGE: Final = "http://schemas.microsoft.com/claims/groups.link"
"""What Entra sends instead of the groups when they are more than fit."""

_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


def identity(assertion: etree._Element, way: SamlWay, expires_at: float | None) -> Identity:
    """Who the assertion is about.

    Raises:
        LoginRefused: saml-subject-format, saml-bad-subject, saml-bad-attributes, saml-bad-groups or saml-group-overage.
    """
    attributes = _attributes(assertion)
    subject = _subject_attribute(attributes, way) if way.subject else _name_id(assertion, way)
    names = attributes.get(way.name, []) if way.name else []
    name = names[0] if len(names) == 1 else None
    return Identity(
        issuer=way.idp.entity_id,
        subject=subject,
        name=name if name is not None and _printable(name, MAX_NAME) else subject,
        groups=_groups(attributes, way),
        expires_at=expires_at,
        kind=way.kind,
    )


def _attributes(assertion: etree._Element) -> dict[str, list[str | None]]:
    """Values by attribute name, those of several elements of one name joined; None for a value that is not text."""
    found: dict[str, list[str | None]] = {}
    for attribute in assertion.iterfind(f"{saml('AttributeStatement')}/{saml('Attribute')}"):
        name = attribute.get("Name")
        if not name:
            raise refusal(SamlCode.BAD_ATTRIBUTES, "an Attribute has no Name")
        values = found.setdefault(name, [])
        for value in attribute.iterfind(saml("AttributeValue")):
            nil = value.get(_NIL, "false") not in ("false", "0")
            values.append(None if nil or len(value) else value.text or "")
    return found


def _subject_attribute(attributes: dict[str, list[str | None]], way: SamlWay) -> str:
    values = attributes.get(way.subject, [])
    if len(values) != 1:
        raise refusal(SamlCode.BAD_SUBJECT, f"{way.subject} has {len(values)} values, expected one")
    return _subject(values[0], way.subject)


def _name_id(assertion: etree._Element, way: SamlWay) -> str:
    element = assertion.find(f"{saml('Subject')}/{saml('NameID')}")
    if element is None:
        raise refusal(SamlCode.BAD_SUBJECT, "the subject has no NameID")
    form = element.get("Format", UNSPECIFIED)
    if form == TRANSIENT or form != way.name_id_format:
        raise refusal(SamlCode.SUBJECT_FORMAT, f"the NameID's format is {quoted(form)}, expected {way.name_id_format}")
    # A name that is unique only within a qualifier is another name under another qualifier (core section 8.3.7).
    for qualifier, expected in (("NameQualifier", way.idp.entity_id), ("SPNameQualifier", way.sp_entity_id)):
        value = element.get(qualifier, expected)
        if value != expected:
            raise refusal(SamlCode.BAD_SUBJECT, f"{qualifier} is {quoted(value)}, expected {expected}")
    return _subject(element.text, "NameID")


def _subject(text: str | None, what: str) -> str:
    if text is None or not _printable(text, MAX_SUBJECT) or text != text.strip():
        raise refusal(SamlCode.BAD_SUBJECT, f"{what} is not printable text of 1 to {MAX_SUBJECT} characters")
    return text


def _groups(attributes: dict[str, list[str | None]], way: SamlWay) -> frozenset[str]:
    if not way.groups:
        return frozenset()
    if OVERAGE in attributes:
        raise refusal(SamlCode.GROUP_OVERAGE, f"the assertion has {OVERAGE}: groups were left out")
    values = attributes.get(way.groups, [])
    if len(values) > MAX_GROUPS:
        raise refusal(SamlCode.BAD_GROUPS, f"{way.groups} has more than {MAX_GROUPS} values")
    groups: set[str] = set()
    for value in values:
        if value is None or not _printable(value, MAX_GROUP) or value != value.strip():
            raise refusal(
                SamlCode.BAD_GROUPS,
                f"{way.groups} has a value that is not printable text of 1 to {MAX_GROUP} characters",
            )
        groups.add(way.groups_prefix + value)
    return frozenset(groups)


def _printable(value: str, limit: int) -> bool:
    return 0 < len(value) <= limit and value.isprintable() and bool(value.strip())

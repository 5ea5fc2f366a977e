"""What a proved response says, held against what we asked and against the clock: the way from an assertion to an Identity.

Rules: SAML core section 2, and the web browser SSO profile (saml-profiles-2.0-os section 4.1.4.3). Everything that gives
the identity is read from the proved assertion. What the unsigned envelope of a signed assertion says can only refuse.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from lxml import etree

from hooptui.auth.refusals import quoted
from hooptui.auth.saml.attributes import identity
from hooptui.auth.saml.document import local
from hooptui.auth.saml.names import BEARER, ENTITY_FORMAT, saml
from hooptui.auth.saml.refusals import SamlCode, refusal
from hooptui.auth.saml.request import Asked
from hooptui.auth.saml.settings import SamlWay
from hooptui.auth.saml.signature import Proved
from hooptui.core.model import Identity

_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d{1,9})?Z", re.ASCII)
MAX_STATEMENTS: Final = 8


@dataclass(frozen=True, slots=True)
class Read:
    """A response that holds, but for its use having to be the first."""

    identity: Identity
    """With `expires_at` where the provider says when its session ends."""
    assertion: str
    """The assertion's ID, for the replay store."""
    usable_until: float
    """Unix seconds after which the assertion would be refused for its age alone."""


def read(envelope: etree._Element, proved: Proved, way: SamlWay, asked: Asked, now: float) -> Read:
    """The identity that a proved response gives to the browser that asked.

    `envelope` is the response as it came, signed or not; `now` is in Unix seconds.

    Raises:
        LoginRefused: saml-wrong-issuer, saml-unsolicited, saml-wrong-request, saml-wrong-destination, saml-stale,
            saml-confirmation, saml-wrong-recipient, saml-conditions, saml-wrong-audience, saml-bad-time, saml-expired,
            saml-not-yet, saml-no-authentication, saml-wrong-context, saml-session-over, or as `attributes.identity`.
    """
    clock = _Clock(now, way)
    _envelope(envelope, proved, way, asked, clock)
    assertion = proved.assertion
    _issuer(_child(assertion, "Issuer", SamlCode.WRONG_ISSUER), way)
    clock.recent(_date(assertion, "IssueInstant"), "the assertion's IssueInstant")
    subject = _child(assertion, "Subject", SamlCode.BAD_SUBJECT)
    confirmed = _confirmation(subject, asked, clock)
    conditions = _conditions(assertion, way, clock)
    ends = _authenticated(assertion, way, clock)
    return Read(identity(assertion, way, ends), assertion.get("ID") or "", min(confirmed, conditions) + way.leeway)


class _Clock:
    """One moment, with the leeway that clocks get."""

    def __init__(self, now: float, way: SamlWay) -> None:
        self.now = now
        self._leeway = way.leeway
        self._max_age = way.max_age

    def begun(self, at: float | None, what: str) -> None:
        if at is not None and at > self.now + self._leeway:
            raise refusal(SamlCode.NOT_YET, f"{what} is {at - self.now:.0f} s in the future")

    def alive(self, at: float, what: str, code: SamlCode = SamlCode.EXPIRED) -> None:
        if self.now >= at + self._leeway:
            raise refusal(code, f"{what} was {self.now - at:.0f} s ago")

    def recent(self, at: float | None, what: str) -> None:
        if at is None:
            raise refusal(SamlCode.BAD_TIME, f"{what} is missing")
        self.begun(at, what)
        if self.now - at > self._max_age + self._leeway:
            raise refusal(
                SamlCode.STALE, f"{what} is {self.now - at:.0f} s ago; at most {self._max_age:.0f} are accepted"
            )


def _envelope(envelope: etree._Element, proved: Proved, way: SamlWay, asked: Asked, clock: _Clock) -> None:
    signed = proved.response is not None
    root = proved.response if proved.response is not None else envelope
    issuer = root.find(saml("Issuer"))
    if issuer is not None:
        _issuer(issuer, way)
    elif signed:
        raise refusal(SamlCode.WRONG_ISSUER, "the signed response has no Issuer")
    _answers(root.get("InResponseTo"), "the response", asked)
    destination = root.get("Destination")
    # Bindings section 3.5.5.2: a signed message must say where it was sent.
    if destination is None and signed:
        raise refusal(SamlCode.WRONG_DESTINATION, "the signed response has no Destination")
    if destination is not None and destination != asked.acs_url:
        raise refusal(SamlCode.WRONG_DESTINATION, f"Destination is {quoted(destination)}, expected {asked.acs_url}")
    clock.recent(_date(root, "IssueInstant"), "the response's IssueInstant")


def _issuer(issuer: etree._Element, way: SamlWay) -> None:
    if issuer.get("Format", ENTITY_FORMAT) != ENTITY_FORMAT or (issuer.text or "") != way.idp.entity_id:
        raise refusal(SamlCode.WRONG_ISSUER, f"Issuer is {quoted(issuer.text or '')}, expected {way.idp.entity_id}")


def _answers(request: str | None, what: str, asked: Asked) -> None:
    if request is None:
        raise refusal(SamlCode.UNSOLICITED, f"{what} has no InResponseTo")
    if request != asked.id:
        raise refusal(SamlCode.WRONG_REQUEST, f"InResponseTo of {what} is {quoted(request)}, expected {asked.id}")


def _confirmation(subject: etree._Element, asked: Asked, clock: _Clock) -> float:
    """When the one bearer confirmation ends. Several would leave a choice that somebody else makes."""
    found = subject.findall(saml("SubjectConfirmation"))
    if len(found) != 1 or found[0].get("Method") != BEARER:
        methods = " ".join(quoted(one.get("Method") or "") for one in found[:4])
        raise refusal(SamlCode.CONFIRMATION, f"the subject is confirmed by {methods or 'nothing'}; expected one bearer")
    data = found[0].find(saml("SubjectConfirmationData"))
    if data is None:
        raise refusal(SamlCode.CONFIRMATION, "the bearer confirmation has no data")
    _answers(data.get("InResponseTo"), "the assertion", asked)
    if data.get("Recipient") != asked.acs_url:
        raise refusal(
            SamlCode.WRONG_RECIPIENT, f"Recipient is {quoted(data.get('Recipient') or '')}, expected {asked.acs_url}"
        )
    clock.begun(_date(data, "NotBefore"), "the confirmation's NotBefore")
    ends = _date(data, "NotOnOrAfter")
    if ends is None:
        raise refusal(SamlCode.CONFIRMATION, "the bearer confirmation has no NotOnOrAfter")
    clock.alive(ends, "the confirmation's NotOnOrAfter")
    return ends


def _conditions(assertion: etree._Element, way: SamlWay, clock: _Clock) -> float:
    conditions = _child(assertion, "Conditions", SamlCode.CONDITIONS)
    ends = _date(conditions, "NotOnOrAfter")
    if ends is None:
        raise refusal(SamlCode.CONDITIONS, "Conditions have no NotOnOrAfter")
    clock.begun(_date(conditions, "NotBefore"), "NotBefore")
    clock.alive(ends, "NotOnOrAfter")
    restrictions = conditions.findall(saml("AudienceRestriction"))
    if not restrictions:
        raise refusal(SamlCode.WRONG_AUDIENCE, f"there is no AudienceRestriction; expected {way.sp_entity_id}")
    for restriction in restrictions:
        # Each restriction must hold, by any one of its audiences (core section 2.5.1.4).
        names = [audience.text or "" for audience in restriction.findall(saml("Audience"))]
        if way.sp_entity_id not in names:
            shown = ", ".join(quoted(name) for name in names[:4])
            raise refusal(SamlCode.WRONG_AUDIENCE, f"the audience is {shown or 'nobody'}; expected {way.sp_entity_id}")
    return ends


def _authenticated(assertion: etree._Element, way: SamlWay, clock: _Clock) -> float | None:
    """The earliest end of the provider's own session, when it names one."""
    statements = assertion.findall(saml("AuthnStatement"))
    if not 1 <= len(statements) <= MAX_STATEMENTS:
        raise refusal(SamlCode.NO_AUTHENTICATION, f"the assertion has {len(statements)} AuthnStatements")
    ends: list[float] = []
    for statement in statements:
        at = _date(statement, "AuthnInstant")
        if at is None:
            raise refusal(SamlCode.NO_AUTHENTICATION, "AuthnStatement has no AuthnInstant")
        clock.begun(at, "AuthnInstant")
        end = _date(statement, "SessionNotOnOrAfter")
        if end is not None:
            # No leeway: a session that is over gives no lease, whatever the clocks.
            if clock.now >= end:
                raise refusal(SamlCode.SESSION_OVER, f"SessionNotOnOrAfter was {clock.now - end:.0f} s ago")
            ends.append(end)
        context = statement.findtext(f"{saml('AuthnContext')}/{saml('AuthnContextClassRef')}")
        if way.authn_contexts and context not in way.authn_contexts:
            raise refusal(SamlCode.WRONG_CONTEXT, f"AuthnContextClassRef is {quoted(context or '')}")
    return min(ends, default=None)


def _child(parent: etree._Element, name: str, code: SamlCode) -> etree._Element:
    found = parent.findall(saml(name))
    if len(found) != 1:
        raise refusal(code, f"{local(parent)} has {len(found)} {name}, expected one")
    return found[0]


def _date(element: etree._Element, name: str) -> float | None:
    """An instant in Unix seconds (core section 1.3.3: UTC, written with Z); None when the attribute is not there."""
    text = element.get(name)
    if text is None:
        return None
    found = _DATE.fullmatch(text)
    if found is None:
        raise refusal(SamlCode.BAD_TIME, f"{name} is {quoted(text)}, expected a UTC date and time that ends in Z")
    try:
        moment = datetime(*(int(part) for part in found.groups()[:6]), tzinfo=UTC)  # type: ignore[arg-type,misc]  # six integers
    except ValueError:
        raise refusal(SamlCode.BAD_TIME, f"{name} is {quoted(text)}, which no calendar has") from None
    return moment.timestamp() + float(found[7] or 0)

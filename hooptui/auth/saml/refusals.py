"""Why a SAML login is refused: one stable code for each reason, with the words the person sees.

The words never quote the response. What an operator needs beyond them goes into the refusal's `log`, which may quote single
values, shortened and escaped.
"""

from __future__ import annotations

from enum import StrEnum

from hooptui.core.gate import LoginRefused


class SamlCode(StrEnum):
    """Stable names; journal, screen and documentation use them."""

    MISSING = "saml-missing"
    NOT_BASE64 = "saml-not-base64"
    TOO_LARGE = "saml-too-large"
    BAD_ENCODING = "saml-encoding"
    DTD = "saml-dtd"
    ENTITY = "saml-entity"
    COMMENT = "saml-comment"
    INSTRUCTION = "saml-instruction"
    CDATA = "saml-cdata"
    DUPLICATE_ATTRIBUTE = "saml-duplicate-attribute"
    TOO_COMPLEX = "saml-too-complex"
    NOT_XML = "saml-not-xml"
    NOT_RESPONSE = "saml-not-a-response"
    STATUS = "saml-status"
    ENCRYPTED = "saml-encrypted"
    EXTENSIONS = "saml-extensions"
    MISPLACED = "saml-misplaced"
    STRAY_TEXT = "saml-stray-text"
    NAMESPACE = "saml-namespace"
    ASSERTION_COUNT = "saml-assertion-count"
    BAD_ID = "saml-id"
    DUPLICATE_ID = "saml-duplicate-id"
    UNSIGNED = "saml-unsigned"
    SIGNATURE_PLACE = "saml-signature-place"
    SIGNATURE_OBJECT = "saml-signature-object"
    REFERENCE = "saml-reference"
    TRANSFORM = "saml-transform"
    CANONICALISATION = "saml-canonicalisation"
    ALGORITHM = "saml-algorithm"
    KEY_TYPE = "saml-key-type"
    FOREIGN_KEY = "saml-foreign-key"
    CERTIFICATE_EXPIRED = "saml-certificate-expired"
    BAD_SIGNATURE = "saml-bad-signature"
    WRONG_ISSUER = "saml-wrong-issuer"
    UNSOLICITED = "saml-unsolicited"
    WRONG_REQUEST = "saml-wrong-request"
    WRONG_DESTINATION = "saml-wrong-destination"
    WRONG_RECIPIENT = "saml-wrong-recipient"
    CONFIRMATION = "saml-confirmation"
    CONDITIONS = "saml-conditions"
    WRONG_AUDIENCE = "saml-wrong-audience"
    BAD_TIME = "saml-bad-time"
    EXPIRED = "saml-expired"
    NOT_YET = "saml-not-yet"
    STALE = "saml-stale"
    NO_AUTHENTICATION = "saml-no-authentication"
    WRONG_CONTEXT = "saml-wrong-context"
    SESSION_OVER = "saml-session-over"
    REPLAYED = "saml-replayed"
    SUBJECT_FORMAT = "saml-subject-format"
    BAD_SUBJECT = "saml-bad-subject"
    BAD_ATTRIBUTES = "saml-bad-attributes"
    BAD_GROUPS = "saml-bad-groups"
    GROUP_OVERAGE = "saml-group-overage"


_AGAIN = "start the login again"
_ASK = "ask the people who run this gateway; its log has the details"
_CLOCKS = "start the login again; if it stays, the clocks of this gateway and of the identity provider differ"

WORDS: dict[SamlCode, tuple[str, str]] = {
    SamlCode.MISSING: ("the identity provider sent no SAML response", _AGAIN),
    SamlCode.NOT_BASE64: ("the SAML response is not base64", _ASK),
    SamlCode.TOO_LARGE: (
        "the SAML response is larger than 256 KiB",
        "ask for a response with fewer attributes or groups",
    ),
    SamlCode.BAD_ENCODING: ("the SAML response is not plain UTF-8", _ASK),
    SamlCode.DTD: ("the SAML response has a document type declaration", _ASK),
    SamlCode.ENTITY: ("the SAML response has entities of its own", _ASK),
    SamlCode.COMMENT: ("the SAML response has a comment", _ASK),
    SamlCode.INSTRUCTION: ("the SAML response has a processing instruction", _ASK),
    SamlCode.CDATA: ("the SAML response has a CDATA section", _ASK),
    SamlCode.DUPLICATE_ATTRIBUTE: ("the SAML response has an element with the same attribute twice", _ASK),
    SamlCode.TOO_COMPLEX: ("the SAML response is nested too deep or has too many parts", _ASK),
    SamlCode.NOT_XML: ("the SAML response is not well-formed XML", _ASK),
    SamlCode.NOT_RESPONSE: ("what was sent is not a SAML 2.0 response", _ASK),
    SamlCode.STATUS: (
        "the identity provider did not log you in",
        "start the login again; if it stays, ask the people who run the identity provider",
    ),
    SamlCode.ENCRYPTED: (
        "the SAML response is encrypted, which is not accepted here",
        "the identity provider must send signed assertions that are not encrypted; TLS already protects them",
    ),
    SamlCode.EXTENSIONS: ("the SAML response has extensions, which are not accepted here", _ASK),
    SamlCode.MISPLACED: ("the SAML response has an element where none of its kind belongs", _ASK),
    SamlCode.STRAY_TEXT: ("the SAML response has text where only elements belong", _ASK),
    SamlCode.NAMESPACE: ("the SAML response has a namespace that is not acceptable", _ASK),
    SamlCode.ASSERTION_COUNT: ("the SAML response does not have exactly one assertion", _ASK),
    SamlCode.BAD_ID: ("the SAML response has an identifier that is not acceptable", _ASK),
    SamlCode.DUPLICATE_ID: ("the SAML response has the same identifier twice", _ASK),
    SamlCode.UNSIGNED: (
        "the SAML response is not signed",
        "the identity provider must sign its responses or assertions",
    ),
    SamlCode.SIGNATURE_PLACE: ("the SAML response has a signature in a place where none belongs", _ASK),
    SamlCode.SIGNATURE_OBJECT: ("the SAML response has a signature that carries content of its own", _ASK),
    SamlCode.REFERENCE: ("the SAML signature does not cover exactly the element it is in", _ASK),
    SamlCode.TRANSFORM: ("the SAML signature transforms what it signs in a way that is not accepted", _ASK),
    SamlCode.CANONICALISATION: ("the SAML signature uses a canonicalisation that is not accepted", _ASK),
    SamlCode.ALGORITHM: ("the SAML signature uses an algorithm that is not accepted", _ASK),
    SamlCode.KEY_TYPE: ("the SAML signature's algorithm does not fit the identity provider's key", _ASK),
    SamlCode.FOREIGN_KEY: (
        "the SAML response names a key that is not the identity provider's",
        "if the identity provider has a new certificate, the people who run this gateway must pin it",
    ),
    SamlCode.CERTIFICATE_EXPIRED: (
        "the identity provider's pinned certificate is not valid now",
        "the people who run this gateway must pin the provider's present certificate",
    ),
    SamlCode.BAD_SIGNATURE: ("the SAML response's signature is wrong", _AGAIN),
    SamlCode.WRONG_ISSUER: ("the SAML response is from another identity provider", _ASK),
    SamlCode.UNSOLICITED: (
        "the SAML response answers no request of ours",
        "a login started at the identity provider is not accepted; start the login here",
    ),
    SamlCode.WRONG_REQUEST: ("the SAML response answers another request than this browser's", _AGAIN),
    SamlCode.WRONG_DESTINATION: ("the SAML response was sent to another address", _ASK),
    SamlCode.WRONG_RECIPIENT: ("the SAML assertion is for another recipient", _ASK),
    SamlCode.CONFIRMATION: ("the SAML assertion's subject is not confirmed the way it must be", _ASK),
    SamlCode.CONDITIONS: ("the SAML assertion's conditions are missing or not understood", _ASK),
    SamlCode.WRONG_AUDIENCE: ("the SAML assertion was issued for another audience", _ASK),
    SamlCode.BAD_TIME: ("the SAML response has a time that is not a UTC date and time", _ASK),
    SamlCode.EXPIRED: ("the SAML assertion has expired", _CLOCKS),
    SamlCode.NOT_YET: ("the SAML response is not valid yet", _CLOCKS),
    SamlCode.STALE: ("the SAML response took too long to arrive", _CLOCKS),
    SamlCode.NO_AUTHENTICATION: ("the SAML assertion does not say that anybody logged in", _ASK),
    SamlCode.WRONG_CONTEXT: (
        "the identity provider did not log you in strongly enough",
        "log in there with the stronger method that is asked for here",
    ),
    SamlCode.SESSION_OVER: ("your session at the identity provider is over", _AGAIN),
    SamlCode.REPLAYED: ("the SAML assertion was used before", _AGAIN),
    SamlCode.SUBJECT_FORMAT: ("the SAML assertion names you in a form that does not last", _ASK),
    SamlCode.BAD_SUBJECT: ("the SAML assertion does not say whom it is about", _ASK),
    SamlCode.BAD_ATTRIBUTES: ("the SAML assertion's attributes are not acceptable", _ASK),
    SamlCode.BAD_GROUPS: ("the SAML assertion's groups are not a list of names", _ASK),
    SamlCode.GROUP_OVERAGE: (
        "the identity provider left your groups out because they are too many",
        "the identity provider must send only the groups assigned to this application",
    ),
}


def refusal(code: SamlCode, log: str) -> LoginRefused:
    """The refusal for `code`. `log` is for the operator: what was found, with values quoted by `auth.refusals.quoted` only."""
    message, hint = WORDS[code]
    return LoginRefused(code, message, hint=hint, log=log)

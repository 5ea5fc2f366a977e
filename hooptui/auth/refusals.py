"""Why a token is refused: one stable code for each reason, with the words its bearer sees.

The words never quote a token. What an operator needs beyond them goes into the refusal's `log`, which may quote single
claims, shortened and escaped.
"""

from __future__ import annotations

from enum import StrEnum

from hooptui.core.gate import LoginRefused


class Code(StrEnum):
    """Stable names; journal, screen and documentation use them."""

    MISSING = "token-missing"
    TOO_LARGE = "token-too-large"
    TRUNCATED = "token-truncated"
    NOT_SIGNED = "not-a-token"
    BAD_HEADER = "bad-header"
    ALGORITHM_REFUSED = "algorithm-refused"
    WRONG_TYPE = "wrong-type"
    UNKNOWN_ISSUER = "unknown-issuer"
    ISSUER_UNREACHABLE = "issuer-unreachable"
    ISSUER_MISCONFIGURED = "issuer-misconfigured"
    UNKNOWN_KEY = "unknown-key"
    AMBIGUOUS_KEY = "ambiguous-key"
    BAD_SIGNATURE = "bad-signature"
    BAD_CLAIMS = "bad-claims"
    WRONG_AUDIENCE = "wrong-audience"
    WRONG_PARTY = "wrong-party"
    EXPIRED = "token-expired"
    NOT_YET = "token-not-yet"
    LIFETIME_TOO_LONG = "lifetime-too-long"
    KEY_BOUND = "bound-token"
    BAD_SUBJECT = "bad-subject"
    BAD_ACTOR = "bad-actor"
    NOT_ACCEPTED = "not-accepted"
    BAD_GROUPS = "bad-groups"
    GROUP_OVERAGE = "group-overage"
    REVOKED = "token-revoked"
    VALIDITY_UNKNOWN = "validity-unknown"
    WRONG_NONCE = "wrong-nonce"
    WRONG_HASH = "wrong-at-hash"


_AGAIN = "get a new token from your identity provider and connect again"
_ASK = "ask the people who run this gateway; its log has the details"

WORDS: dict[Code, tuple[str, str]] = {
    Code.MISSING: (
        "no token was sent",
        "send your OIDC access token as the password: PGPASSWORD=$TOKEN, or a line in ~/.pgpass",
    ),
    Code.TOO_LARGE: (
        "the token is larger than 16 KiB",
        "ask your identity provider for a token with fewer claims or groups",
    ),
    Code.TRUNCATED: (
        "the token was cut off before its end",
        "a password prompt cuts long input (psql at 4095 bytes, ssh at 1023): send it in PGPASSWORD or ~/.pgpass instead",
    ),
    Code.NOT_SIGNED: (
        "the password is not a signed token",
        "the password must be exactly your OIDC access token: three base64url parts with dots, no quotes, spaces or line ends",
    ),
    Code.BAD_HEADER: ("the token's header is not acceptable", _ASK),
    Code.ALGORITHM_REFUSED: ("the token is signed with an algorithm that is not accepted", _ASK),
    Code.WRONG_TYPE: (
        "the token is of a type that proves no identity here",
        "send an access token, not a refresh, logout or other token",
    ),
    Code.UNKNOWN_ISSUER: ("the token is from an identity provider that is not accepted here", _ASK),
    Code.ISSUER_UNREACHABLE: (
        "the identity provider's keys cannot be fetched",
        "try again in a minute; if it stays, tell the people who run this gateway",
    ),
    Code.ISSUER_MISCONFIGURED: ("the identity provider's published settings are not acceptable", _ASK),
    Code.UNKNOWN_KEY: (
        "the token is signed with a key that the identity provider does not publish",
        f"{_AGAIN}; after a key rotation this can take half a minute",
    ),
    Code.AMBIGUOUS_KEY: ("more than one published key fits the token", _ASK),
    Code.BAD_SIGNATURE: ("the token's signature is wrong", _AGAIN),
    Code.BAD_CLAIMS: ("the token's claims are not acceptable", _ASK),
    Code.WRONG_AUDIENCE: (
        "the token was issued for another audience",
        "ask your identity provider for a token whose audience is this gateway",
    ),
    Code.WRONG_PARTY: ("the token was issued to a client that may not be used here", _ASK),
    Code.EXPIRED: ("the token has expired", _AGAIN),
    Code.NOT_YET: (
        "the token is not valid yet",
        "check the clocks of this machine and of the identity provider",
    ),
    Code.LIFETIME_TOO_LONG: ("the token lives longer than is accepted here", "ask for a token with a shorter life"),
    Code.KEY_BOUND: (
        "the token is bound to a key (cnf) and cannot be used as a password",
        "ask your identity provider for a plain bearer token for this client",
    ),
    Code.BAD_SUBJECT: ("the token does not say whom it is for", _ASK),
    Code.BAD_ACTOR: ("the token does not say clearly who acts for whom", _ASK),
    Code.NOT_ACCEPTED: ("the token is genuine, but not one of those that are accepted here", _ASK),
    Code.BAD_GROUPS: ("the token's groups are not a list of names", _ASK),
    Code.GROUP_OVERAGE: (
        "the identity provider left your groups out of the token because they are too many",
        "ask for a token that carries only the groups assigned to this application",
    ),
    Code.REVOKED: ("the token has been revoked", _AGAIN),
    Code.VALIDITY_UNKNOWN: (
        "whether the token has been revoked cannot be found out now",
        "try again in a minute; if it stays, tell the people who run this gateway",
    ),
    Code.WRONG_NONCE: (
        "the identity provider's answer belongs to another login",
        "start the login again, in one browser window",
    ),
    Code.WRONG_HASH: ("the identity provider's two tokens do not belong together", "start the login again"),
}


def refusal(code: Code, log: str) -> LoginRefused:
    """The refusal for `code`. `log` is for the operator: what was found, with claims quoted by `quoted` only."""
    message, hint = WORDS[code]
    return LoginRefused(code, message, hint=hint, log=log)


def quoted(value: object, limit: int = 80) -> str:
    """A claim fit for a log line: ASCII only, escaped, at most `limit` characters."""
    text = value if isinstance(value, str) else f"<{type(value).__name__}>"
    cut = text[:limit]
    return ascii(cut) + ("…" if len(text) > limit else "")

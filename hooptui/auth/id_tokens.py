"""What an ID token must say beyond other tokens (OpenID Connect Core 1.0 section 3.1.3.7). Pure; knows no key and no network.

An ID token is proof of one login at one client. It is never accepted as a password: only the portal, which asked for it
with its own client id and nonce, hands it in.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from hooptui.auth import claims
from hooptui.auth.issuer import Issuer
from hooptui.auth.refusals import Code, quoted, refusal
from hooptui.auth.tokens import Token
from hooptui.core.model import Identity
from hooptui.core.secret import Secret

_HASHES = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}


def identify(
    token: Token, issuer: Issuer, now: float, *, client_id: str, nonce: str, access_token: Secret | None
) -> Identity:
    """The identity that this ID token, whose signature was checked, proves at `now` (Unix seconds).

    Raises:
        ValueError: `client_id` or `nonce` is empty; a login without them proves nothing.
        LoginRefused: wrong-type, wrong-audience, wrong-party, wrong-nonce, wrong-at-hash, or as `claims.person`.
    """
    if not client_id or not nonce:
        raise ValueError("an ID token is checked against the client id and the nonce of its login; one is empty")
    if token.type not in ("", "jwt"):
        raise refusal(Code.WRONG_TYPE, f"typ is {quoted(token.type)}; an ID token has JWT or none")
    said = token.claims
    others = claims.audience(said, frozenset({client_id})) - {client_id}
    # Point 3: additional audiences must be trusted; ours are.
    if strangers := others - issuer.audiences:
        raise refusal(Code.WRONG_AUDIENCE, f"aud names also {quoted(min(strangers))}, which is not trusted here")
    party = claims.party(said, issuer.profile)
    if others and party is None:
        raise refusal(Code.WRONG_PARTY, "aud names several, and azp does not say which of them asked")
    if party is not None and party != client_id:
        raise refusal(Code.WRONG_PARTY, f"the ID token was issued to {quoted(party)}; expected {quoted(client_id)}")
    if "iat" not in said:
        raise refusal(Code.BAD_CLAIMS, "the ID token has no iat")
    identity = claims.person(said, issuer, now, id_token=True)
    found = said.get("nonce")
    if not isinstance(found, str) or not hmac.compare_digest(_bytes(found), _bytes(nonce)):
        raise refusal(Code.WRONG_NONCE, "nonce is not that of the login which asked for this token")
    if access_token is not None and "at_hash" in said:
        _hash(token, access_token)
    return identity


def _hash(token: Token, access_token: Secret) -> None:
    """`at_hash`: the left half of the access token's hash, by the hash of the ID token's own algorithm (section 3.1.3.6)."""
    # Ed25519 signs over SHA-512; the others name their hash.
    digest = _HASHES.get(token.algorithm[-3:], hashlib.sha512)(_bytes(access_token.reveal())).digest()
    expected = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=")
    found = token.claims["at_hash"]
    if not isinstance(found, str) or not hmac.compare_digest(_bytes(found), expected):
        raise refusal(Code.WRONG_HASH, "at_hash is not the hash of the access token that came with it")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")

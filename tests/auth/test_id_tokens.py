"""ID tokens of the portal's own logins: everything other tokens must be, and bound to client, nonce and access token."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from joserfc import jwk

from hooptui.auth.oidc import Code, Issuer, Verifier
from hooptui.core.clock import ManualClock
from hooptui.core.gate import LoginRefused
from hooptui.core.secret import Secret

from .forge import AUDIENCE, EC384, ED, NOW, OTHER_RSA, RSA, Publisher, b64, public, token

CLIENT = "portal"
NONCE = "n-0S6_WzA2Mj-0123456789"
ACCESS = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stage() -> AsyncIterator[tuple[Verifier, str, str]]:
    async with Publisher() as one, Publisher() as two:
        one.keys = [public(RSA), public(ED), public(EC384)]
        algorithms = frozenset({"RS256", "RS512", "ES384", "Ed25519"})
        issuers = [
            Issuer(one.url, frozenset({AUDIENCE}), algorithms=algorithms),
            Issuer(two.url, frozenset({AUDIENCE})),
        ]
        async with Verifier(issuers, ManualClock(NOW)) as verifier:
            yield verifier, one.url, two.url


def id_token(url: str, **more: object) -> str:
    settings: dict[str, object] = {"aud": CLIENT, "nonce": NONCE, "head": {"typ": "JWT"}}
    return token(url, **(settings | more))  # type: ignore[arg-type]


def at_hash(name: str, text: str = ACCESS) -> str:
    digest = hashlib.new(name, text.encode()).digest()
    return b64(digest[: len(digest) // 2])


GOOD: list[tuple[str, dict[str, object]]] = [
    ("plain", {}),
    ("without typ", {"head": {"typ": None}}),
    ("azp is the client", {"azp": CLIENT}),
    ("our audience beside it, with azp", {"aud": [CLIENT, AUDIENCE], "azp": CLIENT}),
    ("a list of one", {"aud": [CLIENT]}),
    ("at_hash", {"at_hash": at_hash("sha256")}),
    ("the hash of RFC 7518's example length", {"at_hash": "77QmUPtjPfzWtF2AnpK9RQ"}),
    ("at_hash by ES384", {"key": EC384, "alg": "ES384", "at_hash": at_hash("sha384")}),
    ("at_hash by RS512", {"alg": "RS512", "at_hash": at_hash("sha512")}),
    ("at_hash by Ed25519", {"key": ED, "alg": "Ed25519", "at_hash": at_hash("sha512")}),
]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("more", [one[1] for one in GOOD], ids=[one[0] for one in GOOD])
async def test_a_login_is_accepted(stage: tuple[Verifier, str, str], more: dict[str, object]) -> None:
    verifier, url, _ = stage
    text = Secret(id_token(url, **more))
    # The access token of OpenID Connect Core's own example, whose hash is 77QmUPtjPfzWtF2AnpK9RQ.
    identity = await verifier.identify_id_token(text, url, CLIENT, NONCE, access_token=Secret(ACCESS))
    assert (identity.key, identity.groups) == (f"{url}#etl-7", {"agents"})
    assert identity.expires_at == int(NOW) + 600


BAD: list[tuple[str, Code, dict[str, object]]] = [
    ("an access token", Code.WRONG_TYPE, {"head": {"typ": "at+jwt"}}),
    ("an access token, in full", Code.WRONG_TYPE, {"head": {"typ": "application/AT+JWT"}}),
    ("a logout token", Code.WRONG_TYPE, {"head": {"typ": "logout+jwt"}}),
    ("for the gateway, not the client", Code.WRONG_AUDIENCE, {"aud": AUDIENCE}),
    ("for another client", Code.WRONG_AUDIENCE, {"aud": "portal-2"}),
    ("for a stranger as well", Code.WRONG_AUDIENCE, {"aud": [CLIENT, "web"], "azp": CLIENT}),
    ("no aud", Code.WRONG_AUDIENCE, {"drop": ("aud",)}),
    ("aud an object", Code.BAD_CLAIMS, {"aud": {CLIENT: 1}}),
    ("two audiences, no azp", Code.WRONG_PARTY, {"aud": [CLIENT, AUDIENCE]}),
    ("azp another client", Code.WRONG_PARTY, {"azp": "web"}),
    ("azp another client of two", Code.WRONG_PARTY, {"aud": [CLIENT, AUDIENCE], "azp": AUDIENCE}),
    ("azp and client_id differ", Code.WRONG_PARTY, {"azp": CLIENT, "client_id": "web"}),
    ("azp a number", Code.BAD_CLAIMS, {"azp": 1}),
    ("no nonce", Code.WRONG_NONCE, {"drop": ("nonce",)}),
    ("another nonce", Code.WRONG_NONCE, {"nonce": NONCE[:-1] + "x"}),
    ("a nonce that begins well", Code.WRONG_NONCE, {"nonce": NONCE[:-1]}),
    ("an empty nonce", Code.WRONG_NONCE, {"nonce": ""}),
    ("a list of nonces", Code.WRONG_NONCE, {"nonce": [NONCE]}),
    ("a nonce that no UTF-8 has", Code.WRONG_NONCE, {"nonce": "\udc80"}),
    ("at_hash of another token", Code.WRONG_HASH, {"at_hash": at_hash("sha256", "other")}),
    ("at_hash by another hash", Code.WRONG_HASH, {"at_hash": at_hash("sha512")}),
    ("at_hash of the whole hash", Code.WRONG_HASH, {"at_hash": b64(hashlib.sha256(ACCESS.encode()).digest())}),
    ("at_hash empty", Code.WRONG_HASH, {"at_hash": ""}),
    ("at_hash null", Code.WRONG_HASH, {"at_hash": None}),
    ("no iat", Code.BAD_CLAIMS, {"drop": ("iat",)}),
    ("expired", Code.EXPIRED, {"exp": int(NOW) - 31}),
    ("from tomorrow", Code.NOT_YET, {"iat": int(NOW) + 86_400, "exp": int(NOW) + 86_500}),
    ("too long a life", Code.LIFETIME_TOO_LONG, {"exp": int(NOW) + 10**6}),
    ("bound to a key", Code.KEY_BOUND, {"cnf": {"jkt": "x"}}),
    ("no sub", Code.BAD_SUBJECT, {"drop": ("sub",)}),
    ("groups a string", Code.BAD_GROUPS, {"groups": "dba"}),
    ("another key", Code.BAD_SIGNATURE, {"key": OTHER_RSA}),
    ("another kind of key", Code.UNKNOWN_KEY, {"key": jwk.ECKey.generate_key("P-384", {"kid": "rsa-1"}), "alg": "ES384"}),
]  # fmt: skip


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("code", "more"), [one[1:] for one in BAD], ids=[one[0] for one in BAD])
async def test_refused_for_its_own_reason(
    stage: tuple[Verifier, str, str], code: Code, more: dict[str, object]
) -> None:
    verifier, url, _ = stage
    text = id_token(url, **more)
    with pytest.raises(LoginRefused) as caught:
        await verifier.identify_id_token(Secret(text), url, CLIENT, NONCE, access_token=Secret(ACCESS))
    refused = caught.value
    assert refused.code == code, refused.log
    said = f"{refused.message} {refused.hint} {refused.log}"
    assert text[-40:] not in said and NONCE not in said and ACCESS not in said


@pytest.mark.asyncio(loop_scope="module")
async def test_a_login_at_one_provider_is_none_at_another(stage: tuple[Verifier, str, str]) -> None:
    verifier, url, other = stage
    with pytest.raises(LoginRefused) as caught:
        await verifier.identify_id_token(Secret(id_token(url)), other, CLIENT, NONCE)
    assert caught.value.code == Code.UNKNOWN_ISSUER


@pytest.mark.asyncio(loop_scope="module")
async def test_an_id_token_is_no_password(stage: tuple[Verifier, str, str]) -> None:
    verifier, url, _ = stage
    with pytest.raises(LoginRefused) as caught:
        await verifier.identify(Secret(id_token(url)))
    assert caught.value.code == Code.WRONG_AUDIENCE


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("client", "nonce"), [("", NONCE), (CLIENT, "")])
async def test_a_check_that_checks_nothing_is_an_error(
    stage: tuple[Verifier, str, str], client: str, nonce: str
) -> None:
    verifier, url, _ = stage
    with pytest.raises(ValueError, match="empty"):
        await verifier.identify_id_token(Secret(id_token(url, aud=client or CLIENT, nonce=nonce)), url, client, nonce)

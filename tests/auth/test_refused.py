"""Every bad token is refused for its own reason, against a real issuer over real TLS, and no refusal quotes it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from hooptui.auth.oidc import Code
from hooptui.auth.refusals import WORDS
from hooptui.core.model import Kind
from hooptui.core.secret import Secret

from . import test_id_tokens, test_profiles
from .cases import CASES, PS, SECOND, Make
from .forge import AUDIENCE, EC, ED, NOW, RSA_BIG, token
from .stage import Stage, quotes, refused, staged


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with staged(tmp_path_factory.mktemp("tls")) as made:
        yield made


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("code", "make"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
async def test_refused_for_its_own_reason(stage: Stage, code: Code, make: Make) -> None:
    text = make(stage.url)
    refusal = await refused(stage.verifier, text)
    assert (refusal.code, refusal.message) == (code, WORDS[code][0]), refusal.log
    assert refusal.hint and refusal.log and refusal.log.isascii() and refusal.log.isprintable()
    assert not quotes(refusal, text)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("code", "make"), [case[1:] for case in SECOND], ids=[case[0] for case in SECOND])
async def test_refused_by_a_stricter_issuer(stage: Stage, code: Code, make: Make) -> None:
    refusal = await refused(stage.verifier, make(stage.other))
    assert refusal.code == code, refusal.log


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "make",
    [
        lambda u: token(u),
        lambda u: token(u, key=RSA_BIG),
        lambda u: token(u, key=RSA_BIG, alg="PS256"),
        lambda u: token(u, key=PS, alg="PS256"),
        lambda u: token(u, key=EC, alg="ES256"),
        lambda u: token(u, key=ED, alg="Ed25519"),
        lambda u: token(u, key=ED, alg="EdDSA"),
        lambda u: token(u, key=ED, alg="EdDSA", head={"kid": None}),
        lambda u: token(u, head={"typ": None}),
        lambda u: token(u, head={"typ": "JWT"}),
        lambda u: token(u, head={"typ": "AT+JWT"}),
        lambda u: token(u, head={"typ": "application/at+jwt"}),
        lambda u: token(u, head={"x5t": "abc"}),
        lambda u: token(u, aud=["account", AUDIENCE]),
        lambda u: token(u, exp=int(NOW) - 29),
        lambda u: token(u, nbf=int(NOW) + 30, iat=int(NOW) + 30),
        lambda u: token(u, exp=NOW + 600.5),
        lambda u: token(u, drop=("iat", "nbf")),
        lambda u: token(u, azp="cli", client_id="cli"),
        lambda u: token(u, hasgroups=False, _claim_names={"email": "src1"}),
        lambda u: token(u, pad="x" * 11_000),
    ],
)  # fmt: skip
async def test_good_tokens_of_every_kind_are_accepted(stage: Stage, make: Make) -> None:
    identity = await stage.verifier.identify(Secret(make(stage.url)))
    assert (identity.key, identity.name, identity.groups) == (f"{stage.url}#etl-7", "ETL seven", {"agents"})
    assert identity.kind is Kind.HUMAN and identity.owner is None and identity.expires_at is not None


@pytest.mark.asyncio(loop_scope="module")
async def test_nested_roles_owner_kind_and_prefix(stage: Stage) -> None:
    text = token(
        stage.other,
        appid="cli",
        realm_access={"roles": ["dba", "agents"]},
        act={"sub": "ops-1"},
        idtyp="app",
        name="Bot",
    )
    identity = await stage.verifier.identify(Secret(text))
    assert identity.groups == {"two:dba", "two:agents"}
    assert (identity.owner, identity.kind, identity.name) == (f"{stage.other}#ops-1", Kind.AGENT, "Bot")
    plain = await stage.verifier.identify(Secret(token(stage.other, azp="cli", aud="second", name="\x1b[2J")))
    assert (plain.groups, plain.owner, plain.kind, plain.name) == (frozenset(), None, Kind.HUMAN, "etl-7")


def test_every_code_has_words_and_a_test() -> None:
    assert set(WORDS) == set(Code)
    elsewhere = {Code.ISSUER_UNREACHABLE, Code.ISSUER_MISCONFIGURED, Code.REVOKED, Code.VALIDITY_UNKNOWN}
    tested = {case[1] for case in (*CASES, *SECOND, *test_id_tokens.BAD)} | {case[3] for case in test_profiles.BAD}
    assert tested == set(Code) - elsewhere
    assert len({words[0] for words in WORDS.values()}) == len(WORDS)
    assert len(CASES) + len(SECOND) >= 100

"""The negative suite: every hostile token is refused for its own reason, and nothing said about it quotes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from joserfc import jwk

from hooptui.auth.oidc import Code
from hooptui.auth.refusals import WORDS
from hooptui.core.secret import Secret

from .cases import CASES, SECOND, Make
from .forge import EC, ED, RSA_BIG, token
from .hostile_claims import CLAIMS
from .hostile_form import ALGORITHM, FORM, HEADER
from .hostile_keys import KEYS, SIGNATURES
from .stage import Stage, quotes, refused, staged

HOSTILE = [*FORM, *HEADER, *ALGORITHM, *KEYS, *SIGNATURES, *CLAIMS]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with staged(tmp_path_factory.mktemp("tls")) as made:
        yield made


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("code", "make"), [case[1:] for case in HOSTILE], ids=[ascii(case[0]) for case in HOSTILE])
async def test_refused_for_its_own_reason(stage: Stage, code: Code, make: Make) -> None:
    text = make(stage.url)
    refusal = await refused(stage.verifier, text)
    assert (refusal.code, refusal.message) == (code, WORDS[code][0]), refusal.log
    assert refusal.hint and refusal.log and refusal.log.isascii() and refusal.log.isprintable()
    assert not quotes(refusal, text)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("algorithm", "key"), [("ES256", EC), ("Ed25519", ED), ("RS256", RSA_BIG)])
async def test_no_beginning_of_a_good_token_is_one(stage: Stage, algorithm: str, key: jwk.Key) -> None:
    whole = token(stage.url, key=key, alg=algorithm)
    assert (await stage.verifier.identify(Secret(whole))).subject == "etl-7"
    for length in range(len(whole)):
        code = (await refused(stage.verifier, whole[:length])).code
        expected = (Code.MISSING,) if length == 0 else (Code.TRUNCATED, Code.NOT_SIGNED)
        assert code in expected, (length, code)


@pytest.mark.asyncio(loop_scope="module")
async def test_no_single_changed_character_makes_a_good_token(stage: Stage) -> None:
    whole = token(stage.url, key=ED, alg="Ed25519")
    for at in range(len(whole)):
        for other in "Aa-.":
            if whole[at] != other:
                await refused(stage.verifier, whole[:at] + other + whole[at + 1 :])


def test_the_suite_is_as_large_as_promised_and_has_no_case_twice() -> None:
    names = Counter(case[0] for case in (*CASES, *SECOND, *HOSTILE))
    assert [name for name, count in names.items() if count > 1] == []
    assert len(HOSTILE) >= 300 and len(CASES) + len(SECOND) >= 200

"""Days on which an issuer that was good turns bad, and clocks that jump: what was accepted stays so, for a bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from hooptui.auth.issuer import Issuer
from hooptui.auth.oidc import Verifier
from hooptui.auth.provider import DISCOVERY, MAX_DOCUMENT
from hooptui.core.clock import ManualClock
from hooptui.core.gate import LoginRefused
from hooptui.core.secret import Secret

from .forge import AUDIENCE, EC, NOW, OTHER_RSA, Publisher, public, says, token


class TwoFaces(ManualClock):
    """A machine whose wall clock somebody sets, while the other one goes on."""

    def __init__(self) -> None:
        super().__init__(NOW)
        self.set = 0.0

    def now(self) -> float:
        return super().now() + self.set


def issuer(url: str, **more: Any) -> Issuer:
    return Issuer(url, frozenset({AUDIENCE}), jwks_fresh=60.0, jwks_grace=120.0, **more)


async def code(verifier: Verifier, text: str) -> str:
    try:
        await verifier.identify(Secret(text))
    except LoginRefused as refusal:
        return refusal.code
    return "ok"


def changed_issuer(publisher: Publisher) -> None:
    publisher.discovery = lambda: {"issuer": "https://idp.example", "jwks_uri": f"{publisher.url}/jwks"}


def moved_keys(publisher: Publisher) -> None:
    publisher.discovery = lambda: {"issuer": publisher.url, "jwks_uri": "http://idp.example/jwks"}


def answers(path: str, answer: Any) -> Callable[[Publisher], None]:
    return lambda publisher: publisher.answers.update({path: answer})


BAD_DAYS: list[tuple[str, Callable[[Publisher], None], str]] = [
    ("another issuer", changed_issuer, "issuer-misconfigured"),
    ("keys at a stranger's", moved_keys, "issuer-misconfigured"),
    ("a redirect", answers("/jwks", says(302, Location="http://169.254.169.254/")), "issuer-misconfigured"),
    ("a login page", answers(DISCOVERY, says(200, b"<html>")), "issuer-misconfigured"),
    ("no keys", answers("/jwks", says(200, b'{"keys": []}')), "issuer-misconfigured"),
    ("endless keys", answers("/jwks", says(200, b'{"keys": [' + b" " * MAX_DOCUMENT + b"]}")), "issuer-misconfigured"),
    ("a server's error", answers("/jwks", says(500)), "issuer-unreachable"),
    ("nothing there", answers(DISCOVERY, says(404)), "issuer-unreachable"),
]


@pytest.mark.parametrize(("turn", "expected"), [day[1:] for day in BAD_DAYS], ids=[day[0] for day in BAD_DAYS])
async def test_an_issuer_that_turns_bad_lives_on_its_keys_for_a_while(
    turn: Callable[[Publisher], None], expected: str
) -> None:
    clock = ManualClock(NOW)
    async with Publisher() as publisher, Verifier([issuer(publisher.url)], clock) as verifier:
        good, stranger = token(publisher.url), token(publisher.url, key=OTHER_RSA)
        assert await code(verifier, good) == "ok"
        turn(publisher)
        clock.advance(61)
        # The keys that are known are used; one that would have to be fetched is the issuer's trouble.
        assert await code(verifier, good) == "ok" and await code(verifier, stranger) == "bad-signature"
        assert await code(verifier, token(publisher.url, key=EC, alg="ES256")) == expected
        trouble = (await verifier.prepare())[publisher.url]
        assert trouble is not None and trouble.code == expected
        clock.advance(120)
        assert await code(verifier, good) == expected
        with pytest.raises(LoginRefused):
            await verifier.metadata(publisher.url)


async def test_a_stranger_cannot_make_us_ask_again_and_again() -> None:
    clock = ManualClock(NOW)
    async with Publisher() as publisher, Verifier([issuer(publisher.url)], clock) as verifier:
        texts = [token(publisher.url, head={"kid": f"k-{number}"}) for number in range(50)]
        assert set(await asyncio.gather(*(code(verifier, text) for text in texts))) == {"unknown-key"}
        for text in texts:
            assert await code(verifier, text) == "unknown-key"
        assert publisher.asked["/jwks"] <= 2


async def test_a_hanging_issuer_holds_up_no_other() -> None:
    async with Publisher() as slow, Publisher() as quick:
        slow.gate = asyncio.Event()
        async with (
            Verifier([issuer(slow.url), issuer(quick.url)], ManualClock(NOW)) as verifier,
            asyncio.TaskGroup() as group,
        ):
            waiting = group.create_task(code(verifier, token(slow.url)))
            await slow.arrived.wait()
            assert await code(verifier, token(quick.url)) == "ok" and not waiting.done()
            slow.gate.set()
            assert await waiting == "ok"


@pytest.mark.parametrize(
    ("jump", "expected"),
    [(29.0, "ok"), (629.0, "ok"), (631.0, "token-expired"), (-29.0, "ok"), (-31.0, "token-not-yet"), (-86_400.0, "token-not-yet"),
     (3e10, "token-expired"), (-1.8e9, "token-not-yet")],
)  # fmt: skip
async def test_when_the_wall_clock_is_set_tokens_follow_it(jump: float, expected: str) -> None:
    clock = TwoFaces()
    async with Publisher() as publisher, Verifier([issuer(publisher.url)], clock) as verifier:
        text = token(publisher.url)
        assert await code(verifier, text) == "ok"
        clock.set = jump
        assert await code(verifier, text) == expected
        # The keys' age is no matter of the wall clock: nothing was fetched because of the jump.
        assert publisher.asked["/jwks"] == 1
        clock.set = 0.0
        assert await code(verifier, text) == "ok"


async def test_a_wall_clock_set_back_keeps_no_old_keys() -> None:
    clock = TwoFaces()
    async with Publisher() as publisher, Verifier([issuer(publisher.url)], clock) as verifier:
        assert await code(verifier, token(publisher.url)) == "ok"
        publisher.keys = [public(EC)]
        clock.set = -3_600.0
        clock.advance(61)
        text = token(publisher.url, iat=int(NOW) - 3_600, nbf=int(NOW) - 3_600)
        assert await code(verifier, text) == "unknown-key"


async def test_a_key_that_comes_back_under_its_old_name_is_the_new_one() -> None:
    clock = ManualClock(NOW)
    async with Publisher() as publisher, Verifier([issuer(publisher.url)], clock) as verifier:
        old, new = token(publisher.url), token(publisher.url, key=OTHER_RSA)
        assert await code(verifier, old) == "ok"
        publisher.keys = [public(OTHER_RSA)]
        clock.advance(61)
        assert await code(verifier, new) == "ok" and await code(verifier, old) == "bad-signature"


async def test_metadata_comes_with_the_keys() -> None:
    async with Publisher() as publisher, Verifier([issuer(publisher.url)], ManualClock(NOW)) as verifier:
        document = await verifier.metadata(publisher.url)
        assert document["issuer"] == publisher.url and publisher.asked == {DISCOVERY: 1, "/jwks": 1}
        assert await code(verifier, token(publisher.url)) == "ok" and publisher.asked == {DISCOVERY: 1, "/jwks": 1}
        provider = verifier.provider(publisher.url)
        assert provider.endpoint(document, "jwks_uri") == f"{publisher.url}/jwks"
        with pytest.raises(LoginRefused, match="not acceptable"):
            provider.endpoint(document, "token_endpoint")
        with pytest.raises(KeyError):
            await verifier.metadata("https://idp.example")

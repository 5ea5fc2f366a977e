"""Against npm oidc-provider in a process of its own: logins, revocation by introspection and userinfo, rotation, bad days."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hooptui.auth.issuer import Issuer
from hooptui.auth.oidc import Verifier
from hooptui.auth.revocation import Watcher
from hooptui.auth.validity import ClientAuth, Mode, Revocation
from hooptui.core.clock import SystemClock
from hooptui.core.gate import LoginRefused
from hooptui.core.model import Identity, Kind
from hooptui.core.secret import Secret
from tests.providers.oidc_provider import AUDIENCE, CLI, PORTAL, OidcProvider, oidc_provider

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcProvider]:
    with oidc_provider() as running:
        yield running


@pytest.fixture(autouse=True)
def good_days(provider: OidcProvider) -> Iterator[None]:
    yield
    provider.trouble({})
    provider.settings(introspectJwt=True)


def introspection(idp: OidcProvider, **more: Any) -> Revocation:
    async def secret() -> Secret:
        return Secret(idp.secrets[PORTAL])

    settings: dict[str, Any] = {"interval": 1.0, "keep_for": 60.0, "client_id": PORTAL, "client_secret": secret}
    return Revocation(Mode.INTROSPECTION, **(settings | more))


class Gate:
    """What a gateway has of this room, at one provider."""

    def __init__(self, idp: OidcProvider, revocation: Revocation | None = None, **more: Any) -> None:
        issuer = Issuer(idp.url, frozenset({AUDIENCE}), revocation=revocation or Revocation(), **more)
        self.verifier = Verifier([issuer], SystemClock())
        self.alerts: list[tuple[str, str]] = []
        self.alerted = 0.0
        """When it was told last."""
        self.ended: dict[str, tuple[float, str]] = {}
        self.news = asyncio.Event()
        self.watcher = Watcher([issuer], self.verifier, SystemClock(), self._alert)

    def _alert(self, url: str, code: str, words: str) -> None:
        self.alerts.append((code, words))
        self.alerted = time.monotonic()
        self.news.set()

    async def __aenter__(self) -> Gate:
        return self

    async def __aexit__(self, *trouble: object) -> None:
        await self.watcher.stop()
        await self.verifier.close()

    async def login(self, text: str) -> Identity:
        identity = await self.verifier.identify(Secret(text))
        await self.watcher.check(identity, Secret(text))

        def on_end(words: str) -> None:
            self.ended[identity.subject] = (time.monotonic(), words)
            self.news.set()

        self.watcher.watch(identity.subject, identity, Secret(text), on_end)
        return identity

    async def code(self, text: str) -> str:
        try:
            await self.login(text)
        except LoginRefused as refused:
            return refused.code
        return "ok"

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not done():
                self.news.clear()
                await self.news.wait()


async def test_people_workloads_and_agents_are_told_apart(provider: OidcProvider) -> None:
    async with Gate(provider, owner="act.sub") as gate:
        person = await gate.login(provider.token("ops-1"))
        assert (person.subject, person.kind, person.groups) == ("ops-1", Kind.HUMAN, {"dba", "oncall"})
        agent = await gate.login(provider.workload("bot-8")["access_token"])
        assert (agent.subject, agent.kind, agent.owner) == ("bot-8", Kind.AGENT, f"{provider.url}#ops-1")
    async with Gate(provider) as gate:
        assert await gate.code(provider.workload("bot-8")["access_token"]) == "bad-actor"
        assert await gate.code(provider.token("crowd-6")) == "group-overage"
        assert await gate.code(provider.token("odd-7")) == "bad-groups"


async def test_an_id_token_of_a_real_login(provider: OidcProvider) -> None:
    answer = provider.login("ops-2", nonce="n-1", resource="")
    token, access = Secret(answer["id_token"]), Secret(answer["access_token"])
    async with Gate(provider) as gate:
        who = await gate.verifier.identify_id_token(token, provider.url, CLI, "n-1", access_token=access)
        assert (who.subject, who.kind) == ("ops-2", Kind.HUMAN)
        for client, nonce, code in ((CLI, "n-2", "wrong-nonce"), (PORTAL, "n-1", "wrong-audience")):
            with pytest.raises(LoginRefused) as caught:
                await gate.verifier.identify_id_token(token, provider.url, client, nonce)
            assert caught.value.code == code
        assert await gate.code(token.reveal()) == "wrong-audience"


@pytest.mark.parametrize("client_auth", list(ClientAuth))
async def test_a_revoked_token_ends_by_a_poll(provider: OidcProvider, client_auth: ClientAuth) -> None:
    client = PORTAL if client_auth is ClientAuth.BASIC else "etl-7"

    async def secret() -> Secret:
        return Secret(provider.secrets[client])

    settings = introspection(provider, client_id=client, client_secret=secret, client_auth=client_auth)
    async with Gate(provider, settings) as gate:
        gate.watcher.start()
        revoked, other = provider.token("ops-1"), provider.token("ops-2")
        assert await gate.code(revoked) == await gate.code(other) == "ok"
        provider.revoke(sub="ops-1")
        at = time.monotonic()
        try:
            await gate.until(lambda: bool(gate.ended))
            assert set(gate.ended) == {"ops-1"} and gate.ended["ops-1"][0] - at < 30
            assert await gate.code(revoked) == "token-revoked" and not gate.alerts
        finally:
            provider.restore("ops-1")


async def test_a_provider_that_refuses_signed_tokens_is_told_at_start_and_at_login(provider: OidcProvider) -> None:
    provider.settings(introspectJwt=False)
    async with Gate(provider, introspection(provider)) as gate:
        gate.watcher.start()
        assert await gate.code(provider.token("ops-1")) == "validity-unknown"
        await gate.until(lambda: bool(gate.alerts))
        assert gate.alerts[0][0] == "revocation-misconfigured" and "unsupported_token_type" in gate.alerts[0][1]


async def test_a_wrong_client_secret_is_told_at_start(provider: OidcProvider) -> None:
    async def wrong() -> Secret:
        return Secret("wrong")

    async with Gate(provider, introspection(provider, client_secret=wrong)) as gate:
        gate.watcher.start()
        await gate.until(lambda: bool(gate.alerts))
        assert gate.alerts[0][0] == "revocation-misconfigured" and "invalid_client" in gate.alerts[0][1]


async def test_an_outage_follows_its_grace(provider: OidcProvider) -> None:
    async with Gate(provider, introspection(provider, keep_for=2.0)) as gate:
        gate.watcher.start()
        assert await gate.code(provider.token("ops-1")) == "ok"
        provider.trouble({"/token/introspection": {"kind": "down"}})
        await gate.until(lambda: bool(gate.alerts))
        began = gate.alerted
        assert [code for code, _ in gate.alerts] == ["revocation-unreachable"] and not gate.ended
        assert await gate.code(provider.token("ops-3")) == "validity-unknown"
        await gate.until(lambda: bool(gate.ended))
        assert 1.5 < gate.ended["ops-1"][0] - began < 30
        provider.trouble({})
        assert await gate.code(provider.token("ops-3")) == "ok"
        assert [code for code, _ in gate.alerts] == ["revocation-unreachable", "revocation-again"]


async def test_userinfo_of_a_person_who_is_gone(provider: OidcProvider) -> None:
    provider.user("temp-9", {"preferred_username": "temp-9", "groups": []})
    answer = provider.login("temp-9", resource="")
    opaque = Secret(answer["access_token"])
    who = Identity(provider.url, "temp-9", "temp-9")
    async with Gate(provider, Revocation(Mode.USERINFO, interval=1.0)) as gate:
        gate.watcher.start()
        await gate.watcher.check(who, opaque)
        gate.watcher.watch("a", who, opaque, lambda words: gate.ended.update(a=(0.0, words)) or gate.news.set())
        provider.drop("temp-9")
        await gate.until(lambda: bool(gate.ended))
        assert "does not accept" in gate.ended["a"][1] and not gate.alerts
        with pytest.raises(LoginRefused) as caught:
            await gate.watcher.check(who, opaque)
        assert caught.value.code == "token-revoked"


@pytest.mark.parametrize("kind", ["junk", "redirect", "flood", "slow", "error"])
async def test_a_bad_day_ends_no_live_session_within_its_grace(provider: OidcProvider, kind: Any) -> None:
    async with Gate(provider, introspection(provider)) as gate:
        assert await gate.code(provider.token("ops-1")) == "ok"
        more = {"location": "/jwks"} if kind == "redirect" else {"seconds": 10.0} if kind == "slow" else {}
        provider.trouble({"/token/introspection": {"kind": kind, **more}})  # type: ignore[typeddict-item]
        gate.watcher.start()
        await gate.until(lambda: bool(gate.alerts))
        code = "revocation-unreachable" if kind in ("slow", "error") else "revocation-misconfigured"
        assert [one for one, _ in gate.alerts] == [code] and not gate.ended


async def test_rotation_during_live_sessions_loses_none(provider: OidcProvider) -> None:
    async with Gate(provider, introspection(provider)) as gate:
        gate.watcher.start()
        users = ("ops-1", "ops-2", "ops-3")
        old = {user: provider.token(user) for user in users}
        assert [await gate.code(text) for text in old.values()] == ["ok"] * 3
        provider.rotate()
        # New ones by the new key, at once; old ones by the key that is still published.
        assert await gate.code(provider.token("dev-4")) == "ok"
        assert [await gate.code(text) for text in old.values()] == ["ok"] * 3
        asked = provider.counted()["/token/introspection"]
        async with asyncio.timeout(60):
            while provider.counted()["/token/introspection"] < asked + 8:
                await asyncio.sleep(0.1)
        assert not gate.ended and not gate.alerts


async def test_a_withdrawn_key_signs_no_new_login(provider: OidcProvider) -> None:
    old = provider.token("ops-1")
    provider.rotate(keep=False)
    async with Gate(provider) as gate:
        assert await gate.code(old) == "unknown-key"
        assert await gate.code(provider.token("ops-1")) == "ok"

"""HTTP API v1 with tokens of a real provider."""

from __future__ import annotations

import asyncio
import base64
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from prometheus_client.parser import text_string_to_metric_families

from hooptui.core.secret import Secret
from hooptui.portal.base import Wellness
from hooptui.portal.settings import PortalSettings
from tests.portal.porter import Bed, portal_bed, way
from tests.providers.oidc_provider import OidcProvider

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
async def bed(certified: Path, idp: OidcProvider) -> AsyncIterator[Bed]:
    async with portal_bed(certified, way(idp), ssh=True) as made:
        yield made


async def post(bed: Bed, path: str, *, expect: int = 200, **form: str) -> dict[str, Any]:
    async with bed.client.post(bed.url + path, data=form) as said:
        assert said.status == expect, await said.text()
        assert said.headers["Cache-Control"] == "no-store"
        return dict(await said.json())


async def get(bed: Bed, path: str, *, expect: int = 200, **headers: str) -> dict[str, Any]:
    async with bed.client.get(bed.url + path, headers=headers) as said:
        assert said.status == expect, await said.text()
        return dict(await said.json())


# --- info, health, metrics


async def test_info_says_what_a_program_must_know(bed: Bed, idp: OidcProvider) -> None:
    info = await get(bed, "/v1/info")
    assert info["name"] == "prod-eu"
    assert info["ca"].startswith("-----BEGIN CERTIFICATE-----")
    assert info["listeners"] == {"pg": "localhost:5432"}
    assert info["ways"] == [
        {
            "id": "op", "kind": "oidc", "title": "Example provider", "issuer": idp.url, "browser": True, "device": True,
            "client_id": "hooptui-portal",
        }
    ]  # fmt: skip


async def test_healthz_says_whether_sessions_can_be_opened(bed: Bed) -> None:
    assert await get(bed, "/healthz") == {"status": "ok", "words": ""}
    bed.porter.well = Wellness(False, "draining")
    assert await get(bed, "/healthz", expect=503) == {"status": "unwell", "words": "draining"}


async def test_metrics_are_prometheus_text(bed: Bed) -> None:
    async with bed.client.get(bed.url + "/metrics") as said:
        assert said.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        families = {family.name: family for family in text_string_to_metric_families(await said.text())}
    assert [sample.value for sample in families["hooptui_sessions"].samples] == [3.0, 1.0]
    assert families["hooptui_portal_connections"].samples[0].value >= 1


async def test_metrics_are_for_this_machine_or_the_tokens_bearer(
    certified: Path, idp: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = PortalSettings(ways=(way(idp),), metrics=Secret("a-long-metrics-token"))
    async with portal_bed(certified, way(idp), settings=settings) as bed:
        await get_text(bed, "/metrics", 200)
        monkeypatch.setattr("hooptui.portal.server.peer_of", lambda request: "10.0.0.9:1")
        await get_text(bed, "/metrics", 401)
        await get_text(bed, "/metrics", 403, Authorization="Bearer a-wrong-metrics-token")
        await get_text(bed, "/metrics", 200, Authorization="Bearer a-long-metrics-token")
    async with portal_bed(certified, way(idp)) as bed:
        await get_text(bed, "/metrics", 403, Authorization="Bearer x")


async def get_text(bed: Bed, path: str, expect: int, **headers: str) -> None:
    async with bed.client.get(bed.url + path, headers=headers) as said:
        assert said.status == expect, await said.text()


# --- token exchange


async def test_a_token_becomes_a_lease_that_ends_no_later(bed: Bed, idp: OidcProvider) -> None:
    token = idp.token("ops-1")
    said = await post(bed, "/v1/exchange", grant_type=EXCHANGE, subject_token=token, subject_token_type=ACCESS_TOKEN)
    assert bed.porter.tokens == [Secret(token)], "a lease falls with the token that it was exchanged for"
    assert said["issued_token_type"] == "urn:hooptui:lease"
    assert said["token_type"] == "Bearer"
    assert said["access_token"].startswith(said["lease"] + ".")
    assert 880 < said["expires_in"] <= 900
    assert said["identity"] == {
        "issuer": idp.url, "subject": "ops-1", "name": "ops-1", "kind": "human", "owner": None, "groups": ["dba", "oncall"],
    }  # fmt: skip
    [(lease, how, peer)] = bed.porter.issued
    assert how == "exchange"
    assert peer.startswith("127.0.0.1:")
    who = await get(bed, "/v1/whoami", Authorization=f"Bearer {said['access_token']}")
    assert who["identity"] == said["identity"]
    assert who["expires_at"] == lease.expires_at


async def test_workloads_and_agents_stay_what_they_are(bed: Bed, idp: OidcProvider) -> None:
    for token, kind_owner in (
        (idp.workload("bot-8")["access_token"], f"{idp.url}#ops-1"),
        (idp.token("agent-5"), f"{idp.url}#dev-4"),
    ):
        said = await post(
            bed, "/v1/exchange", grant_type=EXCHANGE, subject_token=token, subject_token_type=ACCESS_TOKEN
        )
        assert said["identity"]["kind"] == "agent"
        assert said["identity"]["owner"] == kind_owner


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type", "token-exchange"),
        ({"grant_type": ""}, "unsupported_grant_type", "token-exchange"),
        ({"subject_token_type": ""}, "invalid_request", "subject_token_type"),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"}, "invalid_request", "browser that began"),
        (
            {"subject_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
            "invalid_request",
            "subject_token_type",
        ),
        ({"subject_token": ""}, "invalid_request", "subject_token is missing"),
        ({"subject_token": "hl_abcdefghijkl.secret"}, "invalid_request", "not prolonged"),
        ({"actor_token": "x"}, "invalid_request", "actor_token is not supported"),
        ({"audience": "x"}, "invalid_request", "audience is not supported"),
        ({"scope": "x"}, "invalid_request", "scope is not supported"),
        ({"requested_token_type": ACCESS_TOKEN}, "invalid_request", "urn:hooptui:lease"),
    ],
)
async def test_what_is_not_exchanged(bed: Bed, changes: dict[str, str], error: str, words: str) -> None:
    form = {"grant_type": EXCHANGE, "subject_token": "t", "subject_token_type": ACCESS_TOKEN} | changes
    said = await post(bed, "/v1/exchange", expect=400, **form)
    assert said["error"] == error
    assert words in said["error_description"]
    assert bed.porter.issued == []


async def test_a_refused_token_is_refused_by_its_reason_and_journaled(bed: Bed, idp: OidcProvider) -> None:
    form = {"grant_type": EXCHANGE, "subject_token_type": ACCESS_TOKEN}
    token = idp.token("ops-1")
    for subject, code in (
        ("garbage", "not-a-token"),
        (token[:-8] + "AAAAAAAA", "bad-signature"),
        (idp.token("crowd-6"), "group-overage"),
        (idp.token("odd-7"), "bad-groups"),
        (idp.login("ops-1")["id_token"], "wrong-audience"),
    ):
        said = await post(bed, "/v1/exchange", expect=400, subject_token=subject, **form)
        assert (said["error"], said["code"]) == ("invalid_grant", code)
        assert subject[:30] not in str(said)
    assert bed.porter.codes() == ["not-a-token", "bad-signature", "group-overage", "bad-groups", "wrong-audience"]
    assert all(token[10:40] not in str(refusal) for refusal in bed.porter.refusals)


async def test_a_blocked_identity_gets_no_lease(bed: Bed, idp: OidcProvider) -> None:
    bed.porter.blocked.add(f"{idp.url}#ops-1")
    form = {"grant_type": EXCHANGE, "subject_token_type": ACCESS_TOKEN, "subject_token": idp.token("ops-1")}
    assert (await post(bed, "/v1/exchange", expect=400, **form))["code"] == "identity-blocked"


async def test_a_provider_that_is_down_is_not_the_clients_fault(bed: Bed, idp: OidcProvider) -> None:
    token = idp.token("ops-1")
    idp.trouble({"/": {"kind": "down"}})
    form = {"grant_type": EXCHANGE, "subject_token_type": ACCESS_TOKEN, "subject_token": token}
    async with bed.client.post(bed.url + "/v1/exchange", data=form) as said:
        assert said.status == 503
        assert said.headers["Retry-After"] == "10"
        assert (await said.json())["code"] == "issuer-unreachable"


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"{}", "application/json", 415, "wrong-type"),
        (b"a=1&a=2", FORM, 400, "bad-form"),
        (b"a=%ff", FORM, 400, "bad-form"),
        (b"&".join(b"f%d=1" % n for n in range(40)), FORM, 400, "bad-form"),
        (b"a=" + b"x" * 70_000, FORM, 413, "too-large"),
        (b"--x\r\n", "multipart/form-data; boundary=x", 415, "wrong-type"),
    ],
)
async def test_what_is_no_form(bed: Bed, body: bytes, kind: str, status: int, code: str) -> None:
    async with bed.client.post(bed.url + "/v1/exchange", data=body, headers={"Content-Type": kind}) as said:
        assert said.status == status
        assert (await said.json())["code"] == code


async def test_a_large_body_that_does_not_say_so(bed: Bed) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(70):
            yield b"a" * 1024

    async with bed.client.post(bed.url + "/v1/exchange", data=chunks(), headers={"Content-Type": FORM}) as said:
        assert (said.status, (await said.json())["code"]) == (413, "too-large")


async def test_a_compressed_body_is_not_opened(bed: Bed) -> None:
    headers = {"Content-Type": FORM, "Content-Encoding": "gzip"}
    async with bed.client.post(bed.url + "/v1/exchange", data=b"\x1f\x8b", headers=headers) as said:
        assert (said.status, (await said.json())["code"]) == (415, "compressed")


# --- SSH


def key_line() -> bytes:
    return ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)


async def test_a_key_is_signed_for_a_token_and_for_a_lease(bed: Bed, idp: OidcProvider, tmp_path: Path) -> None:
    token = idp.token("ops-1")
    lease = await post(bed, "/v1/exchange", grant_type=EXCHANGE, subject_token=token, subject_token_type=ACCESS_TOKEN)
    for credential, suffix in ((token, ""), (lease["access_token"], f" {lease['lease']}")):
        headers = {"Authorization": f"Bearer {credential}"}
        async with bed.client.post(bed.url + "/v1/ssh/sign", data=key_line(), headers=headers) as answer:
            assert answer.status == 200
            said = await answer.json()
        assert 590 <= said["expires_in"] <= 600
        assert said["ca"].startswith("ssh-ed25519 ")
        path = tmp_path / "key-cert.pub"
        path.write_text(said["certificate"])
        shown = subprocess.run(["ssh-keygen", "-L", "-f", str(path)], capture_output=True, text=True, check=True).stdout
        assert f'Key ID: "{idp.url}#ops-1{suffix}"' in shown
    assert [one[:2] for one in bed.porter.signed] == [(f"{idp.url}#ops-1", ""), (f"{idp.url}#ops-1", lease["lease"])]


@pytest.mark.parametrize(
    ("credential", "body", "status", "code"),
    [
        (None, b"", 401, "token-missing"),
        ("Basic abc", b"", 401, "token-missing"),
        ("Bearer ", b"", 401, "token-missing"),
        ("Bearer garbage", b"", 401, "not-a-token"),
        ("Bearer hl_abcdefghijkl.no", b"", 401, "lease-unknown"),
        ("good", b"no key", 400, "bad-key"),
        ("good", b"k" * 20_000, 413, "too-large"),
    ],
)
async def test_keys_that_are_not_signed(
    bed: Bed, idp: OidcProvider, credential: str | None, body: bytes, status: int, code: str
) -> None:
    if credential == "good":
        credential = f"Bearer {idp.token('ops-1')}"
    headers = {"Authorization": credential} if credential is not None else {}
    async with bed.client.post(bed.url + "/v1/ssh/sign", data=body, headers=headers) as said:
        assert (said.status, (await said.json())["code"]) == (status, code)
        assert ("WWW-Authenticate" in said.headers) == (status == 401)
    assert bed.porter.signed == []


async def test_an_unrecorded_certificate_is_not_given_out(bed: Bed, idp: OidcProvider) -> None:
    bed.porter.recording = False
    headers = {"Authorization": f"Bearer {idp.token('ops-1')}"}
    async with bed.client.post(bed.url + "/v1/ssh/sign", data=key_line(), headers=headers) as said:
        assert said.status == 503
        assert "certificate" not in await said.json()


async def test_without_an_authority_nothing_is_signed(certified: Path, idp: OidcProvider) -> None:
    async with (
        portal_bed(certified, way(idp)) as bed,
        bed.client.post(bed.url + "/v1/ssh/sign", data=key_line()) as said,
    ):
        assert said.status == 404


# --- who is asked, and how


async def test_the_api_answers_under_the_listeners_own_names_only(bed: Bed) -> None:
    for host, status in (
        (f"127.0.0.1:{bed.port}", 200),
        (f"localhost:{bed.port}", 200),
        ("evil.example", 421),
        (f"evil.example:{bed.port}", 421),
        (f"localhost:{bed.port + 1}", 421),
        ("", 421),
    ):
        async with bed.client.get(bed.url + "/v1/info", headers={"Host": host}) as said:
            assert said.status == status, host
    await get(bed, "/healthz", Host="10.1.2.3")


async def test_a_page_from_elsewhere_cannot_use_the_api(bed: Bed) -> None:
    headers = {"Origin": "https://evil.example"}
    async with bed.client.post(bed.url + "/v1/device", headers=headers) as said:
        assert (said.status, (await said.json())["code"]) == (403, "foreign-origin")
    assert len(bed.portal._context.devices) == 0


async def test_posts_of_one_address_are_limited(bed: Bed) -> None:
    codes = []
    for _ in range(40):
        async with bed.client.post(bed.url + "/v1/exchange", data={"grant_type": "x"}) as said:
            codes.append(said.status)
            after = said.headers.get("Retry-After")
    assert codes[:30] == [400] * 30
    assert 429 in codes[30:]
    assert after is not None


async def test_unknown_paths_and_methods_are_json_here(bed: Bed) -> None:
    assert (await get(bed, "/v1/nothing", expect=404))["error"] == "invalid_request"
    async with bed.client.get(bed.url + "/v1/exchange") as said:
        assert said.status == 405
        assert said.headers["Allow"] == "POST"


async def test_a_fault_of_ours_says_nothing_and_is_told(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: heard.append(context))
    secret = base64.b64encode(b"secret of the fault").decode()

    def broken() -> None:
        raise RuntimeError(secret)

    monkeypatch.setattr(bed.porter, "info", broken)
    async with bed.client.get(bed.url + "/v1/info") as said:
        assert said.status == 500
        assert secret not in await said.text()
    assert bed.porter.troubles == [("internal-error", "RuntimeError: a request to the portal failed")]
    assert isinstance(heard[0]["exception"], RuntimeError)

"""A token from a real identity provider, by its own device flow and by client credentials, on good days and bad."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from aiohttp import web

from hooptui.errors import UserError
from hooptui.login.gateway import Refused
from tests.providers.oidc_provider import AUDIENCE, CLI, OidcProvider, Trouble, oidc_provider

from .conftest import Home
from .double import Double
from .person import Person

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcProvider]:
    with oidc_provider() as running:
        yield running


@pytest.fixture
def idp(provider: OidcProvider, portal: Double) -> Iterator[OidcProvider]:
    """The provider on a good day, as the portal's only OIDC way."""
    way = {"id": "op", "kind": "oidc", "title": "Example", "issuer": provider.url, "client_id": CLI, "device": True}
    portal.info = portal.info | {"ways": [way]}
    yield provider
    provider.trouble({})


def claims(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))


def exchanged(portal: Double) -> tuple[str, dict[str, Any]]:
    """What kind of token was exchanged, and its claims."""
    [form] = portal.forms("/v1/exchange")
    return form["subject_token_type"].rpartition(":")[2], claims(form["subject_token"])


def visiting(home: Home, person: Person, *, refuse: Literal["", "login"] = "") -> None:
    """Have the person open the page while the terminal waits for the first time."""
    wait = home.sleep

    def sleep(seconds: float) -> None:
        wait(seconds)
        if len(home.slept) == 1:
            found = re.search(r"^    (http\S+)$", home.words, re.M)
            assert found
            person.confirm(found[1], refuse=refuse)

    home.sleep = sleep  # type: ignore[method-assign]  # the person does something meanwhile


def test_the_providers_own_device_page(home: Home, portal: Double, idp: OidcProvider) -> None:
    visiting(home, Person("ops-1"))
    home.login("--device-at-idp", "--resource", AUDIENCE)
    kind, found = exchanged(portal)
    assert (kind, found["sub"], found["aud"], found["iss"]) == ("access_token", "ops-1", AUDIENCE, idp.url)
    assert found["groups"] == ["dba", "oncall"]
    assert "Logged in to prod-eu" in home.words and len(home.slept) == 1
    assert portal.forms("/v1/device") == []


def test_an_opaque_access_token_is_passed_over_for_the_id_token(home: Home, portal: Double, idp: OidcProvider) -> None:
    visiting(home, Person("ops-2"))
    home.login("--device-at-idp")
    kind, found = exchanged(portal)
    assert (kind, found["sub"], found["aud"]) == ("id_token", "ops-2", CLI)


def test_a_person_who_cancels_at_the_provider(home: Home, portal: Double, idp: OidcProvider) -> None:
    visiting(home, Person("ops-1"), refuse="login")
    with pytest.raises(UserError, match=r"denied in the browser|nobody confirmed"):
        home.login("--device-at-idp")
    assert portal.forms("/v1/exchange") == []


def test_client_credentials(home: Home, portal: Double, idp: OidcProvider, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(idp.secrets["etl-7"] + "\n")
    home.login("--client-id", "etl-7", "--client-secret-file", str(secret))
    kind, found = exchanged(portal)
    assert (kind, found["sub"], found["aud"], found["groups"]) == ("access_token", "etl-7", AUDIENCE, ["agents"])
    assert idp.secrets["etl-7"] not in home.words


def test_a_wrong_client_secret_is_refused_and_not_shown(
    home: Home, portal: Double, idp: OidcProvider, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("wrong-canary")
    with pytest.raises(Refused) as caught:
        home.login("--client-id", "etl-7", "--client-secret-file", str(secret))
    assert caught.value.error == "invalid_client" and "canary" not in caught.value.sentence()
    assert portal.forms("/v1/exchange") == []


def test_a_provider_that_wants_the_secret_in_the_body(
    home: Home, portal: Double, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also that SSL_CERT_FILE says which authorities vouch for a provider, and that without it none of ours does."""
    portal.info = portal.info | {"ways": [{"id": "op", "kind": "oidc", "issuer": portal.url}]}
    portal.answers["/.well-known/openid-configuration"] = [
        (200, {"issuer": portal.url, "token_endpoint": f"{portal.url}/token"})
    ]
    portal.answers["/token"] = [(401, {"error": "invalid_client"}), (200, {"access_token": "eyJ.a.b"})]
    secret = tmp_path / "secret"
    secret.write_text("s3cret")
    words = ("--client-id", "etl", "--client-secret-file", str(secret))
    with pytest.raises(UserError, match=r"not trusted here .*SSL_CERT_FILE names another file"):
        home.login(*words)
    monkeypatch.setenv("SSL_CERT_FILE", str(portal.ca))
    home.login(*words)
    first, second = portal.forms("/token")
    assert first == {"grant_type": "client_credentials"}
    assert second == {"grant_type": "client_credentials", "client_id": "etl", "client_secret": "s3cret"}
    shown = [headers.get("Authorization") for headers in portal.headers if "Authorization" in headers]
    assert shown == [f"Basic {base64.b64encode(b'etl:s3cret').decode()}"]
    assert portal.forms("/v1/exchange")[0]["subject_token"] == "eyJ.a.b"


def test_only_a_client_that_is_not_known_is_shown_in_another_way(
    home: Home, portal: Double, idp: OidcProvider, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(idp.secrets["etl-7"])
    idp.trouble({"/token": {"kind": "error", "status": 400}})
    before = idp.counted().get("/token", 0)
    with pytest.raises(Refused, match="temporarily_unavailable"):
        home.login("--client-id", "etl-7", "--client-secret-file", str(secret))
    assert idp.counted()["/token"] == before + 1


@pytest.mark.parametrize(
    ("path", "trouble", "words"),
    [
        ("/.well-known", {"kind": "down"}, "disconnected|closed|reset"),
        ("/.well-known", {"kind": "error", "status": 503}, "found status 503, expected the provider's settings"),
        ("/.well-known", {"kind": "junk"}, "the answer is no JSON object"),
        ("/.well-known", {"kind": "junk", "body": "[]"}, "the answer is no JSON object"),
        ("/.well-known", {"kind": "junk", "body": '{"issuer": 7}'}, "not a provider's settings"),
        (
            "/.well-known",
            {"kind": "junk", "body": '{"issuer": "https://other", "token_endpoint": "https://other/t"}'},
            "these are the settings of 'https://other', expected those of",
        ),
        ("/.well-known", {"kind": "redirect", "location": "https://other/"}, "found status 302"),
        ("/.well-known", {"kind": "flood"}, "more than 256 KiB"),
        ("/device/auth", {"kind": "junk"}, "the answer is no JSON object"),
        ("/device/auth", {"kind": "junk", "body": "{}"}, "not as RFC 8628 has it"),
        ("/device/auth", {"kind": "flood"}, "more than 256 KiB"),
        ("/token", {"kind": "junk"}, "the answer is no JSON"),
        ("/token", {"kind": "junk", "body": "{}"}, "the answer has no token"),
        ("/token", {"kind": "junk", "body": '{"access_token": 7}'}, "the answer has no token"),
        ("/token", {"kind": "junk", "body": "[]"}, "the answer"),
    ],
)
def test_a_provider_on_a_bad_day(
    home: Home, portal: Double, idp: OidcProvider, path: str, trouble: Trouble, words: str
) -> None:
    idp.trouble({path: trouble})
    with pytest.raises(UserError, match=words):
        home.login("--device-at-idp")
    assert portal.forms("/v1/exchange") == []


def test_a_token_endpoint_that_hangs_up_for_a_while_is_asked_again(
    home: Home, portal: Double, idp: OidcProvider
) -> None:
    idp.trouble({"/token": {"kind": "down", "times": 2}})
    visiting(home, Person("ops-1"))
    home.login("--device-at-idp")
    assert home.slept == [5.0, 10.0, 20.0] and "still trying" in home.words


def test_a_token_that_the_gateway_refuses_ends_it(home: Home, portal: Double, idp: OidcProvider) -> None:
    async def no(_: web.Request) -> web.Response:
        return web.json_response(
            {"error": "invalid_grant", "error_description": "the token was issued for another audience"}, status=400
        )

    portal.answers["/v1/exchange"] = [(0, no)]
    visiting(home, Person("ops-1"))
    with pytest.raises(Refused, match="invalid_grant"):
        home.login("--device-at-idp")
    assert not home.place.login.exists()


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ({"issuer": "http://idp.example.com"}, "issuer: found 'http://idp.example.com', expected https"),
        ({"issuer": "file:///etc/passwd"}, "expected https"),
        ({"client_id": ""}, "does not say which client to be at op; give --client-id"),
    ],
)
def test_a_way_that_leads_nowhere(home: Home, portal: Double, way: dict[str, str], words: str) -> None:
    good = {"id": "op", "kind": "oidc", "issuer": "https://localhost:1", "client_id": "cli"}
    portal.info = portal.info | {"ways": [good | way]}
    with pytest.raises(UserError, match=words):
        home.login("--device-at-idp")


def test_several_ways_want_a_choice(home: Home, portal: Double, idp: OidcProvider) -> None:
    portal.info = portal.info | {"ways": portal.info["ways"] + [{"id": "other", "kind": "oidc"}]}
    with pytest.raises(UserError, match=r"which identity provider\? give --way; prod-eu has op \(Example\), other"):
        home.login("--device-at-idp")

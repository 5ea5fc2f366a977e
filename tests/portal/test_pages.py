"""Every page in a real headless Chromium, against a real provider."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hooptui.portal.base import Login
from tests.portal.porter import Bed, portal_bed, way
from tests.portal.test_api import DEVICE, post
from tests.providers.browser import Chromium, Page
from tests.providers.oidc_provider import PORTAL, OidcProvider

pytestmark = pytest.mark.e2e
SHOTS = os.environ.get("HOOPTUI_SHOTS", "")
"""A directory to leave pictures of the pages in; none without."""


@dataclass
class Stage:
    """A person at a browser."""

    bed: Bed
    page: Page
    idp: OidcProvider

    async def go(self, path: str) -> int:
        return await self.page.goto(path if path.startswith("https:") else self.bed.url + path)

    async def at(self) -> str:
        return (await self.page.url()).removeprefix(self.bed.url)

    async def log_in(self, user: str) -> int:
        """From the choice of ways through the provider and back."""
        await self.page.press("ul.ways a")
        assert (await self.page.url()).startswith(self.idp.url)
        await self.page.fill("input[name=login]", user)
        return await self.page.press("button[value=login]")

    async def sound(self, name: str) -> None:
        """What must hold of every page of ours, in both colours and at both widths."""
        page = self.page
        assert (await page.url()).startswith(self.bed.url)
        assert await page.nameless() == []
        assert await page.evaluate("document.documentElement.lang") == "en"
        assert await page.evaluate("document.querySelectorAll('h1').length") == 1
        assert await page.evaluate("document.scripts.length") == 0
        assert await page.evaluate("getComputedStyle(document.body).fontFamily") == "system-ui, sans-serif", (
            "no stylesheet"
        )
        for scheme in ("light", "dark"):
            await page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            for width in (320, 1000):
                await page.resize(width, 700)
                assert await page.overflow() <= 0, f"{name} is wider than {width} pixels"
                if SHOTS:
                    await page.screenshot(Path(SHOTS) / f"{name}-{scheme}-{width}.png")
            assert await self.faint() == []

    async def faint(self) -> list[str]:
        """Texts whose contrast is below 4.5:1 (WCAG 2.2, 1.4.3)."""
        found = await self.page.evaluate(
            """(() => {
              const light = c => { const v = c.match(/[\\d.]+/g).slice(0, 3).map(n => n / 255)
                  .map(n => n <= .04045 ? n / 12.92 : ((n + .055) / 1.055) ** 2.4);
                return .2126 * v[0] + .7152 * v[1] + .0722 * v[2]; };
              const ground = e => { for (; e; e = e.parentElement) { const b = getComputedStyle(e).backgroundColor;
                  if (!b.endsWith(', 0)')) return b; } return 'rgb(255, 255, 255)'; };
              return [...document.querySelectorAll('body *')].filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
                .filter(e => { const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
                  return (a + .05) / (b + .05) < 4.5; }).map(e => e.textContent.trim());
            })()"""
        )
        return list(found)

    def stayed_home(self) -> None:
        """Nothing was asked from anywhere but us and the provider, and the browser had nothing to complain about."""
        strangers = [url for url in self.page.asked if not url.startswith((self.bed.url, self.idp.url, "about:"))]
        assert strangers == []
        ours = [text for text in self.page.complaints if "404" not in text and "403" not in text]
        assert ours == []


@pytest.fixture
async def stage(certified: Path, idp: OidcProvider, browser: Chromium) -> AsyncIterator[Stage]:
    async with portal_bed(certified, way(idp)) as bed:
        idp.redirects(PORTAL, f"{bed.url}/callback/op")
        async with browser.page() as page:
            made = Stage(bed, page, idp)
            yield made
            made.stayed_home()
            assert bed.porter.troubles == []


async def test_a_person_lets_a_device_in(stage: Stage) -> None:
    page, bed = stage.page, stage.bed
    asked = await post(bed, "/v1/device", purpose="INC-812: rebuild index")
    token = {"grant_type": DEVICE, "device_code": asked["device_code"]}
    assert await stage.go(asked["verification_uri_complete"]) == 200
    assert await page.evaluate("document.activeElement.id") == "user_code"
    assert await page.evaluate("document.querySelector('#user_code').value") == asked["user_code"]
    await stage.sound("device")
    assert await page.press("form button") == 200
    assert await stage.at() == "/login"
    assert asked["user_code"] in await page.text()
    await stage.sound("login")
    assert await stage.log_in("ops-1") == 200
    assert await stage.at() == "/device/confirm"
    shown = await page.text()
    for part in (
        asked["user_code"],
        "INC-812: rebuild index",
        "127.0.0.1:",
        "ops-1 (person)",
        "dba, oncall",
        stage.idp.url,
    ):
        assert part in shown
    await stage.sound("confirm")
    assert (await post(bed, "/v1/device/token", expect=400, **token))["error"] == "authorization_pending"
    assert await page.press("button[value=approve]") == 200
    assert "Approved" in await page.text("h1")
    await stage.sound("approved")
    device = next(iter(bed.portal._context.devices._by_code.values()))
    device.asked_at = None
    assert (await post(bed, "/v1/device/token", **token))["identity"]["name"] == "ops-1"


async def test_a_person_denies_a_device(stage: Stage) -> None:
    page, bed = stage.page, stage.bed
    asked = await post(bed, "/v1/device", purpose="")
    await stage.go("/device")
    await page.fill("#user_code", asked["user_code"].replace("-", "").lower())
    await page.enter()
    await stage.log_in("ops-1")
    assert await page.press("button[value=deny]") == 200
    assert "Denied" in await page.text("h1")
    await stage.sound("denied")
    said = await post(bed, "/v1/device/token", expect=400, grant_type=DEVICE, device_code=asked["device_code"])
    assert said["error"] == "access_denied"
    assert bed.porter.issued == []


async def test_a_person_takes_a_lease_and_logs_out(stage: Stage) -> None:
    page, bed = stage.page, stage.bed
    assert await stage.go("/") == 200
    assert "Access gateway" in await page.text("h1")
    await stage.sound("home")
    await page.press("a[href='/login']")
    assert await stage.log_in("agent-5") == 200
    assert await stage.at() == "/"
    assert f"agent of {stage.idp.url}#dev-4" in await page.text()
    await stage.sound("logged-in")
    await page.press("form[action='/lease'] button")
    [(lease, how, _)] = bed.porter.issued
    assert how == "browser"
    assert (await page.text("#lease")).startswith(f"{lease.id}.")
    assert f"user={lease.id}" in await page.text()
    await stage.sound("lease")
    await stage.go("/")
    await page.press("form[action='/logout'] button")
    await stage.sound("logged-out")
    assert await page.cookies() == []
    await stage.go("/")
    assert "Access gateway" in await page.text("h1")


async def test_everything_works_without_scripts_and_by_keyboard(stage: Stage) -> None:
    page, bed = stage.page, stage.bed
    await page.without_scripts()
    asked = await post(bed, "/v1/device", purpose="")
    await stage.go(asked["verification_uri_complete"])
    await page.until("document.activeElement.id === 'user_code'")
    assert await page.enter() == 200
    await tab_to(page, "Example provider")
    await page.enter()
    await page.until("document.activeElement.name === 'login'")
    await page.call("Input.insertText", text="ops-2")
    await page.enter()
    assert await stage.at() == "/device/confirm"
    await tab_to(page, "✓ Approve")
    assert await page.enter() == 200
    assert "Approved" in await page.text("h1")


async def tab_to(page: Page, label: str) -> None:
    """Press Tab until the focus is on what reads so; the focus must be seen there."""
    for _ in range(10):
        await page.key("Tab", 9)
        if await page.evaluate("document.activeElement.innerText") == label:
            assert await page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
            return
    raise AssertionError(f"no way to {label} by Tab")


async def test_a_wrong_code_says_so_where_it_was_typed(stage: Stage) -> None:
    page = stage.page
    await stage.go("/device")
    await page.fill("#user_code", "BCDF-GHJK")
    assert await page.press("form button") == 404
    assert "No device waits with this code" in await page.text("#wrong")
    assert await page.evaluate("document.querySelector('#user_code').getAttribute('aria-describedby')") == "wrong"
    await stage.sound("wrong-code")


async def test_a_cancelled_login_says_so(stage: Stage) -> None:
    page = stage.page
    await stage.go("/login/op")
    assert await page.press("button[value=cancel]") == 403
    assert await page.text("#code") == "login-denied"
    await stage.sound("cancelled")


async def test_a_refused_identity_says_why(stage: Stage) -> None:
    await stage.go("/login")
    assert await stage.log_in("crowd-6") == 403
    assert await stage.page.text("#code") == "group-overage"
    await stage.sound("refused")


async def test_a_provider_that_is_down_says_so(stage: Stage) -> None:
    stage.idp.trouble({"/.well-known": {"kind": "error"}})
    assert await stage.go("/login/op") == 503
    assert await stage.page.text("#code") == "issuer-unreachable"
    await stage.sound("down")
    stage.page.complaints.clear()


async def test_an_operator_logs_in_for_the_screen(stage: Stage) -> None:
    page, seen = stage.page, list[Login]()
    asked = stage.bed.portal.operator_login(seen.append, peer="console", purpose="screen on tty1")
    await stage.go(asked.verification_uri_complete)
    await page.press("form button")
    await stage.log_in("ops-1")
    assert "A screen of this gateway wants you as its operator" in await page.text("h1")
    await stage.sound("operator")
    await page.press("button[value=approve]")
    assert [login.identity.name for login in seen] == ["ops-1"]
    assert seen[0].identity.groups == {"dba", "oncall"}
    assert stage.bed.porter.issued == []


async def test_a_foreign_page_cannot_frame_or_post(stage: Stage) -> None:
    """From another origin, in the browser's own words: the provider's origin plays the hostile page."""
    page, bed = stage.page, stage.bed
    await stage.go("/login")
    await stage.log_in("ops-1")
    asked = await post(bed, "/v1/device", purpose="")
    await page.goto(f"{stage.idp.url}/nowhere")
    await page.evaluate(
        f"document.body.innerHTML = `<iframe src='{bed.url}/'></iframe>"
        f"<form method=post action='{bed.url}/device'><input name=user_code value={asked['user_code']}><button>go</button></form>`"
    )
    await page.complaint("frame")
    assert await page.press("button") == 403
    assert await page.text("#code") == "foreign-origin"
    assert bed.portal._context.devices.find(asked["user_code"]) is not None
    page.complaints.clear()

"""A real headless Chromium, driven over its DevTools protocol (https://chromedevtools.github.io/devtools-protocol/).

    with chromium(trust=[spki]) as process:
        async with process.page() as page:
            await page.goto("https://localhost:1234/")
            await page.fill("#user_code", "BCDF-GHJK")
            await page.press("button")          # a real click, then waits for the page that follows

Each page has cookies of its own. It remembers what was asked from where and what the browser complained about.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--no-default-browser-check", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-extensions", "--disable-default-apps", "--no-pings", "--no-proxy-server", "--mute-audio", "--hide-scrollbars",
    "--force-color-profile=srgb", "--remote-debugging-port=0", "--remote-debugging-address=127.0.0.1",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
)  # fmt: skip
PATIENCE = 60.0
"""Seconds for a page to be there."""


def spki(certificate: Path) -> str:
    """What names a certificate's key for `--ignore-certificate-errors-spki-list`."""
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    return base64.b64encode(
        hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    ).decode()


class Gone(AssertionError):
    """The browser does not answer as it should."""


@dataclass
class Chromium:
    """A running browser."""

    endpoint: str

    @contextlib.asynccontextmanager
    async def page(self, *, width: int = 1000, height: int = 700, dark: bool = False) -> AsyncIterator[Page]:
        """A page with cookies of its own."""
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(self.endpoint, max_msg_size=64 * 1024 * 1024) as socket,
        ):
            page = Page(socket)
            reading = asyncio.get_running_loop().create_task(page.read())
            try:
                context = (await page.call("Target.createBrowserContext"))["browserContextId"]
                target = await page.call("Target.createTarget", url="about:blank", browserContextId=context)
                attached = await page.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
                page.session = attached["sessionId"]
                for domain in ("Page", "Network", "Runtime", "Log", "Accessibility"):
                    await page.call(f"{domain}.enable")
                await page.call("Page.setLifecycleEventsEnabled", enabled=True)
                await page.resize(width, height)
                await page.call(
                    "Emulation.setEmulatedMedia",
                    features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}],
                )
                yield page
                page.session = ""
                await page.call("Target.disposeBrowserContext", browserContextId=context)
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)


@dataclass
class Page:
    """One page. Every wait is for an event of the browser's own."""

    socket: aiohttp.ClientWebSocketResponse
    session: str = ""
    status: int = 0
    """Of the last document."""
    asked: list[str] = field(default_factory=list)
    """Every URL it asked for, redirects too."""
    complaints: list[str] = field(default_factory=list)
    """What the browser wrote on its console."""
    _number: int = 0
    _waiting: dict[int, asyncio.Future[dict[str, Any]]] = field(default_factory=dict)
    _loaded: asyncio.Event = field(default_factory=asyncio.Event)
    _complained: asyncio.Event = field(default_factory=asyncio.Event)
    _scripts: bool = True

    # --- protocol

    async def call(self, method: str, **parameters: object) -> dict[str, Any]:
        self._number += 1
        message: dict[str, object] = {"id": self._number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[self._number] = answer
        await self.socket.send_json(message)
        said = await asyncio.wait_for(answer, PATIENCE)
        if "error" in said:
            raise Gone(f"{method}: {said['error'].get('message')}")
        return dict(said["result"])

    async def read(self) -> None:
        """Take in what the browser says, to the end."""
        async for frame in self.socket:
            if frame.type is not aiohttp.WSMsgType.TEXT:
                continue
            said = frame.json()
            if "id" in said:
                waiting = self._waiting.pop(said["id"], None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(said)
            else:
                self._event(said["method"], said["params"])
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(Gone("the browser hung up"))

    def _event(self, name: str, what: dict[str, Any]) -> None:
        match name:
            case "Page.loadEventFired":
                self._loaded.set()
            case "Network.requestWillBeSent":
                self.asked.append(what["request"]["url"])
            case "Network.responseReceived" if what["type"] == "Document":
                self.status = what["response"]["status"]
            case "Log.entryAdded":
                self.complaints.append(what["entry"]["text"])
                self._complained.set()
            case "Runtime.exceptionThrown":
                self.complaints.append(what["exceptionDetails"]["text"])
                self._complained.set()

    # --- doing

    async def goto(self, url: str) -> int:
        """Go there and wait for it; returns the document's status."""
        self._loaded.clear()
        went = await self.call("Page.navigate", url=url)
        if went.get("errorText"):
            raise Gone(f"{url}: {went['errorText']}")
        return await self._load()

    async def fill(self, selector: str, text: str) -> None:
        """Type into a field, over what is in it."""
        await self.evaluate(f"(e => {{ e.focus(); e.select(); }})({_find(selector)})")
        await self.call("Input.insertText", text=text)

    async def press(self, selector: str) -> int:
        """Click it as a mouse does and wait for the page that follows; returns the document's status."""
        box = await self.evaluate(
            f"(e => {{ e.scrollIntoView({{block: 'center'}}); const b = e.getBoundingClientRect();"
            f" return [b.x + b.width / 2, b.y + b.height / 2]; }})({_find(selector)})"
        )
        self._loaded.clear()
        for kind in ("mousePressed", "mouseReleased"):
            await self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)
        return await self._load()

    async def key(self, name: str, code: int, text: str = "") -> None:
        """Press one key."""
        common = {"key": name, "code": name, "windowsVirtualKeyCode": code}
        await self.call("Input.dispatchKeyEvent", type="keyDown", **common, **({"text": text} if text else {}))
        await self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    async def enter(self) -> int:
        """Press Enter where the focus is and wait for the page that follows."""
        self._loaded.clear()
        await self.key("Enter", 13, "\r")
        return await self._load()

    async def resize(self, width: int, height: int) -> None:
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )

    async def without_scripts(self) -> None:
        await self.call("Emulation.setScriptExecutionDisabled", value=True)
        self._scripts = False

    async def _load(self) -> int:
        await asyncio.wait_for(self._loaded.wait(), PATIENCE)
        if self._scripts:
            async with asyncio.timeout(PATIENCE):
                while not await self._settled():
                    await asyncio.sleep(0.02)
        return self.status

    async def _settled(self) -> bool:
        """Whether the page is whole and has drawn its first frames, after which autofocus comes. One that sends itself on, as a
        provider's answer by POST does, is not."""
        twice = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(document.readyState === 'complete'))))"
        try:
            said = await self.call("Runtime.evaluate", expression=twice, awaitPromise=True)
        except Gone as gone:
            if any(words in str(gone) for words in ("navigated", "context was destroyed", "Cannot find")):
                return False
            raise
        return bool(said["result"].get("value"))

    async def until(self, expression: str) -> None:
        """Wait for something to be true in the page."""
        async with asyncio.timeout(PATIENCE):
            while not await self.evaluate(expression):
                await asyncio.sleep(0.02)

    async def complaint(self, word: str) -> None:
        """Wait for the browser to complain of something with this word in it."""
        async with asyncio.timeout(PATIENCE):
            while not any(word in text.lower() for text in self.complaints):
                self._complained.clear()
                await self._complained.wait()

    # --- seeing

    async def evaluate(self, expression: str) -> Any:
        said = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in said:
            raise Gone(f"{expression}: {said['exceptionDetails'].get('exception', {}).get('description')}")
        return said["result"].get("value")

    async def text(self, selector: str = "body") -> str:
        return str(await self.evaluate(f"{_find(selector)}.innerText"))

    async def has(self, selector: str) -> bool:
        return bool(await self.evaluate(f"document.querySelector({selector!r}) !== null"))

    async def url(self) -> str:
        return str(await self.evaluate("location.href"))

    async def cookies(self) -> list[dict[str, Any]]:
        return list((await self.call("Network.getCookies"))["cookies"])

    async def set_cookie(self, **cookie: object) -> None:
        await self.call("Network.setCookie", **cookie)

    async def nameless(self) -> list[str]:
        """Controls that have no accessible name."""
        nodes = (await self.call("Accessibility.getFullAXTree"))["nodes"]
        return [
            node["role"]["value"]
            for node in nodes
            if not node.get("ignored")
            and node.get("role", {}).get("value") in ("textbox", "button", "link", "checkbox", "combobox")
            and not node.get("name", {}).get("value", "").strip()
        ]

    async def overflow(self) -> int:
        """Pixels by which the page is wider than its window."""
        return int(await self.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    async def screenshot(self, path: Path) -> None:
        said = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(said["data"]))


def _find(selector: str) -> str:
    return f"document.querySelector({selector!r})"


@contextlib.contextmanager
def chromium(*, trust: Sequence[str] = ()) -> Iterator[Chromium]:
    """Run a browser that trusts the certificates with these keys (see `spki`) beside the system's authorities.

    Skips the test where there is no Chromium; under CI that fails.
    """
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        lacking = f"none of {', '.join(NAMES)} is on PATH (Debian: apt-get install chromium)"
        if os.environ.get("CI"):
            pytest.fail(lacking)
        pytest.skip(lacking)
    with tempfile.TemporaryDirectory(prefix="hooptui-browser-", ignore_cleanup_errors=True) as home:
        flags = [*FLAGS, f"--user-data-dir={home}"]
        if trust:
            flags.append(f"--ignore-certificate-errors-spki-list={','.join(trust)}")
        process = subprocess.Popen(
            [program, *flags, "about:blank"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env={**os.environ, "HOME": home}, text=True, start_new_session=True,
        )  # fmt: skip
        try:
            yield Chromium(_endpoint(process))
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stderr is not None:
                process.stderr.close()


def _endpoint(process: subprocess.Popen[str]) -> str:
    """Where it listens, as it says on its standard error output."""
    if process.stderr is None:
        raise Gone("a process without pipes")
    said = []
    for line in process.stderr:
        said.append(line)
        if line.startswith("DevTools listening on "):
            return line.removeprefix("DevTools listening on ").strip()
    raise Gone(f"the browser did not start: {''.join(said)[-2000:]}")

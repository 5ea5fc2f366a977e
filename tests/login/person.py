"""A person with a browser that has no scripts: follows redirects, fills in forms, presses what a person would press."""

from __future__ import annotations

import http.cookiejar
import ssl
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Literal


@dataclass
class Form:
    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class Page(HTMLParser):
    """The forms and links of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(found.get("action", "")))
        elif tag == "a" and "href" in found:
            self.links.append(found["href"])
        elif self.forms and tag == "input" and found.get("name"):
            self.forms[-1].fields[found["name"]] = found.get("value", "")
        elif self.forms and tag == "button" and found.get("name"):
            self.forms[-1].buttons.append((found["name"], found.get("value", "")))


class Person:
    """Knows their name at the identity provider, and says yes or no."""

    def __init__(self, name: str, ca: Path | None = None) -> None:
        self.name = name
        jar = http.cookiejar.CookieJar(http.cookiejar.DefaultCookiePolicy(strict_ns_domain=0))
        tls = ssl.create_default_context(cafile=None if ca is None else str(ca))
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(jar), urllib.request.HTTPSHandler(context=tls)
        )

    def confirm(self, url: str, *, refuse: Literal["", "login", "device"] = "") -> str:
        """Open the page that the terminal shows and go on to the end, or to where they say no; the last page's text."""
        where, page = self._open(url)
        for _ in range(12):
            form = next((one for one in page.forms if not one.action.endswith(("/logout", "/abort", "/lease"))), None)
            if form is None:
                way = next((link for link in page.links if link.startswith("/login/")), None)
                if way is None:
                    return page.text
                where, page = self._open(urllib.parse.urljoin(where, way))
                continue
            fields = dict(form.fields)
            if "login" in fields:
                fields |= {"login": self.name, "do": "cancel" if refuse == "login" else "login"}
            elif any(name == "do" for name, _ in form.buttons):
                fields["do"] = "deny" if refuse == "device" else "approve"
            where, page = self._open(urllib.parse.urljoin(where, form.action), fields)
            if fields.get("do") in ("cancel", "deny"):
                return page.text
        raise AssertionError(f"in circles at {where}: {page.text[:500]}")

    def _open(self, url: str, form: dict[str, str] | None = None) -> tuple[str, Page]:
        data = None if form is None else urllib.parse.urlencode(form).encode()
        parts = urllib.parse.urlsplit(url)
        request = urllib.request.Request(url, data, {"Origin": f"{parts.scheme}://{parts.netloc}"} if data else {})
        try:
            with self._opener.open(request, timeout=60) as answer:
                return answer.url, Page(answer.read().decode())
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.url, Page(refused.read().decode(errors="replace"))

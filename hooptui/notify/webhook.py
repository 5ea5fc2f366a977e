"""Notices as signed webhooks, by the Standard Webhooks specification 1.0 (https://www.standardwebhooks.com): one POST, tried a few times.

Follows no redirect, keeps no cookie, reads no answer but its status.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import random
import ssl
from collections.abc import Callable
from http import HTTPStatus

import aiohttp

import hooptui
from hooptui.notify.channel import NotSent
from hooptui.notify.notice import Notice
from hooptui.notify.settings import Webhook

LONGEST_PAUSE = 60.0
_AGAIN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
_dice = random.SystemRandom()


def body_of(notice: Notice) -> bytes:
    """The payload: type, timestamp and data, as the specification recommends."""
    data = {"gateway": notice.gateway, **notice.facts}
    return json.dumps(
        {"type": f"hooptui.{notice.topic}", "timestamp": notice.stamp, "data": data}, separators=(",", ":")
    ).encode()


def sign(key: bytes, id: str, timestamp: int, body: bytes) -> str:  # noqa: A002 - the specification's own word
    """The value of `webhook-signature`: HMAC-SHA256 over `id.timestamp.body`."""
    digest = hmac.digest(key, f"{id}.{timestamp}.".encode() + body, "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"


class WebhookChannel:
    """One receiver. Lives on the gateway's loop."""

    def __init__(self, settings: Webhook, now: Callable[[], float]) -> None:
        """`now` gives Unix seconds.

        Raises:
            OSError, ssl.SSLError: the file with the authorities cannot be used.
        """
        self.name = settings.name
        self.topics = settings.events
        self._settings = settings
        self._now = now
        self._http: aiohttp.ClientSession | None = None
        self._tls = ssl.create_default_context(cafile=str(settings.ca)) if settings.ca else True

    async def send(self, notice: Notice) -> None:
        """Deliver one notice.

        Raises:
            NotSent: it was not, after as many attempts as are configured; with words for the operator.
        """
        body, settings = body_of(notice), self._settings
        for attempt in range(1, settings.attempts + 1):
            words, pause = await self._attempt(notice.id, body)
            if not words:
                return
            if pause is None or attempt == settings.attempts:
                times = f" after {attempt} attempts" if attempt > 1 else ""
                raise NotSent(f"{settings.origin}: {words}{times}")
            wait = max(pause, settings.backoff * 2 ** (attempt - 1) * _dice.uniform(0.5, 1.0))
            await asyncio.sleep(min(wait, LONGEST_PAUSE))

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def _attempt(self, id: str, body: bytes) -> tuple[str, float | None]:  # noqa: A002 - as above
        """What went wrong, empty when nothing did; and seconds to wait at least before another attempt, None for never."""
        timestamp = int(self._now())
        headers = {
            "content-type": "application/json",
            "user-agent": f"hooptui/{hooptui.__version__}",
            "webhook-id": id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(self._settings.key(), id, timestamp, body),
        }
        try:
            async with self._session().post(
                self._settings.url, data=body, headers=headers, allow_redirects=False, ssl=self._tls
            ) as answer:
                status, after = answer.status, answer.headers.get("retry-after", "")
        except TimeoutError:
            return f"no answer within {self._settings.timeout:g} s", 0.0
        except aiohttp.ClientConnectorCertificateError:
            return "its certificate is not to be trusted", None
        except (aiohttp.ClientError, OSError) as fault:
            # Only the kind: the texts of some of these quote the whole address.
            return f"cannot be reached ({type(fault).__name__})", 0.0
        if 200 <= status < 300:
            return "", None
        if 300 <= status < 400:
            return f"found a redirect ({status}), expected an answer", None
        if status in _AGAIN or status >= 500:
            return f"answered {status}", float(after) if after.isdecimal() and len(after) < 6 else 0.0
        return f"answered {status}", None

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._settings.timeout),
                connector=aiohttp.TCPConnector(limit=2),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._http

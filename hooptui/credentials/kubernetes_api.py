"""One call to an API server in the gateway's own name, for what is not on the data path: tokens, reviews, dry runs. JSON in, JSON out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any, Final

import aiohttp
from yarl import URL

from hooptui.credentials.kubernetes_login import Access

WITHIN: Final = 10.0
"""Seconds for one call."""
ANSWER_MAX: Final = 4 * 1024 * 1024


class ApiTrouble(Exception):
    """There is no answer that can be read. `code` is `unreachable`, `timeout` or `protocol`; the message is for the operator."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


async def call(
    access: Access,
    method: str,
    target: str,
    body: bytes | dict[str, Any] | None = None,
    *,
    headers: Sequence[tuple[str, str]] = (),
    content_type: str = "application/json",
) -> tuple[int, dict[str, Any]]:
    """Status and JSON object of the answer; `target` is in origin form.

    Args:
        headers: as whom, when that is not the gateway itself.

    Raises:
        ApiTrouble: see there.
    """
    where = access.server
    said = [("Accept", "application/json"), *headers]
    if access.authorization is not None and not any(name == "Authorization" for name, _ in headers):
        said.append(("Authorization", access.authorization.reveal()))
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    if data is not None:
        said.append(("Content-Type", content_type))
    try:
        async with (
            asyncio.timeout(WITHIN),
            aiohttp.ClientSession(trust_env=False) as http,
            http.request(
                method,
                URL(where.url + where.path + target, encoded=True),
                headers=said,
                data=data,
                allow_redirects=False,
                ssl=where.tls if where.tls is not None else False,
                server_hostname=where.name or None,
            ) as answer,
        ):
            raw = bytearray()
            async for part in answer.content.iter_any():
                raw += part
                if len(raw) > ANSWER_MAX:
                    raise ApiTrouble("protocol", f"{where.url}: an answer of more than {ANSWER_MAX} bytes")
            found = json.loads(raw) if raw else {}
            return answer.status, found if isinstance(found, dict) else {}
    except TimeoutError:
        raise ApiTrouble("timeout", f"{where.url}: no answer within {WITHIN:g} s") from None
    except aiohttp.ClientConnectorCertificateError as wrong:
        said_why = getattr(wrong.certificate_error, "verify_message", "") or "not trusted"
        raise ApiTrouble("unreachable", f"{where.url}: its certificate: {said_why}") from None
    except (aiohttp.ClientError, OSError) as fault:
        raise ApiTrouble(
            "unreachable", f"{where.url}: {getattr(fault, 'strerror', None) or type(fault).__name__}"
        ) from None
    except ValueError:
        raise ApiTrouble("protocol", f"{where.url}: answered with something else than JSON") from None

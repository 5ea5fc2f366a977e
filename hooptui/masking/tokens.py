"""Finding e-mail addresses, JSON Web Tokens, API keys and private keys in text. Knows no column and no action.

Every function is linear in the text: bounded windows and possessive repeats.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from hooptui.masking.digits import Span

_LOCAL_SIGNS = frozenset("._%+-~&#!$^")
_LOCAL_MAX = 320
_DOMAIN = re.compile(r"[^\W_](?:[\w-]{0,62})(?:\.[^\W_][\w-]{0,62}){0,12}")
_TLD = re.compile(r"[^\W\d_]{2,63}|[xX][nN]--[0-9A-Za-z-]{2,59}")


def email(text: str) -> Iterator[Span]:
    """`local@domain` whose last label has two letters or more; letters of any script."""
    done = 0
    at = text.find("@")
    while at >= 0:
        start = at
        floor = max(done, at - _LOCAL_MAX)
        while start > floor and _local(text, start - 1):
            start -= 1
        domain = _DOMAIN.match(text, at + 1) if start < at else None
        if domain is not None:
            labels = domain.group().rstrip("-").split(".")
            while len(labels) > 1 and not _TLD.fullmatch(labels[-1]):
                labels.pop()
            if len(labels) > 1:
                done = at + 1 + len(".".join(labels))
                yield start, done
        at = text.find("@", max(at + 1, done))


def _local(text: str, at: int) -> bool:
    char = text[at]
    # An apostrophe counts inside a name (o'brien@…), never as the quote in front of one.
    return char.isalnum() or char in _LOCAL_SIGNS or (char == "'" and at > 0 and text[at - 1].isalnum())


_DOTTED = re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]++(?:\.[A-Za-z0-9_-]*+)++")
_HEADER_START = re.compile(r"(?<![A-Za-z0-9])e[wy]")
_HEADER_MAX = 16 * 1024


def jwt(text: str) -> Iterator[Span]:
    """Three base64url segments (five for an encrypted one) whose first is a JSON object with `alg` (RFC 7515, 7516).

    The signature may be empty. A first segment above 16 KiB counts without being decoded.
    """
    if "ey" not in text and "ew" not in text:
        return
    for run in _DOTTED.finditer(text):
        segments = run.group().split(".")
        at, index = run.start(), 0
        while index + 2 < len(segments):
            header = segments[index]
            offset = _header(header) if len(segments[index + 1]) + len(segments[index + 2]) >= 2 else None
            if offset is None:
                at += len(header) + 1
                index += 1
                continue
            # Whatever base64url follows is taken along: two more segments make it an encrypted one.
            taken = segments[index : index + 5]
            end = at + sum(map(len, taken)) + len(taken) - 1
            yield at + offset, end
            at, index = end + 1, index + len(taken)


def _header(segment: str) -> int | None:
    """Offset of a token's header in a segment, None when there is none; `token_eyJ…` starts later than its segment."""
    for tries, match in enumerate(_HEADER_START.finditer(segment)):
        if tries == 8:
            return 0
        raw = segment[match.start() :]
        if len(raw) > _HEADER_MAX:
            return match.start()
        if len(raw) < 10:
            return None
        try:
            decoded = json.loads(base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4)))
        except (binascii.Error, ValueError, RecursionError):
            continue
        if isinstance(decoded, dict) and "alg" in decoded:
            return match.start()
    return None


@dataclass(frozen=True, slots=True)
class _Token:
    """One issuer's key format."""

    prefix: str
    """Regular expression of what every such key starts with."""
    chars: str
    """Character class of the rest."""
    size: int
    """Fewest characters of the rest."""
    exact: bool = False
    """No more characters than `size`."""


_B64URL = "[A-Za-z0-9_-]"
_WORD = "[A-Za-z0-9]"
_HEX = "[0-9a-f]"

TOKENS: tuple[_Token, ...] = (
    _Token("(?:AKIA|ASIA)", "[A-Z0-9]", 16, exact=True),  # AWS access key id
    _Token("gh[pousr]_", _WORD, 36),  # GitHub
    _Token("github_pat_", "[A-Za-z0-9_]", 22),
    _Token("gl(?:pat|rt|dt|cbt|ptt|ft|soat|agent|imt)-", _B64URL, 20),  # GitLab
    _Token("xox[abeoprs]-", "[A-Za-z0-9-]", 10),  # Slack
    _Token("xapp-", "[A-Za-z0-9-]", 20),
    _Token("hooks\\.slack\\.com/services/", "[A-Za-z0-9/]", 20),
    _Token("[srp]k_(?:live|test)_", _WORD, 10),  # Stripe
    _Token("whsec_", "[A-Za-z0-9+/=]", 20),
    _Token("AIza", _B64URL, 35),  # Google
    _Token("GOCSPX-", _B64URL, 20),
    _Token("ya29\\.", _B64URL, 20),
    _Token("sk-ant-", _B64URL, 20),  # Anthropic
    _Token("sk-(?:proj|svcacct|admin|or-v1)-", _B64URL, 20),  # OpenAI, OpenRouter
    _Token("sk-", _WORD, 20),
    _Token("npm_", _WORD, 36),
    _Token("pypi-", _B64URL, 50),
    _Token("SG\\.", "[A-Za-z0-9_.-]", 32),  # SendGrid
    _Token("SK", _HEX, 32, exact=True),  # Twilio
    _Token("dop_v1_", _HEX, 64),  # DigitalOcean
    _Token("shp(?:at|ca|pa|ss)_", "[0-9A-Fa-f]", 32),  # Shopify
    _Token("sq0(?:atp|csp)-", _B64URL, 22),  # Square
    _Token("hf_", _WORD, 30),  # Hugging Face
    _Token("hv[sb]\\.", _B64URL, 24),  # Vault
    _Token("dapi", _HEX, 32),  # Databricks
    _Token("dckr_pat_", _B64URL, 20),  # Docker
    _Token("lin_api_", _WORD, 32),  # Linear
    _Token("ATATT3", "[A-Za-z0-9_=-]", 20),  # Atlassian
    _Token("key-", _HEX, 32, exact=True),  # Mailgun
    _Token("AGE-SECRET-KEY-1", "[0-9A-Z]", 58),
    _Token("AccountKey=", "[A-Za-z0-9+/=]", 80),  # Azure storage
)
"""Prefixed key formats, as their issuers document them."""


def _pattern(token: _Token) -> str:
    tail = f"{{{token.size}}}(?![A-Za-z0-9])" if token.exact else f"{{{token.size},}}+"
    return token.prefix + token.chars + tail


_TOKEN = re.compile(r"(?<![A-Za-z0-9])(?:" + "|".join(_pattern(token) for token in TOKENS) + ")")
_AWS_FORTY = r"(?<![A-Za-z0-9/+])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])"
_AWS_LABELLED = re.compile(
    r"(?i:secret)[_ .-]?(?:(?i:access)[_ .-]?)?(?:(?i:key))?[\"'` \t]{0,3}(?:[:=,|>\s]|=>){1,3}[\"'` \t]{0,3}("
    + _AWS_FORTY
    + ")"
)
_AWS_NEAR = re.compile(
    r"[^A-Za-z0-9/+=]{1,16}(?:(?i:aws_?)?(?i:secret)[A-Za-z_ ]{0,24}[^A-Za-z0-9/+]{1,8})?(" + _AWS_FORTY + ")"
)


def api_key(text: str) -> Iterator[Span]:
    """Keys in the formats of `TOKENS`, and AWS secret keys beside their label or behind their access key id."""
    for match in _TOKEN.finditer(text):
        yield match.span()
        if match.group()[1:4] in ("KIA", "SIA"):
            near = _AWS_NEAR.match(text, match.end())
            if near:
                yield near.span(1)
    for match in _AWS_LABELLED.finditer(text):
        yield match.span(1)


PEM = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-[0-9]:")
PEM_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
PEM_BODY = re.compile(r"(?:[A-Za-z0-9+/=\s\\:,.()_]|-(?!----))*+")
PEM_MAX = 32 * 1024


def private_key(text: str) -> Iterator[Span]:
    """PEM and PuTTY private keys, from the first mark to the end mark.

    Without an end mark (truncated) the span goes on as long as the text looks like a key: base64, headers, white space
    and escaped line ends.
    """
    starts = [match.span() for match in PEM.finditer(text)]
    for index, (start, body) in enumerate(starts):
        limit = min(body + PEM_MAX, starts[index + 1][0] if index + 1 < len(starts) else len(text))
        end = PEM_END.search(text, body, limit)
        if end is not None:
            yield start, end.end()
            continue
        rest = PEM_BODY.match(text, body, starts[index + 1][0] if index + 1 < len(starts) else len(text))
        yield start, rest.end() if rest else body

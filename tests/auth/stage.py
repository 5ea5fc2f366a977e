"""Two issuers over real TLS, one with every trap among its published keys, and a verifier that knows both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from hooptui.auth.oidc import Issuer, KindRule, Verifier
from hooptui.core.clock import ManualClock
from hooptui.core.gate import LoginRefused
from hooptui.core.secret import Secret

from . import hostile_keys
from .cases import ENC, PS, TWIN
from .forge import AUDIENCE, EC, EC384, ED, NOW, RSA, RSA_BIG, Publisher, b64, public, tls


@dataclass
class Stage:
    url: str
    other: str
    verifier: Verifier


@asynccontextmanager
async def staged(directory: Path) -> AsyncIterator[Stage]:
    context, ca = tls(directory)
    async with Publisher(context) as one, Publisher(context) as two:
        one.keys = [
            public(RSA, use="sig", alg="RS256"), public(RSA_BIG, use="sig"), public(EC, use="sig", alg="ES256"), public(EC384),
            public(ED), public(TWIN), public(TWIN, x=public(EC)["x"], y=public(EC)["y"]), public(ENC, use="enc"),
            public(PS, use="sig", alg="PS256"), *hostile_keys.PUBLISHED,
        ]  # fmt: skip
        one.keys.append({"kty": "oct", "kid": "shared", "k": b64(b"secret-secret-secret-secret-secret")})
        two.keys.append(public(hostile_keys.TENANT))
        algorithms = frozenset({"RS256", "PS256", "ES256", "Ed25519", "EdDSA"})
        issuers = [
            Issuer(one.url, frozenset({AUDIENCE}), ca_file=ca, algorithms=algorithms),
            Issuer(
                two.url, frozenset({AUDIENCE, "second"}), ca_file=ca, groups="realm_access.roles", name="name", owner="act.sub",
                authorized_parties=frozenset({"cli"}), kind=KindRule("idtyp", "app"), groups_prefix="two:",
            ),
        ]  # fmt: skip
        async with Verifier(issuers, ManualClock(NOW)) as verifier:
            assert await verifier.prepare() == {one.url: None, two.url: None}
            yield Stage(one.url, two.url, verifier)


async def refused(verifier: Verifier, text: str) -> LoginRefused:
    with pytest.raises(LoginRefused) as caught:
        await verifier.identify(Secret(text))
    return caught.value


def quotes(refusal: LoginRefused, text: str) -> bool:
    """Whether 16 characters in a row of the token are anywhere in what is said about it."""
    said = f"{refusal.message} {refusal.hint} {refusal.log} {refusal!r} {refusal.__cause__!r}"
    return any(text[at : at + 16] in said for at in range(max(0, len(text) - 16)) if text[at : at + 16].strip("x= "))

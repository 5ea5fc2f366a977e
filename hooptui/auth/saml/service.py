"""The service provider: asks an identity provider who a browser's person is, and judges the one answer it accepts.

Knows no HTTP: who keeps the `Asked` of each browser, and for how long, is the portal's business.
"""

from __future__ import annotations

import hashlib
import importlib
from typing import TYPE_CHECKING, Protocol

from hooptui.auth.saml import prefilter, request
from hooptui.auth.saml.refusals import SamlCode, refusal
from hooptui.auth.saml.request import Asked
from hooptui.auth.saml.settings import SamlWay
from hooptui.core.clock import Clock
from hooptui.core.model import Identity
from hooptui.errors import UserError

if TYPE_CHECKING:
    from hooptui.auth.saml.assertion import Read

EXTRA = "hooptui[saml]"
_NEEDED = ("lxml.etree", "signxml.verifier")


class MissingExtra(UserError, ImportError):
    """SAML is configured, but its libraries are not installed. The message says how to mend it."""


class Replays(Protocol):
    """What was used before; shared by all gateways of one installation, and kept over restarts."""

    def seen(self, kind: str, id_: str, until: float, /) -> bool:
        """Remember `id_` until then (Unix seconds); whether this was the first time. False means: seen before.

        What it raises when it cannot remember passes through `accept`, which then has accepted nothing.
        """


def need_extra() -> None:
    """Load what SAML needs beyond hooptui.

    Raises:
        MissingExtra: naming the library that cannot be loaded, and the extra that has it.
    """
    for module in _NEEDED:
        try:
            importlib.import_module(module)
        except ImportError as bad:
            name = module.split(".", 1)[0]
            raise MissingExtra(
                f"SAML needs {name}, which cannot be loaded ({bad}); install it by: pip install '{EXTRA}'"
            ) from None


class ServiceProvider:
    """One way to log in by SAML, ready to use."""

    def __init__(self, way: SamlWay, clock: Clock, replays: Replays) -> None:
        """Raises MissingExtra."""
        need_extra()
        self.way = way
        self._clock = clock
        self._replays = replays

    def ask(self, acs_url: str) -> Asked:
        """A fresh request; its `url` is where the browser goes."""
        return request.ask(self.way, acs_url, self._clock.now())

    def metadata(self, acs_url: str) -> bytes:
        """Our own metadata, for the provider's administrator: an XML document in UTF-8."""
        from hooptui.auth.saml import metadata

        return metadata.ours(self.way, acs_url)

    def judge(self, value: str, asked: Asked) -> Read:
        """Everything but the replay check, for a `SAMLResponse` as the form has it. Touches nothing that is shared, so it may run
        on another thread: a large response takes some milliseconds.

        Raises:
            LoginRefused: with one of `SamlCode`.
        """
        from hooptui.auth.saml import assertion, document, signature

        now = self._clock.now()
        envelope = document.response(prefilter.decode(value))
        proved = signature.prove(envelope, self.way.idp.certificates, now)
        return assertion.read(envelope, proved, self.way, asked, now)

    def accept(self, read: Read) -> Identity:
        """The identity, the first time that its assertion is used.

        Raises:
            LoginRefused: saml-replayed.
        """
        issuer = self.way.idp.entity_id
        digest = hashlib.sha256(f"{len(issuer)}:{issuer}{read.assertion}".encode()).hexdigest()
        if not self._replays.seen("saml-assertion", digest, read.usable_until):
            raise refusal(SamlCode.REPLAYED, "the assertion's ID was seen before")
        return read.identity

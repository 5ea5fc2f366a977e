"""What the gateway proves itself with towards TLS clients: its own certificate, or the one that its user brings."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from hooptui.config.load import Config
from hooptui.core.clock import Clock
from hooptui.credentials import certificates


@dataclass(frozen=True, slots=True)
class Papers:
    """Where the certificate lies."""

    ca: Path | None
    """What clients verify against, when it is the gateway's own."""
    certificate: Path
    key: Path

    def context(self, clock: Clock) -> ssl.SSLContext:
        """A context of its own for each listener, since each announces another protocol (ALPN).

        Raises:
            CertificateTrouble, OSError: the certificate cannot be used.
        """
        return certificates.server_context(self.certificate, self.key, now=clock.now())


def papers(config: Config, clock: Clock) -> Papers:
    """The gateway's certificate, made or renewed where it is its own.

    Raises:
        CertificateTrouble, OSError: it cannot be made or used.
    """
    tls = config.tls
    if tls.cert is not None and tls.key is not None:
        return Papers(None, tls.cert, tls.key)
    own = certificates.ensure(config.state_dir / "tls", tls.names, now=clock.now())
    return Papers(own.ca, own.certificate, own.key)

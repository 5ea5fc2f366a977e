"""What a user name says: `web-01`, `deploy+web-01` or `deploy=web-01`. Pure; who the client is comes from its credential, never from here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

LOGIN: Final = "login"
"""The user name that is no target: whoever logs in under it gets a certificate for the key on its stdin."""

_LAST: Final = re.compile(r"(?s)(?:(.*)[+=])?(.*)\Z")


@dataclass(frozen=True, slots=True)
class Asked:
    """Where a client wants to go."""

    target: str
    login: str = ""
    """The account there that it named; empty when it leaves that to the gateway."""


def read(user: str) -> Asked:
    """The target is what follows the last `+` or `=`, which no name of a target has in it."""
    found = _LAST.match(user)
    return Asked(found[2], found[1] or "") if found else Asked(user)

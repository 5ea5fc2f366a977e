"""What of an answer a client may see: the masks of its session over objects. Knows no socket.

Until masks over objects are there, nothing that holds a Secret is served at all.
"""

from __future__ import annotations

from typing import Final, Protocol

from hooptui.core.model import MaskSet
from hooptui.protocols.kubernetes.info import RequestInfo
from hooptui.protocols.kubernetes.request import Request

SECRET: Final = frozenset({"secrets"})


class CannotMask(Exception):
    """An answer cannot be masked, so nothing more of it may go on."""


class BodyMask(Protocol):
    """The masks over one answer."""

    counts: dict[str, int]

    def feed(self, data: bytes) -> bytes:
        """Raises:
        CannotMask: nothing more may go on.
        """

    def close(self) -> bytes:
        """Raises as `feed` does."""


class AnswerMasks:
    """Of one session, as they are now."""

    def __init__(self, masks: MaskSet, key: bytes) -> None:
        self._masks = masks
        self._key = key

    def refuses(self, request: Request, info: RequestInfo, body: bytes) -> str:
        """Why a request is not sent at all, whatever the policy says; empty when it may be."""
        if info.resource in SECRET:
            return "Secrets are not served, for they cannot be masked yet"
        return ""

    def accept(self, info: RequestInfo, wanted: str) -> str:
        """The Accept header to send."""
        return wanted

    def plan(self, info: RequestInfo, content_type: str, code: int) -> BodyMask | None:
        """The masks for one answer; None when it passes untouched."""
        return None

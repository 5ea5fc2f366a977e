"""What the masks of one session make of requests and answers: what is asked for, let out, not let in, and written down.

Whatever the session's own masks say, no value of a Secret gets into a recording.
"""

from __future__ import annotations

from typing import Final

from hooptui.core.gate import Masked
from hooptui.core.model import MaskRule, MaskSet
from hooptui.masking.kubernetes.answers import BodyMask
from hooptui.masking.kubernetes.masks import ClusterMasks
from hooptui.masking.kubernetes.media import is_json
from hooptui.masking.kubernetes.objects import CREDENTIALS
from hooptui.protocols.kubernetes.info import RequestInfo

WRITTEN_BACK: Final = (
    "the object holds values that hooptui masked when you read it, and writing it back would destroy the real ones: "
    "leave these fields out, for example with kubectl patch"
)
BODY: Final = 64 * 1024
"""Characters of a request's body that are written down."""


class RequestMasks:
    """See the module. Of one session, until its masks change."""

    def __init__(self, masks: MaskSet, key: bytes) -> None:
        self._objects = ClusterMasks(masks, key)
        self._secrets = any(rule.secrets and not rule.secrets_except for rule in masks.rules)
        rules = (*masks.rules, MaskRule("recorded-secrets", secrets=True))
        self._recorded = self._objects if self._secrets else ClusterMasks(MaskSet(rules, masks.version), key)

    def refuses(self, body: bytes) -> str:
        """Why a body may not be sent, whatever the policy says; empty when it may."""
        return WRITTEN_BACK if body and self._recorded.written_back(body) else ""

    def accept(self, info: RequestInfo, wanted: str) -> str:
        """The Accept header to send; the client's own where no mask looks at the answer."""
        return self._objects.accept(wanted) if self._looks(info) else wanted

    def answer(self, info: RequestInfo, content_type: str, code: int) -> BodyMask | None:
        """The masks for one answer; None when it passes as it is.

        Raises:
            CannotMask: it is not what masks can read.
        """
        if not self._looks(info) or code in (204, 304) or (code >= 400 and not is_json(content_type)):
            return None
        return self._objects.answer(info.resource, content_type, watch=info.verb == "watch" and code == 200)

    def body(self, body: bytes, info: RequestInfo, *, most: int = BODY) -> Masked:
        """A body for people, at most `most` characters of it."""
        return self._recorded.recorded(body, info.resource, most)

    def shows(self, info: RequestInfo) -> bool:
        """Whether an answer may be written down as the client got it."""
        return self._secrets or (info.resource not in CREDENTIALS and info.subresource != "token")

    def _looks(self, info: RequestInfo) -> bool:
        """Logs are no objects, and what another server says (proxy) is none either."""
        return (
            bool(self._objects)
            and info.is_resource
            and info.subresource not in ("log", "proxy")
            and info.verb != "proxy"
        )

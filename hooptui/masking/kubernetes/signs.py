"""Whether some bytes of JSON can hold anything that is masked: one look for all that masks know. Knows bytes, not objects.

A wrong yes costs time, a wrong no would leak: every doubt is a yes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from hooptui.masking.kubernetes.fields import FieldPattern
from hooptui.masking.prefilter import screen_of, watched

_DETECTED: Final = "detected"
_CREDENTIAL: Final = "credential"
_HELM: Final = "helm"
_HIDDEN: Final = "hidden"

_SECRETS: Final = (
    (_CREDENTIAL, rb'"Secret|client-key-data|"TokenRe|CertificateSigningRequest'),
    # In a manifest that a string quotes, once or twice over, in JSON or YAML.
    (_CREDENTIAL, rb"""(?i:kind\\*["']?\s*:(?:\s|\\[nrt])*\\*["']?Secret)"""),
    # Of a release of Helm's in a ConfigMap: its label, or its name.
    (_HELM, rb"""owner\\*"(?:\s|\\[nrt])*:(?:\s|\\[nrt])*\\*"helm|sh\.helm\.release\."""),
)
_ESCAPED: Final = (_HIDDEN, rb"\\u00(?:2[0-57-9a-fA-F]|3[0-9abdfABDF]|[4-7][0-9a-fA-F])")
"""An ASCII character that JSON need not escape, other than the three that Go does: &, <, >."""
_CERTAIN: Final = frozenset({_DETECTED, _CREDENTIAL, _HELM, _HIDDEN})


class Signs:
    """See the module. Of the masks of one session."""

    __slots__ = ("_fields", "_which")

    def __init__(self, *, secrets: bool, fields: Iterable[FieldPattern], detectors: Iterable[str]) -> None:
        """Raises:
        KeyError: an unknown detector.
        """
        self._fields: Sequence[tuple[str, FieldPattern]] = [
            (f"field {number}", pattern) for number, pattern in enumerate(fields)
        ]
        self._which = screen_of(
            (
                *((_DETECTED, pattern) for _, pattern in watched(frozenset(detectors))),
                *(_SECRETS if secrets else ()),
                *((name, b"(?i:%b)" % re.escape(one.stem)) for name, one in self._fields if one.resource != "*"),
                _ESCAPED,
            )
        ).which

    def __call__(self, data: bytes, resource: str) -> bool:
        """False promises that nothing in these bytes, of objects kept under `resource`, is masked."""
        found = self._which(data)
        if not _CERTAIN.isdisjoint(found):
            return True
        # Whatever is left has the keys of a rule in it as they are, and the resource too, if only as a kind.
        return any(
            (name in found or pattern.concerns(resource)) and all(key in data for key in pattern.keys)
            for name, pattern in self._fields
        )

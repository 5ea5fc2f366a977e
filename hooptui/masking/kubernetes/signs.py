"""Whether some bytes of JSON can hold anything that is masked: one look for all that masks know. Knows bytes, not objects.

A wrong yes costs time, a wrong no would leak: every doubt is a yes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from hooptui.masking import detectors as known
from hooptui.masking.kubernetes.fields import FieldPattern
from hooptui.masking.prefilter import screen_of

_DETECTED: Final = "detected"
_CREDENTIAL: Final = "credential"
_HELM: Final = "helm"
_HIDDEN: Final = "hidden"

_SECRETS: Final = (
    (_CREDENTIAL, rb'"Secret(?:List)?\\*"|client-key-data|"TokenRe|CertificateSigningRequest'),
    # In a manifest that a string quotes, once or twice over, in JSON or YAML.
    (_CREDENTIAL, rb"""(?i:kind\\*["']?\s*:(?:\s|\\[nrt])*\\*["']?Secret(?:List)?)[^A-Za-z0-9_]"""),
    # Of a release of Helm's in a ConfigMap: its label, or its name.
    (_HELM, rb"""owner\\*"(?:\s|\\[nrt])*:(?:\s|\\[nrt])*\\*"helm|sh\.helm\.release\."""),
)
_ESCAPED: Final = (_HIDDEN, rb"\\u00(?:2[0-57-9a-fA-F]|3[0-9abdfABDF]|[4-7][0-9a-fA-F])")
"""An ASCII character that JSON need not escape, other than the three that Go does: &, <, >."""
_SLASH: Final = (_HIDDEN, rb"\\/")
"""The same of a character that keys may hold; JSON allows it an escape of its own, which Go does not use."""

_CLOSER: Final[dict[str, tuple[bytes, ...]]] = {
    "api-key": (
        *(one for one in known.BY_NAME["api-key"].screens if one != known.LABEL),
        # Of a label, and what may stand between it and a key of 40 characters: blanks, signs and their escapes at any level, the words
        # "access" and "key", and whatever is not ASCII: a long s and the sign of kelvin are letters of these words, too.
        rb"(?:[sS]|\xc5\xbf|\\u017[fF])[eE][cC][rR][eE][tT](?:[^A-Za-z0-9/+]|[aAcCeEsSkKyY]|\\[bfnrt]|\\u[0-9a-fA-F]{4})*[A-Za-z0-9/+]{40}[^A-Za-z0-9/+=]",
    ),
    # Up to the first dot of the domain: `image@sha256:…` has none.
    "email": (rb"[^\x00-\x20]@[A-Za-z0-9_\\\x80-\xff-]+\.",),
    "jwt": (rb"e[wy][A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*\.",),
    "private-key": (rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY", rb"PuTTY-User-Key-File-"),
}
"""Screens that hold for a string of JSON with all of its quotes. The detectors' own must find the half of a value as well, and so find
`secretKeyRef` and `/var/run/secrets` in every Pod, and `review-service` in its name."""

_CERTAIN: Final = frozenset({_DETECTED, _CREDENTIAL, _HELM, _HIDDEN})
_OF_DETECTORS: Final = frozenset({_DETECTED, _HIDDEN})


class Signs:
    """See the module. Of the masks of one session."""

    __slots__ = ("_fields", "_which")

    def __init__(self, *, secrets: bool, fields: Iterable[FieldPattern], detectors: Collection[str]) -> None:
        """Raises:
        KeyError: an unknown detector.
        """
        self._fields: Sequence[tuple[str, FieldPattern]] = [
            (f"field {number}", pattern) for number, pattern in enumerate(fields)
        ]
        self._which = screen_of(
            (
                *((_DETECTED, pattern) for name in sorted(detectors) for pattern in _screens(name)),
                *(_SECRETS if secrets else ()),
                *((name, b"(?i:%b)" % re.escape(one.stem)) for name, one in self._fields if one.resource != "*"),
                _ESCAPED,
                *((_SLASH,) if "api-key" in detectors else ()),
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

    def detects(self, data: bytes) -> bool:
        """False promises that no detector finds anything in these bytes."""
        return not _OF_DETECTORS.isdisjoint(self._which(data))


def _screens(name: str) -> tuple[bytes, ...]:
    return _CLOSER.get(name) or known.BY_NAME[name].screens

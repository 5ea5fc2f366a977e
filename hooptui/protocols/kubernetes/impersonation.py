"""Whom the gateway says it acts for: the headers by which an API server takes a request as somebody else's. Pure.

Only the gateway says so; what a client sends of the kind never passes. Names that begin with `system:` are the cluster's own and
are never said, for whoever is called `system:masters` may do everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final
from urllib.parse import quote

from hooptui.core.model import Identity

FIELDS: Final = ("{issuer}", "{subject}")
"""What a template of the user may name: the key of a person, never what a person can set."""
RESERVED: Final = "system:"
GROUPS: Final = 64
"""Groups that are passed on at most."""


class CannotImpersonate(Exception):
    """An identity has a name that must not be said to the API server; the message is fit for the client."""


@dataclass(frozen=True, slots=True)
class Impersonation:
    """How an identity is called on the cluster."""

    user: str = "{issuer}#{subject}"
    """A template of `FIELDS`."""
    groups: tuple[str, ...] = ("*",)
    """Patterns; groups that match none are left out."""
    prefix: str = ""
    """Put before every group."""

    def __post_init__(self) -> None:
        if "{subject}" not in self.user:
            raise ValueError("user: expected {subject} in it, or many people would be one user")
        rest = self.user
        for field in FIELDS:
            rest = rest.replace(field, "")
        if "{" in rest or "}" in rest:
            raise ValueError(f"user: expected no other fields than {', '.join(FIELDS)}")
        if self.user.startswith(RESERVED) or self.prefix.startswith(RESERVED):
            raise ValueError(f"user and prefix: expected no beginning with {RESERVED}, which is the cluster's own")
        if not (self.user + self.prefix).isprintable() or not (self.user + self.prefix).isascii():
            raise ValueError("user and prefix: expected printable ASCII")

    def headers(self, identity: Identity) -> tuple[tuple[str, str], ...]:
        """The headers of one identity's requests, in order.

        Raises:
            CannotImpersonate: its user or one of its groups is called as only the cluster's own are.
        """
        # Both in one go: a subject that reads {issuer} stays as it is.
        user = "".join(
            {"{issuer}": identity.issuer, "{subject}": identity.subject}.get(part, part) for part in _parts(self.user)
        )
        if user.startswith(RESERVED):
            raise CannotImpersonate(f"a user called {RESERVED}… is the cluster's own and is not impersonated")
        wanted = sorted(one for one in identity.groups if any(fnmatchcase(one, glob) for glob in self.groups))
        if len(wanted) > GROUPS:
            raise CannotImpersonate(f"more than {GROUPS} groups would be passed on; narrow impersonate.groups")
        said = [f"{self.prefix}{one}" for one in wanted]
        if any(one.startswith(RESERVED) for one in said):
            raise CannotImpersonate(f"a group called {RESERVED}… is the cluster's own and is not impersonated")
        return (("Impersonate-User", _safe(user)), *(("Impersonate-Group", _safe(one)) for one in said))


def _parts(template: str) -> list[str]:
    made, rest = [], template
    while rest:
        at = min((where for field in FIELDS if (where := rest.find(field)) >= 0), default=-1)
        if at < 0:
            made.append(rest)
            break
        if at:
            made.append(rest[:at])
        end = rest.index("}", at) + 1
        made.append(rest[at:end])
        rest = rest[end:]
    return made


def _safe(value: str) -> str:
    """A header value; what is not printable ASCII is percent-encoded, so that no two names become one."""
    if value.isascii() and value.isprintable() and "%" not in value and value == value.strip():
        return value
    return quote(value, safe="!#$&'()*+,/:;=?@[]~")

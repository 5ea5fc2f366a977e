"""What a rule says of SSH, as written in YAML and as kept. Knows not how it is applied: see `match_ssh`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from hooptui.core.vocabulary import SSH_ACTIONS, SSH_GROUPS, SSH_TRAITS, UNKNOWN
from hooptui.strictyaml import Matches, NotEmpty, OneOf, OneOrMany, Size

Text = Annotated[str, Matches(r"[^\n]{1,1024}", "text, where * stands for any text and ? for one character")]
Line = Annotated[
    str,
    Matches(
        r"[^\s]+( [^\s]+){0,15}",
        "a program and its first arguments, with single blanks between, where * stands for any text",
    ),
]
Action = Annotated[
    str,
    OneOf(
        (SSH_ACTIONS | frozenset(SSH_GROUPS)) - {UNKNOWN},
        f"an action such as exec, shell, file_read, forward_out, or one of the groups {', '.join(sorted(SSH_GROUPS))}",
    ),
]
Trait = Annotated[str, OneOf(SSH_TRAITS, f"one of {', '.join(sorted(SSH_TRAITS))}")]
Texts = Annotated[tuple[Text, ...], OneOrMany(), NotEmpty()]


@dataclass(frozen=True, slots=True)
class Program:
    """Programs with arguments.

    In an allow: the name as written, or with it in /bin, /usr/bin, /sbin or /usr/sbin; then each word of `run`, in its place, and
    nothing more unless `run` ends in ` *`. In a deny or approve: any directory, the words in this order with anything between and
    after; a program that only the target can tell may be this one.
    """

    run: Annotated[tuple[Line, ...], OneOrMany(), NotEmpty()]
    """`systemctl status *`; any one of a list."""
    arguments: Texts | None = None
    """In an allow every argument beyond the words of `run` must match one; in a deny or approve one argument that does is enough."""
    never: Texts | None = None
    """In an allow: no argument may match one of these, but for the words that `run` has without a wildcard."""


@dataclass(frozen=True, slots=True)
class Ssh:
    """What. An allow covers only when every program, path, destination and trait is one of those it names; a deny or approve is
    touched by any one. All keys that are there must agree."""

    actions: Annotated[frozenset[Action], NotEmpty()] | None = None
    programs: Annotated[tuple[Program, ...], NotEmpty()] | None = None
    paths: Texts | None = None
    """Files: of their own operations, of redirections, and whatever looks like one among arguments."""
    destinations: Texts | None = None
    """Of forwards: `host:port`."""
    traits: Annotated[frozenset[Trait], NotEmpty()] | None = None
    """In an allow with programs, those that may be there; without this key, none."""
    size_up_to: Size | None = None
    """For an allow; a size that is not known is more."""
    size_above: Size | None = None
    """For a deny or approve; a size that is not known is more."""
    rest: bool = False
    """For an approve that grants: holds only what no allow covers."""


@dataclass(frozen=True, slots=True)
class StatedSsh:
    """What an SSH client asks for, said instead of read from a command."""

    actions: Annotated[frozenset[Annotated[str, OneOf(SSH_ACTIONS - {UNKNOWN}, "an action")]], NotEmpty()]
    paths: frozenset[str] = frozenset()
    destinations: frozenset[str] = frozenset()
    programs: tuple[str, ...] = ()
    size: Size | None = None
    unknown: str = ""


def expand(actions: frozenset[str]) -> frozenset[str]:
    """Actions with the group names replaced by what they stand for."""
    return frozenset().union(*(SSH_GROUPS.get(word, (word,)) for word in actions))

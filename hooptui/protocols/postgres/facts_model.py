"""What understanding a text yields: statements and their facts, in the words of core.vocabulary. Plain values, no parser."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from hooptui.core.model import SqlFacts
from hooptui.core.vocabulary import UNKNOWN


@dataclass(frozen=True, slots=True)
class CopyShape:
    """A COPY, and how its stream is written (PostgreSQL documentation, COPY)."""

    direction: Literal["to", "from"]
    relation: tuple[str, str] | None
    """Schema (empty when the text names none) and table; None for COPY (query)."""
    columns: tuple[str, ...]
    """The column list as given; empty when there is none, which means every column that is not generated."""
    query: str
    """Text of the query of COPY (query) TO, exactly as sent; empty for a table."""
    select: str
    """A statement whose RowDescription describes the columns. Without a column list it lists generated columns too, which
    COPY leaves out: compare the number of columns with the one that CopyOutResponse announces."""
    program: bool
    file: bool
    """Neither STDIN nor STDOUT nor a program: a file of the server."""
    format: Literal["text", "csv", "binary"]
    delimiter: str
    null: str
    quote: str
    """CSV only; empty otherwise, as is `escape`."""
    escape: str
    header: bool
    encoding: str
    """As given by the ENCODING option; empty means client_encoding."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a text."""

    facts: SqlFacts
    text: str
    """Of a PREPARE, as sent, and of a batch only its part; empty for every other, because texts that differ in their constants
    alone share what is known of them."""
    verb: str
    """The leading command, for a narrow column."""
    prepares: str | None = None
    """Name given by PREPARE."""
    executes: str | None = None
    """Name that EXECUTE asks for; `facts` are unknown until `with_prepared` has resolved it."""
    body: SqlFacts | None = None
    """PREPARE: what the prepared statement does. EXECUTE: what the arguments do, and what stands around the EXECUTE."""
    explained: bool = False
    """The EXECUTE is only explained, not run."""
    deallocates: str | None = None
    """Name that DEALLOCATE forgets; empty for ALL."""
    copy: CopyShape | None = None
    sets: tuple[str, ...] = ()
    """Names of the settings that SET or RESET touches, lower case; `all` for RESET ALL."""
    discards: bool = False
    """DISCARD ALL: prepared statements, settings, cursors, listeners and temporary tables are gone."""


@dataclass(frozen=True, slots=True)
class Understood:
    """What a text sent in one message does."""

    facts: SqlFacts
    """The union over its statements."""
    statements: tuple[Statement, ...]
    verb: str
    """The first statement's with an effect, else the first one's; `empty` or `unknown` when there is none."""
    executes: bool = False
    """Some statement is an EXECUTE, so `facts` are unknown until `with_prepared` has resolved it."""


def unknown(reason: str) -> SqlFacts:
    """Facts that match no allow."""
    return SqlFacts(frozenset({UNKNOWN}), unknown=reason)


def union(parts: Iterable[SqlFacts]) -> SqlFacts:
    """The facts of a batch; its first unknown is the whole's."""
    listed = list(parts)
    if len(listed) == 1:
        return listed[0]
    nothing: frozenset[str] = frozenset()
    return SqlFacts(
        commands=nothing.union(*(part.commands for part in listed)),
        neutral=nothing.union(*(part.neutral for part in listed)),
        reads=nothing.union(*(part.reads for part in listed)),
        writes=nothing.union(*(part.writes for part in listed)),
        functions=nothing.union(*(part.functions for part in listed)),
        missing_where=any(part.missing_where for part in listed),
        statements=sum(part.statements for part in listed),
        unknown=next((part.unknown for part in listed if part.unknown), ""),
    )

"""What a text of SQL does, by PostgreSQL's own parser: commands by effect, relations, functions, missing WHERE.

`understand` is total: what cannot be understood is `unknown`, which no allow matches. The parser is that of PostgreSQL 18
and takes for granted what must be pinned on the server: standard_conforming_strings on, and a text in UTF-8. Knows no
catalogue; see facts_walk for what a text alone cannot show, and facts_where for what counts as a WHERE.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Generic, TypeVar

import msgspec
from pglast import parser
from pglast.error import Error

from hooptui.core.model import SqlFacts
from hooptui.protocols.postgres.facts_model import CopyShape, Statement, Understood, union, unknown
from hooptui.protocols.postgres.facts_nodes import NotUnderstood
from hooptui.protocols.postgres.facts_statements import read_statement

__all__ = ["NOT_PARSED", "CopyShape", "Statement", "Understood", "complaint", "read_sql", "understand", "with_prepared"]

NOT_PARSED: Final = "it does not parse as PostgreSQL"
"""Why a text with a syntax error is not understood; it quotes nothing of the text."""

MAX_TEXT: Final = 1 << 20
"""Bytes of UTF-8; a longer text is not understood."""
MAX_TREE: Final = 8 << 20
"""Bytes of the parse tree as JSON."""
MAX_COPIES: Final = 50_000
"""Tokens after the parser's own copying, see `_copies`."""
MAX_RUNS: Final = 40_000_000
"""Sum of the squares of the lengths of long runs of operator characters; that many steps the scanner takes over them."""
CACHED_TEXT: Final = 8 << 10
"""Characters of the longest text that is remembered."""
SHAPED_TEXT: Final = 4 << 10
"""Characters of the longest text that is remembered by its shape: replacing the constants takes quadratic time."""
CACHED: Final = 1024
"""Texts in each generation of each cache."""

_ASSIGNS: Final = re.compile(r"\)\s*(?:=|--|/\*)")
_RUN: Final = re.compile(r"[-+*/<>=~!@#%^&|`?]{64,}")
_NUMBER: Final = re.compile(r"(?<=[\s=(,<>])\d{1,9}(?=[\s;,)]|\Z)", re.ASCII)
"""An integer constant that fits 32 bits, whatever stands around it; where no quote, comment or dollar changes what digits are."""
_OPAQUE: Final = re.compile(r"""['"$\\\0]|--|/\*""")
_ZEROS: Final = bytes(0x30 if chr(code).isdigit() else code for code in range(128)) + bytes(range(128, 256))
"""Makes every digit of ASCII a zero."""
_decode: Final = msgspec.json.Decoder().decode

V = TypeVar("V")


class _Cache(Generic[V]):
    """Remembers by text, in two generations: when the young one is full it becomes the old one, and what was not asked for
    since then is forgotten. Any thread may use it; the worst of a race is a forgotten entry."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._young: dict[str, V] = {}
        self._old: dict[str, V] = {}

    def get(self, key: str) -> V | None:
        value = self._young.get(key)
        if value is None:
            value = self._old.get(key)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: str, value: V) -> None:
        if len(self._young) >= self._size:
            self._old, self._young = self._young, {}
        self._young[key] = value


_by_text: Final[_Cache[Understood]] = _Cache(CACHED)
_by_shape: Final[_Cache[Understood]] = _Cache(CACHED)
_by_digits: Final[_Cache[Understood]] = _Cache(CACHED)
"""By the text with its digits made zeros; see `_numbers_alone`."""


def understand(sql: str) -> Understood:
    """What the text of one message does, statement by statement. Never raises; bounded in time and memory."""
    digits = ""
    if len(sql) <= SHAPED_TEXT and sql.isascii():
        digits = sql.encode("ascii").translate(_ZEROS).decode("ascii")
        known = _by_digits.get(digits)
        if known is not None:
            return known
    known = _by_text.get(sql)
    if known is not None:
        return known
    try:
        understood = _understand(sql)
        if digits and _numbers_alone(sql):
            _by_digits.put(digits, understood)
            return understood
    except (NotUnderstood, Error) as reason:
        understood = _unknown(str(reason.args[0]) if isinstance(reason, NotUnderstood) else NOT_PARSED)
    except RecursionError:
        understood = _unknown("it is nested too deeply")
    except Exception as fault:  # noqa: BLE001 - whatever a hostile text breaks here, the answer is that nobody knows
        understood = _unknown(f"it could not be read ({type(fault).__name__})")
    if len(sql) <= CACHED_TEXT:
        _by_text.put(sql, understood)
    return understood


def _numbers_alone(sql: str) -> bool:
    """Whether every digit of this understood text is part of a whole number that PostgreSQL's own normalisation takes for a
    constant, and its facts hang on no constant. Then a text with other digits in the same places has the same facts: the
    characters around them are the same, so its tokens are, but for the values of those numbers.
    """
    rest, numbers = _NUMBER.subn("", sql)
    if not numbers or _OPAQUE.search(sql) is not None or any(map(str.isdigit, rest)):
        return False
    shape = parser.normalize(sql)
    return shape.count("$") == numbers and _by_shape.get(shape) is not None


def read_sql(sql: str) -> SqlFacts:
    """The facts alone: what tests and explanations of a policy need."""
    return understand(sql).facts


def complaint(sql: str) -> tuple[str, int]:
    """What the parser says of a text that is NOT_PARSED, and the place of the error in characters from 1; 0 when it names none.

    The words quote the text.
    """
    try:
        parser.parse_sql_json(sql)
    except Error as fault:
        message, *place = fault.args
        return str(message), place[0] + 1 if place and isinstance(place[0], int) else 0
    return NOT_PARSED, 0


def with_prepared(understood: Understood, prepared: Mapping[str, SqlFacts]) -> SqlFacts:
    """The facts with every EXECUTE resolved to what it runs.

    Args:
        prepared: what the session's prepared statements do, by name: those of PREPARE and, for the server keeps them in the
            same place, those that Parse messages named.

    An EXECUTE of a name that neither `prepared` nor an earlier PREPARE of the same text knows stays unknown.
    """
    if not understood.executes:
        return understood.facts
    names = dict(prepared)
    return union(_resolved(statement, names) for statement in understood.statements)


def _resolved(statement: Statement, names: dict[str, SqlFacts]) -> SqlFacts:
    if statement.prepares is not None and statement.body is not None:
        names[statement.prepares] = statement.body
    elif statement.deallocates is not None:
        if statement.deallocates:
            names.pop(statement.deallocates, None)
        else:
            names.clear()
    elif statement.discards:
        names.clear()
    if statement.executes is None or statement.body is None:
        return statement.facts
    runs = names.get(statement.executes)
    if runs is None:
        return statement.facts
    if statement.explained:
        runs = SqlFacts(
            runs.commands & {"call", "set", "set_role", "unknown"},
            reads=runs.reads | runs.writes,
            functions=runs.functions,
            unknown=runs.unknown,
        )
    return replace(union((statement.body, runs)), neutral=statement.body.neutral, statements=1)


def _unknown(reason: str) -> Understood:
    facts = unknown(reason)
    return Understood(facts, (Statement(facts, "", "unknown"),), "unknown")


def _understand(sql: str) -> Understood:
    if "\x00" in sql:
        raise NotUnderstood("it holds a NUL")
    if len(sql) > MAX_TEXT or len(raw := sql.encode()) > MAX_TEXT:
        raise NotUnderstood("it is too long")
    if sum((found.end() - found.start()) ** 2 for found in _RUN.finditer(sql)) > MAX_RUNS:
        raise NotUnderstood("it holds too long a run of operator characters")
    copies = _copies(sql)
    if copies > MAX_COPIES:
        raise NotUnderstood("its assignments of several columns are too large")
    shape = parser.normalize(sql) if len(sql) <= SHAPED_TEXT and not copies else None
    if shape is not None:
        known = _by_shape.get(shape)
        if known is not None:
            return known
    tree = parser.parse_sql_json(sql)
    if len(tree) > MAX_TREE:
        raise NotUnderstood("it has too many parts")
    parsed: list[dict[str, Any]] = _decode(tree).get("stmts", [])
    if not parsed:
        facts = SqlFacts(frozenset(), frozenset({"empty"}), statements=0)
        return Understood(facts, (), "empty")
    statements, constant_free = [], True
    for part in parsed:
        statement, free = read_statement(part["stmt"], _part(sql, raw, part) if len(parsed) > 1 else sql)
        statements.append(statement)
        constant_free &= free
    leading = next((s for s in statements if s.facts.commands), statements[0])
    understood = Understood(
        union(s.facts for s in statements),
        tuple(statements),
        leading.verb,
        any(s.executes is not None for s in statements),
    )
    if shape is not None and constant_free and len(statements) == 1:
        _by_shape.put(shape, understood)
    return understood


def _part(sql: str, raw: bytes, part: dict[str, Any]) -> str:
    """The text of one statement of a batch; the parser counts in bytes of UTF-8."""
    start = part.get("stmt_location", 0)
    length = part.get("stmt_len", 0)
    return raw[start : start + length if length else None].decode().strip()


def _copies(sql: str) -> int:
    """How many tokens the parser would make of the text by its own copying; 0 when it copies nothing.

    The parser copies the right side of `SET (a, b, …) = source` once for each column. Nested in a source (the grammar takes
    an UPDATE in a WITH there) that doubles with every level: 700 bytes make a tree of 60 MB. So the copies are counted
    over the tokens first, from above: a source is taken to reach to the end of its statement.
    """
    if _ASSIGNS.search(sql) is None or "set" not in sql.lower():
        return 0
    before = ""
    opened: list[tuple[bool, int]] = []
    closed = (False, 1)
    columns = factor = 1
    total = 0
    copied = False
    for token in parser.scan(sql):
        name = token.name
        if name in ("SQL_COMMENT", "C_COMMENT"):
            continue
        if name == "ASCII_40":
            opened.append((before in ("SET", "ASCII_44"), columns))
            columns = 1
        elif name == "ASCII_44":
            columns += 1
        elif name == "ASCII_41" and opened:
            assigned, outer = opened.pop()
            closed, columns = (assigned, columns), outer
        elif name == "ASCII_61" and before == "ASCII_41" and closed[0]:
            factor *= closed[1]
            copied = copied or closed[1] > 1
        elif name == "ASCII_59" and not opened:
            factor = 1
        before = name
        total += factor
        if total > MAX_COPIES and copied:
            break
    return total if copied else 0

"""The one filter grammar of every list, log and command line: `who:bot via:pg|ssh !state:idle ~regex after:-10m`.

Terms are joined by *and*; `|` inside a term is *or*; `!` negates. A value matches anywhere in its field, whatever its case;
`*` and `?` make it a pattern for the whole field. A bare word looks in every field. Pure; knows no screen and no record.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from fnmatch import translate
from typing import Final

FIELDS: Final = ("id", "who", "target", "via", "state", "verb", "text", "rule", "kind", "app", "group", "peer", "risk")
"""Every field there is. A list that lacks one lets nothing through that asks for it."""

LONGEST: Final = 500
"""Characters of a filter."""

_LOOKED_AT: Final = 400
"""Characters of one field a regular expression sees."""

_TOKEN: Final = re.compile(r'!?(?:~(?:"[^"]*"|\S*)|[^\s"]*"[^"]*"|\S+)')
_SPAN: Final = re.compile(r"-(\d{1,6})([smhd])")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_REPEAT: Final = re.compile(r"[*+]|\{\d*,\d*\}")

Fields = Mapping[str, str | Iterable[str]]
"""What a line of a list says of itself; a field may have several values."""


class FilterError(ValueError):
    """The filter cannot be read; the message is for who typed it, `column` is where, from 0."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(message)
        self.column = column


@dataclass(frozen=True, slots=True)
class Term:
    """One condition."""

    field: str
    """Name of the field; empty for any."""
    values: tuple[str, ...] = ()
    """Lower case; one must match."""
    negate: bool = False
    pattern: re.Pattern[str] | None = None
    after: float | None = None
    """Unix seconds; the line must not be older."""
    before: float | None = None

    def holds(self, fields: Fields, at: float) -> bool:
        return self._plain(fields, at) is not self.negate

    def _plain(self, fields: Fields, at: float) -> bool:
        if self.after is not None:
            return at >= self.after
        if self.before is not None:
            return at < self.before
        texts = _texts(fields, self.field)
        if self.pattern is not None:
            search = self.pattern.search
            return any(search(text[:_LOOKED_AT]) for text in texts)
        return any(_matches(text.lower(), value) for text in texts for value in self.values)


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed filter; without terms everything passes."""

    text: str = ""
    terms: tuple[Term, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.terms)

    def holds(self, fields: Fields, at: float) -> bool:
        """Whether a line passes. `at` is when it happened, Unix seconds."""
        return all(term.holds(fields, at) for term in self.terms)


def parse(text: str, now: float, zone: tzinfo | None = None) -> Filter:
    """Read a filter. Relative times count from `now` (Unix seconds), `14:02` is today in `zone` (None: the machine's own).

    Raises:
        FilterError: not understood; nothing is guessed.
    """
    if len(text) > LONGEST:
        raise FilterError(f"a filter has at most {LONGEST} characters", LONGEST)
    terms: list[Term] = []
    for token in _TOKEN.finditer(text):
        terms.append(_term(token[0], token.start(), now, zone))
    return Filter(text.strip(), tuple(terms))


def _term(token: str, column: int, now: float, zone: tzinfo | None) -> Term:
    negate = token.startswith("!")
    rest = token[1:] if negate else token
    if not rest:
        raise FilterError("`!` stands before what it negates", column)
    if rest.startswith("~"):
        return Term("", negate=negate, pattern=_regex(_unquoted(rest[1:]), column))
    field, colon, value = rest.partition(":")
    if not colon or '"' in field:
        return Term("", _values(rest, column), negate)
    name = field.lower()
    if name in ("after", "before"):
        moment = _moment(_unquoted(value), column, now, zone)
        return Term(name, negate=negate, after=moment) if name == "after" else Term(name, negate=negate, before=moment)
    if name not in FIELDS:
        raise FilterError(f"no field `{field}`; there are {' '.join(FIELDS)} after before", column)
    if value.startswith("~"):
        return Term(name, negate=negate, pattern=_regex(_unquoted(value[1:]), column))
    return Term(name, _values(value, column), negate)


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) >= 2 and text.startswith('"') and text.endswith('"') else text


def _values(text: str, column: int) -> tuple[str, ...]:
    values = tuple(_unquoted(one).lower() for one in text.split("|"))
    if not all(values):
        raise FilterError("a value is missing", column)
    return values


def _matches(text: str, value: str) -> bool:
    if "*" in value or "?" in value:
        return _glob(value)(text[:_LOOKED_AT]) is not None
    return value in text


_GLOBS: dict[str, Callable[[str], re.Match[str] | None]] = {}


def _glob(value: str) -> Callable[[str], re.Match[str] | None]:
    found = _GLOBS.get(value)
    if found is None:
        if len(_GLOBS) >= 64:
            _GLOBS.clear()
        found = _GLOBS[value] = re.compile(translate(value)).match
    return found


def _texts(fields: Fields, name: str) -> Iterable[str]:
    chosen = fields.values() if not name else (fields[name],) if name in fields else ()
    for value in chosen:
        if isinstance(value, str):
            yield value
        else:
            yield from value


def _regex(text: str, column: int) -> re.Pattern[str]:
    """A pattern that cannot take the screen down: Python's engine backtracks, so what could explode is refused."""
    if not text:
        raise FilterError("`~` stands before a regular expression", column)
    try:
        pattern = re.compile(text, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as fault:
        raise FilterError(f"not a regular expression: {fault}", column) from None
    # Character classes and escapes hide no repetition; what is left shows every one there is.
    bare = re.sub(r"\[\^?\]?[^\]]*\]", "c", re.sub(r"\\.", "c", text))
    explosive = len(_REPEAT.findall(bare)) > 2 or bare.count("?") > 8 or bare.count("|") > 8
    if explosive or re.search(r"\)(?:[*+?]|\{)", bare) or re.search(r"\(\?P?[=(]|\\[1-9]", text):
        raise FilterError(
            "a regular expression here has at most two open repetitions, eight `?` and eight `|`, no repeated group and no back-reference",
            column,
        )
    return pattern


def _moment(text: str, column: int, now: float, zone: tzinfo | None) -> float:
    span = _SPAN.fullmatch(text)
    if span is not None:
        return now - int(span[1]) * _UNITS[span[2]]
    today = datetime.fromtimestamp(now, zone)
    for form in ("%H:%M", "%H:%M:%S"):
        try:
            clock = datetime.strptime(text, form)
        except ValueError:
            continue
        moment = today.replace(hour=clock.hour, minute=clock.minute, second=clock.second, microsecond=0)
        # A clock time ahead of now is yesterday's: one looks back at what happened.
        return (moment - timedelta(days=1) if moment.timestamp() > now else moment).timestamp()
    try:
        exact = datetime.fromisoformat(text)
    except ValueError:
        raise FilterError(f"`{text}` is no time; say -10m, -2h, 14:02 or 2026-01-31T14:02", column) from None
    return (exact if exact.tzinfo is not None else exact.replace(tzinfo=zone)).timestamp()

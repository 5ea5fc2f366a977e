"""The shape of a COPY: what is copied where, and how the stream is written. See PostgreSQL's documentation of COPY."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec
from pglast import parser

from hooptui.protocols.postgres.facts_model import CopyShape
from hooptui.protocols.postgres.facts_nodes import Body, NotUnderstood, items, same, strings

_OPTIONS: Final = frozenset(
    {
        "format", "freeze", "delimiter", "null", "default", "header", "quote", "escape", "force_quote", "force_not_null",
        "force_null", "encoding", "on_error", "reject_limit", "log_verbosity",
    }
)  # fmt: skip
_FALSE: Final = frozenset({"false", "off", "0"})


def shape(body: Body, text: str) -> CopyShape:
    """The fields of a CopyStmt with what COPY takes for granted filled in.

    Args:
        text: this statement as sent; the query of COPY (query) is cut out of it.

    Raises:
        NotUnderstood: an option or form that is not known here.
    """
    options: dict[str, Any] = {}
    for _, option in items(body.get("options")):
        name = option.get("defname", "")
        if name not in _OPTIONS:
            raise NotUnderstood("a COPY option is not known to this gateway")
        if name in options:
            raise NotUnderstood("a COPY option is given twice")
        options[name] = option.get("arg")
    kind = _format(options.get("format"))
    csv = kind == "csv"
    quote = _text(options, "quote", '"') if csv else ""
    relation = body.get("relation")
    columns = strings(body.get("attlist"))
    query = "" if relation is not None else _query(body, text)
    table = None if relation is None else (relation.get("schemaname", ""), relation.get("relname", ""))
    return CopyShape(
        direction="from" if body.get("is_from") else "to",
        relation=table,
        columns=columns,
        query=query,
        select=query if table is None else _select(table, columns),
        program=bool(body.get("is_program")),
        file=not body.get("is_program") and "filename" in body,
        format=kind,
        delimiter=_text(options, "delimiter", "," if csv else "\t"),
        null=_text(options, "null", "" if csv else "\\N"),
        quote=quote,
        escape=_text(options, "escape", quote) if csv else "",
        header=_header(options),
        encoding=_text(options, "encoding", ""),
    )


def _format(arg: Any) -> Literal["text", "csv", "binary"]:
    match arg:
        case None | {"String": {"sval": "text"}}:
            return "text"
        case {"String": {"sval": "csv"}}:
            return "csv"
        case {"String": {"sval": "binary"}}:
            return "binary"
    raise NotUnderstood("the COPY format is not known to this gateway")


def _text(options: dict[str, Any], name: str, default: str) -> str:
    match options.get(name):
        case None:
            return default
        case {"String": {**value}}:
            return str(value.get("sval", ""))
    raise NotUnderstood("a COPY option has a value not known to this gateway")


def _header(options: dict[str, Any]) -> bool:
    if "header" not in options:
        return False
    match options["header"]:
        case None:
            return True
        case {"Boolean": {**value}}:
            return bool(value.get("boolval"))
        case {"Integer": {**value}}:
            return bool(value.get("ival"))
        case {"String": {**value}}:
            return str(value.get("sval", "")).lower() not in _FALSE
    raise NotUnderstood("a COPY option has a value not known to this gateway")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _select(table: tuple[str, str], columns: tuple[str, ...]) -> str:
    listed = ", ".join(map(_quoted, columns)) or "*"
    return f"SELECT {listed} FROM {'.'.join(_quoted(part) for part in table if part)}"  # noqa: S608 - every name is quoted


def _query(body: Body, text: str) -> str:
    """The text between COPY's first brackets, proved to be the very query by parsing it alone."""
    depth = start = 0
    for token in parser.scan(text):
        if token.name == "ASCII_40":
            depth += 1
            start = start or token.end + 1
        elif token.name == "ASCII_41":
            depth -= 1
            if depth == 0:
                query = text[start : token.start]
                parsed = msgspec.json.decode(parser.parse_sql_json(query)).get("stmts", [])
                if len(parsed) == 1 and same(parsed[0]["stmt"], body["query"]):
                    return query
                break
    raise NotUnderstood("the query inside COPY could not be cut out")

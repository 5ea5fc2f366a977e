"""The walk over a parse tree that gathers effects, relations and functions. Knows queries; statements that are not
queries are described in facts_statements.

No recursion: a list of nodes to visit, each with what the names around it mean. A node that is not in the table of
facts_nodes ends the walk with NotUnderstood.

What the text alone cannot show, and this walk therefore does not catch: `o.f`, where o is a table, calls the function f
of a row of o when o has no column f; an operator or cast without a schema may be one that somebody made for other types;
a view, rule, trigger, column default or domain runs what its maker wrote.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hooptui.core.model import SqlFacts
from hooptui.protocols.postgres import facts_settings
from hooptui.protocols.postgres.facts_kinds import NESTED
from hooptui.protocols.postgres.facts_nodes import (
    FIELDS,
    NODES,
    PLAIN,
    Body,
    NotUnderstood,
    items,
    name_of,
    relation_name,
    strings,
)
from hooptui.protocols.postgres.facts_where import merge_is_unbounded, selects_all
from hooptui.protocols.postgres.functions import FIELDS as OUTPUT_NAMES
from hooptui.protocols.postgres.functions import FREE, SAMPLERS, is_free

Scope = frozenset[str]
"""The names that WITH gives around a node; they are not relations."""

NO_NAMES: Final[Scope] = frozenset()
DEFINITION: Final[Scope] = frozenset({"\x00"})
"""Inside a statement that is no query: a relation named there is written. No identifier holds a NUL."""

MAX_NODES: Final = 200_000
LEAVES: Final = frozenset(
    {"A_Const", "String", "ParamRef", "A_Star", "Integer", "Float", "Boolean", "BitString", "SetToDefault"}
)

_STOP: Final = frozenset({"*"})
"""A visit's answer: nothing below this node needs a visit."""
_WITH: Final = frozenset({"withClause"})
_TARGET: Final = frozenset({"withClause", "relation"})
_CHANGES: Final = {"CMD_INSERT": "insert", "CMD_UPDATE": "update", "CMD_DELETE": "delete"}

Visit = Callable[["Walk", Body, Scope], tuple[frozenset[str], Scope] | None]


class Walk:
    """Gathers the facts of one statement."""

    def __init__(self) -> None:
        self.commands: set[str] = set()
        self.reads: set[str] = set()
        self.writes: set[str] = set()
        self.functions: set[str] = set()
        self.missing_where = False
        self.by_value = False
        """Some fact hung on the value of a constant, so a text with other constants may have other facts."""
        self._todo: list[tuple[str, Body, Scope]] = []
        self._nodes = 0
        self._rows: dict[str, set[str]] = {}
        """Functions in FROM by the name their row goes by, with the columns the text gives them."""
        self._dotted: list[tuple[str, str]] = []

    def facts(self, neutral: frozenset[str] = NO_NAMES) -> SqlFacts:
        return SqlFacts(
            commands=frozenset(self.commands), neutral=neutral, reads=frozenset(self.reads), writes=frozenset(self.writes),
            functions=frozenset(self.functions), missing_where=self.missing_where,
        )  # fmt: skip

    def node(self, node: Body, scope: Scope = NO_NAMES) -> None:
        """Visit a node and all below it.

        Raises:
            NotUnderstood: it holds something that is not in the table, or too much.
        """
        self.below(items(node), scope)

    def below(self, nodes: Any, scope: Scope) -> None:
        """Visit (class, fields) pairs and all below them."""
        self._todo.extend((name, body, scope) for name, body in nodes)
        top = len(self._todo)
        todo = self._todo
        while todo:
            name, body, names = todo.pop()
            if name[-4:] == "Stmt" and name not in _VISITS and len(todo) >= top:
                self._nested(name)
            top = min(top, len(todo))
            self._nodes += 1
            if self._nodes > MAX_NODES:
                raise NotUnderstood("the statement has too many parts")
            fields = FIELDS.get(name)
            if fields is None:
                raise NotUnderstood(f"{name} is not known to this gateway")
            skip: frozenset[str] = NO_NAMES
            visit = _VISITS.get(name)
            if visit is not None:
                answer = visit(self, body, names)
                if answer is not None:
                    skip, names = answer
                    if skip is _STOP:
                        continue
            for key, value in body.items():
                kind = fields.get(key)
                if kind == PLAIN or key in skip:
                    continue
                if kind is None:
                    raise NotUnderstood(f"{name}.{key} is not known to this gateway")
                if kind == NODES:
                    if type(value) is list:
                        for part in value:
                            for inner_name, inner_body in part.items():
                                if inner_name not in LEAVES:
                                    todo.append((inner_name, inner_body, names))
                    else:
                        for inner_name, inner_body in value.items():
                            if inner_name not in LEAVES:
                                todo.append((inner_name, inner_body, names))
                else:
                    todo.append((kind, value, names))
        self._settle()

    def reads_relation(self, var: Body, scope: Scope) -> None:
        """A relation in FROM or the like, unless WITH gave the name."""
        if "schemaname" not in var and "catalogname" not in var and var.get("relname") in scope:
            return
        self.commands.add("select")
        self.reads.add(relation_name(var))

    def calls(self, names: tuple[str, ...]) -> None:
        """A function by the parts of its name."""
        self.functions.add(name_of(*names))
        if not is_free(names):
            self.commands.add("call")

    def _nested(self, name: str) -> None:
        if name not in NESTED:
            raise NotUnderstood(f"{name} inside another statement is not known to this gateway")
        self.commands.update(NESTED[name].split())

    def _settle(self) -> None:
        """`x.f` where x is the row of a function in FROM: a scalar x makes it the call f(x)."""
        for row, field in self._dotted:
            columns = self._rows.get(row)
            if columns is not None and field not in columns and field not in FREE and field not in OUTPUT_NAMES:
                self.commands.add("call")
                self.functions.add(name_of(field))

    # --- WITH, SELECT and the statements that change rows

    def _with(self, body: Body, scope: Scope) -> Scope:
        clause = body.get("withClause")
        if not clause:
            return scope
        ctes = [cte for _, cte in items(clause.get("ctes"))]
        every = scope | {cte.get("ctename", "") for cte in ctes}
        for cte in ctes:
            # Without RECURSIVE a query sees only the names before its own: WITH t AS (SELECT * FROM t) reads the table t.
            self._todo.append(("CommonTableExpr", cte, every if clause.get("recursive") else scope))
            scope = scope | {cte.get("ctename", "")}
        return every

    def select(self, body: Body, scope: Scope) -> tuple[frozenset[str], Scope]:
        scope = self._with(body, NO_NAMES if scope is DEFINITION else scope)
        if "valuesLists" not in body:
            self.commands.add("select")
        if "lockingClause" in body:
            self.commands.add("lock")
        setting = _pinned_setting(body)
        if setting is not None:
            self._sets(*setting)
            self.functions.add("set_config")
            return _WITH | {"targetList", "lockingClause"}, scope
        return _WITH | {"lockingClause"}, scope

    def values(self) -> None:
        """A VALUES that stands for itself is a query."""
        self.commands.add("select")

    def into(self, body: Body, scope: Scope) -> tuple[frozenset[str], Scope]:
        self.commands.add("create")
        self.writes.add(relation_name(body.get("rel", {})))
        return frozenset({"rel"}), scope

    def insert(self, body: Body, scope: Scope) -> tuple[frozenset[str], Scope]:
        scope = self._with(body, NO_NAMES if scope is DEFINITION else scope)
        self.commands.add("insert")
        target = relation_name(body["relation"])
        self.writes.add(target)
        if "returningClause" in body or "onConflictClause" in body:
            self.reads.add(target)
        if body.get("onConflictClause", {}).get("action") == "ONCONFLICT_UPDATE":
            self.commands.add("update")
        return _TARGET, scope

    def update(self, body: Body, scope: Scope) -> tuple[frozenset[str], Scope]:
        self.commands.add("update")
        target = body["relation"]
        if target.get("relname") == "pg_settings" and target.get("schemaname", "pg_catalog") == "pg_catalog":
            self.commands.update(facts_settings.ANY_SETTING)  # a rule of this view makes the update a SET
        return self._change(body, scope)

    def delete(self, body: Body, scope: Scope) -> tuple[frozenset[str], Scope]:
        self.commands.add("delete")
        return self._change(body, scope)

    def _change(self, body: Body, scope: Scope) -> tuple[frozenset[str], Scope]:
        scope = self._with(body, NO_NAMES if scope is DEFINITION else scope)
        target = relation_name(body["relation"])
        self.writes.add(target)
        self.reads.add(target)
        everything, by_value = selects_all(body)
        self.missing_where |= everything
        self.by_value |= by_value
        return _TARGET, scope

    def merge(self, body: Body, scope: Scope) -> tuple[frozenset[str], Scope]:
        scope = self._with(body, NO_NAMES if scope is DEFINITION else scope)
        self.commands.add("merge")
        for _, clause in items(body.get("mergeWhenClauses")):
            kind = clause.get("commandType", "")
            if kind in _CHANGES:
                self.commands.add(_CHANGES[kind])
            elif kind != "CMD_NOTHING":
                raise NotUnderstood("a MERGE action is not known to this gateway")
        target = relation_name(body["relation"])
        self.writes.add(target)
        self.reads.add(target)
        everything, by_value = merge_is_unbounded(body)
        self.missing_where |= everything
        self.by_value |= by_value
        return _TARGET, scope

    # --- relations and calls

    def range_var(self, body: Body, scope: Scope) -> None:
        if scope is DEFINITION:
            self.writes.add(relation_name(body))
        else:
            self.reads_relation(body, scope)

    def like_table(self, body: Body, scope: Scope) -> tuple[frozenset[str], Scope]:
        self.reads_relation(body.get("relation", {}), NO_NAMES)
        return _STOP, scope

    def func_call(self, body: Body, scope: Scope) -> None:
        names = strings(body.get("funcname"))
        if names[-1] == "set_config" and names[:-1] in {(), ("pg_catalog",)}:
            self.by_value = True
            given = tuple(_constant(arg) for arg in body.get("args", ()))
            if len(given) == 3 and given[0] is not None:
                self.functions.add(name_of(*names))
                self._sets(given[0], None if given[1] is None else (given[1],))
                return
        self.calls(names)

    def _sets(self, name: str, values: tuple[str, ...] | None) -> None:
        self.by_value = True
        effect = facts_settings.effect(name.lower(), values)
        if effect:
            self.commands.add(effect)

    def column_ref(self, body: Body, scope: Scope) -> tuple[frozenset[str], Scope]:
        fields = strings(body["fields"])
        if len(fields) == 2 and len(body["fields"]) == 2:
            self._dotted.append((fields[0], fields[1]))
        return _STOP, scope

    def indirection(self, body: Body, scope: Scope) -> None:
        # (x).f is a column of a composite value or the call f(x); without a catalogue it is taken for the worse.
        for field in strings(body.get("indirection")):
            if field not in FREE and field not in OUTPUT_NAMES:
                self.commands.add("call")
                self.functions.add(name_of(field))

    def range_function(self, body: Body, scope: Scope) -> None:
        alias = body.get("alias", {})
        row = alias.get("aliasname", "")
        columns = set(strings(alias.get("colnames"))) | {"ordinality"}
        columns |= {column.get("colname", "") for _, column in items(body.get("coldeflist"))}
        for _, entry in items(body.get("functions")):
            for kind, call in items(entry.get("items")):
                if kind == "List":
                    columns |= {column.get("colname", "") for _, column in items(call.get("items"))}
                elif kind == "FuncCall":
                    name = strings(call.get("funcname"))[-1]
                    columns.add(name)
                    row = row or name
                elif not row:
                    self.commands.add("call")  # CAST, COALESCE … as a table: the row's name is not plain
        known = self._rows.get(row)
        # The same name twice in a text may be two rows: only a column of both is surely a column.
        self._rows[row] = columns | {row} if known is None else known & (columns | {row})

    def sample(self, body: Body, scope: Scope) -> None:
        method = strings(body.get("method"))
        self.functions.add(name_of(*method))
        if method[-1] not in SAMPLERS or len(method) > 2 or (len(method) == 2 and method[0] != "pg_catalog"):
            self.commands.add("call")

    def operator(self, body: Body, scope: Scope) -> None:
        for key in ("name", "operName", "useOp"):
            if key not in body or len(body[key]) < 2:
                continue
            names = strings(body[key])
            if names[0] != "pg_catalog":
                self.commands.add("call")
                self.functions.add(name_of(*names))


def _constant(node: Body) -> str | None:
    """The text of a constant argument, also under a cast; None for anything else, NULL too."""
    match node:
        case {"TypeCast": {"arg": dict(arg)}}:
            return _constant(arg)
        case {"A_Const": {"sval": {**value}}}:
            return str(value.get("sval", ""))
        case {"A_Const": {"boolval": {**value}}}:
            return "true" if value.get("boolval") else "false"
    return None


def _pinned_setting(body: Body) -> tuple[str, tuple[str, ...]] | None:
    """`SELECT set_config(name, 'value', …) FROM pg_settings WHERE name = 'setting'`, pg_dump's way to set what may not exist."""
    match body:
        case {
            "targetList": [{"ResTarget": {"val": {"FuncCall": {"funcname": [*_, {"String": {"sval": "set_config"}}] as named, "args": [
                {"ColumnRef": {"fields": [{"String": {"sval": "name"}}]}}, dict(value), {"A_Const": _}]}}}}],
            "fromClause": [{"RangeVar": {"relname": "pg_settings", **where}}],
            "whereClause": {"A_Expr": {"kind": "AEXPR_OP", "name": [{"String": {"sval": "="}}],
                "lexpr": {"ColumnRef": {"fields": [{"String": {"sval": "name"}}]}}, "rexpr": {"A_Const": {"sval": {"sval": str(setting)}}}}},
        } if strings(named)[:-1] in {(), ("pg_catalog",)} and where.get("schemaname", "pg_catalog") == "pg_catalog":  # fmt: skip
            text = _constant(value)
            only = body.keys() <= {"targetList", "fromClause", "whereClause", "limitOption", "op"}
            return (setting, (text,)) if only and text is not None else None
    return None


_VISITS: Final[dict[str, Visit]] = {
    "SelectStmt": Walk.select,
    "InsertStmt": Walk.insert,
    "UpdateStmt": Walk.update,
    "DeleteStmt": Walk.delete,
    "MergeStmt": Walk.merge,
    "IntoClause": Walk.into,
    "RangeVar": Walk.range_var,
    "TableLikeClause": Walk.like_table,
    "FuncCall": Walk.func_call,
    "ColumnRef": Walk.column_ref,
    "A_Indirection": Walk.indirection,
    "RangeFunction": Walk.range_function,
    "RangeTableSample": Walk.sample,
    "A_Expr": Walk.operator,
    "SubLink": Walk.operator,
    "SortBy": Walk.operator,
}

"""Whether an UPDATE, DELETE or MERGE is bounded by its condition, by looking at the parse tree alone.

The rule: a condition bounds a statement when at least one of its AND parts, or each of its OR parts, is a test that names a
column of the target and is not plainly true for every row. These bound nothing:
- no condition, constants, parameters, and tests of other tables only (`DELETE FROM t USING s WHERE s.id = 1`);
- a comparison with the same columns on both sides (`id = id`, `id <= id + 0`), or of columns that cancel (`id - id = 0`);
- two OR parts that exclude each other (`x IS NULL OR x IS NOT NULL`, `id = 5 OR id <> 5`);
- LIKE '%', `= ANY` and IN over an unfiltered query of the target itself, an EXISTS that is not tied to the target by a
  qualified column, CASE and COALESCE as a condition, and whatever else is not recognised.
A range counts as a bound (`id > 0`), and so does a test whose constants make it true (`id * 0 = 0`): how many rows that is
only the server's estimate can say.
"""

from __future__ import annotations

from typing import Any, Final

from hooptui.protocols.postgres.facts_nodes import Body, inner, items, same, strings

_NEGATED: Final = {"=": "<>", "<>": "=", "!=": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_COMPARES: Final = frozenset(
    {*_NEGATED, "@>", "<@", "&&", "~", "~*", "!~", "!~*", "@@", "?", "?|", "?&", "^@", "<<", ">>", "-|-"}
)
_MATCHES: Final = frozenset({"AEXPR_LIKE", "AEXPR_ILIKE", "AEXPR_SIMILAR"})
_BETWEEN: Final = frozenset({"AEXPR_BETWEEN", "AEXPR_NOT_BETWEEN", "AEXPR_BETWEEN_SYM", "AEXPR_NOT_BETWEEN_SYM"})
_TRUTHS: Final = frozenset({"BoolExpr", "NullTest", "BooleanTest"})
_EVERY_ROW: Final = frozenset({"tableoid", "xmin", "xmax", "cmin", "cmax"})
"""System columns that tell nothing of a row."""
_MAX_PARTS: Final = 64
"""More OR parts than this are not compared with each other."""

_CANCELLING: Final = frozenset((sign,) for sign in ("-", "/", "%", "#", *_NEGATED))
"""Operators that give the same for every row when both operands are the same."""

Columns = frozenset[tuple[str, ...]]


def selects_all(body: Body) -> tuple[bool, bool]:
    """For the fields of an UPDATE or DELETE: is it unbounded, and did the answer hang on a constant's value."""
    bound = _Bounds(body["relation"])
    where = body.get("whereClause")
    return (where is None or not bound.bounds(where)), bound.by_value


def merge_is_unbounded(body: Body) -> tuple[bool, bool]:
    """The same for a MERGE: some UPDATE or DELETE is bounded neither by the join nor by its own condition."""
    bound = _Bounds(body["relation"])
    joined = bound.bounds(body["joinCondition"])
    unbounded = False
    for _, clause in items(body.get("mergeWhenClauses")):
        if clause.get("commandType") in ("CMD_UPDATE", "CMD_DELETE"):
            # NOT MATCHED BY SOURCE takes the rows that the join left over, so the join does not bound it.
            by_join = joined and clause.get("matchKind") == "MERGE_WHEN_MATCHED"
            own = clause.get("condition")
            unbounded |= not by_join and (own is None or not bound.bounds(own))
    return unbounded, bound.by_value


class _Bounds:
    """Judges conditions over one target."""

    def __init__(self, target: Body) -> None:
        self._relation = target
        self._name: str = target.get("alias", {}).get("aliasname") or target.get("relname", "")
        self.by_value = False

    def bounds(self, node: Body, negated: bool = False) -> bool:
        """Whether the condition, or its negation, keeps rows out in the sense of the rule above."""
        name, body = inner(node)
        match name:
            case "BoolExpr":
                return self._logic(body, negated)
            case "A_Expr":
                return self._test(body, negated)
            case "NullTest":
                return bool(self._columns(body.get("arg")) - {("ctid",)})
            case "BooleanTest":
                kind = body.get("booltesttype")
                if kind in ("IS_UNKNOWN", "IS_NOT_UNKNOWN"):
                    return bool(self._columns(body.get("arg"))) and self._either(body["arg"])
                return self.bounds(body["arg"], negated ^ (kind in ("IS_FALSE", "IS_NOT_TRUE")))
            case "SubLink":
                return self._sublink(body)
            case "TypeCast":
                return self.bounds(body["arg"], negated)
            case "CollateClause":
                return self.bounds(body["arg"], negated)
            case "CurrentOfExpr":
                return not negated
            case "ColumnRef" | "FuncCall":
                return bool(self._columns(node))
            case _:
                return False

    def _either(self, node: Body) -> bool:
        return self.bounds(node) and self.bounds(node, negated=True)

    def _logic(self, body: Body, negated: bool) -> bool:
        kind, parts = body.get("boolop"), body.get("args", [])
        if kind == "NOT_EXPR":
            return self.bounds(parts[0], not negated)
        if (kind == "AND_EXPR") is not negated:
            return any(self.bounds(part, negated) for part in parts)
        return all(self.bounds(part, negated) for part in parts) and not self._exhausts(parts)

    def _exhausts(self, parts: list[Body]) -> bool:
        """Some two parts exclude each other, so that together they let everything through."""
        if len(parts) > _MAX_PARTS:
            return False
        self.by_value = True
        return any(_opposite(a, b) or _opposite(b, a) for i, a in enumerate(parts) for b in parts[i + 1 :])

    def _test(self, body: Body, negated: bool) -> bool:
        kind, left, right = body.get("kind"), body.get("lexpr"), body.get("rexpr")
        if left is None or right is None:
            return False
        mine, other = self._columns(left), self._columns(right)
        if kind in _MATCHES:
            self.by_value = True
            return bool(mine) and not _matches_all(right) and mine != other
        if kind in _BETWEEN:
            return bool(mine | other) and not mine & other
        if kind in ("AEXPR_OP_ANY", "AEXPR_OP_ALL", "AEXPR_IN"):
            return bool(mine | other) and mine != other
        if kind not in ("AEXPR_OP", "AEXPR_DISTINCT", "AEXPR_NOT_DISTINCT") or not (mine or other) or mine == other:
            return False
        if kind == "AEXPR_OP" and strings(body.get("name"))[-1] not in _COMPARES:
            return True  # an operator of a type of its own that says true or false, with a column on one side
        return all(self._either(side) for side in (left, right) if _is_truth(side))

    def _sublink(self, body: Body) -> bool:
        tested = body.get("testexpr")
        if tested is not None:
            return bool(self._columns(tested)) and not self._whole_target(body.get("subselect", {}))
        return body.get("subLinkType") == "EXISTS_SUBLINK" and bool(self._columns(body.get("subselect"), nested=True))

    def _whole_target(self, query: Body) -> bool:
        """The query reads the target itself with nothing to keep rows out."""
        select = query.get("SelectStmt", {})
        tables = [body for name, body in items(select.get("fromClause")) if name == "RangeVar"]
        mine = any(table.get("relname") == self._relation.get("relname") for table in tables)
        return mine and not ({"whereClause", "havingClause", "limitCount", "groupClause"} & select.keys())

    def _columns(self, node: Any, nested: bool = False) -> Columns:
        """The target's columns in an expression. Inside a subquery only names qualified by the target count; equal
        operands of a subtraction and the like cancel out."""
        found: set[tuple[str, ...]] = set()
        todo: list[tuple[Any, bool]] = [(node, nested)]
        while todo:
            part, nested = todo.pop()
            if isinstance(part, list):
                todo.extend((entry, nested) for entry in part)
            elif isinstance(part, dict):
                if "ColumnRef" in part:
                    names = strings(part["ColumnRef"].get("fields"))
                    own = (
                        not nested and names[:1] != (self._name,) if len(names) == 1 else names[-2:-1] == (self._name,)
                    )
                    if own and names[-1] not in _EVERY_ROW:
                        found.add(names[-1:])
                elif "A_Expr" in part and "lexpr" in part["A_Expr"] and _cancels(part["A_Expr"]):
                    continue
                else:
                    nested = nested or "SubLink" in part
                    todo.extend((value, nested) for value in part.values())
        return frozenset(found)


def _is_truth(node: Body) -> bool:
    name, body = inner(node)
    if name == "TypeCast":
        return _is_truth(body["arg"])
    return name in _TRUTHS or (
        name == "A_Expr" and (body.get("kind") != "AEXPR_OP" or strings(body.get("name"))[-1] in _COMPARES)
    )


def _matches_all(pattern: Body) -> bool:
    """LIKE '%' in any number of signs; a pattern that is no constant is taken for a bound."""
    name, body = inner(pattern)
    if name == "TypeCast":
        return _matches_all(body["arg"])
    if name == "FuncCall":  # SIMILAR TO wraps its pattern
        return any(_matches_all(arg) for arg in body.get("args", [])[:1])
    return name == "A_Const" and not str(body.get("sval", {}).get("sval", "x")).strip("%") and "sval" in body


def _cancels(expr: Body) -> bool:
    """Both operands have one shape, when every constant and parameter is taken for the same, so that the row hardly matters."""
    return strings(expr.get("name"))[-1:] in _CANCELLING and same(_shape(expr.get("lexpr")), _shape(expr.get("rexpr")))


def _shape(node: Any) -> Any:
    if isinstance(node, list):
        return [_shape(part) for part in node]
    if isinstance(node, dict):
        return None if "A_Const" in node or "ParamRef" in node else {key: _shape(value) for key, value in node.items()}
    return node


def _opposite(a: Body, b: Body) -> bool:
    """`b` is the negation of `a`, as far as the shape shows."""
    (left, x), (right, y) = inner(a), inner(b)
    if left == "BoolExpr" and x.get("boolop") == "NOT_EXPR":
        return same(x["args"][0], b)
    if left != right:
        return False
    if left == "NullTest":
        return x.get("nulltesttype") != y.get("nulltesttype") and same(x.get("arg"), y.get("arg"))
    if left == "A_Expr" and x.get("kind") == y.get("kind") == "AEXPR_OP":
        ours, theirs = strings(x.get("name"))[-1], strings(y.get("name"))[-1]
        return (
            _NEGATED.get(ours) == theirs
            and same(x.get("lexpr"), y.get("lexpr"))
            and same(x.get("rexpr"), y.get("rexpr"))
        )
    return False

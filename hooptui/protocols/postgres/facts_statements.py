"""What each kind of statement does, beyond what the walk finds inside it. One table of plain cases, one function for each
of the others. A kind that is in neither is not understood.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from hooptui.core.model import SqlFacts
from hooptui.protocols.postgres import facts_copy, facts_settings
from hooptui.protocols.postgres.facts_kinds import (
    CODE,
    DOES,
    FALSE,
    NEUTRAL_CLASSES,
    ON_RELATIONS,
    QUERIES,
    RELATIONS,
    TRANSACTION,
    TWO_PHASE,
)
from hooptui.protocols.postgres.facts_model import CopyShape, Statement
from hooptui.protocols.postgres.facts_nodes import Body, NotUnderstood, inner, items, name_of, strings
from hooptui.protocols.postgres.facts_walk import DEFINITION, NO_NAMES, Walk


@dataclass(slots=True)
class _Found:
    """What is known of a statement while it is read."""

    walk: Walk
    verb: str
    neutral: str = ""
    prepares: str | None = None
    executes: str | None = None
    body: SqlFacts | None = None
    explained: bool = False
    deallocates: str | None = None
    copy: CopyShape | None = None
    sets: tuple[str, ...] = ()
    discards: bool = False


def read_statement(node: Body, text: str) -> tuple[Statement, bool]:
    """The statement of a parse tree, and whether other constants in the same text could not change its facts.

    Raises:
        NotUnderstood: with the reason.
    """
    name, body = inner(node)
    found = _Found(Walk(), _verb(name))
    _read(name, body, text, found)
    neutral = frozenset({found.neutral}) if found.neutral else NO_NAMES
    facts = found.walk.facts(neutral)
    if found.executes is not None:
        found.body = facts
        facts = SqlFacts(
            facts.commands | {"unknown"},
            neutral,
            facts.reads,
            facts.writes,
            facts.functions,
            unknown="EXECUTE of an unknown statement",
        )
    statement = Statement(
        facts, text if found.prepares is not None else "", found.verb, found.prepares, found.executes, found.body, found.explained, found.deallocates,
        found.copy, found.sets, found.discards,
    )  # fmt: skip
    return statement, name in QUERIES and not found.walk.by_value


def _verb(name: str) -> str:
    if name in QUERIES:
        return QUERIES[name]
    if name in DOES:
        return DOES[name].split()[0]
    return NEUTRAL_CLASSES.get(name, "")


def _read(name: str, body: Body, text: str, found: _Found) -> None:
    walk = found.walk
    if name in QUERIES:
        if "valuesLists" in body:
            walk.commands.add("select")
        walk.below([(name, body)], NO_NAMES)
    elif name in NEUTRAL_CLASSES:
        found.neutral = NEUTRAL_CLASSES[name]
    elif name in _CASES:
        _CASES[name](body, text, found)
    elif name in DOES:
        walk.commands.update(DOES[name].split())
        _details(name, body, walk)
        walk.below([(name, body)], DEFINITION)
    else:
        raise NotUnderstood(f"{name} is not known to this gateway")


def _details(name: str, body: Body, walk: Walk) -> None:
    """What a definition's fields add to its class."""
    kind = body.get("removeType") or body.get("objtype") or body.get("renameType") or body.get("objectType") or ""
    if kind in CODE and name in {"DropStmt", "RenameStmt", "AlterObjectSchemaStmt", "AlterOwnerStmt"}:
        walk.commands.add("code")
    if name == "RenameStmt" and kind == "OBJECT_ROLE":
        walk.commands.add("role")
    if body.get("replace"):
        walk.commands.add("alter")
    for key in ("objects", "object"):
        for label, named in items(body.get(key)):
            if label == "List":
                parts = strings(named.get("items"))
                if kind in RELATIONS:
                    walk.writes.add(name_of(*parts[-2:]))
                elif kind in ON_RELATIONS:
                    walk.writes.add(name_of(*parts[:-1][-2:]))
    if name in {"CreateTrigStmt", "CreateEventTrigStmt"}:
        walk.functions.add(name_of(*strings(body.get("funcname"))))
    if name == "AlterDomainStmt" and body.get("subtype") == "X":
        walk.commands.add("drop")
    if name == "AlterPublicationStmt" and body.get("action") == "AP_DropObjects":
        walk.commands.add("drop")


def _alter_table(body: Body, text: str, found: _Found) -> None:
    walk = found.walk
    found.verb = "alter"
    walk.commands.add("alter")
    for _, command in items(body.get("cmds")):
        kind = command.get("subtype", "")
        if kind in {"AT_DropColumn", "AT_DropConstraint"}:
            walk.commands.add("drop")
        elif "Trig" in kind or "Rule" in kind:
            walk.commands.add("code")
    walk.below([("AlterTableStmt", body)], DEFINITION)


def _alter_extension(body: Body, text: str, found: _Found) -> None:
    found.verb = "alter"
    found.walk.commands.update({"alter", "code"})
    if body.get("action", 0) < 0:
        found.walk.commands.add("drop")
    found.walk.below([("AlterExtensionContentsStmt", body)], DEFINITION)


def _alter_op_family(body: Body, text: str, found: _Found) -> None:
    found.verb = "alter"
    found.walk.commands.update({"alter", "code"} | ({"drop"} if body.get("isDrop") else set()))
    found.walk.below([("AlterOpFamilyStmt", body)], DEFINITION)


def _grant(body: Body, text: str, found: _Found) -> None:
    found.verb = "grant" if body.get("is_grant") else "revoke"
    found.walk.commands.add(found.verb)
    found.walk.below([("GrantStmt", body)], DEFINITION)


def _grant_role(body: Body, text: str, found: _Found) -> None:
    found.verb = "grant" if body.get("is_grant") else "revoke"
    found.walk.commands.update({found.verb, "role"})
    found.walk.below([("GrantRoleStmt", body)], DEFINITION)


def _default_privileges(body: Body, text: str, found: _Found) -> None:
    _grant(body.get("action", {}), text, found)
    found.walk.commands.add("alter")
    found.verb = "alter"
    found.walk.below([("AlterDefaultPrivilegesStmt", {"options": body.get("options", [])})], DEFINITION)


def _create_as(body: Body, text: str, found: _Found) -> None:
    found.verb = "create"
    found.walk.commands.add("create")
    found.walk.node({"IntoClause": body.get("into", {})})
    _inside(body, text, found)


def _declare(body: Body, text: str, found: _Found) -> None:
    found.verb = found.neutral = "declare"
    _inside(body, text, found)


def _inside(body: Body, text: str, found: _Found) -> None:
    """The query of a statement around it; the verb and the neutral word stay those of the outer one."""
    name, query = inner(body["query"])
    verb, neutral = found.verb, found.neutral
    if name not in QUERIES and name not in {
        "ExecuteStmt",
        "DeclareCursorStmt",
        "CreateTableAsStmt",
        "RefreshMatViewStmt",
    }:
        raise NotUnderstood(f"{name} inside another statement is not known to this gateway")
    _read(name, query, text, found)
    found.verb, found.neutral = verb, neutral


def _explain(body: Body, text: str, found: _Found) -> None:
    """ANALYZE runs the statement; without it only what planning may call is left, for constant parts are computed then."""
    runs = any(
        option.get("defname", "").lower() == "analyze" and not _is_false(option.get("arg"))
        for _, option in items(body.get("options"))
    )
    found.verb = "explain"
    _inside(body, text, found)
    walk = found.walk
    if not runs:
        walk.commands &= {"call", "set", "set_role"}
        walk.reads |= walk.writes
        walk.writes.clear()
        walk.missing_where = False
        found.explained = True
    walk.commands.add("explain")


def _is_false(arg: Any) -> bool:
    if not arg:
        return False
    name, body = inner(arg)
    value = body.get("sval", body.get("boolval", body.get("ival", 0)))
    return str(value).lower() in FALSE and name in {"String", "Boolean", "Integer"}


def _prepare(body: Body, text: str, found: _Found) -> None:
    found.verb = found.neutral = "prepare"
    found.prepares = body.get("name", "")
    _inside(body, text, found)
    found.body = found.walk.facts()
    found.walk = Walk()


def _execute(body: Body, text: str, found: _Found) -> None:
    found.verb = found.neutral = "execute"
    found.executes = body.get("name", "")
    found.walk.below([("ExecuteStmt", body)], NO_NAMES)


def _deallocate(body: Body, text: str, found: _Found) -> None:
    found.verb = found.neutral = "deallocate"
    found.deallocates = "" if body.get("isall") else body.get("name", "")


def _copy(body: Body, text: str, found: _Found) -> None:
    shape = found.copy = facts_copy.shape(body, text)
    walk = found.walk
    found.verb = "copy"
    walk.commands.add("copy_" + shape.direction)
    if shape.program:
        walk.commands.add("copy_program")
    elif shape.file:
        walk.commands.add("copy_file")
    if shape.direction == "from":
        walk.commands.add("insert")
    if shape.relation is not None:
        relation = name_of(*shape.relation)
        if shape.direction == "from":
            walk.writes.add(relation)
        else:
            walk.commands.add("select")
            walk.reads.add(relation)
        walk.below([("CopyStmt", {key: value for key, value in body.items() if key != "relation"})], NO_NAMES)
    else:
        _inside(body, text, found)


def _lock(body: Body, text: str, found: _Found) -> None:
    found.verb = "lock"
    if body.get("mode") == 1:  # ACCESS SHARE, what every SELECT takes
        for _, var in items(body.get("relations")):
            found.walk.reads_relation(var, NO_NAMES)
        return
    found.walk.commands.add("lock")
    found.walk.below([("LockStmt", body)], DEFINITION)


def _vacuum(body: Body, text: str, found: _Found) -> None:
    options = {option.get("defname", "").lower() for _, option in items(body.get("options"))}
    found.verb = "vacuum" if body.get("is_vacuumcmd") else "analyze"
    found.walk.commands.update({found.verb} | ({"analyze"} & options))
    found.walk.below([("VacuumStmt", body)], DEFINITION)


def _discard(body: Body, text: str, found: _Found) -> None:
    found.verb = found.neutral = "discard"
    found.discards = body.get("target") == "DISCARD_ALL"


def _fetch(body: Body, text: str, found: _Found) -> None:
    found.verb = found.neutral = "move" if body.get("ismove") else "fetch"


def _show(body: Body, text: str, found: _Found) -> None:
    found.verb = "show"
    found.walk.commands.add("show")


def _transaction(body: Body, text: str, found: _Found) -> None:
    kind = body.get("kind", "")
    if kind in TWO_PHASE:
        found.verb = TWO_PHASE[kind]
        found.walk.commands.add(found.verb)
    elif kind in TRANSACTION:
        found.verb = found.neutral = TRANSACTION[kind]
        found.sets = _modes(body.get("options"), "", found.walk)
    else:
        raise NotUnderstood("a transaction command is not known to this gateway")


def _modes(options: Any, prefix: str, walk: Walk) -> tuple[str, ...]:
    """Transaction modes (READ ONLY …), as BEGIN and SET TRANSACTION give them."""
    names = []
    for _, option in items(options):
        name = prefix + option.get("defname", "")
        names.append(name)
        _add(walk, facts_settings.effect(name, _values([option.get("arg", {})])))
    return tuple(names)


def _add(walk: Walk, command: str) -> None:
    if command:
        walk.commands.add(command)


def _values(args: list[Body]) -> tuple[str, ...] | None:
    """The constants of SET as texts; None when one is of a shape not known here."""
    texts: list[str] = []
    for arg in args:
        match arg:
            case {"A_Const": {"sval": {**value}}} | {"A_Const": {"fval": {**value}}}:
                texts.append(str(value.get("sval", value.get("fval", ""))))
            case {"A_Const": {"ival": {**value}}}:
                texts.append(str(value.get("ival", 0)))
            case {"A_Const": {"boolval": {**value}}}:
                texts.append("on" if value.get("boolval") else "off")
            case _:
                return None
    return tuple(texts)


def _set(body: Body, text: str, found: _Found) -> None:
    walk, kind, name = found.walk, body.get("kind"), body.get("name", "").lower()
    found.verb = "set"
    match kind:
        case "VAR_SET_VALUE":
            found.sets = (name,)
            _add(walk, facts_settings.effect(name, _values(body.get("args", []))))
        case "VAR_SET_DEFAULT" | "VAR_RESET":
            found.sets = (name,)
            found.verb = "set" if kind == "VAR_SET_DEFAULT" else "reset"
            _add(walk, facts_settings.reset_effect(name))
        case "VAR_RESET_ALL":
            found.sets, found.verb = ("all",), "reset"
        case "VAR_SET_MULTI" if name == "transaction":
            found.sets = _modes(body.get("args"), "", walk)
        case "VAR_SET_MULTI" if name == "session characteristics":
            found.sets = _modes(body.get("args"), "default_", walk)
        case "VAR_SET_MULTI" if name == "transaction snapshot":
            found.sets = (name,)
        case _:
            raise NotUnderstood("this form of SET is not known to this gateway")
    if not walk.commands:
        found.neutral = found.verb
    elif "set_role" in walk.commands:
        found.verb = "set_role"


_CASES: Final[dict[str, Callable[[Body, str, _Found], None]]] = {
    "AlterDefaultPrivilegesStmt": _default_privileges,
    "AlterExtensionContentsStmt": _alter_extension,
    "AlterOpFamilyStmt": _alter_op_family,
    "AlterTableStmt": _alter_table,
    "CopyStmt": _copy,
    "CreateTableAsStmt": _create_as,
    "DeallocateStmt": _deallocate,
    "DeclareCursorStmt": _declare,
    "DiscardStmt": _discard,
    "ExecuteStmt": _execute,
    "ExplainStmt": _explain,
    "FetchStmt": _fetch,
    "GrantRoleStmt": _grant_role,
    "GrantStmt": _grant,
    "LockStmt": _lock,
    "PrepareStmt": _prepare,
    "TransactionStmt": _transaction,
    "VacuumStmt": _vacuum,
    "VariableSetStmt": _set,
    "VariableShowStmt": _show,
}

"""The words for what a PostgreSQL statement does, shared by the reader of SQL and the rules. Knows neither.

The words of COMMANDS are effects, so that a rule for `delete` meets the DELETE inside a CTE as well, and a statement may have
several: `SELECT … INTO` is `select` and `create`. The words of NEUTRAL are statements without an effect of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

UNKNOWN = "unknown"
"""The statement was not understood. No rule can name it and nothing allows it."""

COMMANDS: frozenset[str] = frozenset(
    {
        # data
        "select", "insert", "update", "delete", "merge", "truncate",
        "copy_to",  # with select: rows leave through COPY
        "copy_from",  # with insert: rows come in through COPY
        "copy_file",  # COPY reads or writes a file of the server
        "copy_program",  # COPY runs a program on the server
        # looking
        "show", "explain",
        # definitions
        "create", "alter", "drop", "comment", "security_label", "refresh", "import_foreign_schema",
        "code",  # creates or changes what runs later: functions, triggers, rules, extensions, operators, casts …
        # code now
        "call",  # CALL, or a function that is not known to be free of effects
        "do", "load",
        # who may what
        "grant", "revoke", "role", "set_role",
        # settings
        "set", "alter_system",
        # locks, upkeep, messages, two-phase commit
        "lock", "vacuum", "analyze", "reindex", "cluster", "checkpoint", "listen", "notify",
        "prepare_transaction", "commit_prepared", "rollback_prepared",
        UNKNOWN,
    }
)  # fmt: skip
"""Every word that `SqlFacts.commands` may hold; the vocabulary of rules."""

NEUTRAL: frozenset[str] = frozenset(
    {
        "begin", "commit", "rollback", "savepoint", "release", "set_constraints", "prepare", "execute", "deallocate",
        "declare", "fetch", "move", "close", "unlisten", "discard", "reset", "set", "empty",
    }
)  # fmt: skip
"""Every word that `SqlFacts.neutral` may hold. Whoever may connect may send these."""

GROUPS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "reads": frozenset({"select", "show", "explain", "copy_to"}),
        "writes": frozenset({"insert", "update", "delete", "merge", "copy_from"}),
        "ddl": frozenset({"truncate", "create", "alter", "drop", "comment", "security_label", "refresh", "import_foreign_schema", "code"}),
        "privileges": frozenset({"grant", "revoke", "role", "set_role"}),
        "server": frozenset({"copy_file", "copy_program", "load", "alter_system", "checkpoint"}),
        "upkeep": frozenset({"vacuum", "analyze", "reindex", "cluster"}),
    }
)  # fmt: skip
"""Short names that a rule may write among its commands, each for the commands it stands for."""

OPAQUE: frozenset[str] = frozenset(
    {"call", "code", "do", "load", "copy_program", "copy_file", "commit_prepared", "rollback_prepared"}
)
"""Commands whose text does not say which relations they touch, so that no condition on relations can be proved for them."""

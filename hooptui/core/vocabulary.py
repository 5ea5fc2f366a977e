"""The words for what a PostgreSQL statement does, shared by the reader of SQL and the rules. Knows neither.

One word for each effect, lower case, after the command reference of PostgreSQL (part VI.I of its manual). A statement may have
several: `EXPLAIN ANALYZE DELETE` is `explain` and `delete`, `SELECT … INTO` is `select` and `create`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

UNKNOWN = "unknown"
"""The statement was not understood. No rule can name it and nothing allows it."""

NEUTRAL: frozenset[str] = frozenset(
    {
        "begin", "commit", "rollback", "savepoint", "release", "rollback_to", "set_transaction", "set_constraints",
        "close", "deallocate", "discard_plans", "fetch", "move", "empty",
    }
)  # fmt: skip
"""Statements without an effect of their own: whoever may connect may send them."""

COMMANDS: frozenset[str] = frozenset(
    {
        # look
        "select", "values", "table", "show", "explain", "copy_to", "declare",
        # change rows
        "insert", "update", "delete", "merge", "copy_from", "select_for_update", "nextval",
        # change or destroy what holds them
        "truncate", "create", "alter", "drop", "rename", "comment", "security_label", "import_foreign_schema", "refresh",
        # who may do what
        "grant", "revoke", "alter_default_privileges", "reassign_owned", "drop_owned", "create_role", "alter_role", "drop_role",
        # run code, or reach the server's machine
        "do", "call", "execute", "prepare", "copy_program", "copy_file", "load", "function_call", "create_function",
        "create_extension",
        # settings
        "set", "reset", "set_role", "set_session_authorization", "alter_system",
        # sessions and locks
        "listen", "unlisten", "notify", "lock", "discard",
        # upkeep
        "vacuum", "analyze", "cluster", "reindex", "checkpoint",
        # two-phase commit and replication
        "prepare_transaction", "commit_prepared", "rollback_prepared", "replication",
        UNKNOWN,
    }
)  # fmt: skip
"""Every effect that a rule may name, and `unknown`."""

GROUPS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "reads": frozenset({"select", "values", "table", "show", "explain", "copy_to", "declare"}),
        "writes": frozenset({"insert", "update", "delete", "merge", "copy_from"}),
        "ddl": frozenset(
            {
                "truncate", "create", "alter", "drop", "rename", "comment", "security_label", "import_foreign_schema", "refresh",
                "create_function", "create_extension",
            }
        ),
        "privileges": frozenset(
            {
                "grant", "revoke", "alter_default_privileges", "reassign_owned", "drop_owned", "create_role", "alter_role",
                "drop_role", "set_role", "set_session_authorization",
            }
        ),
        "code": frozenset({"do", "call", "copy_program", "copy_file", "load", "function_call", "create_function", "create_extension"}),
    }
)  # fmt: skip
"""Short names that a rule may write among its commands, each for the commands it stands for."""

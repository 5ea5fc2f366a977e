"""Which settings a session may change without a word of the policy. Knows names and values, no parse tree.

Harmless is what changes only how values are printed, how long the session itself waits, how the planner chooses, or what
makes the session stricter. Not harmless is what changes how a text is read (standard_conforming_strings, an encoding that
is not UTF-8), what names mean (most search paths), who the session is, what it may write, which triggers fire, what is
logged, what survives a crash, and every setting of an extension or an application: row security often hangs on one.
`row_security` is harmless both ways: off makes a query fail that policies would filter, it never shows more rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

HARMLESS: Final = frozenset(
    {
        "application_name", "datestyle", "intervalstyle", "timezone", "extra_float_digits", "bytea_output",
        "xmlbinary", "xmloption", "lc_messages", "lc_monetary", "lc_numeric", "lc_time", "client_min_messages",
        "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout",
        "transaction_timeout", "tcp_keepalives_idle", "tcp_keepalives_interval",
        "tcp_keepalives_count", "tcp_user_timeout", "client_connection_check_interval",
        "transaction_isolation", "transaction_deferrable", "default_transaction_isolation",
        "default_transaction_deferrable", "default_text_search_config", "row_security", "check_function_bodies",
        "synchronize_seqscans", "quote_all_identifiers", "escape_string_warning", "restrict_nonsystem_relation_kind",
        "plan_cache_mode", "jit", "geqo", "from_collapse_limit", "join_collapse_limit", "cursor_tuple_fraction",
        "constraint_exclusion", "random_page_cost", "seq_page_cost", "cpu_tuple_cost", "cpu_index_tuple_cost",
        "cpu_operator_cost", "effective_cache_size", "parallel_setup_cost", "parallel_tuple_cost",
        "transaction snapshot",
    }
)  # fmt: skip

ROLES: Final = frozenset({"role", "session_authorization"})
"""Settings that change who the session is."""

ANY_SETTING: Final = frozenset({"set", "set_role"})
"""The commands of setting something that the text does not name."""

_ON: Final = frozenset({"on", "true", "yes", "1", "t", "y", "tr", "tru", "ye"})
_SCHEMAS: Final = frozenset({"", "public", "pg_catalog", "pg_temp", "information_schema", "$user"})


def _on(values: tuple[str, ...]) -> bool:
    return len(values) == 1 and values[0].lower() in _ON


def _utf8(values: tuple[str, ...]) -> bool:
    return len(values) == 1 and values[0].lower().replace("-", "").replace("_", "") in {"utf8", "unicode"}


def _path(values: tuple[str, ...]) -> bool:
    """Only the usual schemas, and nothing before the system's own: else `lower(x)` may be somebody's function."""
    names = [part.strip().strip('"') for value in values for part in value.split(",")]
    usual = all(name in _SCHEMAS for name in names)
    return (
        usual
        and ("pg_catalog" not in names or names[0] == "pg_catalog")
        and ("pg_temp" not in names or names[-1] == "pg_temp")
    )


BY_VALUE: Final[dict[str, Callable[[tuple[str, ...]], bool]]] = {
    "standard_conforming_strings": _on,
    "default_transaction_read_only": _on,
    "transaction_read_only": _on,
    "client_encoding": _utf8,
    "search_path": _path,
}


def effect(name: str, values: tuple[str, ...] | None) -> str:
    """The command of setting `name` to these values: empty when harmless, else `set` or `set_role`.

    Args:
        name: as PostgreSQL compares it, lower case.
        values: None when they are not constants of the text, and for what the text does not show.
    """
    if name in ROLES:
        return "set_role"
    if name in HARMLESS or name.startswith("enable_"):
        return ""
    check = BY_VALUE.get(name)
    if check is not None and values is not None and check(values):
        return ""
    return "set"


def reset_effect(name: str) -> str:
    """The command of going back to what the session began with."""
    return "set_role" if name in ROLES else ""

"""The list of functions that are free of effects."""

from __future__ import annotations

import re

import pytest

from hooptui.protocols.postgres.functions import FIELDS, FREE, SCHEMA_FREE, SECTIONS, is_free

EFFECTS = frozenset[str]().union(*(names for title, names in SECTIONS.items() if title.startswith("effects")))


def test_no_function_is_on_both_lists() -> None:
    assert not FREE & EFFECTS
    assert not SCHEMA_FREE & EFFECTS
    assert len(FREE) > 1500
    assert len(EFFECTS) > 150


@pytest.mark.parametrize(
    "pattern",
    [
        r"pg_read_|pg_ls_|pg_stat_file|pg_file_|lo_|loread|lowrite|dblink|pg_sleep|pg_terminate|pg_cancel|pg_reload|pg_rotate|pg_switch|pg_promote",
        r"pg_logical_|pg_replication_|pg_create_|pg_drop_|pg_copy_|pg_notify|pg_backup_(?!start_time)|pg_start_backup|pg_stat_reset|pg_export_snapshot|binary_upgrade",
        r"set_config|nextval|setval|txid_current$|pg_current_xact_id$|ts_stat|ts_rewrite|currtid|pg_advisory_(?!unlock_all)|pg_try_advisory",
        r".*_to_xml|.*_to_xmlschema|.*_to_xml_and_xmlschema|pg_log_|pg_wal_replay_(?!pause_state)|brin_.*summarize|gin_clean|pg_import|.*_validator$",
    ],
)
def test_no_function_with_an_effect_is_free(pattern: str) -> None:
    allowed = {"postgresql_fdw_validator"}  # looks only at the options it is given
    assert {name for name in FREE if re.match(pattern, name)} <= allowed


@pytest.mark.parametrize(
    ("names", "free"),
    [
        (("lower",), True),
        (("pg_catalog", "lower"), True),
        (("public", "lower"), False),
        (("information_schema", "_pg_expandarray"), True),
        (("_pg_expandarray",), False),
        (("information_schema", "lower"), False),
        (("db", "pg_catalog", "lower"), False),
        (("LOWER",), False),
        (("pg_sleep",), False),
        (("pg_catalog", "pg_sleep"), False),
        ((), False),
        (("regclass",), True),
        (("pg_advisory_unlock_all",), True),
        (("pg_advisory_unlock",), False),
    ],
)
def test_names(names: tuple[str, ...], free: bool) -> None:
    assert is_free(names) is free


def test_no_output_column_has_the_name_of_a_function_with_effects() -> None:
    assert not FIELDS & EFFECTS

"""The store: what is kept is what was given, over restarts and kills, and no damaged or foreign file is ever taken for a good one."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hooptui.core.model import Grant, Identity, Kind, Lease, Scope, ScramKeys
from hooptui.errors import UserError
from hooptui.store import Block, Store, StoreTrouble

KEYS = ScramKeys(b"s" * 16, 4096, b"k" * 32, b"v" * 32)
WHO = Identity("https://idp", "u-1", "ops-1", frozenset({"dba", "sre"}), 2_000.0, Kind.AGENT, "https://idp#u-2")
LEASE = Lease("hl_aaaaaaaaaaaa", WHO, 1_000.0, 2_000.0, "device")
GRANT = Grant(Scope.RULE, "https://idp#u-1", "orders-db", "jit", "", 5_000.0, 17, frozenset({"jit", "jit-write"}))
BLOCK = Block("https://idp#u-9", "ops-1", "left the company", 1_000.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hooptui.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    one = Store(path)
    yield one
    one.close()


def reopened(store: Store, path: Path) -> Store:
    store.close()
    return Store(path)


def test_what_is_kept_comes_back_after_a_restart(store: Store, path: Path) -> None:
    person = replace(
        LEASE, id="hl_bbbbbbbbbbbb", identity=replace(WHO, kind=Kind.HUMAN, owner=None, groups=frozenset())
    )
    store.leases.save((LEASE, KEYS))
    store.leases.save((person, KEYS))
    store.grants.save(GRANT)
    store.blocks.save(BLOCK)
    key = store.key
    store = reopened(store, path)
    assert store.leases.all() == ((LEASE, KEYS), (person, KEYS))
    assert store.leases.load(LEASE.id) == (LEASE, KEYS)
    assert store.leases.load("hl_cccccccccccc") is None
    assert store.grants.all() == (GRANT,)
    assert store.grants.load(17) == GRANT
    assert store.blocks.all() == (BLOCK,)
    assert store.key == key and len(key) == 32
    assert store.leases.delete(LEASE.id) and not store.leases.delete(LEASE.id)
    assert store.grants.delete(17) and store.blocks.delete(BLOCK.identity)
    store = reopened(store, path)
    assert (store.leases.all(), store.grants.all(), store.blocks.all()) == (((person, KEYS),), (), ())
    store.close()


def test_saving_again_replaces(store: Store) -> None:
    store.blocks.save(BLOCK)
    store.blocks.save(replace(BLOCK, reason="other"))
    assert store.blocks.all() == (replace(BLOCK, reason="other"),)


def test_every_store_has_a_key_of_its_own(store: Store, tmp_path: Path) -> None:
    other = Store(tmp_path / "other.db")
    assert other.key != store.key
    other.close()


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
times = st.floats(0, 1e11)


@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.builds(
        Identity, issuer=text, subject=text, name=text, groups=st.frozensets(text), kind=st.sampled_from(Kind),
        owner=st.none() | text,
    ),
    text, times, st.floats(1, 1e6), text,
)  # fmt: skip
def test_any_identity_survives(store: Store, who: Identity, id_: str, at: float, lasts: float, how: str) -> None:
    lease = Lease(id_, replace(who, expires_at=at + lasts), at, at + lasts, how)
    store.leases.save((lease, KEYS))
    assert store.leases.load(id_) == (lease, KEYS)
    store.leases.delete(id_)


@pytest.mark.parametrize(
    ("lease", "words"),
    [
        (replace(LEASE, how="x" * 5_000), "how: found 5000 characters"),
        (replace(LEASE, identity=replace(WHO, name="\ud800")), "name: found half a surrogate pair"),
        (replace(LEASE, expires_at=float("inf")), "expires_at: found inf"),
        (replace(LEASE, issued_at=float("nan")), "issued_at: found nan"),
        (replace(LEASE, identity=replace(WHO, groups=frozenset(map(str, range(5_000))))), "found 5000 names"),
        (replace(LEASE, identity=replace(WHO, groups=frozenset({"g" * 70_000}))), "groups: found 70004 characters"),
    ],
)
def test_what_could_not_be_read_again_is_not_written(store: Store, lease: Lease, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        store.leases.save((lease, KEYS))
    assert store.leases.all() == ()


def test_only_access_outlives_the_process(store: Store) -> None:
    with pytest.raises(ValueError, match="only grants of access are kept"):
        store.grants.save(replace(GRANT, access=frozenset()))


def test_something_is_new_once(store: Store, path: Path) -> None:
    assert store.seen("saml", "_a", 1_000.0)
    assert not store.seen("saml", "_a", 1_000.0)
    assert store.seen("other", "_a", 1_000.0)
    store = reopened(store, path)
    assert not store.seen("saml", "_a", 1_000.0)
    store.close()


def test_what_is_over_is_forgotten_and_a_clock_set_back_replays_nothing(store: Store) -> None:
    store.leases.save((LEASE, KEYS))
    store.grants.save(GRANT)
    store.blocks.save(BLOCK)
    store.seen("saml", "_a", 2_000.0)
    store.purge(4_999.0)
    assert (store.leases.all(), store.grants.all()) == (((LEASE, KEYS),), (GRANT,))
    store.purge(5_600.0)
    assert (store.leases.all(), store.grants.all()) == ((), ())
    assert not store.seen("saml", "_a", 2_000.0)
    store.purge(2_000.0 + 86_400.0)
    assert store.seen("saml", "_a", 2_000.0)
    store.purge(1e12)
    assert store.blocks.all() == (BLOCK,), "a block has no end of its own"


def test_it_is_bounded(path: Path) -> None:
    store = Store(path, most_leases=2, most_seen=2)
    for letter in "ab":
        store.leases.save((replace(LEASE, id=f"hl_{letter * 12}"), KEYS))
        assert store.seen("saml", letter, 1.0)
    with pytest.raises(StoreTrouble, match="2 leases are kept already"):
        store.leases.save((replace(LEASE, id="hl_cccccccccccc"), KEYS))
    with pytest.raises(StoreTrouble, match="2 used logins are remembered already"):
        store.seen("saml", "c", 1.0)
    assert [lease.id for lease, _ in store.leases.all()] == ["hl_aaaaaaaaaaaa", "hl_bbbbbbbbbbbb"]
    assert not store.seen("saml", "a", 1.0)
    store.leases.save((LEASE, KEYS))  # replacing is no growth
    store.close()


def test_a_full_file_says_so_and_changes_nothing(store: Store) -> None:
    sql = store._file._sql
    assert sql is not None
    [pages] = sql.execute("PRAGMA page_count").fetchone()
    sql.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StoreTrouble, match="no room left"):
        for number in range(1, 100):
            store.blocks.save(Block(f"https://idp#u-{number}", "ops-1", "x" * 1_000, 1.0))
    kept = store.blocks.all()
    assert kept and not sql.in_transaction
    assert store.blocks.delete(kept[0].identity), "taking away works on a full file"


# --- the file ------------------------------------------------------------------------------------


def test_only_the_owner_may_read_any_of_its_files(path: Path) -> None:
    before = os.umask(0)
    try:
        store = Store(path)
        store.blocks.save(BLOCK)
        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
        store.close()
    finally:
        os.umask(before)
    assert modes["hooptui.db"] == 0o600
    assert len(modes) > 1, "the write-ahead log is there"
    assert set(modes.values()) == {0o600}


def test_deleted_keys_are_gone_from_the_file(store: Store, path: Path) -> None:
    keys = ScramKeys(os.urandom(16), 4096, os.urandom(32), os.urandom(32))
    store.leases.save((LEASE, keys))
    store.leases.delete(LEASE.id)
    store.close()
    for file in path.parent.iterdir():
        assert keys.stored_key not in file.read_bytes()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_may_use_is_refused(store: Store, path: Path, mode: int) -> None:
    store.close()
    path.chmod(mode)
    with pytest.raises(StoreTrouble, match=rf"others may use it \(mode {mode:03o}\); chmod 600"):
        Store(path)


def test_a_link_a_directory_and_a_missing_directory_are_refused(store: Store, path: Path, tmp_path: Path) -> None:
    store.close()
    link = tmp_path / "link.db"
    link.symlink_to(path)
    with pytest.raises(StoreTrouble, match="expected a plain file"):
        Store(link)
    with pytest.raises(StoreTrouble, match="expected a plain file"):
        Store(tmp_path)
    with pytest.raises(StoreTrouble, match="No such file or directory"):
        Store(tmp_path / "missing" / "hooptui.db")


def test_a_file_of_somebody_else_is_refused(store: Store, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.close()
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(StoreTrouble, match="belongs to user"):
        Store(path)


def test_one_gateway_has_it(store: Store, path: Path) -> None:
    with pytest.raises(StoreTrouble, match="another process uses this store"):
        Store(path)
    store.close()
    store.close()
    with pytest.raises(StoreTrouble, match="the store is closed"):
        store.leases.all()
    Store(path).close()


def test_its_trouble_ends_a_command_in_a_sentence() -> None:
    assert issubclass(StoreTrouble, UserError)


def test_an_empty_file_is_a_new_store(path: Path) -> None:
    path.touch(mode=0o600)
    store = Store(path)
    assert store.leases.all() == ()
    store.close()


def rewrite(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as sql:
        for statement in statements:
            sql.execute(statement)
    sql.close()


def test_a_foreign_database_is_left_alone(path: Path) -> None:
    rewrite(path, "CREATE TABLE theirs (a)", "INSERT INTO theirs VALUES (1)")
    path.chmod(0o600)
    before = path.read_bytes()
    with pytest.raises(StoreTrouble, match="a database of another program"):
        Store(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("PRAGMA user_version = 2", r"newer hooptui \(version 2 of the store; this one knows 1\)"),
        ("PRAGMA user_version = 0", "found version 0 of the store, expected 1"),
        ("PRAGMA application_id = 7", "another program"),
        ("DROP TABLE grants", "not as hooptui made it: 'grants'"),
        ("CREATE TABLE more (a)", "not as hooptui made it: 'more'"),
        ("CREATE TRIGGER t AFTER INSERT ON blocks BEGIN DELETE FROM blocks; END", "not as hooptui made it: 't'"),
        ("ALTER TABLE leases ADD COLUMN secret TEXT", "not as hooptui made it: 'leases'"),
        ("UPDATE leases SET kind = 'god'", "a row of leases is damaged: kind"),
        ("UPDATE leases SET groups = '{\"dba\": 1}'", "a row of leases is damaged: groups"),
        ("UPDATE leases SET groups = '[[1]]'", "a row of leases is damaged: groups"),
        ('UPDATE leases SET groups = \'["a","a"]\'', "a row of leases is damaged: groups"),
        ("UPDATE leases SET groups = 'no'", "a row of leases is damaged: groups"),
        ("UPDATE leases SET groups = NULL", "a row of leases is damaged: groups"),
        ("UPDATE leases SET stored_key = x'00'", "a row of leases is damaged: stored_key"),
        ("UPDATE leases SET salt = 'text'", "a row of leases is damaged: salt"),
        ("UPDATE leases SET iterations = 1", "a row of leases is damaged: iterations"),
        ("UPDATE leases SET iterations = 'x'", "a row of leases is damaged: iterations"),
        ("UPDATE leases SET expires_at = 'soon'", "a row of leases is damaged: expires_at"),
        ("UPDATE leases SET expires_at = 9e999", "a row of leases is damaged: expires_at"),
        ("UPDATE leases SET expires_at = issued_at", "a row of leases is damaged: expires_at"),
        ("UPDATE leases SET owner = x'00'", "a row of leases is damaged: owner"),
        ("UPDATE leases SET issuer = NULL", "a row of leases is damaged: issuer"),
        ("UPDATE leases SET name = CAST(x'ff' AS TEXT)", "no UTF-8"),
        ("UPDATE grants SET access = '[]'", "a row of grants is damaged: access"),
        ("UPDATE grants SET approval = -1", "a row of grants is damaged: approval"),
        ("UPDATE blocks SET reason = NULL", "a row of blocks is damaged: reason"),
        ("UPDATE notes SET value = x'00'", "notes: key: expected 32 bytes"),
    ],
)
def test_a_file_that_is_not_as_it_was_written_is_refused(store: Store, path: Path, statement: str, words: str) -> None:
    store.leases.save((LEASE, KEYS))
    store.grants.save(GRANT)
    store.blocks.save(BLOCK)
    store.close()
    rewrite(path, statement)
    with pytest.raises(StoreTrouble, match=words):
        Store(path)


def filled(path: Path) -> bytes:
    store = Store(path)
    for number in range(60):
        store.blocks.save(replace(BLOCK, identity=f"https://idp#u-{number:03}", reason="because " * 50))
    store.close()
    return path.read_bytes()


@pytest.mark.parametrize("keep", [1, 15, 50, 99, 100, 4_095, 4_096, 4_097, 8_192, 20_000])
def test_a_torn_file_is_refused(path: Path, keep: int) -> None:
    whole = filled(path)
    assert len(whole) > 20_000
    path.write_bytes(whole[:keep])
    with pytest.raises(StoreTrouble, match=str(path)):
        Store(path)


def test_a_damaged_page_is_found_though_nobody_reads_it_at_the_start(store: Store, path: Path) -> None:
    for number in range(300):
        store.seen("saml", f"_{number:040}", 1.0)
    store.close()
    sql = sqlite3.connect(path)
    [root] = sql.execute("SELECT rootpage FROM sqlite_master WHERE name = 'seen'").fetchone()
    sql.close()
    whole = bytearray(path.read_bytes())
    whole[(root - 1) * 4_096 + 3 : (root - 1) * 4_096 + 7] = b"\xff" * 4
    path.write_bytes(bytes(whole))
    with pytest.raises(StoreTrouble, match="damaged"):
        Store(path)


def test_what_a_call_has_kept_is_on_the_disk_and_the_file_has_an_upper_bound(store: Store) -> None:
    sql = store._file._sql
    assert sql is not None
    found = {
        name: sql.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode", "max_page_count")
    }
    assert found == {"synchronous": 2, "journal_mode": "wal", "max_page_count": 16_384}


@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_is_refused_or_harmless_and_never_a_traceback(tmp_path: Path, data: st.DataObject) -> None:
    """SQLite has no checksums: a changed letter of a reason stays unseen, a changed structure does not."""
    path = tmp_path / "hooptui.db"
    path.unlink(missing_ok=True)
    whole = bytearray(filled(path))
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(whole))
    try:
        store = Store(path)
    except StoreTrouble as trouble:
        assert str(path) in str(trouble)
    else:
        assert len(store.blocks.all()) <= 60
        store.close()


@settings(max_examples=40, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=1, max_size=6_000))
def test_any_other_file_is_refused_and_left_alone(tmp_path: Path, junk: bytes) -> None:
    path = tmp_path / "hooptui.db"
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(junk)
    with pytest.raises(StoreTrouble, match=str(path)):
        Store(path)
    assert path.read_bytes() == junk


def test_what_was_said_to_be_kept_survives_kill_9(path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from tests.store.test_sqlite import *\n"
        f"store = Store(Path({str(path)!r}))\n"
        "store.leases.save((LEASE, KEYS)); store.grants.save(GRANT); store.leases.save((replace(LEASE, id='hl_x'), KEYS))\n"
        "store.leases.delete('hl_x'); store.blocks.save(BLOCK); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    store = Store(path)
    assert (store.leases.all(), store.grants.all(), store.blocks.all()) == (((LEASE, KEYS),), (GRANT,), (BLOCK,))
    store.close()

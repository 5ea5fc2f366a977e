"""The store in one SQLite file: synchronous, small, exclusive to one gateway, readable by its owner alone.

Every write is one transaction that is on stable storage when the call returns. What cannot be read whole is refused at
the start, in words, and never half-loaded: a store that lost a block or a revocation must not be taken for a good one.
Knows no clock and no loop; lives on the thread that made it.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Generic, TypeVar

from hooptui.core.model import Grant, Lease, ScramKeys
from hooptui.store import rows
from hooptui.store.rows import BadRow, Block, Cell
from hooptui.store.trouble import StoreTrouble

APPLICATION: Final = 0x686F6F70
"""`hoop` in the file's header (SQLite `application_id`), which tells our files from other programs'."""
SCHEMA: Final = 1
"""Version of the tables (SQLite `user_version`)."""
OLDEST_SQLITE: Final = (3, 26, 0)
PAGE: Final = 4096
MOST_PAGES: Final = 16_384
"""64 MiB, whatever happens."""
SMALLEST: Final = 512
"""Bytes of the smallest SQLite database that is not empty: one page."""
SEEN_KEPT: Final = 86_400.0
"""Seconds for which something seen is remembered past its own end, so that a clock set back cannot replay it."""
LEASE_KEPT: Final = 3_600.0

_SEEN_COLUMNS = ("kind TEXT", "id TEXT", "until REAL", "PRIMARY KEY (kind, id)")
_NOTE_COLUMNS = ("name TEXT PRIMARY KEY", "value BLOB")
TABLES: Final = {
    "leases": rows.LEASE_COLUMNS,
    "grants": rows.GRANT_COLUMNS,
    "blocks": rows.BLOCK_COLUMNS,
    "seen": _SEEN_COLUMNS,
    "notes": _NOTE_COLUMNS,
}

K = TypeVar("K", str, int)
R = TypeVar("R")


class Table(Generic[K, R]):
    """The rows of one noun, by their key."""

    def __init__(
        self,
        file: _File,
        name: str,
        columns: Sequence[str],
        encode: Callable[[R], tuple[Cell, ...]],
        decode: Callable[[Sequence[Cell]], R],
        *,
        limit: int,
    ) -> None:
        self._file = file
        self._name = name
        self._columns = columns
        self._encode = encode
        self._decode = decode
        self._limit = limit
        names = [column.split(" ", 1)[0] for column in columns]
        self._key = names[0]
        marks = ", ".join("?" * len(names))
        self._insert = f"INSERT OR REPLACE INTO {name} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608 - our own names
        self._select = f"SELECT {', '.join(names)} FROM {name} ORDER BY {self._key}"  # noqa: S608 - our own names

    def save(self, row: R) -> None:
        """Keep a row, in place of the one with the same key.

        Raises:
            StoreTrouble: it cannot be written, or as many are kept as the store takes; nothing has changed.
            ValueError: the row holds what could not be read again.
        """
        cells = self._encode(row)
        rows.check(cells, self._columns)
        with self._file.change() as sql:
            sql.execute(self._insert, cells)
            [count] = sql.execute(f"SELECT count(*) FROM {self._name}").fetchone()  # noqa: S608 - our own name
            if count > self._limit:
                raise StoreTrouble(
                    f"{self._file.path}: {self._limit} {self._name} are kept already, which is the limit"
                )

    def load(self, key: K) -> R | None:
        """Raises StoreTrouble."""
        wanted = self._select.replace(" ORDER BY ", " WHERE ") + " = ?"
        with self._file.reading(self._name) as sql:
            cells = sql.execute(wanted, (key,)).fetchone()
            return None if cells is None else self._decode(cells)

    def delete(self, key: K) -> bool:
        """Whether it was there. Raises StoreTrouble: it may still be there."""
        with self._file.change() as sql:
            return sql.execute(f"DELETE FROM {self._name} WHERE {self._key} = ?", (key,)).rowcount > 0  # noqa: S608 - our own names

    def all(self) -> tuple[R, ...]:
        """Every row, by key. Raises StoreTrouble: one of them is not as it was written."""
        with self._file.reading(self._name) as sql:
            return tuple(self._decode(cells) for cells in sql.execute(self._select))


class Store:
    """See the module."""

    leases: Table[str, tuple[Lease, ScramKeys]]
    grants: Table[int, Grant]
    """Just-in-time access only, by number of the approval."""
    blocks: Table[str, Block]

    def __init__(self, path: Path, *, most_leases: int = 20_000, most_seen: int = 100_000) -> None:
        """Open or make the file; its directory must exist.

        Raises:
            StoreTrouble: another process has it, others may read it, or it is no hooptui store, torn or from a newer hooptui.
        """
        self._file = _File(path)
        self._most_seen = most_seen
        self.leases = Table(self._file, "leases", rows.LEASE_COLUMNS, rows.from_lease, rows.to_lease, limit=most_leases)
        self.grants = Table(self._file, "grants", rows.GRANT_COLUMNS, rows.from_grant, rows.to_grant, limit=10_000)
        self.blocks = Table(self._file, "blocks", rows.BLOCK_COLUMNS, rows.from_block, rows.to_block, limit=10_000)
        try:
            for table in (self.leases, self.grants, self.blocks):
                table.all()
            self.key = self._own_key()
            """32 random bytes, the same for the life of the file: for what must look the same after a restart."""
        except BaseException:
            self._file.close()
            raise

    def seen(self, kind: str, id_: str, until: float) -> bool:
        """Whether this is new; from now on it is not, at least until `until` (Unix seconds).

        Raises:
            StoreTrouble: it cannot be remembered, and must count as a replay.
        """
        with self._file.change() as sql:
            cells: tuple[Cell, ...] = (kind, id_, until)
            rows.check(cells, _SEEN_COLUMNS[:3])
            new = sql.execute("INSERT OR IGNORE INTO seen (kind, id, until) VALUES (?, ?, ?)", cells).rowcount > 0
            [count] = sql.execute("SELECT count(*) FROM seen").fetchone()
            if count > self._most_seen:
                raise StoreTrouble(
                    f"{self._file.path}: {self._most_seen} used logins are remembered already, the limit"
                )
            return new

    def purge(self, now: float) -> None:
        """Forget what is over at `now` (Unix seconds). Raises StoreTrouble: nothing was forgotten."""
        with self._file.change() as sql:
            sql.execute("DELETE FROM leases WHERE expires_at <= ?", (now - LEASE_KEPT,))
            sql.execute("DELETE FROM grants WHERE until <= ?", (now,))
            sql.execute("DELETE FROM seen WHERE until <= ?", (now - SEEN_KEPT,))

    def close(self) -> None:
        """Idempotent. Nothing is lost without it."""
        self._file.close()

    def _own_key(self) -> bytes:
        with self._file.change() as sql:
            sql.execute("INSERT OR IGNORE INTO notes (name, value) VALUES ('key', ?)", (secrets.token_bytes(32),))
            [key] = sql.execute("SELECT value FROM notes WHERE name = 'key'").fetchone()
        if not isinstance(key, bytes) or len(key) != 32:
            raise StoreTrouble(f"{self._file.path}: notes: key: expected 32 bytes; {_MEND}")
        return key


_MEND = (
    "move the file away, and hooptui starts with an empty store: everybody logs in again, and blocks must be set again"
)


class _File:
    """The connection, and what may go wrong with it put in words."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            found, oldest = sqlite3.sqlite_version, ".".join(map(str, OLDEST_SQLITE))
            raise StoreTrouble(f"this Python has SQLite {found}; the store needs {oldest} or newer")
        _own(path)
        with self._words():
            self._sql: sqlite3.Connection | None = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=0.0, cached_statements=64
            )
        self._sql.text_factory = bytes.decode
        try:
            with self._words():
                self._open(self._sql)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._sql is not None:
            self._sql.close()
            self._sql = None

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """One transaction; undone by any exception. Raises StoreTrouble."""
        with self._words():
            sql = self._connection()
            sql.execute("BEGIN IMMEDIATE")
            try:
                yield sql
                sql.execute("COMMIT")
            except BaseException:
                if sql.in_transaction:
                    sql.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self, table: str) -> Iterator[sqlite3.Connection]:
        """Raises StoreTrouble, also for a row that was not written by hooptui."""
        with self._words():
            try:
                yield self._connection()
            except BadRow as bad:
                raise StoreTrouble(f"{self.path}: a row of {table} is damaged: {bad}; {_MEND}") from None

    def _connection(self) -> sqlite3.Connection:
        if self._sql is None:
            raise StoreTrouble(f"{self.path}: the store is closed")
        return self._sql

    @contextmanager
    def _words(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as fault:
            raise StoreTrouble(f"{self.path}: {_said(fault)}") from None
        except UnicodeDecodeError:
            raise StoreTrouble(f"{self.path}: found text that is no UTF-8; {_MEND}") from None

    def _open(self, sql: sqlite3.Connection) -> None:
        sql.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1 << 20)
        sql.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        # The schema of a foreign file could call functions; nothing of it runs before it is known to be ours.
        sql.execute("PRAGMA trusted_schema = OFF")
        sql.execute("PRAGMA cell_size_check = ON")
        sql.execute("PRAGMA locking_mode = EXCLUSIVE")
        [application], [version] = (
            sql.execute(f"PRAGMA {what}").fetchone() for what in ("application_id", "user_version")
        )
        [entries] = sql.execute("SELECT count(*) FROM sqlite_master").fetchone()
        fresh = application == 0 and version == 0 and entries == 0
        if not fresh and application != APPLICATION:
            raise StoreTrouble(f"{self.path}: this is a database of another program; name another file for the store")
        if version > SCHEMA:
            raise StoreTrouble(
                f"{self.path}: written by a newer hooptui (version {version} of the store; this one knows {SCHEMA}); start that one"
            )
        if not fresh and version != SCHEMA:
            raise StoreTrouble(f"{self.path}: found version {version} of the store, expected {SCHEMA}; {_MEND}")
        sql.execute(f"PRAGMA page_size = {PAGE}")
        sql.execute("PRAGMA journal_mode = WAL")
        # FULL: what was taken away (a lease, an identity's access) must not come back after a power cut.
        sql.execute("PRAGMA synchronous = FULL")
        sql.execute("PRAGMA secure_delete = ON")
        sql.execute("PRAGMA temp_store = MEMORY")
        sql.execute(f"PRAGMA max_page_count = {MOST_PAGES}")
        sql.execute("BEGIN EXCLUSIVE")
        if fresh:
            for name, columns in TABLES.items():
                sql.execute(_create(name, columns))
            sql.execute(f"PRAGMA application_id = {APPLICATION}")
            sql.execute(f"PRAGMA user_version = {SCHEMA}")
        sql.execute("COMMIT")
        self._check(sql)

    def _check(self, sql: sqlite3.Connection) -> None:
        """Raises StoreTrouble: pages are damaged, or the tables are not exactly ours."""
        found = dict(sql.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
        wanted = {name: _create(name, columns) for name, columns in TABLES.items()}
        if found != wanted:
            odd = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
            raise StoreTrouble(f"{self.path}: not as hooptui made it: {', '.join(map(ascii, odd[:5]))}; {_MEND}")
        [health] = sql.execute("PRAGMA integrity_check(1)").fetchone()
        if health != "ok":
            raise StoreTrouble(f"{self.path}: damaged ({str(health)[:200]!a}); {_MEND}")


def _create(name: str, columns: Sequence[str]) -> str:
    return f"CREATE TABLE {name} ({', '.join(columns)})"


def _own(path: Path) -> None:
    """Make the file if it is missing, 0600, and refuse one that is not ours alone. Raises StoreTrouble."""
    try:
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        found = path.lstat()
    except OSError as fault:
        raise StoreTrouble(f"{path}: the store cannot be opened: {fault.strerror}") from None
    if not stat.S_ISREG(found.st_mode):
        raise StoreTrouble(f"{path}: expected a plain file for the store, not a link, directory or device")
    if found.st_uid != os.geteuid():
        raise StoreTrouble(f"{path}: belongs to user {found.st_uid}, and hooptui runs as {os.geteuid()}; chown it")
    if found.st_mode & 0o077:
        raise StoreTrouble(f"{path}: others may use it (mode {found.st_mode & 0o777:03o}); chmod 600 {path}")
    if 0 < found.st_size < SMALLEST:
        # SQLite would take such a stump for an empty database.
        raise StoreTrouble(f"{path}: only {found.st_size} bytes are left of it; {_MEND}")


def _said(fault: sqlite3.Error) -> str:
    """SQLite's complaint as something to act on."""
    match getattr(fault, "sqlite_errorname", "").split("_")[1:2]:
        case ["BUSY" | "LOCKED"]:
            return "another process uses this store; stop it, or use another state directory"
        case ["NOTADB"]:
            return f"this is no store but something else, or its beginning is damaged; {_MEND}"
        case ["CORRUPT"]:
            return f"the store is damaged ({fault}); {_MEND}"
        case ["FULL"]:
            return f"no room left: the disk is full, or the store has reached {MOST_PAGES * PAGE // 2**20} MiB"
        case ["READONLY" | "PERM" | "CANTOPEN" | "AUTH"]:
            return f"the store cannot be written ({fault}); hooptui needs to write the file and its directory"
        case ["IOERR"]:
            return f"the disk failed ({fault}); nothing that needs the store can go on until it works"
        case _:
            return f"the store failed ({fault})"

"""A PostgreSQL role for each session: made when it opens, gone when it ends, and its absence looked at.

The gateway logs in as a role with CREATEROLE that may grant the configured role (ADMIN OPTION on it from PostgreSQL 16 on), never
as a superuser; and it must INHERIT, as roles do unless told otherwise. Works with PostgreSQL 14 to 18. Sources: PostgreSQL documentation, "CREATE ROLE", "Role Membership", "Dropping
Roles", "pg_shdepend". Knows no session but its name, and no wire.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from hooptui.core.clock import Clock, SystemClock
from hooptui.core.secret import Secret
from hooptui.credentials.mint import Minted, MintTrouble, Removed

Connection: TypeAlias = psycopg.AsyncConnection[TupleRow]

KIND = "role"

AT_ONCE = 4
"""Connections that one mint has open at a time."""

CALL_TIMEOUT = 20.0
"""Seconds for one call, waiting for its turn excluded."""

GONE = 5.0
"""Seconds in which terminated connections must be gone."""

SWEEP_TIMEOUT = 120.0

ATTEMPTS = 3
"""How often a removal is begun anew because somebody else works on the same role."""

SWEPT = 1000
"""Orphans looked at in one sweep."""

_TAG = re.compile(r"[a-z0-9]{4,16}")
_SESSION = re.compile(r"[a-z0-9]{1,32}")

_SETTINGS = """
SELECT pg_catalog.set_config('search_path', '', false), pg_catalog.set_config('statement_timeout', '5000', false),
       pg_catalog.set_config('lock_timeout', '2000', false), pg_catalog.set_config('idle_in_transaction_session_timeout', '10000', false)
"""

_ROLE = """
SELECT r.oid, EXISTS (SELECT FROM pg_catalog.pg_roles s
                       WHERE (s.rolsuper OR s.rolcreaterole) AND pg_catalog.pg_has_role(r.oid, s.oid, 'MEMBER'))
  FROM pg_catalog.pg_roles r WHERE r.rolname = %s
"""

_DEFAULTS = """
SELECT d.datname, pg_catalog.unnest(s.setconfig)
  FROM pg_catalog.pg_db_role_setting s LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
 WHERE s.setrole = %s AND (s.setdatabase = 0 OR d.datname = pg_catalog.current_database())
"""

_LISTS = frozenset({"search_path", "temp_tablespaces", "session_preload_libraries", "local_preload_libraries"})
"""Settings that are lists of names, as pg_dump has them: their value is no single string."""

_ENDING = (
    "SELECT pg_catalog.count(pg_catalog.pg_terminate_backend(pid)) FROM pg_catalog.pg_stat_activity WHERE usesysid = %s"
)

_OWNED = """
SELECT d.datname, pg_catalog.count(*) FILTER (WHERE s.deptype = 'o')
  FROM pg_catalog.pg_shdepend s
  JOIN pg_catalog.pg_database d ON d.oid = s.dbid OR (s.dbid = 0 AND d.datname = pg_catalog.current_database())
 WHERE s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND s.refobjid = %s
 GROUP BY 1 ORDER BY 1
"""

_PARENTS = """
SELECT r.rolname FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles r ON r.oid = m.roleid WHERE m.member = %s
 ORDER BY r.rolname <> %s, 1
"""


@dataclass(frozen=True, slots=True)
class AdminLogin:
    """How the mint logs in; the same words as a target's own login."""

    host: str
    port: int
    database: str
    user: str
    password: Secret | None = None
    sslmode: str = "verify-full"
    ca_file: Path | None = None
    connect_timeout: float = 10.0
    """Seconds."""

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class RoleMint:
    """The settings of `PostgresRoles`."""

    login: AdminLogin
    role: str
    """What a session's role is a member of, and with `assume` acts as. Neither superuser nor with CREATEROLE, not by membership either."""
    tag: str
    """Which gateway this is, 4 to 16 of a-z and 0-9: part of every role's name, so that two on one cluster leave each other's alone."""
    assume: bool = True
    """Sessions begin as `role` itself, so that what they create is the role's and stays when theirs goes."""
    copy_settings: bool = True
    """Sessions get what `ALTER ROLE … SET` has laid down for `role`, which membership alone does not give."""
    connection_limit: int = 1
    """Connections with one session's role; cancel requests count for none."""
    longest: float = 43_200.0
    """Seconds that the server accepts the password of a session that nothing else limits."""
    watchers: tuple[str, ...] = field(default=())
    """Other logins of the gateway on this target: they see and stop the sessions' backends."""

    def __post_init__(self) -> None:
        if not 0 < len(self.role.encode()) < 64:
            raise ValueError(f"role: found {self.role!a}, expected the name of a role, at most 63 bytes")
        if self.role == self.login.user:
            raise ValueError(f"role: found {self.role!a}, the mint's own login; expected a role without its powers")
        if not _TAG.fullmatch(self.tag):
            raise ValueError(f"tag: found {self.tag!a}, expected 4 to 16 of a-z and 0-9")
        if not 1 <= self.connection_limit <= 100:
            raise ValueError(f"connection_limit: found {self.connection_limit}, expected 1 to 100")
        if not 60 <= self.longest <= 604_800:
            raise ValueError(f"longest: found {self.longest:g} s, expected 1 minute to 7 days")


class PostgresRoles:
    """Implements `mint.Mint`."""

    def __init__(self, settings: RoleMint, clock: Clock | None = None) -> None:
        self.settings = settings
        self._clock = clock or SystemClock()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._prefix = f"hooptui_{settings.tag}_"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PostgresRoles) and other.settings == self.settings

    __hash__ = None  # type: ignore[assignment]  # compared when the configuration is read again, never a key

    def name(self, session: str) -> str:
        """See `Mint`.

        Raises:
            ValueError: the session's name would not make a role's name.
        """
        if not _SESSION.fullmatch(session):
            raise ValueError(f"{session!a} is no name of a session that fits into a role's")
        return self._prefix + session

    async def issue(self, session: str, identity: str, until: float | None) -> Minted:
        """See `Mint`. The role is there whole or not at all; of its password the server gets the SCRAM verifier only."""
        name, password = self.name(session), Secret(secrets.token_urlsafe(32))
        longest = self._clock.now() + self.settings.longest
        until = longest if until is None else min(until, longest)
        async with self._connection() as connection, connection.transaction():
            await self._create(connection, name, password, until)
            words = f"hooptui session {session} of {identity[:500]}"
            await _run(connection, "COMMENT ON ROLE {} IS {}", sql.Identifier(name), sql.Literal(words))
        return Minted(KIND, name, password, until)

    async def retire(self, name: str) -> Removed:
        """See `Mint`."""
        async with self._connection() as connection:
            return await self._remove(connection, name)

    async def sweep(self, alive: Callable[[str], bool]) -> tuple[Removed, ...]:
        """See `Mint`. Only names with this gateway's tag are touched, by one gateway at a time."""
        removed: list[Removed] = []
        try:
            async with self._connection(SWEEP_TIMEOUT) as connection:
                for name in await self._orphans(connection, alive):
                    if not alive(name):
                        removed.append(await self._try_to_remove(connection, name))
        except MintTrouble as trouble:
            if not removed:
                raise
            # What has been removed by then is worth telling.
            removed.append(Removed(KIND, f"{self._prefix}…", False, trouble.message))
        return tuple(removed)

    async def _orphans(self, connection: Connection, alive: Callable[[str], bool]) -> list[str]:
        lock = int.from_bytes(hashlib.sha256(self._prefix.encode()).digest()[:8], "big", signed=True)
        if not (await _row(connection, "SELECT pg_catalog.pg_try_advisory_lock(%s)", lock))[0]:
            return []
        found = await connection.execute(
            "SELECT rolname FROM pg_catalog.pg_roles WHERE pg_catalog.starts_with(rolname, %s) ORDER BY 1",
            (self._prefix,),
        )
        names = [name for (name,) in await found.fetchall() if _SESSION.fullmatch(name.removeprefix(self._prefix))]
        return [name for name in names if not alive(name)][:SWEPT]

    # --- making

    async def _create(self, connection: Connection, name: str, password: Secret, until: float) -> None:
        wanted, new = self.settings, sql.Identifier(name)
        found = await (await connection.execute(_ROLE, (wanted.role,))).fetchone()
        if found is None:
            raise MintTrouble("mint-misconfigured", f"{wanted.login.place} has no role {wanted.role!a}")
        oid, powerful = found
        if powerful:
            raise MintTrouble(
                "mint-misconfigured",
                f"role {wanted.role!a} on {wanted.login.place} is a superuser or may create roles, itself or by membership; "
                "sessions may be neither",
            )
        verifier = connection.pgconn.encrypt_password(password.reveal().encode(), name.encode(), b"scram-sha-256")
        end = datetime.fromtimestamp(until, UTC).isoformat()
        await _run(
            connection,
            "CREATE ROLE {} LOGIN INHERIT PASSWORD {} VALID UNTIL {} CONNECTION LIMIT {} IN ROLE {}",
            new, sql.Literal(verifier.decode()), sql.Literal(end), sql.Literal(wanted.connection_limit), sql.Identifier(wanted.role),
        )  # fmt: skip
        # To stop its backends, to see them, and to give away what it owns: nothing of that follows from having made it.
        options = " WITH INHERIT TRUE, SET TRUE" if connection.info.server_version >= 160_000 else ""
        for login in (wanted.login.user, *wanted.watchers):
            await _run(connection, f"GRANT {{}} TO {{}}{options}", new, sql.Identifier(login))
        if wanted.copy_settings:
            await self._copy_settings(connection, new, oid)
        if wanted.assume:
            await _run(connection, "ALTER ROLE {} SET role TO {}", new, sql.Literal(wanted.role))

    async def _copy_settings(self, connection: Connection, new: sql.Identifier, oid: int) -> None:
        for database, text in await (await connection.execute(_DEFAULTS, (oid,))).fetchall():
            setting, _, value = text.partition("=")
            where = sql.SQL(" IN DATABASE {}").format(sql.Identifier(database)) if database else sql.SQL("")
            values = sql.SQL(", ").join(map(sql.Literal, _names(value) if setting.lower() in _LISTS else [value]))
            try:
                await _run(connection, "ALTER ROLE {}{} SET {} TO {}", new, where, sql.Identifier(setting), values)
            except psycopg.errors.InsufficientPrivilege:
                modern = connection.info.server_version >= 150_000
                grant = f"GRANT SET ON PARAMETER {setting} TO {self.settings.login.user}, or " if modern else ""
                raise MintTrouble(
                    "mint-refused",
                    f"role {self.settings.role!a} has a default for {setting}, which the mint's login may not set; "
                    f"do: {grant}copy_settings: false",
                ) from None

    # --- taking back

    async def _try_to_remove(self, connection: Connection, name: str) -> Removed:
        try:
            return await self._remove(connection, name)
        except (MintTrouble, psycopg.Error) as fault:
            if connection.closed:
                raise
            trouble = fault if isinstance(fault, MintTrouble) else _trouble(self.settings.login, fault)
            return Removed(KIND, name, False, trouble.message)

    async def _remove(self, connection: Connection, name: str) -> Removed:
        done: list[str] = []
        role = sql.Identifier(name)
        for _ in range(ATTEMPTS):
            found = await (
                await connection.execute("SELECT oid FROM pg_catalog.pg_roles WHERE rolname = %s", (name,))
            ).fetchone()
            if found is None:
                return Removed(KIND, name, True, ", ".join([*done, "gone from pg_roles"]))
            try:
                await _run(connection, "ALTER ROLE {} NOLOGIN", role)
                done += await self._end_connections(connection, found[0])
                done += await self._settle(connection, name, found[0])
                await _run(connection, "DROP ROLE {}", role)
                done.append("dropped")
            except (psycopg.errors.UndefinedObject, psycopg.errors.InternalError_):
                # Somebody else drops it at the same time ("tuple concurrently updated" has no code of its own).
                continue
        raise MintTrouble("mint-refused", f"role {name} is still there after {ATTEMPTS} attempts to drop it")

    async def _end_connections(self, connection: Connection, oid: int) -> list[str]:
        """End what is logged in with the role, and wait until nothing is."""
        most, until = 0, self._clock.monotonic() + GONE
        while True:
            left = (await _row(connection, _ENDING, oid))[0]
            most = max(most, left)
            if not left:
                return [f"{most} connection{'s' if most > 1 else ''} terminated"] if most else []
            if self._clock.monotonic() >= until:
                raise MintTrouble(
                    "mint-timeout", f"{left} connections of a session's role are still there after {GONE:g} s"
                )
            await asyncio.sleep(0.02)

    async def _settle(self, connection: Connection, name: str, oid: int) -> list[str]:
        """Give what the role owns to the one it was a member of, and revoke what it was granted, in each database."""
        holdings = await (await connection.execute(_OWNED, (oid,))).fetchall()
        if not holdings:
            return []
        heir = (await _row(connection, _PARENTS, oid, self.settings.role))[0]
        for database, _ in holdings:
            if database == connection.info.dbname:
                await _bequeath(connection, name, heir)
            else:
                async with _open(self.settings.login, database) as there:
                    await _bequeath(there, name, heir)
        count = sum(owned for _, owned in holdings)
        return [f"{count} object{'s' if count != 1 else ''} given to {heir}"]

    # --- connections

    @asynccontextmanager
    async def _connection(self, seconds: float = CALL_TIMEOUT) -> AsyncIterator[Connection]:
        """A connection for one call; the one place where what went wrong becomes `MintTrouble`."""
        login = self.settings.login
        async with self._turns:
            try:
                async with asyncio.timeout(seconds), _open(login, login.database) as connection:
                    yield connection
            except TimeoutError:
                raise MintTrouble("mint-timeout", f"{login.place} did not answer within {seconds:g} s") from None
            except psycopg.Error as fault:
                raise _trouble(login, fault) from None


async def _bequeath(connection: Connection, name: str, heir: str) -> None:
    async with connection.transaction():
        # As the mint's login, which inherits from both: a session may have granted its role something as the other one, and what
        # the other one granted only that one, or who inherits from it, can revoke.
        await _run(connection, "REASSIGN OWNED BY {} TO {}", sql.Identifier(name), sql.Identifier(heir))
        await _run(connection, "DROP OWNED BY {}", sql.Identifier(name))


async def _run(connection: Connection, text: str, *parts: sql.Composable) -> None:
    """Run a command that takes no parameters; names and literals are quoted here."""
    await connection.execute(sql.SQL(text).format(*parts))


async def _row(connection: Connection, text: str, *values: object) -> TupleRow:
    row = await (await connection.execute(text, values)).fetchone()
    if row is None:
        raise MintTrouble("mint-refused", "the server gave no row where it always has one")
    return row


@asynccontextmanager
async def _open(login: AdminLogin, database: str) -> AsyncIterator[Connection]:
    trust: dict[str, Any] = {}
    if login.ca_file is not None:
        trust["sslrootcert"] = str(login.ca_file)
    elif login.sslmode.startswith("verify"):
        # The machine's own store; the libpq inside psycopg's wheel may look for it elsewhere.
        trust["sslrootcert"] = ssl.get_default_verify_paths().cafile or "system"
    connection = await psycopg.AsyncConnection.connect(
        autocommit=True, prepare_threshold=None, host=login.host, port=login.port, dbname=database, user=login.user,
        # Empty and with an empty file: else libpq looks for one in the environment and the home directory.
        password=login.password.reveal() if login.password is not None else "", passfile="/dev/null", options="",
        sslmode=login.sslmode, gssencmode="disable", client_encoding="UTF8", application_name="hooptui mint",
        connect_timeout=max(2, round(login.connect_timeout)), tcp_user_timeout=int(CALL_TIMEOUT * 1000), **trust,
    )  # fmt: skip
    try:
        await connection.execute(_SETTINGS)
        yield connection
    finally:
        await connection.close()


def _names(value: str) -> list[str]:
    """The names in a list setting as the server stores it: separated by commas, in double quotes where needed."""
    found = re.findall(r'\s*(?:"((?:[^"]|"")*)"|([^,"]*?))\s*(?:,|$)', value)
    names = [quoted.replace('""', '"') or plain for quoted, plain in found if quoted or plain]
    return names or [""]


def _trouble(login: AdminLogin, fault: psycopg.Error) -> MintTrouble:
    """Only the server's first line: what follows may quote the statement."""
    words = (fault.diag.message_primary or str(fault).strip().split("\n")[0] or type(fault).__name__)[:500]
    detail = f" ({fault.diag.message_detail[:500]})" if fault.diag.message_detail else ""
    match fault.sqlstate:
        case None:
            code = "mint-unreachable"
        case "57014" | "55P03":
            code = "mint-timeout"
        case _:
            code = "mint-refused"
    return MintTrouble(code, f"{login.place}: {words}{detail}")

"""One side connection to a target, by psycopg: opened when first needed, opened again when lost, used by one at a time.

Knows no query. Whatever goes wrong becomes `CatalogueFailed`, and a connection that is not idle afterwards is dropped.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import psycopg
from psycopg import generators, pq
from psycopg.pq.abc import PGresult
from psycopg.rows import TupleRow

from hooptui.protocols.postgres.upstream import SslMode, Upstream

T = TypeVar("T")

Connection: TypeAlias = psycopg.AsyncConnection[TupleRow]

Key: TypeAlias = tuple[int, int]
"""OID of a relation and attribute number, as RowDescription gives them."""

CALL_TIMEOUT = 5.0
"""Seconds for one use of a connection, opening it and waiting for others excluded: beyond that the network is dead."""

_SETTINGS = """
SELECT pg_catalog.set_config('search_path', '', false), pg_catalog.set_config('statement_timeout', '2000', false),
       pg_catalog.set_config('lock_timeout', '500', false), pg_catalog.set_config('idle_in_transaction_session_timeout', '5000', false)
"""
"""With an empty path nothing that a user made can stand in for a catalogue object, and names come back qualified."""


class CatalogueFailed(Exception):
    """A side connection could not do what it was asked for. Holds no credential.

    `code` is `unreachable` (or it does not let us in), `timeout`, or the SQLSTATE of the server's refusal. The message may quote the statement it was
    about, so it reaches people through a masker only.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Link:
    """See the module."""

    def __init__(self, upstream: Upstream, application: str) -> None:
        self._upstream = upstream
        self._application = application
        self._connection: Connection | None = None
        self._lock = asyncio.Lock()
        self._closed = False

    async def run(self, action: Callable[[Connection], Awaitable[T]]) -> T:
        """Run `action` alone on the connection; once more on a new one if the connection had died since its last use.

        Raises:
            CatalogueFailed: it could not be done.
        """
        async with self._lock:
            reused = self._connection is not None
            try:
                return await self._once(action)
            except psycopg.OperationalError as lost:
                if not reused or self._connection is not None:
                    raise _failed(self._upstream, lost) from None
            except psycopg.Error as refused:
                raise _failed(self._upstream, refused) from None
            try:
                return await self._once(action)
            except psycopg.Error as refused:
                raise _failed(self._upstream, refused) from None

    async def close(self) -> None:
        """Close for good; whoever asks later is told that it failed."""
        async with self._lock:
            self._closed = True
            await self._drop()

    async def _once(self, action: Callable[[Connection], Awaitable[T]]) -> T:
        if self._closed:
            raise CatalogueFailed("unreachable", "the side connection has been closed")
        try:
            if self._connection is None:
                async with asyncio.timeout(self._upstream.connect_timeout + 1.0):
                    self._connection = await _open(self._upstream, self._application)
            async with asyncio.timeout(CALL_TIMEOUT):
                return await action(self._connection)
        except TimeoutError:
            await self._drop()
            raise CatalogueFailed(
                "timeout", f"{self._upstream.place} did not answer a side connection in time"
            ) from None
        finally:
            if (
                self._connection is not None
                and self._connection.info.transaction_status is not pq.TransactionStatus.IDLE
            ):
                await self._drop()

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


@dataclass(frozen=True, slots=True)
class Described:
    """What the server says of one statement that it has prepared and not run."""

    origins: tuple[Key, ...]
    """For each result column the one it is a plain reference to, zeros where it is none."""
    parameters: int


async def describe(connection: Connection, text: str) -> Described:
    """Prepare one statement, without a name. By the extended protocol, which takes no second statement in the text.

    Raises:
        psycopg.Error: the server does not take it.
    """
    connection.pgconn.send_prepare(b"", text.encode())
    await _result(connection)
    connection.pgconn.send_describe_prepared(b"")
    found = await _result(connection)
    return Described(tuple((found.ftable(i), found.ftablecol(i)) for i in range(found.nfields)), found.nparams)


async def run_described(connection: Connection) -> list[list[bytes | None]]:
    """Run what `describe` prepared last; rows in text format.

    Raises:
        psycopg.Error: it failed.
    """
    connection.pgconn.send_query_prepared(b"", [])
    done = await _result(connection)
    return [[done.get_value(row, i) for i in range(done.nfields)] for row in range(done.ntuples)]


async def _result(connection: Connection) -> PGresult:
    results: list[PGresult] = await connection.wait(generators.execute(connection.pgconn))
    result = results[-1]
    if result.status not in (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK):
        raise psycopg.errors.error_from_result(result, encoding="utf-8")
    return result


async def _open(upstream: Upstream, application: str) -> Connection:
    password = upstream.password
    connection = await psycopg.AsyncConnection.connect(
        autocommit=True,
        prepare_threshold=None,
        host=upstream.host,
        port=upstream.port,
        dbname=upstream.database,
        user=upstream.user,
        # Empty and with an empty file: else libpq looks for one in the environment and the home directory.
        password=password.reveal() if password is not None else "",
        passfile="/dev/null",
        options="",
        sslmode=str(upstream.sslmode),
        gssencmode="disable",
        client_encoding="UTF8",
        application_name=application,
        connect_timeout=max(2, round(upstream.connect_timeout)),
        keepalives_idle=30,
        tcp_user_timeout=int(CALL_TIMEOUT * 1000),
        **_trust(upstream),
    )
    try:
        await connection.execute(_SETTINGS)
    except BaseException:
        await connection.close()
        raise
    return connection


def _trust(upstream: Upstream) -> dict[str, Any]:
    if upstream.ca_file is not None:
        return {"sslrootcert": str(upstream.ca_file)}
    if upstream.sslmode in (SslMode.VERIFY_CA, SslMode.VERIFY_FULL):
        # The machine's own store, as the sessions use; the libpq inside psycopg's wheel may look for it elsewhere.
        return {"sslrootcert": ssl.get_default_verify_paths().cafile or "system"}
    return {}


def _failed(upstream: Upstream, error: psycopg.Error) -> CatalogueFailed:
    state = error.sqlstate or "unreachable"
    words = error.diag.message_primary or str(error).strip() or type(error).__name__
    # Cancelled by its own statement_timeout, or a lock that somebody else holds.
    code = "timeout" if state in ("57014", "55P03") else state
    return CatalogueFailed(code, f"{upstream.place}: {words[:500]}")

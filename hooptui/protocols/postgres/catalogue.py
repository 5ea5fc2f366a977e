"""What a target says of itself beside the sessions: where a column comes from, what a statement would do, whether a backend lives.

By psycopg, on two side connections of the gateway's own credential: one to look things up, one whose work (cancel, terminate)
must never queue behind a look-up. Knows no client. Names come from users of the target and are hostile text.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from psycopg import pq

from hooptui.core.clock import Clock, SystemClock
from hooptui.core.model import ColumnSource
from hooptui.protocols.postgres.link import CatalogueFailed, Connection, Key, Link, describe, run_described
from hooptui.protocols.postgres.upstream import Upstream

__all__ = ["Backend", "Catalogue", "CatalogueFailed", "Key"]

FRESH = 30.0
"""Seconds a remembered name may be old: a renamed column is known by its new name that soon."""

REMEMBERED = 10_000
"""Columns remembered for one target."""

VIEW_DEPTH = 32
"""Views upon views that are followed; one deeper is refused."""

EXPLAIN_MAX = 16 * 1024
"""Characters of a plan."""

EXPLAIN_MS = 500

_NAMES = """
SELECT a.attrelid::int8, a.attnum::int4, n.nspname::text, c.relname::text, a.attname::text, c.relkind::text
  FROM ROWS FROM (pg_catalog.unnest(%(oids)s::oid[]), pg_catalog.unnest(%(attnums)s::int2[])) AS k (oid, attnum)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = k.oid AND a.attnum = k.attnum AND NOT a.attisdropped
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
"""

_PARENTS = """
SELECT a.attrelid::int8, a.attnum::int4, b.attrelid::int8, b.attnum::int4
  FROM ROWS FROM (pg_catalog.unnest(%(oids)s::oid[]), pg_catalog.unnest(%(attnums)s::int2[])) AS k (oid, attnum)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = k.oid AND a.attnum = k.attnum
  JOIN pg_catalog.pg_inherits i ON i.inhrelid = a.attrelid
  JOIN pg_catalog.pg_attribute b ON b.attrelid = i.inhparent AND b.attname = a.attname AND NOT b.attisdropped
"""

_VIEW = "SELECT pg_catalog.pg_get_viewdef(%s::oid)"

_EXPLAIN_SETTINGS = """
SELECT pg_catalog.set_config('search_path', %s, true), pg_catalog.set_config('statement_timeout', %s, true),
       pg_catalog.set_config('lock_timeout', %s, true), pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', true)
"""

_PREPARED = "hooptui_explain"

_BACKEND = "SELECT backend_start FROM pg_catalog.pg_stat_activity WHERE pid = %s"

_THAT_ONE = "FROM pg_catalog.pg_stat_activity WHERE pid = %s AND backend_start IS NOT DISTINCT FROM %s"


@dataclass(frozen=True, slots=True)
class Backend:
    """One server process. A process id alone may be another one's by the time it is used."""

    pid: int
    started: datetime | None
    """None when the server hides it from this account."""


class Catalogue:
    """See the module. One for each target; every method may raise `CatalogueFailed`."""

    def __init__(self, upstream: Upstream, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._reading = Link(upstream, "hooptui catalogue")
        self._acting = Link(upstream, "hooptui control")
        self._known: OrderedDict[Key, tuple[float, tuple[ColumnSource, ...]]] = OrderedDict()

    async def close(self) -> None:
        """Close both connections, for good."""
        await self._reading.close()
        await self._acting.close()

    # --- where columns come from

    async def sources(self, keys: Collection[Key]) -> Mapping[Key, ColumnSource | None]:
        """The relation and column each key names; None when there is none such."""
        return {key: found[0] if found else None for key, found in (await self.lineage(keys)).items()}

    async def lineage(self, keys: Collection[Key]) -> Mapping[Key, tuple[ColumnSource, ...]]:
        """Every column each key stands for: itself first, then what a view (or materialised view) column plainly passes on, view
        by view down to a table, and the same column of the tables that a table is a partition or child of.

        Views are followed by having the server describe, not run, their definition: it says itself which result column is a
        plain reference to which column, through joins, subqueries and WITH. A view column that is an expression, or passes
        through a set operation, has no further source. Children of a table are not listed. Empty when there is no such column.
        """
        now = self._clock.monotonic()
        found = self._remembered(keys, now)
        missing = [key for key in dict.fromkeys(keys) if key not in found]
        if missing:

            async def look(connection: Connection) -> dict[Key, tuple[ColumnSource, ...]]:
                # Somebody else may have asked for the same while this one waited for the connection.
                late = self._remembered(missing, now)
                return late | await _trace(connection, [key for key in missing if key not in late])

            fresh = await self._reading.run(look)
            self._remember(fresh, now)
            found |= fresh
        return found

    def forget(self) -> None:
        """Look everything up anew from here on: somebody has changed a table."""
        self._known.clear()

    def _remembered(self, keys: Collection[Key], now: float) -> dict[Key, tuple[ColumnSource, ...]]:
        found = {}
        for key in keys:
            entry = self._known.get(key)
            if entry is not None and now - entry[0] < FRESH:
                found[key] = entry[1]
        return found

    def _remember(self, fresh: Mapping[Key, tuple[ColumnSource, ...]], now: float) -> None:
        for key, sources in fresh.items():
            self._known.pop(key, None)
            self._known[key] = (now, sources)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    # --- what a statement would do

    async def explain(self, sql: str, search_path: str) -> str:
        """The planner's plan for one statement, not run, at most `EXPLAIN_MAX` characters. Raw: it quotes the statement's values.

        Only EXPLAIN without ANALYZE ever reaches the server, in a READ ONLY transaction that is rolled back, with half a second
        for locks and planning. The planner itself calls functions declared IMMUTABLE on constants, and STABLE ones to guess
        how many rows they select. Parameters `$1`, `$2` … are planned for without a value.
        """
        return await self._reading.run(lambda connection: _explain(connection, sql, search_path))

    # --- backends

    async def backend(self, pid: int) -> Backend | None:
        """The backend that has this process id now."""

        async def look(connection: Connection) -> Backend | None:
            row = await (await connection.execute(_BACKEND, (pid,))).fetchone()
            return None if row is None else Backend(pid, row[0])

        return await self._acting.run(look)

    async def cancel_backend(self, backend: Backend) -> bool:
        """Cancel what this very backend runs; False when it is gone."""
        return await self._signal("pg_cancel_backend", backend)

    async def terminate_backend(self, backend: Backend) -> bool:
        """End this very backend; False when it is gone."""
        return await self._signal("pg_terminate_backend", backend)

    async def backend_gone(self, backend: Backend, *, within: float = 0.0, every: float = 0.02) -> bool:
        """Whether this very backend has left pg_stat_activity, asked until it has or `within` seconds are over."""
        until = self._clock.monotonic() + within
        while True:
            if not await self._acting.run(lambda connection: _exists(connection, backend)):
                return True
            if self._clock.monotonic() >= until:
                return False
            await asyncio.sleep(every)

    async def _signal(self, function: str, backend: Backend) -> bool:
        async def act(connection: Connection) -> bool:
            row = await (
                await connection.execute(
                    f"SELECT pg_catalog.{function}(pid) {_THAT_ONE}", (backend.pid, backend.started)
                )
            ).fetchone()
            return row is not None and bool(row[0])

        return await self._acting.run(act)


async def _exists(connection: Connection, backend: Backend) -> bool:
    found = await connection.execute(f"SELECT 1 {_THAT_ONE}", (backend.pid, backend.started))
    return await found.fetchone() is not None


async def _trace(connection: Connection, keys: Collection[Key]) -> dict[Key, tuple[ColumnSource, ...]]:
    """The lineage of each key, looked up."""
    chains: dict[Key, list[ColumnSource]] = {key: [] for key in keys}
    frontier: dict[Key, set[Key]] = {key: {key} for key in keys}
    """Column to look at next, and the keys it is a source of."""
    seen: dict[Key, set[Key]] = defaultdict(set)
    for _ in range(VIEW_DEPTH):
        if not frontier:
            return {key: tuple(chain) for key, chain in chains.items()}
        views: dict[int, list[Key]] = defaultdict(list)
        tables: list[Key] = []
        arguments = _arrays(frontier)
        for oid, attnum, schema, table, column, kind in await (await connection.execute(_NAMES, arguments)).fetchall():
            source = ColumnSource(schema, table, column)
            for root in frontier[oid, attnum]:
                chains[root].append(source)
            if kind in ("v", "m"):
                views[oid].append((oid, attnum))
            else:
                tables.append((oid, attnum))
        steps = [step for oid, columns in views.items() for step in await _through_view(connection, oid, columns)]
        if tables:
            rows = await (await connection.execute(_PARENTS, _arrays(tables))).fetchall()
            steps += [((oid, attnum), (parent, number)) for oid, attnum, parent, number in rows]
        after: dict[Key, set[Key]] = defaultdict(set)
        for here, there in steps:
            after[there] |= frontier[here] - seen[there]
            seen[there] |= frontier[here]
        frontier = {key: roots for key, roots in after.items() if roots}
    raise CatalogueFailed("54001", f"views are nested more than {VIEW_DEPTH} deep")


async def _through_view(connection: Connection, oid: int, columns: Collection[Key]) -> list[tuple[Key, Key]]:
    """For each of a view's columns that plainly passes on another one: both."""
    row = await (await connection.execute(_VIEW, (oid,))).fetchone()
    if row is None or row[0] is None:
        return []
    # A view's attributes are its definition's result columns, one by one: none can be dropped or moved.
    origins = (await describe(connection, row[0])).origins
    steps = []
    for key in columns:
        if key[1] > len(origins):
            raise CatalogueFailed("XX000", f"view {oid} changed while it was being read")
        origin = origins[key[1] - 1]
        if key[1] > 0 and origin[0]:
            steps.append((key, origin))
    return steps


def _arrays(keys: Collection[Key]) -> dict[str, str]:
    return {
        "oids": "{" + ",".join(str(oid) for oid, _ in keys) + "}",
        "attnums": "{" + ",".join(str(attnum) for _, attnum in keys) + "}",
    }


async def _explain(connection: Connection, sql: str, search_path: str) -> str:
    await connection.execute("BEGIN READ ONLY")
    try:
        await connection.execute(_EXPLAIN_SETTINGS, (search_path, str(EXPLAIN_MS), str(EXPLAIN_MS)))
        # In parentheses, so that a text that begins with ANALYZE is a syntax error and no option.
        described = await describe(connection, f"EXPLAIN (ANALYZE FALSE) {sql}")
        if described.parameters:
            # Bound, they would be constants: a plan for NULLs. Prepared under a name, they stay unknown.
            await describe(connection, f"PREPARE {_PREPARED} AS {sql}")
            await run_described(connection)
            nulls = ", ".join(["NULL"] * described.parameters)
            await describe(connection, f"EXPLAIN (ANALYZE FALSE) EXECUTE {_PREPARED} ({nulls})")
        rows = await run_described(connection)
    finally:
        # Nothing to tidy where the connection is lost or still busy: the link drops it.
        if connection.info.transaction_status in (pq.TransactionStatus.INTRANS, pq.TransactionStatus.INERROR):
            await connection.execute("ROLLBACK")
            await connection.execute("DEALLOCATE ALL")
    text = "\n".join(value.decode("utf-8", "replace") for (value,) in rows if value is not None)
    return text if len(text) <= EXPLAIN_MAX else text[:EXPLAIN_MAX] + "\n…"

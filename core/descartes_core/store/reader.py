"""`Reader`: the log and its projections as any process can read them, without a hub."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any

import aiosqlite

from descartes_core.errors import InvalidParams, NotFound, RunNotFound, StoreUnavailable
from descartes_core.model import Event
from descartes_core.store import query as queries
from descartes_core.store import rows
from descartes_core.store.migrations import check_version
from descartes_core.store.problems import storage_problem
from descartes_core.store.query import EventQuery, Page, Span
from descartes_core.store.times import milliseconds

CONNECTIONS = 10
"""How many connections a reader has at most, unless it is told otherwise."""
CHUNK = 500
"""Rows turned into events at a time: a few milliseconds of the loop."""

_ID_SOURCES = {
    "evt": ("event", "id", NotFound),
    "run": ("event", "run_id", RunNotFound),
    "ses": ("event", "session_id", NotFound),
}

# The first seq in a stretch of rising times whose time is not before the one asked for.
_HALVE = """
WITH RECURSIVE s (lo, hi) AS (
  VALUES (?, ?)
  UNION ALL
  SELECT iif((SELECT ts_ms FROM event WHERE seq = (lo + hi) / 2) < ?, (lo + hi) / 2 + 1, lo),
         iif((SELECT ts_ms FROM event WHERE seq = (lo + hi) / 2) < ?, hi, (lo + hi) / 2)
  FROM s WHERE lo < hi)
SELECT max(lo) FROM s
"""

INTERRUPT_SECONDS = 0.01
"""Between two attempts to stop a query."""


class Reader:
    """Reads the log at PATH; a file that is missing is an empty log, and may appear or be replaced later.

    Concurrency: belongs to one loop; holds no transaction between calls, so it never keeps the log from
    being tidied.
    """

    def __init__(self, path: Path, connections: int = CONNECTIONS) -> None:
        self.path = path
        self._idle: list[aiosqlite.Connection] = []
        self._busy: dict[aiosqlite.Connection, tuple[int, int]] = {}
        self.connections = connections
        self._places = asyncio.Semaphore(connections)
        self._identity: tuple[int, int] | None = None

    @classmethod
    async def open(cls, path: Path, connections: int = CONNECTIONS) -> Reader:
        """Return a reader of the log at PATH, which need not exist, with at most so many CONNECTIONS.

        A connection is made when all others are reading; what comes when there are as many waits.
        Errors: `StoreUnavailable` when the file is no log or a newer program's.
        """
        reader = cls(path, connections)
        connection = await reader._taken()
        if connection is not None:
            await reader._give_back(connection)
        return reader

    def resize(self, connections: int) -> None:
        """Keep at most so many CONNECTIONS from now on; what reads already is not counted."""
        if connections != self.connections:
            self.connections = connections
            self._places = asyncio.Semaphore(connections)

    async def close(self) -> None:
        """Let go of the file and stop what still reads; a later call opens it again."""
        reading = tuple(self._busy)
        # A query that its thread has not begun yet does not hear of it.
        while still := [each for each in reading if each in self._busy]:
            for connection in still:
                await connection.interrupt()
            await asyncio.sleep(INTERRUPT_SECONDS)
        await self._drop(None)

    async def events(self, query: EventQuery) -> Page:
        """Return the page of events that QUERY asks for.

        Errors: `InvalidParams` and `NotFound` for a time, cursor or id that is none.
        """
        found: list[Event] = []
        # One more than asked for tells whether there is a next page.
        async for event in self._walk(query, query.limit + 1):
            found.append(event)
        more = len(found) > query.limit
        del found[query.limit :]
        return Page(events=found, next=found[-1].seq if more else None)

    async def event(self, id_prefix: str) -> Event:
        """Return the event whose id begins with ID_PREFIX (`evt_` may be left out).

        Errors: `NotFound`; `InvalidParams` with `candidates` when several do.
        """
        found = await self._fetch(
            f"SELECT {rows.PUBLISHED} FROM event WHERE id = ?", (await self.resolve("evt", id_prefix),)
        )
        return rows.published(found[0])

    async def resolve(self, kind: str, prefix: str, table: str = "", column: str = "") -> str:
        """Return the whole id of KIND (`evt`, `run`, `ses`, …) that begins with PREFIX.

        Ids are looked for in the log, or in COLUMN of the projection TABLE for kinds it does not name.
        Errors: `NotFound` (`RunNotFound` for runs); `InvalidParams` with up to five `candidates`.
        """
        source, among, unknown = _ID_SOURCES.get(kind, (table, column, NotFound))
        wanted = prefix if prefix.startswith(f"{kind}_") else f"{kind}_{prefix}"
        found = await self._ids_from(source, among, wanted)
        if not found and kind == "ses":
            # A session that came from a file, or that its program named, has the id that it had there.
            wanted, found = prefix, await self._ids_from(source, among, prefix)
        noun = _KIND_NAMES.get(kind, kind)
        if not found:
            raise unknown(f"No {noun} has an id that begins with {prefix!r}; look at the list")
        if len(found) > 1 and found[0] != wanted:
            raise InvalidParams(
                f"Expected the id of one {noun}, several begin with {prefix!r}:"
                f" {', '.join(found[:5])}; give more digits",
                candidates=found[:5],
            )
        return found[0]

    async def last_seq(self) -> int:
        """Return the seq of the newest event, 0 for an empty log."""
        found = await self._fetch("SELECT seq FROM head")
        return int(found[0][0]) if found else 0

    async def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Return what the SELECT statement SQL finds, a dict each; for reading projections.

        No rows when there is no log yet, or the table's projection was never installed in it.
        """
        return [dict(row) for row in await self._fetch(sql, parameters)]

    async def _walk(self, query: EventQuery, count: int) -> AsyncIterator[Event]:
        span = (await self._span(query)).cut(query, await self._seq(query.before))
        driver = await self._driver(query)
        pairs: list[tuple[str, str]] = []
        if driver == "kinds":
            statement = queries.kinds(query)
            pairs = [(row[0], row[1]) for row in await self._fetch(statement.sql, statement.parameters)]
        skip, count = query.offset, query.offset + count
        while count > 0 and span.low <= span.high:
            wanted = min(count, CHUNK)
            statement = queries.page(query, driver, pairs, span, wanted)
            found = await self._fetch(statement.sql, statement.parameters)
            for row in found[skip:]:
                yield rows.published(row)
            skip = max(skip - len(found), 0)
            if len(found) < wanted:
                return
            count -= wanted
            span = span.cut(query, found[-1][0])

    async def _driver(self, query: EventQuery) -> queries.Driver:
        candidates = queries.drivers(query)
        if len(candidates) == 1:
            return candidates[0]
        enough = 2000
        weights: list[int] = []
        for driver in candidates:
            statement = queries.weight(query, driver, enough)
            counted = await self._fetch(statement.sql, statement.parameters) if statement else []
            weights.append(counted[0][0] if counted else enough + 1)
        return candidates[weights.index(min(weights))]

    async def _span(self, query: EventQuery) -> Span:
        low, high, since_ms, until_ms = 1, queries.LAST, None, None
        if query.since is not None:
            if _is_time(query.since):
                since_ms = milliseconds(query.since)
                low = min(await self._first_at(since_ms), default=queries.LAST)
            else:
                low = (await self.event(query.since)).seq
        if query.until is not None:
            if _is_time(query.until):
                until_ms = milliseconds(query.until)
                high = max([first - 1 for first in await self._first_at(until_ms + 1, past=True)], default=0)
            else:
                high = (await self.event(query.until)).seq
        return Span(low, high, since_ms, until_ms)

    async def _first_at(self, ts_ms: int, *, past: bool = False) -> list[int]:
        """Return, for each stretch between clock steps, the first seq not before TS_MS.

        A stretch that has none is left out, or with PAST stands with the seq behind its end.
        """
        last = await self.last_seq()
        starts = [1, *(row[0] for row in await self._fetch("SELECT seq FROM clock_step ORDER BY seq"))]
        found: list[int] = []
        for start, end in zip(starts, [*starts[1:], last + 1], strict=True):
            first = (await self._fetch(_HALVE, (start, end, ts_ms, ts_ms)))[0][0] if start < end else end
            if past or first < end:
                found.append(first)
        return found

    async def _seq(self, cursor: int | str | None) -> int | None:
        if cursor is None or isinstance(cursor, int):
            return cursor
        # A seq as text is told from an event id of digits only by its length: tables show ids by 8.
        if cursor.isdecimal() and len(cursor) < 8:
            return int(cursor)
        try:
            return (await self.event(cursor)).seq
        except NotFound:
            if cursor.isdecimal():
                return int(cursor)
            raise

    async def _ids_from(self, table: str, column: str, prefix: str) -> list[str]:
        """Return the first ids that begin with PREFIX, at most six, one index step for each."""
        found: list[str] = []
        sql = f"SELECT min({column}) FROM {table} WHERE {column} {{}} ? AND {column} < ?"
        operator, low = ">=", prefix
        while len(found) < 6:
            row = await self._fetch(sql.format(operator), (low, prefix + "\U0010ffff"))
            if not row or row[0][0] is None:
                break
            found.append(row[0][0])
            operator, low = ">", found[-1]
        return found

    async def _fetch(self, sql: str, parameters: Iterable[Any] = ()) -> list[aiosqlite.Row]:
        async with self._places:
            connection = await self._taken()
            if connection is None:
                return []
            query = asyncio.ensure_future(connection.execute_fetchall(sql, parameters))
            try:
                return list(await asyncio.shield(query))
            except sqlite3.Error as error:
                if str(error).startswith("no such table"):
                    return []
                if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
                    raise StoreUnavailable("The log was closed while it was read; ask again") from None
                raise storage_problem(error, self.path) from None
            except asyncio.CancelledError:
                # Its thread would go on reading for nobody.
                while not query.done():
                    await connection.interrupt()
                    await asyncio.wait([query], timeout=INTERRUPT_SECONDS)
                query.exception()
                raise
            finally:
                await self._give_back(connection)

    async def _taken(self) -> aiosqlite.Connection | None:
        """Return a connection for one read, to be given back; None while there is no log."""
        try:
            status = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            await self._drop(None)
            return None
        except OSError as error:
            raise StoreUnavailable(
                f"The log {str(self.path)!r} cannot be read: {error.strerror}; check its permissions"
            ) from None
        identity = (status.st_dev, status.st_ino)
        if identity != self._identity:
            await self._drop(identity)
        connection = self._idle.pop() if self._idle else await _open(self.path)
        if connection is not None:
            self._busy[connection] = identity
        return connection

    async def _give_back(self, connection: aiosqlite.Connection) -> None:
        identity = self._busy.pop(connection)
        if identity == self._identity and len(self._idle) < self.connections:
            self._idle.append(connection)
        else:
            await connection.close()

    async def _drop(self, identity: tuple[int, int] | None) -> None:
        """Let go of all idle connections: the file is the one of IDENTITY now, or none."""
        idle, self._idle, self._identity = self._idle, [], identity
        for connection in idle:
            await connection.close()


_KIND_NAMES = {"evt": "event", "run": "run", "ses": "session", "int": "intervention", "eval": "evaluation"}


def _is_time(text: str) -> bool:
    return not text.startswith("evt_") and re.search(r"[-:T]", text) is not None


async def _open(path: Path) -> aiosqlite.Connection | None:
    """Return a read-only connection to the log at PATH; None while its first writer has not made it yet."""
    connection = await _connect(path, "mode=ro")
    try:
        version = await _version(connection)
    except sqlite3.OperationalError as error:
        await connection.close()
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise storage_problem(error, path) from None
        # WAL needs a file for shared memory beside the log. Where none can be made nobody writes either.
        connection = await _connect(path, "immutable=1")
        version = await _version(connection)
    except sqlite3.Error as error:
        await connection.close()
        raise storage_problem(error, path) from None
    try:
        check_version(version)
    except StoreUnavailable:
        await connection.close()
        raise
    if version == 0:
        await connection.close()
        return None
    return connection


async def _connect(path: Path, mode: str) -> aiosqlite.Connection:
    opening = aiosqlite.connect(_uri(path, mode), uri=True, isolation_level=None)
    # A daemon, which aiosqlite has no word for: a program that forgot to close a reader must still exit.
    opening._thread.daemon = True
    connection = await opening
    connection.row_factory = sqlite3.Row
    return connection


def _uri(path: Path, mode: str) -> str:
    return f"{path.absolute().as_uri()}?{mode}"


async def _version(connection: aiosqlite.Connection) -> int:
    return int(next(iter(await connection.execute_fetchall("PRAGMA user_version")))[0])

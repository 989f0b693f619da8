"""States in PostgreSQL: shared by several machines, durable, and open to any query.

Table `descartes_checkpoint(thread_id, version, saved_at, digest, state)`; `state` is `json`, which keeps the
text as it is, so that a state has the same digest behind it. PostgreSQL's `->>` cannot show a text with a NUL
in it; loading can. Needs the extra `postgres` (psycopg 3).
"""

from __future__ import annotations

import asyncio
import math
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC
from typing import TYPE_CHECKING, Any

from descartes_core.checkpoints.port import Checkpoint, Checkpointer, check_thread
from descartes_core.checkpoints.snapshot import AgentStateSnapshot
from descartes_core.errors import StoreUnavailable
from descartes_core.store.times import iso

if TYPE_CHECKING:
    from psycopg import AsyncConnection

TABLE = """
CREATE TABLE IF NOT EXISTS descartes_checkpoint (
  thread_id text NOT NULL,
  version bigint NOT NULL,
  saved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  digest text NOT NULL,
  state json NOT NULL,
  PRIMARY KEY (thread_id, version)
)
"""
_LOCK = 0x64657363
"""Of all our advisory locks in a database; what each is for is hashed into the second number."""
SECONDS = 10.0
"""How long a connection, and then each statement, may take."""
LATER = 1.5
"""So much longer than a statement may a whole transaction take, before its server counts as gone."""


class PostgresCheckpointer(Checkpointer):
    """The database that DSN names, a URL or what libpq takes. `postgresql://user@host/database`

    A connection or a statement that takes longer than SECONDS is `StoreUnavailable`.
    """

    def __init__(self, dsn: str, seconds: float = SECONDS) -> None:
        self._dsn = dsn
        self._seconds = seconds
        self._connection: AsyncConnection[Any] | None = None
        self._lock = asyncio.Lock()

    @classmethod
    async def open(cls, url: str) -> PostgresCheckpointer:
        """Return the checkpointer in the database of URL, whose table is made when it is not there."""
        checkpointer = cls(url)
        async with checkpointer._transaction("the table") as execute:
            await execute(TABLE)
        return checkpointer

    async def save_state(self, thread_id: str, state: AgentStateSnapshot) -> int:
        """Keep STATE as the newest of THREAD_ID and return its version, once it is committed."""
        thread = check_thread(thread_id)
        async with self._transaction(thread) as execute:
            found = await execute(
                "INSERT INTO descartes_checkpoint (thread_id, version, digest, state)"
                " SELECT %(thread)s, coalesce(max(version), 0) + 1, %(digest)s, %(state)s::json"
                " FROM descartes_checkpoint WHERE thread_id = %(thread)s RETURNING version",
                {"thread": thread, "digest": state.digest, "state": state.to_json()},
            )
        return int(found[0][0])

    async def load_state(self, thread_id: str, version: int | None = None) -> AgentStateSnapshot | None:
        """Return the newest state of THREAD_ID, or that of VERSION."""
        async with self._transaction() as execute:
            found = await execute(
                "SELECT state::text FROM descartes_checkpoint WHERE thread_id = %s"
                " AND version = coalesce(%s, version) ORDER BY version DESC LIMIT 1",
                (check_thread(thread_id), version),
            )
        return AgentStateSnapshot.from_json(found[0][0]) if found else None

    async def delete_thread(self, thread_id: str) -> bool:
        """Forget THREAD_ID and return whether there was one."""
        thread = check_thread(thread_id)
        async with self._transaction(thread) as execute:
            sql = "DELETE FROM descartes_checkpoint WHERE thread_id = %s RETURNING 1"
            return bool(await execute(sql, (thread,)))

    async def list_threads(self) -> Sequence[str]:
        """Return the ids of all threads, sorted."""
        async with self._transaction() as execute:
            return sorted(
                row[0] for row in await execute("SELECT DISTINCT thread_id FROM descartes_checkpoint")
            )

    async def history(self, thread_id: str) -> Sequence[Checkpoint]:
        """Return what was saved of THREAD_ID, newest first."""
        async with self._transaction() as execute:
            found = await execute(
                "SELECT version, saved_at, digest FROM descartes_checkpoint WHERE thread_id = %s"
                " ORDER BY version DESC",
                (check_thread(thread_id),),
            )
        return [
            Checkpoint(version=n, saved_at=iso(int(at.astimezone(UTC).timestamp() * 1000)), digest=digest)
            for n, at, digest in found
        ]

    async def close(self) -> None:
        """Let go of the database."""
        async with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                await connection.close()

    @asynccontextmanager
    async def _transaction(self, alone_with: str | None = None) -> AsyncIterator[Any]:
        """Give `execute(sql, parameters) -> rows`, ALONE_WITH something that others of us wait for."""
        import psycopg

        async with self._lock:
            try:
                connection = await self._connected()
                async with self._in_time(connection), connection.transaction():

                    async def execute(sql: Any, parameters: Any = None) -> Sequence[tuple[Any, ...]]:
                        cursor = await connection.execute(sql, parameters)
                        return await cursor.fetchall() if cursor.description else []

                    if alone_with is not None:
                        await execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (_LOCK, alone_with))
                    yield execute
            except psycopg.Error as error:
                reason = " ".join(str(error).split()) or type(error).__name__
                raise StoreUnavailable(
                    f"The checkpoints in PostgreSQL cannot be used: {reason}; check the server and its URL"
                ) from None

    async def _connected(self) -> AsyncConnection[Any]:
        import psycopg
        from psycopg.conninfo import conninfo_to_dict

        if self._connection is None or self._connection.closed:
            limit = {"connect_timeout": max(2, math.ceil(self._seconds))}
            told = limit | conninfo_to_dict(self._dsn)
            connection = await psycopg.AsyncConnection.connect(
                self._dsn, autocommit=True, connect_timeout=told["connect_timeout"]
            )
            async with self._in_time(connection):
                # The server ends a statement itself; that it may have stopped is what `_in_time` is for.
                await connection.execute(
                    "SELECT set_config('statement_timeout', %s, false)", (str(round(self._seconds * 1000)),)
                )
            self._connection = connection
        return self._connection

    @asynccontextmanager
    async def _in_time(self, connection: AsyncConnection[Any]) -> AsyncIterator[None]:
        """Cut CONNECTION off when the body takes too long: what waits for its server then fails at once.

        Cancelling would not do: the library asks the server to stop, and waits for its word.
        """
        late = asyncio.get_running_loop().call_later(self._seconds * LATER, _cut_off, connection)
        try:
            yield
        finally:
            late.cancel()


def _cut_off(connection: AsyncConnection[Any]) -> None:
    with socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)

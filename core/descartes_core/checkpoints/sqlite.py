"""States in a SQLite file: durable, for the processes of one machine, and open to any query.

Table `checkpoint(thread_id, version, saved_ms, digest, state)`; `state` is JSON, so that for instance
`SELECT thread_id, state ->> '$.todos[0].content' FROM checkpoint` is answered.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from descartes_core.checkpoints.port import Checkpoint, Checkpointer, check_thread
from descartes_core.checkpoints.snapshot import AgentStateSnapshot
from descartes_core.errors import InvalidParams, StoreUnavailable
from descartes_core.ports import Clock, SystemClock
from descartes_core.store.times import iso

T = TypeVar("T")

BUSY_SECONDS = 30.0
TABLE = """
CREATE TABLE IF NOT EXISTS checkpoint (
  thread_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  saved_ms INTEGER NOT NULL,
  digest TEXT NOT NULL,
  state TEXT NOT NULL,
  PRIMARY KEY (thread_id, version)
) WITHOUT ROWID
"""


class SqliteCheckpointer(Checkpointer):
    """The file PATH, opened by `SqliteCheckpointer.at`. `sqlite:///absolute/path.db`"""

    def __init__(self, path: Path, connection: sqlite3.Connection, clock: Clock) -> None:
        self._path = path
        self._connection = connection
        self._clock = clock
        self._lock = threading.Lock()

    @classmethod
    async def open(cls, url: str) -> SqliteCheckpointer:
        """Return the checkpointer in the file that URL names, made (mode 0600) when it is not there."""
        path = unquote(urlsplit(url).path)
        if not path.startswith("/"):
            raise InvalidParams(f"Expected a URL such as sqlite:///home/ann/state.db, got {url!r}")
        return await cls.at(Path(path))

    @classmethod
    async def at(cls, path: Path, clock: Clock | None = None) -> SqliteCheckpointer:
        """Return the checkpointer in the file PATH. Errors: `StoreUnavailable`."""
        connection = await asyncio.to_thread(_connect, path)
        return cls(path, connection, clock or SystemClock())

    async def save_state(self, thread_id: str, state: AgentStateSnapshot) -> int:
        """Keep STATE as the newest of THREAD_ID and return its version, once it is on disk."""
        row = (check_thread(thread_id), self._clock.now_ms(), state.digest, state.to_json())
        sql = (
            "INSERT INTO checkpoint SELECT ?1, coalesce(max(version), 0) + 1, ?2, ?3, ?4 FROM checkpoint"
            " WHERE thread_id = ?1 RETURNING version"
        )
        return int((await self._do(sql, row))[0][0])

    async def load_state(self, thread_id: str, version: int | None = None) -> AgentStateSnapshot | None:
        """Return the newest state of THREAD_ID, or that of VERSION."""
        sql = "SELECT state FROM checkpoint WHERE thread_id = ?1 AND version = coalesce(?2, version)"
        found = await self._do(f"{sql} ORDER BY version DESC LIMIT 1", (check_thread(thread_id), version))
        return AgentStateSnapshot.from_json(found[0][0]) if found else None

    async def delete_thread(self, thread_id: str) -> bool:
        """Forget THREAD_ID and return whether there was one."""
        sql = "DELETE FROM checkpoint WHERE thread_id = ? RETURNING 1"
        return bool(await self._do(sql, (check_thread(thread_id),)))

    async def list_threads(self) -> Sequence[str]:
        """Return the ids of all threads, sorted."""
        return sorted(row[0] for row in await self._do("SELECT DISTINCT thread_id FROM checkpoint"))

    async def history(self, thread_id: str) -> Sequence[Checkpoint]:
        """Return what was saved of THREAD_ID, newest first."""
        sql = "SELECT version, saved_ms, digest FROM checkpoint WHERE thread_id = ? ORDER BY version DESC"
        found = await self._do(sql, (check_thread(thread_id),))
        return [Checkpoint(version=n, saved_at=iso(ms), digest=digest) for n, ms, digest in found]

    async def close(self) -> None:
        """Let go of the file."""
        await asyncio.to_thread(self._locked, self._connection.close)

    async def _do(self, sql: str, parameters: Sequence[Any] = ()) -> Sequence[tuple[Any, ...]]:
        """Return what the statement SQL finds; it is a transaction of its own."""
        work = self._connection.execute
        return await asyncio.to_thread(self._locked, lambda: work(sql, parameters).fetchall())

    def _locked(self, work: Callable[[], T]) -> T:
        with self._lock:
            try:
                return work()
            except sqlite3.Error as error:
                raise _unavailable(self._path, error) from None


def _connect(path: Path) -> sqlite3.Connection:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(TABLE)
        except sqlite3.Error:
            connection.close()
            raise
    except (OSError, sqlite3.Error) as error:
        raise _unavailable(path, error) from None
    return connection


def _unavailable(path: Path, error: Exception) -> StoreUnavailable:
    return StoreUnavailable(f"The checkpoints in {str(path)!r} cannot be used: {error}; check the file")

"""`Store`: the append-only log of a workspace, opened for writing."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from descartes_core.errors import StoreUnavailable
from descartes_core.model import Event, NewEvent
from descartes_core.ports import Clock, SystemClock
from descartes_core.store.migrations import migrate
from descartes_core.store.problems import BUSY_SECONDS, storage_problem
from descartes_core.store.projections import Projection, Projections
from descartes_core.store.reader import Reader
from descartes_core.store.redaction import Redactor
from descartes_core.store.secret_variables import protecting
from descartes_core.store.transaction import Transaction
from descartes_core.store.writer import Listener, Writer

T = TypeVar("T")


class Store:
    """The log, and the only writer of it in this process. Make one with `Store.open`.

    Concurrency: belongs to the loop it was opened on. Other processes may write the same file: every
    transaction reads the end of the chain from it, and nothing is remembered from one to the next.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        reader: Reader,
        projections: Projections,
        writer: Writer,
        redactor: Redactor,
    ) -> None:
        self.path = path
        self.redactor = redactor
        """What masks every event before it is appended; also for output on its way to people."""
        self.clock = clock
        self.reader = reader
        self._projections = projections
        self._writer = writer

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        clock: Clock | None = None,
        runner: str = "local",
        projections: Iterable[Projection] | None = None,
        redactor: Redactor | None = None,
    ) -> Store:
        """Return the log at PATH, made (mode 0600, its folder 0700) or migrated when that is needed.

        RUNNER names this machine in the events; PROJECTIONS are those of `descartes_core.projections`
        unless a test gives others; REDACTOR knows the values of secrets; without one those that
        this process was given in its environment.
        Errors: `StoreUnavailable` when the file or its folder cannot be written, or is a newer program's;
        `TimedOut` when another process holds it too long.
        """
        clock = clock or SystemClock()
        known = Projections(standard_projections() if projections is None else projections)
        redactor = redactor or protecting(Redactor())
        connection = await asyncio.to_thread(connect, path, clock, known)
        writer = Writer(connection, path, clock, runner, known, redactor, asyncio.get_running_loop())
        return cls(path, clock, await Reader.open(path), known, writer, redactor)

    async def append(self, *events: NewEvent, expected: Mapping[str, int] | None = None) -> list[Event]:
        """Append EVENTS together, or none of them, and return them as published once they are on disk.

        EXPECTED maps streams to the version they must have before.
        Errors: `StreamConflict`, `StoreUnavailable`, `TimedOut`.
        """
        before = dict(expected or {})

        def body(tx: Transaction) -> list[Event]:
            for stream, version in before.items():
                tx.expect(stream, version)
            return [tx.append(event) for event in events]

        return await self.transact(body)

    def post(self, *events: NewEvent, flushed: bool = True) -> asyncio.Future[list[Event]]:
        """Have EVENTS appended after everything submitted before; the future is what `append` would return.

        For what need not wait for the disk before it goes on, but whose place in the log counts. Without
        FLUSHED they are written when the future is done, and outlive every process; what they tell of is
        lost itself when the machine stops, and the disk has them a moment later.
        """
        return self._writer.submit(lambda tx: [tx.append(event) for event in events], flushed=flushed)

    async def transact(self, body: Callable[[Transaction], T]) -> T:
        """Return what BODY returns, run in the writer's thread inside one transaction, once it is on disk.

        BODY must be short, touch nothing of the loop's, and may be run once at most; when it raises, all
        that it did is undone and its exception is raised here. A cancelled caller does not know whether
        BODY ran: look at the log.
        """
        result: T = await self._writer.submit(body)
        return result

    def on_events(self, listener: Listener) -> Callable[[], None]:
        """Call LISTENER with a sequence of events after each commit of this process, on the loop, by seq.

        Returns a function that ends it.
        """
        listeners = self._writer.listeners
        listeners.append(listener)
        return lambda: listeners.remove(listener) if listener in listeners else None

    async def rebuild(self) -> None:
        """Drop every projection and fold the whole log again, in one transaction."""
        await self.transact(lambda tx: self._projections.rebuild(tx.connection))

    async def close(self) -> None:
        """Write everything that waits and close the log; later appends raise `StoreUnavailable`."""
        # The writer last: only a connection that may write can fold the write-ahead log into the file.
        await self.reader.close()
        await self._writer.close()


def standard_projections() -> Iterable[Projection]:
    """Return the projections that every log is opened with."""
    from descartes_core.projections import standard

    return standard()


def connect(path: Path, clock: Clock, projections: Projections) -> sqlite3.Connection:
    """Return a connection that may write the log at PATH, which is made or migrated when that is needed.

    Errors: as of `Store.open`.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreUnavailable(
            f"The log {str(path)!r} cannot be written: {error.strerror}; check the permissions of its folder"
        ) from None
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    try:
        _prepare(connection, clock, projections)
    except BaseException as error:
        connection.close()
        raise storage_problem(error, path) from None
    return connection


def _prepare(connection: sqlite3.Connection, clock: Clock, projections: Projections) -> None:
    _use_wal(connection)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        migrate(connection, clock)
        projections.install(connection)
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _use_wal(connection: sqlite3.Connection) -> None:
    # SQLite does not wait here as it does for a lock, so two that open a new log at once are told "busy".
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)

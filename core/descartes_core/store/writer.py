"""The one writer thread of a process: waiting bodies share a transaction and its flush to disk.

While one commit waits for the disk, further bodies queue; the next transaction takes all of them. Each body
has a savepoint, so that one that fails leaves its neighbours alone.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from descartes_core.errors import DescartesError, StoreUnavailable
from descartes_core.model import Event
from descartes_core.ports import Clock
from descartes_core.store.problems import storage_problem
from descartes_core.store.projections import Projections
from descartes_core.store.redaction import Redactor
from descartes_core.store.transaction import Transaction

log = logging.getLogger(__name__)

Body = Callable[[Transaction], Any]
Listener = Callable[[Sequence[Event]], None]

GROUP = 1000
"""Bodies in one transaction at most, so that the first does not wait for all of a flood."""


@dataclass(slots=True)
class Job:
    """A body that waits, and what became of it."""

    body: Body
    future: asyncio.Future[Any]
    flushed: bool
    """Whether it is done only when the disk has it, not already when the operating system does."""
    result: Any = None
    error: BaseException | None = None


class Writer:
    """Runs bodies on CONNECTION in a thread of its own; answers and events arrive on LOOP in order."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        clock: Clock,
        runner: str,
        projections: Projections,
        redactor: Redactor,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._connection = connection
        self._path = path
        self._clock = clock
        self._runner = runner
        self._projections = projections
        self._redactor = redactor
        self._loop = loop
        self._waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._closing = False
        self._broken = False
        """Whether a transaction could neither be finished nor taken back; set by the writer's thread."""
        self._flushes = True
        """Whether a commit on the connection waits for the disk, as it is opened."""
        self._ended: asyncio.Future[None] = loop.create_future()
        self.listeners: list[Listener] = []
        # A daemon: a program that forgot to close the log must still be able to exit.
        threading.Thread(target=self._run, name=f"log {path.name}", daemon=True).start()

    def submit(self, body: Body, *, flushed: bool = True) -> asyncio.Future[Any]:
        """Return the future of what BODY returns, done once its transaction is on disk.

        Without FLUSHED it is done when the transaction is written, and flushed to the disk right after.
        """
        if self._closing:
            raise self._closed()
        job = Job(body, self._loop.create_future(), flushed)
        self._waiting.put(job)
        return job.future

    async def close(self) -> None:
        """Write everything that waits, then close the database."""
        if not self._closing:
            self._closing = True
            self._waiting.put(None)
        await asyncio.shield(self._ended)

    def _run(self) -> None:
        last = False
        while not last and not self._broken:
            jobs, last = self._next()
            if jobs:
                flushed = any(job.flushed for job in jobs)
                events = self._commit(jobs, flushed)
                self._post(self._deliver, jobs, events)
                if not flushed:
                    self._flush()
        try:
            self._connection.close()
        except sqlite3.Error:
            log.exception("closing the log %s", self._path)
        self._post(self._finish)

    def _flush_at_commit(self, wanted: bool) -> None:
        if wanted != self._flushes:
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if wanted else 'NORMAL'}")
            self._flushes = wanted

    def _flush(self) -> None:
        """Have the disk take what was committed without waiting for it."""
        try:
            written = os.open(f"{self._path}-wal", os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(written)
            finally:
                os.close(written)
        except OSError:
            log.exception("the log %s was written and could not be flushed", self._path)

    def _next(self) -> tuple[list[Job], bool]:
        """Wait for a job and return all that are there, and whether they are the last."""
        jobs: list[Job] = []
        job = self._waiting.get()
        while job is not None:
            jobs.append(job)
            if len(jobs) == GROUP:
                return jobs, False
            try:
                job = self._waiting.get_nowait()
            except queue.Empty:
                return jobs, False
        return jobs, True

    def _commit(self, jobs: list[Job], flushed: bool) -> list[Event]:
        try:
            self._flush_at_commit(flushed)
            self._connection.execute("BEGIN IMMEDIATE")
            tx = Transaction(self._connection, self._clock, self._runner, self._projections, self._redactor)
            for job in jobs:
                # Nobody waits for it any more, and nothing was done yet.
                if not job.future.cancelled():
                    self._run_body(tx, job)
            tx.finish()
            self._connection.execute("COMMIT")
            return tx.events
        except Exception as error:
            self._take_back()
            problem = storage_problem(error, self._path)
            for job in jobs:
                job.error = problem
            return []

    def _take_back(self) -> None:
        """Undo the open transaction; where SQLite cannot even do that, write nothing any more."""
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            log.exception("the log %s could not be brought back to its last transaction", self._path)
            self._broken = True

    def _run_body(self, tx: Transaction, job: Job) -> None:
        mark = tx.begin_body()
        self._connection.execute("SAVEPOINT body")
        try:
            job.result = job.body(tx)
        except BaseException as error:
            if not self._connection.in_transaction:
                # SQLite gave up the whole transaction (disk full, input or output error).
                raise sqlite3.OperationalError(str(error)) from error
            job.error = error if isinstance(error, DescartesError) else storage_problem(error, self._path)
            self._connection.execute("ROLLBACK TO body")
            tx.undo_body(mark)
        self._connection.execute("RELEASE body")

    def _closed(self) -> StoreUnavailable:
        if self._broken:
            return StoreUnavailable(
                f"The log {str(self._path)!r} was closed because a change could not be taken back;"
                " check the disk and open it again"
            )
        return StoreUnavailable(f"The log {str(self._path)!r} was closed; open it again")

    def _post(self, callback: Callable[..., object], *arguments: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *arguments)
        except RuntimeError:
            # The loop was closed; what was committed stands in the log, and nobody is left to be told.
            log.debug("the loop of the log %s is closed", self._path)

    def _deliver(self, jobs: list[Job], events: list[Event]) -> None:
        for job in jobs:
            if job.future.done():
                continue
            if job.error is None:
                job.future.set_result(job.result)
            else:
                job.future.set_exception(job.error)
        if events:
            for listener in tuple(self.listeners):
                self._tell(listener, events)

    def _tell(self, listener: Listener, events: list[Event]) -> None:
        try:
            listener(events)
        except Exception:
            log.exception("a listener of the log failed")

    def _finish(self) -> None:
        # On the loop, as `submit` is: nothing can begin to wait behind this.
        self._closing = True
        while not self._waiting.empty():
            job = self._waiting.get_nowait()
            if job is not None and not job.future.done():
                job.future.set_exception(self._closed())
        if not self._ended.done():
            self._ended.set_result(None)

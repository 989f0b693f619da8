"""`DirectStore`: the log written by whoever calls, for programs without an event loop.

The transactions are those of `Store`, so both may write the same file at the same time. What it does not do:
group the commits of several callers, or tell listeners.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from descartes_core.errors import StoreUnavailable
from descartes_core.model import Event, NewEvent
from descartes_core.ports import Clock, SystemClock
from descartes_core.store.log import connect, standard_projections
from descartes_core.store.migrations import check_version
from descartes_core.store.problems import storage_problem
from descartes_core.store.projections import Projection, Projections
from descartes_core.store.redaction import Redactor
from descartes_core.store.secret_variables import protecting
from descartes_core.store.transaction import Transaction

T = TypeVar("T")
Row = dict[str, Any]


class Verbatim(Redactor):
    """Masks nothing but the values it was told: for a log of a person's own data that is nobody else's."""

    def event(self, event: NewEvent) -> NewEvent:
        """Return EVENT without these values."""
        return msgspec.structs.replace(event, data=self.values_in(event.data))

    def keys(self, text: str) -> str:
        """Return TEXT without these values; what only looks like a key stays."""
        masked: str = self.values_in(text)
        return masked


class DirectStore:
    """The log at PATH, opened for writing in the caller's own thread.

    Errors: as of `Store.open`.
    Concurrency: safe from any thread; one transaction at a time. Every call blocks until the disk has it.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock | None = None,
        runner: str = "local",
        projections: Iterable[Projection] | None = None,
        redactor: Redactor | None = None,
    ) -> None:
        self.path = path
        self.clock = clock or SystemClock()
        self.redactor = protecting(redactor or Redactor())
        self._runner = runner
        self._projections = Projections(standard_projections() if projections is None else projections)
        self._lock = threading.RLock()
        self._connection = connect(path, self.clock, self._projections)
        # A program may end, or forget the log, without closing it.
        self._closing = weakref.finalize(self, self._connection.close)

    def append(self, *events: NewEvent) -> Sequence[Event]:
        """Append EVENTS together, or none of them, and return them as published once they are on disk."""
        return self.transact(lambda tx: [tx.append(event) for event in events])

    def transact(self, body: Callable[[Transaction], T]) -> T:
        """Return what BODY returns, run inside one transaction, once it is on disk.

        When BODY raises, all that it did is undone and its exception is raised here.
        Errors: `StoreUnavailable`, `TimedOut`.
        """
        with self._lock:
            self._check_open()
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                tx = self._transaction()
                result = body(tx)
                tx.finish()
                self._connection.execute("COMMIT")
                return result
            except BaseException as error:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise storage_problem(error, self.path) from error.__cause__

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> Sequence[Row]:
        """Return what the SELECT statement SQL finds, a dict each."""
        with self._lock:
            self._check_open()
            return fetch(self._connection, self.path, sql, parameters)

    def close(self) -> None:
        """Close the log; later calls raise `StoreUnavailable`."""
        with self._lock:
            self._closing()

    def _transaction(self) -> Transaction:
        return Transaction(self._connection, self.clock, self._runner, self._projections, self.redactor)

    def _check_open(self) -> None:
        if not self._closing.alive:
            raise StoreUnavailable(f"The log {str(self.path)!r} was closed; open it again")


def read(path: Path, use: Callable[[Callable[..., Sequence[Row]]], T]) -> T:
    """Return what USE returns, given a function `rows(sql, parameters)` over one moment of the log at PATH.

    A missing log is an empty one: no statement finds anything.
    Errors: `StoreUnavailable` when the file is no log or a newer program's; `TimedOut`.
    """
    if not path.exists():
        return use(lambda sql, parameters=(): [])
    try:
        with closing(_open_to_read(path)) as connection:
            check_version(connection.execute("PRAGMA user_version").fetchone()[0])
            connection.execute("BEGIN")
            return use(lambda sql, parameters=(): fetch(connection, path, sql, parameters))
    except sqlite3.Error as error:
        raise storage_problem(error, path) from None


def fetch(connection: sqlite3.Connection, path: Path, sql: str, parameters: Sequence[Any]) -> Sequence[Row]:
    """Return what SQL finds on CONNECTION, a dict each; nothing where its table was never made."""
    try:
        cursor = connection.execute(sql, tuple(parameters))
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]
    except sqlite3.Error as error:
        if str(error).startswith("no such table"):
            return []
        raise storage_problem(error, path) from None


def _open_to_read(path: Path) -> sqlite3.Connection:
    uri = path.absolute().as_uri()
    # WAL needs a file for shared memory beside the log. Where none can be made nobody writes either.
    mode = "mode=ro" if os.access(path.parent, os.W_OK) else "immutable=1"
    return sqlite3.connect(f"{uri}?{mode}", uri=True, isolation_level=None)

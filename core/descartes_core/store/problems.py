"""What SQLite's errors mean for a person."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from descartes_core.errors import StoreUnavailable, TimedOut

BUSY_SECONDS = 30.0
"""How long a write waits for another process that holds the database."""

_ADVICE = {
    sqlite3.SQLITE_READONLY: "cannot be written; check its permissions and those of its folder",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; check that its folder exists and may be written",
    sqlite3.SQLITE_PERM: "cannot be opened; check its permissions",
    sqlite3.SQLITE_FULL: "could not grow: the disk is full; make room and repeat the change",
    sqlite3.SQLITE_IOERR: "could not be read or written: the disk reports an error; check the disk",
    sqlite3.SQLITE_CORRUPT: "is damaged; descartes history verify says where, restore it from a copy",
    sqlite3.SQLITE_NOTADB: "is not a database; move that file away",
}


def storage_problem(error: BaseException, path: Path) -> BaseException:
    """Return what to raise for ERROR on the database at PATH; ERROR itself when it is not the storage's."""
    if not isinstance(error, sqlite3.Error):
        return error
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if isinstance(code, int) else None
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return TimedOut(
            f"The log {str(path)!r} was locked by another program for more than {BUSY_SECONDS:.0f} s;"
            " end that program or wait for it"
        )
    if primary in _ADVICE:
        return StoreUnavailable(f"The log {str(path)!r} {_ADVICE[primary]}")
    if isinstance(error.__cause__, sqlite3.Error):
        return storage_problem(error.__cause__, path)
    return error

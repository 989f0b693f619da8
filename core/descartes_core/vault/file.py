"""The file of the vault: one SQLite database that only its owner can read, opened for one transaction.

There is no write-ahead log, because a home may lie on network storage; what is deleted is overwritten.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from descartes_core.errors import StoreUnavailable, TimedOut
from descartes_core.vault.crypto import Damaged

BUSY_SECONDS = 15.0
SCHEMA = """
CREATE TABLE IF NOT EXISTS vault (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  id TEXT NOT NULL,
  format INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  owner TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  key_source TEXT NOT NULL,
  kdf_memory_kib INTEGER NOT NULL,
  kdf_time INTEGER NOT NULL,
  kdf_parallelism INTEGER NOT NULL,
  kdf_salt BLOB NOT NULL,
  master_box BLOB NOT NULL,
  seal BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS secret (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  type TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS version (
  secret TEXT NOT NULL REFERENCES secret (id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  revoked_ms INTEGER,
  salt BLOB,
  key_box BLOB,
  value_box BLOB,
  PRIMARY KEY (secret, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS access (
  secret TEXT NOT NULL REFERENCES secret (id) ON DELETE CASCADE,
  principal TEXT NOT NULL,
  level TEXT NOT NULL,
  granted_ms INTEGER NOT NULL,
  granted_by TEXT NOT NULL,
  expires_ms INTEGER,
  PRIMARY KEY (secret, principal)
) WITHOUT ROWID;
"""

_ONE_AT_A_TIME = threading.Lock()
"""Closing any descriptor of a file gives up this process's locks on it, those of another thread too."""


@contextmanager
def transaction(path: Path, *, write: bool, make: bool = False) -> Iterator[sqlite3.Connection]:
    """Give a connection to the vault at PATH inside one transaction, committed when the block ends well.

    MAKE: a file that is not there is made. Errors: `StoreUnavailable` when it is missing, cannot be opened,
    is a link, or could be read by others; `TimedOut` when another process holds it; `Damaged`.
    """
    with _ONE_AT_A_TIME:
        _check(path, make=make)
        try:
            with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
                connection.execute("PRAGMA foreign_keys = ON")
                connection.execute("PRAGMA secure_delete = ON")
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
                if make:
                    _make_tables(connection)
                yield connection
                connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise _problem(error, path) from None


def _check(path: Path, *, make: bool) -> None:
    try:
        if make:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_folder(path.parent)
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | (os.O_CREAT if make else 0)
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        raise StoreUnavailable(
            f"The vault {str(path)!r} cannot be opened: {error.strerror}; check it and its folder"
        ) from None
    try:
        _check_file(path, os.fstat(descriptor))
    finally:
        os.close(descriptor)


def _check_folder(folder: Path) -> None:
    found = folder.stat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise StoreUnavailable(
            f"The folder {str(folder)!r} of the vault must be yours and writable by you alone;"
            f" run `chmod go-w {folder}`"
        )


def _check_file(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        raise StoreUnavailable(f"The vault {str(path)!r} must be a file of its own, not a link or a device")
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise StoreUnavailable(
            f"The vault {str(path)!r} must be yours and readable by you alone; run `chmod 600 {path}`"
        )


def _make_tables(connection: sqlite3.Connection) -> None:
    for statement in SCHEMA.split(";\n"):
        if statement.strip():
            connection.execute(statement)


def _problem(error: sqlite3.Error, path: Path) -> Exception:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return TimedOut(
            f"The vault {str(path)!r} was held by another process for {BUSY_SECONDS:g} s; try again"
        )
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN):
        return StoreUnavailable(
            f"The vault {str(path)!r} cannot be written: {error}; make room or a way there"
        )
    return Damaged(damaged(path))


def damaged(path: Path) -> str:
    """Return the sentence for a vault at PATH that is not as it was written."""
    return (
        f"The vault {str(path)!r} is not as Descartes wrote it: it was damaged or changed;"
        " put back a copy of it, or move it away and import an export"
    )

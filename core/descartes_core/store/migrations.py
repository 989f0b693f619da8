"""The schema of the log as numbered steps; a database remembers which it has had, each with its checksum.

A step that was released is never edited: a change is a new step at the end. `PRAGMA user_version` repeats
the number of the last step, so that a reader can check it in one cheap statement. Tables of projections are
not here: they can be dropped and folded again, so their definitions live beside their folds.
"""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import dataclass

from descartes_core.errors import StoreUnavailable
from descartes_core.ports import Clock


@dataclass(frozen=True)
class Migration:
    """One step; its NUMBER is its place in `MIGRATIONS`, counted from 1."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


M001 = """
CREATE TABLE event (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  stream TEXT NOT NULL,
  version INTEGER NOT NULL,
  ts_ms INTEGER NOT NULL,
  runner_id TEXT NOT NULL,
  category TEXT NOT NULL,
  name TEXT NOT NULL,
  run_id TEXT,
  session_id TEXT,
  agent_id TEXT,
  actor TEXT NOT NULL,
  parent_id TEXT,
  correlation_id TEXT,
  git_commit TEXT,
  tags TEXT NOT NULL,
  data TEXT,
  meta TEXT,
  data_sha256 TEXT NOT NULL,
  meta_sha256 TEXT NOT NULL,
  prev_hash TEXT NOT NULL,
  hash TEXT NOT NULL,
  UNIQUE (stream, version)
);
CREATE INDEX event_kinds ON event (category, name);
CREATE INDEX event_run ON event (run_id, category, name) WHERE run_id IS NOT NULL;
CREATE INDEX event_session ON event (session_id, category, name) WHERE session_id IS NOT NULL;
CREATE INDEX event_parent ON event (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX event_commit ON event (git_commit) WHERE git_commit IS NOT NULL;

-- The end of the chain, so that rows cut off at the end are noticed too.
CREATE TABLE head (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  seq INTEGER NOT NULL,
  hash TEXT NOT NULL,
  ts_ms INTEGER NOT NULL
);

-- The events whose time is before that of the event in front of them (a clock was set back). Between two of
-- them time never falls, so that a time is found by halving.
CREATE TABLE clock_step (seq INTEGER PRIMARY KEY);

CREATE TABLE projection (name TEXT PRIMARY KEY, version INTEGER NOT NULL);

-- Who waits for a lease, in the order in which they came. Not history: a place ends with its process.
CREATE TABLE lease_queue (
  place INTEGER PRIMARY KEY AUTOINCREMENT,
  owner TEXT NOT NULL,
  seen_ms INTEGER NOT NULL,
  deadline_ms INTEGER NOT NULL,
  request TEXT NOT NULL
);
"""

M002 = """
CREATE INDEX event_agent ON event (agent_id, category, name) WHERE agent_id IS NOT NULL;
"""

MIGRATIONS = (Migration(1, "the log", M001), Migration(2, "events by agent", M002))

SCHEMA_VERSION = len(MIGRATIONS)


def migrate(connection: sqlite3.Connection, clock: Clock) -> None:
    """Bring the database of CONNECTION to `SCHEMA_VERSION`, in one write transaction that the caller opened.

    Errors: `StoreUnavailable` when a newer program wrote it, or a step in it is not the one known here.
    """
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migration"
        " (number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL,"
        " applied_ms INTEGER NOT NULL)"
    )
    applied: dict[int, str] = dict(connection.execute("SELECT number, checksum FROM migration"))
    check_version(max(applied, default=0))
    for step in MIGRATIONS:
        if step.number not in applied:
            _apply(connection, step, clock.now_ms())
        elif applied[step.number] != step.checksum:
            raise StoreUnavailable(
                f"Step {step.number} ({step.name}) of the log's schema is not the one this program knows;"
                " use the program that wrote this log, or move the log away to start a new one"
            )


def check_version(version: int) -> None:
    """Raise `StoreUnavailable` when a log of schema VERSION was written by a newer program than this."""
    if version > SCHEMA_VERSION:
        raise StoreUnavailable(
            f"The log has schema version {version}, and this program knows versions up to {SCHEMA_VERSION};"
            " update Descartes"
        )


def _apply(connection: sqlite3.Connection, step: Migration, now_ms: int) -> None:
    for statement in statements(step.sql):
        connection.execute(statement)
    connection.execute(
        "INSERT INTO migration VALUES (?, ?, ?, ?)", (step.number, step.name, step.checksum, now_ms)
    )
    connection.execute(f"PRAGMA user_version = {step.number}")


def statements(sql: str) -> list[str]:
    """Return the statements of SQL one by one (`executescript` would end the open transaction)."""
    found: list[str] = []
    rest = ""
    for line in sql.splitlines(keepends=True):
        rest += line
        if sqlite3.complete_statement(rest):
            found.append(rest.strip())
            rest = ""
    return found

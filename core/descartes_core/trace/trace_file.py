"""`.trace` files: a session in one SQLite file that other programs of the Trace document read and write too.

Tables `metadata(key, value)`, `state(key, value_json)`, `trajectory(seq_num, timestamp, agent_id,
entry_type, content_json)` and `artifacts(name, data)` are that document's, schema version 1. What it has no
place for stands in tables of our own, which others leave alone: `descartes_version`, every version of every
artifact, and `descartes_blob`, the bytes of those that are not the newest.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from descartes_core.model import NewEvent
from descartes_core.ports import new_id
from descartes_core.store.redaction import Redactor
from descartes_core.store.transaction import Transaction
from descartes_core.trace import entries, exact
from descartes_core.trace.blobs import Blobs
from descartes_core.trace.entries import EntryData, Record
from descartes_core.trace.errors import SaveFailed
from descartes_core.trace.reading import SessionRow
from descartes_core.trace.saved import SavedSession
from descartes_core.trace.state import SessionState, fold
from descartes_core.trace.types import DEFAULT_MAX_ARTIFACT_SIZE, SCHEMA_VERSION, EntryType

SCHEMA = """
CREATE TABLE metadata (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE state (key TEXT PRIMARY KEY, value_json TEXT NOT NULL);
CREATE TABLE trajectory (
  seq_num INTEGER PRIMARY KEY,
  timestamp TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  entry_type TEXT NOT NULL,
  content_json TEXT NOT NULL
);
CREATE TABLE artifacts (name TEXT PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE descartes_version (
  seq_num INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  size INTEGER NOT NULL,
  sha256 TEXT
);
CREATE TABLE descartes_blob (sha256 TEXT PRIMARY KEY, data BLOB NOT NULL);
"""


def write(path: Path, session: SessionRow, records: Sequence[Record], blobs: Blobs) -> None:
    """Write SESSION with its RECORDS to PATH, wholly or not at all.

    Errors: `SaveFailed`; those of `Blobs.get`.
    """
    written = draft(path, session, records, blobs)
    try:
        written.put(replace=True)
    finally:
        written.discard()


@dataclass(frozen=True)
class Draft:
    """A session written whole to FILE, beside PATH, where it is to be."""

    path: Path
    file: Path

    def put(self, *, replace: bool) -> None:
        """Make it the file at its path; one that is there goes only to REPLACE it. Errors: `SaveFailed`."""
        if not replace and os.path.lexists(self.path):
            raise SaveFailed(
                f"Expected a new file, {str(self.path)!r} is there already;"
                " choose another name, or replace it"
            )
        try:
            self.file.replace(self.path)
        except OSError as error:
            raise _not_saved(self.path, error) from None

    def discard(self) -> None:
        """Take away what was written and is not at its path."""
        for left in (self.file, self.file.with_name(f"{self.file.name}-journal")):
            with contextlib.suppress(OSError):
                left.unlink()


def draft(path: Path, session: SessionRow, records: Sequence[Record], blobs: Blobs) -> Draft:
    """Return SESSION with its RECORDS, written beside PATH.

    Errors: `SaveFailed`; those of `Blobs.get`.
    """
    made = Draft(path, path.with_name(f".{path.name[:100]}.{uuid.uuid4().hex[:8]}"))
    try:
        with closing(sqlite3.connect(made.file, isolation_level=None)) as connection:
            connection.executescript(SCHEMA)
            connection.execute("BEGIN")
            _fill(connection, session, records, blobs)
            connection.execute("COMMIT")
    except (sqlite3.Error, OSError) as error:
        made.discard()
        raise _not_saved(path, error) from None
    except BaseException:
        made.discard()
        raise
    return made


def _not_saved(path: Path, error: Exception) -> SaveFailed:
    return SaveFailed(
        f"The session cannot be saved to {str(path)!r}: {error}; choose a folder that can be written"
    )


def _fill(
    connection: sqlite3.Connection, session: SessionRow, records: Sequence[Record], blobs: Blobs
) -> None:
    held = fold(records)
    connection.executemany("INSERT INTO metadata VALUES (?, ?)", _metadata(session, held).items())
    connection.executemany(
        "INSERT INTO state VALUES (?, ?)", ((key, _text(value)) for key, value in held.values.items())
    )
    connection.executemany("INSERT INTO trajectory VALUES (?, ?, ?, ?, ?)", map(_row, records))
    for name, artifact in held.artifacts.items():
        if artifact.blob is not None:
            connection.execute("INSERT INTO artifacts VALUES (?, ?)", (name, blobs.get(artifact.blob, name)))
    newest = {artifact.blob for artifact in held.artifacts.values()}
    for record in records:
        if record.effective and record.entry.entry_type is EntryType.ARTIFACT_WRITTEN:
            _fill_version(connection, record, blobs, keep=record.blob not in newest)


def _fill_version(connection: sqlite3.Connection, record: Record, blobs: Blobs, *, keep: bool) -> None:
    name, size = record.entry.content["name"], record.entry.content["size"]
    connection.execute(
        "INSERT INTO descartes_version VALUES (?, ?, ?, ?)", (record.entry.seq_num, name, size, record.blob)
    )
    if keep and record.blob is not None:
        connection.execute(
            "INSERT OR IGNORE INTO descartes_blob VALUES (?, ?)",
            (record.blob, blobs.get(record.blob, name)),
        )


def _metadata(session: SessionRow, held: SessionState) -> Mapping[str, str]:
    limit = session.max_artifact_size
    told = {
        "schema_version": str(SCHEMA_VERSION),
        "session_id": session.id,
        "max_artifact_size": str(DEFAULT_MAX_ARTIFACT_SIZE if limit is None else limit),
        "state_version": str(held.version),
    }
    return told if session.parent is None else {**told, "descartes_parent": session.parent}


def _row(record: Record) -> tuple[Any, ...]:
    entry = record.entry
    return (
        entry.seq_num,
        entry.timestamp.isoformat(),
        entry.agent_id,
        entry.entry_type.value,
        _text(entry.content),
    )


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


Entry = tuple[str, EntryType, EntryData]
"""Who did what, and its data."""


def entries_of(saved: SavedSession, source: str, redactor: Redactor, blobs: Blobs) -> Sequence[Entry]:
    """Return what `import_into` is to append for SAVED, read from the file SOURCE: its entries and one more.

    What REDACTOR would mask is put into BLOBS.
    """
    made: list[Entry] = []
    held = SessionState()
    for entry, effective in saved.entries:
        blob = saved.versions.get(entry.seq_num) if effective else None
        held.apply(Record(entry, 0, "", effective, blob))
        data = EntryData(
            seq_num=entry.seq_num,
            content=entry.content,
            effective=effective,
            blob=blob,
            at=entry.timestamp.isoformat(),
        )
        made.append((redactor.values_in(entry.agent_id), entry.entry_type, data))
    loaded = EntryData(seq_num=held.seq_num + 1, content={"path": source}, correction=saved.correction(held))
    made.append(("system", EntryType.SESSION_LOADED, loaded))
    return [_kept(each, redactor, blobs) for each in made]


def _kept(entry: Entry, redactor: Redactor, blobs: Blobs) -> Entry:
    agent_id, entry_type, data = entry
    event = exact.keep(entries.new_event("", agent_id, entry_type, data), redactor, blobs)
    return agent_id, entry_type, msgspec.structs.replace(data, exact=event.data.get("exact"))


def import_into(tx: Transaction, saved: SavedSession, made: Sequence[Entry], source: str) -> str:
    """Append inside TX the session SAVED, read from the file SOURCE, with the entries MADE; return its id.

    A session that the log has already is left alone: the file then becomes a session with an id of its own,
    whose parent is that one.
    """
    present = tx.execute("SELECT 1 FROM session WHERE id = ?", (saved.session_id,)).fetchone() is not None
    name = new_id("ses") if present else saved.session_id
    tx.append(_beginning(name, saved, source, present=present), expected=0)
    for agent_id, entry_type, data in made:
        tx.append(entries.new_event(name, agent_id, entry_type, data))
    return name


def _beginning(name: str, saved: SavedSession, source: str, *, present: bool) -> NewEvent:
    data: dict[str, Any] = {
        "session": name,
        "source": source,
        "savedAs": saved.session_id,
        "maxArtifactSize": saved.max_artifact_size,
    }
    if present:
        data["parent"] = saved.session_id
    return NewEvent(
        category="system",
        name=entries.IMPORTED,
        stream=entries.stream(name),
        actor=entries.principal("system"),
        session=name,
        data=data,
    )

"""A `.trace` file as it was found: everything in it is checked before any of it is believed."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from descartes_core.store.redaction import Redactor
from descartes_core.trace.blobs import Blobs
from descartes_core.trace.errors import (
    FileNotFound,
    LoadFailed,
    SchemaMismatch,
    SessionCorrupted,
    ValidationFailed,
)
from descartes_core.trace.state import SessionState
from descartes_core.trace.types import SCHEMA_VERSION, EntryType, TrajectoryEntry
from descartes_core.trace.values import check_artifact_name, check_name, copy_json

_TABLES = {"metadata", "state", "trajectory", "artifacts"}
_OWN_TABLES = {"descartes_version", "descartes_blob"}


@dataclass(frozen=True)
class SavedSession:
    """What a file has; the bytes of its artifacts are blobs already."""

    session_id: str
    max_artifact_size: int
    state_version: int
    state: Mapping[str, Any]
    entries: Sequence[tuple[TrajectoryEntry, bool]]
    """Each entry with whether it changed state or artifacts."""
    newest: Mapping[str, tuple[str, int]]
    """Digest and size of every artifact as it was last."""
    versions: Mapping[int, str]
    """The digest of what an entry wrote, by its number; only files of our own have it."""

    def correction(self, held: SessionState) -> dict[str, Any] | None:
        """Return what the file has beside HELD, which its trajectory leads to; None when that is all."""
        correction: dict[str, Any] = {}
        if (self.state, self.state_version) != (held.values, held.version):
            correction |= {"state": self.state, "stateVersion": self.state_version}
        if self.newest != {name: (each.blob, each.size) for name, each in held.artifacts.items()}:
            correction["artifacts"] = {
                name: {"blob": blob, "size": size} for name, (blob, size) in self.newest.items()
            }
        return correction or None


def read(path: Path, blobs: Blobs, redactor: Redactor) -> SavedSession:
    """Return the session saved at PATH, which is only read, with the bytes of its artifacts put into BLOBS.

    Values of secrets that REDACTOR knows are masked in those bytes.
    Errors: `FileNotFound`, `LoadFailed`, `SessionCorrupted`, `SchemaMismatch`; those of `Blobs.put`.
    """
    try:
        with path.open("rb") as file:
            file.read(1)
    except FileNotFoundError:
        raise FileNotFound(f"There is no file {str(path)!r}; check the path") from None
    except (OSError, ValueError) as error:
        raise LoadFailed(f"The file {str(path)!r} cannot be read: {error}; check the path") from None
    # A file beside which its write-ahead log was left has to be opened as a database that may be in use.
    in_use = Path(f"{path}-wal").exists() and os.access(path.absolute().parent, os.W_OK)
    mode = "mode=ro" if in_use else "immutable=1"
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True)) as connection:
        return _File(connection, path, blobs, redactor).read()


class _File:
    """An open file. Errors: `SessionCorrupted` everywhere."""

    def __init__(self, connection: sqlite3.Connection, path: Path, blobs: Blobs, redactor: Redactor) -> None:
        self._connection = connection
        self._path = path
        self._blobs = blobs
        self._redactor = redactor
        self._masked: dict[str, str] = {}
        """The digest of what is kept, for bytes that are kept masked."""

    def read(self) -> SavedSession:
        tables = {row[0] for row in self._rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if missing := sorted(_TABLES - tables):
            raise self._corrupted(f"it has no table {missing[0]!r}")
        session_id, limit, version = self._metadata()
        state = {key: self._json(text) for key, text in self._rows("SELECT key, value_json FROM state")}
        entries = list(self._entries())
        versions: dict[int, str] = {}
        if tables >= _OWN_TABLES:
            versions = dict(self._rows("SELECT seq_num, sha256 FROM descartes_version"))
            self._unpack_older()
        newest = dict(self._unpack())
        versions = {seq: self._masked.get(digest, digest) for seq, digest in versions.items()}
        return SavedSession(session_id, limit, version, state, entries, newest, versions)

    def _metadata(self) -> tuple[str, int, int]:
        told = dict(self._rows("SELECT key, value FROM metadata"))
        version = told.get("schema_version", "none")
        if version != str(SCHEMA_VERSION):
            raise SchemaMismatch(
                f"Expected schema version {SCHEMA_VERSION} in {str(self._path)!r}, got {version};"
                " save it with a program that writes that version"
            )
        try:
            name = check_name(told.get("session_id"), "the id of a session")
            return name, int(told["max_artifact_size"]), int(told["state_version"])
        except (KeyError, ValueError, TypeError, ValidationFailed) as error:
            raise self._corrupted(f"its metadata is not complete ({error})") from None

    def _entries(self) -> Iterator[tuple[TrajectoryEntry, bool]]:
        version = last = 0
        for row in self._rows(
            "SELECT seq_num, timestamp, agent_id, entry_type, content_json FROM trajectory ORDER BY seq_num"
        ):
            entry = self._entry(*row)
            effective = _changes(entry, version)
            if effective and "state_version" in entry.content:
                version = entry.content["state_version"]
            last = entry.seq_num
            yield entry, effective
        if not last:
            raise self._corrupted("its trajectory is empty")

    def _entry(self, seq_num: Any, timestamp: Any, agent: Any, kind: Any, content: Any) -> TrajectoryEntry:
        try:
            at = datetime.fromisoformat(timestamp)
            told = self._json(content)
            if type(seq_num) is not int or seq_num < 1 or not isinstance(told, dict):
                raise ValueError
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
            return TrajectoryEntry(seq_num, at, check_name(agent, "an agent"), EntryType(kind), told)
        except (ValueError, TypeError, ValidationFailed):
            raise self._corrupted(f"entry {seq_num!r:.20} of its trajectory is none") from None

    def _unpack(self) -> Iterator[tuple[str, tuple[str, int]]]:
        for name, data in self._rows("SELECT name, data FROM artifacts ORDER BY name"):
            if not isinstance(data, bytes):
                raise self._corrupted(f"its artifact {name!r:.60} is no bytes")
            yield check_artifact_name(name), self._keep(data)

    def _unpack_older(self) -> None:
        for digest, data in self._rows("SELECT sha256, data FROM descartes_blob"):
            if not isinstance(data, bytes) or hashlib.sha256(data).hexdigest() != digest:
                raise self._corrupted(f"the bytes of {digest!r:.70} were changed")
            self._keep(data)

    def _keep(self, data: bytes) -> tuple[str, int]:
        """Put DATA into the blobs, masked; returns digest and size of what is kept."""
        kept = self._redactor.values_in_bytes(data)
        digest = self._blobs.put(kept)
        if kept != data:
            self._masked[hashlib.sha256(data).hexdigest()] = digest
        return digest, len(kept)

    def _json(self, text: Any) -> Any:
        try:
            return copy_json(json.loads(text))
        except (ValueError, TypeError, RecursionError, ValidationFailed):
            raise self._corrupted(f"{text!r:.40} is no JSON") from None

    def _rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        try:
            for row in self._connection.execute(sql):  # noqa: UP028 (delegation closes the cursor late)
                yield row
        except sqlite3.Error as error:
            raise self._corrupted(str(error)) from None

    def _corrupted(self, why: str) -> SessionCorrupted:
        return SessionCorrupted(
            f"Expected a saved session in {str(self._path)!r}, but {why}; take another copy of the file"
        )


def _changes(entry: TrajectoryEntry, version: int) -> bool:
    """Return whether ENTRY, behind state VERSION, is a change and not only written down as one."""
    content = entry.content
    match entry.entry_type:
        case EntryType.STATE_SET | EntryType.STATE_DELETED:
            told = entry.entry_type is EntryType.STATE_DELETED or "new_value" in content
            follows = content.get("state_version") == version + 1
            return told and follows and isinstance(content.get("key"), str)
        case EntryType.ARTIFACT_WRITTEN:
            return isinstance(content.get("name"), str) and isinstance(content.get("size"), int)
        case EntryType.ARTIFACT_DELETED:
            return isinstance(content.get("name"), str)
    return False

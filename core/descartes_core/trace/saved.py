"""A `.trace` file as it was found: checked first, then read piece by piece."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from descartes_core.trace.blobs import Blobs
from descartes_core.trace.errors import FileNotFound, LoadFailed, SchemaMismatch, SessionCorrupted
from descartes_core.trace.state import SessionState
from descartes_core.trace.types import SCHEMA_VERSION, EntryType, TrajectoryEntry
from descartes_core.trace.values import check_name

_TABLES = {"metadata", "state", "trajectory", "artifacts"}


class Saved:
    """The session in an open `.trace` file. Errors: `SessionCorrupted` everywhere."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        tables = {row[0] for row in self._rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables >= _TABLES:
            raise self._corrupted(f"it has no table {sorted(_TABLES - tables)[0]!r}")
        self._whole = tables >= {"descartes_version", "descartes_blob"}
        told = dict(self._rows("SELECT key, value FROM metadata"))
        version = told.get("schema_version", "none")
        if version != str(SCHEMA_VERSION):
            raise SchemaMismatch(
                f"Expected schema version {SCHEMA_VERSION} in {str(path)!r}, got {version};"
                " save it with a program that writes that version"
            )
        try:
            self.session_id = check_name(told["session_id"], "the id of a session")
            self.max_artifact_size = int(told["max_artifact_size"])
            self.state_version = int(told["state_version"])
        except (KeyError, ValueError) as error:
            raise self._corrupted(f"its metadata has no good {error}") from None

    def entries(self) -> Iterator[tuple[TrajectoryEntry, bool]]:
        """Yield the entries in order, each with whether it changed state or artifacts."""
        version = 0
        for row in self._rows(
            "SELECT seq_num, timestamp, agent_id, entry_type, content_json FROM trajectory ORDER BY seq_num"
        ):
            entry = self._entry(*row)
            effective = _changes(entry, version)
            if effective and "state_version" in entry.content:
                version = entry.content["state_version"]
            yield entry, effective

    def unpack(self, blobs: Blobs) -> Mapping[str, str]:
        """Put the bytes of all artifacts into BLOBS; return the digest of each that is not older, by name."""
        newest: dict[str, str] = {}
        for name, data in self._rows("SELECT name, data FROM artifacts ORDER BY name"):
            newest[name] = blobs.put(data)
        if self._whole:
            for digest, data in self._rows("SELECT sha256, data FROM descartes_blob"):
                if hashlib.sha256(data).hexdigest() != digest:
                    raise self._corrupted(f"the bytes {digest!r} were changed")
                blobs.put(data)
        return newest

    def blob_of(self, seq_num: int, newest: Mapping[str, str]) -> str | None:
        """Return the digest of what entry SEQ_NUM wrote, None when the file does not have it any more."""
        if not self._whole:
            return None
        found = list(self._rows("SELECT sha256 FROM descartes_version WHERE seq_num = ?", (seq_num,)))
        return found[0][0] if found else None

    def correction(self, held: SessionState, newest: Mapping[str, str]) -> dict[str, Any] | None:
        """Return what the file has beside HELD, which its trajectory leads to; None when that is all.

        NEWEST is what `unpack` returned.
        """
        state = {key: self._json(text) for key, text in self._rows("SELECT key, value_json FROM state")}
        correction: dict[str, Any] = {}
        if (state, self.state_version) != (held.values, held.version):
            correction |= {"state": state, "stateVersion": self.state_version}
        if dict(newest) != {name: artifact.blob for name, artifact in held.artifacts.items()}:
            sizes = dict(self._rows("SELECT name, length(data) FROM artifacts"))
            correction["artifacts"] = {
                name: {"size": sizes[name], "blob": blob} for name, blob in newest.items()
            }
        return correction or None

    def _entry(self, seq_num: Any, timestamp: Any, agent: Any, kind: Any, content: Any) -> TrajectoryEntry:
        try:
            at = datetime.fromisoformat(timestamp)
            told = self._json(content)
            if type(seq_num) is not int or seq_num < 1 or not isinstance(told, dict):
                raise ValueError
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
            return TrajectoryEntry(
                seq_num, at, check_name(agent, "the id of an agent"), EntryType(kind), told
            )
        except (ValueError, TypeError):
            raise self._corrupted(f"entry {seq_num!r:.20} of its trajectory is none") from None

    def _json(self, text: Any) -> Any:
        try:
            return json.loads(text)
        except (ValueError, TypeError, RecursionError):
            raise self._corrupted(f"{text!r:.40} is no JSON") from None

    def _rows(self, sql: str, parameters: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._connection.execute(sql, parameters)
        except sqlite3.Error as error:
            raise self._corrupted(str(error)) from None

    def _corrupted(self, why: str) -> SessionCorrupted:
        return SessionCorrupted(
            f"Expected a saved session in {str(self._path)!r}, but {why}; take another copy of the file"
        )


@contextmanager
def opened(path: Path) -> Iterator[Saved]:
    """Open the `.trace` file at PATH for as long as the body lasts; it is only read.

    Errors: `FileNotFound`, `LoadFailed`, `SessionCorrupted`, `SchemaMismatch`.
    """
    try:
        with path.open("rb") as file:
            file.read(1)
    except FileNotFoundError:
        raise FileNotFound(f"There is no file {str(path)!r}; check the path") from None
    except OSError as error:
        raise LoadFailed(f"The file {str(path)!r} cannot be read: {error.strerror}; check it") from None
    # A file beside which its write-ahead log was left has to be opened as a database that may be in use.
    in_use = Path(f"{path}-wal").exists() and os.access(path.absolute().parent, os.W_OK)
    mode = "mode=ro" if in_use else "immutable=1"
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True)) as connection:
        connection.execute("PRAGMA query_only = ON")
        yield Saved(connection, path)


def _changes(entry: TrajectoryEntry, version: int) -> bool:
    """Return whether ENTRY, behind state VERSION, is a change and not only written down as one."""
    content = entry.content
    match entry.entry_type:
        case EntryType.STATE_SET:
            return (
                isinstance(content.get("key"), str)
                and "new_value" in content
                and content.get("state_version") == version + 1
            )
        case EntryType.STATE_DELETED:
            return isinstance(content.get("key"), str) and content.get("state_version") == version + 1
        case EntryType.ARTIFACT_WRITTEN:
            return isinstance(content.get("name"), str) and isinstance(content.get("size"), int)
        case EntryType.ARTIFACT_DELETED:
            return isinstance(content.get("name"), str)
    return False

"""`Session`: versioned state, a trajectory and versioned artifacts, kept in a log as they change."""

from __future__ import annotations

import copy
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from descartes_core.errors import StreamConflict
from descartes_core.ports import Clock, new_id
from descartes_core.store import Verification
from descartes_core.store.direct import DirectStore, Verbatim
from descartes_core.store.redaction import Redactor
from descartes_core.store.secret_variables import protecting
from descartes_core.store.verification import verify_file
from descartes_core.trace import entries, places, saved, trace_file, values
from descartes_core.trace.blobs import Blobs
from descartes_core.trace.entries import EntryData
from descartes_core.trace.errors import (
    ArtifactNotFound,
    ArtifactTooLarge,
    SessionInvalidState,
    SessionNotFound,
    ValidationFailed,
)
from descartes_core.trace.reading import SessionReader
from descartes_core.trace.session_log import SessionLog
from descartes_core.trace.state import Artifact, fold
from descartes_core.trace.types import (
    DEFAULT_MAX_ARTIFACT_SIZE,
    SCHEMA_VERSION,
    EntryType,
    TrajectoryEntry,
)


class Session:
    """A session: state, trajectory and artifacts. What a method has done is on disk when it returns.

    Errors: everywhere `SessionInvalidState` when another program went on with the same session.
    Concurrency: safe from any thread; every call blocks. One writer at a time: the second is told.
    Example:
        session = Session()
        session.set("text", "hello")
        session.save("hello.trace")
    """

    def __init__(
        self,
        session_id: str | None = None,
        max_artifact_size: int = DEFAULT_MAX_ARTIFACT_SIZE,
        *,
        workspace: str | os.PathLike[str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Begin a session in a log of its own, or in that of WORKSPACE, the root folder of one.

        SESSION_ID is made when None; MAX_ARTIFACT_SIZE is in bytes.
        Errors: `ValidationFailed`; `SessionInvalidState` when there is a session with this id.
        """
        name = values.check_name(new_id("ses") if session_id is None else session_id, "the id of a session")
        if _redactor(workspace).values_in(name) != name:
            raise ValidationFailed("Expected an id of a session that shows no secret; give another one")
        if type(max_artifact_size) is not int or max_artifact_size < 0:
            raise ValidationFailed(f"Expected a size in bytes, got {max_artifact_size!r}; give 0 or more")
        if workspace is None and session_id is not None and places.own_log(name) is not None:
            raise _taken(name)
        log = places.new_log(name) if workspace is None else places.workspace_log(workspace)
        store = _store(log, workspace, clock)
        content = {
            "session_id": name,
            "max_artifact_size": max_artifact_size,
            "schema_version": SCHEMA_VERSION,
        }
        created = entries.new_event(
            name, "system", EntryType.SESSION_CREATED, EntryData(seq_num=1, content=content)
        )
        try:
            store.transact(lambda tx: tx.append(created, expected=0))
        except StreamConflict:
            store.close()
            raise _taken(name) from None
        self._log = SessionLog(store, SessionReader(store.rows).find(name))

    @classmethod
    def resume(cls, session_id: str, *, workspace: str | os.PathLike[str] | None = None) -> Session:
        """Return the session SESSION_ID as its last change left it, whether it was saved or not.

        Errors: `SessionNotFound`; `SessionInvalidState` for the session of a run.
        """
        path = places.log_of(session_id) if workspace is None else places.workspace_log(workspace)
        if path is None:
            raise SessionNotFound(f"No log has a session {session_id!r}; load the file it was saved to")
        store = _store(path, workspace)
        return cls._of(SessionLog(store, SessionReader(store.rows).find(session_id)))

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        workspace: str | os.PathLike[str] | None = None,
        clock: Clock | None = None,
    ) -> Session:
        """Return the session saved at PATH, going on in a log of its own or in that of WORKSPACE.

        Its id stays the same, except in a workspace that has that session already: there it becomes a
        session of its own. Nothing that was loaded or begun before is changed.
        Errors: `FileNotFound`, `LoadFailed`, `SessionCorrupted`, `SchemaMismatch`.
        """
        folder = places.sessions() if workspace is None else places.workspace_log(workspace).parent
        blobs, source = Blobs(folder), os.fspath(path)
        redactor = _redactor(workspace)
        found = saved.read(Path(path), blobs, redactor)
        log = places.new_log(found.session_id) if workspace is None else folder / places.LOG
        store = DirectStore(log, clock=clock, redactor=redactor)
        made = trace_file.entries_of(found, source, store.redactor, blobs)
        name = store.transact(lambda tx: trace_file.import_into(tx, found, made, source))
        return cls._of(SessionLog(store, SessionReader(store.rows).find(name)))

    @classmethod
    def _of(cls, log: SessionLog) -> Session:
        session = cls.__new__(cls)
        session._log = log
        return session

    @property
    def session_id(self) -> str:
        return self._log.row.id

    @property
    def max_artifact_size(self) -> int:
        """Bytes that an artifact may have."""
        limit = self._log.row.max_artifact_size
        return DEFAULT_MAX_ARTIFACT_SIZE if limit is None else limit

    @property
    def parent(self) -> str | None:
        """The session that this one was forked from."""
        return self._log.row.parent

    @property
    def log_path(self) -> Path:
        """The log that the session is kept in."""
        return self._log.store.path

    # State

    def set(self, key: str, value: Any, agent_id: str | None = None) -> int:
        """Make VALUE, any JSON, the value of KEY, and return the new version of the state.

        Errors: `ValidationFailed`.
        """
        values.check_name(key, "a key of the state")
        new = values.copy_json(value, f"the value of {key!r}")
        with self._log.lock:
            content = {
                "key": key,
                "old_value": self._log.held.values.get(key),
                "new_value": new,
                "state_version": self._log.held.version + 1,
            }
            self._log.append(EntryType.STATE_SET, content, agent_id, effective=True)
            return self._log.held.version

    def get(self, key: str, default: Any = None) -> Any:
        """Return a copy of the value of KEY, DEFAULT when it has none."""
        with self._log.lock:
            return copy.deepcopy(self._log.held.values[key]) if key in self._log.held.values else default

    def delete(self, key: str, agent_id: str | None = None) -> bool:
        """Take KEY out of the state and return whether it was there."""
        with self._log.lock:
            if key not in self._log.held.values:
                return False
            content = {
                "key": key,
                "old_value": self._log.held.values[key],
                "state_version": self._log.held.version + 1,
            }
            self._log.append(EntryType.STATE_DELETED, content, agent_id, effective=True)
            return True

    def keys(self) -> list[str]:
        """Return the keys of the state, in the order in which they came."""
        with self._log.lock:
            return list(self._log.held.values)

    def get_state(self, seq_num: int | None = None) -> dict[str, Any]:
        """Return a copy of the whole state, as it was behind entry SEQ_NUM where given."""
        return copy.deepcopy(self._log.at(seq_num).values)

    def get_state_version(self) -> int:
        """Return how often the state was changed."""
        return self._log.held.version

    def state_hash(self, seq_num: int | None = None) -> str:
        """Return the SHA-256 of state and artifacts behind entry SEQ_NUM, now without one."""
        return self._log.at(seq_num).digest()

    def replay(self) -> str:
        """Return the hash of what the whole trajectory, read again from the log, leads to."""
        with self._log.lock:
            return fold(self._log.records()).digest()

    # Trajectory

    def append(self, agent_id: str, entry_type: EntryType | str, content: dict[str, Any]) -> TrajectoryEntry:
        """Write down that AGENT_ID did something of ENTRY_TYPE; return the entry. It changes no state.

        Errors: `ValidationFailed` for a type that is none of the 15, and for CONTENT that is no JSON object.
        """
        try:
            kind = EntryType(entry_type)
        except ValueError:
            raise ValidationFailed(
                f"Expected one of {', '.join(each.value for each in EntryType)}, got {entry_type!r:.60};"
                " choose one of these"
            ) from None
        values.check_name(agent_id, "the id of an agent")
        if not isinstance(content, dict):
            raise ValidationFailed(f"Expected an object as content, got {content!r:.60}; give a dict")
        with self._log.lock:
            return self._log.append(kind, values.copy_json(content, "the content"), agent_id).entry

    def get_trajectory(self, limit: int | None = None) -> list[TrajectoryEntry]:
        """Return the last LIMIT entries in order, all of them without one."""
        if limit is not None and (type(limit) is not int or limit < 0):
            raise ValidationFailed(f"Expected a limit of 0 or more, got {limit!r}; leave it out for all")
        with self._log.lock:
            return [record.entry for record in self._log.records(limit)]

    # Artifacts

    def write_artifact(self, name: str, data: bytes, agent_id: str | None = None) -> Artifact:
        """Keep DATA as the newest version of the artifact NAME and return that version.

        Values of secrets that this program was given are kept masked, and read so again.
        Errors: `ArtifactTooLarge`, `ArtifactInvalidName`, `ValidationFailed`; `SaveFailed` for a full disk.
        """
        values.check_artifact_name(name)
        if not isinstance(data, bytes | bytearray | memoryview):
            raise ValidationFailed(
                f"Expected bytes as the artifact {name!r}, got {type(data).__name__}; encode it first"
            )
        size = memoryview(data).nbytes
        if size > self.max_artifact_size:
            raise ArtifactTooLarge(
                f"Expected at most {self.max_artifact_size} bytes in the artifact {name!r}, got {size};"
                " give the session a larger max_artifact_size",
                size=size,
                limit=self.max_artifact_size,
            )
        redactor = self._log.store.redactor
        name, kept = redactor.keys(name), redactor.values_in_bytes(bytes(data))
        # On disk before the log speaks of it; what nobody speaks of does no harm.
        blob = self._log.blobs.put(kept)
        with self._log.lock:
            content = {"name": name, "size": len(kept), "version": self._log.held.versions.get(name, 0) + 1}
            self._log.append(EntryType.ARTIFACT_WRITTEN, content, agent_id, effective=True, blob=blob)
            return self._log.held.artifacts[name]

    def read_artifact(self, name: str, seq_num: int | None = None) -> bytes:
        """Return the bytes of the artifact NAME, those behind entry SEQ_NUM where given.

        Errors: `ArtifactNotFound`; `SessionCorrupted` when the bytes were changed on disk.
        """
        artifact = self._artifact(name, seq_num)
        if artifact.blob is None:
            raise ArtifactNotFound(
                f"The bytes of version {artifact.version} of {name!r} were not in the file it came from;"
                " read a newer version"
            )
        return self._log.blobs.get(artifact.blob, name)

    def delete_artifact(self, name: str, agent_id: str | None = None) -> bool:
        """Take the artifact NAME away and return whether it was there; its versions stay readable."""
        with self._log.lock:
            if name not in self._log.held.artifacts:
                return False
            self._log.append(EntryType.ARTIFACT_DELETED, {"name": name}, agent_id, effective=True)
            return True

    def list_artifacts(self, seq_num: int | None = None) -> list[str]:
        """Return the names of the artifacts, sorted, as they were behind entry SEQ_NUM where given."""
        return sorted(self._log.at(seq_num).artifacts)

    def get_artifact_size(self, name: str, seq_num: int | None = None) -> int:
        """Return the size of the artifact NAME in bytes. Errors: `ArtifactNotFound`."""
        return self._artifact(name, seq_num).size

    # The whole

    def snapshot_for_agent(self, agent_id: str, depth: int = 10) -> dict[str, Any]:
        """Return a copy of what AGENT_ID may look at: state, the last DEPTH entries, names of artifacts."""
        values.check_name(agent_id, "the id of an agent")
        now = datetime.fromtimestamp(self._log.store.clock.now_ms() / 1000, UTC)
        with self._log.lock:
            return {
                "session_id": self.session_id,
                "state": self.get_state(),
                "state_version": self._log.held.version,
                "trajectory": [entry.to_dict() for entry in self.get_trajectory(depth)],
                "trajectory_total_length": self._log.held.seq_num,
                "artifacts": self.list_artifacts(),
                "snapshot_time": now.isoformat(),
            }

    def fork(self, seq_num: int | None = None) -> Session:
        """Return a new session that goes on behind entry SEQ_NUM (the last one); this one stays as it is.

        It lives in the same log. Errors: `ValidationFailed` when there is no such entry.
        """
        return self._of(self._log.fork(seq_num))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the session to PATH, a `.trace` file; one that is there is replaced, wholly or not at all.

        Errors: `SaveFailed`.
        """
        with self._log.lock:
            trace_file.write(Path(path), self._log.row, self._log.records(), self._log.blobs)
            self._log.append(EntryType.SESSION_SAVED, {"path": os.fspath(path)}, None)

    def verify(self) -> Verification:
        """Return whether the log of the session is as it was written."""
        return verify_file(self._log.store.path)

    def close(self) -> None:
        """Let go of the log. Nothing needs it to be called: what was done is on disk."""
        self._log.store.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        held = self._log.held
        return f"Session({self.session_id!r}, state_version={held.version}, entries={held.seq_num})"

    def _artifact(self, name: str, seq_num: int | None) -> Artifact:
        try:
            return self._log.at(seq_num).artifacts[name]
        except KeyError:
            raise ArtifactNotFound(
                f"The session has no artifact {name!r}; look at the list of its artifacts"
            ) from None


def _store(log: Path, workspace: str | os.PathLike[str] | None, clock: Clock | None = None) -> DirectStore:
    return DirectStore(log, clock=clock, redactor=_redactor(workspace))


def _redactor(workspace: str | os.PathLike[str] | None) -> Redactor:
    # A log of one's own holds what it was given; a workspace's is read by others.
    return protecting(Verbatim() if workspace is None else Redactor())


def _taken(name: str) -> SessionInvalidState:
    return SessionInvalidState(f"There is a session {name!r} already; resume it, or give another id")

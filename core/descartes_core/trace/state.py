"""What a session holds, as a fold over its trajectory: versioned state and artifacts.

The same entries always give the same state; nothing here reads a clock, a file or a log.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from descartes_core.trace.entries import Record
from descartes_core.trace.types import EntryType


@dataclass(frozen=True)
class Artifact:
    """A version of an artifact. BLOB is the SHA-256 of its bytes, None where those were never kept."""

    name: str
    version: int
    size: int
    seq_num: int
    """The entry that wrote it."""
    blob: str | None


@dataclass
class SessionState:
    """State and artifacts behind some entry of a trajectory."""

    values: dict[str, Any] = field(default_factory=dict)
    version: int = 0
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    """How often each artifact was written, deleted ones too."""
    seq_num: int = 0
    """The last entry that was taken in."""

    def apply(self, record: Record) -> None:
        """Take RECORD into account; entries that only tell something change nothing."""
        entry, content = record.entry, record.entry.content
        self.seq_num = entry.seq_num
        if record.correction is not None:
            self._correct(record.correction, entry.seq_num)
        if not record.effective:
            return
        match entry.entry_type:
            case EntryType.STATE_SET:
                self.values[content["key"]] = content["new_value"]
                self.version = content["state_version"]
            case EntryType.STATE_DELETED:
                self.values.pop(content["key"], None)
                self.version = content["state_version"]
            case EntryType.ARTIFACT_WRITTEN:
                self._write(content["name"], content["size"], entry.seq_num, record.blob)
            case EntryType.ARTIFACT_DELETED:
                self.artifacts.pop(content["name"], None)

    def digest(self) -> str:
        """Return the SHA-256 of state, version and artifacts, the same for equal ones on every machine."""
        held = {
            "state": self.values,
            "state_version": self.version,
            "artifacts": {name: [each.version, each.blob] for name, each in self.artifacts.items()},
        }
        text = json.dumps(held, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def _write(self, name: str, size: int, seq_num: int, blob: str | None) -> None:
        version = self.versions.get(name, 0) + 1
        self.versions[name] = version
        self.artifacts[name] = Artifact(name, version, size, seq_num, blob)

    def _correct(self, correction: dict[str, Any], seq_num: int) -> None:
        if "state" in correction:
            self.values, self.version = dict(correction["state"]), correction["stateVersion"]
        if "artifacts" in correction:
            kept = correction["artifacts"]
            self.artifacts = {name: each for name, each in self.artifacts.items() if name in kept}
            for name, told in kept.items():
                current = self.artifacts.get(name)
                if current is None:
                    self._write(name, told["size"], seq_num, told["blob"])
                elif (current.blob, current.size) != (told["blob"], told["size"]):
                    self.artifacts[name] = replace(current, blob=told["blob"], size=told["size"])


def fold(records: Iterable[Record]) -> SessionState:
    """Return what a session holds behind RECORDS."""
    state = SessionState()
    for record in records:
        state.apply(record)
    return state

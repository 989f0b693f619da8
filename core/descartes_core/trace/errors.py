"""What the session library raises: one class for each code, `code` being one of `ErrorCode`.

    SessionError
     ├── SessionNotFound, SessionCorrupted, SessionInvalidState
     ├── SaveFailed, LoadFailed, FileNotFound, SchemaMismatch
     ├── ArtifactNotFound, ArtifactTooLarge, ArtifactInvalidName
     └── ValidationFailed

Those for which Python has a class of its own are of that class too: a program written for the document's own
library goes on catching what it caught. What goes wrong in agents, dispatchers and planners is not raised:
it stands in their results.
"""

from __future__ import annotations

from typing import ClassVar

from descartes_core.errors import (
    DescartesError,
    InvalidParams,
    NotFound,
    StreamConflict,
    TooLarge,
    Unsupported,
)


class SessionError(DescartesError):
    """Base of all; AT_DOORS is the class under which editors and the command line know it."""

    code: ClassVar[str] = "unknown_error"
    at_doors: ClassVar[type[DescartesError]] = InvalidParams


class SessionNotFound(SessionError):
    code = "session_not_found"
    at_doors = NotFound


class SessionCorrupted(SessionError, ValueError):
    code = "session_corrupted"


class SessionInvalidState(SessionError):
    code = "session_invalid_state"
    at_doors = StreamConflict


class SaveFailed(SessionError):
    code = "persist_save_failed"


class LoadFailed(SessionError):
    code = "persist_load_failed"


class FileNotFound(SessionError, FileNotFoundError):
    code = "persist_file_not_found"
    at_doors = NotFound


class SchemaMismatch(SessionError, ValueError):
    code = "persist_schema_mismatch"
    at_doors = Unsupported


class ArtifactNotFound(SessionError):
    code = "artifact_not_found"
    at_doors = NotFound


class ArtifactTooLarge(SessionError, ValueError):
    code = "artifact_too_large"
    at_doors = TooLarge


class ArtifactInvalidName(SessionError, ValueError):
    code = "artifact_invalid_name"


class ValidationFailed(SessionError, ValueError):
    code = "validation_error"

"""The bytes of artifacts beside the log, each kept once under its SHA-256; none is ever changed."""

from __future__ import annotations

import hashlib
import os
import uuid
from pathlib import Path

from descartes_core.trace.errors import ArtifactNotFound, SaveFailed, SessionCorrupted

FOLDER = "artifacts"


class Blobs:
    """The blobs of all logs in FOLDER, in a folder beside them. Safe from any thread and process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER

    def put(self, data: bytes) -> str:
        """Keep DATA and return its digest, once it is on disk. Errors: `SaveFailed`."""
        digest = hashlib.sha256(data).hexdigest()
        path = self._path(digest)
        try:
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                _write(path, data)
        except OSError as error:
            raise SaveFailed(
                f"The artifact cannot be kept at {str(path)!r}: {error.strerror}; make room"
            ) from None
        return digest

    def get(self, digest: str, name: str) -> bytes:
        """Return the bytes of DIGEST, which the artifact NAME has.

        Errors: `ArtifactNotFound`; `SessionCorrupted` when they were changed.
        """
        try:
            data = self._path(digest).read_bytes()
        except OSError as error:
            raise ArtifactNotFound(
                f"The bytes of the artifact {name!r} cannot be read: {error.strerror}; restore its folder"
            ) from None
        if hashlib.sha256(data).hexdigest() != digest:
            raise SessionCorrupted(
                f"The bytes of the artifact {name!r} were changed since it was written; restore its folder"
            )
        return data

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest[2:]


def _write(path: Path, data: bytes) -> None:
    draft = path.with_name(f".{uuid.uuid4().hex}")
    try:
        with draft.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

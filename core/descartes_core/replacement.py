"""New bytes of a file, on disk before they take its place at once: a crash leaves the old or the new."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Replacement:
    """New bytes of the file PATH that lie on disk beside it and wait to take its place."""

    path: Path
    temporary: Path

    def put(self) -> None:
        """Take the place of the file, at once for every reader."""
        self.temporary.replace(self.path)

    def discard(self) -> None:
        """Leave the file as it is; harmless after `put`."""
        self.temporary.unlink(missing_ok=True)


def prepare(path: Path, data: bytes) -> Replacement:
    """Write DATA beside PATH, on disk and with the mode of PATH, ready to take its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{uuid.uuid4().hex}.part"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        if path.exists():
            os.fchmod(descriptor, path.stat().st_mode & 0o7777)
        os.fsync(descriptor)
    return Replacement(path, temporary)

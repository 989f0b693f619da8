"""New bytes of a file, on disk before they take its place at once: a crash leaves the old or the new."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TRIES = 3


@dataclass(frozen=True)
class Replacement:
    """New bytes of the file PATH that lie on disk beside it and wait to take its place."""

    path: Path
    temporary: Path
    made: tuple[Path, ...] = ()
    """The folders that were made for it, each before those in it."""

    def put(self) -> None:
        """Take the place of the file, at once for every reader."""
        self.temporary.replace(self.path)

    def discard(self) -> None:
        """Leave the file, and its folders, as they were; harmless after `put`."""
        self.temporary.unlink(missing_ok=True)
        _remove_empty(self.made)


def prepare(path: Path, data: bytes) -> Replacement:
    """Write DATA beside PATH, on disk and with the mode of PATH, ready to take its place."""
    temporary = path.parent / f".{uuid.uuid4().hex}.part"
    descriptor, made = _open_new(temporary)
    replacement = Replacement(path, temporary, made)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if path.exists():
                os.fchmod(descriptor, path.stat().st_mode & 0o7777)
            os.fsync(descriptor)
    except BaseException:
        replacement.discard()
        raise
    return replacement


def _open_new(file: Path) -> tuple[int, tuple[Path, ...]]:
    """Return a descriptor of the new FILE, and the folders that had to be made for it."""
    for left in reversed(range(TRIES)):
        made = _make(file.parent)
        try:
            return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666), made
        except OSError as problem:
            _remove_empty(made)
            # Somebody else may have made the same folder, and have taken it away with a file they discard.
            if not left or not isinstance(problem, FileNotFoundError):
                raise
    raise AssertionError("the last try returns or raises")


def _make(folder: Path) -> tuple[Path, ...]:
    missing = [each for each in (folder, *folder.parents) if not os.path.lexists(each)]
    made = []
    for each in reversed(missing):
        with suppress(FileExistsError):
            each.mkdir()
            made.append(each)
    return tuple(made)


def _remove_empty(folders: tuple[Path, ...]) -> None:
    for each in reversed(folders):
        with suppress(OSError):
            each.rmdir()

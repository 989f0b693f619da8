"""What may go of our own files: outputs, views, profiles, texts that no event needs, compiled Lisp files."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from descartes_core.model import Shape

BY_AGE = ("output", "views", "profiles", "input")
"""Folders whose files go when they are old."""
BLOBS = "blobs"
COMPILED = "fasl"
YOUNG_S = 3600.0
"""A text just kept may belong to an event that is not written yet."""
READ_S = 25 * 3600.0
"""Most disks note that a file was read once a day: one that seems unread for less may be in use."""
OTHERS_S = 90 * 86400.0
"""How long nobody has read what other workspaces may use, whatever this one's settings say."""


class Part(Shape, frozen=True, kw_only=True):
    """What may go of one kind of thing."""

    what: str
    items: int
    bytes: int


@dataclass(frozen=True)
class OldFile:
    """A file that may go."""

    path: Path
    size: int
    what: str


def old_files(
    state: Path, before_s: float, *, busy: Iterable[str], needed: set[str], now_s: float
) -> list[OldFile]:
    """Return the files under STATE that may go: unchanged since BEFORE_S, and not of a run in BUSY.

    Texts in NEEDED, digests, stay whatever their age; others go when they are not just being used.
    """
    running = set(busy)
    found = [each for folder in BY_AGE for each in _files(state, folder, before_s)]
    kept = [each for each in found if running.isdisjoint(each.path.relative_to(state).parts)]
    blobs = _files(state, BLOBS, min(before_s, now_s - YOUNG_S))
    return kept + [each for each in blobs if each.path.parent.name + each.path.name not in needed]


def old_compiled(
    folder: Path, before_s: float, *, own: Path, now_s: float, reads_noted: bool = True
) -> list[OldFile]:
    """Return the files under FOLDER, compiled Lisp, that were neither written nor read since BEFORE_S.

    Every workspace compiles to there, a source below the folder that says where it is. What was compiled of
    sources in OWN, the workspace, goes by its setting; the rest is of use to others, and goes when nobody has
    read it for `OTHERS_S`, and never with READS_NOTED false: then the disk does not say who uses it.
    """
    own_before = min(before_s, now_s - READ_S)
    others_before = min(before_s, now_s - OTHERS_S) if reads_noted else 0.0
    return [
        each
        for each in _files(folder.parent, folder.name, own_before, COMPILED)
        if each.path.lstat().st_atime
        < (own_before if _source(folder, each).is_relative_to(own) else others_before)
    ]


def notes_reads(folder: Path) -> bool:
    """Return whether the disk of FOLDER notes when a file was read."""
    with contextlib.suppress(OSError):
        return not os.statvfs(folder).f_flag & getattr(os, "ST_NOATIME", 0)
    return False


def _source(folder: Path, compiled: OldFile) -> Path:
    """Return where the source of COMPILED is: below FOLDER comes the Lisp, then the source's own path."""
    _lisp, *path = compiled.path.relative_to(folder).parts
    return Path("/", *path)


def remove(state: Path, files: Sequence[OldFile]) -> None:
    """Remove FILES and the folders below STATE that they leave empty."""
    for each in files:
        with contextlib.suppress(OSError):
            each.path.unlink()
        for folder in each.path.parents:
            if state in (folder.parent, folder):
                break
            with contextlib.suppress(OSError):
                folder.rmdir()  # only an empty one can be


def parts(files: Sequence[OldFile]) -> list[Part]:
    """Return FILES summed up by what they are."""
    kinds = sorted({each.what for each in files})
    return [
        Part(
            what=kind,
            items=sum(each.what == kind for each in files),
            bytes=sum(each.size for each in files if each.what == kind),
        )
        for kind in kinds
    ]


def digests_in(asked: Iterable[str | None]) -> set[str]:
    """Return the digests of the texts that the journal's notes ASKED, as JSON, name."""
    found: set[str] = set()
    for text in asked:
        notes: dict[str, Any] = msgspec.json.decode(text) if text else {}
        found |= {str(notes[key]) for key in ("codeBlob", "textBlob") if notes.get(key)}
        found |= {str(digest) for _, digest in notes.get("files", ())}
    return found


def _files(state: Path, folder: str, before_s: float, what: str | None = None) -> Iterator[OldFile]:
    for path in sorted((state / folder).rglob("*")):
        with contextlib.suppress(OSError):
            status = path.lstat()
            if not path.is_dir() and status.st_mtime < before_s:
                yield OldFile(path, status.st_size, what or folder)

"""What bulk edits are asked and answer, as it travels through every door."""

from __future__ import annotations

import msgspec

from descartes_core.model import Principal, Shape
from descartes_core.timetravel.shapes import FileDone, Problem


class TextPosition(Shape, frozen=True, kw_only=True):
    """A place in a text: LINE and COLUMN, both from 1, in code points."""

    line: int
    column: int


class TextRange(Shape, frozen=True, kw_only=True):
    """What stands from START up to, not including, END."""

    start: TextPosition
    end: TextPosition


class TextChange(Shape, frozen=True, kw_only=True):
    """NEW_TEXT for what stands in RANGE, or for OLD_TEXT, which must occur exactly once, of the file PATH."""

    path: str
    new_text: str
    old_text: str | None = None
    range: TextRange | None = None


class EditRequest(Shape, frozen=True, kw_only=True):
    """Either CHANGES, or REPLACEMENT for each place of PATTERN in the files of the workspace.

    PATTERN is taken literally; with REGEX it is a regular expression, and `\\1` or `\\g<name>` in REPLACEMENT
    a group of it; with SYMBOL it is the name of a Lisp symbol. PATHS are files, folders and globs as in a
    `.gitignore`; all files that git does not ignore when left out.
    """

    changes: list[TextChange] | None = None
    pattern: str | None = None
    replacement: str | None = None
    regex: bool = False
    symbol: bool = False
    ignore_case: bool = False
    paths: list[str] | None = None


class Place(Shape, frozen=True, kw_only=True):
    """Where something is replaced: LINE and COLUMN, both from 1; OLD and NEW are the lines, shortened."""

    line: int
    column: int
    old: str
    new: str


class FileEdit(Shape, frozen=True, kw_only=True):
    """One file that would change, COUNT places of it. PLACES and DIFF are cut where they are very long."""

    path: str
    count: int
    places: list[Place]
    diff: str
    change: str = "modify"
    leased_by: Principal | None = None
    """Who holds it, when that is somebody else."""
    unsaved: str | None = None
    """The editor in which it has changes that are in no file."""
    refused: str | None = None
    """Why it cannot be changed now."""


class EditPreview(Shape, frozen=True, kw_only=True):
    """What a bulk edit would do. ID confirms it until EXPIRES_AT; COUNT places in FILES.

    LEFT are files that are not looked at, and why; REFUSED says why all of FILES cannot be changed now.
    """

    id: str
    what: str
    count: int
    files: list[FileEdit] = []
    left: list[Problem] = []
    refused: str | None = None
    expires_at: str = ""
    intervention: str | None = None


class Edited(Shape, frozen=True, kw_only=True):
    """What a bulk edit did: ID names it in the log; `restore.undo` takes it back."""

    id: str
    preview: str
    what: str
    files: list[FileDone]


class Previewed(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What the log keeps of a preview: WHAT it is, and the commits before (NOW) and after it (THEN)."""

    what: str
    now: str
    then: str
    files: int
    count: int
    expires_ms: int

"""How a bulk edit looks before it is done: its files, places and diff. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice

from descartes_core.edits.diffs import unified
from descartes_core.edits.finding import Found, FoundFile
from descartes_core.edits.places import Edit, Lines
from descartes_core.edits.shapes import EditRequest, FileEdit, Place
from descartes_core.model import Lease
from descartes_core.timetravel.manifest import shown

SHOWN_PLACES = 200
SHOWN_LINE = 200
SHOWN_DIFF = 40_000
SHOWN_DIFFS = 400_000
"""Characters of the diff of one file, and of all together."""


def what(request: EditRequest) -> str:
    """Return REQUEST in a few words: "replace 'a' by 'b'"."""
    if request.changes is not None:
        count = len(request.changes)
        return f"{count} change{'s' * (count != 1)}"
    kind = "the expression " if request.regex else "the symbol " if request.symbol else ""
    return f"replace {kind}{_quoted(request.pattern or '')} by {_quoted(request.replacement or '')}"


def files(found: Found, leased: Mapping[str, Lease], unsaved: Callable[[str], str | None]) -> list[FileEdit]:
    """Return the files of FOUND as they are shown; LEASED to others by path, UNSAVED in which editor."""
    told: list[FileEdit] = []
    room = SHOWN_DIFFS
    for each in found.files:
        diff = _diff(each, min(SHOWN_DIFF, room))
        room -= len(diff)
        told.append(_file(each, diff, leased.get(shown(each.path)), unsaved(each.path)))
    return told


def _file(found: FoundFile, diff: str, lease: Lease | None, editor: str | None) -> FileEdit:
    lines = Lines(found.content)
    refused = None
    if editor is not None:
        refused = f"it has unsaved changes in {editor}; save or undo them there"
    elif lease is not None:
        refused = f"{lease.holder.name} holds it"
    return FileEdit(
        path=shown(found.path),
        count=len(found.edits),
        places=[_place(lines, each) for each in found.edits[:SHOWN_PLACES]],
        diff=diff,
        leased_by=lease.holder if lease is not None else None,
        unsaved=editor,
        refused=refused,
    )


def _place(lines: Lines, edit: Edit) -> Place:
    number = lines.of(edit.start)
    start, end = lines.start(number), lines.start(lines.of(edit.end) + 1)
    old = lines.content[start:end]
    new = lines.content[start : edit.start] + edit.new + lines.content[edit.end : end]
    column = edit.start - start
    return Place(line=number + 1, column=column + 1, old=_around(old, column), new=_around(new, column))


def _around(text: str, column: int) -> str:
    """Return the first line of TEXT, of a very long one what is around COLUMN."""
    line = text.partition("\n")[0].rstrip("\r")
    if len(line) <= SHOWN_LINE:
        return line
    start = max(0, min(column - SHOWN_LINE // 2, len(line) - SHOWN_LINE))
    cut = line[start : start + SHOWN_LINE]
    return f"{'…' * (start > 0)}{cut}{'…' * (start + SHOWN_LINE < len(line))}"


def _diff(found: FoundFile, room: int) -> str:
    """Return the diff of FOUND in at most ROOM characters: whole hunks, and how many were left out."""
    head, *hunks = islice(unified(shown(found.path), found.content, found.edits), room + 2)
    told, used = [head], len(head)
    for number, hunk in enumerate(hunks):
        used += len(hunk)
        if used > room:
            return "".join(told) + f"… ({len(hunks) - number} more hunks)\n"
        told.append(hunk)
    return "".join(told)


def _quoted(text: str) -> str:
    line = text.replace("\r\n", "\n").replace("\n", "⏎")
    return f"'{line if len(line) <= 60 else f'{line[:59]}…'}'"

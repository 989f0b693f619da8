"""The tool that edits several places of several files as one thing: one question, all of it or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from descartes_core.agents.tools import paths, texts
from descartes_core.agents.tools.files import ATTEMPTS, edited
from descartes_core.agents.tools.tool import ToolContext, tool
from descartes_core.errors import DescartesError, InvalidParams, TimedOut
from descartes_core.leases.standing import Change
from descartes_core.model import Shape

SHOWN_CHARACTERS = 20_000


class PlaceEdit(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """OLD, which must occur exactly once in the file PATH, becomes NEW."""

    path: str
    old: str
    new: str


@tool(
    "Replace OLD, which must occur exactly once in the file PATH, by NEW, for each of EDITS in their order:"
    " all of them or none."
)
async def edit_files(context: ToolContext, edits: list[PlaceEdit]) -> str:
    for _ in range(ATTEMPTS):
        changes = await asyncio.to_thread(changes_of, context.workspace, edits)
        if await context.hands.replace_all(changes):
            return f"replaced {len(edits)} places in {len(changes)} files"
    raise TimedOut("A file was changed by somebody else each time; read the files again and try once more")


def changes_of(workspace: Path, edits: Sequence[PlaceEdit]) -> list[Change]:
    """Return what EDITS make of their files in WORKSPACE, one change for each file. Reads them.

    Errors: `NotFound`, `InvalidParams`, `PolicyDenied`.
    """
    if not edits:
        raise InvalidParams("edit_files takes one or more edits, and got none")
    before: dict[Path, bytes | None] = {}
    after: dict[Path, bytes | None] = {}
    for each in edits:
        path = paths.writable(workspace, each.path)
        if path not in before:
            before[path] = after[path] = texts.content(path)
        after[path] = edited(after[path], each.path, each.old, each.new)
    return [Change(path, before[path], after[path]) for path in before]


def planned_in(workspace: Path, path: Path, arguments: Mapping[str, Any]) -> Change | None:
    """Return what the call with ARGUMENTS would make of its file PATH; None where that cannot be said."""
    try:
        changes = changes_of(workspace, _edits(arguments))
    except DescartesError:
        return None
    return next((each for each in changes if each.path == path), None)


def preview(workspace: Path, arguments: Mapping[str, Any]) -> str:
    """Return the diff that the call with ARGUMENTS would make, cut where it is very long. Reads the files.

    Errors: as `changes_of`.
    """
    from descartes_core.edits.diffs import of_texts  # on first use: it needs what lies here

    told: list[str] = []
    for change in changes_of(workspace, _edits(arguments)):
        name = paths.relative(workspace, change.path)
        one, other = (texts.decode(data or b"", name).content for data in (change.before, change.after))
        told += of_texts(name, one, other)
    diff = "".join(told)
    if len(diff) <= SHOWN_CHARACTERS:
        return diff
    end = diff.rfind("\n", 0, SHOWN_CHARACTERS) + 1
    return f"{diff[:end]}… ({len(diff) - end} more characters)\n"


def _edits(arguments: Mapping[str, Any]) -> list[PlaceEdit]:
    return [PlaceEdit(**each) for each in arguments["edits"]]

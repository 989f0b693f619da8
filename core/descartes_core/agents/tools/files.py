"""The tools that see and change files: read, write, edit, list, search."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from descartes_core.agents.tools import paths, search_worker, texts
from descartes_core.agents.tools.tool import ToolContext, tool
from descartes_core.errors import DescartesError, InvalidParams, NotFound, TimedOut
from descartes_core.leases.standing import Change

SHOWN_CHARACTERS = 65_536
SHOWN_ENTRIES = 1000
SEARCH_SECONDS = 20
ATTEMPTS = 50


@tool("Return the text of the file PATH; OFFSET is the first line (from 1), LIMIT how many lines.")
async def read(context: ToolContext, path: str, offset: int = 1, limit: int | None = None) -> str:
    found = paths.readable(context.workspace, path)
    if found.is_dir():
        raise InvalidParams(f"{path!r} is a folder; use list", path=path)
    text = texts.decode(await asyncio.to_thread(found.read_bytes), path).content
    return cut(lines_of(text, offset, limit))


@tool("Write CONTENT to the file PATH, replacing it or making it.")
async def write(context: ToolContext, path: str, content: str) -> str:
    found = paths.writable(context.workspace, path)
    after = await _replace(context, found, lambda before: written(before, path, content))
    return f"wrote {len(after)} bytes to {path}"


@tool("Replace OLD, which must occur exactly once in the file PATH, by NEW.")
async def edit(context: ToolContext, path: str, old: str, new: str) -> str:
    found = paths.writable(context.workspace, path)
    await _replace(context, found, lambda before: edited(before, path, old, new))
    return f"replaced 1 place in {path}"


def written(before: bytes | None, path: str, content: str) -> bytes:
    """Return what `write` makes of a file with the content BEFORE."""
    text = texts.Text("") if before is None else texts.decode(before, path)
    return text.encode(text.with_newlines(content) if text.content else content)


def edited(before: bytes | None, path: str, old: str, new: str) -> bytes:
    """Return what `edit` makes of a file with the content BEFORE. Errors: `NotFound`, `InvalidParams`."""
    if before is None:
        raise NotFound(f"There is no {path!r} in the workspace; write makes a new file", path=path)
    text = texts.decode(before, path)
    return text.encode(_replace_once(text, old, new, path))


def planned(name: str, path: Path, arguments: Mapping[str, Any], workspace: Path) -> Change | None:
    """Return what the tool NAME would make of its file PATH in WORKSPACE; None where that cannot be said."""
    if name == "edit_files":
        from descartes_core.agents.tools.many_files import planned_in  # which needs `edited`

        return planned_in(workspace, path, arguments)
    shown, before = str(arguments.get("path")), texts.content(path)
    try:
        if name == "write":
            return Change(path, before, written(before, shown, arguments["content"]))
        return Change(path, before, edited(before, shown, arguments["old"], arguments["new"]))
    except (DescartesError, KeyError):
        return None


@tool("Return the names in the folder PATH, folders with a slash behind.")
async def list_(context: ToolContext, path: str = ".") -> str:
    found = paths.readable(context.workspace, path)
    if not found.is_dir():
        raise InvalidParams(f"{path!r} is a file; use read", path=path)
    names = await asyncio.to_thread(_names, found)
    more = [f"… ({len(names) - SHOWN_ENTRIES} more)"] if len(names) > SHOWN_ENTRIES else []
    return "\n".join(names[:SHOWN_ENTRIES] + more) or "(empty)"


@tool("Return the lines that match the regular expression PATTERN in the file or folder PATH.")
async def search(context: ToolContext, pattern: str, path: str = ".") -> str:
    found = paths.readable(context.workspace, path)
    answer = await asyncio.to_thread(_search, context.workspace.resolve(), found, pattern)
    if "error" in answer:
        raise InvalidParams(f"{pattern!r} is not a regular expression: {answer['error']}", pattern=pattern)
    lines: list[str] = answer["lines"]
    more = ["… (more matches; narrow the pattern or the path)"] if answer["more"] else []
    return "\n".join(lines + more) or "no match"


async def _replace(context: ToolContext, path: Path, change: Callable[[bytes | None], bytes]) -> bytes:
    """Replace PATH by what CHANGE makes of its content, and return that.

    Done anew when somebody wrote it between reading and writing: the holder of another form may.
    """
    for _ in range(ATTEMPTS):
        before = await asyncio.to_thread(texts.content, path)
        after = change(before)
        if await context.hands.replace(path, before, after):
            return after
    raise TimedOut(f"{path.name!r} was changed by somebody else each time; read it again and try once more")


def lines_of(text: str, offset: int, limit: int | None) -> str:
    """Return LIMIT lines of TEXT from the line OFFSET on, which counts from 1. Errors: `InvalidParams`."""
    if offset < 1 or (limit is not None and limit < 1):
        raise InvalidParams(f"The offset and limit count lines from 1, not {offset} and {limit}")
    # Not splitlines, which also splits at form feeds and other characters that no editor counts.
    lines = text.split("\n")
    shown = lines[offset - 1 : None if limit is None else offset - 1 + limit]
    return "\n".join(shown) + ("\n" if offset - 1 + len(shown) < len(lines) else "")


def cut(text: str) -> str:
    """Return TEXT, if it is long its beginning and how much more there is."""
    if len(text) <= SHOWN_CHARACTERS:
        return text
    end = text.rfind("\n", 0, SHOWN_CHARACTERS) + 1 or SHOWN_CHARACTERS
    return f"{text[:end]}… ({len(text) - end} more characters; use offset and limit)"


def _replace_once(text: texts.Text, old: str, new: str, path: str) -> str:
    old, new = text.with_newlines(old), text.with_newlines(new)
    count = text.content.count(old) if old else 0
    if count != 1:
        advice = "read the file again" if count == 0 else "give more of the text around it"
        raise InvalidParams(f"old must occur exactly once in {path!r}, it occurs {count} times; {advice}")
    return text.content.replace(old, new)


def _names(folder: Path) -> list[str]:
    return sorted(f"{entry.name}/" if entry.is_dir() else entry.name for entry in folder.iterdir())


def _search(root: Path, found: Path, pattern: str) -> dict[str, list[str]]:
    # A process of its own: a pattern can take for ever, and would hold the interpreter all that time.
    request = json.dumps({"root": str(root), "path": str(found), "pattern": pattern})
    try:
        answer = subprocess.run(
            [sys.executable, "-P", "-m", search_worker.__name__],
            input=request,
            capture_output=True,
            text=True,
            timeout=SEARCH_SECONDS,
            check=True,
            cwd="/",
        )
    except subprocess.TimeoutExpired:
        raise TimedOut(
            f"The search took more than {SEARCH_SECONDS} s; narrow the pattern or the path", pattern=pattern
        ) from None
    result: dict[str, list[str]] = json.loads(answer.stdout)
    return result

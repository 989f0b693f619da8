"""The list of notes as a Markdown file, for every client that can open one; lenses open and archive them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from descartes_server.ide.lenses import Command, Lens

NAME = "notes.md"
_ENTRY = re.compile(r"^## .*\n\n.*\[[^\]\n]*\]\(<(file://[^>\n]+)>\)", re.MULTILINE)


def is_notes(path: Path | None) -> bool:
    """Return whether the file PATH is the list of notes."""
    return path is not None and path.name == NAME and path.parent.name == "views"


def document(thoughts: Sequence[Mapping[str, Any]], asked: str | None = None) -> str:
    """Return THOUGHTS, as `thought.list` gives them, as Markdown; ASKED is what was searched for."""
    head = "# Notes\n" if asked is None else f"# Notes about {_line(asked)}\n"
    if not thoughts:
        nothing = "There are none yet: `descartes thoughts create --title …` writes one."
        return f"{head}\n{nothing if asked is None else 'There are none.'}\n"
    return "\n".join([head, *(_entry(each) for each in thoughts)])


def lenses(text: str) -> list[Lens]:
    """Return the lenses of the list TEXT: two above each note."""
    return [lens for entry in _ENTRY.finditer(text) for lens in _of(entry)]


def _of(entry: re.Match[str]) -> Iterator[Lens]:
    path = unquote(urlsplit(entry[1]).path)
    away = "/archive/" in path
    yield _lens(entry, Command("open", "descartes.thought.show", {"thought": path, "show": True}))
    title, undo = ("bring back", {"undo": True}) if away else ("archive", {})
    yield _lens(entry, Command(title, "descartes.thought.archive", {"thought": path, "show": True, **undo}))


def _lens(entry: re.Match[str], command: Command) -> Lens:
    return Lens(entry.start(), entry.start(), command)


def _entry(thought: Mapping[str, Any]) -> str:
    facts = [
        thought["kind"] + (", archived" if thought["archived"] else ""),
        thought["updatedAt"][:10],
        *([f"by {_line(thought['agentId'])}"] if thought["agentId"] else []),
        *([", ".join(_line(tag) for tag in thought["tags"])] if thought["tags"] else []),
        f"[{Path(thought['path']).name}](<{thought['uri']}>)",
        *([f"**{_line(thought['problem'])}**"] if thought["problem"] else []),
    ]
    excerpt = f"\n{_line(thought['excerpt'])}\n" if thought["excerpt"] else ""
    return f"## {_line(thought['title'])}\n\n{' · '.join(facts)}\n{excerpt}"


def _line(text: str) -> str:
    """Return TEXT as one line in which Markdown finds no link or heading of its own."""
    return re.sub(r"([\\`*_\[\]<>#])", r"\\\1", " ".join(text.split()))

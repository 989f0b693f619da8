"""How the preview of a bulk edit looks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from descartes_server.cli.views import Column, escape

SHOWN_LEFT = 10


def _lines(row: Mapping[str, Any]) -> str:
    """Return in which lines the places of ROW are: `3, 7, 12 …`."""
    numbers = list(dict.fromkeys(each["line"] for each in row["places"]))
    more = " …" if len(numbers) > 8 or len(row["places"]) < row["count"] else ""
    return ", ".join(map(str, numbers[:8])) + more


FILES = [
    Column("places", lambda row: str(row["count"]), lambda row: f"[yellow]{row['count']:>6}[/yellow]"),
    Column("file", lambda row: row["path"], lambda row: escape(row["path"]), short=False),
    Column("lines", _lines, lambda row: f"[dim]{_lines(row)}[/dim]", short=False),
    Column(
        "note",
        lambda row: row["refused"] or "",
        lambda row: f"[red]{escape(row['refused'] or '')}[/red]",
        short=False,
    ),
]


def coloured(diff: str) -> str:
    """Return DIFF as git shows one on a terminal."""
    return "\n".join(_coloured(line) for line in diff.splitlines())


def tail(preview: Mapping[str, Any]) -> Iterator[str]:
    """Yield what stands below the files."""
    left = preview["left"]
    for each in left[:SHOWN_LEFT]:
        yield f"! {each['path']}: {each['reason']}"
    if len(left) > SHOWN_LEFT:
        yield f"! {len(left) - SHOWN_LEFT} more files were left alone"
    if preview["files"]:
        yield f"{_sentence(preview['what'])}: {_counted(preview)}"
    else:
        yield f"{_sentence(preview['what'])}: there is nothing to change"
    if preview["refused"]:
        yield f"All of it cannot be done now: {preview['refused']}"


def question(preview: Mapping[str, Any]) -> str:
    """Return what the person is asked, below what can be had again."""
    return f"`descartes restore undo` takes all of it back.\nChange {_counted(preview)}?"


def _counted(preview: Mapping[str, Any]) -> str:
    count, files = preview["count"], len(preview["files"])
    return f"{count} place{'s' * (count != 1)} in {files} file{'s' * (files != 1)}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _coloured(line: str) -> str:
    if line.startswith(("---", "+++")):
        return click.style(line, bold=True)
    colour = {"@": "cyan", "-": "red", "+": "green"}.get(line[:1])
    return click.style(line, fg=colour) if colour else line

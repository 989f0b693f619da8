"""How the preview of a restore looks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from descartes_core.timetravel.shapes import NOUNS
from descartes_server.cli.views import Column, ago, escape, short_id

SIGNS = {"create": "+", "modify": "~", "delete": "-", "mode": "m", "type": "t"}
COLOURS = {"create": "green", "modify": "yellow", "delete": "red", "mode": "cyan", "type": "magenta"}


def _notes(row: Mapping[str, Any]) -> list[str]:
    found = [row["mode"]] if row["mode"] else []
    if row["userEdited"]:
        found.append("edited by a person")
    if row["leasedBy"]:
        found.append(f"held by {row['leasedBy']['name']}")
    if row["unsaved"]:
        found.append(f"unsaved in {row['unsaved']}")
    return found


FILES = [
    Column(
        "",
        lambda row: row["change"],
        lambda row: f"[{COLOURS[row['change']]}]{SIGNS[row['change']]} {row['change']}[/]",
    ),
    Column("file", lambda row: row["path"], lambda row: escape(row["path"]), short=False),
    Column(
        "note",
        lambda row: ", ".join(_notes(row)),
        lambda row: f"[yellow]{escape(', '.join(_notes(row)))}[/yellow]",
        short=False,
    ),
]


def head(preview: Mapping[str, Any]) -> Iterator[str]:
    """Yield what stands above the files."""
    to = preview["to"]
    *most, last = (NOUNS[each] for each in preview["bodies"])
    what = f"{', '.join(most)} and {last}" if most else last
    when = f"event {to['seq']} ({to['name']}, {ago(to['at'])})"
    yield f"Run {short_id(preview['run'])} as it was at {when}: {what}"
    if "body" in preview["bodies"] and not preview["files"]:
        yield "Every file is as it was then."


def tail(preview: Mapping[str, Any]) -> Iterator[str]:
    """Yield what stands below the files."""
    for each in preview["missing"]:
        yield f"! {each['path']}: {each['reason']}"
    count = preview["eventsAfter"]
    yield f"{count} event{'s' * (count != 1)} of the run came after that; none is removed."
    brain = preview["brain"]
    if brain is not None and brain["messages"]:
        messages = f"{brain['messages']} message{'s' * (brain['messages'] != 1)}"
        yield f"A new session begins with the conversation as it was: {messages}."
    image = preview["image"]
    if image is not None:
        entries = f"{image['entries']} {'entry' if image['entries'] == 1 else 'entries'}"
        yield f"The image becomes a fresh one with {entries} of the journal."
    if preview["refused"]:
        yield f"It cannot be done now: {preview['refused']}"


def question(preview: Mapping[str, Any]) -> str:
    """Return what the person is asked, below what can be had again."""
    files = len(preview["files"])
    edited = sum(each["userEdited"] for each in preview["files"])
    what = f"Change {files} file{'s' * (files != 1)}" if files else "Go back"
    if edited:
        what += ", which a person edited" if files == 1 else f", {edited} of them edited by a person"
    return f"{_promise(preview)}\n{what}?"


def _promise(preview: Mapping[str, Any]) -> str:
    """Return what can be had again, and nothing more."""
    told: list[str] = []
    if preview["files"]:
        told.append("The files as they are now are kept.")
    if preview["brain"] is not None and preview["brain"]["messages"]:
        told.append("The session there is stays.")
    if preview["image"] is not None:
        told.append("The image there is ends; its journal is kept.")
    return " ".join([*told, "`descartes restore undo` takes all of it back."])

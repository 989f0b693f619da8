"""The stopped threads as a document, for clients that have no panel of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Debugger = Mapping[str, Any]


def document(debuggers: Sequence[Debugger]) -> str:
    """Return DEBUGGERS, as `debugger.list` answers them, in Markdown."""
    if not debuggers:
        return "# Lisp Debugger\n\nNo thread is stopped.\n"
    return "\n".join(line for each in debuggers for line in _lines(each))


def _lines(debugger: Debugger) -> Iterator[str]:
    condition = debugger["condition"]
    yield "# Lisp Debugger\n"
    yield f"Condition: {condition['type']}  "
    message = " ".join(condition["message"].split())
    yield f'Message: "{message}"  '
    yield f"Thread: {debugger['thread']} | Debug Level: {debugger['level']}\n"
    yield "Restarts:\n"
    for restart in debugger["restarts"]:
        names = "".join(f" {each['name'].lower()}" for each in restart.get("arguments") or [])
        yield f"    [{restart['index']}] {restart['name']}{names} - {restart['description']}"
    yield "\nStack:\n"
    for frame in debugger["frames"]:
        yield f"    {frame['index']}: {frame['description']}"
    more = debugger["frameCount"] - len(debugger["frames"])
    if more > 0:
        yield f"    … {more} more"
    yield "\nThe restarts are code actions and lenses of the stopped form; by hand:"
    words = f"--thread {debugger['thread']} --level {debugger['level']}"
    yield f"`descartes debugger restart {words} NAME`\n"

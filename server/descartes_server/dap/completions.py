"""What may follow the text that stands in the console: a command, or a name of the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from descartes_server.dap import arguments
from descartes_server.dap.console import COMMANDS, MARK, is_command
from descartes_server.dap.places import from_utf16, to_utf16
from descartes_server.dap.requests import request

if TYPE_CHECKING:
    from descartes_server.dap.adapter import Adapter

TYPES = {
    "function": "function",
    "generic-function": "function",
    "macro": "function",
    "special-operator": "keyword",
    "variable": "variable",
    "constant": "value",
    "class": "class",
    "package": "module",
    "keyword": "value",
}
"""The protocol's words for kinds of names."""


@request("completions", arguments.Completions)
async def completions(adapter: Adapter, asked: arguments.Completions) -> dict[str, Any]:
    """Return what the word before the caret may become."""
    lines = asked.text.split("\n")
    row = min(max(adapter.places.line(asked.line), 0), len(lines) - 1) if asked.line is not None else 0
    caret = from_utf16(lines[row], asked.column - adapter.places.first_column)
    typed = lines[row][:caret]
    if is_command(typed):
        return {"targets": _commands(typed)}
    before = sum(len(line) + 1 for line in lines[:row])
    params: dict[str, Any] = {"text": asked.text, "offset": before + caret}
    if asked.frame_id is not None:
        detail = await adapter.session.call("debugger.frame", adapter.stops.frame(asked.frame_id).key)
        params["package"] = detail["package"]
    found = await adapter.session.call("lisp.complete", params)
    return {"targets": [_target(typed, found["start"] - before, each) for each in found["items"]]}


def _commands(typed: str) -> list[dict[str, Any]]:
    word = typed.strip().removeprefix(MARK).lower()
    start = len(typed) - len(typed.lstrip())
    return [
        _target(typed, start, {"label": f"{MARK}{name}", "detail": each.help, "kind": "command"})
        for name, each in COMMANDS.items()
        if name.startswith(word)
    ]


def _target(typed: str, start: int, item: dict[str, Any]) -> dict[str, Any]:
    """Return ITEM, which takes the place of what was TYPED from code point START on."""
    begin = to_utf16(typed, start)
    target: dict[str, Any] = {
        "label": item["label"],
        # From 0 always: so VS Code, nvim-dap and dape read it, wherever they say that columns start.
        "start": begin,
        "length": to_utf16(typed, len(typed)) - begin,
        "type": TYPES.get(item["kind"], "text"),
    }
    return {**target, "detail": item["detail"]} if item.get("detail") else target

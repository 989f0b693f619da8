"""What of a symbol one looks into, and how an editor is offered that."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import quote

from descartes_server.ide.lenses import Action, Command

OPEN = "descartes.inspector.open"


def expression(name: str, kinds: Collection[str]) -> str | None:
    """Return what to inspect about the symbol NAME that is KINDS; None when it names nothing to look into.

    Example: expression("car", ["function"]) -> "#'car"
    """
    for among, form in (
        (("variable", "constant", "symbol-macro"), "{}"),
        (("function", "generic"), "#'{}"),
        (("macro",), "(cl:macro-function '{})"),
        (("class", "structure", "condition"), "(cl:find-class '{})"),
    ):
        if any(kind in kinds for kind in among):
            return form.format(name)
    return None


def command(name: str, kinds: Collection[str], package: str, links: Any) -> Command | None:
    """Return the command that inspects NAME, read in PACKAGE.

    LINKS: what the client says of command links; its own command under `inspect` comes before the server's.
    """
    code = expression(name, kinds)
    if code is None:
        return None
    own = links.get("inspect") if isinstance(links, Mapping) else None
    arguments = {"expression": code, "package": package}
    if isinstance(own, str):
        return Command("Inspect", own, arguments)
    return Command("Inspect", OPEN, {**arguments, "show": True})


def link(command_: Command) -> str:
    """Return COMMAND_ as a link that editors with command links execute."""
    arguments = quote(json.dumps([dict(command_.arguments)]), safe="")
    return f"[{command_.title}](command:{command_.name}?{arguments})"


def action(name: str, command_: Command) -> Action:
    """Return COMMAND_ as an action on the symbol NAME."""
    return Action(Command(f"Inspect {name}", command_.name, command_.arguments))


def document(shown: Mapping[str, Any]) -> str:
    """Return an inspection, as the operation answers it, as a page of text."""
    lines = [f"{part['text']}" for part in shown["parts"]]
    more = ["…"] if shown.get("more") else []
    return "\n".join([str(shown["title"]), str(shown["type"]), "", *lines, *more, ""])

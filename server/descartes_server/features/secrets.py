"""Secrets asked for by an editor: no value and no password is ever part of a message that it may log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from descartes_core.errors import InvalidParams, Unsupported

RESOURCE = "secret."
HIDDEN = frozenset(["value", "password", "newPassword", "archivePassword", "archive"])
"""Parameters that no editor may send: they would stand in its log."""
IN_TERMINALS = {
    "secret.get": "descartes secret get NAME",
    "secret.export": "descartes secret export FILE",
    "secret.import": "descartes secret import FILE",
    "secret.set": "descartes secret set NAME",
    "secret.rotate": "descartes secret rotate NAME",
    "secret.init": "descartes secret init",
    "secret.unlock": "descartes secret unlock",
    "secret.changePassword": "descartes secret change-password",
}


def check(name: str, given: Mapping[str, Any]) -> None:
    """Raise unless the operation NAME with GIVEN can be asked for by an editor without showing a secret.

    Errors: `InvalidParams` for a value or password in GIVEN; `Unsupported` for what only a terminal can do.
    """
    if not name.startswith(RESOURCE):
        return
    instead = IN_TERMINALS.get(name, "descartes secret")
    shown = sorted(HIDDEN.intersection(given))
    if shown:
        raise InvalidParams(
            f"{name} takes no {' and no '.join(shown)} from an editor, whose log would keep it;"
            f" use `{instead}` in a terminal"
        )
    if name in IN_TERMINALS:
        raise Unsupported(
            f"{name} needs or gives what an editor's log must not have; use `{instead}` in a terminal"
        )

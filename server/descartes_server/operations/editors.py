"""Which files the attached editors have changed and not saved."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


class Editors:
    """The unsaved files of each attached client, by real path."""

    def __init__(self) -> None:
        self._unsaved: dict[str, tuple[str, frozenset[str]]] = {}

    def set_unsaved(self, client_id: str, client_name: str, paths: Iterable[str]) -> None:
        """Note that exactly PATHS have unsaved changes in the client."""
        self._unsaved[client_id] = client_name, frozenset(os.path.realpath(path) for path in paths)

    def forget(self, client_id: str) -> None:
        """Drop what was known of a client that went."""
        self._unsaved.pop(client_id, None)

    def unsaved(self) -> list[tuple[str, str]]:
        """Return every file with unsaved changes, by its real path, and the editor's name."""
        return [(path, name or "an editor") for name, paths in self._unsaved.values() for path in paths]

    def unsaved_in(self, path: Path) -> str | None:
        """Return the name of an editor that has unsaved changes in PATH, or in the folder PATH, or None."""
        real = os.path.realpath(path)
        inside = real.rstrip("/") + "/"
        for name, paths in self._unsaved.values():
            if real in paths or any(each.startswith(inside) for each in paths):
                return name or "an editor"
        return None

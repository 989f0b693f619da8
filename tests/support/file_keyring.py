"""A keyring in a file, which a person's own configuration chooses: `PYTHON_KEYRING_BACKEND` names the class.

`TEST_KEYRING` is the file; what `<file>.trouble` says is what is wrong with it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import keyring.backend
from keyring.errors import KeyringLocked


class FileKeyring(keyring.backend.KeyringBackend):
    """Entries by service and name, in JSON."""

    priority = 1  # type: ignore[assignment]

    def get_password(self, service: str, username: str) -> str | None:
        found: str | None = self._entries().get(f"{service}:{username}")
        return found

    def set_password(self, service: str, username: str, password: str) -> None:
        entries = self._entries()
        if self._trouble() != "forgets":
            self._write({**entries, f"{service}:{username}": password})

    def delete_password(self, service: str, username: str) -> None:
        entries = self._entries()
        self._write({name: each for name, each in entries.items() if name != f"{service}:{username}"})

    def _entries(self) -> dict[str, str]:
        match self._trouble():
            case "locked":
                raise KeyringLocked("the person dismissed the prompt.")
            case "broken":
                raise ValueError("the ring is bent")
        path = Path(os.environ["TEST_KEYRING"])
        entries: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        return entries

    def _trouble(self) -> str:
        path = Path(os.environ["TEST_KEYRING"] + ".trouble")
        return path.read_text() if path.exists() else ""

    def _write(self, entries: dict[str, str]) -> None:
        Path(os.environ["TEST_KEYRING"]).write_text(json.dumps(entries))

"""Which folder is the workspace, and where its state and its runtime files lie.

Looking (`find`, `Workspace`) touches nothing on disk; only `Workspace.prepare` makes folders, and refuses
a `.descartes/` that is somebody else's or comes with the repository.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from descartes_core.errors import InvalidParams
from descartes_core.places import (
    SETTINGS,
    STATE,
    check_owned,
    check_state,
    digits_of,
    home,
    make_state,
    root_of,
    state_of,
)

__all__ = ["SETTINGS", "STATE", "Workspace", "find", "home", "possible", "runtime_folders", "vault"]

SOCKET_PATH_LIMIT = 100
LONGEST_PATH = 4096
"""Bytes; more, no system we know can open."""


def vault() -> Path:
    """Return the file of this user's secrets; it may not exist."""
    return home() / "vault.db"


def find(start: Path) -> Workspace:
    """Return the workspace that START, a file or folder, belongs to; the rule is `places.root_of`."""
    return Workspace(root_of(start))


def possible(path: str) -> str:
    """Return PATH. Errors: `InvalidParams` when no file can have such a name."""
    try:
        name = os.fsencode(path)
        if b"\0" not in name and len(name) <= LONGEST_PATH:
            return path
    except UnicodeEncodeError:
        pass
    raise InvalidParams(f"expected the name of a file, got {path[:200]!r}, which none can have")


@dataclass(frozen=True)
class Workspace:
    """The folder ROOT, a real path, with the places that belong to it."""

    root: Path

    @cached_property
    def digits(self) -> str:
        """The 16 digits that name this workspace outside itself."""
        return digits_of(self.root)

    @cached_property
    def state(self) -> Path:
        """The folder of the log, blobs and output: `.descartes/`, else in the user's home."""
        return state_of(self.root)

    @property
    def database(self) -> Path:
        return self.state / "descartes.db"

    @property
    def log(self) -> Path:
        return self.state / "log"

    @property
    def lock(self) -> Path:
        """The file whose `flock` makes a process the hub of this workspace."""
        return self.state / "lock"

    @cached_property
    def runtime(self) -> Path:
        """The folder of records, sockets and secrets; never inside the workspace."""
        folder = _runtime_base() / self.digits
        if len(os.fsencode(folder / "hub.sock")) > SOCKET_PATH_LIMIT:
            return _fallback_runtime_base() / self.digits
        return folder

    @property
    def socket(self) -> Path:
        return self.runtime / "hub.sock"

    def path_of(self, path: str) -> str:
        """Return PATH as leases and events name it: relative to the root, absolute outside it.

        Errors: those of `possible`.
        """
        real = Path(os.path.realpath(self.root / possible(path)))
        return real.relative_to(self.root).as_posix() if real.is_relative_to(self.root) else str(real)

    def check(self) -> None:
        """Refuse a state folder that is a link, belongs to another user or is tracked by git.

        Errors: `WorkspaceInUse` when it is another user's; `InvalidParams` for a link or a tracked folder.
        """
        check_state(self.root, self.state)

    def prepare(self) -> None:
        """Make the state and runtime folders, for this user alone, after `check`."""
        self.check()
        make_state(self.root, self.state)
        self.log.mkdir(mode=0o700, exist_ok=True)
        self.runtime.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_private(self.runtime.parent)
        self.runtime.mkdir(mode=0o700, exist_ok=True)
        _check_private(self.runtime)


def runtime_folders() -> list[Path]:
    """Return the runtime folders of all workspaces of this user that have one."""
    bases = {_runtime_base(), _fallback_runtime_base()}
    return sorted(folder for base in bases if base.is_dir() for folder in base.iterdir() if folder.is_dir())


def _runtime_base() -> Path:
    if given := os.environ.get("DESCARTES_RUNTIME_DIR"):
        return Path(given)
    if session := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(session) / "descartes"
    return _fallback_runtime_base()


def _fallback_runtime_base() -> Path:
    return Path(f"/tmp/descartes-{os.getuid()}")  # the fixed, short place that design and macOS agree on


def _check_private(folder: Path) -> None:
    check_owned(folder)
    if folder.stat().st_mode & 0o077:
        folder.chmod(0o700)

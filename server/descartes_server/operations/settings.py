"""The settings of a workspace: its file, the user's file and the editor, merged by `config.loading`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from descartes_core.config import loading
from descartes_core.config.loading import Loaded, Problem, Source
from descartes_core.config.table import LispSettings, PathPair, Settings
from descartes_server.operations import workspace

__all__ = ["LispSettings", "Loaded", "PathPair", "Problem", "Settings", "files", "load", "problems_in"]


def files(root: Path) -> tuple[Path, Path]:
    """Return the user's settings file and that of the workspace at ROOT; either may be missing."""
    return workspace.home() / "config.toml", root / workspace.SETTINGS


def load(root: Path, *, trusted: bool, editor: Mapping[str, Any] | None = None) -> Loaded:
    """Return the settings of the workspace at ROOT, with EDITOR's own over those of the files."""
    user, own = files(root)
    return loading.load(
        [
            loading.from_file(user, may_name_programs=True),
            loading.from_file(own, may_name_programs=trusted),
            Source("editor", may_name_programs=True, values=editor or {}),
        ]
    )


def problems_in(root: Path, file: Path, text: str, *, trusted: bool) -> list[Problem]:
    """Return what is wrong in TEXT, which is or will be that of FILE, the user's or the workspace's."""
    own = file == files(root)[0]
    return loading.problems_in(file, text, may_name_programs=own or trusted)

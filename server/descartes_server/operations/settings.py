"""The settings of a workspace: its file, the user's file and the editor, merged by `config.loading`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from descartes_core.config import loading
from descartes_core.config.loading import Loaded, Problem, Source
from descartes_core.config.table import LispSettings, PathPair, Settings
from descartes_server.operations import workspace

if TYPE_CHECKING:
    from descartes_core.store.redaction import Redactor

__all__ = ["LispSettings", "Loaded", "PathPair", "Problem", "Settings"]


def files(root: Path) -> tuple[Path, Path]:
    """Return the user's settings file and that of the workspace at ROOT; either may be missing."""
    return workspace.home() / "config.toml", root / workspace.SETTINGS


def load(root: Path, *, trusted: bool, editor: Mapping[str, Any] | None = None) -> Loaded:
    """Return the settings of the workspace at ROOT, with EDITOR's own over those of the files."""
    user, own = files(root)
    ours, theirs = _names(root, trusted=True), _names(root, trusted=trusted)
    return loading.load(
        [
            loading.from_file(user, may_name_programs=True, names=ours),
            loading.from_file(own, may_name_programs=trusted, names=theirs),
            Source("editor", may_name_programs=True, values=editor or {}, names=ours),
        ]
    )


def protect_keys(redactor: Redactor, found: Settings) -> None:
    """Have REDACTOR mask the keys of providers that FOUND has, wherever they would be written or shown."""
    for name, provider in found.providers.items():
        if provider.api_key:
            redactor.protect(f"providers.{name}", provider.api_key)


def problems_in(root: Path, file: Path, text: str, *, trusted: bool) -> list[Problem]:
    """Return what is wrong in TEXT, which is or will be that of FILE, the user's or the workspace's."""
    trusted = trusted or file == files(root)[0]
    return loading.problems_in(file, text, may_name_programs=trusted, names=_names(root, trusted=trusted))


def _names(root: Path, *, trusted: bool) -> dict[str, Any]:
    """Return what `${…}` in settings knows: the workspace, and the environment where it is TRUSTED."""
    names: dict[str, Any] = {"workspace": {"name": root.name, "root": str(root)}}
    return names | {"env": dict(os.environ)} if trusted else names

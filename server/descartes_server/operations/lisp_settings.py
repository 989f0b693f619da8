"""The settings of the live image as the Swank client wants them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from descartes_server.operations.settings import LispSettings
from descartes_swank.discovery import ImageSettings


def image_settings(
    workspace: Path, lisp: LispSettings, environment: Mapping[str, str] | None = None
) -> ImageSettings:
    """Return how the image of WORKSPACE is started under LISP, with the variables of ENVIRONMENT."""
    return ImageSettings(
        command=tuple(lisp.command) if lisp.command else None,
        swank=Path(lisp.swank).expanduser() if lisp.swank else None,
        load_init=lisp.init,
        idle_minutes=lisp.idle_minutes,
        environment=environment,
        workspace=workspace,
    )


def cache() -> Path:
    """Return the folder of saved cores, the same for all workspaces."""
    if given := os.environ.get("DESCARTES_CACHE"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "descartes"


def fasls() -> Path:
    """Return the folder that images compile systems to, the same for all workspaces."""
    return cache() / "fasl"

"""Long things as real read-only files under `.descartes/views/`, for every program that can open a file."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from descartes_server.ide import view_names
from descartes_server.operations.workspace import Workspace


def write(workspace: Workspace, name: str, text: str) -> Path:
    """Return the path of the view NAME, which has TEXT now; whoever reads it sees all of it or none."""
    workspace.prepare()
    folder = workspace.state / view_names.VIEWS
    folder.mkdir(mode=0o700, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".new-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace", newline="") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o400)
        path = folder / name
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path

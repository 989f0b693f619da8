"""How an editor is started for the demo, with the extension of this checkout."""

from __future__ import annotations

import importlib.resources
import shutil
import subprocess
from pathlib import Path

from descartes_core.errors import DescartesError, NotFound
from descartes_server.cli.demo.scratch import Scratch

EDITORS = ("nvim", "emacs", "code")


def extensions() -> Path:
    """Return the folder of the editors' extensions. Errors: `DescartesError` where there is no checkout."""
    package = Path(str(importlib.resources.files("descartes_server")))
    found = package.parent.parent / "editors"
    if not found.is_dir():
        raise DescartesError("expected a checkout with the editors' extensions beside the program")
    return found


def words(program: str, editor: str, scratch: Scratch, extensions: Path) -> list[str]:
    """Return the command that opens the story of SCRATCH in EDITOR, the PROGRAM, with its extension."""
    story = str(scratch.story)
    if editor == "nvim":
        return [program, "--cmd", f"set rtp^={extensions / 'neovim'}", story]
    if editor == "emacs":
        return [program, "-L", str(extensions / "emacs"), "-l", "descartes", story]
    # One that is open already would not take on the demo's environment: this is another one.
    return [
        program,
        "--wait",
        f"--user-data-dir={scratch.folder / 'code'}",
        f"--extensionDevelopmentPath={extensions / 'vscode'}",
        str(scratch.workspace),
        story,
    ]


def build(extension: Path) -> None:
    """Make what VS Code loads of EXTENSION, unless it is there and newer than its sources.

    Errors: `NotFound` when npm is not installed; `DescartesError` when it fails.
    """
    made = extension / "out" / "extension.js"
    sources = [extension / "package.json", *(extension / "src").rglob("*.ts")]
    if made.is_file() and all(each.stat().st_mtime <= made.stat().st_mtime for each in sources):
        return
    npm = shutil.which("npm")
    if npm is None:
        raise NotFound(
            "expected npm on the PATH to build the extension, it is not installed; install Node.js"
        )
    steps = [] if (extension / "node_modules").is_dir() else [["ci"]]
    for step in [*steps, ["run", "bundle"]]:
        done = subprocess.run([npm, *step], cwd=extension, check=False, capture_output=True, text=True)
        if done.returncode:
            why = (done.stderr or done.stdout).strip().splitlines()
            said = why[-1] if why else f"status {done.returncode}"
            raise DescartesError(f"building the extension failed: npm {' '.join(step)}: {said}")

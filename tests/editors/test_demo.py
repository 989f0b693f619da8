"""The demo's workspace in the real editors, each opened by `descartes demo --with`."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from support.editing import EDITORS, PROGRAM, REPOSITORY, program
from support.terminal import Terminal

SERVER = EDITORS / "vscode/node_modules/code-server/lib/vscode/out/server-main.js"
DRIVERS = Path(__file__).resolve().parent / "vscode"

pytestmark = [pytest.mark.editor, pytest.mark.slow, pytest.mark.timeout(300)]


def without_npm(folder: Path) -> str:
    """Return a PATH on which the programs of this machine are, but no Node.js."""
    folder.mkdir()
    for place in os.environ["PATH"].split(os.pathsep):
        for found in Path(place).glob("*") if Path(place).is_dir() else ():
            link = folder / found.name
            if found.name not in ("node", "npm", "npx", "code") and not link.is_symlink():
                link.symlink_to(found)
    return str(folder)


def test_vs_code_without_a_system_npm(tmp_path: Path) -> None:
    path = without_npm(tmp_path / "bin")
    node = Path(program(EDITORS / "bin" / "node", "editors")).resolve()
    code = tmp_path / "bin" / "code"
    code.write_text(f'#!/bin/sh\nexec "{node}" "{DRIVERS / "desktop.mjs"}" "$@"\n')
    code.chmod(0o755)
    assert shutil.which("npm", path=path) is None
    (REPOSITORY / "editors/vscode/out/extension.js").unlink(missing_ok=True)
    environment = os.environ | {
        "PATH": path,
        "PLAYWRIGHT": str(EDITORS / "playwright" / "package.json"),
        "DESCARTES_TEST_SERVER": str(SERVER),
        "DESCARTES_TEST_SHOTS": str(tmp_path),
    }
    done = subprocess.run(
        [PROGRAM, "demo", "--with", "code"], env=environment, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0 and "all done" in done.stdout, done.stdout + done.stderr


def demo(editor: str, tmp_path: Path, path: Path) -> Terminal:
    """Return a terminal in which the demo opens EDITOR, the program at PATH."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / editor).symlink_to(path)
    environment = os.environ | {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
    }
    (tmp_path / "here").mkdir()
    # The shell stays, so that what the demo leaves on the screen can be read.
    words = ["sh", "-c", f"{PROGRAM} demo --with {editor}; echo ended with $?; exec cat"]
    return Terminal(words, tmp_path / "here", environment)


def test_neovim(tmp_path: Path) -> None:
    nvim = Path(program(EDITORS / "neovim-0.11/bin/nvim", "editors"))
    with demo("nvim", tmp_path, nvim) as seen:
        seen.until("(defun average (numbers)", "story.lisp")
        seen.press(":Descartes eval (* 6 7)", "Enter")
        seen.until("42")
        seen.press(":qa!", "Enter")
        seen.until("ended with 0")


def test_emacs(tmp_path: Path) -> None:
    with demo("emacs", tmp_path, Path(program("emacs", "editors"))) as seen:
        seen.until("(defun average (numbers)", "story.lisp", "Lisp[")
        seen.press("M-x", "descartes-eval", "Enter", "(* 6 7)", "Enter")
        seen.until("42")
        seen.press("C-x", "C-c")
        seen.until("ended with 0")

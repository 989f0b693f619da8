"""A workspace to be opened in a real editor, and the scripted run that works in it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PROGRAM = REPOSITORY / ".venv" / "bin" / "descartes"
EDITORS = REPOSITORY / ".cache" / "editors"

SHAPES = """(defpackage :shapes
  (:use :cl)
  (:export #:area #:average))
(in-package :shapes)

(defun area (width height)
  "Return the area of a rectangle of WIDTH and HEIGHT."
  (* width hieght))

(defun average (numbers)
  "Return the arithmetic mean of NUMBERS."
  (restart-case (/ (reduce #'+ numbers) (length numbers))
    (use-value (value)
      :report "Use a value as the average."
      value)))

(area 2 3)
"""
NUMBERS = """(defpackage :numbers
  (:use :cl))
(in-package :numbers)

(defun half (number)
  "Return half of NUMBER."
  (/ number 2))
"""


class Scene:
    """A git repository with two Lisp files in FOLDER, with its own home and runtime folder."""

    def __init__(self, folder: Path) -> None:
        self.workspace = folder / "workspace"
        self.workspace.mkdir(exist_ok=True)
        self.shapes = self.workspace / "shapes.lisp"
        self.numbers = self.workspace / "numbers.lisp"
        self.shapes.write_text(SHAPES, encoding="utf-8")
        self.numbers.write_text(NUMBERS, encoding="utf-8")
        self.script = folder / "model.jsonl"
        self._write_script()
        self.environment = os.environ | {
            "HOME": str(folder),
            "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "EDITOR_TEST_WORKSPACE": str(self.workspace),
            "EDITOR_TEST_SCRIPT": str(self.script),
        }
        git = ["git", "-C", str(self.workspace), "-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
        for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "Shapes and numbers"]):
            subprocess.run([*git, *words], check=True, capture_output=True)
        (folder / ".gitconfig").write_text("[user]\n\tname = Ann\n", encoding="utf-8")

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run WORDS in the workspace, with MORE in the environment, and return what came of it."""
        return subprocess.run(
            words,
            cwd=self.workspace,
            env=self.environment | more,
            capture_output=True,
            text=True,
            timeout=400,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def descartes(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the program with WORDS in the workspace."""
        return self.run(str(PROGRAM), *words)

    def close(self) -> None:
        """End the image and the hub."""
        self.descartes("lisp", "stop")
        self.descartes("hub", "stop", "--force")

    def logs(self) -> str:
        """Return the end of every log that was written, for the message of a failure."""
        home = Path(self.environment["DESCARTES_HOME"])
        runtime = Path(self.environment["DESCARTES_RUNTIME_DIR"])
        found = [*home.rglob("*.log"), *runtime.rglob("*.log")]
        return "\n".join(f"== {path}\n{path.read_text(errors='replace')[-2000:]}" for path in found)

    def _write_script(self) -> None:
        """The model asks to write one file, then another, whose lease is taken over meanwhile."""
        turns: list[Mapping[str, Any]] = [
            {"text": "Notes first.", "toolCalls": [_write("notes.lisp", ";; Halves.\n")]},
            {"text": "Now the numbers.", "toolCalls": [_write("numbers.lisp", "(in-package :numbers)\n")]},
            {"text": "Done."},
        ]
        self.script.write_text("".join(json.dumps(turn) + "\n" for turn in turns), encoding="utf-8")


def _write(path: str, content: str) -> dict[str, Any]:
    return {"name": "write", "arguments": {"path": path, "content": content}}


def program(path: str | Path, target: str) -> str:
    """Return the editor at PATH (a name is looked up); says which TARGET of make installs it when missing."""
    found = shutil.which(str(path))
    assert found, f"{path} is not installed; run `make {target}`"
    return found


def ert_passed(done: subprocess.CompletedProcess[str]) -> bool:
    """Tell whether every test in an Emacs passed; it takes one that a question has quit for no failure."""
    told = re.search(r"Ran (\d+) tests, (\d+) results as expected, 0 unexpected", done.stderr)
    return done.returncode == 0 and told is not None and int(told[1]) == int(told[2]) > 0

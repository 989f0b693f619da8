"""The demo's scratch workspace: a copy of a real library under git, and the file of the story."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from descartes_core.errors import NotFound

LIBRARIES = Path("/usr/share/common-lisp/source")

STORY = """(in-package :alexandria)

(defun average (numbers)
  "Return the arithmetic mean of NUMBERS."
  (restart-case (/ (reduce #'+ numbers) (length nmbers))
    (use-value (value)
      :report "Use a value as the average."
      value)))

(defun spread (numbers)
  "Return how far apart the smallest and the largest of NUMBERS are."
  (- (extremum numbers #'>) (extremum numbers #'<)))
"""


@dataclass(frozen=True)
class Scratch:
    """A folder that holds the WORKSPACE, and the environment for programs that work in it."""

    folder: Path

    @property
    def workspace(self) -> Path:
        """Return the copy of the library."""
        return self.folder / "alexandria"

    @property
    def story(self) -> Path:
        """Return the file in which mistakes are made."""
        return self.workspace / "story.lisp"

    def environment(self) -> dict[str, str]:
        """Return the environment of the demo's programs: a home and a runtime folder of their own."""
        return os.environ | {
            "DESCARTES_HOME": str(self.folder / "home"),
            "DESCARTES_RUNTIME_DIR": str(self.folder / "run"),
        }

    def remove(self) -> None:
        """Delete it all."""
        shutil.rmtree(self.folder, ignore_errors=True)


def make() -> Scratch:
    """Return a new scratch workspace. Errors: `NotFound` when the library is not installed."""
    library = LIBRARIES / "alexandria"
    if not library.is_dir():
        raise NotFound(
            f"expected the library alexandria in {LIBRARIES}; install cl-alexandria, then try again"
        )
    scratch = Scratch(Path(tempfile.mkdtemp(prefix="descartes-demo-")))
    (scratch.folder / "run").mkdir(mode=0o700)
    shutil.copytree(library, scratch.workspace, symlinks=False)
    scratch.story.write_text(STORY, encoding="utf-8")
    git = ["git", "-C", str(scratch.workspace), "-c", "user.name=Demo", "-c", "user.email=demo@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "The library as it is installed"]):
        subprocess.run([*git, *words], check=True, capture_output=True)
    return scratch

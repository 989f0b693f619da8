"""Vim with ALE: a client that nobody here wrote, with no code of ours in the editor."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.editing import Scene, program
from support.terminal import Terminal

pytestmark = [pytest.mark.editor, pytest.mark.slow, pytest.mark.timeout(600)]

VIMRC = Path(__file__).parent / "ale" / "vimrc"
BROKEN = "(defun broken (x)\n  (list x)\n"


@pytest.fixture
def scene(isolated_environment: Path) -> Iterator[Scene]:
    found = Scene(isolated_environment)
    yield found
    found.close()


def vim(scene: Scene) -> Terminal:
    assert Path("/usr/share/vim-ale").is_dir(), "vim-ale is not installed; run `make editors-slow`"
    words = [program("vim", "editors-slow"), "-Nu", str(VIMRC), "shapes.lisp"]
    return Terminal(words, scene.workspace, scene.environment)


def test_diagnostics_and_hover(scene: Scene) -> None:
    scene.shapes.write_text(scene.shapes.read_text() + BROKEN)
    with vim(scene) as seen:
        seen.until("(defun broken")
        seen.press("/defun broken", "Enter")
        seen.until(">>")
        seen.press("?defun average", "Enter", "w", ":ALEHover", "Enter")
        seen.until("Return the arithmetic mean of NUMBERS.")


def test_a_lease_is_seen_and_taken_over(scene: Scene) -> None:
    held = scene.descartes(
        "lease", "acquire", "shapes.lisp", "--holder", "agent:scribe", "--reason", "A sketch"
    )
    assert held.returncode == 0, held.stderr
    with vim(scene) as seen:
        seen.until("(defun average")
        seen.press("/defun average", "Enter", "w", ":ALEHover", "Enter")
        seen.until("held by scribe", "A sketch")
        seen.press(":pclose", "Enter", ":ALECodeAction", "Enter")
        screen = seen.until("Take this file over from scribe")
        line = next(line for line in screen.splitlines() if "Take this file over" in line)
        seen.press(line.split()[0].strip(".:)"), "Enter")
        seen.until_gone("Take this file over")
        wait_for_holder(scene, "Ann")
        seen.press(":ALEHover", "Enter")
        seen.until("held by you")


def wait_for_holder(scene: Scene, name: str) -> None:
    """Wait until NAME holds shapes.lisp: ALE does not say when a command has been done."""
    deadline = time.monotonic() + 60
    while name not in (said := scene.descartes("lease", "show", "shapes.lisp").stdout):
        assert time.monotonic() < deadline, said

"""Emacs with dap-mode: a debugger that nobody here wrote, with no code of ours in the editor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.editing import Scene, ert_passed, program

pytestmark = [pytest.mark.editor, pytest.mark.slow, pytest.mark.timeout(600)]

ELPA = Path("/usr/share/emacs/site-lisp/elpa")


@pytest.fixture
def scene(isolated_environment: Path) -> Iterator[Scene]:
    found = Scene(isolated_environment)
    yield found
    found.close()


def test_a_session(scene: Scene) -> None:
    assert list(ELPA.glob("dap-mode-[0-9]*")), "dap-mode is not installed; run `make editors-slow`"
    assert scene.descartes("trust", ".").returncode == 0
    folders = [Path(__file__).parent / "dap_mode", *sorted(ELPA.iterdir())]
    paths = [word for folder in folders if folder.is_dir() for word in ("-L", str(folder))]
    words = [program("emacs", "editors-slow"), "-Q", *paths, "--batch", "-l", "dap-mode-session"]
    done = scene.run(*words, "-f", "ert-run-tests-batch-and-exit")
    assert ert_passed(done), f"{done.stdout}\n{done.stderr}\n{scene.logs()}"

"""The Emacs package in a real Emacs: with eglot and with lsp-mode, in batch and in a terminal."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.editing import REPOSITORY, Scene, ert_passed, program
from support.stock_swank import run_stock_swank
from support.terminal import Terminal

pytestmark = [pytest.mark.editor, pytest.mark.timeout(600)]

PACKAGE = REPOSITORY / "editors" / "emacs"
SCRIPTS = Path(__file__).parent / "emacs"
ELPA = Path("/usr/share/emacs/site-lisp/elpa")


@pytest.fixture
def scene(isolated_environment: Path) -> Iterator[Scene]:
    found = Scene(isolated_environment)
    yield found
    found.close()


def library(name: str, target: str) -> list[str]:
    """Return the options that make the Emacs package NAME of the distribution loadable."""
    assert list(ELPA.glob(f"{name}-[0-9]*")), f"{name} is not installed; run `make {target}`"
    return [word for folder in sorted(ELPA.iterdir()) if folder.is_dir() for word in ("-L", str(folder))]


def emacs(target: str, *, client: str) -> list[str]:
    """Return the command of an Emacs with nothing but CLIENT and this package."""
    return [program("emacs", target), "-Q", *library(client, target), "-L", str(PACKAGE), "-L", str(SCRIPTS)]


CLIENTS = [
    pytest.param("eglot", "editors", id="eglot"),
    pytest.param("lsp-mode", "editors-slow", id="lsp-mode", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("client", "target"), CLIENTS)
def test_a_session(scene: Scene, client: str, target: str) -> None:
    words = [*emacs(target, client=client), "--batch", "-l", f"{client}-session"]
    done = scene.run(*words, "-f", "ert-run-tests-batch-and-exit")
    assert ert_passed(done), f"{done.stdout}\n{done.stderr}\n{scene.logs()}"


@pytest.mark.slow
def test_the_commands_of_a_day(scene: Scene, tmp_path: Path) -> None:
    words = [*emacs("editors", client="eglot"), "--batch", "-l", "commands-session"]
    with run_stock_swank(tmp_path) as elsewhere:
        more = {"EDITOR_TEST_SWANK": str(elsewhere.port)}
        done = scene.run(*words, "-f", "ert-run-tests-batch-and-exit", **more)
    assert ert_passed(done), f"{done.stdout}\n{done.stderr}\n{scene.logs()}"


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """Run WORDS, which start no server, and return what came of it."""
    return subprocess.run(words, capture_output=True, text=True, timeout=400, check=False)


@pytest.mark.parametrize(("client", "target"), CLIENTS)
def test_compiles_and_is_documented(tmp_path: Path, client: str, target: str) -> None:
    folder = tmp_path / "package"
    shutil.copytree(PACKAGE, folder, ignore=shutil.ignore_patterns("*.elc"))
    files = sorted(
        each for each in folder.glob("*.el") if client == "lsp-mode" or "lsp-mode" not in each.name
    )
    assert len(files) >= 5
    words = [program("emacs", target), "-Q", "--batch", *library(client, target), "-L", str(folder)]
    strict = ["--eval", "(setq byte-compile-error-on-warn t)", "-f", "batch-byte-compile"]
    done = run(*words, *strict, *map(str, files))
    assert done.returncode == 0, done.stderr
    check = "(progn (require 'checkdoc) (mapc #'checkdoc-file command-line-args-left))"
    done = run(*words, "--eval", check, *map(str, files))
    assert "Warning" not in done.stderr, done.stderr


@pytest.mark.slow
def test_what_a_person_sees(scene: Scene) -> None:
    words = [*emacs("editors", client="eglot"), "-nw", "-l", "descartes", "shapes.lisp"]
    with Terminal(words, scene.workspace, scene.environment, lines=44) as seen:
        seen.until("(defun average", "Lisp[")
        seen.press("C-s", "average (num", "Enter", "C-c", "C-c")
        seen.until("Trust ")
        seen.press("Trust", "Tab")
        seen.until("Trust this workspace")
        seen.press("Enter")
        seen.until("⇒ compiled")
        seen.press("M-x", "descartes-eval", "Enter", "(average '())", "Enter")
        screen = seen.until("Restarts", "0 USE-VALUE", "■ DIVISION-BY-ZERO", "│ RETRY", "1 stopped")
        lens = next(number for number, line in enumerate(screen.splitlines()) if "■ DIVISION" in line)
        assert "(restart-case" in "".join(screen.splitlines()[lens + 1 : lens + 3])
        seen.press("C-e", " ;; still typing here")
        seen.until("bers) ;; still typing here")
        seen.press("C-c", "C-d", "C-s", "(AVERAGE NIL", "Enter")
        fire = '(progn (sb-thread:make-thread (lambda () (error "on fire"))) nil)'
        seen.press("M-x", "descartes-eval", "Enter", fire, "Enter")
        seen.until("2 stops: N P")
        seen.press("Enter")
        screen = seen.until("numbers = NIL")
        assert "(AVERAGE NIL)" in screen.splitlines()[seen.cursor()[1]]
        seen.press("N")
        seen.until("on fire", "abort thread")
        seen.press("a")
        seen.until_gone("on fire", "2 stops")
        seen.press("a")
        seen.until("The stop that was here is left")
        seen.press("N", "Tab", "Enter")
        seen.until("value:")
        seen.press("(* 6 7)", "Enter")
        seen.until("⇒ 42")
        seen.until_gone("Restarts", "■ DIVISION", "numbers = NIL")
        seen.press("M-<", "C-s", "defun area", "Enter", "C-b")
        seen.until("Return the area of a rectangle of WIDTH and HEIGHT.")

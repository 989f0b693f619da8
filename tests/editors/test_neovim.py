"""The Neovim plugin in real Neovims: without a screen all that it does, in a terminal what a person sees."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.editing import EDITORS, REPOSITORY, Scene, program
from support.stock_swank import run_stock_swank
from support.terminal import Terminal

pytestmark = [pytest.mark.editor, pytest.mark.timeout(600)]

PLUGIN = REPOSITORY / "editors" / "neovim"
SCRIPTS = Path(__file__).parent / "neovim"
NEWEST = pytest.param("neovim-0.11/bin/nvim", "editors", id="0.11")
OLDEST = pytest.param("neovim-0.10/nvim", "editors-slow", id="0.10", marks=pytest.mark.slow)
OPTIONS = "let maplocalleader = ',' | let g:descartes = {'trusted': v:true} | set noswapfile shadafile=NONE"


@pytest.fixture
def scene(isolated_environment: Path) -> Iterator[Scene]:
    found = Scene(isolated_environment)
    yield found
    found.close()


def words(path: str, target: str, options: str = OPTIONS) -> list[str]:
    """Return the command of the Neovim at PATH with nothing but the plugin."""
    editor = program(EDITORS / path, target)
    return [editor, "--clean", "--cmd", f"set rtp^={PLUGIN}", "--cmd", options]


def the_session(scene: Scene, script: str, path: str, target: str, **more: str) -> None:
    """Run SCRIPT in the Neovim at PATH, with MORE in its environment, and see that nothing failed."""
    words_ = [*words(path, target), "--headless", "-c", f"luafile {SCRIPTS / script}"]
    done = scene.run(*words_, **more)
    passed = done.returncode == 0 and "all done" in done.stdout
    assert passed, f"{done.stdout}\n{done.stderr}\n{scene.logs()}"


@pytest.mark.parametrize(("path", "target"), [NEWEST, OLDEST])
def test_a_session(scene: Scene, path: str, target: str) -> None:
    the_session(scene, "scenario.lua", path, target)


@pytest.mark.slow
@pytest.mark.parametrize(("path", "target"), [NEWEST, OLDEST])
def test_systems_tests_profiles_and_the_journal(
    scene: Scene, isolated_environment: Path, path: str, target: str
) -> None:
    with run_stock_swank(isolated_environment) as other:
        the_session(scene, "image.lua", path, target, EDITOR_TEST_SWANK=str(other.port))


def on_screen(scene: Scene, path: str, target: str) -> list[str]:
    """Return the command that shows the Neovim at PATH, for which no workspace is trusted yet.

    0.10 runs under a loader of its own and cannot start itself as the server of its terminal; the newer one
    draws for it.
    """
    editor = words(path, target, OPTIONS.replace("'trusted': v:true", ""))
    if path == NEWEST.values[0]:
        return editor
    socket = scene.workspace.parent / "nvim"
    drawn_by = program(EDITORS / str(NEWEST.values[0]), "editors")
    server = shlex.join([*editor, "--headless", "--listen", str(socket)])
    screen = shlex.join([drawn_by, "--server", str(socket), "--remote-ui"])
    return ["sh", "-c", f"{server} & until [ -S {socket} ]; do sleep 0.05; done; {screen}"]


@pytest.mark.parametrize(("path", "target"), [NEWEST, OLDEST])
def test_what_a_person_sees(scene: Scene, path: str, target: str) -> None:
    with Terminal(on_screen(scene, path, target), scene.workspace, scene.environment) as seen:
        seen.until("NVIM v0.")
        seen.press(":edit shapes.lisp", "Enter")
        seen.until("(defun average")
        seen.press("/average (num", "Enter", ",c")
        seen.until("Trust ", "1: Trust this workspace")
        seen.press("1", "Enter")
        seen.until("⇒ compiled")
        seen.press(":Descartes eval (average '())", "Enter")
        screen = seen.until("Restarts", "0 USE-VALUE", "■ DIVISION-BY-ZERO", "│ RETRY")
        lens = next(number for number, line in enumerate(screen.splitlines()) if "■ DIVISION" in line)
        assert "(restart-case" in "".join(screen.splitlines()[lens + 1 : lens + 3])
        seen.press("A", " ;; still typing here")
        seen.until("(numbers) ;; still typing here")
        seen.press("Escape", ":Descartes debugger", "Enter", "/USE-VALUE", "Enter", "Enter")
        seen.until("value:")
        seen.press("(* 6 7)", "Enter")
        seen.until("⇒ 42")
        seen.until_gone("Restarts", "■ DIVISION", "numbers = NIL")
        seen.press("K")
        seen.until("Return the arithmetic mean of NUMBERS.")


def test_health_and_options(scene: Scene) -> None:
    options = "let g:descartes = {'width': 'wide', 'colour': 1}"
    report = scene.workspace / "report"
    write = ["-c", "checkhealth descartes", "-c", f"write! {report}", "-c", "qall!"]
    editor = words("neovim-0.11/bin/nvim", "editors", options)
    done = scene.run(*editor, "--headless", *write)
    text = report.read_text()
    assert done.returncode == 0
    assert "vim.g.descartes.colour is not an option" in text
    assert "vim.g.descartes.width: expected a number, got a string" in text
    assert "descartes is " in text

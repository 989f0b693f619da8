"""The demo in an editor: what the editor is started with, and what is built before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from descartes_core.errors import DescartesError, NotFound
from descartes_server.cli.demo import editors
from descartes_server.cli.demo.scratch import Scratch

NPM = """#!/bin/sh
echo "$*" >> "$TOLD"
[ "$*" != "run bundle" ] || { mkdir -p out && echo made > out/extension.js; }
[ ! -e fails ] || { echo "no esbuild here" >&2; exit 3; }
"""
EDITOR = """#!/bin/sh
{ for word in "$@"; do echo "$word"; done; command -v descartes; echo "$DESCARTES_HOME"; } > "$TOLD"
cp "$3" "$TOLD.story"
"""


def program(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(text)
    file.chmod(0o755)
    return file


@pytest.mark.parametrize("editor", editors.EDITORS)
def test_the_words_name_what_is_there(editor: str, tmp_path: Path) -> None:
    scratch, extensions = Scratch(tmp_path), editors.extensions()
    words = editors.words("/bin/it", editor, scratch, extensions)
    assert words[0] == "/bin/it" and words[-1] == str(scratch.story)
    # The folder that each of them loads has what it looks for there.
    loaded = {
        "nvim": extensions / "neovim" / "plugin" / "descartes.lua",
        "emacs": extensions / "emacs" / "descartes.el",
        "code": extensions / "vscode" / "package.json",
    }[editor]
    assert loaded.is_file()
    folder = loaded.parent.parent if editor == "nvim" else loaded.parent
    assert any(word.endswith(str(folder)) for word in words)


def test_the_extension_is_built_when_it_is_missing_or_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extension, told = tmp_path / "vscode", tmp_path / "told"
    (extension / "src").mkdir(parents=True)
    (extension / "package.json").write_text("{}")
    source = extension / "src" / "extension.ts"
    source.write_text("")
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.MonkeyPatch.context() as nowhere:
        nowhere.setattr(editors, "WHEEL", "no_such_package")
        with pytest.raises(NotFound, match=r"install Node\.js"):
            editors.build(extension)
    npm = program(tmp_path / "bin", "npm", NPM)
    monkeypatch.setenv("PATH", f"{npm.parent}:/usr/bin:/bin")
    monkeypatch.setenv("TOLD", str(told))
    editors.build(extension)
    editors.build(extension)
    assert told.read_text().splitlines() == ["ci", "run bundle"]
    (extension / "node_modules").mkdir()
    made = (extension / "out" / "extension.js").stat().st_mtime
    os.utime(source, (made + 10, made + 10))
    (extension / "fails").touch()
    with pytest.raises(DescartesError, match="run bundle: no esbuild here"):
        editors.build(extension)
    assert told.read_text().splitlines()[2:] == ["run bundle"]


def test_vs_code_asks_nothing_and_knows_its_server(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path)
    for editor in editors.EDITORS:
        editors.configure(editor, scratch)
    (given,) = [each for each in editors.words("code", "code", scratch, tmp_path) if "user-data-dir" in each]
    settings = json.loads((Path(given.partition("=")[2]) / "User" / "settings.json").read_text())
    program, *arguments = settings["descartes.server"]
    assert Path(program).is_file() and arguments == ["lsp"]
    assert settings["security.workspace.trust.enabled"] is False


@pytest.mark.slow
def test_an_editor_gets_the_story_a_home_of_its_own_and_the_program(tmp_path: Path) -> None:
    editor, told = program(tmp_path / "bin", "nvim", EDITOR), tmp_path / "told"
    environment = os.environ | {"PATH": f"{editor.parent}:{os.environ['PATH']}", "TOLD": str(told)}
    run = [sys.executable, "-m", "descartes_server", "demo", "--with", "nvim"]
    done = subprocess.run(run, env=environment, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    *_, story, descartes, home = told.read_text().splitlines()
    assert Path(descartes) == Path(sys.executable).parent / "descartes"
    assert "restart-case" in Path(f"{told}.story").read_text() and Path(story).name == "story.lisp"
    assert not Path(home).parent.exists(), "nothing is left behind"
    other = subprocess.run([*run[:-1], "pico"], check=False, capture_output=True, text=True, timeout=120)
    assert other.returncode != 0 and "pico" in other.stderr and "Traceback" not in other.stderr

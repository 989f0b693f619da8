"""Notes through the command line: written, found, edited by hand and in the person's editor, linked."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

Descartes = Callable[..., Awaitable[Any]]


@pytest.fixture
def editor(isolated_environment: Path) -> Callable[[str], str]:
    """Return a function that makes an editor of a shell script; `$1` is the file."""

    def make(script: str) -> str:
        file = isolated_environment / "an editor.sh"
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o700)
        return f"'{file}' "

    return make


async def created(descartes: Descartes, title: str, *words: str) -> dict[str, Any]:
    done = await descartes("thoughts", "create", "--title", title, "--json", *words)
    assert done.status == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


@pytest.mark.ledger("D-49")
@pytest.mark.ledger("D-46")
async def test_notes_from_a_terminal(descartes: Descartes, isolated_environment: Path) -> None:
    made = await created(descartes, "API Design", "--tags", "api,design", "--body", "Use rate limits.")
    await created(descartes, "Notes of a day", "--body", "The API needs a design " * 30, "--kind", "plans")
    path = Path(made["path"])
    assert path.parent == isolated_environment / "home" / "thoughts" / "research"
    found = (await descartes("thoughts", "search", "api design")).out.splitlines()
    assert [line.split("\t")[3] for line in found] == ["API Design", "Notes of a day"]
    path.write_text(path.read_text() + "\nAnd authentication with passkeys.\n")
    (found,) = (await descartes("thoughts", "search", "authentication")).out.splitlines()
    assert found.split("\t")[0] == made["id"] and "passkeys" in found
    assert "by hand" not in (await descartes("thoughts", "show", "api-design")).out
    shown = (await descartes("thoughts", "show", made["id"][:8])).out
    assert shown.startswith("# API Design\n") and shown.endswith("And authentication with passkeys.\n")
    archived = await descartes("thoughts", "archive", "api-design")
    assert archived.status == 0 and "/archive/research/" in archived.out
    listed = (await descartes("thoughts", "list")).out.splitlines()
    assert [line.split("\t")[3] for line in listed] == ["Notes of a day"]
    missing = await descartes("thoughts", "show", "nothing")
    assert (missing.status, missing.err) == (
        2, "There is no note 'nothing'; `descartes thoughts list` shows them\n"
    )  # fmt: skip
    history = (await descartes("history", "--type", "note.")).out.splitlines()
    assert [line.split("\t")[4] for line in history] == ["note.archived", "note.created", "note.created"]


async def test_the_text_comes_from_the_persons_editor(
    descartes: Descartes, editor: Callable[[str], str]
) -> None:
    writes = editor('printf "Written by hand.\\n" > "$1"')
    made = await descartes("thoughts", "create", "--title", "Mine", "--json", EDITOR=writes, VISUAL="")
    assert made.status == 0, made.err
    assert Path(json.loads(made.out)["path"]).read_text().endswith("---\n\nWritten by hand.\n")
    adds = editor('printf "Zygote.\\n" >> "$1"')
    assert (await descartes("thoughts", "edit", "mine", EDITOR=adds, VISUAL="")).status == 0
    assert "Mine" in (await descartes("thoughts", "search", "zygote")).out
    events = (await descartes("history", "--type", "note.")).out
    assert "note.edited" in events
    looks = editor("true")
    unchanged = await descartes("thoughts", "edit", "mine", EDITOR=looks, VISUAL="")
    assert (unchanged.status, unchanged.err) == (0, "nothing was changed\n")
    nothing = await descartes("thoughts", "create", "--title", "None", EDITOR=looks, VISUAL="")
    assert (nothing.status, nothing.err) == (1, "Nothing was written, so no note was made\n")
    failed = await descartes("thoughts", "create", "--title", "None", EDITOR=editor("exit 3"), VISUAL="")
    assert failed.status == 1 and "ended with status 3" in failed.err
    without = await descartes("thoughts", "create", "--title", "None", EDITOR="", VISUAL="")
    assert without.status == 1 and "--body" in without.err
    piped = await descartes("thoughts", "create", "--title", "Piped", "--body", "-", stdin="from a pipe")
    assert piped.status == 0 and "Piped" in (await descartes("thoughts", "search", "pipe")).out
    assert len((await descartes("thoughts", "list")).out.splitlines()) == 2


async def test_options_change_a_note_without_an_editor(descartes: Descartes) -> None:
    made = await created(descartes, "Draft", "--body", "One")
    assert (await descartes("thoughts", "edit", "draft", "--append", "Two", "--tags", "a,b")).status == 0
    shown = json.loads((await descartes("thoughts", "show", "draft", "--json")).out)
    assert (shown["content"], shown["tags"], shown["id"]) == ("One\n\nTwo\n", ["a", "b"], made["id"])
    for words in (("create", "--title", " ", "--body", "x"), ("search", "...")):
        wrong = await descartes("thoughts", *words)
        assert wrong.status == 1 and wrong.err.startswith("Expected"), words
    assert (await descartes("thoughts", "create", "--title", "x", "--kind", "poem")).status == 2


@pytest.mark.ledger("D-48")
async def test_a_project_is_linked_only_when_asked(
    descartes: Descartes, workspace: Path, isolated_environment: Path
) -> None:
    await created(descartes, "Any", "--body", "x")
    assert not (workspace / "thoughts").exists()
    (workspace / "thoughts").mkdir()
    refused = await descartes("thoughts", "link")
    assert refused.status == 1 and "a folder is there" in refused.err
    (workspace / "thoughts").rmdir()
    assert (await descartes("thoughts", "link")).status == 0
    assert (workspace / "thoughts").readlink() == isolated_environment / "home" / "thoughts"
    assert (await descartes("thoughts", "link", "--remove")).status == 0
    assert not (workspace / "thoughts").is_symlink()
    again = await descartes("thoughts", "link", "--remove")
    assert again.status == 2

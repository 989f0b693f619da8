"""`descartes edit` on a real workspace: looked at, done, undone, or refused with the reason."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from server.conftest import Descartes
from support.trees import git, repository, tree, write

FILE = b"(foo 1)\r\n(foo-bar \xc3\xa9\xf0\x9f\x98\x80)\r\n(foo"
FILES: dict[str, str | bytes] = {
    "src/a.lisp": '(defun foo (x)\n  "foo"\n  (foo x :foo p:foo)) ; foo\n#| foo |#\n',
    "src/b c.lisp": FILE,
    "notes.txt": "foo\n",
}


@pytest.mark.ledger("S-08")
async def test_a_symbol_is_replaced_in_many_files_and_back(descartes: Descartes, workspace: Path) -> None:
    repository(workspace, FILES)
    before = tree(workspace)
    shown = await descartes("edit", "preview", "foo", "area", "--symbol", "--trust")
    assert [line.split("\t") for line in shown.out.splitlines()] == [
        ["3", "src/a.lisp", "1, 3", ""],
        ["2", "src/b c.lisp", "1, 3", ""],
    ]
    assert tree(workspace) == before
    (id_,) = re.findall(r"`descartes edit apply (\w+)`", shown.err)
    done = await descartes("edit", "apply", id_, "--reason", "a better name")
    assert done.status == 0 and "2 files changed" in done.err, done
    assert (workspace / "src/a.lisp").read_text() == (
        '(defun area (x)\n  "foo"\n  (area x :foo p:area)) ; foo\n#| foo |#\n'
    )
    assert (workspace / "src/b c.lisp").read_bytes() == FILE.replace(b"(foo ", b"(area ")[:-3] + b"area"
    assert (await descartes("restore", "undo")).status == 0 and tree(workspace) == before
    asked = await descartes("edit", "replace", "foo", "x")
    assert asked.status == 2 and "give --yes" in asked.err and tree(workspace) == before


@pytest.mark.slow
async def test_expressions_named_places_and_what_is_refused(descartes: Descartes, workspace: Path) -> None:
    repository(workspace, FILES)
    one = ("edit", "replace", r"\(foo (\d)\)", r"(foo \1 \1)", "--regex", "--yes", "--json", "--trust")
    done = await descartes(*one, "--paths", "*.lisp", cwd=workspace / "src")
    assert [each["path"] for each in json.loads(done.out)["files"]] == ["src/b c.lisp"], done
    assert (workspace / "src/b c.lisp").read_bytes().startswith(b"(foo 1 1)\r\n")
    change = json.dumps({"path": "notes.txt", "oldText": "foo", "newText": "bar"})
    inside = {"cwd": workspace / "src"}
    assert (await descartes("edit", "replace", "--changes", change, "--yes", **inside)).status == 1
    some = await descartes("edit", "preview", "foo", "x", "--paths", ".", "--paths", "!b*", **inside)
    assert [line.split("\t")[1] for line in some.out.splitlines()] == ["src/a.lisp"]
    assert (await descartes("edit", "replace", "--changes", change, "--yes")).status == 0
    assert (workspace / "notes.txt").read_text() == "bar\n"
    named = ("--pattern", "foo", "--replacement", "area", "--symbol")
    diff = await descartes("edit", "preview", *named, "--diff")
    assert "-(defun foo (x)\n+(defun area (x)\n" in diff.out and "--- a/src/b c.lisp\t\n" in diff.out
    kept = json.loads((await descartes("restore", "list", "--json")).out)["restores"]
    assert [(each["can"], each["what"]) for each in kept] == [
        ("undo", "1 change"),
        ("undo", r"replace the expression '\(foo (\d)\)' by '(foo \1 \1)'"),
    ]
    listed = await descartes("history", "list", "--type", "edit.applied")
    assert "1 change · 1 file" in listed.out
    await refused(descartes, workspace)


async def refused(descartes: Descartes, workspace: Path) -> None:
    """See to it that what cannot be is said in one sentence, and changes nothing."""
    before = tree(workspace)
    stale = json.loads((await descartes("edit", "preview", "bar", "x", "--json")).out)["id"]
    write(workspace, {"notes.txt": "mine bar\n"})
    held = json.loads((await descartes("edit", "preview", "foo", "x", "--json")).out)["id"]
    bob = ("--holder", "human:Bob")
    assert (await descartes("lease", "acquire", "src/a.lisp", *bob)).status == 0
    for words, status, said in (
        (("preview", "(", "x", "--regex"), 1, "is not a regular expression"),
        (("preview", "foo"), 1, "`replacement`"),
        (("preview", "foo", "x", "--paths", "../else"), 1, "inside the workspace"),
        (("preview", "--changes", "{"), 2, "expected JSON"),
        (("preview", "--changes", '{"path": "/etc/passwd", "oldText": "a", "newText": "b"}'), 1, "outside"),
        (("replace", "foo", "x"), 2, "give --yes"),
        (("replace", "foo", "x", "--yes"), 1, "Bob holds it"),
        (("apply", "evt_beef"), 2, "No event has an id"),
        (("apply", stale), 1, "notes.txt was changed since the preview"),
        (("apply", held), 1, "Bob"),
        (("apply", held, "--paths", "notes.txt"), 1, "files of the preview"),
    ):
        outcome = await descartes("edit", *words)
        assert outcome.status == status and said in outcome.err, (words, outcome)
        assert "Traceback" not in outcome.err
    assert tree(workspace) == {**before, "notes.txt": ("file", b"mine bar\n", before["notes.txt"][2])}
    nothing = await descartes("edit", "replace", "nowhere", "x", "--yes")
    assert nothing.status == 1 and "there is nothing to change" in nothing.err
    assert "refs/descartes" in git(workspace, "for-each-ref")

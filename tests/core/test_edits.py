"""Bulk edits: looked at first, all or nothing, undone as one, never at the cost of a person's work."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.agents.tools.texts import Text
from descartes_core.edits import searching
from descartes_core.edits.diffs import of_texts, unified
from descartes_core.edits.places import Edit, FileText, applied
from descartes_core.edits.shapes import EditRequest, TextChange, TextPosition, TextRange
from descartes_core.errors import (
    DescartesError,
    InvalidParams,
    LeaseHeld,
    NotFound,
    RestoreConflict,
    TimedOut,
    UnsavedChanges,
)
from descartes_core.timetravel import journal
from support.bulk_edits import Editor, bulk_edits
from support.running import ANN, BOB
from support.trees import git, private_state, tree, write


@pytest.fixture
async def editor(workspace: Path) -> AsyncIterator[Editor]:
    async with bulk_edits(workspace) as editor:
        yield editor


def contents(workspace: Path) -> dict[str, bytes]:
    return {path: entry[1] for path, entry in tree(workspace).items() if entry[0] == "file"}


@pytest.mark.ledger("S-08")
async def test_what_was_shown_is_done_and_undone_byte_for_byte(editor: Editor, workspace: Path) -> None:
    before, state = tree(workspace), private_state(workspace)
    preview = await editor.preview("foo", "quux é")
    assert tree(workspace) == before
    shown = {each.path: [(place.line, place.column) for place in each.places] for each in preview.files}
    assert shown == {
        "notes.txt": [(1, 1)],
        "run.sh": [(1, 6)],
        "src/a.lisp": [(1, 8), (2, 4)],
        "src/b c.lisp": [(1, 2), (3, 4)],
        "src/open.lisp": [(1, 2)],
        "old.txt": [(1, 1)],
    }
    assert preview.count == 8 and preview.refused is None and preview.left == []
    (place, _) = next(each for each in preview.files if each.path == "src/a.lisp").places
    assert (place.old, place.new) == ("(defun foo (x)", "(defun quux é (x)")
    patched = workspace.parent / "patched"
    shutil.copytree(workspace, patched, symlinks=True)
    utf8 = [each.diff for each in preview.files if each.path != "old.txt"]
    subprocess.run(
        ["git", "apply", "--unidiff-zero", "-"], cwd=patched, input="".join(utf8).encode(), check=True
    )
    done = await editor.edits.apply(preview.id, ANN, reason="a better name")
    assert [each.path for each in done.files] == sorted(shown)
    after = tree(workspace)
    new = "quux é".encode()
    assert after["src/b c.lisp"][1] == before["src/b c.lisp"][1].replace(b"foo", new)
    assert after["old.txt"][1] == "quux é é\n".encode("latin-1")
    assert after["run.sh"] == ("file", b"echo " + new + b"\n", 0o750)
    for path in ("data.bin", "x.log", "link.lisp", ".gitignore"):
        assert after[path] == before[path]
    assert contents(workspace) == {**contents(patched), "old.txt": after["old.txt"][1]}
    (event,) = await editor.machine.bench.events(type="edit.applied")
    assert event.actor == ANN and event.data["why"] == "a better name"
    assert event.data["what"] == "replace 'foo' by 'quux é'" and event.data["paths"] == sorted(shown)
    assert await editor.machine.bench.leases.list() == []
    undone = await editor.machine.undo()
    assert undone.kind == "undo" and tree(workspace) == before
    await editor.machine.redo()
    assert tree(workspace) == after and private_state(workspace) == state


async def test_files_groups_and_named_places(editor: Editor, workspace: Path) -> None:
    for paths, expected in (
        (["src"], {"src/a.lisp", "src/b c.lisp", "src/open.lisp"}),
        (["src/", "!src/o*"], {"src/a.lisp", "src/b c.lisp"}),
        (["*.lisp", "/notes.txt"], {"src/a.lisp", "src/b c.lisp", "src/open.lisp", "notes.txt"}),
        (["src/b c.lisp"], {"src/b c.lisp"}),
        ([str(workspace / "src" / "a.lisp")], {"src/a.lisp"}),
        (["**/a.lisp"], {"src/a.lisp"}),
        (["x.log", "data.bin"], set()),
    ):
        preview = await editor.preview("foo", "x", paths=paths)
        assert {each.path for each in preview.files} == expected, paths
    preview = await editor.preview(r"\((\w+) (\d)\)$", r"(\2 \1)\n", regex=True, paths=["src"])
    await editor.edits.apply(preview.id, ANN)
    assert (workspace / "src/b c.lisp").read_bytes().startswith(b"(1 foo)\r\n\r\n(bar)\r\n")
    preview = await editor.preview("FOO 1\n\n", "one\n", ignore_case=True, regex=True)
    assert preview.files == []
    preview = await editor.preview("1 FOO)\n\n(bar", "one\ntwo", ignore_case=True)
    await editor.edits.apply(preview.id, ANN)
    assert (workspace / "src/b c.lisp").read_bytes().startswith(b"(one\r\ntwo)\r\n(p:foo")
    line = TextRange(start=TextPosition(line=1, column=8), end=TextPosition(line=1, column=11))
    preview = await editor.changes(
        TextChange(path="link.lisp", range=line, new_text="area"),
        TextChange(path="src/a.lisp", old_text="(foo x)", new_text="(area x)"),
        TextChange(path="x.log", old_text="foo", new_text="even what is ignored, by its name"),
    )
    assert [each.path for each in preview.files] == ["src/a.lisp", "x.log"]
    await editor.edits.apply(preview.id, ANN, paths=["src"])
    assert (workspace / "src/a.lisp").read_text() == "(defun area (x)\n  (area x))\n"
    assert (workspace / "x.log").read_text() == "foo\n" and (workspace / "link.lisp").is_symlink()


async def test_what_is_in_the_way_is_shown_and_respected(editor: Editor, workspace: Path) -> None:
    bench = editor.machine.bench
    before = tree(workspace)
    await bench.leases.acquire("src/a.lisp", BOB, reason="mine")
    editor.unsaved = {"notes.txt": "Emacs", "src/elsewhere.lisp": "Vim"}
    preview = await editor.preview("foo", "x")
    found = {each.path: each for each in preview.files}
    assert found["src/a.lisp"].leased_by == BOB and found["src/a.lisp"].refused == "Bob holds it"
    assert found["notes.txt"].unsaved == "Emacs" and "Emacs" in (found["notes.txt"].refused or "")
    assert preview.refused is not None and "1 more" in preview.refused
    assert [(each.path, "Vim" in each.reason) for each in preview.left] == [("src/elsewhere.lisp", True)]
    with pytest.raises(UnsavedChanges, match="Emacs"):
        await editor.edits.apply(preview.id, ANN)
    with pytest.raises(LeaseHeld, match="Bob"):
        await editor.edits.apply(preview.id, ANN, paths=["src", "run.sh"])
    assert tree(workspace) == before
    assert [each.holder for each in await bench.leases.list()] == [BOB]
    # What was not chosen may have changed, what was chosen may not.
    write(workspace, {"src/a.lisp": "(other)\n", "src/open.lisp": "(mine foo)\n"})
    with pytest.raises(RestoreConflict, match=r"src/open\.lisp was changed since the preview") as refused:
        await editor.edits.apply(preview.id, ANN, paths=["src/open.lisp", "run.sh"])
    assert refused.value.data["paths"] == ["src/open.lisp"]
    assert (workspace / "run.sh").read_text() == "echo foo\n"
    await editor.edits.apply(preview.id, ANN, paths=["run.sh"])
    assert (workspace / "run.sh").read_text() == "echo x\n"
    with pytest.raises(RestoreConflict):
        await editor.edits.apply(preview.id, ANN, paths=["run.sh"])
    write(workspace, {"run.sh": "echo mine\n"})
    with pytest.raises(RestoreConflict, match="the bulk edit") as later:
        await editor.machine.undo()
    assert later.value.data["paths"] == ["run.sh"]
    await editor.machine.undo(force=True)
    assert (workspace / "run.sh").read_text() == "echo foo\n"
    found_now = await journal.history(bench.store.reader)
    assert [each.what for each in found_now.redo] == ["replace 'foo' by 'x'"]


async def test_what_makes_no_sense_is_refused(
    editor: Editor, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change(path: str = "notes.txt", **more: Any) -> EditRequest:
        return EditRequest(changes=[TextChange(path=path, **{"new_text": "x", **more})])

    def at(line: int, column: int, to: int) -> TextRange:
        place = TextPosition(line=line, column=column)
        return TextRange(start=place, end=TextPosition(line=line, column=to))

    before = tree(workspace)
    nothing = await editor.preview("nowhere", "x")
    for error, request in (
        (InvalidParams, EditRequest()),
        (InvalidParams, EditRequest(pattern="", replacement="x")),
        (InvalidParams, EditRequest(pattern="foo")),
        (InvalidParams, EditRequest(pattern="foo", replacement="x", paths=[])),
        (InvalidParams, EditRequest(pattern="foo", replacement="x", paths=["../else"])),
        (InvalidParams, EditRequest(pattern="(", replacement="x", regex=True)),
        (InvalidParams, EditRequest(pattern="foo", replacement=r"\1", regex=True)),
        (InvalidParams, EditRequest(pattern="foo", replacement=r"\g<a>", regex=True)),
        (InvalidParams, EditRequest(pattern="a b", replacement="x", symbol=True)),
        (InvalidParams, EditRequest(pattern="a", replacement="x", symbol=True, regex=True)),
        (InvalidParams, EditRequest(changes=[])),
        (InvalidParams, EditRequest(pattern="foo", replacement="x", changes=[])),
        (InvalidParams, change()),
        (InvalidParams, change(old_text="")),
        (InvalidParams, change(old_text="foo", range=at(1, 1, 2))),
        (InvalidParams, change(old_text="nowhere")),
        (InvalidParams, change("src/a.lisp", old_text="foo")),
        (InvalidParams, change("data.bin", old_text="foo")),
        (InvalidParams, change("../outside", old_text="foo")),
        (InvalidParams, change("/etc/passwd", old_text="root")),
        (InvalidParams, change(".git/config", old_text="core")),
        (InvalidParams, change("src", old_text="foo")),
        (InvalidParams, change("a\0b", old_text="foo")),
        (InvalidParams, change(range=at(0, 1, 2))),
        (InvalidParams, change(range=at(1, 3, 2))),
        (
            InvalidParams,
            EditRequest(
                changes=[
                    TextChange(path="notes.txt", range=at(1, 1, 3), new_text="x"),
                    TextChange(path="notes.txt", range=at(1, 2, 4), new_text="y"),
                ]
            ),
        ),
    ):
        with pytest.raises(error) as refused:
            await editor.edits.preview(request, ANN)
        assert not refused.value.message.endswith("."), request
    preview = await editor.preview("foo", "x")
    (first, *_) = await editor.machine.bench.events()
    for error, confirm, paths in (
        (NotFound, "evt_beef", None),
        (NotFound, first.id, None),
        (InvalidParams, nothing.id, None),
        (InvalidParams, preview.id, []),
        (InvalidParams, preview.id, ["src", "data.bin"]),
    ):
        with pytest.raises(error):
            await editor.edits.apply(confirm, ANN, paths=paths)
    clock, late = editor.machine.bench.store.clock, 11 * 60_000
    now = clock.now_ms
    with monkeypatch.context() as patched:
        patched.setattr(clock, "now_ms", lambda: now() + late)
        with pytest.raises(RestoreConflict, match="ten minutes"):
            await editor.edits.apply(preview.id, ANN)
    monkeypatch.setattr(searching, "SEARCH_SECONDS", 0.3)
    write(workspace, {"long.txt": "a" * 40})
    with pytest.raises(TimedOut, match="pattern simpler"):
        await editor.preview("(a+)+b", "x", regex=True, paths=["long.txt"])
    (workspace / "long.txt").unlink()
    # A text that the file's encoding does not have would change all of the file.
    preview = await editor.preview("foo", "€", paths=["old.txt"])
    assert preview.files == [] and "latin-1" in preview.left[0].reason
    assert tree(workspace) == before


PIECES = ["foo", "Foo", "a", "é😀€", "(", ")", " ", "\n", "\r\n", '"', "; c\n", "x\ty"]


def some_text(chance: random.Random) -> str:
    return "".join(chance.choice(PIECES) for _ in range(chance.randrange(40)))


async def some_edits(editor: Editor, workspace: Path, chance: random.Random, rounds: int) -> None:
    """Edit random files ROUNDS times: what is done is what was shown, and an undo takes it back."""
    for _ in range(rounds):
        files = {f"d{n % 3}/é {n}.lisp": some_text(chance) for n in range(6)}
        write(workspace, dict(files))
        before = tree(workspace)
        pattern, new = chance.choice(["foo", "a", "é😀", "\n", ")\n"]), chance.choice(["", "foo", "€\n", "z"])
        preview = await editor.preview(pattern, new, ignore_case=chance.random() < 0.3, paths=["d?/*"])
        if not preview.files:
            continue
        some = [each.path for each in preview.files if chance.random() < 0.7] or [preview.files[0].path]
        await editor.edits.apply(preview.id, ANN, paths=some)
        after = tree(workspace)
        assert {path for path in after if after[path] != before[path]} == set(some)
        patched = workspace.parent / "patched"
        patched.mkdir()
        git(patched, "init", "--quiet")
        write(patched, {path: before[path][1] for path in some})
        diffs = "".join(each.diff for each in preview.files if each.path in some)
        subprocess.run(["git", "apply", "-"], cwd=patched, input=diffs.encode(), check=True)
        assert contents(patched) == {path: after[path][1] for path in some}
        shutil.rmtree(patched)
        await editor.machine.undo()
        assert tree(workspace) == before


async def test_random_edits_do_what_their_preview_shows(editor: Editor, workspace: Path) -> None:
    await some_edits(editor, workspace, random.Random(7), 3)


@pytest.mark.slow
@pytest.mark.ledger("S-08")
async def test_many_random_edits_do_what_their_preview_shows(editor: Editor, workspace: Path) -> None:
    await some_edits(editor, workspace, random.Random(11), 100)


TEXTS = st.lists(st.sampled_from(["a", "b", "\n", "\r\n", "é"]), max_size=25).map("".join)


@given(TEXTS, st.sampled_from(["a", "b", "\n", "a\n", "é"]), st.sampled_from(["", "a", "x\n", "\n\n"]))
def test_edits_keep_line_ends_and_their_diff_is_the_whole_change(text: str, old: str, new: str) -> None:
    file = FileText(Text(text))
    found = [n for n in range(len(file.plain)) if file.plain.startswith(old, n)]
    edits = file.in_file([Edit(n, n + len(old), new) for n in found])
    after = applied(text, edits)
    assert after.replace("\r\n", "\n") == file.plain.replace(old, new)
    if "\n" not in old + new:
        assert after == text.replace(old, new)
    assert _patched(text, "".join(unified("f", text, edits))) == after
    assert _patched(text, "".join(of_texts("f", text, after))) == after


def _patched(text: str, diff: str) -> str:
    """Return TEXT with DIFF, read as strictly as can be."""
    lines, out, at = text.split("\n"), [], 0
    body = diff.split("\n")[2:-1]
    for number, line in enumerate(body):
        bare = number + 1 < len(body) and body[number + 1].startswith("\\")
        if line.startswith("@@"):
            old = line.split(" ")[1].lstrip("-").split(",")
            start = int(old[0]) - (old[1:] != ["0"])
            out += [f"{each}\n" for each in lines[at:start]]
            at = start
        elif line[0] in " -":
            assert lines[at] == line[1:]
            at += 1
        if line[0] in " +" and not line.startswith("+++"):
            out.append(line[1:] + "\n" * (not bare))
    rest = "\n".join(lines[at:])
    return "".join(out) + rest


async def test_errors_of_a_bulk_edit_are_of_our_tree(editor: Editor) -> None:
    for attempt in (editor.preview("", "x"), editor.edits.apply("", ANN)):
        with pytest.raises(DescartesError):
            await attempt

"""Who changed a line: by runs, by people, before the log; right after other edits have moved the line."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.blobs import Blobs
from descartes_core.edits.edits import Edits
from descartes_core.edits.shapes import EditRequest
from descartes_core.model import NewEvent
from descartes_core.store import Store
from descartes_core.timetravel.blame import Blame, Place, blame
from descartes_core.timetravel.body import Body
from descartes_core.timetravel.conversation import BrainPart
from descartes_core.timetravel.lines import carry, split
from descartes_core.timetravel.restores import Restores
from descartes_core.timetravel.shapes import BodyName, RestoreRequest
from descartes_core.timetravel.versions import SAVES
from support.running import ANN, BOB, Bench, call

FIRST = "(defun one ())\n(defun two ())\n(defun three ())\n"


@pytest.fixture
async def bench(workspace: Path) -> AsyncIterator[Bench]:
    state = workspace / ".descartes"
    store = await Store.open(state / "descartes.db")
    bench = Bench(workspace, store, None, body=Body(store, workspace, state))
    yield bench
    await bench.close()


async def look(bench: Bench, text: str | None = None, *, path: str = "a.lisp", trusted: bool = True) -> Blame:
    root = bench.workspace
    now = (root / path).read_text() if text is None else text
    return await blame(bench.store.reader, Place(root, root / ".descartes", path, trusted), now)


def told(found: Blame, text: str) -> list[str]:
    """Return who changed each line of TEXT last: a run's name, a commit's author, or nothing."""
    lines = []
    for number in range(len(split(text))):
        change = found.last(number)
        lines.append((change.by.name if change.by else change.author or "?") if change else "")
    return lines


def git(root: Path, *words: str) -> None:
    identity = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    subprocess.run(["git", *identity, *words], cwd=root, check=True, capture_output=True)


async def edit(bench: Bench, old: str, new: str, agent: str, says: str = "") -> str:
    step = {**call("edit", path="a.lisp", old=old, new=new), "text": says}
    run = await bench.spawn(
        step, {"text": "Done."}, agent=agent, task=f"task of {agent}", tool_level="trusted"
    )
    assert (await bench.ended(run.id)).status == "completed"
    return run.id


async def test_each_line_names_the_run_that_changed_it_last(bench: Bench) -> None:
    path = bench.workspace / "a.lisp"
    path.write_text(FIRST)
    first = await edit(bench, "(defun two ())", "(defun two (x)\n  x)", "ann's", "Two takes one.")
    await edit(bench, "(defun one ())", ";; a comment\n;; and another\n(defun one ())", "mover")
    await edit(bench, "(defun two (x)", "(defun two (x y)", "second")
    text = path.read_text()
    found = await look(bench, trusted=False)
    assert list(zip(text.split("\n"), told(found, text), strict=True)) == [
        (";; a comment", "mover"),
        (";; and another", "mover"),
        ("(defun one ())", ""),
        ("(defun two (x y)", "second"),
        ("  x)", "ann's"),
        ("(defun three ())", ""),
        ("", ""),
    ]
    assert [change.by.name for change in found.all(3) if change.by] == ["second", "ann's"]
    moved = found.last(4)
    assert moved is not None
    assert (moved.run, moved.task, moved.reason) == (first, "task of ann's", "Two takes one.")
    newest = found.newest(3, 4)
    assert newest is not None and newest.by is not None and newest.by.name == "second"
    events = {event.id: event.name for event in await bench.events(first)}
    assert events[moved.event or ""] == "file.written"


async def test_what_people_save_is_theirs_each_line_of_it(bench: Bench) -> None:
    path = bench.workspace / "a.lisp"
    path.write_text(FIRST)
    await edit(bench, "(defun two ())", "(defun two (x) x)", "fixer")
    text = path.read_text()
    for who, old, new in (
        (ANN, "(defun one ())", ";; Ann's\n(defun one ())"),
        (BOB, "(defun three ())", "(defun three (y) y)"),
    ):
        before, text = text, text.replace(old, new)
        blobs = Blobs(bench.workspace / ".descartes" / SAVES)
        data = {"path": "a.lisp", "sha256Before": blobs.put(before), "sha256After": blobs.put(text)}
        await bench.store.append(
            NewEvent(category="action", name="file.saved", stream="files", actor=who, data=data)
        )
    path.write_text(text)
    found = await look(bench, trusted=False)
    assert told(found, text) == ["Ann", "", "fixer", "Bob", ""]
    # Lines that were typed since are nobody's yet, and a run goes on from what was saved.
    typed = text.replace("(defun one ())", "(defun one (z))")
    assert told(await look(bench, typed, trusted=False), typed) == ["Ann", "?", "fixer", "Bob", ""]
    await edit(bench, "(defun three (y) y)", "(defun three (y)\n  y)", "second")
    text = path.read_text()
    assert told(await look(bench, trusted=False), text) == ["Ann", "", "fixer", "second", "second", ""]
    # Where the texts are not kept any more the rest is known still.
    for kept in (bench.workspace / ".descartes" / SAVES).glob("*/*"):
        kept.unlink()
    assert told(await look(bench, trusted=False), text)[2:4] == ["fixer", "second"]


async def test_what_is_typed_now_is_nobodys_and_moves_the_rest(bench: Bench) -> None:
    (bench.workspace / "a.lisp").write_text(FIRST)
    await edit(bench, "(defun two ())", "(defun two (x) x)", "fixer")
    text = "; typed\n" + (bench.workspace / "a.lisp").read_text().replace("(defun three ())", "(defun 3 ())")
    found = await look(bench, text, trusted=False)
    assert told(found, text) == ["?", "", "fixer", "?", ""]
    typed = found.last(0)
    assert typed is not None and (typed.event, typed.at) == (None, None)


async def test_git_tells_of_what_the_log_does_not_know(bench: Bench) -> None:
    path = bench.workspace / "a.lisp"
    path.write_text(FIRST)
    git(bench.workspace, "init", "-q")
    git(bench.workspace, "add", "a.lisp")
    git(bench.workspace, "commit", "-qm", "The first three")
    await edit(bench, "(defun two ())", "(defun two (x) x)", "fixer")
    text = path.read_text()
    found = await look(bench)
    assert told(found, text)[:3] == ["Ann", "fixer", "Ann"]
    committed = found.last(2)
    assert committed is not None and committed.reason == "The first three" and committed.commit is not None
    # In a folder that is not trusted git is not asked.
    assert told(await look(bench, trusted=False), text)[:3] == ["", "fixer", ""]


async def test_a_file_that_nobody_knows(bench: Bench) -> None:
    (bench.workspace / "b.lisp").write_text("(b)\n")
    assert told(await look(bench, path="b.lisp"), "(b)\n") == ["", ""]
    assert (await look(bench, "", path="none.lisp")).last(5) is None


async def test_a_rewritten_file_keeps_what_stayed(bench: Bench) -> None:
    path = bench.workspace / "a.lisp"
    path.write_bytes(b"one\r\ntwo\r\n")
    run = await bench.spawn(
        call("write", path="a.lisp", content="zero\none\ntwo\nthree\n"), {"text": "."},
        agent="writer", tool_level="trusted",
    )  # fmt: skip
    await bench.ended(run.id)
    text = path.read_bytes().decode()
    found = await look(bench, text)
    assert [found.last(line) is not None for line in range(4)] == [True, False, False, True]
    await edit(bench, "two", "2", "other")
    text = path.read_bytes().decode()
    assert told(await look(bench, text), text)[1:4] == ["", "other", "writer"]


async def test_what_a_command_or_a_person_changed_between(bench: Bench) -> None:
    path = bench.workspace / "a.lisp"
    path.write_text(FIRST)
    run = await bench.spawn(
        call("shell", command="sed -i 's/two/2/' a.lisp"), {"text": "."}, agent="sed", tool_level="trusted"
    )
    await bench.ended(run.id)
    path.write_text(path.read_text().replace("three", "3"))
    await edit(bench, "(defun one ())", "(defun 1 ())", "fixer")
    text = path.read_text()
    found = await look(bench, text)
    assert told(found, text) == ["fixer", "sed", "?", ""]
    outside = found.last(2)
    assert outside is not None and outside.at is not None and outside.event is None
    by_command = found.last(1)
    assert by_command is not None and by_command.run == run.id


async def test_what_a_restore_put_back_is_the_restores(bench: Bench) -> None:
    path = bench.workspace / "a.lisp"
    path.write_text(FIRST)
    run = await edit(bench, "(defun one ())", "(defun 1 ())", "fixer")
    path.write_text(path.read_text().replace("three", "3"))
    body = Body(bench.store, bench.workspace, bench.workspace / ".descartes")
    restores = Restores(bench.store, body, bench.leases)
    first = (await bench.events(run))[0].id
    parts = {"brain": BrainPart(bench.store.reader)}
    both: list[list[BodyName]] = [["body"], ["brain"]]
    for bodies in both:
        request = RestoreRequest(run=run, to=first, bodies=bodies)
        preview = await restores.preview(request, ANN, parts)
        await restores.apply(request, preview.id, ANN, parts)
    found = await look(bench)
    (applied, _) = await bench.events(type="restore.applied")
    change = found.last(0)
    assert change is not None and change.event == applied.id and change.by == ANN
    assert found.last(1) is None
    path.write_text(path.read_text().replace("two", "2"))
    await edit(bench, "(defun one ())", "(defun 1 ())", "fixer")
    assert told(await look(bench), path.read_text()) == ["fixer", "?", "Ann", ""]
    edits = Edits(bench.store, body, restores)
    looked = await edits.preview(EditRequest(pattern="three", replacement="3"), BOB)
    await edits.apply(looked.id, BOB)
    assert told(await look(bench), path.read_text()) == ["fixer", "?", "Bob", ""]


LINES = st.lists(st.sampled_from("abcde"), max_size=8)


@given(LINES, st.lists(LINES, max_size=5))
def test_carried_histories_always_fit_the_lines(first: list[str], others: list[list[str]]) -> None:
    histories: list[tuple[int, ...]] = [(0,) for _ in first]
    before, seen = first, {0: first}
    for number, after in enumerate(others, start=1):
        histories = carry(before, histories, after, number)
        before, seen[number] = after, after
        assert len(histories) == len(after)
        for line, history in zip(after, histories, strict=True):
            # The version that is said to have changed a line has that line, and those since kept it.
            assert all(line in seen[version] for version in range(history[0], number + 1))
    assert all(list(each) == sorted(each, reverse=True) for each in histories)

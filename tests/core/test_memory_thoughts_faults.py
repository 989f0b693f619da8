"""Notes where something is broken, full, held or written by several at once; and any text at all."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descartes_core.errors import InvalidParams, NotFound, StoreUnavailable
from descartes_core.memory import front_matter, note_files
from descartes_core.memory.notebook import Author, Notebook
from descartes_core.memory.thoughts import Changes, NewThought, Thoughts
from descartes_core.store import Store
from support.log import PERSON
from support.notes import make, titles


@pytest.fixture
def notes(isolated_environment: Path) -> Thoughts:
    return Thoughts(isolated_environment / "home")


def test_broken_binary_and_huge_files_are_listed_with_what_is_wrong(notes: Thoughts) -> None:
    note_files.make_folders(notes.folder)
    folder = notes.folder / "research"
    (folder / "unclosed.md").write_text("---\ntitle: Unclosed\n\nfindme one\n")
    (folder / "odd.md").write_text("---\ntitle: Odd\nwhat is this\n---\nfindme two\n")
    (folder / "binary.md").write_bytes(b"\x7fELF\0\0\0findme")
    (folder / "latin.md").write_bytes("findme caf\u00e9".encode("latin-1"))
    (folder / "huge.md").write_text("findme\n" + "x" * 3_000_000)
    (folder / "link.md").symlink_to("/etc/passwd")
    (folder / "folder.md").mkdir()
    (folder / ".#lock.md").write_text("findme")
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.md")).write_text("findme")
    problems = {Path(each.path).name: each.problem or "" for each in notes.list()}
    assert {name: text[:25] for name, text in problems.items()} == {
        "unclosed.md": "its head begins with `---",
        "odd.md": "line 3 is no `key: value`",
        "binary.md": "it is no text, but binary",
        "latin.md": "it is not UTF-8, and what",
        "huge.md": "it has 3,000,007 bytes, a",
    }
    assert {Path(each.path).name for each in notes.search("findme")} == problems.keys() - {"binary.md"}
    for name in problems:
        before = (folder / name).read_bytes()
        with pytest.raises(InvalidParams, match="cannot be edited"):
            notes.edit(name, Changes(appended="x"))
        assert (folder / name).read_bytes() == before
    with pytest.raises(NotFound):
        notes.show("link.md")


def test_an_index_that_is_broken_or_cannot_be_written_is_done_without(
    notes: Thoughts, isolated_environment: Path
) -> None:
    make(notes, "Kept", "something")
    database = isolated_environment / "home" / "thoughts-index.db"
    assert titles(notes.search("something")) == ["Kept"]
    assert stat.S_IMODE(database.stat().st_mode) == 0o600
    database.write_bytes(b"no database at all" * 1000)
    assert titles(notes.search("something")) == ["Kept"]
    database.unlink()
    assert titles(notes.search("something")) == ["Kept"]
    database.unlink()
    database.mkdir()
    assert titles(notes.search("something")) == ["Kept"]


def test_an_index_that_somebody_holds_is_not_thrown_away(
    notes: Thoughts, isolated_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("descartes_core.memory.index.BUSY_SECONDS", 0)
    make(notes, "Kept")
    notes.list()
    database = isolated_environment / "home" / "thoughts-index.db"
    inode = database.stat().st_ino
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    make(notes, "New")
    assert sorted(titles(notes.list())) == ["Kept", "New"]
    other.execute("ROLLBACK")
    other.close()
    assert sorted(titles(notes.list())) == ["Kept", "New"]
    assert database.stat().st_ino == inode


def test_two_who_write_one_note_do_not_lose_a_text(notes: Thoughts, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make(notes, "Shared", "first")
    render = front_matter.render

    def write_meanwhile(*given: object) -> str:
        Path(made.path).write_text("by hand")
        return render(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(front_matter, "render", write_meanwhile)
    with pytest.raises(InvalidParams, match="somebody else"):
        notes.edit(made.id, Changes(body="second"))
    assert Path(made.path).read_text() == "by hand"
    assert [path.name for path in notes.folder.rglob("*.new")] == []


def test_many_who_write_at_once_get_a_file_each_and_find_all(isolated_environment: Path) -> None:
    def write(number: int) -> str:
        return make(Thoughts(isolated_environment / "home"), "Same title", f"word{number:02}x").path

    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(write, range(24)))
    assert len(set(paths)) == 24
    notes = Thoughts(isolated_environment / "home")
    assert {each.path for each in notes.list()} == set(paths)
    for number, path in enumerate(paths):
        assert [each.path for each in notes.search(f"word{number:02}x")] == [path]


def test_a_disk_that_is_full_leaves_no_half_note(isolated_environment: Path) -> None:
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from descartes_core.memory.thoughts import Changes, NewThought, Thoughts\n"
        "notes = Thoughts(Path(sys.argv[1])); notes.create(NewThought('Kept', 'whole'))\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))\n"
        "for work in (lambda: notes.create(NewThought('New', 'x' * 5000)),\n"
        "             lambda: notes.edit('kept', Changes(body='x' * 5000))):\n"
        "    try: work()\n"
        "    except OSError as error: print(error.errno)\n"
    )
    home = isolated_environment / "home"
    done = subprocess.run([sys.executable, "-c", code, home], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(errno.EFBIG)] * 2
    (kept,) = [path for path in (home / "thoughts").rglob("*") if path.is_file()]
    assert kept.read_text().endswith("---\n\nwhole\n")
    assert titles(Thoughts(home).list()) == ["Kept"]


def test_without_hard_links_notes_are_written_all_the_same(
    notes: Thoughts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", cannot)
    assert make(notes, "One").path != make(notes, "One").path
    assert titles(notes.list()) == ["One", "One"]


async def test_what_the_log_does_not_take_did_not_happen(notes: Thoughts, workspace: Path) -> None:
    store = await Store.open(workspace / "log.db")
    book = Notebook(store, notes)
    made = await book.create(NewThought("Plan", "text"), Author(PERSON))
    before = Path(made.path).read_text()
    await store.close()
    for work in (
        lambda: book.create(NewThought("Other", ""), Author(PERSON)),
        lambda: book.edit(made.id, Changes(title="New", body="x", tags=["t"]), Author(PERSON)),
        lambda: book.archive(made.id, Author(PERSON)),
    ):
        with pytest.raises(StoreUnavailable):
            await work()
        assert titles(notes.list(archived=True)) == ["Plan"]
        kept = notes.show(made.id)
        assert (kept.path, kept.content, kept.tags) == (made.path, "text\n", [])
    assert before.count("\n") == Path(made.path).read_text().count("\n")


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@settings(max_examples=150, deadline=None)
@given(title=TEXTS, tags=st.lists(TEXTS, max_size=3), body=TEXTS)
def test_any_value_written_is_read_again(title: str, tags: list[str], body: str) -> None:
    title, tags = " ".join(title.split()), [" ".join(tag.split()) for tag in tags]
    head = front_matter.Head((), "")
    found = front_matter.parse(front_matter.render(head, {"title": title, "tags": tags, "x": None}, body))
    assert (found.text("title") or "", found.texts("tags")) == (title, [tag for tag in tags if tag])
    assert (found.body, found.problem) == (body, None)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200), st.booleans())
def test_any_text_is_read_and_an_edit_without_changes_keeps_its_body(text: str, fenced: bool) -> None:
    head = front_matter.parse(f"---\n{text}\n---\n{text}" if fenced else text)
    if head.problem is None:
        assert front_matter.parse(front_matter.render(head, {})).body == head.body

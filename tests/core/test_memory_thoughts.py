"""Notes as files that people read, edit, move and break, and as what is found by its words."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import jsonschema
import msgspec
import pytest

from descartes_core.errors import InvalidParams, NotFound, TooLarge
from descartes_core.memory import linking, note_files
from descartes_core.memory.index import words_query
from descartes_core.memory.notebook import Author, Notebook
from descartes_core.memory.shapes import Thought
from descartes_core.memory.thoughts import Changes, NewThought, Thoughts
from descartes_core.store import EventQuery, Store
from support.log import FIXER, PERSON
from support.notes import make, titles


@pytest.fixture
def notes(isolated_environment: Path) -> Thoughts:
    return Thoughts(isolated_environment / "home")


@pytest.mark.ledger("D-46")
def test_a_note_is_a_file_for_its_person_alone(notes: Thoughts) -> None:
    made = make(notes, "Auth patterns: OAuth & Çok", "Use PKCE.\n", kind="plans", tags=["auth", "web, api"])
    path = Path(made.path)
    assert path.parent == notes.folder / "plans"
    assert path.name == f"{made.created_at[:10]}-auth-patterns-oauth-cok.md"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    folders = [notes.folder, *(notes.folder / name for name in note_files.FOLDERS), notes.folder / "archive"]
    assert {stat.S_IMODE(each.stat().st_mode) for each in folders} == {0o700}
    assert path.read_text() == (
        f'---\nid: {made.id}\ntitle: "Auth patterns: OAuth & Çok"\ntags: [auth, web, api]\n'
        f"created_at: {made.created_at}\nupdated_at: {made.updated_at}\n---\n\nUse PKCE.\n"
    )
    again = make(notes, "Auth patterns: OAuth & Çok", kind="plans")
    assert Path(again.path).name.endswith("-auth-patterns-oauth-cok-2.md")


@pytest.mark.ledger("D-47")
def test_what_is_told_of_a_note_follows_its_schema(notes: Thoughts) -> None:
    made = make(notes, "A", "text", agent_id="fixer", session_id="ses_1")
    shown = msgspec.to_builtins(notes.show(made.id))
    jsonschema.validate(shown, msgspec.json.schema(Thought))
    wanted = {"id", "title", "content", "tags", "createdAt", "updatedAt", "agentId", "sessionId"}
    assert wanted <= shown.keys()
    assert (shown["content"], shown["agentId"], shown["sessionId"]) == ("text\n", "fixer", "ses_1")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**shown, "tags": "a"}, msgspec.json.schema(Thought))


@pytest.mark.ledger("D-46")
def test_what_a_person_does_with_the_files_counts_at_once(notes: Thoughts) -> None:
    made = make(notes, "Parsers", "recursive descent")
    assert titles(notes.search("descent")) == ["Parsers"]
    path = Path(made.path)
    path.write_text(path.read_text().replace("descent", "ascent"))
    assert titles(notes.search("ascent")) == ["Parsers"]
    assert notes.search("descent") == []
    # The same length and the same moment: no time or size tells the two apart.
    for word in ("aaaaaa", "bbbbbb", "cccccc"):
        path.write_text(path.read_text()[:-7] + f"{word}\n")
        assert titles(notes.search(word)) == ["Parsers"]
    (notes.folder / "research" / "by-hand.md").write_text("# Earley\n\nAny grammar.\n")
    assert titles(notes.search("grammar")) == ["Earley"]
    path.rename(path.with_name("elsewhere.md"))
    assert notes.show(made.id).path == str(path.with_name("elsewhere.md"))
    path.with_name("elsewhere.md").unlink()
    assert titles(notes.list()) == ["Earley"]
    with pytest.raises(NotFound):
        notes.show(made.id)


@pytest.mark.ledger("D-49")
def test_words_in_the_title_come_before_words_in_the_text(notes: Thoughts) -> None:
    make(notes, "Only the text", "lexer " * 400)
    make(notes, "Lexer notes", "Something else, at some length. " * 200)
    make(notes, "Tagged", "nothing here", tags=["lexer"])
    make(notes, "Unrelated", "nothing")
    assert titles(notes.search("lexer")) == ["Lexer notes", "Tagged", "Only the text"]
    assert titles(notes.search("lex notes")) == ["Lexer notes"]
    assert titles(notes.search('"something else"')) == ["Lexer notes"]
    assert notes.search('"else something"') == []
    assert titles(notes.search("LEXERS")) == ["Lexer notes", "Tagged", "Only the text"]
    assert "lexer" in (notes.search("lexer")[2].excerpt or "")


def test_lists_by_kind_tags_and_age(notes: Thoughts) -> None:
    first = make(notes, "First", tags=["a", "B"])
    make(notes, "Second", kind="plans", tags=["a"])
    assert titles(notes.list(tags=["A"])) == ["Second", "First"]
    assert titles(notes.list(tags=["a", "b"])) == ["First"]
    assert titles(notes.list(kind="plans")) == ["Second"]
    assert titles(notes.list(limit=1)) == ["Second"]
    later = Path(first.path).stat().st_mtime + 60
    os.utime(first.path, (later, later))
    assert titles(notes.list()) == ["First", "Second"]
    for wrong in (0, -1):
        with pytest.raises(InvalidParams):
            notes.list(limit=wrong)


def test_an_edit_leaves_the_rest_of_a_file_as_it_was(notes: Thoughts) -> None:
    notes.list()
    note_files.make_folders(notes.folder)
    path = notes.folder / "research" / "2024-05-06-mine.md"
    path.write_bytes(
        b"---\r\n# mine\r\nreviewed: yes\r\ntitle: 'It''s mine'\r\n"
        b'tags:\r\n  - a\r\n  - "b, c"\r\n---\r\nOne\r\n'
    )
    before = notes.show("mine")
    assert (before.title, before.tags, before.created_at[:10]) == ("It's mine", ["a", "b, c"], "2024-05-06")
    _, after = notes.edit("mine", Changes(appended="Two"))
    assert after.content == "One\r\n\r\nTwo\r\n"
    head = path.read_bytes().decode()
    assert head.startswith(
        "---\r\n# mine\r\nreviewed: yes\r\ntitle: 'It''s mine'\r\ntags:\r\n  - a\r\n  - \"b, c\"\r\n"
    )
    assert (after.id, after.title, after.tags) == (before.id, before.title, before.tags)
    path.rename(path.with_name("moved.md"))
    assert notes.show("moved").id == before.id
    _, changed = notes.edit("moved", Changes(title="Ours: all", tags=["x"], body="New"))
    assert (changed.title, changed.tags, changed.content) == ("Ours: all", ["x"], "New\r\n")


def test_two_files_with_one_id_are_told_apart_by_name(notes: Thoughts) -> None:
    made = make(notes, "Twin")
    path = Path(made.path)
    path.with_name("copy.md").write_text(path.read_text())
    with pytest.raises(InvalidParams, match=r"2 are meant .*copy\.md"):
        notes.show(made.id)
    assert notes.show("research/copy.md").path.endswith("copy.md")
    assert notes.show(made.path).path == made.path
    assert notes.show(path.stem).path == made.path


def test_what_names_a_note(notes: Thoughts) -> None:
    made = make(notes, "API design")
    stem = Path(made.path).stem
    for wanted in (
        made.id,
        made.id[:8],
        made.path,
        f"research/{stem}.md",
        f"{stem}.md",
        stem,
        "api-design",
        "api DESIGN",
    ):
        assert notes.show(wanted).id == made.id, wanted
    for wanted in ("", "x", "../../etc/passwd", "%", "design%", "research/", "'; DROP TABLE note; --"):
        with pytest.raises(NotFound):
            notes.show(wanted)


def test_what_is_wrong_with_a_new_note_is_said_and_writes_nothing(notes: Thoughts) -> None:
    for title in ("", " \n", "a" * 300, "a\x1bb"):
        with pytest.raises(InvalidParams):
            make(notes, title)
    with pytest.raises(InvalidParams):
        make(notes, "A", "\0")
    with pytest.raises(InvalidParams):
        make(notes, "A", "\ud800")
    with pytest.raises(InvalidParams):
        make(notes, "A", tags=["x" * 100])
    with pytest.raises(TooLarge):
        make(notes, "A", "x" * 2_000_000)
    assert notes.list() == []
    assert [path for path in notes.folder.rglob("*") if path.is_file()] == []
    assert make(notes, "日本語 🙂").title == "日本語 🙂"
    assert Path(make(notes, "🙂🙂").path).stem.endswith("-note")
    assert Path(make(notes, "Ş" * 200).path).is_file()


@pytest.mark.ledger("D-49")
def test_the_archive_and_back(notes: Thoughts) -> None:
    made = make(notes, "Old", "rusty")
    away = notes.archive("old")
    assert (away.archived, Path(away.path).parent) == (True, notes.folder / "archive" / "research")
    assert notes.list() == [] and notes.search("rusty") == []
    assert titles(notes.list(archived=True)) == titles(notes.search("rusty", archived=True)) == ["Old"]
    assert notes.archive("old").path == away.path
    newer = make(notes, "Old")
    assert Path(newer.path).name != Path(made.path).name
    back = notes.archive(away.path, undo=True)
    assert (back.path, back.archived) == (made.path, False)


@pytest.mark.ledger("D-48")
def test_a_link_in_a_project_overwrites_nothing_and_only_ours_is_taken_away(
    notes: Thoughts, workspace: Path
) -> None:
    place = workspace / "thoughts"
    place.mkdir()
    (place / "mine.txt").write_text("mine")
    with pytest.raises(InvalidParams, match="a folder is there"):
        linking.link(workspace, notes.folder)
    with pytest.raises(InvalidParams, match="it stays"):
        linking.unlink(workspace, notes.folder)
    assert (place / "mine.txt").read_text() == "mine"
    (place / "mine.txt").unlink()
    place.rmdir()
    place.symlink_to("/etc")
    for act in (linking.link, linking.unlink):
        with pytest.raises(InvalidParams, match="a link to '/etc'"):
            act(workspace, notes.folder)
    place.unlink()
    assert linking.link(workspace, notes.folder) == linking.link(workspace, notes.folder) == "link"
    made = make(notes, "Seen")
    assert (place / "research" / Path(made.path).name).is_file()
    linking.unlink(workspace, notes.folder)
    assert not os.path.lexists(place) and Path(made.path).is_file()
    with pytest.raises(NotFound):
        linking.unlink(workspace, notes.folder)


@pytest.mark.ledger("D-48")
def test_where_no_links_can_be_made_a_file_names_the_folder(notes: Thoughts, workspace: Path) -> None:
    def cannot(source: Path, target: Path) -> None:
        raise OSError("a required privilege is not held by the client")

    assert linking.link(workspace, notes.folder, symlink=cannot) == "file"
    assert str(notes.folder) in (workspace / "thoughts").read_text()
    assert linking.link(workspace, notes.folder, symlink=cannot) == "file"
    linking.unlink(workspace, notes.folder)
    assert not (workspace / "thoughts").exists()


async def test_each_change_is_an_event_without_the_text(notes: Thoughts, workspace: Path) -> None:
    store = await Store.open(workspace / "log.db")
    book = Notebook(store, notes)
    agent = Author(FIXER, run="run_f1", session="ses_1")
    made = await book.create(NewThought("Plan", "the whole text", tags=("a",)), agent)
    assert (made.agent_id, made.session_id) == ("fixer", "ses_1")
    await book.edit(made.id, Changes(title="Better plan"), Author(PERSON))
    await book.archive(made.id, Author(PERSON))
    await book.archive(made.id, Author(PERSON))
    await book.archive(made.id, Author(PERSON), undo=True)
    await book.link(workspace, Author(PERSON))
    await book.unlink(workspace, Author(PERSON))
    events = (await store.reader.events(EventQuery(type="note.", order="asc"))).events
    assert [each.name.partition(".")[2] for each in events] == [
        "created", "edited", "archived", "restored", "linked", "unlinked"
    ]  # fmt: skip
    assert (events[0].agent, events[0].run, events[0].session, events[0].tags) == (
        "fixer", "run_f1", "ses_1", ["a"]
    )  # fmt: skip
    assert (events[1].data["title"], events[1].data["id"]) == ("Better plan", made.id)
    assert all("whole text" not in msgspec.json.encode(each).decode() for each in events)
    await store.close()


def test_what_is_asked_of_the_index() -> None:
    assert words_query('api "rate limit"') == '"api"* AND "rate limit"'
    assert words_query("foo_bar OR NEAR(x)") == '"foo"* AND "bar"* AND "OR"* AND "NEAR"* AND "x"*'
    assert words_query('- " ()') is None

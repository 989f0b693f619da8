"""What is kept beside the log of texts and bytes that show a secret: sessions, their files, notes."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from descartes_core.memory.notebook import Author, Notebook
from descartes_core.memory.thoughts import Changes, NewThought, Thoughts
from descartes_core.store import Store
from descartes_core.trace import Session
from descartes_core.trace.errors import ValidationFailed
from support.log import FIXER, PERSON

VALUE = "hunter2-of-the-test"
MARK = "‹secret:api-key›"
BINARY = b"\x89PNG\r\n\x00\xff" + VALUE.encode() + b"\xfe\x00"


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process was given a secret."""
    monkeypatch.setenv("API_KEY", VALUE)
    monkeypatch.setenv("DESCARTES_SECRETS", "API_KEY=api-key")


def showing(*folders: Path) -> list[str]:
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [str(path) for path in files if VALUE in path.name or VALUE.encode() in path.read_bytes()]


@pytest.mark.parametrize("in_workspace", [True, False], ids=["in a workspace", "a log of its own"])
@pytest.mark.usefixtures("given")
def test_no_artifact_shows_a_secret(workspace: Path, isolated_environment: Path, in_workspace: bool) -> None:
    with Session(workspace=workspace if in_workspace else None) as session:
        written = session.write_artifact("report", f"the key é is {VALUE}".encode(), agent_id=f"of {VALUE}")
        assert session.read_artifact("report") == f"the key é is {MARK}".encode()
        assert written.size == session.get_artifact_size("report") == len(session.read_artifact("report"))
        session.write_artifact("report", BINARY)
        assert session.read_artifact("report") == BINARY.replace(VALUE.encode(), MARK.encode())
        session.set("note", {"key": VALUE})
        assert session.write_artifact(f"of {VALUE}", b"x").name == f"of {MARK}"
        with pytest.raises(ValidationFailed, match="shows no secret"):
            Session(f"of-{VALUE}", workspace=workspace if in_workspace else None)
        session.save(workspace / "kept.trace")
    assert showing(workspace, isolated_environment) == []


@pytest.mark.usefixtures("given")
def test_what_shows_no_secret_is_kept_to_the_byte(workspace: Path) -> None:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", "b" * 10_000)
    with Session(workspace=workspace) as session:
        for data in (
            packed.getvalue(),
            bytes(range(256)),
            b"ann@example.com sk-abcdefghijklmnopqrstuvwx",
        ):
            session.write_artifact("exact", data)
            assert session.read_artifact("exact") == data


def test_a_file_that_shows_a_secret_is_loaded_without_it(
    workspace: Path, isolated_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = isolated_environment / "before"
    monkeypatch.setenv("DESCARTES_HOME", str(before))
    with Session() as session:
        for data in (f"first {VALUE}".encode(), b"between", BINARY):
            session.write_artifact("report", data, agent_id=f"of {VALUE}")
        session.save(before / "given.trace")
    assert showing(before) != []

    monkeypatch.setenv("DESCARTES_HOME", str(isolated_environment / "home"))
    monkeypatch.setenv("API_KEY", VALUE)
    monkeypatch.setenv("DESCARTES_SECRETS", "API_KEY=api-key")
    with Session.load(before / "given.trace", workspace=workspace) as loaded:
        versions = [loaded.read_artifact("report", number) for number in (2, 3, 4)]
        assert versions == [
            f"first {MARK}".encode(), b"between", BINARY.replace(VALUE.encode(), MARK.encode()),
        ]  # fmt: skip
        assert loaded.get_artifact_size("report") == len(versions[-1])
        assert loaded.replay() == loaded.state_hash()
        loaded.save(workspace / "again.trace")
    again = Session.load(workspace / "again.trace")
    assert again.read_artifact("report", 2) == versions[0]
    assert showing(workspace, isolated_environment / "home") == []


@pytest.mark.parametrize("author", [Author(PERSON), Author(FIXER)], ids=["a person", "an agent"])
async def test_no_note_shows_a_secret(workspace: Path, isolated_environment: Path, author: Author) -> None:
    notes = Thoughts(isolated_environment / "home")
    store = await Store.open(workspace / "log.db")
    try:
        store.redactor.protect("api-key", VALUE)
        book = Notebook(store, notes)
        text = f"the key is {VALUE}, ask ann@example.com"
        made = await book.create(NewThought(title=f"About {VALUE}", body=text, tags=[VALUE, "keys"]), author)
        assert (made.title, made.tags) == (f"About {MARK}", [MARK, "keys"])
        changes = Changes(title=f"Of {VALUE}", appended=text, tags=[f"of {VALUE}"])
        after = await book.edit(made.id, changes, author)
    finally:
        await store.close()
    assert (after.title, after.tags) == (f"Of {MARK}", [f"of {MARK}"])
    assert after.content is not None and after.content.count(f"the key is {MARK}") == 2
    assert ("ann@example.com" in after.content) == (author.agent is None), "a person's note is the person's"
    assert notes.search("key") and showing(workspace, isolated_environment) == []

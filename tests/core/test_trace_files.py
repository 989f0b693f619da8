"""Files of sessions: saved and loaded, those of the other program, and what is not right in them."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from descartes_core.trace import Session
from descartes_core.trace.errors import (
    ArtifactInvalidName,
    ArtifactNotFound,
    FileNotFound,
    LoadFailed,
    SaveFailed,
    SchemaMismatch,
    SessionCorrupted,
)
from descartes_core.trace.view import SessionView
from support.trace_home import in_a_folder_of_its_own

__all__ = ["in_a_folder_of_its_own"]


def test_a_saved_session_is_the_same_session(isolated_environment: Path) -> None:
    session = Session(max_artifact_size=10)
    session.set("k", {"é": [1.0, None]})
    session.write_artifact("a", b"one")
    session.write_artifact("a", b"two")
    session.write_artifact("gone", b"three")
    session.delete_artifact("gone")
    session.save("s.trace")
    loaded = Session.load("s.trace")
    assert (loaded.session_id, loaded.max_artifact_size) == (session.session_id, 10)
    assert (loaded.get_state(), loaded.get_state_version()) == (session.get_state(), 1)
    assert loaded.get_trajectory()[:-1] == session.get_trajectory()[:-1]
    assert loaded.get_trajectory(1)[0].content == {"path": "s.trace"}
    assert loaded.state_hash() == session.state_hash() == loaded.replay()
    assert (loaded.read_artifact("a"), loaded.read_artifact("a", 3), loaded.read_artifact("gone", 5)) == (
        b"two",
        b"one",
        b"three",
    )
    loaded.set("k", "changed")
    assert session.get("k") == {"é": [1.0, None]}
    assert Session.resume(session.session_id).get("k") == "changed"
    session.save("s.trace")
    assert Session.load("s.trace").get("k") == {"é": [1.0, None]}
    assert not list(Path.cwd().glob(".s.trace*"))


def upstream(path: Path, **changes: Any) -> Path:
    """Write a file as the program of the Trace document does, with CHANGES, and return its path."""
    told = {
        "metadata": {
            "schema_version": "1",
            "session_id": "5f0c1d0e-0000-4000-8000-0123456789ab",
            "max_artifact_size": "104857600",
            "state_version": "2",
        },
        "state": [("text", '"hi"')],
        "trajectory": [
            (
                1,
                "session_created",
                {"session_id": "5f0c1d0e", "max_artifact_size": 104857600, "schema_version": 1},
            ),
            (2, "state_set", {"key": "text", "old_value": None, "new_value": "hello", "state_version": 1}),
            (3, "state_set", {"key": "text", "old_value": "hello", "new_value": "hi", "state_version": 2}),
            (4, "artifact_written", {"name": "a.txt", "size": 3}),
            (5, "artifact_written", {"name": "a.txt", "size": 4}),
            (6, "user_input", {"said": "go on"}),
        ],
        "artifacts": [("a.txt", b"four")],
    } | changes
    with closing(sqlite3.connect(path)) as file:
        file.executescript(
            "PRAGMA journal_mode = WAL;"
            "CREATE TABLE metadata (key TEXT PRIMARY KEY, value TEXT NOT NULL);"
            "CREATE TABLE state (key TEXT PRIMARY KEY, value_json TEXT NOT NULL);"
            "CREATE TABLE trajectory (seq_num INTEGER PRIMARY KEY, timestamp TEXT NOT NULL,"
            " agent_id TEXT NOT NULL, entry_type TEXT NOT NULL, content_json TEXT NOT NULL);"
            "CREATE TABLE artifacts (name TEXT PRIMARY KEY, data BLOB NOT NULL);"
        )
        file.executemany("INSERT INTO metadata VALUES (?, ?)", told["metadata"].items())  # type: ignore[attr-defined]
        file.executemany("INSERT INTO state VALUES (?, ?)", told["state"])
        for number, kind, content in told["trajectory"]:
            text = content if isinstance(content, str) else json.dumps(content)
            row = (number, f"2024-01-15T10:30:{number:02}.500000+00:00", "system", kind, text)
            file.execute("INSERT INTO trajectory VALUES (?, ?, ?, ?, ?)", row)
        file.executemany("INSERT INTO artifacts VALUES (?, ?)", told["artifacts"])
        file.commit()
    return path


@pytest.mark.ledger("T-08")
def test_a_file_of_the_other_program_is_loaded_and_ours_is_of_its_kind() -> None:
    session = Session.load(upstream(Path("theirs.trace")))
    assert session.session_id == "5f0c1d0e-0000-4000-8000-0123456789ab"
    assert (session.get_state(), session.get_state_version()) == ({"text": "hi"}, 2)
    assert session.read_artifact("a.txt") == b"four"
    assert session.get_state(2) == {"text": "hello"}
    entries = session.get_trajectory()
    assert [entry.seq_num for entry in entries] == [1, 2, 3, 4, 5, 6, 7]
    assert (entries[5].content, entries[5].timestamp.isoformat()) == (
        {"said": "go on"},
        "2024-01-15T10:30:06.500000+00:00",
    )
    with pytest.raises(ArtifactNotFound, match="version 1"):
        session.read_artifact("a.txt", 4)
    session.set("text", "on")
    session.save("ours.trace")
    with closing(sqlite3.connect("ours.trace")) as file:
        assert dict(file.execute("SELECT key, value FROM metadata")) == {
            "schema_version": "1",
            "session_id": session.session_id,
            "max_artifact_size": "104857600",
            "state_version": "3",
        }
        assert file.execute("SELECT * FROM state").fetchall() == [("text", '"on"')]
        assert file.execute("SELECT * FROM artifacts").fetchall() == [("a.txt", b"four")]
        rows = file.execute("SELECT * FROM trajectory ORDER BY seq_num").fetchall()
    assert (len(rows), rows[0][1:4]) == (8, ("2024-01-15T10:30:01.500000+00:00", "system", "session_created"))
    assert Session.load("ours.trace").get("text") == "on"


def test_what_a_file_holds_counts_more_than_what_its_trajectory_tells() -> None:
    file = upstream(Path("theirs.trace"), state=[("text", '"edited"'), ("n", "1")], artifacts=[("b", b"new")])
    session = Session.load(file)
    assert (session.get_state(), session.get_state_version()) == ({"text": "edited", "n": 1}, 2)
    assert (session.list_artifacts(), session.read_artifact("b")) == (["b"], b"new")
    assert session.replay() == session.state_hash() == Session.resume(session.session_id).state_hash()


@pytest.mark.parametrize(
    ("name", "spoil", "error"),
    [
        ("missing", lambda path: path.unlink(), FileNotFound),
        ("a folder", lambda path: (path.unlink(), path.mkdir()), LoadFailed),
        ("empty", lambda path: path.write_bytes(b""), SessionCorrupted),
        ("text", lambda path: path.write_text("no database at all" * 100), SessionCorrupted),
        ("cut", lambda path: os.truncate(path, 5000), SessionCorrupted),
        ("newer", {"metadata": {"schema_version": "2", "session_id": "x"}}, SchemaMismatch),
        ("no version", {"metadata": {}}, SchemaMismatch),
        ("no id", {"metadata": {"schema_version": "1"}}, SessionCorrupted),
        ("no size", {"metadata": {"schema_version": "1", "session_id": "x"}}, SessionCorrupted),
        ("no json", {"state": [("k", "{")]}, SessionCorrupted),
        ("bad entry", {"trajectory": [(1, "exploded", {})]}, SessionCorrupted),
        ("bad content", {"trajectory": [(1, "user_input", "[1]")]}, SessionCorrupted),
        ("no entries", {"trajectory": []}, SessionCorrupted),
        ("bad name", {"artifacts": [("../x", b"")]}, ArtifactInvalidName),
    ],
)  # fmt: skip
def test_files_that_are_not_right_are_refused(
    name: str,
    spoil: dict[str, Any] | Callable[[Path], Any],
    error: type[Exception],
    isolated_environment: Path,
) -> None:
    path = Path("s.trace")
    if isinstance(spoil, dict):
        upstream(path, **spoil)
    else:
        spoil(upstream(path))
    with pytest.raises(error) as refused:
        Session.load(path)
    assert not str(refused.value).endswith(".")
    assert not list((isolated_environment / "home" / "sessions").glob("*.db"))


def test_a_session_that_cannot_be_saved_leaves_what_was_there(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session()
    session.set("k", 1)
    session.save("s.trace")
    before = Path("s.trace").read_bytes()
    session.write_artifact("a", b"1")
    (blob,) = [path for path in (session.log_path.parent / "artifacts").rglob("*") if path.is_file()]
    blob.unlink()
    with pytest.raises(ArtifactNotFound):
        session.save("s.trace")
    assert (Path("s.trace").read_bytes(), list(Path.cwd().iterdir())) == (before, [Path.cwd() / "s.trace"])
    with pytest.raises(SaveFailed):
        Session().save("nowhere/s.trace")


def test_in_a_workspace_others_see_masked_what_the_program_gets_exactly(workspace: Path) -> None:
    session = Session("mine", workspace=workspace)
    given = {"to": "ann@example.org", "n": [1, "+44 20 7946 0958"], "plain": "text"}
    session.set("mail", given)
    session.append("me", "user_input", {"said": "write to ann@example.org"})
    key = "sk-" + "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY"
    session.set("key", key)
    resumed = Session.resume("mine", workspace=workspace)
    for each in (session, resumed):
        assert each.get("mail") == given
        assert each.get_trajectory()[2].content == {"said": "write to ann@example.org"}
        assert key not in str(each.get_state()) and each.get("key").startswith("‹")
    assert resumed.replay() == session.state_hash()
    resumed.save("s.trace")
    assert Session.load("s.trace").get("mail") == given
    edited = upstream(Path("theirs.trace"), state=[("mail", json.dumps(given))])
    for file in ("s.trace", edited):
        assert Session.load(file, workspace=workspace).get("mail") == given
    shown = SessionView(session.log_path).show("mine")
    assert (shown.state["mail"]["to"], shown.trajectory[2].content) == (
        "‹email›",
        {"said": "write to ‹email›"},
    )
    with closing(sqlite3.connect(session.log_path)) as log:
        text = str(log.execute("SELECT data FROM event").fetchall())
    assert "ann@example.org" not in text and "7946" not in text
    for path in (workspace / ".descartes").rglob("*"):
        assert not path.is_file() or key.encode() not in path.read_bytes()

"""Sessions: what is set is there, whatever happens to the program; every earlier moment can be seen."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from descartes_core.errors import InvalidParams
from descartes_core.places import home
from descartes_core.store.direct import DirectStore
from descartes_core.trace import Session
from descartes_core.trace.errors import (
    ArtifactInvalidName,
    ArtifactNotFound,
    ArtifactTooLarge,
    FileNotFound,
    LoadFailed,
    SaveFailed,
    SchemaMismatch,
    SessionCorrupted,
    SessionInvalidState,
    SessionNotFound,
    ValidationFailed,
)
from descartes_core.trace.types import EntryType
from descartes_core.trace.view import SessionView
from descartes_server.operations import workspace as workspaces
from support.log import FakeClock


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def without_half_characters(value: Any) -> Any:
    """Return VALUE as UTF-8 can hold it."""
    return json.loads(
        json.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    )


# State


def test_what_is_got_is_a_copy_of_what_was_set() -> None:
    session, value = Session(), {"list": [1, {"deep": "é😀"}], "n": 2**70, "f": -0.5}
    session.set("k", value)
    value["list"][1]["deep"] = "changed outside"  # type: ignore[index]
    got = session.get("k")
    assert got == {"list": [1, {"deep": "é😀"}], "n": 2**70, "f": -0.5}
    got["list"].append("changed too")
    session.get_state()["k"]["n"] = 0
    assert session.get("k") == {"list": [1, {"deep": "é😀"}], "n": 2**70, "f": -0.5}
    assert (session.get("missing"), session.get("missing", 7), session.keys()) == (None, 7, ["k"])


@pytest.mark.parametrize(
    "value",
    [
        {1, 2}, b"bytes", object(), {1: "key"}, {"a": [float("nan")]}, float("inf"), [{"deep": b""}], 10**301,
    ],
)  # fmt: skip
def test_only_json_is_state(value: Any) -> None:
    session = Session()
    with pytest.raises(ValidationFailed, match="the value of 'k'"):
        session.set("k", value)
    assert (session.get_state_version(), len(session.get_trajectory())) == (0, 1)


def test_what_is_nested_too_deeply_is_refused() -> None:
    value: Any = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(ValidationFailed, match="levels"):
        Session().set("k", value)


@pytest.mark.parametrize("key", ["", "  ", None, 3, "x" * 501])
def test_a_key_is_a_text_that_says_something(key: Any) -> None:
    with pytest.raises(ValidationFailed, match="key of the state"):
        Session().set(key, 1)


@pytest.mark.ledger("T-02")
def test_every_change_counts() -> None:
    session = Session()
    assert session.get_state_version() == 0
    for n in range(999):
        session.set("n", n)
    assert (session.delete("n"), session.delete("n")) == (True, False)
    assert session.get_state_version() == 1000
    assert session.get("n") is None
    assert session.get_state(501) == {"n": 499}


# Trajectory


@pytest.mark.ledger("T-04")
def test_all_types_of_entries_and_no_other() -> None:
    session = Session()
    for kind in EntryType:
        session.append("me", kind, {"n": 1})
        session.append(
            "me", kind.value, {"key": "told", "new_value": 1, "state_version": 1, "name": "a", "size": 1}
        )
    assert len(EntryType) == 15
    assert [entry.entry_type for entry in session.get_trajectory()][1::2] == list(EntryType)
    with pytest.raises(ValidationFailed, match="session_created"):
        session.append("me", "exploded", {})
    with pytest.raises(ValidationFailed):
        session.append("", EntryType.USER_INPUT, {})
    with pytest.raises(ValidationFailed):
        session.append("me", EntryType.USER_INPUT, {"x": b""})
    with pytest.raises(ValidationFailed):
        session.append("me", EntryType.USER_INPUT, [])  # type: ignore[arg-type]
    # What is only told is not done, and does not come true by saving and loading either.
    assert (session.get_state(), session.list_artifacts()) == ({}, [])
    session.save("s.trace")
    loaded = Session.load("s.trace")
    assert (loaded.get_state(), loaded.get_state_version(), loaded.list_artifacts()) == ({}, 0, [])


@pytest.mark.ledger("T-05")
def test_the_last_entries_in_order() -> None:
    session = Session()
    for n in range(5):
        session.set("n", n)
    assert session.get_trajectory(0) == []
    assert [entry.seq_num for entry in session.get_trajectory(2)] == [5, 6]
    assert [entry.seq_num for entry in session.get_trajectory(99)] == [1, 2, 3, 4, 5, 6]
    session.get_trajectory()[1].content["new_value"] = "changed outside"
    assert session.get_trajectory()[1].content["new_value"] == 0
    for limit in (-1, 1.5, True):
        with pytest.raises(ValidationFailed):
            session.get_trajectory(limit)  # type: ignore[arg-type]


# Artifacts


@pytest.mark.ledger("T-06")
def test_artifacts_have_versions_and_a_limit() -> None:
    session = Session()
    session.write_artifact("out/a.bin", b"one")
    first = session.get_trajectory(1)[0].seq_num
    session.write_artifact("out/a.bin", b"two, longer")
    session.write_artifact("b.txt", b"")
    session.delete_artifact("b.txt")
    assert (session.read_artifact("out/a.bin"), session.get_artifact_size("out/a.bin")) == (
        b"two, longer",
        11,
    )
    assert (session.read_artifact("out/a.bin", first), session.get_artifact_size("out/a.bin", first)) == (
        b"one",
        3,
    )
    assert (session.list_artifacts(), session.list_artifacts(4)) == (["out/a.bin"], ["b.txt", "out/a.bin"])
    with pytest.raises(ArtifactNotFound) as refused:
        session.read_artifact("b.txt")
    assert refused.value.as_json()["code"] == "artifact_not_found"
    default = 100 * 1024 * 1024
    assert session.max_artifact_size == default
    with pytest.raises(ArtifactTooLarge) as large:
        session.write_artifact("large", memoryview(bytes(default + 1)))  # type: ignore[arg-type]
    assert (large.value.code, large.value.data) == (
        "artifact_too_large",
        {"size": default + 1, "limit": default},
    )
    small = Session(max_artifact_size=3)
    small.write_artifact("a", b"123")
    with pytest.raises(ArtifactTooLarge, match="at most 3 bytes"):
        small.write_artifact("a", b"1234")
    assert small.read_artifact("a") == b"123"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "/etc/passwd", "a/../b", "a//b", "a\0b", "a\nb", None, "x" * 501]
)
def test_names_that_artifacts_cannot_have(name: Any) -> None:
    with pytest.raises(ArtifactInvalidName):
        Session().write_artifact(name, b"")


def test_bytes_that_were_changed_on_disk_are_noticed() -> None:
    session = Session()
    session.write_artifact("a", b"what it was")
    (blob,) = [path for path in (session.log_path.parent / "artifacts").rglob("*") if path.is_file()]
    blob.write_bytes(b"something else")
    with pytest.raises(SessionCorrupted):
        session.read_artifact("a")
    blob.unlink()
    with pytest.raises(ArtifactNotFound):
        session.read_artifact("a")


def test_equal_bytes_are_kept_once() -> None:
    session, other = Session(), Session()
    for each in (session, other):
        each.write_artifact("a", b"the same")
        each.write_artifact("b", b"the same")
    assert len([path for path in (session.log_path.parent / "artifacts").rglob("*") if path.is_file()]) == 1


# Snapshots


@pytest.mark.ledger("T-07")
def test_a_snapshot_shares_nothing_with_the_session() -> None:
    session = Session(clock=FakeClock(1_705_314_600_000))
    session.set("k", {"a": [1]})
    session.write_artifact("x", b"1")
    snapshot = session.snapshot_for_agent("me", depth=1)
    assert snapshot == {
        "session_id": session.session_id,
        "state": {"k": {"a": [1]}},
        "state_version": 1,
        "trajectory": [session.get_trajectory(1)[0].to_dict()],
        "trajectory_total_length": 3,
        "artifacts": ["x"],
        "snapshot_time": "2024-01-15T10:30:00+00:00",
    }
    snapshot["state"]["k"]["a"].append(2)
    snapshot["trajectory"][0]["content"]["name"] = "y"
    snapshot["artifacts"].clear()
    assert session.snapshot_for_agent("me", 1)["state"] == {"k": {"a": [1]}}
    assert session.get_trajectory(1)[0].content["name"] == "x"
    for n in range(20):
        session.set("n", n)
    assert len(session.snapshot_for_agent("me")["trajectory"]) == 10


# The log


def test_a_session_has_a_log_of_its_own_with_the_same_chain(isolated_environment: Path) -> None:
    session = Session()
    session.set("mail", "ann@example.org")
    assert session.log_path == isolated_environment / "home" / "sessions" / f"{session.session_id}.db"
    assert session.log_path.stat().st_mode & 0o777 == 0o600
    assert (session.verify().ok, session.verify().events) == (True, 2)
    with closing(sqlite3.connect(session.log_path)) as other:
        names = [row[0] for row in other.execute("SELECT name FROM event ORDER BY seq")]
        assert names == ["session.created", "session.state.set"]
        other.execute("UPDATE event SET data = replace(data, 'ann', 'bob')")
        other.commit()
    assert session.verify().wrong == 2


def test_a_second_session_with_an_id_is_refused() -> None:
    session = Session("mine")
    session.set("k", 1)
    with pytest.raises(SessionInvalidState, match="resume"):
        Session("mine")
    assert Session.resume("mine").get("k") == 1
    odd = Session("../../a strange/id")
    assert odd.log_path.parent == session.log_path.parent
    assert Session.resume("../../a strange/id").session_id == odd.session_id
    with pytest.raises(SessionNotFound):
        Session.resume("nobody")


def test_of_two_programs_with_one_session_the_second_is_told() -> None:
    session = Session()
    other = Session.resume(session.session_id)
    other.set("k", "theirs")
    with pytest.raises(SessionInvalidState, match="resume it"):
        session.set("k", "mine")
    assert Session.resume(session.session_id).get("k") == "theirs"


def test_threads_share_a_session() -> None:
    session = Session()

    def work(name: str) -> None:
        for n in range(10):
            session.set(name, n)

    threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (session.get_state_version(), session.get_state()) == (40, {f"t{n}": 9 for n in range(4)})
    assert [entry.seq_num for entry in session.get_trajectory()] == list(range(1, 42))
    assert session.replay() == session.state_hash()


CRASH = """
import sys
from descartes_core.trace import Session
session = Session("crashed")
session.write_artifact("a", b"bytes")
n = 0
while True:
    session.set("n", n)
    print(n, flush=True)
    n += 1
"""


@pytest.mark.ledger("T-18")
def test_a_program_that_is_killed_without_saving_loses_nothing() -> None:
    program = subprocess.Popen([sys.executable, "-c", CRASH], stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None
    for _ in range(25):
        program.stdout.readline()
    program.kill()
    rest = program.stdout.read().split("\n")[:-1]
    program.wait()
    acknowledged = 24 + len(rest)
    session = Session.resume("crashed")
    assert session.get("n") in (acknowledged, acknowledged + 1)
    assert session.read_artifact("a") == b"bytes"
    assert session.verify().ok
    session.set("n", "going on")
    assert Session.resume("crashed").get("n") == "going on"


SAVES = """
from descartes_core.trace import Session
session = Session()
n = 0
while True:
    n += 1
    session.set("n", n)
    session.set("large", "x" * 50_000 * (n % 5))
    session.save("s.trace")
    print(n, flush=True)
"""


def test_a_program_killed_while_it_saves_leaves_a_whole_file() -> None:
    for saves in (3, 4):
        program = subprocess.Popen([sys.executable, "-c", SAVES], stdout=subprocess.PIPE, text=True)
        assert program.stdout is not None
        for _ in range(saves):
            program.stdout.readline()
        program.kill()
        acknowledged = saves + len(program.stdout.read().split("\n")[:-1])
        program.wait()
        saved = Session.load("s.trace")
        assert saved.get("n") in (acknowledged, acknowledged + 1)
        assert len(saved.get("large")) == 50_000 * (saved.get("n") % 5)


FULL = """
import json, resource
from descartes_core.trace import Session
session = Session("full")
session.set("n", 0)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
done, errors = 0, []
for n in range(1, 60):
    try:
        session.set("n", n)
        session.set("text", "x" * 20_000)
        done = n
    except Exception as error:
        errors.append([type(error).__name__, str(error)])
        break
try:
    session.write_artifact("a", b"x" * 400_000)
except Exception as error:
    errors.append([type(error).__name__, str(error)])
print(json.dumps([done, errors, session.get("n")]))
"""


def test_a_disk_that_is_full_is_told_and_nothing_half_is_left() -> None:
    program = subprocess.run([sys.executable, "-c", FULL], capture_output=True, text=True, check=True)
    done, errors, held = json.loads(program.stdout)
    assert [name for name, _ in errors] == ["StoreUnavailable", "SaveFailed"]
    assert all("\n" not in text and not text.endswith(".") for _, text in errors)
    session = Session.resume("full")
    assert held in (done, done + 1) and session.get("n") == held
    assert session.verify().ok and session.list_artifacts() == []
    session.set("n", "room again")
    assert Session.resume("full").replay() == session.state_hash()


WRITES = """
import asyncio, sys
from pathlib import Path
from descartes_core.model import NewEvent, Principal
from descartes_core.store import Store

async def main():
    store = await Store.open(Path(".descartes/descartes.db"))
    me = Principal(kind="service", id="hub", name="hub")
    print("ready", flush=True)
    for n in range(60):
        data = {"pid": n, "version": "1"}
        await store.append(NewEvent(category="system", name="hub.started", stream="hub", actor=me, data=data))
    await store.close()

asyncio.run(main())
"""


def test_a_session_and_a_hub_write_one_log_side_by_side(workspace: Path) -> None:
    session = Session(workspace=workspace)
    hub = subprocess.Popen([sys.executable, "-c", WRITES], stdout=subprocess.PIPE, text=True)
    assert hub.stdout is not None and hub.stdout.readline() == "ready\n"
    for n in range(60):
        session.set("n", n)
    assert (hub.wait(30), session.get("n")) == (0, 59)
    hub.stdout.close()
    assert (session.verify().ok, session.verify().events) == (True, 121)
    assert session.replay() == session.state_hash()


# Forks


def test_a_fork_goes_on_from_any_entry_and_the_original_stays() -> None:
    session = Session()
    session.set("x", 1)
    session.write_artifact("a", b"old")
    session.set("x", 2)
    session.write_artifact("a", b"new")
    before = (session.state_hash(), session.get_trajectory())
    fork = session.fork(3)
    assert (fork.get_state(), fork.read_artifact("a"), fork.parent) == ({"x": 1}, b"old", session.session_id)
    assert fork.get_trajectory() == before[1][:3]
    fork.set("x", "else")
    grandchild = fork.fork()
    grandchild.set("y", 1)
    fork.set("x", "else again")
    assert (session.state_hash(), session.get_trajectory()) == before
    assert grandchild.get_state() == {"x": "else", "y": 1}
    assert [entry.seq_num for entry in grandchild.get_trajectory()] == [1, 2, 3, 4, 5]
    assert [entry.seq_num for entry in grandchild.get_trajectory(3)] == [3, 4, 5]
    resumed = Session.resume(grandchild.session_id)
    assert resumed.replay() == grandchild.state_hash() == resumed.state_hash()
    resumed.save("fork.trace")
    loaded = Session.load("fork.trace")
    assert (loaded.get_state(), loaded.read_artifact("a", 3)) == ({"x": "else", "y": 1}, b"old")
    for nowhere in (0, 99, -1, "3"):
        with pytest.raises(ValidationFailed):
            session.fork(nowhere)  # type: ignore[arg-type]


# Files


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


# In a workspace


def test_a_session_in_a_workspace_is_in_its_log(workspace: Path) -> None:
    session = Session("mine", workspace=workspace)
    session.set("k", 1)
    assert session.log_path == workspace / ".descartes" / "descartes.db"
    assert (workspace / ".descartes" / ".gitignore").read_text() == "*\n"
    assert (workspace / ".descartes").stat().st_mode & 0o777 == 0o700
    with pytest.raises(SessionInvalidState):
        Session("mine", workspace=workspace)
    session.save("s.trace")
    loaded = Session.load("s.trace", workspace=workspace)
    assert loaded.session_id.startswith("ses_") and loaded.parent == "mine"
    assert loaded.get("k") == 1
    assert Session.resume("mine", workspace=workspace).get_state_version() == 1
    with closing(sqlite3.connect(session.log_path)) as log:
        kept = log.execute("SELECT * FROM session ORDER BY seq").fetchall()
    store = DirectStore(session.log_path)
    store.transact(lambda tx: tx.execute("UPDATE projection SET version = 0 WHERE name = 'session'"))
    store.close()
    DirectStore(session.log_path).close()
    with closing(sqlite3.connect(session.log_path)) as log:
        assert log.execute("SELECT * FROM session ORDER BY seq").fetchall() == kept


def test_a_session_of_a_workspace_is_where_its_hub_keeps_the_log(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace / ".git").mkdir()
    inner = workspace / "src" / "deep"
    inner.mkdir(parents=True)
    with Session(workspace=inner) as session:
        assert (
            session.log_path == workspaces.find(inner).database == workspace / ".descartes" / "descartes.db"
        )
    # A network file system cannot hold a log that several processes write.
    remote = workspace.parent / "remote"
    remote.mkdir()
    monkeypatch.setattr("descartes_core.places._file_system", lambda path: "nfs4")
    with Session("far", workspace=remote) as session:
        assert session.log_path == workspaces.find(remote).database
        assert session.log_path.is_relative_to(home() / "workspaces")
    assert Session.resume("far", workspace=remote).session_id == "far"
    assert list(remote.iterdir()) == []


def test_a_state_folder_that_came_with_a_repository_is_not_followed(workspace: Path) -> None:
    state = workspace / ".descartes"
    Session(workspace=workspace).close()
    for words in (["init", "--quiet"], ["add", "--force", ".descartes/descartes.db"]):
        subprocess.run(["git", "-C", str(workspace), *words], check=True)
    with pytest.raises(InvalidParams, match="tracked by git"):
        Session(workspace=workspace)
    subprocess.run(["git", "-C", str(workspace), "rm", "-rq", "--cached", ".descartes"], check=True)
    Session(workspace=workspace).close()
    moved = workspace.parent / "elsewhere"
    state.rename(moved)
    state.symlink_to(moved)
    with pytest.raises(InvalidParams, match="not a link"):
        Session(workspace=workspace)


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


# Any history


CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.sampled_from("abc"), VALUES),
        st.tuples(st.just("delete"), st.sampled_from("abc"), st.none()),
        st.tuples(st.just("write"), st.sampled_from("xy"), st.binary(max_size=5)),
        st.tuples(st.just("remove"), st.sampled_from("xy"), st.none()),
        st.tuples(st.just("fork"), st.just(""), st.integers(0, 8)),
    ),
    max_size=8,
)


FEW = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
MANY = settings(FEW, max_examples=100)


@pytest.mark.ledger("T-17")
@FEW
@given(CHANGES)
def test_replaying_a_trajectory_gives_the_same_state(changes: list[tuple[str, str, Any]]) -> None:
    replay(changes)


@pytest.mark.slow
@pytest.mark.timeout(600)
@MANY
@given(CHANGES)
def test_replaying_many_trajectories_gives_the_same_state(changes: list[tuple[str, str, Any]]) -> None:
    replay(changes)


def replay(changes: list[tuple[str, str, Any]]) -> None:
    """Make CHANGES to a session and to a simple model of one; compare them at every moment."""
    session, state, artifacts = Session(), dict[str, Any](), dict[str, bytes]()
    past = [(state, artifacts)]
    for what, name, value in changes:
        state, artifacts = dict(state), dict(artifacts)
        match what:
            case "set":
                session.set(name, value)
                state[name] = without_half_characters(value)
            case "delete" if session.delete(name):
                del state[name]
            case "write":
                session.write_artifact(name, value)
                artifacts[name] = value
            case "remove" if session.delete_artifact(name):
                del artifacts[name]
            case "fork":
                at = 1 + value % len(past)
                session, (state, artifacts), past = session.fork(at), past[at - 1], past[:at]
                continue
            case _:
                continue
        past.append((state, artifacts))
    digest = session.state_hash()
    assert session.replay() == digest
    assert Session.resume(session.session_id).state_hash() == digest
    session.save("any.trace")
    loaded = Session.load("any.trace")
    assert loaded.state_hash() == loaded.replay() == digest
    for seq_num, (state, artifacts) in enumerate(past, 1):
        for each in (session, loaded):
            assert each.get_state(seq_num) == state
            assert {
                name: each.read_artifact(name, seq_num) for name in each.list_artifacts(seq_num)
            } == artifacts

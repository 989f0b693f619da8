"""The log of sessions: their own, or a workspace's; killed programs, full disks, others who write beside."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from descartes_core.errors import InvalidParams
from descartes_core.places import home
from descartes_core.store.direct import DirectStore
from descartes_core.trace import Session
from descartes_core.trace.errors import (
    SessionInvalidState,
    SessionNotFound,
)
from descartes_server.operations import workspace as workspaces
from support.trace_home import in_a_folder_of_its_own

__all__ = ["in_a_folder_of_its_own"]


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

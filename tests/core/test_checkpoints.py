"""States of agents: the same tests for every place in which they are kept."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import tomllib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from dataclasses import FrozenInstanceError, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descartes_core.checkpoints import (
    AgentInterrupt,
    AgentStateSnapshot,
    Checkpointer,
    TodoItem,
    open_checkpointer,
)
from descartes_core.checkpoints.memory import MemoryCheckpointer
from descartes_core.checkpoints.opening import GROUP, schemes
from descartes_core.checkpoints.postgres import PostgresCheckpointer
from descartes_core.checkpoints.redis import RedisCheckpointer
from descartes_core.checkpoints.sqlite import SqliteCheckpointer
from descartes_core.errors import InvalidParams, StoreUnavailable, Unsupported

ROOT = Path(__file__).resolve().parents[2]
STATE = AgentStateSnapshot(
    todos=[TodoItem("read"), TodoItem("write é😀", "in_progress")],
    files={"b.lisp": "(car)\0\ud800", "a.lisp": ""},
    scratchpad={"z": {"deep": [1, 2.0, None, 1e22, 2**70]}, "a": True},
    pending_interrupts=[AgentInterrupt("shell", {"command": "rm"}, "c1", "asks")],
)

# Snapshots


@pytest.mark.ledger("A-03")
def test_a_state_is_the_same_text_in_every_run() -> None:
    same = AgentStateSnapshot(
        todos=STATE.todos,
        files={"a.lisp": "", "b.lisp": "(car)\0\ud800"},
        scratchpad={"a": True, "z": {"deep": [1, 2.0, None, 1e22, 2**70]}},
        pending_interrupts=STATE.pending_interrupts,
    )
    assert (same, same.digest, hash(same)) == (STATE, STATE.digest, hash(STATE))
    assert (list(STATE.files), list(STATE.scratchpad)) == (["a.lisp", "b.lisp"], ["a", "z"])
    program = (
        "import sys; from descartes_core.checkpoints import AgentStateSnapshot as S;"
        "print(S.from_json(sys.stdin.read()).digest)"
    )
    for seed in ("1", "2"):
        told = subprocess.run(
            [sys.executable, "-c", program],
            input=STATE.to_json(), text=True, capture_output=True, check=True, env={"PYTHONHASHSEED": seed},
        )  # fmt: skip
        assert told.stdout.strip() == STATE.digest
    assert AgentStateSnapshot(scratchpad={"a": 1}) != AgentStateSnapshot(scratchpad={"a": True})


def test_nobody_changes_a_state() -> None:
    files, deep = {"a": "1"}, {"list": [1]}
    state = AgentStateSnapshot(files=files, scratchpad={"deep": deep})
    files["a"] = "2"
    deep["list"].append(2)
    assert (state.files["a"], state.scratchpad["deep"]["list"]) == ("1", (1,))
    for change in (
        lambda: setattr(state, "files", {}),
        lambda: state.files.update({"a": "3"}),  # type: ignore[attr-defined]
        lambda: state.scratchpad["deep"].update({"x": 1}),
        lambda: state.scratchpad["deep"]["list"].append(3),
        lambda: state.todos.append(TodoItem("x")),  # type: ignore[attr-defined]
        lambda: STATE.pending_interrupts[0].tool_args.update({"x": 1}),  # type: ignore[attr-defined]
    ):
        with pytest.raises((FrozenInstanceError, AttributeError)):
            change()
    for wrong in (
        lambda: AgentStateSnapshot(scratchpad={"x": object()}),
        lambda: AgentStateSnapshot(files={"a": 1}),  # type: ignore[dict-item]
        lambda: AgentStateSnapshot(files=[1]),  # type: ignore[arg-type]
        lambda: TodoItem("x", "begun"),  # type: ignore[arg-type]
        lambda: AgentStateSnapshot.from_json("{}"),
        lambda: AgentStateSnapshot.from_json("[" * 100_000),
    ):
        with pytest.raises(InvalidParams):
            wrong()


def states(keys: str) -> st.SearchStrategy[AgentStateSnapshot]:
    """Return states whose keys and call ids are of the letters KEYS."""
    key = st.text(keys, min_size=1, max_size=2)
    return st.builds(
        AgentStateSnapshot,
        todos=st.lists(st.builds(TodoItem, st.text(max_size=3)), max_size=2),
        files=st.dictionaries(key, st.text(max_size=3), max_size=3),
        scratchpad=st.dictionaries(key, st.integers() | st.lists(st.none(), max_size=2), max_size=3),
        pending_interrupts=st.lists(
            st.builds(AgentInterrupt, st.just("t"), st.just({}), key),
            max_size=3,
            unique_by=lambda i: i.call_id,
        ),
    )


@pytest.mark.ledger("A-04")
@settings(max_examples=60, deadline=None)
@given(states("ab"), states("cd"), states("ef"), states("ace"))
def test_merging_is_associative_and_keeps_what_is_disjoint(
    a: AgentStateSnapshot, b: AgentStateSnapshot, c: AgentStateSnapshot, over: AgentStateSnapshot
) -> None:
    assert a.merge(b).merge(c) == a.merge(b.merge(c))
    assert a.merge(over).merge(b) == a.merge(over.merge(b))
    assert a.merge(AgentStateSnapshot()) == a == AgentStateSnapshot().merge(a)
    merged = a.merge(b)
    assert dict(merged.files) == {**a.files, **b.files}
    assert dict(merged.scratchpad) == {**a.scratchpad, **b.scratchpad}
    assert merged.todos == (b.todos or a.todos)
    assert [each.call_id for each in merged.pending_interrupts] == [
        each.call_id for each in (*a.pending_interrupts, *b.pending_interrupts)
    ]
    # What is in both is the later one's.
    assert all(a.merge(over).files[name] == text for name, text in over.files.items())


# One suite for all


@dataclass(frozen=True)
class Place:
    """Where states are kept; `at` opens what its URL names."""

    url: str
    at: Callable[[str], Awaitable[Checkpointer]] = open_checkpointer

    async def open(self) -> Checkpointer:
        return await self.at(self.url)


async def in_memory(folder: Path, request: pytest.FixtureRequest) -> Place:
    kept = MemoryCheckpointer()

    async def same(url: str) -> Checkpointer:
        return kept

    return Place("memory:", same)


async def in_sqlite(folder: Path, request: pytest.FixtureRequest) -> Place:
    return Place(f"sqlite://{quote(str(folder / 'a state.db'))}")


async def in_postgres(folder: Path, request: pytest.FixtureRequest) -> Place:
    url, schema = request.getfixturevalue("postgres"), f"t{uuid.uuid4().hex}"
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(f"CREATE SCHEMA {schema}")  # type: ignore[arg-type]
    return Place(f"{url}&options=-csearch_path%3D{schema}")


async def in_redis(folder: Path, request: pytest.FixtureRequest) -> Place:
    url, namespace = request.getfixturevalue("redis"), uuid.uuid4().hex
    return Place(f"{url}?namespace={namespace}")


KEPT = [in_memory, in_sqlite, in_postgres, in_redis]


@pytest.fixture(params=KEPT, ids=lambda make: make.__name__)
async def place(request: pytest.FixtureRequest, workspace: Path) -> Place:
    found: Place = await request.param(workspace, request)
    return found


@pytest.fixture
async def kept(place: Place) -> AsyncIterator[Checkpointer]:
    async with await place.open() as checkpointer:
        yield checkpointer


@pytest.mark.ledger("A-05")
async def test_what_is_saved_is_loaded(kept: Checkpointer) -> None:
    assert (await kept.load_state("t"), list(await kept.list_threads()), list(await kept.history("t"))) == (
        None,
        [],
        [],
    )
    assert await kept.save_state("t", STATE) == 1
    loaded = await kept.load_state("t")
    assert loaded == STATE and loaded.digest == STATE.digest
    assert loaded.scratchpad["z"]["deep"] == (1, 2.0, None, 1e22, 2**70)
    assert await kept.save_state("t", AgentStateSnapshot()) == 2
    assert (await kept.load_state("t"), await kept.load_state("t", 1)) == (AgentStateSnapshot(), STATE)
    for version in (0, -1, 3, 10**9):
        assert await kept.load_state("t", version) is None


async def test_threads_have_a_history_each_and_end(kept: Checkpointer) -> None:
    odd = "é😀 * [x] ? \\ ' \" % _ : / " + "x" * 400
    for thread in ("b", "a", odd):
        await kept.save_state(thread, AgentStateSnapshot(files={"of": thread}))
    await kept.save_state("a", STATE)
    assert list(await kept.list_threads()) == sorted(["a", "b", odd])
    history = await kept.history("a")
    assert [each.version for each in history] == [2, 1]
    assert [each.digest for each in history] == [STATE.digest, AgentStateSnapshot(files={"of": "a"}).digest]
    assert history[0].saved_at >= history[1].saved_at > "2020-01-01T" and history[0].saved_at.endswith("Z")
    assert (await kept.delete_thread("a"), await kept.delete_thread("a")) == (True, False)
    assert (await kept.load_state("a"), await kept.load_state("a", 1)) == (None, None)
    assert (list(await kept.history("a")), list(await kept.list_threads())) == ([], sorted(["b", odd]))
    assert (await kept.load_state(odd)) == AgentStateSnapshot(files={"of": odd})
    assert await kept.save_state("a", STATE) == 1


@pytest.mark.parametrize("thread", ["", "a\0b", "x" * 501, "\ud800", None, 3])
async def test_ids_that_no_thread_can_have(kept: Checkpointer, thread: Any) -> None:
    for call in (kept.load_state, kept.delete_thread, kept.history):
        with pytest.raises(InvalidParams, match="id of a thread"):
            await call(thread)
    with pytest.raises(InvalidParams):
        await kept.save_state(thread, STATE)
    assert list(await kept.list_threads()) == []


async def test_two_who_save_at_once_get_a_version_each(place: Place, kept: Checkpointer) -> None:
    async with await place.open() as other:

        async def save(checkpointer: Checkpointer, name: str) -> list[int]:
            return [
                await checkpointer.save_state("t", AgentStateSnapshot(files={"by": f"{name}{n}"}))
                for n in range(10)
            ]

        saved = await asyncio.gather(
            *(save(each, name) for name, each in (("a", kept), ("b", other), ("c", kept)))
        )
        assert sorted(version for versions in saved for version in versions) == list(range(1, 31))
        for versions, name in zip(saved, "abc", strict=True):
            for n, version in enumerate(versions):
                state = await other.load_state("t", version)
                assert state is not None and state.files["by"] == f"{name}{n}"


@pytest.mark.ledger("A-06")
def test_in_memory_nothing_is_on_disk(workspace: Path) -> None:
    program = (
        "import asyncio, sys\n"
        "from descartes_core.checkpoints import AgentStateSnapshot as S, open_checkpointer\n"
        "opened = []\n"
        "sys.addaudithook(lambda name, args: opened.append(args) if name == 'open' and"
        " isinstance(args[1], str) and set(args[1]) & set('wax+') else None)\n"
        "async def main():\n"
        "    kept = await open_checkpointer('memory:')\n"
        "    assert await kept.save_state('t', S(files={'a': 'b'})) == 1\n"
        "    assert (await kept.load_state('t')).files['a'] == 'b'\n"
        "asyncio.run(main())\n"
        "assert opened == [], opened\n"
        "assert not {'psycopg', 'redis'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=workspace, check=True)
    assert list(workspace.iterdir()) == []


# What is shared by processes

MACHINE = """
import asyncio, sys
from descartes_core.checkpoints import AgentStateSnapshot, open_checkpointer

async def main(url, name):
    async with await open_checkpointer(url) as kept:
        print("ready", flush=True)
        sys.stdin.readline()
        for n in range(20):
            await kept.save_state("shared", AgentStateSnapshot(files={"by": f"{name} {n}"}))
        print("done", flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.ledger("A-07")
@pytest.mark.parametrize("make", [in_sqlite, in_postgres], ids=lambda make: make.__name__)
async def test_machines_share_what_is_kept(
    make: Any, workspace: Path, request: pytest.FixtureRequest
) -> None:
    place = await make(workspace, request)
    machines = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", MACHINE, place.url, name,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )
        for name in ("one", "two")
    ]  # fmt: skip
    for machine in machines:
        assert machine.stdout is not None and await machine.stdout.readline() == b"ready\n"
    for machine in machines:
        assert machine.stdin is not None
        machine.stdin.write(b"go\n")
    for machine in machines:
        assert machine.stdout is not None and await machine.stdout.readline() == b"done\n"
        assert await machine.wait() == 0
    async with await place.open() as kept:
        history = await kept.history("shared")
        assert [each.version for each in history] == list(range(40, 0, -1))
        saved = [await kept.load_state("shared", version) for version in range(1, 41)]
    by = [state.files["by"] for state in saved if state is not None]
    for name in ("one", "two"):
        assert [each for each in by if each.startswith(name)] == [f"{name} {n}" for n in range(20)]


async def test_what_is_kept_answers_queries(workspace: Path, request: pytest.FixtureRequest) -> None:
    path = workspace / "s.db"
    async with await SqliteCheckpointer.at(path) as kept:
        await kept.save_state("t", STATE)
    assert path.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(path)) as file:
        sql = "SELECT thread_id, version, state ->> '$.todos[1].status' FROM checkpoint"
        assert file.execute(sql).fetchall() == [("t", 1, "in_progress")]
    place = await in_postgres(workspace, request)
    async with await place.open() as kept:
        await kept.save_state("query me", AgentStateSnapshot(todos=STATE.todos))
    async with await psycopg.AsyncConnection.connect(place.url) as connection:
        cursor = await connection.execute(
            "SELECT thread_id, state -> 'todos' -> 1 ->> 'status' FROM descartes_checkpoint"
        )
        assert await cursor.fetchall() == [("query me", "in_progress")]


# Places that cannot be reached, plug-ins


async def test_places_that_cannot_be_reached(workspace: Path) -> None:
    (workspace / "text").write_text("no database " * 1000)
    nobody = workspace / "no.sock"
    for url in (
        f"sqlite://{workspace}/no/such/folder/x.db",
        f"sqlite://{workspace}/text",
        f"postgresql:///x?host={workspace}",
    ):
        with pytest.raises(StoreUnavailable) as refused:
            await open_checkpointer(url)
        assert "\n" not in refused.value.message
    with pytest.raises(StoreUnavailable):
        await RedisCheckpointer.open(f"redis+unix://{nobody}")
    for url in ("sqlite:relative.db", "sqlite://host", "dynamodb://table:secret@x", "", "redis://x?ttl=soon"):
        with pytest.raises(InvalidParams) as unknown:
            await (RedisCheckpointer.open(url) if url.startswith("redis") else open_checkpointer(url))
        assert "secret" not in unknown.value.message


async def test_a_server_that_comes_back_is_used_again(
    postgres: str, workspace: Path, request: pytest.FixtureRequest
) -> None:
    place = await in_postgres(workspace, request)
    async with await place.open() as kept:
        await kept.save_state("t", STATE)
        async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as other:
            await other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                " AND backend_type = 'client backend'"
            )
        with pytest.raises(StoreUnavailable):
            await kept.save_state("t", STATE)
        assert await kept.save_state("t", STATE) == 2


async def until_answered(call: Callable[[], Awaitable[Any]]) -> Any:
    """Return what CALL of an impatient checkpointer returns once the server was quick enough for it."""
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(StoreUnavailable):
                return await call()


async def test_a_server_that_does_not_answer_is_not_waited_for(
    workspace: Path, request: pytest.FixtureRequest
) -> None:
    place = await in_postgres(workspace, request)
    async with (
        await place.open() as patient,
        PostgresCheckpointer(place.url, seconds=0.5) as kept,
        await psycopg.AsyncConnection.connect(place.url) as other,
        asyncio.timeout(120),
    ):
        await patient.save_state("t", STATE)
        # Somebody holds the table: the server gives up.
        await other.execute("LOCK TABLE descartes_checkpoint")
        with pytest.raises(StoreUnavailable):
            await kept.save_state("t", STATE)
        await other.rollback()
        assert await until_answered(lambda: kept.load_state("t")) == STATE
        # The server itself stands still on the connection that is open; the next one is a new one.
        found = await other.execute(
            "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
        stopped = [row[0] for row in await found.fetchall()]
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(StoreUnavailable):
                await kept.load_state("t")
            assert await until_answered(lambda: kept.load_state("t")) == STATE
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
        assert await patient.save_state("t", STATE) == 2


@pytest.mark.slow
async def test_a_server_that_takes_connections_and_says_nothing(workspace: Path) -> None:
    silent = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with asyncio.timeout(60):
        with pytest.raises(StoreUnavailable):
            await PostgresCheckpointer(f"postgresql://x@127.0.0.1:{port}/x", seconds=1).load_state("t")
    silent.close()


async def test_threads_in_redis_end_when_they_are_told_to(redis: str) -> None:
    async with await RedisCheckpointer.open(f"{redis}?namespace=short&ttl=1") as kept:
        await kept.save_state("t", STATE)
        async with asyncio.timeout(15):
            while await kept.list_threads():  # noqa: ASYNC110 (each look is an answer of the server)
                await asyncio.sleep(0)
        assert await kept.load_state("t") is None


def install(folder: Path, name: str, points: dict[str, str]) -> None:
    """Install a package NAME into FOLDER that has nothing but entry points."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"{scheme} = {value}" for scheme, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines]) + "\n")


@pytest.mark.ledger("A-08")
async def test_other_packages_add_places(
    redis: str, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][GROUP]
    assert declared["redis"] == "descartes_core.checkpoints.redis:RedisCheckpointer"
    install(workspace / "a", "descartes-as-declared", {f"{name}x": value for name, value in declared.items()})
    install(
        workspace / "b", "third-party", {"attic": "attic:Attic", "wrong": "attic:other", "lacking": "lacks:X"}
    )
    (workspace / "b" / "attic.py").write_text(
        "from descartes_core.checkpoints.memory import MemoryCheckpointer\n"
        "class Attic(MemoryCheckpointer):\n    pass\n"
        "other = 1\n"
    )
    (workspace / "b" / "lacks.py").write_text("import no_such_library\n")
    for folder in ("a", "b"):
        monkeypatch.syspath_prepend(str(workspace / folder))
    assert {"attic", "redisx", "sqlite", "memory", "postgresql"} <= set(schemes())
    assert "attic" not in sys.modules
    async with await open_checkpointer("attic:anything") as kept:
        assert type(kept).__name__ == "Attic"
        assert await kept.save_state("t", STATE) == 1
    with pytest.raises(Unsupported, match="Expected a Checkpointer"):
        await open_checkpointer("wrong:")
    with pytest.raises(Unsupported, match="no_such_library"):
        await open_checkpointer("lacking:")


@pytest.mark.parametrize(("library", "extra"), [("redis", "redis"), ("psycopg", "postgres")])
def test_a_library_that_is_not_installed_is_named(library: str, extra: str, workspace: Path) -> None:
    install(workspace, "declared", {"redis": "descartes_core.checkpoints.redis:RedisCheckpointer"})
    (workspace / "unused").mkdir()
    program = (
        "import asyncio, sys\n"
        f"sys.path.insert(0, {str(workspace)!r})\n"
        f"sys.modules[{library!r}] = None\n"
        "from descartes_core.checkpoints import open_checkpointer\n"
        "from descartes_core.errors import Unsupported\n"
        f"url = {'redis://127.0.0.1:1' if library == 'redis' else 'postgresql:///x'!r}\n"
        "try: asyncio.run(open_checkpointer(url))\n"
        "except Unsupported as error: print(error.message)\n"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert f"pip install 'descartes-lsp[{extra}]'" in told.stdout

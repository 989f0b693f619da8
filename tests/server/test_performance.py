"""Each performance setting changes what somebody can see."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from descartes_core.config.table import PerformanceSettings, Settings
from descartes_core.errors import DescartesError, LispLost
from descartes_core.store import Reader
from descartes_server.hub.main import running_hub
from descartes_server.operations.answers import Answers
from descartes_server.operations.workspace import Workspace
from support.until import until

Descartes = Any
ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS i FROM n"


def write(here: Workspace, **performance: Any) -> None:
    lines = [f"{key} = {json.dumps(value)}" for key, value in performance.items()]
    (here.root / "descartes.toml").write_text("\n".join(["[performance]", *lines]))


async def spawned(descartes: Descartes, *command: str) -> str:
    done = await descartes("spawn", "--trust", "--", *command)
    assert done.status == 0, done.err
    return str(done.out.strip())


async def statuses(descartes: Descartes) -> dict[str, str]:
    found = json.loads((await descartes("run", "list", "--json")).out)["runs"]
    return {run["id"]: run["status"] + (f" {run['phase']}" if run["phase"] else "") for run in found}


@pytest.mark.ledger("D-89")
async def test_a_sixth_run_waits_until_one_ends(descartes: Descartes, here: Workspace) -> None:
    first = [await spawned(descartes, "cat") for _ in range(5)]
    sixth, seventh = await spawned(descartes, "cat"), await spawned(descartes, "cat")
    found = await statuses(descartes)
    assert [found[run] for run in (sixth, seventh)] == ["idle queued"] * 2
    assert not any(found[run].startswith("idle") for run in first)
    paused = await descartes("run", "pause", sixth, "--force")
    assert (paused.status, "waits for its turn" in paused.err) == (1, True)
    await descartes("run", "kill", first[2])
    await until_it_is(descartes, sixth, "running")
    assert (await statuses(descartes))[seventh] == "idle queued"
    # One that never had its turn can be stopped too, and more may work once the settings say so.
    assert (await descartes("run", "stop", seventh)).status == 0
    assert (await statuses(descartes))[seventh] == "terminated"
    eighth = await spawned(descartes, "cat")
    assert (await statuses(descartes))[eighth] == "idle queued"
    await descartes("config", "set", "performance.maxConcurrentAgents", "6")
    await until_it_is(descartes, eighth, "running")
    for run in (await statuses(descartes)).keys() - {seventh, first[2]}:
        await descartes("run", "kill", run)


async def until_it_is(descartes: Descartes, run: str, status: str) -> None:
    async with asyncio.timeout(60):
        while (await statuses(descartes))[run] != status:
            pass


@pytest.mark.ledger("D-89")
async def test_reads_of_the_log_have_as_many_connections_as_the_pool(tmp_path: Path) -> None:
    file = tmp_path / "log.db"
    with closing(sqlite3.connect(file)) as made:
        made.execute("PRAGMA user_version = 1")
    for connections, answers in ((1, False), (2, True)):
        reader = await Reader.open(file, connections)
        busy = asyncio.ensure_future(reader.rows(ENDLESS))
        other = asyncio.ensure_future(reader.rows("SELECT 1 AS one"))
        done, _ = await asyncio.wait([other], timeout=15 if answers else 0.3)
        assert (other in done) is answers
        other.cancel()
        await reader.close()
        with pytest.raises(DescartesError):
            await busy


@pytest.mark.ledger("D-89")
async def test_the_file_of_settings_says_how_many_read_the_log_at_once(here: Workspace) -> None:
    write(here, connectionPoolSize=1)
    async with running_hub(here, embedded=True) as hub:
        reader = hub.services.reader
        busy = asyncio.ensure_future(reader.rows(ENDLESS))
        waiting = asyncio.ensure_future(reader.rows("SELECT 1 AS one"))
        assert not (await asyncio.wait([waiting], timeout=0.3))[0]
        write(here, connectionPoolSize=20)
        hub.settings()
        assert await asyncio.wait_for(reader.rows("SELECT 1 AS one"), 60)
        assert not busy.done() and not waiting.done()
        waiting.cancel()
        await reader.close()
        with pytest.raises(DescartesError):
            await busy


@pytest.fixture
async def silent() -> AsyncIterator[int]:
    """Give the port of a server that takes connections and says nothing."""
    ended = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ended.wait()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    ended.set()
    server.close()


@pytest.mark.ledger("D-89")
async def test_a_lisp_that_says_nothing_is_given_up_after_the_time_that_is_set(
    client: Any, here: Workspace, silent: int
) -> None:
    ann = client(trusted=True)
    for seconds in (0.2, 0.4):
        write(here, connectionTimeoutSecs=seconds)
        await ann.attach(start=True)
        # The time is that of all of it; a busy machine may have used it up before anything was to be said.
        with pytest.raises(LispLost, match=f"(said nothing for|no word from there in) {seconds:g} s"):
            await ann.call("lisp.connect", {"host": "127.0.0.1", "port": silent})


@pytest.mark.ledger("D-89")
async def test_an_answer_is_given_again_while_no_event_came_and_not_for_too_long() -> None:
    asked: list[int] = []
    now = [0.0]
    answers = Answers(lambda: now[0])

    async def ask() -> dict[str, Any]:
        asked.append(1)
        return {"n": len(asked), "list": []}

    async def answer(seq: int = 7, limit: int = 1, **settings: Any) -> int:
        question = ("history.list", {"limit": limit})
        found = await answers.answer(PerformanceSettings(**settings), question, seq, ask)
        found["list"].append("who was given it may change it")
        assert len(found["list"]) == 1
        return int(found["n"])

    assert [await answer(), await answer()] == [1, 1]
    assert await answer(limit=2) == 2
    assert await answer(seq=8) == 3
    now[0] = 299.9
    assert await answer(seq=8) == 3
    now[0] = 300.0
    assert await answer(seq=8) == 4
    assert await answer(seq=8, enable_response_cache=False) == 5
    assert await answer(seq=8, cache_ttl_secs=0) == 6


@pytest.mark.ledger("D-89")
async def test_the_cache_of_answers_can_be_switched_off(descartes: Descartes, here: Workspace) -> None:
    from support.lsp_client import lsp

    await descartes("lease", "acquire", "a.lisp")
    await descartes("hub", "stop")

    async with lsp(here.root) as editor:

        async def shown() -> str:
            events = (await editor.execute("history.list", {}))["events"]
            return next(str(each["name"]) for each in events if each["name"].startswith("lease"))

        assert await shown() == "lease.acquired"
        with closing(sqlite3.connect(here.database)) as log:
            # What no program of ours does shows whether the log was looked at.
            for (name,) in log.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                log.execute(f"DROP TRIGGER {name}")
            log.execute("UPDATE event SET name = 'lease.changed' WHERE name = 'lease.acquired'")
            log.commit()
        assert await shown() == "lease.acquired"
        settings = {"performance": {"enableResponseCache": False}}
        editor.notify("workspace/didChangeConfiguration", {"settings": {"descartes": settings}})
        assert await shown() == "lease.changed"


@pytest.mark.ledger("D-89")
async def test_output_comes_in_pieces_as_large_as_is_set(
    descartes: Descartes, client: Any, here: Workspace
) -> None:
    write(here, streamBufferSize=1000, streamChunkSize=100)
    ann = client(trusted=True)
    pieces: list[dict[str, Any]] = []
    ann.on_notification(lambda method, it: pieces.append(it) if method == "descartes/run/output" else None)
    await ann.attach(start=True)
    run = await ann.call("run.spawn", {"task": "t", "command": ["sh", "-c", "yes 'λ λ λ' | head -c 5000"]})
    text = ""
    while len(text.encode()) < 5000 - 1:
        answer = await ann.call("run.output", {"run": run["id"], "since": len(text.encode())})
        assert len(answer["text"].encode()) <= 1000
        text += answer["text"]
    await until(lambda: "".join(each["text"] for each in pieces) == text, "all of it was told")
    assert max(len(each["text"].encode()) for each in pieces) in (99, 100)
    write(here, streamBufferSize=65536, streamChunkSize=4096)
    assert len((await ann.call("run.output", {"run": run["id"]}))["text"]) == len(text)


def test_the_defaults_are_those_of_the_specification() -> None:
    assert Settings().performance == PerformanceSettings(
        max_concurrent_agents=5,
        connection_pool_size=10,
        connection_timeout_secs=30,
        enable_response_cache=True,
        cache_ttl_secs=300,
        stream_buffer_size=65536,
        stream_chunk_size=4096,
    )

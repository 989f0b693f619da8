"""Model runs: the loop, its tools, what it asks, and what stands in the log afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.running import Bench, call


@pytest.fixture
async def bench(workspace: Path) -> AsyncIterator[Bench]:
    bench = await Bench.open(workspace)
    yield bench
    await bench.close()


async def test_a_run_says_its_turns_and_completes(bench: Bench) -> None:
    run = await bench.spawn({"text": "Hello."}, {"text": "Done."})
    ended = await bench.ended(run.id)
    assert (ended.status, ended.reason) == ("completed", None)
    assert await bench.edges(run.id) == ["initializing", "thinking", "completed"]
    said = [e.data["content"] for e in await bench.events(run.id, "message")]
    assert said == ["try it", "Hello.", "Done."]
    assert (await bench.runs.output(run.id)).text == "Hello.\nDone.\n"


async def test_a_write_is_asked_about_and_done_when_accepted(bench: Bench) -> None:
    run = await bench.spawn(call("write", path="a.lisp", content="(list 1)\n"))
    waiting = await bench.status(run.id, "waiting")
    assert (waiting.status, waiting.interventions, waiting.leases) == ("paused", 1, ["a.lisp"])
    assert not (bench.workspace / "a.lisp").exists()
    await bench.answer(run.id, "accept")
    ended = await bench.ended(run.id)
    assert (ended.status, ended.leases, ended.interventions) == ("completed", [], 0)
    assert (bench.workspace / "a.lisp").read_text() == "(list 1)\n"
    print(await bench.names(run.id))

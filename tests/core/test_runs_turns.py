"""Who may work when the settings let only so many: nobody waits for ever, and the order survives the hub."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.config.table import PerformanceSettings, Settings
from descartes_core.errors import InvalidTransition
from descartes_core.model import Principal
from descartes_core.runs.turns import Turns
from support.running import ANN, Bench, call


def one() -> Settings:
    return Settings(performance=PerformanceSettings(max_concurrent_agents=1))


@pytest.fixture
async def bench(workspace: Path) -> AsyncIterator[Bench]:
    bench = await Bench.open(workspace, settings=one)
    yield bench
    await bench.close()


async def test_who_waits_for_an_answer_or_is_paused_holds_up_nobody(bench: Bench) -> None:
    asking = await bench.spawn(call("shell", command="true"))
    await bench.status(asking.id, "waiting")
    working = await bench.command("cat")
    await bench.status(working.id, "running")
    waiting = await bench.command("cat")
    assert (waiting.status, waiting.phase) == ("idle", "queued")
    for refused in (bench.runs.pause(waiting.id, by=ANN), bench.runs.send(waiting.id, "x", by=ANN)):
        with pytest.raises(InvalidTransition, match="waits for its turn"):
            await refused
    await bench.runs.pause(working.id, by=ANN, force=True)
    await bench.status(waiting.id, "running")
    # Who goes on does so at once, and is one too many for a while.
    await bench.runs.resume(working.id, by=ANN)
    assert (await bench.status(working.id, "running")).status == "running"


async def test_a_run_waits_not_for_the_one_that_waits_for_it(bench: Bench) -> None:
    parent = await bench.spawn({"delayMs": 60_000}, {"text": "done"})
    agent = Principal(kind="agent", id=parent.id, name=parent.agent)
    child = await bench.spawn({"delayMs": 60_000}, by=agent)
    assert child.status != "idle"
    assert (await bench.spawn({"text": "x"}, by=agent)).status == "idle"
    grandchild = await bench.spawn({"text": "x"}, by=Principal(kind="agent", id=child.id, name=child.agent))
    assert (await bench.ended(grandchild.id)).status == "completed"


async def test_turns_are_kept_when_the_hub_is_replaced(workspace: Path, bench: Bench) -> None:
    working, *waiting = [await bench.command("cat") for _ in range(3)]
    await bench.status(working.id, "running")
    await bench.runs.close()
    again = await Bench.open(workspace, settings=one)
    await again.runs.recover()
    assert [(await again.runs.show(each.id)).status for each in waiting] == ["idle", "idle"]
    await again.runs.kill(working.id, by=ANN)
    await again.status(waiting[0].id, "running")
    assert (await again.runs.show(waiting[1].id)).status == "idle"
    await again.close()


@hypothesis.settings(deadline=None)
@given(st.data())
def test_no_runs_wait_for_each_other_for_ever(data: st.DataObject) -> None:
    limit = data.draw(st.integers(1, 3))
    turns = Turns(lambda: limit)
    working: list[str] = []
    for number in range(data.draw(st.integers(1, 12))):
        parent = data.draw(st.sampled_from([None, *working]))
        if working and data.draw(st.booleans()):
            ended = data.draw(st.sampled_from(working))
            working.remove(ended)
            turns.leave(ended)
            parent = parent if parent != ended else None
        if turns.enter(f"{number}", parent):
            working.append(f"{number}")
        else:
            turns.leave(f"{number}")
        if working:  # the child of the youngest at work always has a turn
            assert turns.enter("child", working[-1])
            turns.leave("child")
        else:
            assert turns.enter("any", None)
            turns.leave("any")

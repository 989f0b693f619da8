"""Who is told of events as they happen, and under which names."""

from __future__ import annotations

import asyncio
import typing
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

from descartes_core.agent_events import NAMES, AgentEventName, AgentEvents
from descartes_core.broadcasting import Broadcasters
from descartes_core.errors import InvalidParams, NotFound
from descartes_core.model import Event, NewEvent, Principal
from descartes_core.store import schemas
from support.running import ANN, Bench, call
from support.until import until


@pytest.fixture
async def bench(workspace: Path) -> AsyncIterator[Bench]:
    bench = await Bench.open(workspace)
    yield bench
    await bench.close()


class Heard:
    """A broadcaster that remembers what it was told; BEFORE is awaited first, and may fail."""

    def __init__(self, id: str, wanted: Callable[[Event], bool] = lambda event: True) -> None:
        self.id = id
        self.events: list[Event] = []
        self.wanted = wanted
        self.gate = asyncio.Event()
        self.gate.set()
        self.fails = False

    def should_broadcast(self, event: Event) -> bool:
        return self.wanted(event)

    async def broadcast(self, event: Event) -> None:
        await self.gate.wait()
        self.events.append(event)
        if self.fails:
            raise RuntimeError("no")


def usage(n: int) -> NewEvent:
    data = {"inputTokens": n, "outputTokens": 0, "costUsd": None}
    return NewEvent(category="system", name="run.usage", stream="s", actor=ANN, data=data)


@pytest.mark.ledger("A-11")
async def test_one_that_is_slow_or_fails_holds_up_nobody_and_misses_nothing(bench: Bench) -> None:
    all_of_them = Broadcasters(bench.store)
    quick, slow, bad = Heard("quick"), Heard("slow"), Heard("bad")
    odd = Heard("odd", lambda event: event.data.get("inputTokens", 0) % 2 == 1)
    slow.gate.clear()
    bad.fails = True
    for each in (quick, slow, bad, odd):
        await all_of_them.add(each)
    events = [(await bench.store.append(usage(n)))[0] for n in range(500)]
    await until(
        lambda: len(quick.events) == 500 and len(bad.events) == 500 and len(odd.events) == 250,
        "everybody is told",
    )
    assert quick.events == bad.events == events
    assert odd.events == events[1::2]
    assert slow.events == []
    slow.gate.set()
    await until(lambda: slow.events == events, "everybody is told")
    counted = {told.broadcaster.id: (told.told, told.failed) for told in all_of_them.all()}
    assert counted == {"quick": (500, 0), "slow": (500, 0), "bad": (500, 500), "odd": (250, 0)}
    await all_of_them.close()


@pytest.mark.ledger("A-11")
async def test_broadcasters_come_and_go_while_events_are_appended(bench: Bench) -> None:
    all_of_them = Broadcasters(bench.store)
    first, late = Heard("first"), Heard("late")
    await all_of_them.add(first)
    with pytest.raises(InvalidParams, match="'first' already"):
        await all_of_them.add(Heard("first"))
    await bench.store.append(usage(1), usage(2))
    await until(lambda: len(first.events) == 2, "everybody is told")
    told = await all_of_them.remove("first")
    assert told.seq == 2
    with pytest.raises(NotFound):
        await all_of_them.remove("first")
    await bench.store.append(usage(3))
    await all_of_them.add(late, since=told.seq)
    await until(lambda: [event.seq for event in late.events] == [3], "everybody is told")
    assert len(first.events) == 2
    await all_of_them.close()
    await bench.store.append(usage(4))
    assert all_of_them.all() == [] and len(late.events) == 1


@pytest.mark.ledger("A-10")
async def test_a_broadcast_event_has_the_metadata_of_the_specification(bench: Bench) -> None:
    view = AgentEvents(bench.store.reader)
    named = msgspec.structs.replace(usage(1), session="ses_1", run="run_1", metadata={"customerId": "acme"})
    (event,) = await bench.store.append(named)
    shown = await view.of(event)
    assert shown is not None and msgspec.to_builtins(shown) == {
        "name": "token_usage",
        "metadata": {
            "thread_id": "ses_1",
            "correlation_id": "run_1",
            "timestamp": event.at,
            "customer_id": "acme",
        },
        "id": event.id,
        "run": "run_1",
        "data": {"inputTokens": 1, "outputTokens": 0, "costUsd": None},
        "summary": '{"inputTokens":1,"outputTokens":0,"costUsd":null}',
    }


@pytest.mark.ledger("A-09")
async def test_what_runs_do_has_the_names_that_agent_programs_know(bench: Bench) -> None:
    parent = await bench.spawn(call("list"), call("nonsense"), {"text": "Done."})
    await bench.ended(parent.id)
    agent = Principal(kind="agent", id=parent.id, name=parent.agent)
    child = await bench.spawn({"text": "Done."}, by=agent, tool_level="read-only")
    await bench.ended(child.id)
    view = AgentEvents(bench.store.reader)

    async def names(run: str) -> list[str]:
        shown = [await view.of(event) for event in await bench.events(run)]
        return [each.name for each in shown if each is not None]

    assert await names(parent.id) == [
        "agent_started",
        "tool_started",
        "tool_completed",
        "tool_started",
        "tool_failed",
        "agent_completed",
    ]
    assert await names(child.id) == ["sub_agent_started", "sub_agent_completed"]


@pytest.mark.ledger("A-09")
def test_every_name_stands_for_events_that_there_are() -> None:
    import descartes_server.operations.events  # noqa: F401  (it makes every event known)

    known = {kind.name for kind in schemas.kinds()}
    assert set(NAMES) <= known
    made_of_runs = {"agent_started", "agent_completed", "sub_agent_started", "sub_agent_completed"}
    assert set(NAMES.values()) | made_of_runs == set(typing.get_args(AgentEventName))

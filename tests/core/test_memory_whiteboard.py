"""The whiteboard that the runs of a session share: posted as events, seen by all, rebuilt alike."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import InvalidParams, NotFound, TooLarge
from descartes_core.memory.memory import Memory
from descartes_core.memory.notebook import Author
from descartes_core.memory.thoughts import Thoughts
from descartes_core.memory.whiteboard import Whiteboard
from descartes_core.model import Principal
from descartes_core.store import Store
from support.log import FIXER, PERSON, TESTER
from support.running import Bench, call


@pytest.fixture
async def store(workspace: Path) -> AsyncIterator[Store]:
    opened = await Store.open(workspace / "log.db")
    yield opened
    await opened.close()


@pytest.fixture
async def bench(workspace: Path, isolated_environment: Path) -> AsyncIterator[Bench]:
    store = await Store.open(workspace / ".descartes" / "descartes.db")
    memory = Memory(store, Thoughts(isolated_environment / "home"))
    bench = Bench(workspace, store, None, memory=memory)
    yield bench
    await bench.close()


async def results(bench: Bench, run: str) -> list[str]:
    """Return what the tools answered to RUN."""
    return [event.data["result"] for event in await bench.events(run, "tool.completed")]


@pytest.mark.ledger("C-06")
async def test_two_agents_post_and_both_see(bench: Bench) -> None:
    fixer = await bench.spawn(
        call("board_post", type="error_report", content="PARSE fails on 1/2"),
        call("board_read"),
        agent="fixer",
    )
    await bench.ended(fixer.id)
    tester = await bench.spawn(
        call("board_read"),
        call("board_post", type="solution", content="read the ratio first"),
        agent="tester",
        session=fixer.session,
        tool_level="read-only",
    )
    await bench.ended(tester.id)
    again = await bench.spawn(call("board_read"), agent="fixer", session=fixer.session)
    await bench.ended(again.id)
    other = await bench.spawn(call("board_read"), agent="stranger")
    await bench.ended(other.id)
    assert "PARSE fails on 1/2" in (await results(bench, fixer.id))[1]
    assert "error_report by fixer" in (await results(bench, tester.id))[0]
    (seen,) = await results(bench, again.id)
    assert seen.index("PARSE fails") < seen.index("solution by tester:\nread the ratio first")
    assert await results(bench, other.id) == ["nothing is on the whiteboard"]
    board = await Whiteboard(bench.store).list(fixer.session)
    assert [(each.type, each.agent_id, each.run) for each in board] == [
        ("solution", "tester", tester.id),
        ("error_report", "fixer", fixer.id),
    ]
    posted = await bench.events(tester.id, "whiteboard.")
    started = [event.id for event in await bench.events(tester.id, "tool.started")]
    assert [(event.parent, event.session) for event in posted] == [(started[1], fixer.session)]


@pytest.mark.ledger("C-06")
async def test_every_type_and_what_is_written_beside(store: Store) -> None:
    board = Whiteboard(store)
    fixer, tester = Author(FIXER, "run_f1", "ses_1"), Author(TESTER, "run_7e", "ses_1")
    types: Any = ("task_description", "code_snippet", "design_decision", "error_report", "solution")
    posted = [await board.post("ses_1", type, f"about {type}", fixer) for type in types]
    assert [each.type for each in await board.list("ses_1")] == list(reversed(types))
    assert [each.content for each in await board.list("ses_1", "solution")] == ["about solution"]
    assert len(await board.list("ses_1", limit=2)) == 2
    await board.annotate(posted[0].id[4:14], "which one?", "question", tester)
    entry = await board.annotate(posted[0].id, "this one", "correction", Author(PERSON))
    assert [(each.marker, each.by.name, each.text) for each in entry.annotations] == [
        ("question", "tester", "which one?"),
        ("correction", "Ada", "this one"),
    ]
    assert (await board.show(posted[0].id)) == entry
    before = await board.list("ses_1")
    await store.rebuild()
    assert await board.list("ses_1") == before
    assert await board.list("ses_2") == []


async def test_what_is_no_entry_is_said(store: Store) -> None:
    board, by = Whiteboard(store), Author(PERSON)
    for empty in ("", " \n"):
        with pytest.raises(InvalidParams):
            await board.post("ses_1", "solution", empty, by)
    with pytest.raises(TooLarge):
        await board.post("ses_1", "solution", "é" * 40_000, by)
    entry = await board.post("ses_1", "solution", "x", by)
    beside = await board.annotate(entry.id, "y", "insight", by)
    with pytest.raises(NotFound):
        await board.annotate("evt_none", "y", "insight", by)
    with pytest.raises(NotFound, match="no entry"):
        await board.show(beside.annotations[0].event)
    with pytest.raises(NotFound, match="no session"):
        await board.session(None, None)
    with pytest.raises(InvalidParams):
        await board.list("ses_1", limit=0)


async def test_a_run_joins_the_session_of_the_run_that_spawns_it(bench: Bench) -> None:
    parent = await bench.command("sleep", "60")
    agent = Principal(kind="agent", id=parent.id, name=parent.agent)
    child = await bench.spawn({"text": "hi"}, by=agent)
    assert child.session == parent.session
    other = await bench.spawn({"text": "hi"})
    assert other.session != parent.session
    for run in (child, other):
        await bench.ended(run.id)
    with pytest.raises(NotFound):
        await bench.spawn({"text": "hi"}, session="ses_none")

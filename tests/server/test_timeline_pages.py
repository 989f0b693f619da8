"""A long history is read a page at a time, and walking over the pages misses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from descartes_core.model import NewEvent, Principal
from descartes_core.store import Store
from descartes_server.operations import playback, timeline_pages, view_files
from descartes_server.operations import workspace as workspaces
from descartes_server.operations.context import Caller, Context, Services
from descartes_server.operations.settings import Settings
from descartes_server.operations.timeline import DocumentParams, HistoryDocument, document

RUN = "run_" + "a" * 32
FIXER = Principal(kind="agent", id=RUN, name="fixer")
EVENTS = 3000


def note(number: int) -> NewEvent:
    data = {"content": f"thought {number}", "thoughtType": "general", "thoughtId": f"t{number}"}
    return NewEvent(
        category="thought",
        name="thought",
        stream=f"run/{RUN}",
        actor=FIXER,
        run=RUN,
        session="ses_1",
        data=data,
    )


@pytest.fixture
async def context(workspace: Path) -> AsyncIterator[Context]:
    here = workspaces.find(workspace)
    here.prepare()
    store = await Store.open(here.database)
    spawned = {
        "id": RUN, "agent": "fixer", "backend": "model", "task": "A long one", "session": "ses_1",
        "runner": "local", "tokenHash": "", "toolLevel": "full", "model": "scripted:x",
    }  # fmt: skip
    await store.append(
        NewEvent(
            category="system", name="run.spawned", stream=f"run/{RUN}", actor=FIXER, run=RUN,
            session="ses_1", data=spawned,
        )
    )  # fmt: skip
    await store.append(*(note(number) for number in range(2, EVENTS + 1)))
    yield Context(Services(here, Settings(), store.reader), Caller(FIXER, "test"))
    await store.close()


async def shown(context: Context, at: int) -> HistoryDocument:
    return await document(context, DocumentParams(run=RUN[:12], at=str(at)))


async def test_a_page_shows_its_surroundings_and_counts_the_rest(context: Context) -> None:
    around = timeline_pages.AROUND["steps"]
    page = await shown(context, 1500)
    headings = [line for line in page.text.splitlines() if line.startswith("## ")]
    assert len(headings) == 2 * around
    assert f"*{1500 - around:,} events before*" in page.text
    assert f"*{EVENTS - 1500 - around:,} events behind*" in page.text
    assert f"{EVENTS:,} events" in page.text.splitlines()[2]
    assert (page.previous, page.next, page.at) == (1499, 1501, 1500)


async def test_walking_goes_over_the_edges_of_pages(context: Context) -> None:
    at, seen = 1500, []
    for _ in range(30):
        page = await shown(context, at)
        assert page.next is not None
        at = page.next
        seen.append(at)
        if len(seen) % 10 == 0:
            assert (await shown(context, at)).previous == seen[-2]
    assert seen == [*range(1501, 1501 + len(seen))]
    first, last = await shown(context, 0), await shown(context, EVENTS)
    assert (first.at, first.previous, first.next) == (1, None, 2)
    assert (last.at, last.previous, last.next) == (EVENTS, EVENTS - 1, None)


async def test_a_view_is_replaced_as_a_whole(context: Context) -> None:
    here = context.services.workspace
    path = view_files.write(here, "history-x.md", "one")
    reader = path.open()
    assert view_files.write(here, "history-x.md", "two 😀\ud800") == path
    assert (reader.read(), path.read_text()) == ("one", "two 😀?")
    reader.close()
    assert [each.name for each in path.parent.iterdir()] == ["history-x.md"]


async def test_of_two_pages_of_a_playback_the_newer_one_stays(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    context.services.publish = lambda method, params: told.append((params["state"], params["at"]))
    page_of_run, begun, slow = timeline_pages.page_of_run, asyncio.Event(), asyncio.Event()

    async def slow_at_first(*asked: Any) -> Any:
        found = await page_of_run(*asked)
        if not begun.is_set():
            begun.set()
            await slow.wait()
        return found

    monkeypatch.setattr(timeline_pages, "page_of_run", slow_at_first)
    player = playback.Player(context, RUN, 5, "events", 1000.0)
    older = asyncio.create_task(player.show())
    await begun.wait()
    player.at, player.state = 6, "ended"
    newer = asyncio.create_task(player.show())
    await asyncio.wait({newer}, timeout=0.05)
    slow.set()
    await older
    assert (await newer).at == 6 and (await player.show()).state == "ended"
    assert told == [("playing", 5), ("ended", 6)], "its end is told once"
    assert "\n## ▶ 6 " in Path((await newer).path).read_text()

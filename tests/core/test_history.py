"""History: one event with its causes and effects, statistics, verification, published forms."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from descartes_core.errors import InvalidParams, RunNotFound
from descartes_core.history import History, as_seed, from_seed
from descartes_core.store import EventQuery, Reader, Store
from support.log import PERSON, FakeClock, event

pytestmark = pytest.mark.invented_events


@pytest.fixture
async def store(workspace: Path) -> AsyncIterator[Store]:
    opened = await Store.open(workspace / "descartes.db", clock=FakeClock(), projections=[])
    yield opened
    await opened.close()


@pytest.fixture
def history(store: Store) -> History:
    return History(store.reader)


@pytest.mark.ledger("D-11")
async def test_an_event_is_shown_with_its_causes_and_effects(store: Store, history: History) -> None:
    (root,) = await store.append(event("run.spawned"))
    (call,) = await store.append(event("tool.started", parent=root.id))
    (_,) = await store.append(event("tool.started", parent=root.id))
    effects = await store.append(
        event("lease.acquired", parent=call.id), event("tool.completed", parent=call.id)
    )
    detail = await history.show(call.id[4:14])
    assert (detail.id, detail.parents, detail.children) == (call.id, [root], effects)
    deepest = await history.show(effects[1].id)
    assert (deepest.parents, deepest.children) == ([call, root], [])


async def test_a_ring_of_parents_is_shown_as_far_as_it_makes_sense(store: Store, history: History) -> None:
    await store.append(event("a", id="evt_aa", parent="evt_bb"), event("b", id="evt_bb", parent="evt_aa"))
    detail = await history.show("bb")
    assert [each.name for each in detail.parents] == ["a"]


@pytest.mark.ledger("D-10")
async def test_statistics_count_what_there_is(store: Store, history: History) -> None:
    assert (await history.statistics()).events == 0
    clock = store.clock
    assert isinstance(clock, FakeClock)
    for n in range(30):
        await store.append(
            event(
                "tool.started" if n % 3 else "run.status",
                category="tool_use" if n % 3 else "state_change",
                run=f"run_{n % 4}" if n % 2 else None,
                session=f"ses_{n % 5}",
                git_commit="c0ffee" if n == 7 else None,
            )
        )
        clock.advance(1)
    found = await history.statistics()
    assert found.categories == {"tool_use": 20, "state_change": 10}
    assert found.names == {"tool.started": 20, "run.status": 10}
    assert (found.events, found.runs, found.sessions, found.commits) == (30, 2, 5, 1)
    assert (found.first_at, found.last_at) == ("2023-11-14T22:13:20.000Z", "2023-11-14T22:13:49.000Z")


@pytest.mark.ledger("D-12")
async def test_a_run_may_be_named_by_the_beginning_of_its_id(store: Store, history: History) -> None:
    await store.append(event(run="run_aa11"), event(run="run_ab22"), event(run="run_aa11"))
    page = await history.list(EventQuery(run="aa"))
    assert [each.run for each in page.events] == ["run_aa11"] * 2
    with pytest.raises(InvalidParams) as ambiguous:
        await history.list(EventQuery(run="run_a"))
    assert ambiguous.value.data == {"candidates": ["run_aa11", "run_ab22"]}
    with pytest.raises(RunNotFound):
        await history.list(EventQuery(run="b"))


@pytest.mark.ledger("D-11")
async def test_verification_covers_the_whole_log(store: Store, history: History) -> None:
    await store.append(*(event() for _ in range(5000)))
    found = await history.verify()
    assert (found.ok, found.events, found.wrong) == (True, 5000, None)
    await store.transact(lambda tx: tx.execute("UPDATE event SET actor = '{}' WHERE seq = 4321"))
    assert (await history.verify()).wrong == 4321


async def test_an_event_has_the_specification_s_names_and_comes_back_from_them(store: Store) -> None:
    (stored,) = await store.append(
        event("thought", category="thought", actor=PERSON, session="ses_1", tags=["t"], metadata={"m": 1})
    )
    seed = as_seed(stored)
    assert seed == {
        "event_id": stored.id,
        "agent_id": "ada",
        "timestamp": 1_700_000_000_000,
        "event_type": "thought",
        "event_data": {},
        "git_commit_hash": None,
        "session_id": "ses_1",
        "parent_event_id": None,
        "tags": ["t"],
        "metadata": {
            "m": 1,
            "name": "thought",
            "run": None,
            "agent": None,
            "correlation": "ses_1",
            "actor": {"kind": "human", "id": "ada", "name": "Ada", "via": "Emacs"},
        },
        "seq": 1,
    }
    assert from_seed(msgspec.json.decode(msgspec.json.encode(seed))) == stored


async def test_a_workspace_without_a_log_has_an_empty_history(workspace: Path) -> None:
    reader = await Reader.open(workspace / "descartes.db")
    history = History(reader)
    assert (await history.list(EventQuery())).events == []
    assert (await history.verify()).ok
    assert (await history.statistics()).runs == 0
    await reader.close()

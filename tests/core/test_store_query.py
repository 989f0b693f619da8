"""Queries of the log against the plainest filter there is."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descartes_core.errors import InvalidParams, NotFound, RunNotFound
from descartes_core.model import Event, NewEvent
from descartes_core.store import EventQuery, Page, Reader, Store
from descartes_core.store.times import iso, milliseconds
from support.log import FIXER, FakeClock, event

pytestmark = pytest.mark.invented_events

RUNS = [None, "run_aa", "run_ab", "run_b"]
NAMES = ["tool.started", "tool.completed", "toolbox", "run.status", "thought", "tool"]
CATEGORIES: list[Any] = ["tool_use", "state_change", "thought", "action"]
PATHS = ["src/a.lisp", "src/ä b.lisp", "c"]
TAGS = ["x", "y", "z"]


class Log:
    """A log of 300 events, whose clock was set back twice, and a loop to ask it on."""

    def __init__(self, path: Path, runner: asyncio.Runner) -> None:
        self._runner = runner
        self.events = runner.run(self._write(path))
        self._reader = runner.run(Reader.open(path))

    def ask(self, query: EventQuery) -> Page:
        return self._runner.run(self._reader.events(query))

    def close(self) -> None:
        self._runner.run(self._reader.close())

    async def _write(self, path: Path) -> list[Event]:
        clock, chance = FakeClock(), random.Random(4)
        store = await Store.open(path, clock=clock, projections=[])
        events: list[Event] = []
        for n in range(300):
            clock.advance(chance.choice([0, 0, 0.5, 3]))
            if n in (120, 200):
                clock.advance(-60)
            events += await store.append(self._random(chance))
        await store.close()
        return events

    def _random(self, chance: random.Random) -> NewEvent:
        return event(
            chance.choice(NAMES),
            category=chance.choice(CATEGORIES),
            run=chance.choice(RUNS),
            session=chance.choice([None, "ses_1", "ses_2"]),
            agent=chance.choice([None, "fixer", "finder"]),
            tags=chance.sample(TAGS, chance.randint(0, 3)),
            data={"path": chance.choice(PATHS)} if chance.random() < 0.5 else {"arguments": {"path": "c"}},
        )


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    with asyncio.Runner() as runner:
        log = Log(tmp_path_factory.mktemp("log") / "descartes.db", runner)
        yield log
        log.close()


def path_of(each: Event) -> str:
    found: str = each.data.get("path") or each.data["arguments"]["path"]
    return found


def plain(events: list[Event], query: EventQuery) -> list[Event]:
    """Return all events that QUERY asks for, by looking at each."""
    ids = {each.id: each.seq for each in events}

    def wanted(each: Event) -> bool:
        q = query
        in_time = True
        if q.since is not None:
            in_time &= each.seq >= ids[q.since] if q.since in ids else each.at >= q.since
        if q.until is not None:
            in_time &= each.seq <= ids[q.until] if q.until in ids else each.at <= q.until
        return (
            in_time
            and (q.run is None or each.run == q.run)
            and (q.session is None or each.session == q.session)
            and (q.agent is None or each.agent == q.agent)
            and (q.path is None or path_of(each) == q.path)
            and (q.type is None or each.category == q.type or each.name.startswith(q.type))
            and set(q.tags) <= set(each.tags)
        )

    found = [each for each in events if wanted(each)]
    return found if query.order == "asc" else found[::-1]


maybe = lambda values: st.none() | st.sampled_from(values)  # noqa: E731


@pytest.mark.ledger("D-10")
@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_a_query_finds_what_the_plain_filter_finds(log: Log, data: st.DataObject) -> None:
    moment = st.sampled_from(log.events).flatmap(
        lambda each: st.sampled_from([each.id, each.at, iso(milliseconds(each.at) + 250)])
    )
    query = data.draw(
        st.builds(
            EventQuery,
            run=maybe(RUNS[1:]),
            session=maybe(["ses_1", "ses_2", "ses_3"]),
            agent=maybe(["fixer", "finder", "nobody"]),
            path=maybe([*PATHS, "nowhere"]),
            type=maybe([*NAMES, *CATEGORIES, "tool", "t", "nothing"]),
            tags=st.lists(st.sampled_from([*TAGS, "none"]), max_size=2),
            since=st.none() | moment,
            until=st.none() | moment,
            limit=st.sampled_from([1, 7, 100, 1000]),
            offset=st.sampled_from([0, 0, 1, 5, 299, 1000]),
            order=st.sampled_from(["asc", "desc"]),
        )
    )
    expected = plain(log.events, query)[query.offset :]
    found: list[Event] = []
    page = log.ask(query)
    while True:
        assert len(page.events) <= query.limit
        found += page.events
        if page.next is None:
            break
        page = log.ask(
            EventQuery(
                **{f: getattr(query, f) for f in query.__struct_fields__} | {"before": page.next, "offset": 0}
            )
        )
    assert found == expected


def test_a_cursor_may_be_an_event_or_a_number_as_text(log: Log) -> None:
    tenth = log.events[9]
    for before in (10, "10", tenth.id, tenth.id[4:16]):
        assert log.ask(EventQuery(before=before, limit=2)).events == [log.events[8], log.events[7]]
        assert log.ask(EventQuery(before=before, limit=1, order="asc")).events == [log.events[10]]


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ({"since": "20xx-01-01"}, InvalidParams),
        ({"until": "evt_ffffffffffffffffffffffffffffffff"}, NotFound),
        ({"before": "evt_nothing"}, NotFound),
    ],
)
def test_what_cannot_be_understood_is_said(log: Log, query: dict[str, str], problem: type[Exception]) -> None:
    with pytest.raises(problem):
        log.ask(EventQuery(**query))  # type: ignore[arg-type]


@pytest.mark.parametrize("limit", [0, -1, 1_000_001])
def test_a_limit_outside_its_range_is_refused(limit: int) -> None:
    with pytest.raises(InvalidParams, match="from 1 to 1,000,000"):
        EventQuery(limit=limit)


@pytest.mark.ledger("D-12")
async def test_an_id_may_be_given_by_any_unambiguous_prefix(workspace: Path) -> None:
    path = workspace / "descartes.db"
    store = await Store.open(path, projections=[])
    ids = [f"evt_{'a' * n}{'b' * (32 - n)}" for n in range(1, 9)]
    await store.append(*(event(id=each, run=f"run_{each[4:]}") for each in ids))
    reader = store.reader
    assert (await reader.event("evt_ab")).id == ids[0]
    assert (await reader.event("ab")).id == ids[0]
    assert (await reader.event(ids[3])).id == ids[3]
    with pytest.raises(InvalidParams, match="give more digits") as ambiguous:
        await reader.event("a")
    assert ambiguous.value.data["candidates"] == sorted(ids)[:5]
    with pytest.raises(NotFound):
        await reader.event("c")
    assert await reader.resolve("run", "aab") == "run_" + ids[1][4:]
    with pytest.raises(RunNotFound):
        await reader.resolve("run", "c")
    with pytest.raises(NotFound):
        await reader.event("%")
    await store.close()


async def test_times_without_a_zone_are_utc() -> None:
    assert milliseconds("2026-11-21T08:40:32.123Z") == milliseconds("2026-11-21T08:40:32.123")
    assert milliseconds("2026-11-21T09:40:32+01:00") == milliseconds("2026-11-21 08:40:32")
    assert iso(milliseconds("1969-12-31T23:59:59.999Z")) == "1969-12-31T23:59:59.999Z"


async def test_many_events_are_read_without_stopping_the_loop(workspace: Path) -> None:
    store = await Store.open(workspace / "descartes.db", projections=[])
    await store.append(*(event(actor=FIXER, data={"n": n}) for n in range(20_000)))
    turns, running = 0, True

    async def heartbeat() -> None:
        nonlocal turns
        while running:
            turns += 1
            await asyncio.sleep(0)

    beating = asyncio.create_task(heartbeat())
    page = await store.reader.events(EventQuery(limit=20_000))
    running = False
    await beating
    assert len(page.events) == 20_000
    # Others had their turn after every few hundred events.
    assert turns >= 20_000 / 500
    await store.close()

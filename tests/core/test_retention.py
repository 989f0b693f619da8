"""What `descartes gc` does to the log: bytes go, nothing else changes; and every table is a fold, always."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from descartes_core.errors import DescartesError
from descartes_core.history import History
from descartes_core.memory.associative import AssociativeMemory
from descartes_core.memory.notebook import Author
from descartes_core.memory.whiteboard import Whiteboard
from descartes_core.memory.wisdom import WisdomBook
from descartes_core.model import NewEvent
from descartes_core.projections import standard
from descartes_core.store import EventQuery, Store, Transaction, Verification, retention, verify
from descartes_core.store.projections import ABOUT
from descartes_core.store.query import LAST
from descartes_core.store.retention import Collectable, Keep
from descartes_core.timetravel.forks import record_fork
from support.log import FakeClock
from support.running import ANN, BOB, Bench, call

EVERYTHING = Keep(days=-1)
TABLES = sorted(table for each in (ABOUT, *standard()) for table in each.tables)


@pytest.fixture
async def bench(workspace: Path) -> AsyncIterator[Bench]:
    bench = await Bench.open(workspace)
    yield bench
    await bench.close()


async def tables(store: Store) -> dict[str, list[Any]]:
    """Return what every table of every projection has."""

    def body(tx: Transaction) -> dict[str, list[Any]]:
        return {name: sorted(tx.execute(f"SELECT * FROM {name}").fetchall(), key=repr) for name in TABLES}

    return await store.transact(body)


async def is_a_fold(store: Store) -> None:
    before = await tables(store)
    await store.rebuild()
    after = await tables(store)
    assert {name: after[name] for name in TABLES if after[name] != before[name]} == {}


async def collect(store: Store, keep: Keep = EVERYTHING, journal_from: int = LAST) -> Collectable:
    return await store.transact(lambda tx: retention.collect(tx, standard(), journal_from, keep, ANN))


async def test_the_data_of_an_ended_run_goes_and_everything_else_stays(bench: Bench) -> None:
    run = await bench.spawn(
        call("write", path="a.lisp", content="x" * 1000), call("read", path="a.lisp"), {"text": "Done."}
    )
    await bench.answer(run.id, "accept")
    ended = await bench.ended(run.id)
    before = await bench.events()
    digest = (await verify(bench.store.path)).events
    gone = await collect(bench.store)
    assert gone.events >= 7 and gone.bytes > 2000
    verification = await verify(bench.store.path)
    assert (verification.ok, verification.events) == (True, digest + 1)
    after = (await bench.events())[:-1]
    assert [(e.id, e.name, e.at) for e in after] == [(e.id, e.name, e.at) for e in before]
    changed = {new.name for old, new in zip(before, after, strict=True) if old != new}
    assert changed == {"tool.started", "tool.completed", "message"}
    assert {e.name for e in after if e.metadata.get("collected")} == changed
    assert await bench.runs.show(run.id) == ended
    assert [e.name for e in await bench.events(type="file.written")] == ["file.written"]
    await is_a_fold(bench.store)
    assert (await collect(bench.store)).events == 0
    await History(bench.store.reader).statistics()


@pytest.mark.ledger("D-11")
async def test_only_what_was_collected_may_be_gone(bench: Bench) -> None:
    for _ in range(2):
        run = await bench.spawn(call("list"), {"text": "Done."})
        await bench.ended(run.id)
    events = await bench.events()
    droppable = [each.seq for each in events if each.name in ("message", "tool.started")]
    assert (await collect(bench.store, Keep(days=1))).events == 0
    gone = (await collect(bench.store, EVERYTHING)).events
    late = await bench.spawn({"text": "Later."})
    await bench.ended(late.id)
    assert gone >= len(droppable)
    assert (await verify(bench.store.path)).ok

    async def without(sql: str) -> Verification:
        copy = bench.store.path.with_name("copy.db")
        with closing(sqlite3.connect(bench.store.path)) as log, closing(sqlite3.connect(copy)) as other:
            log.backup(other)
            other.executescript(sql)
        return await verify(copy)

    spawned = next(each.seq for each in events if each.name == "run.spawned")
    message = next(each.seq for each in await bench.events(late.id) if each.name == "message")
    last = (await bench.events())[-1].seq
    collected = next(each.seq for each in await bench.events(type="log.collected"))
    for sql, wrong in (
        (f"UPDATE event SET data = NULL, meta = NULL WHERE seq = {spawned}", spawned),
        (f"UPDATE event SET data = NULL, meta = NULL WHERE seq = {message}", message),
        (f"UPDATE event SET data = NULL WHERE seq = {collected}", collected),
        # A log that was collected twice says it in full; one that is one short says how many.
        (f"UPDATE event SET data = NULL, meta = NULL WHERE seq BETWEEN {droppable[0]} AND {last}", None),
    ):
        found = await without(sql)
        assert not found.ok and found.reason, sql
        assert wrong is None or found.wrong == wrong, (sql, found)
    await collect(bench.store, EVERYTHING)
    assert (await verify(bench.store.path)).ok


@pytest.mark.ledger("D-11")
async def test_one_event_more_than_was_collected_is_noticed(workspace: Path) -> None:
    clock = FakeClock()
    store = await Store.open(workspace / "descartes.db", clock=clock)
    for number in range(6):
        data = {"code": "x", "message": str(number), "recoverable": True}
        await store.append(NewEvent(category="error", name="error", stream="s", actor=ANN, data=data))
        clock.advance(86_400)
    assert (await collect(store, Keep(days=4))).events == 2
    assert (await collect(store, Keep(days=3))).events == 1
    await store.close()
    assert (await verify(store.path)).ok
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("UPDATE event SET data = NULL, meta = NULL WHERE seq = 5")
    found = await verify(store.path)
    assert not found.ok and found.wrong == 1 and "4 events" in (found.reason or "")


@pytest.mark.ledger("D-11")
async def test_a_collection_of_an_older_program_says_only_how_many(workspace: Path) -> None:
    store = await Store.open(workspace / "descartes.db")
    data = {"code": "x", "message": "y", "recoverable": True}
    await store.append(*[NewEvent(category="error", name="error", stream="s", actor=ANN, data=data)] * 5)

    def collected(tx: Transaction) -> None:
        tx.execute("UPDATE event SET data = NULL, meta = NULL WHERE seq IN (1, 3)")
        told = {"events": 2, "bytes": 10, "before": None}
        tx.append(NewEvent(category="system", name="log.collected", stream="log", actor=ANN, data=told))

    await store.transact(collected)
    assert (await verify(store.path)).ok
    await store.transact(lambda tx: tx.execute("UPDATE event SET data = NULL, meta = NULL WHERE seq = 4"))
    found = await verify(store.path)
    assert not found.ok and "3 events have lost their data, and 2 were collected" in (found.reason or "")
    await store.close()


async def test_a_run_that_works_keeps_what_it_needs(bench: Bench) -> None:
    run = await bench.spawn(call("read", path="script1.jsonl"), call("shell", command="true"), {"text": "."})
    await bench.status(run.id, "waiting")
    before = await bench.events(run.id)
    assert (await collect(bench.store)).events == 0
    assert await bench.events(run.id) == before
    await bench.answer(run.id, "reject")
    assert (await bench.ended(run.id)).status == "completed"


async def test_the_journal_of_the_image_stays(bench: Bench) -> None:
    def evaluated(n: int) -> NewEvent:
        data = {"id": f"eval_{n}", "state": "done", "code": "(+ 1 2)"}
        return NewEvent(category="action", name="lisp.evaluated", stream="lisp", actor=ANN, data=data)

    first, second = await bench.store.append(evaluated(1), evaluated(2))
    assert (await collect(bench.store, journal_from=first.seq)).events == 0
    assert (await collect(bench.store, journal_from=second.seq)).events == 1
    events = await bench.events(type="lisp")
    assert [bool(event.data) for event in events] == [False, True]


async def test_age_and_size_say_what_goes(workspace: Path) -> None:
    clock = FakeClock()
    store = await Store.open(workspace / "descartes.db", clock=clock)
    for day in range(10):
        data = {"code": "x", "message": f"{day}" + "y" * 100, "recoverable": True}
        await store.append(NewEvent(category="error", name="error", stream="s", actor=ANN, data=data))
        clock.advance(86_400)

    async def left() -> list[str]:
        events = (await store.reader.events(EventQuery(type="error", order="asc"))).events
        return [event.data["message"][0] for event in events if event.data]

    assert (await collect(store, Keep(days=7))).events == 3
    assert await left() == list("3456789")
    gone = await collect(store, Keep(days=7, bytes=450))
    assert gone.events == 4 and await left() == list("789")
    assert (await collect(store, Keep(days=7, bytes=10_000))).events == 0
    assert (await verify(store.path)).ok
    await store.close()


class Doer:
    """Does things at random to leases, runs, questions and the log, as a seed says."""

    def __init__(self, bench: Bench, seed: int) -> None:
        self.bench, self.chance = bench, random.Random(seed)
        self.runs: list[str] = []

    async def step(self) -> None:
        doing = self.chance.choice([self.acquire, self.acquire, self.release, self.steal, *self._more()])
        with contextlib.suppress(DescartesError):
            await doing()  # held, not held, ended: the log has what became of it

    def _more(self) -> list[Callable[[], Awaitable[None]]]:
        return [self.ask, self.answer, self.spawn, self.send, self.fork, self.post, self.learn, self.remember]

    @property
    def path(self) -> str:
        return self.chance.choice(["a.lisp", "b.lisp", "src/*.lisp", "a.lisp#f", "c/d.lisp"])

    @property
    def who(self) -> Any:
        return self.chance.choice([ANN, BOB])

    async def acquire(self) -> None:
        await self.bench.leases.acquire(self.path, self.who, reason="mail bob@example.com")

    async def release(self) -> None:
        await self.bench.leases.release(self.path, self.who)

    async def steal(self) -> None:
        await self.bench.leases.steal(self.path, self.who, reason="mine")

    async def ask(self) -> None:
        await self.bench.leases.request(self.path, self.who, "please")

    async def answer(self) -> None:
        for question in await self.bench.questions.list():
            await self.bench.questions.answer(question.id, self.chance.choice(["accept", "reject"]), by=ANN)

    async def spawn(self) -> None:
        turns = self.chance.choice(
            [[call("write", path="w.txt", content="w")], [call("list")], [{"thinking": "Hm."}], [call("no")]]
        )
        run = await self.bench.spawn(*turns, {"text": "Done."}, files=[self.path.partition("#")[0]])
        self.runs.append(run.id)

    async def send(self) -> None:
        if self.runs:
            await self.bench.runs.send(self.chance.choice(self.runs), "go on", by=ANN)

    async def fork(self) -> None:
        if self.runs:
            seq = await self.bench.store.reader.last_seq()
            await record_fork(self.bench.store, self.chance.choice(self.runs), seq, by=ANN)

    async def post(self) -> None:
        board = Whiteboard(self.bench.store)
        entry = await board.post("ses_" + "0" * 32, "solution", "It is slow", Author(ANN))
        await board.annotate(entry.id, "Is it?", "question", Author(BOB))

    async def learn(self) -> None:
        book = WisdomBook(self.bench.store)
        added = await book.add("Read before you write", Author(ANN), tags=["care"])
        await book.outcome(added.id, self.chance.random(), Author(BOB))

    async def remember(self) -> None:
        memory = AssociativeMemory[Any](self.bench.store, "things", Author(ANN))
        key = await memory.add("loops take time", {"n": 1}, key=self.chance.choice(["a", "b", None]))
        if self.chance.random() < 0.3:
            await memory.remove(key)


@settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32), collects=st.booleans())
def test_every_table_equals_a_rebuild_after_anything(
    isolated_environment: Path, seed: int, collects: bool
) -> None:
    folder = Path(tempfile.mkdtemp(dir=isolated_environment))

    async def live() -> None:
        bench = await Bench.open(folder)
        doer = Doer(bench, seed)
        for _ in range(25):
            await doer.step()
        for run in await bench.runs.list("active"):
            await bench.runs.kill(run.id, by=ANN)
        if collects:
            await collect(bench.store)
        await is_a_fold(bench.store)
        await bench.close()
        again = await Store.open(folder / ".descartes" / "descartes.db")
        await collect(again)
        await is_a_fold(again)
        assert (await verify(again.path)).ok
        await again.close()

    asyncio.run(live())

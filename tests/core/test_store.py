"""The log: what is appended is there, in order, chained, and folded; whoever writes beside it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from descartes_core.errors import InvalidParams, StoreUnavailable, StreamConflict
from descartes_core.model import Event
from descartes_core.store import EventQuery, Executes, Projection, Reader, Store, Transaction, verify
from support.log import FIXER, FakeClock, event

pytestmark = pytest.mark.invented_events


@pytest.fixture
def path(workspace: Path) -> Path:
    return workspace / ".descartes" / "descartes.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(path, projections=[])
    yield opened
    await opened.close()


async def everything(path: Path) -> list[Event]:
    reader = await Reader.open(path)
    page = await reader.events(EventQuery(limit=1_000_000, order="asc"))
    await reader.close()
    return page.events


@pytest.mark.ledger("D-01")
async def test_what_is_read_is_what_append_returned(store: Store, path: Path) -> None:
    full = event(
        "lisp.evaluated",
        category="action",
        run="run_1",
        session="ses_1",
        agent="fixer",
        parent="evt_0",
        correlation="c",
        tags=["lisp", "é😀"],
        data={"code": '(λ \u2028 "\\")', "n": 2**70, "deep": [{"a": None}, (1, 2)]},
        metadata={"took": 0.5},
        git_commit="abc",
    )
    (appended,) = await store.append(full)
    assert await everything(path) == [appended]
    assert appended.data == {"code": '(λ \u2028 "\\")', "n": 2**70, "deep": [{"a": None}, [1, 2]]}
    assert msgspec.json.decode(msgspec.json.encode(appended), type=Event) == appended


async def test_half_a_surrogate_pair_from_a_program_does_not_lose_the_event(store: Store, path: Path) -> None:
    await store.append(event(data={"output": "a\ud800b", "key\udfff": ["\ud83d\ude00"]}))
    assert (await everything(path))[0].data == {"output": "a\ufffdb", "key\ufffd": ["😀"]}


async def test_events_of_one_append_stand_together_or_not_at_all(store: Store, path: Path) -> None:
    await store.append(event("a", id="evt_1"))
    with pytest.raises(InvalidParams, match="evt_1"):
        await store.append(event("b"), event("c", id="evt_1"))
    await store.append(event("d"), event("e"))
    assert [each.name for each in await everything(path)] == ["a", "d", "e"]


async def test_a_body_that_fails_leaves_its_neighbours_in_the_group_alone(store: Store, path: Path) -> None:
    def body(fails: bool, n: int) -> Any:
        def run(tx: Transaction) -> int:
            tx.append(event(f"n{n}", stream="shared"))
            if fails:
                raise LookupError(n)
            return n

        return run

    results = await asyncio.gather(
        *(store.transact(body(n % 3 == 1, n)) for n in range(30)), return_exceptions=True
    )
    assert [n if not isinstance(result, LookupError) else None for n, result in enumerate(results)] == [
        None if n % 3 == 1 else n for n in range(30)
    ]
    events = await everything(path)
    assert [each.name for each in events] == [f"n{n}" for n in range(30) if n % 3 != 1]
    assert [each.seq for each in events] == list(range(1, 21))
    assert (await verify(path)).ok


async def test_expected_version_lets_one_of_two_writers_through(store: Store) -> None:
    await store.append(event(stream="run/1"), expected={"run/1": 0})
    results = await asyncio.gather(
        *(store.append(event(stream="run/1"), expected={"run/1": 1}) for _ in range(5)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, list) for result in results) == 1
    refused = next(result for result in results if isinstance(result, StreamConflict))
    assert refused.data == {"stream": "run/1", "version": 2}


async def test_listeners_hear_every_event_once_in_order_also_when_one_of_them_fails(store: Store) -> None:
    heard: list[int] = []

    def broken(events: object) -> None:
        raise ValueError("a listener's bug")

    store.on_events(broken)
    stop = store.on_events(lambda events: heard.extend(each.seq for each in events))
    await asyncio.gather(*(store.append(event(), event()) for _ in range(50)))
    assert heard == list(range(1, 101))
    stop()
    await store.append(event())
    assert heard[-1] == 100


async def test_close_writes_what_waits(path: Path) -> None:
    store = await Store.open(path, projections=[])
    waiting = [asyncio.ensure_future(store.append(event())) for _ in range(200)]
    # One turn of the loop: every append is in the writer's queue, none is awaited yet.
    await asyncio.sleep(0)
    await store.close()
    assert [(await each)[0].seq for each in waiting] == list(range(1, 201))
    with pytest.raises(StoreUnavailable, match="was closed"):
        await store.append(event())
    assert len(await everything(path)) == 200


WRITER = """
import asyncio, sys
from pathlib import Path
from descartes_core.model import NewEvent, Principal
from descartes_core.store import Store
async def main(path, name):
    store = await Store.open(Path(path))
    me = Principal(kind="service", id=name, name=name)
    async def some(n):
        for i in range(20):
            await store.append(NewEvent(category="system", name="w", stream="shared", actor=me))
    await asyncio.gather(*map(some, range(5)))
    await store.close()
asyncio.run(main(*sys.argv[1:]))
"""


async def test_processes_that_write_side_by_side_make_one_chain(path: Path) -> None:
    # No log yet: they also make and migrate it at the same time.
    start = asyncio.create_subprocess_exec
    writers = [await start(sys.executable, "-c", WRITER, str(path), f"w{n}") for n in range(3)]
    assert [await each.wait() for each in writers] == [0, 0, 0]
    events = await everything(path)
    assert [each.seq for each in events] == list(range(1, 301))
    assert (await verify(path)).ok
    with sqlite3.connect(path) as connection:
        versions = [row[0] for row in connection.execute("SELECT version FROM event ORDER BY seq")]
    assert versions == list(range(1, 301))


@pytest.mark.ledger("D-11")
async def test_the_chain_can_be_checked_with_nothing_but_json_and_sha256(store: Store, path: Path) -> None:
    await store.append(
        event(data={"text": "é😀\n\x7f/\\"}, tags=["b", "a"]), event(run="run_1", metadata={"k": 1})
    )
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    previous = "0" * 64
    for found in connection.execute("SELECT * FROM event ORDER BY seq"):
        row = dict(found)
        stated = row.pop("hash")
        for column in ("data", "meta"):
            row[column] = hashlib.sha256(row[column].encode()).hexdigest()
            assert row[column] == row.pop(f"{column}_sha256")
        assert row["prev_hash"] == previous
        text = json.dumps(row, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        previous = hashlib.sha256(text.encode()).hexdigest()
        assert previous == stated
    connection.close()


def _count_tags(tx: Executes, each: Event) -> None:
    for tag in each.tags:
        tx.execute("INSERT INTO tag_count VALUES (?, 1) ON CONFLICT (tag) DO UPDATE SET n = n + 1", (tag,))


COUNTS = Projection(
    name="counts",
    version=1,
    tables={"tag_count": "CREATE TABLE tag_count (tag TEXT PRIMARY KEY, n INTEGER)"},
    prefixes=("tool.",),
    apply=_count_tags,
)


def contents(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every table of the projections."""
    tables = ("tag_count", "event_kind", "event_tag", "event_path")
    with sqlite3.connect(path) as connection:
        return {table: sorted(connection.execute(f"SELECT * FROM {table}")) for table in tables}


async def test_a_projection_rebuilt_is_the_projection_kept(path: Path) -> None:
    store = await Store.open(path, projections=[COUNTS])
    for n in range(40):
        name = "tool.started" if n % 2 else "run.status"
        await store.append(
            event(name, tags=["x", f"t{n % 5}"], data={"path": f"f{n % 3}", "paths": ["f0", "g"]})
        )
    kept = contents(path)
    assert dict(kept["tag_count"])["x"] == 20
    await store.transact(lambda tx: tx.execute("UPDATE tag_count SET n = 0"))
    assert contents(path) != kept
    await store.rebuild()
    assert contents(path) == kept
    await store.close()


async def test_a_new_version_of_a_projection_is_folded_when_the_log_is_opened(path: Path) -> None:
    store = await Store.open(path, projections=[])
    await store.append(event(tags=["x"]), event(tags=["x"]))
    await store.close()
    store = await Store.open(path, projections=[COUNTS])
    assert await store.reader.rows("SELECT * FROM tag_count") == [{"tag": "x", "n": 2}]
    await store.close()
    wider = {"tag_count": "CREATE TABLE tag_count (tag TEXT PRIMARY KEY, n INTEGER, more TEXT DEFAULT 'm')"}

    def keep_last(tx: Executes, each: Event) -> None:
        tx.execute("INSERT OR REPLACE INTO tag_count (tag, n) VALUES (?, ?)", (each.tags[0], each.seq))

    store = await Store.open(path, projections=[Projection("counts", 2, wider, ("tool.",), keep_last)])
    assert await store.reader.rows("SELECT * FROM tag_count") == [{"tag": "x", "n": 2, "more": "m"}]
    await store.close()


async def test_a_failing_projection_takes_its_event_back(path: Path) -> None:
    def refuse(tx: Executes, each: Event) -> None:
        raise ZeroDivisionError

    store = await Store.open(path, projections=[Projection("p", 1, {}, ("bad",), refuse)])
    with pytest.raises(ZeroDivisionError):
        await store.append(event("bad"))
    await store.append(event("good"))
    assert [each.name for each in await everything(path)] == ["good"]
    await store.close()


async def test_a_log_of_a_newer_program_is_refused_by_writer_and_reader(path: Path) -> None:
    await (await Store.open(path)).close()
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO migration VALUES (99, 'later', 'x', 0)")
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreUnavailable, match="version 99"):
        await Store.open(path, projections=[])
    with pytest.raises(StoreUnavailable, match="version 99"):
        await Reader.open(path)


async def test_a_schema_step_that_is_not_ours_is_refused(path: Path) -> None:
    await (await Store.open(path)).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE migration SET checksum = 'other'")
    with pytest.raises(StoreUnavailable, match="Step 1"):
        await Store.open(path, projections=[])


async def test_a_missing_log_is_empty_and_may_appear_and_be_replaced(path: Path) -> None:
    reader = await Reader.open(path)
    assert (await reader.events(EventQuery())).events == []
    assert await reader.last_seq() == 0
    assert await reader.rows("SELECT * FROM lease") == []
    store = await Store.open(path, projections=[])
    await store.append(event("first"))
    assert [each.name for each in (await reader.events(EventQuery())).events] == ["first"]
    await store.close()
    for file in path.parent.glob("descartes.db*"):
        file.unlink()
    assert (await reader.events(EventQuery())).events == []
    store = await Store.open(path, projections=[])
    await store.append(event("second"))
    assert [each.name for each in (await reader.events(EventQuery())).events] == ["second"]
    await store.close()
    await reader.close()


async def test_a_reader_holds_no_transaction_between_calls(store: Store, path: Path) -> None:
    reader = await Reader.open(path)
    await store.append(*(event() for _ in range(700)))
    await reader.events(EventQuery(limit=600))
    # TRUNCATE succeeds only when no reader needs the write-ahead log.
    with sqlite3.connect(path) as connection:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert busy == 0
    await reader.close()


async def test_a_cancelled_caller_whose_turn_has_not_come_writes_nothing(store: Store, path: Path) -> None:
    first = asyncio.ensure_future(store.append(event("kept")))
    second = asyncio.ensure_future(store.append(event("dropped")))
    second.cancel()
    await first
    await store.append(event("last"))
    assert [each.name for each in await everything(path)] == ["kept", "last"]


async def test_the_time_of_an_event_is_the_clock_s_and_files_are_private(path: Path) -> None:
    store = await Store.open(path, clock=FakeClock(1_700_000_000_123))
    (appended,) = await store.append(event(actor=FIXER))
    await store.close()
    assert appended.at == "2023-11-14T22:13:20.123Z"
    assert [mode(path), mode(path.parent)] == [0o600, 0o700]


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777

"""Durable appends of fifty waiting writers beside bare sqlite3, and a page of history in a long log.

The bare side inserts the same finished rows into the same table with the same indexes and commits each, with
synchronous=FULL; it makes no ids, no hashes and no projections, ours does.
"""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.table import Row, median, show
from descartes_core.model import NewEvent, Principal
from descartes_core.store import EventQuery, Reader, Store
from descartes_core.store.migrations import M001, statements
from descartes_core.store.rows import COLUMNS

WRITERS, EACH, BLOCKS = 50, 20, 8
"""Blocks of appends, ours and the bare ones in turn, so that both meet the same machine."""
SHORT, LONG = 1_000, 1_000_000
PAGES = 200
GOAL_MS = 5.0

AGENT = Principal(kind="agent", id="run_0", name="fixer")
KINDS: list[tuple[Any, str]] = [
    ("tool_use", "tool.started"),
    ("tool_use", "tool.completed"),
    ("state_change", "run.moved"),
    ("thought", "thought"),
    ("communication", "message"),
]


def event(n: int) -> NewEvent:
    """Return the Nth event of a made-up history: two runs, five kinds, a file and a tag here and there."""
    category, name = KINDS[n % 5]
    return NewEvent(
        category=category,
        name=name,
        stream=f"bench/{n % 50}",
        actor=AGENT,
        run=f"run_{n // 5 % 2:032x}",
        session=f"ses_{n // 5 % 2:032x}",
        agent=f"fixer-{n // 5 % 2}",
        tags=["slow"] if n % 7 == 0 else [],
        data={"path": f"src/file-{n % 8}.lisp", "text": "x" * 200, "n": n},
    )


async def append_block(store: Store) -> float:
    """Return the milliseconds that each event took, of fifty writers who wait for each of theirs."""

    async def writer(number: int) -> None:
        for n in range(EACH):
            await store.append(event(number * EACH + n))

    began = time.perf_counter()
    await asyncio.gather(*map(writer, range(WRITERS)))
    return (time.perf_counter() - began) * 1000 / (WRITERS * EACH)


def bare(path: Path) -> sqlite3.Connection:
    """Return a new database at PATH with our table and indexes."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    for statement in statements(M001):
        connection.execute(statement)
    return connection


def bare_block(connection: sqlite3.Connection, batch: Sequence[tuple[Any, ...]]) -> float:
    """Return the milliseconds that each row of BATCH took, committed one by one."""
    insert = f"INSERT INTO event VALUES ({', '.join('?' * len(COLUMNS))})"
    began = time.perf_counter()
    for row in batch:
        connection.execute(insert, row)
    return (time.perf_counter() - began) * 1000 / len(batch)


async def appends(folder: Path) -> Row:
    """Measure the first row of the table."""
    store = await Store.open(folder / "ours.db")
    ours, theirs = [], []
    connection = bare(folder / "bare.db")
    source = sqlite3.connect(folder / "ours.db")
    select = f"SELECT {', '.join(COLUMNS)} FROM event WHERE seq > ? ORDER BY seq"
    for _ in range(BLOCKS):
        before = await store.reader.last_seq()
        ours.append(await append_block(store))
        theirs.append(bare_block(connection, source.execute(select, (before,)).fetchall()))
    await store.close()
    connection.close()
    source.close()
    met = median(theirs) >= 2 * median(ours)
    what = f"a durable append, {WRITERS} writers waiting ({1000 / median(ours):,.0f}/s)"
    return Row(what, ours, theirs, "ratio at most 0.50", met)


async def fill(path: Path, count: int) -> None:
    """Write COUNT events to PATH, many in one transaction."""
    store = await Store.open(path)
    for start in range(0, count, 5000):
        batch = [event(n) for n in range(start, min(start + 5000, count))]
        await store.append(*batch)
    await store.close()
    os.sync()  # what is measured next must not wait for the system to write this out


Asks = Callable[[int], EventQuery]
QUERIES: list[tuple[str, Asks]] = [
    ("100 events, anywhere", lambda before: EventQuery(before=before)),
    ("100 events of a run", lambda before: EventQuery(run=event(3).run, before=before)),
    ("100 events of a session", lambda before: EventQuery(session=event(3).session, before=before)),
    ("100 events of an agent", lambda before: EventQuery(agent=event(3).agent, before=before)),
    ("100 events of a type", lambda before: EventQuery(type="tool", before=before)),
    ("100 events of a run and type", lambda before: EventQuery(run=event(3).run, type="tool", before=before)),
    ("100 events about a file", lambda before: EventQuery(path="src/file-3.lisp", before=before)),
    ("100 events with a tag", lambda before: EventQuery(tags=["slow"], before=before)),
]


async def pages(folder: Path) -> list[Row]:
    """Measure pages of a long log beside those of a short one."""
    await fill(folder / "short.db", SHORT)
    await fill(folder / "long.db", LONG)
    short, long = await Reader.open(folder / "short.db"), await Reader.open(folder / "long.db")
    rows = []
    chance = random.Random(1)
    for what, query in QUERIES:
        in_long: list[float] = []
        in_short: list[float] = []
        for _ in range(PAGES):
            # The same share of the way into both; the last tenth always holds a full page of the short one's.
            place = chance.uniform(0.9, 1)
            in_long.append(await page(long, query(int(place * LONG))))
            in_short.append(await page(short, query(int(place * SHORT))))
        met = median(in_long) <= 1.5 * median(in_short) and median(in_long) < GOAL_MS
        goal = f"ratio at most 1.50, under {GOAL_MS:.0f} ms"
        rows.append(Row(f"{what} of {LONG:,}", in_long, in_short, goal, met))
    rows.append(await since_a_time(short, long))
    await long.close()
    await short.close()
    return rows


async def since_a_time(short: Reader, long: Reader) -> Row:
    """Measure the first page after a time, which is found by halving."""
    chance = random.Random(2)
    times: dict[Reader, list[str]] = {}
    for reader, count in ((short, SHORT), (long, LONG)):
        places = [int(chance.uniform(0.1, 0.9) * count) for _ in range(20)]
        found = [await reader.events(EventQuery(before=place, order="asc", limit=1)) for place in places]
        times[reader] = [page.events[0].at for page in found]
    in_short, in_long = [], []
    for n in range(PAGES):
        in_long.append(await page(long, EventQuery(since=times[long][n % 20], order="asc")))
        in_short.append(await page(short, EventQuery(since=times[short][n % 20], order="asc")))
    met = median(in_long) <= 1.5 * median(in_short) and median(in_long) < GOAL_MS
    goal = f"ratio at most 1.50, under {GOAL_MS:.0f} ms"
    return Row(f"100 events since a time of {LONG:,}", in_long, in_short, goal, met)


async def page(reader: Reader, query: EventQuery) -> float:
    """Return the milliseconds that the page QUERY took."""
    began = time.perf_counter()
    await reader.events(query)
    return (time.perf_counter() - began) * 1000


async def measure() -> list[Row]:
    """Measure everything in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as name:
        return [await appends(Path(name)), *await pages(Path(name))]


def main() -> int:
    return show("appends", "bare sqlite3, or a log of 1,000", asyncio.run(measure()))


if __name__ == "__main__":
    raise SystemExit(main())

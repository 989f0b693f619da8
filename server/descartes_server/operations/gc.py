"""`gc.plan` and `gc.collect`: bytes that nobody needs any more, said first, then dropped."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from descartes_core.model import Shape
from descartes_core.projections import standard
from descartes_core.runs.queries import RunView
from descartes_core.store import Reader, retention
from descartes_core.store.problems import BUSY_SECONDS
from descartes_core.store.query import LAST
from descartes_core.store.retention import Candidate, Collectable, Keep
from descartes_core.store.times import iso
from descartes_core.timetravel.snapshots import Snapshots, kept_of
from descartes_core.timetravel.snapshots import collect as collect_snapshots
from descartes_server.operations import collecting
from descartes_server.operations.collecting import OldFile, Part
from descartes_server.operations.context import Context
from descartes_server.operations.journal import origin
from descartes_server.operations.lisp_settings import fasls
from descartes_server.operations.registry import NoParams, operation

MIB = 1024 * 1024
EVERY = 1_000_000
COMPACTED_BYTES = 256 * MIB
"""What is used of a log that is still copied: seconds on a slow disk, and far below `BUSY_SECONDS`."""
COMPACTING_S = BUSY_SECONDS / 6
STEPS = 10_000
"""Instructions of SQLite between two looks at the clock."""
_ASKED = (
    "SELECT seq, json_extract(data, '$.asked') AS asked FROM event"
    " WHERE name IN ('lisp.evaluated', 'lisp.compiled', 'lisp.loaded', 'lisp.tested') AND data IS NOT NULL"
)


class Garbage(Shape, frozen=True, kw_only=True):
    """What goes, or went when APPLIED: the data of old events, and files that are old or not needed.

    SNAPSHOTS of the work tree, of old runs, go too; git frees their BYTES when it collects its own garbage.
    """

    applied: bool
    keep_days: float
    events: Collectable
    files: list[Part]
    snapshots: int
    bytes: int


@operation("gc.plan", kind="read")
async def plan(context: Context, params: NoParams) -> Garbage:
    """Say what would go, by the settings history.keepDays and history.keepMegabytes."""
    keep = _keep(context)
    chosen = await _chosen(context, keep)
    files = await _files(context, keep, {each.seq for each in chosen})
    files += await _compiled(context, keep)
    snapshots = await asyncio.to_thread(kept_of, _snapshots(context), await _ended(context, keep))
    return _garbage(retention.told(chosen), files, snapshots, keep, applied=False)


@operation("gc.collect", kind="effect", people_only=True)
async def collect(context: Context, params: NoParams) -> Garbage:
    """Drop the data of old events and files that are not needed; no event is lost, and verifying goes on."""
    keep, store = _keep(context), context.services.store
    began, by = await _journal_from(context), context.caller.principal
    gone = await store.transact(lambda tx: retention.collect(tx, standard(), began, keep, by))
    # What is gone from the log needs no text beside it.
    files = await _files(context, keep, set())
    state = context.services.workspace.state
    await asyncio.to_thread(collecting.remove, state, files)
    compiled = await _compiled(context, keep)
    await asyncio.to_thread(collecting.remove, fasls(), compiled)
    snapshots = await asyncio.to_thread(collect_snapshots, _snapshots(context), await _ended(context, keep))
    if gone.events:
        await asyncio.to_thread(_compact, context.services.workspace.database)
    return _garbage(gone, files + compiled, snapshots, keep, applied=True)


def _keep(context: Context) -> Keep:
    settings = context.settings().history
    return Keep(days=settings.keep_days, bytes=settings.keep_megabytes * MIB or None)


async def _chosen(context: Context, keep: Keep) -> list[Candidate]:
    rows = await context.services.reader.rows(retention.statement(standard(), await _journal_from(context)))
    found = [(row["seq"], row["size"], row["ts_ms"]) for row in rows]
    return retention.choose(found, keep, context.services.clock.now_ms())


async def _journal_from(context: Context) -> int:
    began = await origin(context.services.reader)
    return began.seq if began else LAST


async def _files(context: Context, keep: Keep, going: set[int]) -> list[OldFile]:
    reader, now_ms = context.services.reader, context.services.clock.now_ms()
    busy = [run.id for run in await RunView(reader).list("active", limit=EVERY)]
    return await asyncio.to_thread(
        collecting.old_files,
        context.services.workspace.state,
        (now_ms - keep.days * retention.DAY_MS) / 1000,
        busy=busy,
        needed=await _needed(reader, going),
        now_s=now_ms / 1000,
    )


async def _compiled(context: Context, keep: Keep) -> list[OldFile]:
    now_s = context.services.clock.now_ms() / 1000
    before_s = now_s - keep.days * retention.DAY_MS / 1000
    root, folder = context.services.workspace.root, fasls()
    noted = await asyncio.to_thread(collecting.notes_reads, folder)
    return await asyncio.to_thread(
        collecting.old_compiled, folder, before_s, own=root, now_s=now_s, reads_noted=noted
    )


def _snapshots(context: Context) -> Snapshots:
    return Snapshots(context.services.workspace.root, context.services.workspace.state)


async def _ended(context: Context, keep: Keep) -> list[str]:
    """Return the runs that ended so long ago that nobody goes back into them."""
    before = iso(context.services.clock.now_ms() - round(keep.days * retention.DAY_MS))
    rows = await context.services.reader.rows("SELECT id FROM run WHERE ended_at < ?", (before,))
    return [row["id"] for row in rows]


async def _needed(reader: Reader, going: set[int]) -> set[str]:
    rows = await reader.rows(_ASKED)
    return collecting.digests_in(row["asked"] for row in rows if row["seq"] not in going)


def _garbage(
    events: Collectable, files: list[OldFile], snapshots: list[str], keep: Keep, *, applied: bool
) -> Garbage:
    parts = collecting.parts(files)
    total = events.bytes + sum(part.bytes for part in parts)
    return Garbage(
        applied=applied,
        keep_days=keep.days,
        events=events,
        files=parts,
        snapshots=len(snapshots),
        bytes=total,
    )


def _compact(database: Path, *, most_bytes: int = COMPACTED_BYTES, seconds: float = COMPACTING_S) -> None:
    """Give the disk back what the log does not need any more, unless that could keep others waiting.

    While this writes, nobody else can, and after `BUSY_SECONDS` they would give up: so a log of more than
    MOST_BYTES is left as it is, and copying that takes more than SECONDS is given up. What is free then is
    used again by what is written next.
    """
    with closing(sqlite3.connect(database, timeout=5, isolation_level=None)) as connection:
        if _used(connection) > most_bytes:
            return
        deadline = time.monotonic() + seconds
        connection.set_progress_handler(lambda: time.monotonic() > deadline, STEPS)
        with suppress(sqlite3.OperationalError):
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _used(connection: sqlite3.Connection) -> int:
    """Return how many bytes of the file are in use: what a copy has to write."""
    size, count, free = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_size", "page_count", "freelist_count")
    )
    return int(size * (count - free))

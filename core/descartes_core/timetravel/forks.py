"""Forks: a session that goes on from a moment of another one, which stays as it is.

A fork is one event. What was said before it is not copied: a run that goes on from it folds the events of
the run it came from up to that moment, and then its own (`descartes_core.agents.past`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from descartes_core.agents.past import Fork
from descartes_core.errors import InvalidParams, NotFound
from descartes_core.model import Event, NewEvent, Principal, Shape
from descartes_core.store import EventQuery, Reader, Store
from descartes_core.trace import forks as sessions

_FORKS = (
    "SELECT id, forked, parent, fork_run AS run, fork_seq FROM session WHERE forked IS NOT NULL ORDER BY seq"
)


class Branch(Shape, frozen=True, kw_only=True):
    """A session in the tree of those that came of one. PARENT, RUN and SEQ say where it was forked off."""

    session: str
    at: str
    parent: str | None = None
    run: str | None = None
    seq: int | None = None
    event: str | None = None
    by: Principal | None = None
    reason: str | None = None
    runs: list[str] = []
    """The runs of this session, oldest first."""
    depth: int = 0
    """How many forks lie between it and the first session."""


async def record_fork(store: Store, run: str, seq: int, *, by: Principal, reason: str | None = None) -> str:
    """Return the id of a new session that goes on from RUN, a whole id, behind event SEQ.

    Errors: those of `fork_event`.
    """
    forked = await fork_event(store.reader, run, seq, by=by, reason=reason)
    await store.append(forked, expected={forked.stream: 0})
    return str(forked.session)


async def fork_event(
    reader: Reader, run: str, seq: int, *, by: Principal, reason: str | None = None
) -> NewEvent:
    """Return the event of a new session that goes on from RUN, a whole id, behind event SEQ.

    Errors: `InvalidParams` when RUN has no conversation or had not begun at SEQ.
    """
    spawned = await run_begun(reader, run)
    if spawned.data.get("backend") != "model":
        raise InvalidParams(
            f"Expected a run with a conversation, {run} is of the backend {spawned.data.get('backend')!r};"
            " fork one of the backend 'model'"
        )
    if seq < spawned.seq:
        raise InvalidParams(
            f"Expected a moment of {run}, which began with event {spawned.seq}, got {seq}; give a later one"
        )
    last = await reader.events(EventQuery(run=run, until=await _id_at(reader, seq), limit=1))
    return sessions.forking(
        spawned.session or "", seq, by=by, event=last.events[0].id, run=run, reason=reason or None
    )


async def fork_into(reader: Reader, session: str) -> Fork:
    """Return where SESSION (an id or its beginning) was forked off. Errors: `NotFound`, `InvalidParams`."""
    id_ = await reader.resolve("ses", session)
    rows = await reader.rows(
        "SELECT id, fork_run AS run, fork_seq FROM session WHERE id = ? AND fork_run IS NOT NULL", (id_,)
    )
    if not rows:
        raise NotFound(
            f"Expected a session that was forked off another, {id_} was not; make one with session.fork"
        )
    return Fork(session=rows[0]["id"], run=rows[0]["run"], seq=rows[0]["fork_seq"])


async def run_of(reader: Reader, session: str) -> str:
    """Return the newest run of SESSION, a whole id. Errors: `NotFound` when no run belongs to it."""
    page = await reader.events(EventQuery(session=session, type="run.spawned", limit=1))
    if not page.events:
        raise NotFound(f"No run belongs to the session {session}; give the id of a run")
    return str(page.events[0].run)


async def branches(reader: Reader, session: str) -> list[Branch]:
    """Return all sessions that came of the one that SESSION, a whole id, came of, each before its forks."""
    rows = {row["id"]: row for row in await reader.rows(_FORKS)}
    root = session
    while root in rows:
        root = rows[root]["parent"]
    found = [await _branch(reader, root, None, 0)]
    pending = [(root, 0)]
    ordered: list[Branch] = []
    known = {root: found[0]}
    while pending:
        id_, depth = pending.pop()
        ordered.append(known[id_])
        below = [row for row in rows.values() if row["parent"] == id_]
        for row in reversed(below):
            known[row["id"]] = await _branch(reader, row["id"], row, depth + 1)
            pending.append((row["id"], depth + 1))
    return ordered


async def _branch(reader: Reader, session: str, row: Mapping[str, Any] | None, depth: int) -> Branch:
    spawned = await reader.events(EventQuery(session=session, type="run.spawned", order="asc", limit=1000))
    runs = [str(event.run) for event in spawned.events]
    if row is None:
        first = await reader.events(EventQuery(session=session, order="asc", limit=1))
        return Branch(session=session, at=first.events[0].at if first.events else "", runs=runs, depth=depth)
    event = await reader.event(row["forked"])
    return Branch(
        session=session, at=event.at, parent=row["parent"], run=row["run"], seq=row["fork_seq"],
        event=event.data["event"], by=event.actor, reason=event.data.get("reason"), runs=runs, depth=depth,
    )  # fmt: skip


async def run_begun(reader: Reader, run: str) -> Event:
    """Return the event with which RUN, a whole id, began. Errors: `NotFound`."""
    page = await reader.events(EventQuery(run=run, type="run.spawned", limit=1))
    if not page.events:
        raise NotFound(f"No run has the id {run!r}; look at the list")
    return page.events[0]


async def _id_at(reader: Reader, seq: int) -> str:
    rows = await reader.rows("SELECT id FROM event WHERE seq = ?", (seq,))
    if not rows:
        raise InvalidParams(f"Expected the number of an event, got {seq}; look at the history")
    return str(rows[0]["id"])

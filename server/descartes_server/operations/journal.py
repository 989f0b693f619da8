"""`lisp.journal`: every evaluation, compilation and load of the log, whoever asked for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Literal

from descartes_core.errors import InvalidParams
from descartes_core.model import Event, Shape
from descartes_core.store import EventQuery, Reader
from descartes_server.operations import lisp_shapes as shapes
from descartes_server.operations.context import Context
from descartes_server.operations.registry import Params, operation

Kind = Literal["eval", "compile", "load"]
Outcome = Literal["done", "failed", "aborted", "lost", "stopped", "running"]
KINDS: dict[str, Kind] = {"lisp.evaluated": "eval", "lisp.compiled": "compile", "lisp.loaded": "load"}
LIMIT = 10_000
_PAGE = 500


class JournalParams(Params, frozen=True, kw_only=True):
    """SINCE: an entry's number, an ISO time or an event's id; from there on LIMIT entries."""

    since: str | int | None = None
    limit: int = 1000


class By(Shape, frozen=True, kw_only=True):
    """Who asked, and for which run."""

    kind: str
    name: str
    run: str | None = None


class Entry(Shape, frozen=True, kw_only=True):
    """One evaluation, compilation or load; a file that was compiled or loaded whole has no CODE."""

    seq: int
    kind: Kind
    code: str | None = None
    uri: str | None = None
    range: shapes.Range | None = None
    package: str | None = None
    by: By
    at: str
    outcome: Outcome
    condition: shapes.Condition | None = None
    duration_ms: int = 0


class Journal(Shape, frozen=True, kw_only=True):
    """Entries, the oldest first; NEXT is the `since` of the page that follows, absent on the last."""

    entries: list[Entry]
    next: int | None = None


@operation("lisp.journal", kind="read", for_agents=True)
async def journal(context: Context, params: JournalParams) -> Journal:
    """List what was evaluated, compiled and loaded, the oldest first."""
    if not 1 <= params.limit <= LIMIT:
        raise InvalidParams(f"expected a limit from 1 to {LIMIT:,}, got {params.limit}")
    reader = context.services.reader
    found: list[Entry] = []
    async for event in work_events(reader, params.since):
        if len(found) == params.limit:
            return Journal(entries=found, next=event.seq)
        found.append(entry(event))
    return Journal(entries=found)


async def work_events(reader: Reader, since: str | int | None = None) -> AsyncIterator[Event]:
    """Yield the events of evaluations, compilations and loads from SINCE on, in the order of the log."""
    numbered = since if isinstance(since, int) else int(since) if since and since.isdigit() else None
    cursor: int | str | None = numbered - 1 if numbered is not None else None
    time = since if isinstance(since, str) and numbered is None else None
    while True:
        query = EventQuery(type="lisp", since=time, order="asc", limit=_PAGE, before=cursor)
        page = await reader.events(query)
        for event in page.events:
            if event.name in KINDS:
                yield event
        if page.next is None:
            return
        cursor = page.next


def entry(event: Event) -> Entry:
    """Return EVENT, an evaluation's, compilation's or load's, as the journal lists it."""
    data: dict[str, Any] = event.data
    asked = data.get("asked") or {}
    place = asked.get("range")
    condition = data.get("condition")
    return Entry(
        seq=event.seq,
        kind=KINDS[event.name],
        code=data.get("code") or None,
        uri=data.get("uri"),
        range=_range(place) if place else None,
        package=asked.get("package") or data.get("package"),
        by=By(kind=event.actor.kind, name=event.actor.name, run=event.run),
        at=event.at,
        outcome=_outcome(data),
        condition=shapes.Condition(**condition) if condition and _outcome(data) != "done" else None,
        duration_ms=data.get("durationMs") or 0,
    )


def _outcome(data: dict[str, Any]) -> Outcome:
    state: Outcome = data.get("state", "done")
    return "failed" if state == "done" and data.get("success") is False else state


def _range(place: dict[str, Any]) -> shapes.Range:
    return shapes.Range(start=shapes.Position(**place["start"]), end=shapes.Position(**place["end"]))


@dataclass(frozen=True)
class Origin:
    """Where the journal of an image begins: after event SEQ; PIDS are the processes it has been.

    GAPS are the stretches, from one event to another, whose work was taken back by a restore.
    """

    seq: int
    pids: frozenset[int] = field(default_factory=frozenset)
    gaps: tuple[tuple[int, int], ...] = ()

    def has(self, seq: int) -> bool:
        """Return whether the work of event SEQ, which comes after the beginning, is in the image."""
        return not any(last < seq < back for last, back in self.gaps)


async def origin(reader: Reader, until: int | None = None) -> Origin | None:
    """Return where the image began that there was at event UNTIL (now), through replays of it."""
    marks = [event for event in await _beginnings(reader) if until is None or event.seq <= until]
    if not marks:
        return None
    pids, gaps, first = set[int | None](), list[tuple[int, int]](), marks[0]
    pid, limit = first.data.get("pid"), first.seq
    for event in marks:
        if event.seq > limit:
            continue
        if pid is None:
            pid = event.data.get("pid")
        if event.data.get("pid") != pid:
            break
        first = event
        pids.add(pid)
        if event.name == "lisp.replayed" and (last := event.data.get("until")) is not None:
            # It went on from what there was at that event, whichever image had it then.
            gaps.append((last, event.seq))
            limit, pid = last, None
        elif event.name == "lisp.replayed":
            pid = event.data.get("before")
    return Origin(first.seq, frozenset(each for each in pids if each is not None), tuple(gaps))


async def _beginnings(reader: Reader) -> list[Event]:
    """Return the starts and replays of images, the newest first."""
    starts = (await reader.events(EventQuery(type="lisp.started", limit=1000))).events
    replays = (await reader.events(EventQuery(type="lisp.replayed", limit=1000))).events
    return sorted([*starts, *replays], key=lambda event: -event.seq)

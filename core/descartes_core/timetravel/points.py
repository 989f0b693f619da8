"""Which snapshot is the one of a moment, and what people did between the snapshots since."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from descartes_core.errors import InvalidParams, NotFound
from descartes_core.model import Event
from descartes_core.store import EventQuery, Reader

EVERY = 1_000_000
_TIME = re.compile(r"\d{4}-\d\d-\d\d")
BESIDE = ("body.", "restore.")
"""How the names of events begin that are about keeping files, not about what a run did."""


@dataclass(frozen=True)
class Point:
    """A moment of a run: its EVENT, and the SNAPSHOT of the files that is nearest to what they were then."""

    event: Event
    snapshot: Event


async def point(reader: Reader, run: str, to: str) -> Point:
    """Return the moment TO, an event's id or an ISO time, of RUN.

    At the run's first event the files are as they were before it did anything.
    Errors: `NotFound` when there is no such event, or no snapshot; `InvalidParams` for a time before the run.
    """
    event = await event_at(reader, run, to)
    own = await snapshots_of(reader, run=run)
    if not own:
        raise NotFound(f"The files were not kept for run {run[4:12]}; there is nothing to restore them from")
    before = [each for each in own if each.seq <= event.seq]
    if not before:
        return Point(event, own[0])
    after = [each for each in own if each.seq > event.seq]
    if after and await _wrote(reader, run, before[-1], event):
        return Point(event, after[0])
    return Point(event, before[-1])


async def event_at(reader: Reader, run: str, to: str) -> Event:
    """Return the event TO, or the last one of RUN at the time TO."""
    if not _TIME.match(to):
        event = await reader.event(to)
        if event.run != run:
            raise InvalidParams(
                f"Expected an event of run {run[4:12]}, {event.name} {event.id[4:12]} is none"
            )
        return event
    found = (await reader.events(EventQuery(run=run, until=to, limit=1))).events
    if not found:
        raise InvalidParams(f"Run {run[4:12]} began after {to}; give a later time, or an event of it")
    return found[0]


async def snapshots_of(reader: Reader, *, run: str | None = None, since: str | None = None) -> list[Event]:
    """Return the events of snapshots, of RUN and from the event SINCE on where given, oldest first."""
    query = EventQuery(run=run, type="body.snapshot", since=since, order="asc", limit=EVERY)
    return [event for event in (await reader.events(query)).events if event.name == "body.snapshot"]


async def _wrote(reader: Reader, run: str, since: Event, until: Event) -> bool:
    """Return whether RUN wrote a file behind SINCE, up to and with UNTIL."""
    query = EventQuery(run=run, type="file.written", since=since.id, until=until.id, limit=1)
    return bool((await reader.events(query)).events)


def by_people(snapshots: Sequence[Event], now: str) -> list[tuple[str, str]]:
    """Return the pairs of commits between which nobody's run was at work, up to the commit NOW.

    SNAPSHOTS are events, oldest first. What differs between such a pair was changed by a person, or by a
    program of theirs.
    """
    found: list[tuple[str, str]] = []
    at_work: set[tuple[str | None, str]] = set()
    last: str | None = None
    for event in snapshots:
        commit, when = event.data["commit"], event.data["when"]
        # What a restore put back, no person did.
        if last is not None and commit != last and not at_work and when != "restored":
            found.append((last, commit))
        _follow(at_work, event, when)
        last = commit
    if last is not None and last != now and not at_work:
        found.append((last, now))
    return found


def _follow(at_work: set[tuple[str | None, str]], event: Event, when: str) -> None:
    call = event.data.get("callId")
    if when in ("before", "end", "start"):
        # A run does one step after the other: one that has no end was cut short.
        at_work -= {each for each in at_work if each[0] == event.run}
    if call is None:
        return
    if when in ("before", "start"):
        at_work.add((event.run, call))
    else:
        at_work.discard((event.run, call))

"""Who changed each line of a file last, in which event, and for what reason: from the log, else from git."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from descartes_core.errors import DescartesError
from descartes_core.model import Event, Principal, Shape
from descartes_core.store import EventQuery, Reader
from descartes_core.store.times import iso
from descartes_core.timetravel.git import Git
from descartes_core.timetravel.lines import Histories, carry, split
from descartes_core.timetravel.versions import Cause, rows_of, versions

MOST_LINES = 50_000


class LineChange(Shape, frozen=True, kw_only=True):
    """What changed a line: an event of the log, a commit of git, or with neither somebody outside.

    REASON is what the agent said when it did it, or the commit's first line.
    """

    at: str | None = None
    event: str | None = None
    seq: int | None = None
    by: Principal | None = None
    author: str | None = None
    run: str | None = None
    task: str | None = None
    reason: str | None = None
    commit: str | None = None


@dataclass(frozen=True)
class Place:
    """A file: PATH as events name it, in the workspace at ROOT with its STATE; TRUSTED: git may be asked."""

    root: Path
    state: Path
    path: str
    trusted: bool


@dataclass(frozen=True)
class FromBefore:
    """A line that is as it was when the log first saw the file: NUMBER, from 0, of that text."""

    number: int


Origin = Cause | FromBefore


class Blame:
    """The lines of one text with what changed them; made by `blame`."""

    def __init__(self, histories: Histories[Origin], changes: Mapping[Origin, LineChange]) -> None:
        self._histories = histories
        self._changes = changes

    def last(self, line: int) -> LineChange | None:
        """Return what changed LINE, from 0, last; None when nobody knows."""
        return next(iter(self.all(line)), None)

    def all(self, line: int) -> list[LineChange]:
        """Return everything that is known to have changed LINE, from 0, the newest first."""
        found = self._histories[line] if 0 <= line < len(self._histories) else ()
        return [self._changes[each] for each in found if each in self._changes]

    def newest(self, first: int, last: int) -> LineChange | None:
        """Return the newest change by an event of the lines FIRST to LAST, both included."""
        changes = [change for line in range(first, last + 1) if (change := self.last(line)) is not None]
        logged = [change for change in changes if change.seq is not None]
        return max(logged, key=lambda change: change.seq or 0, default=None)


async def blame(reader: Reader, place: Place, text: str) -> Blame:
    """Return who changed each line of TEXT, what the file of PLACE is now in an editor or on disk.

    Concurrency: git and the comparing of texts run in a thread.
    """
    rows = await rows_of(reader, place.path)
    histories, base = await asyncio.to_thread(_histories, rows, place, text)
    changes = await _logged(reader, histories)
    if place.trusted and any(isinstance(each[-1], FromBefore) for each in histories if each):
        changes |= await asyncio.to_thread(_from_git, place, base)
    return Blame(histories, changes)


def _histories(
    rows: Sequence[Mapping[str, object]], place: Place, text: str
) -> tuple[Histories[Origin], str]:
    """Return the histories of the lines of TEXT, and the oldest text that the log knows."""
    known = versions(rows, place.root, place.state, place.path)
    base = known[0].text if known else text
    lines = split(base)
    histories: Histories[Origin] = [(FromBefore(number),) for number in range(len(lines))]
    if max(len(lines), text.count("\n")) > MOST_LINES:
        return [], base
    made = [(each.text, each.cause) for each in known[1:] if each.cause is not None]
    for after, cause in (*made, (text, Cause(None))):
        following = split(after)
        histories = carry(lines, histories, following, cause)
        lines = following
    return histories, base


async def _logged(reader: Reader, histories: Histories[Origin]) -> dict[Origin, LineChange]:
    causes = {origin for each in histories for origin in each if isinstance(origin, Cause)}
    return {cause: await _change(reader, cause) for cause in causes}


async def _change(reader: Reader, cause: Cause) -> LineChange:
    if cause.event is None:
        seen = await reader.event(cause.before) if cause.before else None
        return LineChange(at=seen.at if seen else None)
    event = await _event(reader, cause.event)
    if event is None:
        return LineChange()
    task = await _task(reader, event.run)
    return LineChange(
        at=event.at,
        event=event.id,
        seq=event.seq,
        by=event.actor,
        run=event.run,
        task=task,
        reason=await _reason(reader, event) or task,
    )


async def _event(reader: Reader, named: str) -> Event | None:
    """Return the event NAMED by its id, or by RUN/CALL as the start of that call."""
    run, _, call = named.partition("/")
    if not call:
        return await reader.event(named)
    rows = await reader.rows(
        "SELECT id FROM event WHERE run_id = ? AND category = 'tool_use' AND name = 'tool.started'"
        " AND data ->> '$.callId' = ? ORDER BY seq DESC LIMIT 1",
        (run, call),
    )
    return await reader.event(rows[0]["id"]) if rows else None


async def _task(reader: Reader, run: str | None) -> str | None:
    if run is None:
        return None
    page = await reader.events(EventQuery(run=run, type="run.spawned", limit=1))
    return page.events[0].data.get("task") if page.events else None


async def _reason(reader: Reader, event: Event) -> str | None:
    """Return what was said when EVENT was decided: the nearest message among its causes."""
    for _ in range(4):
        if event.parent is None:
            return None
        rows = await reader.rows("SELECT id FROM event WHERE id = ?", (event.parent,))
        if not rows:
            return None
        event = await reader.event(rows[0]["id"])
        if event.name == "message" and event.data.get("content"):
            return str(event.data["content"])
    return None


def _from_git(place: Place, base: str) -> dict[Origin, LineChange]:
    """Return what git says of each line of BASE that is committed."""
    if Path(place.path).is_absolute():
        return {}
    words = ("blame", "--porcelain", "--contents", "-", "--", place.path)
    try:
        told = Git(place.root).run(*words, given=base.encode("utf-8", "surrogateescape"))
    except DescartesError:
        return {}
    return dict(_porcelain(told.decode("utf-8", "replace")))


_HEADER = re.compile(r"([0-9a-f]{40,64}) \d+ (\d+)(?: \d+)?$")


def _porcelain(told: str) -> Iterator[tuple[Origin, LineChange]]:
    commits: dict[str, dict[str, str]] = {}
    commit, number = "", 0
    for line in told.split("\n"):
        if line.startswith("\t"):
            about = commits[commit]
            if set(commit) != {"0"}:
                yield (
                    FromBefore(number - 1),
                    LineChange(
                        at=iso(int(about.get("author-time", "0")) * 1000),
                        author=about.get("author"),
                        reason=about.get("summary"),
                        commit=commit,
                    ),
                )
        elif (header := _HEADER.match(line)) is not None:
            commit, number = header[1], int(header[2])
            commits.setdefault(commit, {})
        elif commit:
            key, _, value = line.partition(" ")
            commits[commit][key] = value

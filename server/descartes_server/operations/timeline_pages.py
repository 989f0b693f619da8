"""Pages of a history for a person: the events around a moment, however long the history is.

The sequence numbers of a page come out of an index of the log; only what is shown is read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from descartes_core.errors import InvalidParams
from descartes_core.model import Event
from descartes_core.runs import RunView
from descartes_core.store import Reader, rows
from descartes_core.store.times import milliseconds
from descartes_server.ide.timeline_document import Page
from descartes_server.ide.timeline_entries import HIDDEN, Entry, Level, duration, entries, one_line
from descartes_server.operations.context import Context

AROUND: Mapping[Level, int] = {"events": 60, "steps": 120, "turns": 400}
"""How many events before and behind the moment a page is made of."""
MOST_MARKS = 2000
_MARKED = {
    "tool.failed": "error",
    "error": "error",
    "intervention.opened": "question",
    "file.written": "written",
    "body.snapshot": "snapshot",
}


@dataclass(frozen=True)
class Walk:
    """Events in the order of their numbers: COLUMN of those rows of TABLE that fulfil CONDITION."""

    table: str
    column: str
    condition: str
    parameters: tuple[Any, ...]
    name: str = ""
    """The name that all these events have, if they have one."""

    def some(self, comparison: str, order: str) -> str:
        """Return SQL for the first numbers that fulfil COMPARISON in ORDER; takes a number and a limit."""
        return (
            f"SELECT * FROM (SELECT {self.column} AS seq FROM {self.table} WHERE {self.condition}"
            f" AND {self.column} {comparison} ? ORDER BY {self.column} {order} LIMIT ?)"
        )

    def all(self, what: str) -> str:
        """Return SQL for WHAT of all its numbers, such as `min`."""
        return f"SELECT {what}({self.column}) AS n FROM {self.table} WHERE {self.condition}"


@dataclass(frozen=True)
class Source:
    """Where the events of a history come from: WALKS over those a person is shown, COUNTED over all."""

    walks: Sequence[Walk]
    counted: Walk
    title: str
    about: Mapping[str, Any]


async def of_run(reader: Reader, run: str, title: str, level: Level) -> Source:
    """Return the events of RUN, a whole id, and of the sessions that were forked off it."""
    # One walk for each kind of event: the index of the run's events is in order of their numbers in each.
    kinds = await reader.rows(
        "SELECT category, name FROM event_kind k WHERE EXISTS (SELECT 1 FROM event e"
        " WHERE e.run_id = ? AND e.category = k.category AND e.name = k.name)",
        (run,),
    )
    walks = [
        Walk(
            "event",
            "seq",
            "run_id = ? AND category = ? AND name = ?",
            (run, kind["category"], kind["name"]),
            kind["name"],
        )
        for kind in kinds
        if level == "events" or kind["name"] not in HIDDEN
    ]
    forks = Walk("session", "seq", "forked IS NOT NULL AND fork_run = ?", (run,))
    return Source([*walks, forks], Walk("event", "seq", "run_id = ?", (run,)), title, {"run": run})


def of_file(path: str, uri: str, level: Level) -> Source:
    """Return the events about the file PATH, as events name it."""
    hidden = () if level == "events" else HIDDEN
    names = ", ".join("?" * len(hidden))
    condition = f"path = ? AND (SELECT name FROM event e WHERE e.seq = event_path.seq) NOT IN ({names})"
    shown = Walk("event_path", "seq", condition, (path, *hidden))
    counted = Walk("event_path", "seq", "path = ?", (path,))
    return Source([shown], counted, f"History of {path}", {"uri": uri})


async def page_of_run(context: Context, run: str, at: int, level: Level) -> Page:
    """Return the page of RUN, a whole id, around the event AT."""
    reader = context.services.reader
    shown = await RunView(reader, context.services.clock).show(run)
    source = await of_run(reader, run, one_line(shown.task, 90), level)
    page, count = await _page(reader, source, at, level)
    took = milliseconds(shown.ended_at) - milliseconds(shown.started_at) if shown.ended_at else None
    facts = [
        shown.agent,
        f"run `{shown.id[4:12]}`",
        shown.status + (f" ({shown.phase})" if shown.phase else ""),
        f"{count:,} events",
        shown.started_at[:19].replace("T", " ") + (f", {duration(took)}" if took is not None else ""),
    ]
    fork = await reader.rows("SELECT fork_run, fork_seq FROM session WHERE id = ?", (shown.session,))
    if fork and fork[0]["fork_run"]:
        facts.append(f"goes on from event {fork[0]['fork_seq']} of run `{fork[0]['fork_run'][4:12]}`")
    return _with_facts(page, facts)


async def page_of_file(context: Context, uri: str, path: str, at: int, level: Level) -> Page:
    """Return the page of the file PATH, as events name it, around the event AT."""
    source = of_file(path, uri, level)
    page, count = await _page(context.services.reader, source, at, level)
    return _with_facts(page, [f"{count:,} events about this file"])


async def events_by_seq(reader: Reader, numbers: Sequence[int]) -> list[Event]:
    """Return the events NUMBERS, in their order."""
    marks = ", ".join("?" * len(numbers))
    found = await reader.rows(
        f"SELECT {rows.PUBLISHED} FROM event WHERE seq IN ({marks}) ORDER BY seq", numbers
    )
    return [rows.published(tuple(row.values())) for row in found]


def _with_facts(page: Page, facts: Sequence[str]) -> Page:
    return dataclasses.replace(page, facts=" · ".join(facts))


async def _page(reader: Reader, source: Source, at: int, level: Level) -> tuple[Page, int]:
    before = await _some(reader, source, "<=", "DESC", at, AROUND[level])
    numbers = sorted([*before, *await _some(reader, source, ">", "ASC", at, AROUND[level])])
    found: list[Entry] = entries(await events_by_seq(reader, numbers), level)
    first, last = [await _extreme(reader, source, what) for what in ("min", "max")]
    page = Page(
        title=source.title,
        facts="",
        about=source.about,
        entries=found,
        at=min(max(at, first), last),
        level=level,
        first=first,
        last=last,
        before=await _count(reader, source, "<", numbers[0]) if numbers else 0,
        after=await _count(reader, source, ">", numbers[-1]) if numbers else 0,
        marks=await _marks(reader, source),
    )
    counted = await reader.rows(source.counted.all("count"), source.counted.parameters)
    return page, counted[0]["n"] if counted else 0


async def _some(
    reader: Reader, source: Source, comparison: str, order: str, at: int, count: int
) -> list[int]:
    """Return the first COUNT numbers in ORDER that fulfil COMPARISON with AT."""
    merged = " UNION ALL ".join(walk.some(comparison, order) for walk in source.walks)
    parameters = [value for walk in source.walks for value in (*walk.parameters, at, count)]
    found = await reader.rows(f"{merged} ORDER BY seq {order} LIMIT ?", (*parameters, count))
    return [row["seq"] for row in found]


async def _count(reader: Reader, source: Source, comparison: str, number: int) -> int:
    each = [f"{walk.all('count')} AND {walk.column} {comparison} ?" for walk in source.walks]
    parameters = [value for walk in source.walks for value in (*walk.parameters, number)]
    found = await reader.rows(f"SELECT sum(n) AS n FROM ({' UNION ALL '.join(each)})", parameters)
    return found[0]["n"] if found else 0


async def _extreme(reader: Reader, source: Source, what: str) -> int:
    """Return the first (WHAT is `min`) or last (`max`) number of all."""
    each = " UNION ALL ".join(walk.all(what) for walk in source.walks)
    parameters = [value for walk in source.walks for value in walk.parameters]
    found = await reader.rows(f"SELECT {what}(n) AS n FROM ({each})", parameters)
    return found[0]["n"] or 0 if found else 0


async def _marks(reader: Reader, source: Source) -> dict[int, str]:
    """Return what is worth seeing anywhere in the history, by sequence number."""
    marks: dict[int, str] = {}
    for walk in source.walks:
        kind = _MARKED.get(walk.name)
        if kind is not None:
            sql, parameters = walk.some(">", "ASC"), (*walk.parameters, 0, MOST_MARKS)
            if kind == "snapshot":  # most of them found the files as the one before did
                sql = f"SELECT seq FROM event WHERE seq IN ({sql}) AND data ->> '$.fresh'"
            marks |= {row["seq"]: kind for row in await reader.rows(sql, parameters)}
    if "run" in source.about:
        forks = await reader.rows(
            "SELECT fork_seq AS seq FROM session WHERE fork_run = ?", (source.about["run"],)
        )
        marks |= {row["seq"]: "fork" for row in forks}
    if "uri" in source.about:
        sql = (
            "SELECT seq FROM event_path WHERE path = ?"
            " AND (SELECT name FROM event e WHERE e.seq = event_path.seq) = 'file.written' LIMIT ?"
        )
        path = source.counted.parameters[0]
        marks |= {row["seq"]: "written" for row in await reader.rows(sql, (path, MOST_MARKS))}
    return marks


def level_of(text: str) -> Level:
    """Return TEXT as a level. Errors: `InvalidParams`."""
    for level in AROUND:
        if level == text:
            return level
    raise InvalidParams(f"The level of detail is {', '.join(AROUND)}, not {text!r}")

"""What was done in the image since a restore put it there: its undo or redo would take that away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import msgspec

from descartes_core.model import Event
from descartes_core.store import EventQuery, Reader
from descartes_core.timetravel.parts import Since, Turn
from descartes_server.ide.timeline_entries import one_line
from descartes_server.operations.evaluations import Record
from descartes_server.operations.journal import Entry, entry, origin
from descartes_server.operations.replay import work_of

NOUNS = {"eval": "evaluation", "compile": "compilation", "load": "load", "test": "test"}
SHOWN = 60


@dataclass(frozen=True)
class Work:
    """The image took its place at event SEQ; ENDED, of the journal, and what is UNDER_WAY came since."""

    seq: int
    ended: Sequence[Event]
    under_way: Sequence[Record] = ()

    def __len__(self) -> int:
        return len(self.ended) + len(self.under_way)


async def work_since(reader: Reader, turn: Turn, under_way: Sequence[Record] = ()) -> Work | None:
    """Return what the image there is has behind the last turn of TURN's restore; None when none moved in.

    What a later restore has taken out of it again does not count.
    """
    last, began = await _replayed_by(reader, turn.done.last.id), await origin(reader)
    if last is None or began is None:
        return None
    found = work_of(reader, began, max(last.seq, began.seq), None)
    return Work(last.seq, [event async for event in found], under_way)


def since(work: Work, turn: Turn) -> Since | None:
    """Return how a person and a program are told of WORK, which TURN would take away; None for none."""
    if not work:
        return None
    kinds = Counter[str](entry(event).kind for event in work.ended)
    kinds.update(record.kind for record in work.under_way)
    told = " and ".join(_counted(count, NOUNS[kind]) for kind, count in kinds.items())
    newest: dict[str, Any]
    if work.under_way:
        record = work.under_way[-1]
        what, who = record.code, record.by.name
        newest = {"kind": record.kind, "code": record.code, "by": {"name": who}, "outcome": "running"}
    else:
        found = entry(work.ended[-1])
        what, who = _what(found), found.by.name
        newest = msgspec.to_builtins(found)
    before = "restore" if turn.kind == "undo" else "undo"
    only = "it is" if len(work) == 1 else "the newest is"
    text = f"the image has had {told} since the {before}, {only} `{one_line(what, SHOWN)}` by {who}"
    return Since(text, {"count": len(work), "newest": newest})


def _what(found: Entry) -> str:
    return found.code or PurePath(found.uri or "?").name


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


async def _replayed_by(reader: Reader, restore: str) -> Event | None:
    """Return the event that an image took its place because of RESTORE; None when none did."""
    query = EventQuery(type="lisp.replayed", limit=1000)
    found = (await reader.events(query)).events
    return next((event for event in found if event.data.get("restore") == restore), None)

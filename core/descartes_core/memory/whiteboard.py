"""The whiteboard of a session: what its runs and people post for each other, and write beside it.

A post is an event; the board is a table folded from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from descartes_core.errors import InvalidParams, NotFound, TooLarge
from descartes_core.memory.notebook import Author
from descartes_core.memory.shapes import Annotation, EntryType, Marker, WhiteboardEntry
from descartes_core.model import Event
from descartes_core.store import Reader, Store
from descartes_core.store.projections import Executes, Projection

LONGEST = 64 * 1024
LISTED = 100


class WhiteboardView:
    """Reads boards through READER, at any door."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def list(
        self, session: str, type: EntryType | None = None, limit: int = LISTED
    ) -> Sequence[WhiteboardEntry]:
        """Return the newest LIMIT entries of the board of SESSION, those of TYPE when given, newest first."""
        if limit < 1:
            raise InvalidParams(f"The limit of a list is 1 or more, not {limit}")
        found = await self._reader.rows(
            "SELECT id, entry FROM whiteboard_entry WHERE session = ? AND (? IS NULL OR type = ?)"
            " ORDER BY seq DESC LIMIT ?",
            (session, type, type, limit),
        )
        return [await self._whole(row) for row in found]

    async def show(self, id_prefix: str) -> WhiteboardEntry:
        """Return the entry whose id begins with ID_PREFIX. Errors: `NotFound`, `InvalidParams`."""
        id_ = await self._reader.resolve("evt", id_prefix)
        for row in await self._reader.rows("SELECT id, entry FROM whiteboard_entry WHERE id = ?", (id_,)):
            return await self._whole(row)
        raise NotFound(f"{id_prefix!r} is no entry of a whiteboard; `descartes whiteboard list` shows them")

    async def session(self, session: str | None, run: str | None) -> str:
        """Return which session is meant by SESSION, by RUN, or by neither: the one of the newest run.

        Errors: `NotFound`, `RunNotFound`; `InvalidParams` for both.
        """
        if session is not None and run is not None:
            raise InvalidParams("Expected a session or a run, got both; give one of them")
        if session is not None:
            return await self._reader.resolve("ses", session)
        condition, given = "", tuple[str, ...]()
        if run is not None:
            condition, given = "WHERE id = ?", (await self._reader.resolve("run", run),)
        column = "json_extract(spawned, '$.session') AS session"
        sql = f"SELECT {column} FROM run {condition} ORDER BY seq DESC LIMIT 1"
        for row in await self._reader.rows(sql, given):
            return str(row["session"])
        raise NotFound("There is no session yet: a whiteboard is that of a session, and a run begins one")

    async def _whole(self, row: Mapping[str, Any]) -> WhiteboardEntry:
        entry = msgspec.json.decode(row["entry"], type=WhiteboardEntry)
        beside = await self._reader.rows(
            "SELECT annotation FROM whiteboard_annotation WHERE entry = ? ORDER BY seq", (row["id"],)
        )
        annotations = [msgspec.json.decode(each["annotation"], type=Annotation) for each in beside]
        return msgspec.structs.replace(entry, annotations=annotations)


class Whiteboard(WhiteboardView):
    """Writes on boards too. Concurrency: belongs to the store's loop."""

    def __init__(self, store: Store) -> None:
        super().__init__(store.reader)
        self._store = store

    async def post(self, session: str, type: EntryType, content: str, by: Author) -> WhiteboardEntry:
        """Put CONTENT of TYPE on the board of SESSION and return the entry.

        Errors: `InvalidParams` for an empty one; `TooLarge`.
        """
        data = {"type": type, "content": _checked(content)}
        event = by.event("communication", "whiteboard.posted", f"whiteboard/{session}", data)
        (posted,) = await self._store.append(msgspec.structs.replace(event, session=session))
        return await self.show(posted.id)

    async def annotate(self, id_prefix: str, text: str, marker: Marker, by: Author) -> WhiteboardEntry:
        """Write TEXT beside the entry ID_PREFIX and return that. Errors: those of `post` and `show`."""
        entry = await self.show(id_prefix)
        data = {"entry": entry.id, "text": _checked(text), "marker": marker}
        event = by.event("communication", "whiteboard.annotated", f"whiteboard/{entry.session}", data)
        await self._store.append(
            msgspec.structs.replace(event, session=entry.session, parent=by.parent or entry.id)
        )
        return await self.show(entry.id)


def _checked(text: str) -> str:
    if not text.strip():
        raise InvalidParams("Expected something to write on the whiteboard, got nothing")
    size = len(text.encode(errors="replace"))
    if size > LONGEST:
        raise TooLarge(
            f"An entry may have {LONGEST:,} bytes, this one has {size:,}; write a file and name it"
        )
    return text


def _apply(tx: Executes, event: Event) -> None:
    data = event.data
    match event.name:
        case "whiteboard.posted":
            entry = WhiteboardEntry(
                id=event.id,
                session=event.session or "",
                type=data["type"],
                content=data["content"],
                by=event.actor,
                at=event.at,
                agent_id=event.agent,
                run=event.run,
            )
            tx.execute(
                "INSERT INTO whiteboard_entry VALUES (?, ?, ?, ?, ?)",
                (event.id, event.seq, entry.session, entry.type, msgspec.json.encode(entry).decode()),
            )
        case "whiteboard.annotated":
            beside = Annotation(
                text=data["text"], marker=data["marker"], by=event.actor, at=event.at, event=event.id
            )
            tx.execute(
                "INSERT INTO whiteboard_annotation VALUES (?, ?, ?)",
                (event.seq, data["entry"], msgspec.json.encode(beside).decode()),
            )


WHITEBOARD = Projection(
    name="whiteboard",
    version=1,
    tables={
        "whiteboard_entry": """
CREATE TABLE whiteboard_entry (
  id TEXT PRIMARY KEY,
  seq INTEGER NOT NULL,
  session TEXT NOT NULL,
  type TEXT NOT NULL,
  entry TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX whiteboard_session ON whiteboard_entry (session, seq);
""",
        "whiteboard_annotation": """
CREATE TABLE whiteboard_annotation (
  seq INTEGER PRIMARY KEY,
  entry TEXT NOT NULL,
  annotation TEXT NOT NULL
);
CREATE INDEX whiteboard_annotated ON whiteboard_annotation (entry, seq);
""",
    },
    prefixes=("whiteboard.",),
    apply=_apply,
)

"""`TemporalMemory`: what happened, kept in order, and asked for by kind, time and field. A view of the log.

photos = TemporalMemory(store, "photos", by, PhotoEvent)
await photos.append("imported", PhotoEvent(path="a.jpg", album="June"))
await photos.query(kind="imported", since="2026-11-01", field={"album": "June"}, limit=10)
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar, cast

import msgspec

from descartes_core.errors import InvalidParams
from descartes_core.memory.notebook import Author
from descartes_core.model import Event
from descartes_core.store import EventQuery, Store

T = TypeVar("T")

RECORDED = "memory.recorded"
PAGE = 500


@dataclass(frozen=True)
class Moment(Generic[T]):
    """Something that happened: the KIND of it, its VALUE, AT which time (ISO 8601 UTC), and its event."""

    kind: str
    value: T
    at: str
    event: str
    seq: int


class TemporalMemory(Generic[T]):
    """The moments named NAME in the log of STORE, with values of TYPE.

    Nothing is changed or taken away. Concurrency: belongs to the store's loop; several memories of one name
    are one memory, also from several processes.
    """

    def __init__(self, store: Store, name: str, by: Author, type: Any = dict[str, Any]) -> None:
        self.name = checked_name(name)
        self._store = store
        self._by = by
        self._type = type

    async def append(self, kind: str, value: T, *, tags: Sequence[str] = ()) -> Moment[T]:
        """Add VALUE as a moment of KIND and return it. Errors: `InvalidParams` for a kind that is no name."""
        data = {"memory": self.name, "kind": checked_name(kind), "value": msgspec.to_builtins(value)}
        marks = [self._tag(), self._tag(kind), *tags]
        event = self._by.event("action", RECORDED, f"memory/{self.name}", data, tags=marks)
        (recorded,) = await self._store.append(event)
        return self._moment(recorded)

    async def query(
        self,
        *,
        kind: str | None = None,
        since: str | None = None,
        until: str | None = None,
        field: Mapping[str, Any] | None = None,
        tags: Sequence[str] = (),
        limit: int = 100,
        order: Literal["asc", "desc"] = "desc",
    ) -> list[Moment[T]]:
        """Return up to LIMIT moments, newest first unless ORDER says otherwise; everything given must hold.

        SINCE and UNTIL are ISO times or event ids, inclusive. FIELD maps fields of the value, `a.b` for a
        field in a field, to what they must be.
        Errors: `InvalidParams`, `NotFound` for a time or id that is none.
        """
        if limit < 1:
            raise InvalidParams(f"The limit of a list is 1 or more, not {limit}")
        query = EventQuery(
            type=RECORDED,
            tags=[self._tag(kind), *tags],
            since=since,
            until=until,
            limit=min(limit, PAGE) if not field else PAGE,
            order=order,
        )
        found: list[Moment[T]] = []
        async for event in self._events(query):
            if all(_at(event.data["value"], path) == wanted for path, wanted in (field or {}).items()):
                found.append(self._moment(event))
                if len(found) == limit:
                    break
        return found

    async def _events(self, query: EventQuery) -> AsyncIterator[Event]:
        while True:
            page = await self._store.reader.events(query)
            for event in page.events:
                yield event
            if page.next is None:
                return
            query = msgspec.structs.replace(query, before=page.next, limit=PAGE)

    def _moment(self, event: Event) -> Moment[T]:
        value = cast(T, msgspec.convert(event.data["value"], self._type))
        return Moment(event.data["kind"], value, event.at, event.id, event.seq)

    def _tag(self, kind: str | None = None) -> str:
        return f"memory:{self.name}" if kind is None else f"memory:{self.name}/{kind}"


def checked_name(name: str) -> str:
    """Return NAME when it can name a memory or a kind. Errors: `InvalidParams`."""
    if not re.fullmatch(r"[\w.-]{1,100}", name):
        raise InvalidParams(f"Expected a name of letters, digits, dots and hyphens, got {name[:120]!r}")
    return name


def _at(value: Any, path: str) -> Any:
    for key in path.split("."):
        if not isinstance(value, Mapping) or key not in value:
            return _MISSING
        value = value[key]
    return value


_MISSING = object()
"""Equal to nothing that a value can have, None included."""

"""Broadcasters: whoever wants to be told of events as they are appended, each at its own pace.

Nothing is queued: each broadcaster has a place in the log and a task that reads from there. One that is slow
is behind, one that fails is noted and goes on with the next event; neither holds up an append or another.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from descartes_core.errors import InvalidParams, NotFound, StoreUnavailable
from descartes_core.model import Event
from descartes_core.store import EventQuery, Store

log = logging.getLogger(__name__)

PAGE = 200


class Broadcaster(Protocol):
    """Something that tells others of events: a console, a chat, another program."""

    @property
    def id(self) -> str:
        """The name by which it is removed; no two have the same."""
        ...

    def should_broadcast(self, event: Event) -> bool:
        """Return whether EVENT is of interest; called on the loop, so it must be quick."""
        ...

    async def broadcast(self, event: Event) -> None:
        """Tell of EVENT. It may take long and may fail: only this broadcaster waits."""
        ...


@dataclass
class Told:
    """How far one broadcaster is: the SEQ of its last event, how many it was told, and how many FAILED."""

    broadcaster: Broadcaster
    seq: int
    told: int = 0
    failed: int = 0
    wakened: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Broadcasters:
    """The broadcasters of one log. Concurrency: belongs to the loop of STORE; `close` ends them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._all: dict[str, Told] = {}
        self._forget = store.on_events(self._wake)

    async def add(self, broadcaster: Broadcaster, since: int | None = None) -> None:
        """Tell BROADCASTER of every event after the number SINCE; of new ones when it is None.

        Errors: `InvalidParams` when one with its id is there already.
        """
        seq = await self._store.reader.last_seq() if since is None else since
        if broadcaster.id in self._all:
            raise InvalidParams(f"There is a broadcaster {broadcaster.id!r} already; remove it first")
        told = self._all[broadcaster.id] = Told(broadcaster, seq)
        told.task = asyncio.create_task(self._tell(told), name=f"broadcaster {broadcaster.id}")
        told.wakened.set()

    async def remove(self, id_: str) -> Told:
        """Tell the broadcaster ID_ nothing more; return how far it was. Errors: `NotFound`."""
        told = self._all.pop(id_, None)
        if told is None:
            raise NotFound(f"There is no broadcaster {id_!r}; there are {', '.join(self._all) or 'none'}")
        await _ended(told)
        return told

    def all(self) -> list[Told]:
        """Return every broadcaster with how far it is."""
        return list(self._all.values())

    async def close(self) -> None:
        """End all of them, whatever they are doing."""
        self._forget()
        ending, self._all = list(self._all.values()), {}
        for told in ending:
            await _ended(told)

    def _wake(self, events: Sequence[Event]) -> None:
        for told in self._all.values():
            told.wakened.set()

    async def _tell(self, told: Told) -> None:
        while True:
            await told.wakened.wait()
            told.wakened.clear()
            query = EventQuery(order="asc", before=told.seq, limit=PAGE)
            try:
                events = (await self._store.reader.events(query)).events
            except StoreUnavailable:
                log.warning("the broadcaster %s has no log to read any more", told.broadcaster.id)
                return
            for event in events:
                await self._tell_one(told, event)
            if len(events) == PAGE:
                told.wakened.set()

    async def _tell_one(self, told: Told, event: Event) -> None:
        told.seq = event.seq
        try:
            if told.broadcaster.should_broadcast(event):
                told.told += 1
                await told.broadcaster.broadcast(event)
        except Exception:
            told.failed += 1
            log.warning(
                "the broadcaster %s failed at event %d", told.broadcaster.id, event.seq, exc_info=True
            )


async def _ended(told: Told) -> None:
    assert told.task is not None
    told.task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await told.task

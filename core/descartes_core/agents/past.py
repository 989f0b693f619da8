"""The events that make up the past of a run: its own and, where it goes on from a fork, those before it.

Reads only. What the events mean is the business of the folds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import msgspec

from descartes_core.agents.conversation import Conversation
from descartes_core.model import Event, Shape
from descartes_core.store import EventQuery, Reader

PAGE = 5000


class Fork(Shape, frozen=True, kw_only=True):
    """Where a conversation branched off: behind event SEQ of RUN, into SESSION."""

    session: str
    run: str
    seq: int


@dataclass(frozen=True)
class Stretch:
    """The part of RUN's events up to and including seq UNTIL that belongs to a past."""

    run: str
    until: int


async def stretches(reader: Reader, run: str, until: int) -> Sequence[Stretch]:
    """Return what the past of RUN at seq UNTIL consists of, oldest first; all but the last end in forks."""
    found = [Stretch(run, until)]
    while (fork := await fork_of(reader, found[-1].run)) is not None:
        found.append(Stretch(fork.run, min(fork.seq, found[-1].until)))
    return found[::-1]


async def fork_of(reader: Reader, run: str) -> Fork | None:
    """Return where the conversation of RUN branched off; None for a run with a beginning of its own."""
    spawned = await reader.events(EventQuery(run=run, type="run.spawned", limit=1))
    told = spawned.events[0].data.get("fork") if spawned.events else None
    return None if told is None else msgspec.convert(told, Fork)


async def events_of(reader: Reader, stretch: Stretch, after: int = 0) -> AsyncIterator[Event]:
    """Yield the events of STRETCH behind seq AFTER, oldest first, a page in memory at a time."""
    while after < stretch.until:
        query = EventQuery(run=stretch.run, order="asc", limit=PAGE, before=after)
        page = await reader.events(query)
        for event in page.events:
            if event.seq > stretch.until:
                return
            yield event
        if page.next is None:
            return
        after = page.next


async def remember(reader: Reader, fork: Fork, conversation: Conversation) -> None:
    """Fold into CONVERSATION, which is empty, everything that was said before FORK."""
    for stretch in await stretches(reader, fork.run, fork.seq):
        async for event in events_of(reader, stretch):
            conversation.apply(event)
        conversation.branch()

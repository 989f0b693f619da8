"""Those in this process who wait for a lease, and the task that looks after their places."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from descartes_core.errors import Cancelled
from descartes_core.leases import queue
from descartes_core.leases.arbiter import Request, end, is_over, lapse, own_lease
from descartes_core.leases.view import LeaseView
from descartes_core.leases.words import lease_held
from descartes_core.model import Event, Lease
from descartes_core.store import Store, Transaction

LAST = 2**63

TICK_SECONDS = 0.1
"""How often a change by another process is looked for, while somebody waits."""

REFRESH_SECONDS = 1.0


@dataclass(frozen=True)
class Served:
    """The queue, looked after: the places that were THERE of this process, and those REFUSED."""

    there: frozenset[int]
    refused: list[queue.Refused]


class Waiters:
    """Waiting in the queue, on the loop. Grants arrive as events, so they need no asking."""

    def __init__(self, store: Store, view: LeaseView) -> None:
        self.owner = uuid.uuid4().hex
        self._store = store
        self._view = view
        self._waiting: dict[int, asyncio.Future[Lease]] = {}
        # A grant may be delivered before its waiter has come back from entering the queue.
        self._early: dict[int, Lease] = {}
        self._deadline_ms: dict[int, int] = {}
        self._places: dict[int, queue.Place] = {}
        self._attendant: asyncio.Task[None] | None = None
        self._cleanups: set[asyncio.Task[object]] = set()
        self._stop_listening = store.on_events(self._on_events)
        self._closed = False

    async def wait(self, place: int, deadline_ms: int, request: Request) -> Lease:
        """Return the lease that PLACE brings; raises `LeaseHeld` when it is not there at DEADLINE_MS."""
        early = self._early.pop(place, None)
        if early is not None:
            return early
        if self._closed:
            raise _ending()
        self._waiting[place] = asyncio.get_running_loop().create_future()
        self._deadline_ms[place] = deadline_ms
        self._places[place] = queue.Place(place, self.owner, 0, deadline_ms, request)
        if self._attendant is None or self._attendant.done():
            self._attendant = asyncio.create_task(self._attend())
        try:
            return await self._waiting[place]
        except asyncio.CancelledError:
            self.abandon(place, request)
            raise
        finally:
            self._waiting.pop(place, None)
            self._deadline_ms.pop(place, None)
            self._places.pop(place, None)

    def abandon(self, place: int, request: Request) -> None:
        """Give up PLACE, and the lease if it was granted at the same moment."""
        self._early.pop(place, None)

        def body(tx: Transaction) -> None:
            still_waiting = tx.execute("SELECT 1 FROM lease_queue WHERE place = ?", (place,)).fetchone()
            queue.leave(tx, place)
            if not still_waiting:
                give_back(tx, request)
            queue.serve(tx, self.owner)

        self.afterwards(body)

    def afterwards(self, body: Callable[[Transaction], object]) -> None:
        """Run BODY for a caller who is gone; a log that was closed meanwhile is no error."""
        task = asyncio.create_task(self._store.transact(body))
        self._cleanups.add(task)
        task.add_done_callback(self._cleaned)

    async def close(self) -> None:
        """Give up every place; those who wait get `Cancelled`."""
        self._closed = True
        self._stop_listening()
        if self._attendant is not None:
            self._attendant.cancel()
            await asyncio.wait([self._attendant])
        for waiter in self._waiting.values():
            if not waiter.done():
                waiter.set_exception(_ending())
        self.afterwards(lambda tx: tx.execute("DELETE FROM lease_queue WHERE owner = ?", (self.owner,)))
        await asyncio.gather(*self._cleanups, return_exceptions=True)

    def _cleaned(self, task: asyncio.Task[object]) -> None:
        self._cleanups.discard(task)
        if not task.cancelled():
            task.exception()

    def _on_events(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.metadata.get("queue") != self.owner:
                continue
            place, lease = event.metadata["place"], msgspec.convert(event.data, Lease)
            waiter = self._waiting.get(place)
            if waiter is None:
                self._early[place] = lease
            elif not waiter.done():
                waiter.set_result(lease)

    async def _attend(self) -> None:
        """Serve the queue when time or another process may have changed something, until nobody waits."""
        try:
            await self._attend_until_empty()
        except Exception as error:
            for waiter in self._waiting.values():
                if not waiter.done():
                    waiter.set_exception(error)

    async def _attend_until_empty(self) -> None:
        # What was changed between the queue's entry and the first look must not be missed.
        known: list[dict[str, Any]] | None = None
        refreshed = time.monotonic()
        while self._waiting:
            due_ms = await self._next_due_ms()
            left = (due_ms - self._store.clock.now_ms()) / 1000
            await asyncio.sleep(max(0.0, min(TICK_SECONDS, left)))
            seen, now = await self._seen(), time.monotonic()
            if seen != known or due_ms <= self._store.clock.now_ms() or now - refreshed >= REFRESH_SECONDS:
                await self._look_after()
                # Those still here wait behind another process; the regular refresh looks after them.
                self._forget_due()
                known, refreshed = seen, now

    async def _look_after(self) -> None:
        """Serve the queue; who lost a place because another process took this one for dead has it again."""
        before = dict(self._places)
        served = await self._store.transact(lambda tx: self._serve(tx, ()))
        # Every earlier grant has been delivered by now: where one waits still, a place that is gone is lost.
        lost = [before[each] for each in before.keys() - served.there if self._waits(each)]
        again = await self._store.transact(lambda tx: self._serve(tx, lost)) if lost else None
        for refused in [*served.refused, *(again.refused if again else ())]:
            self._refuse(refused)

    def _serve(self, tx: Transaction, lost: Sequence[queue.Place]) -> Served:
        lapse(tx)
        for place in lost:
            queue.enter_again(tx, place)
        queue.refresh(tx, self.owner)
        there = queue.places_of(tx, self.owner)
        queue.serve(tx, self.owner)
        return Served(there, queue.refuse_overdue(tx, self.owner))

    def _waits(self, place: int) -> bool:
        waiter = self._waiting.get(place)
        return waiter is not None and not waiter.done()

    def _forget_due(self) -> None:
        now_ms = self._store.clock.now_ms()
        self._deadline_ms = {place: at for place, at in self._deadline_ms.items() if at > now_ms}

    def _refuse(self, refused: queue.Refused) -> None:
        if self._waits(refused.place):
            self._waiting[refused.place].set_exception(lease_held(refused.by, self._store.clock.now_ms()))

    async def _next_due_ms(self) -> int:
        expiry_ms = await self._view.next_expiry_ms()
        moments = [*self._deadline_ms.values(), LAST if expiry_ms is None else expiry_ms]
        return min(moments)

    async def _seen(self) -> list[dict[str, Any]]:
        """Return what differs whenever a lease or a place changed, whoever did it and whichever reads it."""
        # `PRAGMA data_version` would not do: it counts for one connection, and readers have several.
        return await self._store.reader.rows(
            "SELECT seq, (SELECT group_concat(place) FROM lease_queue) AS places FROM head"
        )


def _ending() -> Cancelled:
    return Cancelled("Waiting for a lease ended because the hub ends; ask again")


def give_back(tx: Transaction, request: Request) -> None:
    """Release what was granted for REQUEST to somebody who is gone."""
    own = own_lease(tx, request.path, request.holder)
    if own is not None and not is_over(own, tx.now_ms):
        end(tx, own)

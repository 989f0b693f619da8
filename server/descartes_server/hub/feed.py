"""What the log's new events mean for attached clients: notifications, whoever wrote the events.

Commits of this process bring their events along; those of others are noticed by SQLite's own counter and
read from the log, so that a lease taken by another program is seen in an editor within a few hundredths of a
second.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from descartes_core.errors import DescartesError
from descartes_core.model import Event
from descartes_core.policy.interventions import list_interventions
from descartes_core.runs.queries import RunView
from descartes_core.store import Reader
from descartes_server.hub.subscription import after

PAGE = 500
LOOK_S = 0.02

Publish = Callable[[str, Mapping[str, Any]], None]
TakeIn = Callable[[Sequence[Event]], Awaitable[None]]
"""Is given each new event once, in order."""


class Feed:
    """Takes in each new event once and publishes what follows from it; `last_seq` is how far it came."""

    def __init__(self, reader: Reader, last_seq: int, publish: Publish, take_in: TakeIn) -> None:
        self.last_seq = last_seq
        self._reader = reader
        self._runs = RunView(reader)
        self._publish = publish
        self._take_in = take_in
        self._wakened = asyncio.Event()
        self._look = False
        """Whether the log may have events that nobody brought."""
        self._written: list[Event] = []

    def wake(self) -> None:
        """Look into the log for new events."""
        self._look = True
        self._wakened.set()

    def others_wrote(self, last_seq: int) -> None:
        """Look for new events unless LAST_SEQ, the log's newest, is known here."""
        if last_seq > self.last_seq:
            self.wake()

    def written(self, events: Sequence[Event]) -> None:
        """Take in EVENTS, which this process has just committed."""
        if len(self._written) + len(events) <= PAGE:
            self._written.extend(events)
        else:
            self._look = True
        self._wakened.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            await self._wakened.wait()
            await asyncio.sleep(0)  # who waited for the commit goes on first, and answers
            self._wakened.clear()
            while events := await self._next():
                self.last_seq = events[-1].seq
                await self._tell(events)
                await self._take_in(events)

    async def _next(self) -> Sequence[Event]:
        """Return the events after the last one; the log is read where those brought here have a gap."""
        written, self._written = [event for event in self._written if event.seq > self.last_seq], []
        if written and written[-1].seq == self.last_seq + len(written):
            return written
        if not written and not self._look:
            return ()
        self._look = False
        events = await after(self._reader, self.last_seq, PAGE)
        self._look |= len(events) == PAGE
        return events

    async def _tell(self, events: Sequence[Event]) -> None:
        runs: dict[str, None] = {}
        interventions = False
        for event in events:
            kind = event.name.partition(".")[0]
            for lease, told in _lease_changes(event):
                self._publish("descartes/lease/changed", {"lease": lease, "change": told})
            if event.run and (kind in ("run", "intervention") or event.name in LEASES_OF_RUNS):
                runs[event.run] = None
            interventions |= kind == "intervention"
        for run in runs:
            with contextlib.suppress(DescartesError):
                self._publish("descartes/run/changed", msgspec.to_builtins(await self._runs.show(run)))
        if interventions:
            found = await list_interventions(self._reader)
            self._publish("descartes/intervention/changed", {"interventions": msgspec.to_builtins(found)})


def _lease_changes(event: Event) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield what EVENT means for leases, a lease and its change each; one that moved ends and begins."""
    kind, _, change = event.name.partition(".")
    if kind != "lease":
        return
    if change == "moved":
        lease = {key: value for key, value in event.data.items() if key != "from"}
        yield {**lease, "path": event.data["from"]}, "released"
        yield lease, "acquired"
    elif change in LEASE_CHANGES:
        yield event.data, change


LEASE_CHANGES = frozenset({"acquired", "renewed", "released", "expired", "stolen"})
LEASES_OF_RUNS = frozenset({f"lease.{change}" for change in (*LEASE_CHANGES - {"renewed"}, "moved")})


class OtherWriters:
    """Calls back on the loop, with the newest event's number, soon after a commit to the log at PATH."""

    def __init__(self, path: Path, changed: Callable[[int], None]) -> None:
        self._path = path
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._watching = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._watch, name="other writers", daemon=True)
        self._thread.start()

    def watch(self, wanted: bool) -> None:
        """Look while WANTED; with nobody attached nothing is looked for."""
        if wanted:
            self._watching.set()
        else:
            self._watching.clear()

    def close(self) -> None:
        """Stop looking."""
        self._closed = True
        self._watching.set()
        self._thread.join()

    def _watch(self) -> None:
        connection = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)
        pause = threading.Event()
        try:
            seen = None
            while self._watching.wait() and not self._closed:
                with contextlib.suppress(sqlite3.OperationalError):
                    version = connection.execute("PRAGMA data_version").fetchone()[0]
                    if version != seen:
                        last = connection.execute("SELECT seq FROM head").fetchone()
                        seen = version
                        self._loop.call_soon_threadsafe(self._changed, last[0] if last else 0)
                pause.wait(LOOK_S)
        except RuntimeError:
            pass  # the loop was closed first
        finally:
            connection.close()

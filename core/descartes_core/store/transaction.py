"""One write transaction on the log: what a body given to `Store.transact` works with."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from descartes_core.errors import InvalidParams, StreamConflict
from descartes_core.model import Event, NewEvent
from descartes_core.ports import Clock
from descartes_core.store import rows, schemas
from descartes_core.store.projections import Projections
from descartes_core.store.redaction import Redactor

_INSERT = f"INSERT INTO event ({', '.join(rows.COLUMNS)}) VALUES ({', '.join('?' * len(rows.COLUMNS))})"
_VERSION = "SELECT version FROM event WHERE stream = ? ORDER BY version DESC LIMIT 1"
_TAGS = "SELECT tags FROM event WHERE stream = ? AND version = 1"


@dataclass(frozen=True)
class Head:
    """The end of the chain."""

    seq: int = 0
    hash: str = rows.FIRST_HASH
    ts_ms: int = 0


class Transaction:
    """The log inside one BEGIN IMMEDIATE. Lives in the writer's thread and never longer than its body.

    `now_ms` is the log's clock when the body began; everything in one body happens at that time.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        clock: Clock,
        runner: str,
        projections: Projections,
        redactor: Redactor,
    ) -> None:
        self.connection = connection
        self._clock = clock
        self._runner = runner
        self._projections = projections
        self._redactor = redactor
        self._checks = schemas.checking()
        row = connection.execute("SELECT seq, hash, ts_ms FROM head").fetchone()
        self._first = self._head = Head(*row) if row else Head()
        self._versions: dict[str, int] = {}
        self._tags: dict[str, list[str]] = {}
        self.events: list[Event] = []
        self.now_ms = clock.now_ms()

    def append(self, event: NewEvent, *, expected: int | None = None) -> Event:
        """Append EVENT, redacted, and return it as published; its projections are then up to date.

        One that belongs to a run has the tags of that run too, those of the first event on `run/<id>`.
        Errors: `StreamConflict` when the stream's version is not EXPECTED (0 for a new stream);
        `InvalidParams` when the log has an event with this id; `PolicyDenied` when its stream shows a secret.
        """
        if expected is not None:
            self.expect(event.stream, expected)
        event = self._tagged(self._redactor.event(event))
        if self._checks:
            schemas.check(event)
        version = self.version(event.stream)
        head = self._head
        made, row = rows.make(
            event,
            seq=head.seq + 1,
            version=version + 1,
            ts_ms=self.now_ms,
            runner=self._runner,
            prev_hash=head.hash,
        )
        self._insert(made, row)
        self._head = Head(head.seq + 1, row[-1], self.now_ms)
        self._versions[event.stream] = version + 1
        self._projections.apply(self.connection, made)
        self.events.append(made)
        return made

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> sqlite3.Cursor:
        """Run one statement inside the transaction; for reading projections and for tables of one's own."""
        return self.connection.execute(sql, parameters)

    def version(self, stream: str) -> int:
        """Return the version of STREAM, 0 when it has no events."""
        version = self._versions.get(stream)
        if version is None:
            row = self.connection.execute(_VERSION, (stream,)).fetchone()
            version = self._versions[stream] = row[0] if row else 0
        return version

    def expect(self, stream: str, expected: int) -> None:
        """Raise `StreamConflict` unless STREAM is at version EXPECTED."""
        version = self.version(stream)
        if expected != version:
            raise StreamConflict(
                f"Expected stream {stream!r} at version {expected}, it is at {version};"
                " read it again and repeat the change",
                stream=stream,
                version=version,
            )

    def begin_body(self) -> tuple[Head, int]:
        """Note the time for the next body and return what `undo_body` needs."""
        self.now_ms = self._clock.now_ms()
        return self._head, len(self.events)

    def undo_body(self, mark: tuple[Head, int]) -> None:
        """Forget what a body did whose savepoint was rolled back."""
        self._head, count = mark
        del self.events[count:]
        self._versions.clear()
        self._tags.clear()

    def finish(self) -> None:
        """Write the end of the chain; the last thing before COMMIT."""
        if self._head is not self._first:
            self.connection.execute(
                "INSERT OR REPLACE INTO head VALUES (1, ?, ?, ?)",
                (self._head.seq, self._head.hash, self._head.ts_ms),
            )

    def _tagged(self, event: NewEvent) -> NewEvent:
        """Return EVENT with the tags of its run behind its own."""
        lacking = (
            [] if event.run is None else [tag for tag in self._run_tags(event.run) if tag not in event.tags]
        )
        return msgspec.structs.replace(event, tags=[*event.tags, *lacking]) if lacking else event

    def _run_tags(self, run: str) -> list[str]:
        tags = self._tags.get(run)
        if tags is None:
            row = self.connection.execute(_TAGS, (f"run/{run}",)).fetchone()
            if row is None:
                return []
            tags = self._tags[run] = msgspec.json.decode(row[0], type=list[str])
        return tags

    def _insert(self, event: Event, row: tuple[Any, ...]) -> None:
        try:
            self.connection.execute(_INSERT, row)
        except sqlite3.IntegrityError as error:
            if "event.id" in str(error):
                raise InvalidParams(f"The log already has an event {event.id!r}; give another id") from None
            raise
        if self.now_ms < self._head.ts_ms:
            self.connection.execute("INSERT INTO clock_step VALUES (?)", (event.seq,))

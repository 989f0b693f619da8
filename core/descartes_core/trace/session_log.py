"""`SessionLog`: the part of a log that belongs to one session, with what it holds folded up to now."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any

from descartes_core.errors import StreamConflict
from descartes_core.model import Event, NewEvent
from descartes_core.store.direct import DirectStore
from descartes_core.store.transaction import Transaction
from descartes_core.trace import entries, exact, forks
from descartes_core.trace.blobs import Blobs
from descartes_core.trace.entries import EntryData, Record
from descartes_core.trace.errors import SessionInvalidState, ValidationFailed
from descartes_core.trace.reading import SessionReader, SessionRow
from descartes_core.trace.state import SessionState, fold
from descartes_core.trace.types import EntryType

_ACTING: ContextVar[str] = ContextVar("_ACTING", default="system")


@contextlib.contextmanager
def acting_as(agent_id: str) -> Iterator[None]:
    """Inside this, changes of sessions are written down as done by AGENT_ID."""
    token = _ACTING.set(agent_id)
    try:
        yield
    finally:
        _ACTING.reset(token)


class SessionLog:
    """The session ROW in STORE. HELD is what its trajectory leads to; LOCK guards both.

    Errors: `SessionInvalidState` for the session of a run, which only its run goes on with.
    Concurrency: safe from any thread. Of several programs with one session the first goes on and the others
    are told: an entry is appended only at the version of the stream that was read.
    """

    def __init__(self, store: DirectStore, row: SessionRow) -> None:
        if row.kind == "run":
            store.close()
            raise SessionInvalidState(f"The session {row.id!r} belongs to a run; fork it to go on with it")
        self.store = store
        self.row = row
        self.blobs = Blobs(store.path.parent)
        self.lock = threading.RLock()
        self.reader = SessionReader(store.rows)
        self.held = fold(self.records())
        self._version = store.transact(lambda tx: tx.version(entries.stream(row.id)))

    def records(self, limit: int | None = None) -> Sequence[Record]:
        """Return the last LIMIT entries as they were given, all without one."""
        return [exact.restored(each, self.blobs) for each in self.reader.records(self.row, limit)]

    def append(
        self,
        entry_type: EntryType,
        content: dict[str, Any],
        agent_id: str | None,
        *,
        effective: bool = False,
        blob: str | None = None,
    ) -> Record:
        """Append an entry of AGENT_ID (whoever acts now) and return it as it can be read again; LOCK is held.

        Errors: `SessionInvalidState` when another program went on with the session.
        """
        data = EntryData(seq_num=self.held.seq_num + 1, content=content, effective=effective, blob=blob)
        agent = self.store.redactor.values_in(agent_id or _ACTING.get())
        event = entries.new_event(self.row.id, agent, entry_type, data)
        kept = exact.keep(event, self.store.redactor, self.blobs)
        appended = self.store.transact(lambda tx: self._append(tx, kept))
        record = exact.restored(entries.record_of(appended), self.blobs)
        self._version += 1
        self.held.apply(record)
        return record

    def at(self, seq_num: int | None) -> SessionState:
        """Return what the session held behind entry SEQ_NUM, now without one.

        Errors: `ValidationFailed` when there is no such entry.
        """
        with self.lock:
            if seq_num is None or seq_num == self.held.seq_num:
                return self.held
            if type(seq_num) is not int or not 1 <= seq_num < self.held.seq_num:
                raise ValidationFailed(
                    f"Expected an entry from 1 to {self.held.seq_num}, got {seq_num!r};"
                    " look at the trajectory"
                )
            return fold(each for each in self.records() if each.entry.seq_num <= seq_num)

    def fork(self, seq_num: int | None) -> SessionLog:
        """Return a new session in the same log that goes on behind entry SEQ_NUM; errors as of `at`."""
        with self.lock:
            state = self.at(seq_num)
            shared = [each for each in self.records() if each.entry.seq_num <= state.seq_num][-1]
            child = self.store.transact(
                lambda tx: forks.fork(
                    tx,
                    self.row.id,
                    shared.seq,
                    by=entries.principal(_ACTING.get()),
                    event=shared.event,
                    entries=state.seq_num,
                    stateVersion=state.version,
                )
            )
        store = DirectStore(self.store.path, clock=self.store.clock, redactor=self.store.redactor)
        return SessionLog(store, self.reader.find(child))

    def _append(self, tx: Transaction, event: NewEvent) -> Event:
        try:
            return tx.append(event, expected=self._version)
        except StreamConflict:
            raise SessionInvalidState(
                f"Another program went on with the session {self.row.id!r}; resume it to see what it did"
            ) from None

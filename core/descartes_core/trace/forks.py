"""Forking: a session that goes on from some moment of another one, which stays as it is."""

from __future__ import annotations

from typing import Any

from descartes_core.errors import NotFound
from descartes_core.model import NewEvent, Principal
from descartes_core.ports import new_id
from descartes_core.store.transaction import Transaction
from descartes_core.trace.entries import FORKED, stream


def fork(
    tx: Transaction,
    parent: str,
    seq: int,
    *,
    by: Principal,
    event: str,
    run: str | None = None,
    **told: Any,
) -> str:
    """Append inside TX that a new session goes on from PARENT behind event SEQ of the log; return its id.

    The one way to fork, for sessions of the library and of runs. SEQ and the id EVENT name the last event of
    PARENT (or of what that was forked from) that the fork has too; RUN is the run whose conversation is
    forked. What is TOLD besides stands in the data of the event where it is not None. The table `session` has
    the fork when this returns.
    Errors: `NotFound` when the log has no session PARENT.
    """
    if tx.execute("SELECT 1 FROM session WHERE id = ?", (parent,)).fetchone() is None:
        raise NotFound(f"No session has the id {parent!r}; look at the list of sessions")
    forked = forking(parent, seq, by=by, event=event, run=run, **told)
    tx.append(forked, expected=0)
    return str(forked.session)


def forking(
    parent: str, seq: int, *, by: Principal, event: str, run: str | None = None, **told: Any
) -> NewEvent:
    """Return the event that does what `fork` does, into a session of its own, for whoever appends it."""
    child = new_id("ses")
    data = {"session": child, "parent": parent, "run": run, "seq": seq, "event": event, **told}
    return NewEvent(
        category="state_change",
        name=FORKED,
        stream=stream(child),
        actor=by,
        session=child,
        parent=event,
        data={key: value for key, value in data.items() if value is not None},
    )

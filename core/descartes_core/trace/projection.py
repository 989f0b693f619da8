"""The table `session`: every session of a log, those of runs too, with what each was forked from.

For a fork, `forked` is the event that says so, `fork_seq` the number in the log (`event.seq`) of the last
event of the parent that it has too, and `fork_run` the run whose conversation it goes on with, if any.
"""

from __future__ import annotations

from descartes_core.model import Event
from descartes_core.store.projections import Executes, Projection
from descartes_core.trace.entries import EXPORTED, FORKED, IMPORTED

_INSERT = (
    "INSERT OR IGNORE INTO session (id, seq, kind, agent, title, max_artifact_size, started_at, changed_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)


def _apply(tx: Executes, event: Event) -> None:
    if event.name == "run.spawned":
        _spawned(tx, event)
    elif event.name == FORKED:
        _forked(tx, event)
    elif event.name == IMPORTED:
        _begin(tx, event, event.data["maxArtifactSize"])
        tx.execute(
            "UPDATE session SET parent = ? WHERE id = ?",
            (event.data.get("parent"), event.session),
        )
    elif event.name != EXPORTED:
        if event.name == "session.created":
            _begin(tx, event, event.data["content"].get("max_artifact_size"))
        _entry(tx, event)


def _begin(tx: Executes, event: Event, max_artifact_size: int | None) -> None:
    tx.execute(
        _INSERT,
        (event.session, event.seq, "session", None, None, max_artifact_size, event.at, event.at),
    )


def _entry(tx: Executes, event: Event) -> None:
    data = event.data
    version = (data.get("correction") or {}).get("stateVersion")
    if version is None and data.get("effective"):
        version = data["content"].get("state_version")
    tx.execute(
        "UPDATE session SET entries = ?, state_version = coalesce(?, state_version), changed_at = ?"
        " WHERE id = ?",
        (data["seqNum"], version, event.at, event.session),
    )


def _spawned(tx: Executes, event: Event) -> None:
    data = event.data
    session = data["session"]
    tx.execute(_INSERT, (session, event.seq, "run", data["agent"], data["task"], None, event.at, event.at))
    # A fork has its row already; what goes on there is this run.
    tx.execute(
        "UPDATE session SET kind = 'run', run = coalesce(run, ?), agent = ?, title = ? WHERE id = ?",
        (data["id"], data["agent"], data["task"], session),
    )


def _forked(tx: Executes, event: Event) -> None:
    data = event.data
    parent = tx.execute(
        "SELECT kind, agent, title, max_artifact_size FROM session WHERE id = ?", (data["parent"],)
    ).fetchone()
    tx.execute(
        "INSERT OR IGNORE INTO session (id, seq, kind, agent, title, max_artifact_size, parent, forked,"
        " fork_run, fork_seq, entries, state_version, started_at, changed_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(data["session"], event.seq, *(parent or ("run", None, None, None))),
            *(data["parent"], event.id, data.get("run"), data["seq"]),
            *(data.get("entries", 0), data.get("stateVersion", 0), event.at, event.at),
        ),
    )


SESSIONS = Projection(
    name="session",
    version=1,
    tables={
        "session": """
CREATE TABLE session (
  id TEXT PRIMARY KEY,
  seq INTEGER NOT NULL,
  kind TEXT NOT NULL,
  parent TEXT,
  forked TEXT,
  fork_run TEXT,
  fork_seq INTEGER,
  run TEXT,
  agent TEXT,
  title TEXT,
  max_artifact_size INTEGER,
  entries INTEGER NOT NULL DEFAULT 0,
  state_version INTEGER NOT NULL DEFAULT 0,
  started_at TEXT NOT NULL,
  changed_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX session_seq ON session (seq);
CREATE INDEX session_parent ON session (parent) WHERE parent IS NOT NULL;
"""
    },
    prefixes=("session.", "run.spawned"),
    apply=_apply,
)

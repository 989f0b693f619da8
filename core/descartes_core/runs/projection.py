"""The table `run`: every run there ever was, as its events left it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from descartes_core.agents.past import Fork
from descartes_core.model import Event, Run, Shape, Usage
from descartes_core.policy.rules import ToolLevel
from descartes_core.runs.machine import WorkingStatus, is_terminal
from descartes_core.store.projections import Executes, Projection


class RunRecord(Shape, frozen=True):
    """What the supervisor knows about a run beside what it shows: the data of `run.spawned`."""

    id: str
    agent: str
    backend: str
    task: str
    session: str
    runner: str
    token_hash: str
    tool_level: ToolLevel
    model: str | None = None
    command: list[str] | None = None
    files: list[str] = []
    secrets: list[str] = []
    tags: list[str] = []
    vouched: bool = False
    """Whether the agent's name is a person's choice: only then does what is granted to that name count."""
    asks_first: bool = False
    """Whether a person must allow the command before it is started."""
    fork: Fork | None = None
    """Where the conversation comes from that this run goes on with."""

    @property
    def purpose(self) -> str:
        """What the run is for in one line, as its leases show it."""
        line = self.task.strip().partition("\n")[0]
        return line if len(line) <= 120 else f"{line[:119]}…"


def record_of(row: Mapping[str, Any]) -> RunRecord:
    """Return what ROW of the table says beside what is shown."""
    return msgspec.json.decode(row["spawned"], type=RunRecord)


def run_of(row: Mapping[str, Any]) -> Run:
    """Return the run in ROW, which carries `leases` (JSON) and `interventions` beside the table's columns."""
    record = record_of(row)
    return Run(
        id=record.id,
        agent=record.agent,
        backend=record.backend,
        task=record.task,
        status=row["status"],
        phase=row["phase"],
        session=record.session,
        runner=record.runner,
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        leases=sorted(msgspec.json.decode(row["leases"], type=list[str])),
        interventions=row["interventions"],
        usage=Usage(
            input_tokens=row["input_tokens"], output_tokens=row["output_tokens"], cost_usd=row["cost_usd"]
        ),
        exit_code=row["exit_code"],
        reason=row["reason"],
        paused_at=row["paused_at"],
        pause_mode=row["pause_mode"],
    )


def resumed_status(row: Mapping[str, Any]) -> WorkingStatus:
    """Return the status that a paused run goes back to."""
    return "thinking" if row["paused_from"] == "thinking" else "running"


def _apply(tx: Executes, event: Event) -> None:
    data = event.data
    match event.name:
        case "run.spawned":
            tx.execute(
                "INSERT INTO run (id, seq, event, spawned, status, started_at)"
                " VALUES (?, ?, ?, ?, 'idle', ?)",
                (data["id"], event.seq, event.id, msgspec.json.encode(data).decode(), event.at),
            )
        case "run.status":
            _status(tx, event)
        case "run.phase":
            tx.execute("UPDATE run SET phase = ? WHERE id = ?", (data["phase"], event.run))
        case "run.usage":
            # A sum with an unknown cost stays what it was; the first known one makes it a number.
            tx.execute(
                "UPDATE run SET input_tokens = input_tokens + ?, output_tokens = output_tokens + ?,"
                " cost_usd = coalesce(cost_usd + ?, cost_usd, ?) WHERE id = ?",
                (data["inputTokens"], data["outputTokens"], data["costUsd"], data["costUsd"], event.run),
            )


def _status(tx: Executes, event: Event) -> None:
    data = event.data
    tx.execute(
        "UPDATE run SET status = ?, phase = ? WHERE id = ?", (data["to"], data.get("phase"), event.run)
    )
    if data["to"] == "paused":
        tx.execute(
            "UPDATE run SET paused_from = ?, paused_at = ?, pause_mode = ? WHERE id = ?",
            (data["from"], event.at, data.get("mode"), event.run),
        )
    if is_terminal(data["to"]):
        tx.execute(
            "UPDATE run SET ended_at = ?, exit_code = ?, reason = ? WHERE id = ?",
            (event.at, data.get("exitCode"), data.get("reason"), event.run),
        )


RUNS = Projection(
    name="run",
    version=1,
    tables={
        "run": """
CREATE TABLE run (
  id TEXT PRIMARY KEY,
  seq INTEGER NOT NULL,
  event TEXT NOT NULL,
  spawned TEXT NOT NULL,
  status TEXT NOT NULL,
  phase TEXT,
  started_at TEXT NOT NULL,
  ended_at TEXT,
  paused_from TEXT,
  paused_at TEXT,
  pause_mode TEXT,
  exit_code INTEGER,
  reason TEXT,
  input_tokens INTEGER NOT NULL DEFAULT 0,
  output_tokens INTEGER NOT NULL DEFAULT 0,
  cost_usd REAL
) WITHOUT ROWID;
CREATE INDEX run_status ON run (status, seq);
CREATE UNIQUE INDEX run_seq ON run (seq);
"""
    },
    prefixes=("run.",),
    apply=_apply,
)

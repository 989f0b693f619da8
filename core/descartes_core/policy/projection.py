"""The table `intervention`: every question ever asked, with what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from descartes_core.model import Event, Intervention, Principal, Shape
from descartes_core.store.projections import Executes, Projection


class Answer(Shape, frozen=True):
    """What was chosen, with what was given along, and by whom."""

    choice: str
    by: Principal
    arguments: list[str] = []
    reason: str | None = None


def intervention_of(row: Mapping[str, Any]) -> Intervention:
    """Return the intervention that ROW of the table stands for."""
    opened = msgspec.json.decode(row["opened"], type=Intervention)
    return msgspec.structs.replace(opened, status=row["status"])


def answer_of(row: Mapping[str, Any]) -> Answer | None:
    """Return the answer in ROW, None while it is open or when it was closed without one."""
    return msgspec.json.decode(row["answer"], type=Answer) if row["answer"] else None


def _apply(tx: Executes, event: Event) -> None:
    data = event.data
    match event.name:
        case "intervention.opened":
            tx.execute(
                "INSERT INTO intervention VALUES (?, ?, ?, ?, 'open', ?, ?, NULL)",
                (
                    data["id"],
                    event.seq,
                    data["kind"],
                    data.get("run"),
                    event.id,
                    msgspec.json.encode(data).decode(),
                ),
            )
        case "intervention.answered":
            answer = Answer(
                choice=data["choice"], by=event.actor, arguments=data["arguments"], reason=data["reason"]
            )
            tx.execute(
                "UPDATE intervention SET status = 'answered', answer = ? WHERE id = ?",
                (msgspec.json.encode(answer).decode(), data["id"]),
            )
        case "intervention.closed":
            tx.execute("UPDATE intervention SET status = 'closed' WHERE id = ?", (data["id"],))


INTERVENTIONS = Projection(
    name="intervention",
    version=1,
    tables={
        "intervention": """
CREATE TABLE intervention (
  id TEXT PRIMARY KEY,
  seq INTEGER NOT NULL,
  kind TEXT NOT NULL,
  run TEXT,
  status TEXT NOT NULL,
  event TEXT NOT NULL,
  opened TEXT NOT NULL,
  answer TEXT
) WITHOUT ROWID;
CREATE INDEX intervention_status ON intervention (status, seq);
CREATE INDEX intervention_run ON intervention (run, status);
"""
    },
    prefixes=("intervention.",),
    apply=_apply,
)

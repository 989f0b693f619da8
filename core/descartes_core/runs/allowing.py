"""May the command of a run be started: asked of a person where an agent or another program chose it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from descartes_core.errors import Cancelled, InvalidParams
from descartes_core.model import Choice, Intervention
from descartes_core.runs.projection import RunRecord
from descartes_core.runs.work import Job
from descartes_core.store.redaction import has_mark

CHOICES = (
    Choice(id="accept", title="Run it"),
    Choice(id="reject", title="Do not run it", arguments=["reason"]),
)


async def command_allowed(job: Job) -> None:
    """Return when a person allowed the command of JOB, which an agent or another program chose.

    Errors: `Cancelled` when they did not.
    """
    run, questions = job.record.id, job.around.interventions
    asked = await questions.list("all", run=run)
    question = asked[-1] if asked else await _open_question(job)
    await job.statuses.phase("waiting")
    answer = await questions.wait(question.id)
    await job.statuses.phase(None)
    if answer.choice != "accept":
        why = f": {answer.reason}" if answer.reason else ""
        raise Cancelled(f"{answer.by.name} did not allow the command{why}")


def check_command_known(record: RunRecord) -> None:
    """Raise `InvalidParams` when the command of RECORD is known only as the log has it, masked."""
    if any(has_mark(word) for word in record.command or []):
        raise InvalidParams(
            "The command of this run had something that the log does not keep, and the hub that knew it"
            " has ended; spawn the run again"
        )


async def _open_question(job: Job) -> Intervention:
    record, command = job.record, shlex.join(job.record.command or [])
    return await job.around.interventions.open(
        "approval",
        title=f"Run {command[:80]}",
        detail=f"{record.task}\n\n{command}" + _given(record.secrets),
        choices=CHOICES,
        by=job.journal.principal,
        run=record.id,
        parent=job.journal.root,
        data={"command": record.command},
    )


def _given(secrets: Sequence[str]) -> str:
    return f"\n\nIt is given these secrets: {', '.join(secrets)}" if secrets else ""

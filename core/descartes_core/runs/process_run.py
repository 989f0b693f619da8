"""A run of the backend `process`: any command, under a keeper that outlives the hub."""

from __future__ import annotations

import asyncio
import shlex
import signal
from collections.abc import Sequence
from typing import Any

from descartes_core.errors import Cancelled, InvalidParams, InvalidTransition, NotFound
from descartes_core.model import Choice, Intervention, NewEvent, Principal
from descartes_core.processes.kept import Command, Exit, KeptProcess
from descartes_core.runs.output import Output
from descartes_core.runs.work import Ending, Job

CHOICES = (
    Choice(id="accept", title="Run it"),
    Choice(id="reject", title="Do not run it", arguments=["reason"]),
)


class ProcessRun:
    """The work of one process run."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._output = Output(job.places.output, job.record.id, job.around.on_output)
        self._kept: KeptProcess | None = None
        self._task: asyncio.Task[Any] | None = None

    async def perform(self) -> Ending:
        """See `Work`; the command goes on when this is cancelled."""
        self._task = asyncio.current_task()
        self._kept = await self._process()
        following = asyncio.create_task(self._output.follow())
        try:
            ended = await self._kept.wait()
        finally:
            following.cancel()
            self._kept.close()
        await asyncio.to_thread(self._output.tell_new)
        return _ending(ended)

    async def pause(self, by: Principal, *, force: bool) -> None:
        """See `Work`.

        Errors: `InvalidParams` without FORCE: a command has no steps between which it could pause.
        """
        if not force:
            raise InvalidParams("A process run has no steps to pause between; pause it by force")
        self._signal(signal.SIGSTOP)
        await self._job.statuses.advance("pause", by=by, mode="forced")

    async def resume(self, by: Principal) -> None:
        """See `Work`."""
        await self._job.statuses.advance("resume", by=by)
        self._signal(signal.SIGCONT)

    async def stop(self, grace_seconds: float) -> None:
        """See `Work`: SIGTERM to the whole process group, and SIGKILL when the grace is over."""
        if self._kept is not None:
            await self._kept.end(grace_seconds)
        elif self._task is not None:
            self._task.cancel()

    async def send(self, text: str) -> None:
        """See `Work`: TEXT goes to the standard input, as it is."""
        if self._kept is None:
            raise InvalidTransition("The process has not started yet")
        await self._kept.write(text)

    def unfinished(self) -> Sequence[NewEvent]:
        """See `Work`."""
        return ()

    async def _process(self) -> KeptProcess:
        job, folder = self._job, self._job.places.records / "process"
        kept = KeptProcess.take_up(folder) if job.recovered is not None else None
        if kept is None:
            if job.recovered is not None and not (job.record.asks_first and not folder.exists()):
                raise NotFound("The hub ended, and no record of the process of this run is left")
            kept = await self._start()
        else:
            await asyncio.to_thread(self._output.skip)
        if job.recovered is None or job.recovered["status"] == "initializing":
            process = kept.identity._asdict()
            await job.journal.add(job.journal.event("system", "run.process", process, parent=None))
            await job.statuses.advance("ready")
        return kept

    async def _start(self) -> KeptProcess:
        job = self._job
        if job.record.asks_first:
            await self._ask()
        command = Command(
            command=job.record.command or [],
            cwd=str(job.around.workspace),
            environment=dict(job.environment),
            stdout=str(self._output.file("stdout")),
            stderr=str(self._output.file("stderr")),
        )
        return await KeptProcess.start(job.places.records / "process", command)

    async def _ask(self) -> None:
        """Return when a person allowed the command, which an agent or another program chose.

        Errors: `Cancelled` when they did not.
        """
        run, questions = self._job.record.id, self._job.around.interventions
        asked = await questions.list("all", run=run)
        question = asked[-1] if asked else await self._open_question()
        await self._job.statuses.phase("waiting")
        answer = await questions.wait(question.id)
        await self._job.statuses.phase(None)
        if answer.choice != "accept":
            why = f": {answer.reason}" if answer.reason else ""
            raise Cancelled(f"{answer.by.name} did not allow the command{why}")

    async def _open_question(self) -> Intervention:
        record, command = self._job.record, shlex.join(self._job.record.command or [])
        return await self._job.around.interventions.open(
            "approval",
            title=f"Run {command[:80]}",
            detail=f"{record.task}\n\n{command}",
            choices=CHOICES,
            by=self._job.journal.principal,
            run=record.id,
            data={"command": record.command},
        )

    def _signal(self, number: signal.Signals) -> None:
        if self._kept is None or not self._kept.signal(number):
            raise InvalidTransition("The process of this run is not running")


def _ending(ended: Exit) -> Ending:
    if ended.code == 0:
        return Ending("complete", exit_code=0)
    return Ending("fail", str(ended), ended.code)

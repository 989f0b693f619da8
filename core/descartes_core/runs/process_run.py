"""A run of the backend `process`: any command, under a keeper that outlives the hub."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from descartes_core.errors import DescartesError, InvalidParams, InvalidTransition, NotFound
from descartes_core.model import NewEvent, Principal
from descartes_core.processes.kept import Command, Exit, KeptProcess
from descartes_core.runs.allowing import check_command_known, command_allowed
from descartes_core.runs.output import Output
from descartes_core.runs.work import Ending, Job


class ProcessRun:
    """The work of one process run."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._output = Output(job.places.output, job.record.id, job.around.on_output, job.around.settings)
        self._starting: asyncio.Future[KeptProcess] | None = None
        self._asking = False
        self._ready = asyncio.Event()
        self._kept: KeptProcess | None = None
        self._task: asyncio.Task[Any] | None = None

    async def perform(self) -> Ending:
        """See `Work`; the command goes on when this is cancelled."""
        self._task = asyncio.current_task()
        try:
            self._kept = await self._process()
        finally:
            self._ready.set()
        following = asyncio.create_task(self._output.follow())
        try:
            ended = await self._kept.wait()
        finally:
            following.cancel()
            self._kept.close()
        while await asyncio.to_thread(self._output.tell_new):
            pass
        return _ending(ended)

    async def pause(self, by: Principal, *, force: bool) -> None:
        """See `Work`.

        Errors: `InvalidParams` without FORCE: a command has no steps between which it could pause.
        """
        if not force:
            raise InvalidParams("A process run has no steps to pause between; pause it by force")
        self._signal(await self._running(), signal.SIGSTOP)
        await self._job.statuses.advance("pause", by=by, mode="forced")

    async def resume(self, by: Principal) -> None:
        """See `Work`."""
        kept = await self._running()
        await self._job.statuses.advance("resume", by=by)
        self._signal(kept, signal.SIGCONT)

    async def stop(self, grace_seconds: float) -> None:
        """See `Work`: SIGTERM to the whole process group, and SIGKILL when the grace is over."""
        if self._starting is None:
            if self._task is not None:
                self._task.cancel()
            return
        # A start that fails ends the run by itself.
        with suppress(DescartesError):
            kept = await asyncio.shield(self._starting)
            await kept.end(grace_seconds)

    async def send(self, text: str) -> None:
        """See `Work`: TEXT goes to the standard input, as it is."""
        await (await self._running()).write(text)

    def unfinished(self) -> Sequence[NewEvent]:
        """See `Work`."""
        return ()

    async def _process(self) -> KeptProcess:
        job, folder = self._job, self._job.places.records / "process"
        if job.recovered is not None and folder.exists():
            kept = await self._take_up(folder)
            await asyncio.to_thread(self._output.skip)
            await job.statuses.phase(None)
        elif job.recovered is not None and job.recovered["status"] != "initializing":
            raise NotFound("The hub ended, and no record of the process of this run is left")
        else:
            kept = await self._start()
        if job.recovered is None or job.recovered["status"] == "initializing":
            process = kept.identity._asdict()
            await job.journal.add(job.journal.event("system", "run.process", process))
            await job.statuses.advance("ready")
        return kept

    async def _start(self) -> KeptProcess:
        job = self._job
        if job.record.asks_first:
            await self._ask()
        check_command_known(job.record)
        # Whoever chose the command may give it these secrets, or a person has just allowed it.
        environment = await job.secrets.environment(
            job.environment, job.record.secrets, allowed=True, call=None
        )
        command = Command(
            command=job.record.command or [],
            cwd=str(job.around.workspace),
            environment=environment,
            stdout=str(self._output.file("stdout")),
            stderr=str(self._output.file("stderr")),
            secrets=job.secrets.masked(),
        )
        # Not cancelled with this task: a hub that ends leaves the process to the next one.
        self._starting = asyncio.ensure_future(KeptProcess.start(job.places.records / "process", command))
        return await asyncio.shield(self._starting)

    async def _take_up(self, folder: Path) -> KeptProcess:
        kept = await KeptProcess.take_up(folder)
        if kept is None:
            raise NotFound(
                "The hub ended while it started the process of this run, and nothing is known of it"
            )
        self._starting = asyncio.get_running_loop().create_future()
        self._starting.set_result(kept)
        return kept

    async def _ask(self) -> None:
        self._asking = True
        await command_allowed(self._job)
        self._asking = False

    async def _running(self) -> KeptProcess:
        """Return the process, waiting for its start when that is under way."""
        if self._asking:
            raise InvalidTransition("The command of this run waits for a person to allow it")
        await self._ready.wait()
        if self._kept is None:
            raise InvalidTransition("The process of this run could not be started")
        return self._kept

    def _signal(self, kept: KeptProcess, number: signal.Signals) -> None:
        if not kept.signal(number):
            raise InvalidTransition("The process of this run has just ended")


def _ending(ended: Exit) -> Ending:
    if ended.code == 0:
        return Ending("complete", exit_code=0)
    return Ending("fail", str(ended), ended.code)

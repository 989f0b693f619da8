"""A run of the backend `model`: the loop of model and tools, paused and stopped between its steps."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from descartes_core.agents.conversation import Conversation
from descartes_core.agents.loop import drive
from descartes_core.agents.models import open_model
from descartes_core.agents.past import remember
from descartes_core.errors import Cancelled, DescartesError, InvalidTransition, LeaseLost
from descartes_core.model import NewEvent, Principal, RunStatus
from descartes_core.runs.equipment import executor_of, follow, hands_of
from descartes_core.runs.output import Output
from descartes_core.runs.work import Ending, Job


class ModelRun:
    """The work of one model run, and what its loop is controlled by (`agents.control.Control`).

    Invariant: only the loop's own task changes the status; whoever pauses, resumes or stops leaves a wish.
    But while the command of a step is frozen, and the task can only wait, the pause by force is theirs.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._statuses = job.statuses
        self._status: RunStatus = job.recovered["status"] if job.recovered else "initializing"
        self._conversation = Conversation()
        self._output = Output(job.places.output, job.record.id, job.around.on_output, job.around.settings)
        self._hands = hands_of(job)
        self._executor = executor_of(job, self._conversation, self._hands, self)
        self._task: asyncio.Task[Any] | None = None
        self._ended = asyncio.Event()
        self._interruptible = True
        self._stopping = False
        self._paused_by = job.journal.principal if job.recovered and _was_paused(job.recovered) else None
        self._resumed_by: Principal | None = None
        self._resumed = asyncio.Event()
        self._goes_on = asyncio.Event()
        self._held = False
        self._frozen = False

    async def perform(self) -> Ending:
        """See `Work`."""
        self._task = asyncio.current_task()
        forget = await self._follow_log()
        try:
            model = await asyncio.to_thread(
                open_model, self._job.record.model or "", self._job.around.workspace
            )
            await drive(model, self._conversation, self._executor, self._job.journal, self)
        except LeaseLost as lost:
            await self._say_why(lost)
            return Ending("fail", f"{lost.code}: {lost.message}")
        finally:
            forget()
            self._ended.set()
            self._goes_on.set()
        return Ending("complete")

    async def pause(self, by: Principal, *, force: bool) -> None:
        """See `Work`; by FORCE the processes of a command stop where they are, any other step is finished."""
        self._paused_by = by
        if force and await self._hands.freeze():
            await self._freeze(by)
        elif self._status != "paused":
            await self._statuses.phase("pausing", by=by)

    async def resume(self, by: Principal) -> None:
        """See `Work`.

        Errors: `InvalidTransition` when the run is not paused by anybody but waits for an answer.
        """
        if self._paused_by is None and self._status == "paused":
            raise InvalidTransition(
                "The run waits for an answer; answer its intervention", **{"from": "paused", "to": "running"}
            )
        self._paused_by, self._resumed_by = None, by
        self._goes_on.clear()
        self._resumed.set()
        if self._held:
            await self._goes_on.wait()
        elif self._frozen:
            await self._thaw(by)
        elif self._status != "paused":
            await self._statuses.phase(None, by=by)

    async def stop(self, grace_seconds: float) -> None:
        """See `Work`."""
        self._stopping = True
        if not self._interruptible and grace_seconds > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), grace_seconds)
        if self._task is not None and not self._ended.is_set():
            self._task.cancel()
        if self._job.recovered is not None:
            await self._hands.end_leftovers()

    async def send(self, text: str) -> None:
        """See `Work`; the loop reads the log."""

    def unfinished(self) -> Sequence[NewEvent]:
        """See `Work`."""
        return self._executor.given_up()

    async def boundary(self) -> None:
        """See `Control`."""
        if self._stopping:
            raise Cancelled("The run was stopped")
        while self._paused_by is not None:
            await self._hold(self._paused_by)

    async def thinking(self) -> None:
        """See `Control`."""
        self._interruptible = True
        self._status = await self._statuses.advance("think")

    async def acting(self) -> None:
        """See `Control`; a run that is recovered while it waits goes on waiting."""
        self._interruptible = False
        if self._status == "initializing":  # its first steps were asked for before it was forked off
            self._status = await self._statuses.advance("ready")
        if self._status != "paused":
            self._status = await self._statuses.advance("act")

    @asynccontextmanager
    async def waiting(self, question: str) -> AsyncIterator[None]:
        """See `Control`."""
        self._interruptible = True
        self._status = await self._statuses.advance("pause", phase="waiting", intervention=question)
        try:
            yield
        except DescartesError:
            await self._act_again()
            raise
        await self._act_again()

    def say(self, text: str) -> None:
        """See `Control`."""
        self._output.add("stdout", self._job.secrets.text(text))

    async def _freeze(self, by: Principal) -> None:
        """Note that the command is stopped, and is not waited for when the run is told to stop."""
        if self._paused_by is None:  # resumed while the command was being started
            self._hands.thaw()
            return
        self._frozen = self._interruptible = True
        try:
            self._status = await self._statuses.advance("pause", by=by, mode="forced")
        except BaseException:
            self._frozen = self._interruptible = False
            self._hands.thaw()
            raise

    async def _thaw(self, by: Principal) -> None:
        self._frozen = self._interruptible = False
        self._status = await self._statuses.advance("resume", by=by)
        self._hands.thaw()

    async def _act_again(self) -> None:
        self._interruptible = False
        self._status = await self._statuses.advance("resume")

    async def _hold(self, by: Principal) -> None:
        self._interruptible = True
        self._frozen = False
        self._resumed.clear()
        if self._status == "initializing":
            self._status = await self._statuses.advance("ready")
        self._status = await self._statuses.advance("pause", by=by, mode="cooperative")
        self._held = True
        await self._resumed.wait()
        self._held = False
        self._status = await self._statuses.advance("resume", by=self._resumed_by)
        self._goes_on.set()

    async def _follow_log(self) -> Callable[[], None]:
        """Fold what the log has of this run and go on folding; return what ends that."""
        if self._job.record.fork is not None:
            await remember(self._job.around.store.reader, self._job.record.fork, self._conversation)
        return await follow(self._job, self._conversation.apply)

    async def _say_why(self, lost: LeaseLost) -> None:
        text = f"I stop here. {lost.message}. What I had not written stays unwritten."
        message = {"role": "assistant", "content": text, "messageId": uuid.uuid4().hex, "toolCalls": []}
        journal = self._job.journal
        parent = self._conversation.last_event
        await journal.add(journal.event("communication", "message", message, parent=parent))
        self.say(f"{text}\n")


def _was_paused(row: Mapping[str, Any]) -> bool:
    return bool(row["phase"] == "pausing" or (row["status"] == "paused" and row["phase"] != "waiting"))

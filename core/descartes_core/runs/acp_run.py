"""A run of the backend `acp`: an agent of another program that speaks the Agent Client Protocol.

The agent is a process under a keeper, as a command is, but it talks with the hub and ends with it.
"""

from __future__ import annotations

import asyncio
import importlib
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from descartes_core.agents.conversation import Conversation, Step
from descartes_core.errors import InterventionClosed, InvalidTransition, NotFound
from descartes_core.model import Event, NewEvent, Principal, RunStatus
from descartes_core.policy.rules import ToolCall
from descartes_core.processes.identity import is_alive
from descartes_core.processes.kept import KeptProcess
from descartes_core.runs.acp.standing import Standing
from descartes_core.runs.allowing import check_command_known, command_allowed
from descartes_core.runs.equipment import executor_of, follow, hands_of
from descartes_core.runs.output import Output
from descartes_core.runs.work import Ending, Job
from descartes_core.store import EventQuery

if TYPE_CHECKING:
    from descartes_core.runs.acp.session import Session

END_SECONDS = 2.0
"""How long an agent whose work is done may take to end, before it is killed."""
LAST_BYTES = 2000


class AcpRun:
    """The work of one run with an agent of another program."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._conversation = Conversation()
        self._open: dict[str, Step] = {}
        status: RunStatus = job.recovered["status"] if job.recovered else "initializing"
        self._standing = Standing(job.statuses, status)
        self._hands = hands_of(job)
        self._executor = executor_of(job, self._conversation, self._hands, self._standing)
        self._output = Output(job.places.output, job.record.id, job.around.on_output, job.around.settings)
        self._kept: KeptProcess | None = None
        self._session: Session | None = None
        self._task: asyncio.Task[Any] | None = None
        self._talked = asyncio.Event()

    async def perform(self) -> Ending:
        """See `Work`; the agent ends when this is cancelled."""
        self._task = asyncio.current_task()
        forget = await follow(self._job, self._heard)
        try:
            row = self._job.recovered
            earlier = None if row is None else await self._taken_up(row)
            if self._job.record.asks_first and earlier is None:
                await command_allowed(self._job)
            return await self._with_agent(earlier)
        finally:
            self._talked.set()
            forget()

    async def pause(self, by: Principal, *, force: bool) -> None:
        """See `Work`; without FORCE the agent is held where it next asks for something."""
        if not force:
            await self._standing.pause(by)
            return
        session, kept = self._running()
        session.channel.hold()
        if not kept.signal(signal.SIGSTOP):
            session.channel.release()
            raise InvalidTransition("The agent of this run has just ended")
        await self._standing.freeze(by)

    async def resume(self, by: Principal) -> None:
        """See `Work`."""
        await self._standing.resume(by)
        if self._kept is not None and self._session is not None:
            self._kept.signal(signal.SIGCONT)
            self._session.channel.release()

    async def stop(self, grace_seconds: float) -> None:
        """See `Work`: the agent is told to cancel its turn, then its process group ends."""
        self._standing.stop()
        if self._kept is None or self._session is None:
            if self._task is not None:
                self._task.cancel()
            return
        if grace_seconds > 0:
            self._kept.signal(signal.SIGCONT)
            self._session.channel.release()
            with suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(grace_seconds):
                    if self._session.prompted:
                        await self._session.cancel()
                        await self._talked.wait()
        await self._kept.end(END_SECONDS if self._talked.is_set() else 0)

    async def send(self, text: str) -> None:
        """See `Work`; the agent is told behind its turn, what it is told stands in the log."""

    def unfinished(self) -> Sequence[NewEvent]:
        """See `Work`."""
        return self._executor.given_up(self._open.values())

    def _heard(self, event: Event) -> None:
        self._conversation.apply(event)
        if event.name == "tool.started":
            call = ToolCall(id=event.data["callId"], name=event.data["tool"], arguments={})
            self._open[call.id] = Step(call, event.parent or "", event.id)
        elif event.name in ("tool.completed", "tool.failed"):
            self._open.pop(event.data["callId"], None)

    async def _with_agent(self, earlier: str | None) -> Ending:
        check_command_known(self._job.record)
        module = await asyncio.to_thread(importlib.import_module, "descartes_core.runs.acp.session")
        await asyncio.to_thread(self._output.file, "stderr")
        session: Session = module.Session(
            self._job, self._conversation, self._hands, self._standing, self._output, earlier
        )
        following = asyncio.create_task(self._output.follow())
        try:
            self._kept = await self._started(session)
            return await self._until_either(session, self._kept)
        finally:
            self._talked.set()
            await asyncio.shield(asyncio.ensure_future(self._leave(session)))
            following.cancel()
            while await asyncio.to_thread(self._output.tell_new):
                pass

    async def _started(self, session: Session) -> KeptProcess:
        job = self._job
        kept = await session.start()
        self._session = session
        await job.journal.add(job.journal.event("system", "run.process", kept.identity._asdict()))
        return kept

    async def _until_either(self, session: Session, kept: KeptProcess) -> Ending:
        """Return how the work ended, or how it cannot go on because the agent KEPT is not there any more."""
        talking = asyncio.ensure_future(session.work())
        gone = asyncio.ensure_future(kept.wait())
        try:
            await asyncio.wait({talking, gone}, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                session.channel.finish()
            try:
                return await talking
            except ConnectionError:
                await asyncio.wait({gone}, timeout=END_SECONDS)
                # Its keeper may take long to tell of an end that the system knows of already.
                ended = None if is_alive(kept.identity) else await gone
                return session.lost(ended, await asyncio.to_thread(self._last_words))
        finally:
            for each in (talking, gone):
                each.cancel()
            await asyncio.gather(talking, gone, return_exceptions=True)

    def _last_words(self) -> str:
        file = self._output.file("stderr")
        size = file.stat().st_size if file.exists() else 0
        text = self._output.read("stderr", max(0, size - LAST_BYTES), LAST_BYTES).text
        return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")

    async def _leave(self, session: Session) -> None:
        """End the agent and let go of it; the status stays as it is for whoever takes the run up."""
        self._standing.stop()
        try:
            await session.close()
        finally:
            if self._kept is not None:
                await self._kept.end(END_SECONDS)
                self._kept.close()

    async def _taken_up(self, row: Mapping[str, Any]) -> str | None:
        """End what an earlier hub left of a run, its ROW; return the agent's session that it goes on with.

        None when it had not begun.
        Errors: `NotFound` for an agent that cannot: what it knew of its task went with it.
        """
        for folder in sorted(self._job.places.records.glob("said.*.process")):
            kept = await KeptProcess.take_up(folder)
            if kept is not None:
                await kept.end(grace_seconds=0)
                kept.close()
        if row["status"] == "initializing":
            return None
        await asyncio.to_thread(self._output.skip)
        if (session := await self._session_to_load()) is None:
            raise NotFound(
                "The hub ended, and the agent that talked with it ended too; spawn the run again, its history"
                " says how far it came"
            )
        await self._give_up_calls()
        if row["status"] == "paused" and row["phase"] != "waiting":
            self._standing.stay_paused(self._job.journal.principal)
        return session

    async def _session_to_load(self) -> str | None:
        query = EventQuery(run=self._job.record.id, type="agent.connected", limit=1)
        found = (await self._job.around.store.reader.events(query)).events
        return found[0].data["agentSession"] if found and found[0].data.get("loads") else None

    async def _give_up_calls(self) -> None:
        """End in the log what the earlier agent had begun, and asked: it asks again, under other names."""
        journal, questions = self._job.journal, self._job.around.interventions
        ended = self.unfinished()
        if ended:
            await journal.add(*ended)
        for question in await questions.list(run=self._job.record.id):
            with suppress(InterventionClosed):
                await questions.close(question.id, "the agent that asked has ended", by=journal.principal)

    def _running(self) -> tuple[Session, KeptProcess]:
        if self._session is None or self._kept is None:
            raise InvalidTransition("The agent of this run has not been started yet")
        return self._session, self._kept

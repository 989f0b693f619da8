"""`Runs`: every run of a workspace, started, watched, controlled, and taken up again after the hub died."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from descartes_core.agents.questions import check_approval
from descartes_core.config.table import Settings
from descartes_core.errors import Cancelled, DescartesError, InvalidTransition
from descartes_core.git_head import head_commit
from descartes_core.leases import Leases
from descartes_core.memory.memory import Memory
from descartes_core.model import Principal, Run
from descartes_core.policy.interventions import Interventions
from descartes_core.policy.rules import ToolLevel
from descartes_core.ports import BodySnapshots, Forms, LispPort, NoSnapshots
from descartes_core.runs import giving, spawning, tokens
from descartes_core.runs.backends import BACKENDS
from descartes_core.runs.leasing import lease_again
from descartes_core.runs.machine import is_terminal
from descartes_core.runs.output import RunOutput, read_output
from descartes_core.runs.projection import RunRecord, record_of
from descartes_core.runs.queries import RunView
from descartes_core.runs.renewing import Renewing
from descartes_core.runs.request import SpawnRequest
from descartes_core.runs.statuses import Statuses
from descartes_core.runs.turns import Turns
from descartes_core.runs.work import Ending, Job, OutputListener, Surroundings, ToolServer, Work
from descartes_core.store import Store, Transaction
from descartes_core.timetravel.forks import fork_into
from descartes_core.vault.secrets import Secrets

log = logging.getLogger(__name__)

GRACE_SECONDS = 5.0
EVERY = 1_000_000


@dataclass(eq=False)
class LiveRun:
    """A run that has not ended, under this supervisor."""

    job: Job
    work: Work
    queued: bool = False
    """Whether it is still idle, because it waits for its turn."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    ending: Ending | None = None
    """How it is to end, whatever its work says, and who wants it so."""
    ended_by: Principal | None = None
    task: asyncio.Task[None] | None = None


class Runs(RunView):
    """The runs of one workspace; also reads them (`list`, `show`).

    Concurrency: belongs to its store's loop; one supervisor for a log. Whoever makes one calls `recover`
    before anything else and `close` at the end.
    """

    def __init__(
        self,
        store: Store,
        leases: Leases,
        interventions: Interventions,
        lisp: LispPort | None,
        workspace: Path,
        *,
        state: Path,
        runtime: Path,
        on_output: OutputListener | None = None,
        unsaved_in: Callable[[Path], str | None] = lambda path: None,
        grace_seconds: float = GRACE_SECONDS,
        forms: Forms | None = None,
        memory: Memory | None = None,
        settings: Callable[[], Settings] = Settings,
        body: BodySnapshots | None = None,
        secrets: Secrets | None = None,
        tool_server: ToolServer | None = None,
    ) -> None:
        """STATE is where output is kept (`.descartes`), RUNTIME where records of processes lie.

        ON_OUTPUT is told of each piece of output; UNSAVED_IN names the editor that has unsaved changes in a
        file, by its real path: writing there is asked about whatever the tool level. FORMS finds the
        top-level forms of files, for leases on one form. MEMORY is what runs can remember and are told
        before they begin. SETTINGS gives them as they are when asked. BODY keeps the files around what
        they do to them. SECRETS is the vault that steps are given from. Agents of other programs are given
        the tools of TOOL_SERVER.
        """
        super().__init__(store.reader, store.clock)
        self._around = Surroundings(
            store,
            leases,
            interventions,
            lisp,
            workspace.resolve(),
            state,
            runtime,
            on_output,
            unsaved_in,
            body or NoSnapshots(),
            forms,
            memory,
            settings,
            secrets,
            tool_server,
        )
        self._grace_seconds = grace_seconds
        self._live: dict[str, LiveRun] = {}
        self._turns = Turns(lambda: settings().performance.max_concurrent_agents)
        self._unlisten = store.on_events(self._turns.heard)
        self.look = self._turns.look
        """Gives runs that wait their turn, when the settings let more of them work."""
        self._closing = False
        self._renewing = Renewing(store, leases, self._live)
        self._renewal: asyncio.Task[None] | None = None
        interventions.check_answers("approval", check_approval)

    @property
    def active(self) -> int:
        """How many runs are under way here."""
        return len(self._live)

    async def spawn(
        self, request: SpawnRequest, *, by: Principal, environment: Mapping[str, str] | None = None
    ) -> Run:
        """Begin a run for BY, with ENVIRONMENT (this process's when None) for what it starts; return it.

        Errors: `InvalidParams`, `PolicyDenied`; `LeaseHeld` for one of its files, and then there is no run;
        `NotFound` for a fork that is none.
        """
        base = dict(os.environ) if environment is None else environment
        # As the log will have it, so that the run is called the same by everybody from the beginning.
        called = request.agent and self._around.store.redactor.text(request.agent)
        request = msgspec.structs.replace(request, agent=called)
        await giving.check(self._around.secrets, request, by, self._record_of(by))
        token = tokens.new_token()
        parent = await self._level_of(by)
        said, fork = request.task, None
        if request.fork is not None:
            fork = await fork_into(self._around.store.reader, request.fork)
            request = spawning.continued(request, record_of(await self.row(fork.run)))
        record = spawning.record_for(
            request,
            token,
            by=by,
            parent=parent,
            environment=base,
            fork=fork,
            spawner=self._record_of(by),
            session=await spawning.session_of(request, self._record_of(by), self._around.store.reader),
        )
        live = self._make(record, tokens.environment(base, record.id, token), None)
        job = live.job
        advice = await spawning.advice_for(record, said, self._around.memory)
        await asyncio.to_thread(tokens.keep, job.places.records, token)
        job.journal.commit = await asyncio.to_thread(head_commit, self._around.workspace)
        live.queued = not self._turns.enter(record.id, by.id if by.kind == "agent" else None)
        begins, leases = not live.queued, spawning.Leasing(self._around.leases, job.lease_seconds())
        try:
            await self._around.store.transact(
                lambda tx: spawning.birth(
                    tx, record, job.journal, job.statuses, leases, by, said, advice, begins=begins
                )
            )
        except BaseException:
            self._turns.leave(record.id)
            raise
        self._begin(live)
        return await self.show(record.id)

    async def pause(self, id_prefix: str, *, by: Principal, force: bool = False) -> Run:
        """Pause a run when its step is done, or with FORCE stop its process group at once; return the run.

        A step of a model run that has no process of its own is finished also with FORCE.
        Errors: `RunNotFound`; `InvalidTransition` for one that has ended; `InvalidParams` for a process
        without FORCE.
        """
        live = await self._find(id_prefix, begun=True)
        await live.work.pause(by, force=force)
        return await self.show(live.job.record.id)

    async def resume(self, id_prefix: str, *, by: Principal) -> Run:
        """Let a paused run go on; return it. Errors: `RunNotFound`, `InvalidTransition`."""
        live = await self._find(id_prefix, begun=True)
        await live.work.resume(by)
        return await self.show(live.job.record.id)

    async def stop(self, id_prefix: str, *, by: Principal, reason: str | None = None) -> Run:
        """End a run after its step, a process by SIGTERM, by force after a grace; return it ended."""
        return await self._end(id_prefix, by, reason or f"stopped by {by.name}", self._grace_seconds)

    async def kill(self, id_prefix: str, *, by: Principal, reason: str | None = None) -> Run:
        """End a run and its whole process group at once; return it ended."""
        return await self._end(id_prefix, by, reason or f"killed by {by.name}", 0)

    async def send(self, id_prefix: str, text: str, *, by: Principal) -> Run:
        """Give TEXT to a run: to the standard input of a process, else as a message before its next turn.

        Errors: `RunNotFound`, `InvalidTransition`; `TimedOut` when a process does not read it.
        """
        live = await self._find(id_prefix, begun=True)
        await live.work.send(text)
        message = {"role": "user", "content": text, "messageId": uuid.uuid4().hex}
        journal = live.job.journal
        await journal.add(journal.event("communication", "message", message, by=by))
        return await self.show(live.job.record.id)

    async def output(self, id_prefix: str, stream: str = "stdout", since: int = 0) -> RunOutput:
        """Return what a run wrote on STREAM from the cursor SINCE on, whether it has ended or not."""
        run = await self.show(id_prefix)
        limit = self._around.settings().performance.stream_buffer_size
        return await read_output(self._around.state, run.id, stream, since, limit)

    async def wait(self, id_prefix: str) -> Run:
        """Return a run when it has ended."""
        run = await self.show(id_prefix)
        if run.id in self._live:
            await self._live[run.id].ended.wait()
        return await self.show(run.id)

    async def principal(self, run: str, token: str) -> Principal | None:
        """Return who a process is that has RUN and TOKEN in its environment; None when they do not fit."""
        try:
            record = record_of(await self.row(run))
        except DescartesError:
            return None
        fits = tokens.fits(token, record.token_hash)
        return Principal(kind="agent", id=record.id, name=record.agent) if fits else None

    async def recover(self) -> Sequence[Run]:
        """Take up every run that had not ended when the hub before this one did; return them.

        A process goes on or its exit is read; a model run is entered again at its last step boundary.
        """
        # The oldest first: who waited for a turn goes on waiting in the same order.
        found = [run.id for run in reversed(await self.list("active", limit=EVERY))]
        for run in found:
            try:
                await self._take_up(await self.row(run))
            except Exception:
                # One run that this program cannot understand must not keep the hub from starting.
                log.exception("the run %s could not be taken up", run)
        return [await self.show(run) for run in found if run in self._live]

    async def close(self) -> None:
        """Let go of every run without ending it: processes go on, `recover` enters model runs again."""
        self._closing = True
        self._unlisten()
        tasks = [live.task for live in self._live.values() if live.task is not None]
        if self._renewal is not None:
            tasks.append(self._renewal)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _take_up(self, row: Mapping[str, Any]) -> None:
        record = record_of(row)
        token = await asyncio.to_thread(tokens.kept, self._around.places(record.id).records)
        queued, environment = row["status"] == "idle", tokens.environment(os.environ, record.id, token or "")
        live = self._make(record, environment, None if queued else row)
        live.queued, live.job.journal.root = queued, row["event"]
        spawner = (await self._around.store.reader.event(row["event"])).actor
        parent = spawner.id if spawner.kind == "agent" else None
        self._turns.enter(record.id, parent, begun=not queued, rests=row["status"] == "paused")
        if not queued:
            await live.job.statuses.phase("recovering")
        await lease_again(live.job)
        self._begin(live)

    def _make(
        self, record: RunRecord, environment: Mapping[str, str], recovered: Mapping[str, Any] | None
    ) -> LiveRun:
        around = self._around
        journal = spawning.journal_of(around.store, record)
        journal.root = recovered["event"] if recovered is not None else None
        places = around.places(record.id)
        job = Job(record, environment, recovered, around, places, journal, Statuses(journal))
        return LiveRun(job, BACKENDS[record.backend](job))

    def _begin(self, live: LiveRun) -> None:
        run = live.job.record.id
        self._live[run] = live
        live.task = asyncio.create_task(self._supervise(live), name=run)
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._renewing.run())
        self._renewing.look()

    async def _supervise(self, live: LiveRun) -> None:
        try:
            ending = await self._ending(live)
            if ending is not None:
                await self._finish(live, ending)
        except Exception:
            # The log cannot be written. The run has not ended there and is taken up again by the next hub.
            log.exception("the end of %s could not be recorded", live.job.record.id)
        finally:
            self._live.pop(live.job.record.id, None)
            self._turns.leave(live.job.record.id)
            live.ended.set()

    async def _ending(self, live: LiveRun) -> Ending | None:
        """Return how the work of LIVE ended; None when it goes on without this supervisor."""
        try:
            await self._turn(live)
            ending = await self._performed(live)
        except asyncio.CancelledError:
            if self._closing and live.ending is None:
                return None
            ending = Ending("terminate", "cancelled")
        except Cancelled as wanted:
            ending = Ending("terminate", wanted.message)
        except DescartesError as problem:
            ending = Ending("fail", f"{problem.code}: {problem.message}")
        except Exception:
            log.exception("the run %s failed by a bug", live.job.record.id)
            ending = Ending("fail", "a bug of Descartes; its log has the details")
        if live.ending is None:
            return ending
        return Ending("terminate", live.ending.reason, ending.exit_code)

    async def _performed(self, live: LiveRun) -> Ending:
        job, body = live.job, self._around.body
        works = job.record.backend == "process"
        # What an earlier hub kept when the run began is still there; a command is still at work.
        if job.recovered is None or works:
            await body.run_begins(job.record.id, works=works)
        return await live.work.perform()

    async def _finish(self, live: LiveRun, ending: Ending) -> None:
        job, run = live.job, live.job.record.id
        # Before its leases go: until then nobody else changes its files.
        await self._around.body.run_ended(run)
        await self._around.leases.release_all(run=run, parent=job.journal.root)
        unfinished = live.work.unfinished()
        data = {"reason": ending.reason, "exitCode": ending.exit_code}
        told: dict[str, Any] = {key: value for key, value in data.items() if value is not None}

        def body(tx: Transaction) -> None:
            for event in unfinished:
                tx.append(event)
            by = live.ended_by or job.journal.principal
            self._around.interventions.close_of_run(tx, run, "the run has ended", by)
            if ending.event == "complete":
                job.statuses.leave_pause(tx)
            job.statuses.take(tx, ending.event, by=live.ended_by, **told)

        await self._around.store.transact(body)
        await asyncio.to_thread(shutil.rmtree, job.places.records, ignore_errors=True)

    async def _end(self, id_prefix: str, by: Principal, reason: str, grace_seconds: float) -> Run:
        live = await self._find(id_prefix)
        if live.ending is None:
            live.ending, live.ended_by = Ending("terminate", reason), by
        if live.queued and live.task is not None:
            live.task.cancel()
        else:
            await live.work.stop(grace_seconds)
        await live.ended.wait()
        return await self.show(live.job.record.id)

    async def _turn(self, live: LiveRun) -> None:
        """Return when LIVE may work, its status then no longer idle."""
        if live.queued:
            await self._turns.turn(live.job.record.id)
            await live.job.statuses.advance("start")
            live.queued = False

    async def _find(self, id_prefix: str, *, begun: bool = False) -> LiveRun:
        run = await self.show(id_prefix)
        if begun and run.id in self._live and self._live[run.id].queued:
            raise InvalidTransition(f"The run {run.id[4:12]} waits for its turn, as the settings want it")
        if run.id in self._live:
            return self._live[run.id]
        if is_terminal(run.status):
            raise InvalidTransition(f"The run {run.id[4:12]} has ended: it is {run.status}", run=run.id)
        raise InvalidTransition(f"The run {run.id[4:12]} is not under this hub", run=run.id)

    def _record_of(self, by: Principal) -> RunRecord | None:
        """Return the record of BY when it is a run under this supervisor."""
        found = self._live.get(by.id) if by.kind == "agent" else None
        return None if found is None else found.job.record

    async def _level_of(self, by: Principal) -> ToolLevel | None:
        """Return the tool level that bounds what BY may spawn: its own for a run, none for a person."""
        if by.kind == "agent" and by.id in self._live:
            return self._live[by.id].job.record.tool_level
        return None if by.kind == "human" else "full"

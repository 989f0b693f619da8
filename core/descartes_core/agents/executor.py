"""The one way a tool is called: arguments checked, lease taken, policy asked, then executed and recorded.

Every call gets exactly one result in the log, whatever becomes of it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from descartes_core.agents.conversation import Conversation, Step
from descartes_core.agents.hands import Hands
from descartes_core.agents.journal import Journal
from descartes_core.agents.masked import check_unmasked
from descartes_core.agents.questions import Questions, Reply
from descartes_core.agents.step_secrets import StepSecrets
from descartes_core.agents.tools import COMMANDS, WRITING
from descartes_core.agents.tools.files import planned
from descartes_core.agents.tools.many_files import edit_files, preview
from descartes_core.agents.tools.paths import writable
from descartes_core.agents.tools.tool import Tool, ToolContext
from descartes_core.errors import Cancelled, DescartesError, InvalidParams, LeaseLost, PolicyDenied
from descartes_core.leases.shell_writes import written
from descartes_core.memory.memory import Memory, RunMemory
from descartes_core.memory.notebook import Author
from descartes_core.model import Lease, NewEvent
from descartes_core.policy.rules import (
    MUTATING,
    Allow,
    Ask,
    Asker,
    Deny,
    Policy,
    ToolCall,
    ToolLevel,
    paths_of,
)
from descartes_core.ports import BodySnapshots, LispPort, new_id

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ready:
    """A call that may be executed: its arguments are valid, its lease is held, nobody objects."""

    call: ToolCall
    tool: Tool
    parameters: msgspec.Struct
    allowed: bool = False
    """Whether a person accepted it as it is."""


class ToolExecutor:
    """Executes the tool calls of one run."""

    def __init__(
        self,
        *,
        workspace: Path,
        tools: Mapping[str, Tool],
        level: ToolLevel,
        policy: Policy,
        conversation: Conversation,
        questions: Questions,
        journal: Journal,
        hands: Hands,
        lisp: LispPort | None,
        unsaved_in: Callable[[Path], str | None],
        body: BodySnapshots,
        memory: Memory | None = None,
        about: Mapping[str, Any] | None = None,
        secrets: StepSecrets,
    ) -> None:
        """ABOUT is what conditions of the settings know of the run."""
        self._workspace = workspace
        self._tools = tools
        self._level: ToolLevel = level
        self._policy = policy
        self._about = about or {}
        self._conversation = conversation
        self._questions = questions
        self._journal = journal
        self._hands = hands
        self._lisp = lisp
        self._unsaved_in = unsaved_in
        self._memory = memory
        self._body = body
        self._secrets = secrets

    async def execute(self, step: Step, *, granted: bool = False) -> str | DescartesError:
        """Do STEP, or find out why not, and record its result; return it, or why there is none.

        GRANTED: a person has just accepted it in another form, and is not asked once more.
        Errors: `LeaseLost` after recording it, because then the whole run ends; `Cancelled` when a person
        chose to stop the run.
        """
        if step.started is not None and (skipped := await self._skipped(step)):
            return skipped
        try:
            ready = await self._prepare(step, granted)
        except Cancelled:
            raise
        except DescartesError as problem:
            await self._journal.add(*self._unexecuted(step, problem))
            if isinstance(problem, LeaseLost):
                raise
            return problem
        if isinstance(ready, Reply):
            await self._journal.add(*self._answered(step, ready))
            return ready.text
        return await self._run(step, ready)

    async def _skipped(self, step: Step) -> DescartesError | None:
        """Return why STEP, which was interrupted, is not done again; None when it is."""
        await self._hands.end_leftovers(step.call.id)
        if await self._questions.repeat(step):
            return None
        skipped = PolicyDenied("This call was interrupted, and a person chose to go on without it")
        await self._journal.add(*self._failed(step, skipped, step.started, 0))
        return skipped

    async def _prepare(self, step: Step, granted: bool) -> Ready | Reply:
        ready = self._parse(step.call)
        await check_unmasked(self._workspace, step.call)
        files = await self._written_by(ready.call)
        decided = self._decide(step.call)
        decision = self._with_unsaved(Allow() if granted else decided, ready.call, files)
        decision = await self._with_secrets(decision, ready.call)
        typed = await self._lease(ready, step, files)
        if typed is not None and isinstance(decision, Allow):
            decision = _below(typed, ready.call)
        if isinstance(decision, Allow):
            return ready
        answer = await self._questions.approve(step, decision.reason, await self._preview(ready.call))
        if isinstance(answer, Reply):
            return answer
        if answer == step.call:
            if step.call.name in COMMANDS and files:
                await self._hands.meet(files)  # the answer may have taken long, and nothing is held
            return replace(ready, allowed=True)
        # What a person wrote needs no second question, but no person's edit gets around a denial.
        edited = replace(self._parse(answer), allowed=True)
        await check_unmasked(self._workspace, answer)
        self._decide(answer)
        await self._lease(edited, step, await self._written_by(answer))
        return edited

    async def _preview(self, call: ToolCall) -> str | None:
        """Return what CALL would change, as a person reads it; None where its arguments say that.

        Errors: why it could not be executed.
        """
        if call.name != edit_files.name:
            return None
        return await asyncio.to_thread(preview, self._workspace, call.arguments)

    def _parse(self, call: ToolCall) -> Ready:
        tool = self._tools.get(call.name)
        if tool is None:
            raise InvalidParams(f"There is no tool {call.name!r}; there are {', '.join(self._tools)}")
        return Ready(call, tool, tool.parse(call.arguments))

    def _decide(self, call: ToolCall) -> Allow | Ask:
        decision = self._policy.decide(call, Asker(self._level, self._conversation.rejections, self._about))
        if isinstance(decision, Deny):
            raise PolicyDenied(decision.reason)
        return decision

    def _with_unsaved(self, decision: Allow | Ask, call: ToolCall, files: Sequence[Path]) -> Allow | Ask:
        """Return DECISION, or a question where CALL would write FILES below what a person is typing."""
        for path in files:
            if (editor := self._unsaved_in(path)) is not None:
                shown = path.relative_to(self._workspace) if path.is_relative_to(self._workspace) else path
                return Ask(f"{shown} has unsaved changes in {editor}, which {_this(call)} would not have")
        return decision

    async def _with_secrets(self, decision: Allow | Ask, call: ToolCall) -> Allow | Ask:
        """Return DECISION, or a question where CALL names secrets that the run may not have by itself."""
        names = call.arguments.get("secrets") or []
        lacking = await self._secrets.lacking(names)
        if names and isinstance(decision, Ask):
            return Ask(f"{decision.reason}; it is given {_secrets(names)}")
        if lacking:
            return Ask(f"{call.name} is given {_secrets(lacking)}, and nobody has granted that to this agent")
        return decision

    async def _written_by(self, call: ToolCall) -> Sequence[Path]:
        """Return the files that CALL writes by their real paths; those that a command plainly changes."""
        if call.name in WRITING:
            named = [writable(self._workspace, path) for path in paths_of(call.arguments)]
            return [*dict.fromkeys(named)]
        if call.name in COMMANDS:
            return await asyncio.to_thread(written, call.arguments["command"], self._workspace)
        return []

    async def _lease(self, ready: Ready, step: Step, files: Sequence[Path]) -> Lease | None:
        """Take what the call needs; returns the lease of a person whose unsaved text is in the way."""
        call = ready.call
        if call.name not in WRITING:
            return await self._hands.meet(files) if files else None
        return await self._hands.lease_all(
            {path: partial(planned, call.name, path, call.arguments, self._workspace) for path in files},
            step.asked_by,
        )

    async def _run(self, step: Step, ready: Ready) -> str | DescartesError:
        (started,) = await self._journal.add(self._started(step, ready.call))
        began = time.monotonic()
        hands = self._hands.of(step.call.id, started.id, allowed=ready.allowed)
        context = ToolContext(
            self._workspace, self._journal.run, hands, self._lisp, self._remembering(started.id), started.id
        )
        try:
            async with self._kept(ready.call):
                result = await ready.tool.call(context, ready.parameters)
        except Exception as error:
            problem = _told(error, ready.call)
            await self._journal.add(*self._failed(step, problem, started.id, _since(began)))
            if isinstance(problem, LeaseLost):
                raise problem from None
            return problem
        await self._journal.add(self._completed(step, result, started.id, _since(began)))
        return result

    def _remembering(self, parent: str) -> RunMemory | None:
        if self._memory is None:
            return None
        journal = self._journal
        author = Author(journal.principal, journal.run, journal.session, parent)
        return RunMemory(self._memory, author, journal.session)

    @asynccontextmanager
    async def _kept(self, call: ToolCall) -> AsyncIterator[None]:
        """Have the files kept before and after CALL, if it may change any."""
        if call.name not in MUTATING:
            yield
            return
        run = self._journal.run
        try:
            await self._body.before_step(run, call.id, call.name)
            yield
        except asyncio.CancelledError:
            self._body.abandon(run, call.id)
            raise
        except BaseException:
            await self._body.after_step(run, call.id)
            raise
        await self._body.after_step(run, call.id)

    def _unexecuted(self, step: Step, problem: DescartesError) -> list[NewEvent]:
        started = self._started(step, step.call, executed=False)
        return [started, *self._failed(step, problem, started.id, 0, executed=False)]

    def _answered(self, step: Step, reply: Reply) -> list[NewEvent]:
        started = self._started(step, step.call, executed=False)
        return [started, self._completed(step, reply.text, started.id, 0, executed=False)]

    def _started(self, step: Step, call: ToolCall, **more: Any) -> NewEvent:
        data = {"callId": call.id, "tool": call.name, "arguments": call.arguments, **more}
        return self._journal.event("tool_use", "tool.started", data, parent=step.asked_by, id=new_id("evt"))

    def _completed(self, step: Step, result: str, parent: str | None, ms: int, **more: Any) -> NewEvent:
        data = {**_of(step), "result": result, "durationMs": ms, **more}
        return self._journal.event("tool_use", "tool.completed", data, parent=parent)

    def given_up(self, steps: Iterable[Step] | None = None) -> list[NewEvent]:
        """Return the events that end what has begun and will not end by itself, because the run does.

        Of STEPS, or of those of the conversation.
        """
        ended = Cancelled("The run ended while this was being executed")
        looked = self._conversation.steps if steps is None else steps
        begun = [step for step in looked if step.started is not None]
        return [event for step in begun for event in self._failed(step, ended, step.started, 0)]

    def _failed(
        self, step: Step, problem: DescartesError, parent: str | None, ms: int, **more: Any
    ) -> list[NewEvent]:
        data = {**_of(step), "error": problem.as_json(), "durationMs": ms, **more}
        failed = self._journal.event("tool_use", "tool.failed", data, parent=parent, id=new_id("evt"))
        error = {
            "code": problem.code,
            "message": problem.message,
            "recoverable": not isinstance(problem, LeaseLost),
        }
        return [failed, self._journal.event("error", "error", error, parent=failed.id)]


def _below(typed: Lease, call: ToolCall) -> Ask:
    where = f" in {typed.holder.via}" if typed.holder.via else ""
    return Ask(
        f"{typed.path} has unsaved changes of {typed.holder.name}{where}, which {_this(call)} would not have"
    )


def _this(call: ToolCall) -> str:
    return "this command" if call.name in COMMANDS else "this write"


def _secrets(names: list[str]) -> str:
    return f"the {'secret' if len(names) == 1 else 'secrets'} {', '.join(names)}"


def _of(step: Step) -> dict[str, Any]:
    return {"callId": step.call.id, "tool": step.call.name}


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


def _told(error: Exception, call: ToolCall) -> DescartesError:
    if isinstance(error, DescartesError):
        return error
    if isinstance(error, OSError):
        return InvalidParams(f"{call.name} failed: {error.strerror or error}")
    log.exception("the tool %s failed", call.name, exc_info=error)
    return DescartesError(f"{call.name} failed in a way that is a bug of Descartes; its log has the details")

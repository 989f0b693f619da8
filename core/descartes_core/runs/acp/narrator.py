"""What an agent tells of its work, as events: words joined to messages, thoughts, calls with results.

One update after the other, in the order in which they came.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from acp import schema

from descartes_core.agents.conversation import Conversation
from descartes_core.errors import Cancelled, DescartesError
from descartes_core.model import Event, NewEvent
from descartes_core.ports import new_id
from descartes_core.runs.acp.calls import AgentCall, Told, text_of
from descartes_core.runs.acp.standing import Standing
from descartes_core.runs.acp.usage import Counter
from descartes_core.runs.work import Job

Voice = Literal["message", "thought"]
SIGNS = {"completed": "x", "in_progress": "~"}


class Narrator:
    """Tells the log of one run what its agent tells.

    Concurrency: its methods are called one after the other, by `Agent`.
    """

    def __init__(
        self, job: Job, conversation: Conversation, standing: Standing, say: Callable[[str], None]
    ) -> None:
        """SAY shows text as output of the run."""
        self.calls: dict[str, AgentCall] = {}
        """Those that have no result yet."""
        self._over: set[str] = set()
        self._job = job
        self._journal = job.journal
        self._conversation = conversation
        self._standing = standing
        self._say = say
        self._usage = Counter()
        self._voice: Voice | None = None
        self._parts: list[str] = []
        self._message: str | None = None
        self._heard = 0

    def told(self, messages: int) -> None:
        """Note that the agent was told MESSAGES more."""
        self._heard += messages

    async def take(self, update: Any) -> None:
        """Log what UPDATE tells; what says nothing about the work is passed over."""
        match update:
            case schema.AgentMessageChunk():
                await self._add("message", update)
            case schema.AgentThoughtChunk():
                await self._add("thought", update)
            case schema.ToolCallStart() | schema.ToolCallProgress():
                await self.call(update)
            case schema.AgentPlanUpdate():
                await self._plan(update)
            case schema.UsageUpdate():
                self._usage.cost = update.cost
            case _:
                return

    async def call(self, told: Told, *, asks: bool = False) -> AgentCall:
        """Log what is TOLD about a call of the agent, and return the call; ASKS: it waits for leave."""
        call = self.calls.get(told.tool_call_id)
        if call is None:
            call = AgentCall(told.tool_call_id, self._job.around.workspace)
            if call.id in self._over and not asks:
                return call  # it has its result, such as that it was refused
            await self.settle()
            self.calls[call.id] = call
        call.take(told)
        if call.started is None and (asks or call.status != "pending"):
            await self._start(call, asks=asks)
        elif call.status == "in_progress":
            await self.keep_files(call)
        if call.ended:
            await self._end(call)
        return call

    async def settle(self) -> None:
        """Log what was told in parts and goes no further: the words so far, calls that are under way."""
        await self.flush()
        for call in [each for each in self.calls.values() if each.started is None]:
            await self._start(call)

    async def turn_over(self, used: schema.Usage | None, *, cancelled: bool) -> None:
        """Log the rest of a turn, which USED so much: calls without an end have ended with it."""
        await self.settle()
        if self._heard:
            await self._log_words("message", "")
        for call in list(self.calls.values()):
            if cancelled:
                await self.refused(call, Cancelled("The turn was cancelled while this was being executed"))
            else:
                call.status = "completed"
                await self._end(call)
        if (counted := self._usage.new(used)) is not None:
            await self._add_event(self._journal.event("system", "run.usage", counted, parent=self.parent))

    async def refused(self, call: AgentCall, problem: DescartesError) -> None:
        """Log that CALL is not done because of PROBLEM, whatever its agent says of it from now on."""
        if self.calls.pop(call.id, None) is None:
            return
        await self._failed(call, problem)

    async def keep_files(self, call: AgentCall) -> None:
        """Keep the files before CALL, if it may change any and nobody did yet."""
        if call.changes and not call.kept:
            call.kept = True
            await self._job.around.body.before_step(self._job.record.id, call.id, call.name)

    def around(self, path: Path) -> AgentCall | None:
        """Return the call under way that is about the file PATH, a real path; one that was allowed first."""
        found = [each for each in self.calls.values() if each.started and each.concerns(path)]
        return next((each for each in found if each.allowed), found[0] if found else None)

    @property
    def parent(self) -> str | None:
        """The event that what comes next follows from."""
        return self._conversation.last_event

    async def _add(self, voice: Voice, chunk: schema.AgentMessageChunk | schema.AgentThoughtChunk) -> None:
        if voice != self._voice or chunk.message_id != self._message:
            await self.flush()
        if any(each.started is None for each in self.calls.values()):
            await self.settle()
        self._voice, self._message = voice, chunk.message_id
        text = text_of(chunk.content)
        self._parts.append(text)
        if voice == "message":
            self._say(text)

    async def flush(self) -> None:
        """Log the words so far."""
        text, voice = "".join(self._parts), self._voice
        self._parts, self._voice, self._message = [], None, None
        if voice is None or not text.strip():
            return
        if voice == "message":
            self._say("" if text.endswith("\n") else "\n")
        await self._log_words(voice, text)

    async def _log_words(self, voice: Voice, text: str) -> None:
        if voice == "thought":
            await self._think(text, "general")
            return
        heard, self._heard = self._heard, 0
        message = {
            "role": "assistant", "content": text, "messageId": uuid.uuid4().hex, "heard": heard,
            "toolCalls": [],
        }  # fmt: skip
        await self._add_event(self._journal.event("communication", "message", message, parent=self.parent))

    async def _plan(self, update: schema.AgentPlanUpdate) -> None:
        await self.settle()
        lines = [f"- [{SIGNS.get(each.status, ' ')}] {each.content}" for each in update.entries]
        await self._think("\n".join(lines), "plan")

    async def _think(self, text: str, kind: str) -> None:
        thought = {"content": text, "thoughtType": kind, "thoughtId": uuid.uuid4().hex}
        await self._add_event(self._journal.event("thought", "thought", thought, parent=self.parent))

    async def _start(self, call: AgentCall, *, asks: bool = False) -> None:
        await self.flush()
        asked = call.call()
        data = {"callId": asked.id, "tool": asked.name, "arguments": asked.arguments}
        started = await self._add_event(
            self._journal.event("tool_use", "tool.started", data, parent=self.parent, id=new_id("evt"))
        )
        call.started = started.id
        await self._standing.opened(call.id)
        if not asks:
            await self.keep_files(call)

    async def _end(self, call: AgentCall) -> None:
        if self.calls.pop(call.id, None) is None:
            return
        if call.status == "failed":
            await self._failed(call, DescartesError(call.result() or f"{call.title or call.name} failed"))
            return
        data = {**_of(call), "result": call.result()}
        await self._result(call, self._journal.event("tool_use", "tool.completed", data, parent=call.started))

    async def _failed(self, call: AgentCall, problem: DescartesError) -> None:
        data = {**_of(call), "error": problem.as_json()}
        failed = self._journal.event("tool_use", "tool.failed", data, parent=call.started, id=new_id("evt"))
        told = {"code": problem.code, "message": problem.message, "recoverable": True}
        error = self._journal.event("error", "error", told, parent=failed.id)
        await self._result(call, failed, *([error] if type(problem) is not DescartesError else []))

    async def _result(self, call: AgentCall, *events: NewEvent) -> None:
        self._over.add(call.id)
        await self._add_event(*events)
        if call.kept:
            await self._job.around.body.after_step(self._job.record.id, call.id)
        await self._standing.closed(call.id)

    async def _add_event(self, *events: NewEvent) -> Event:
        added = await self._journal.add(*events)
        return added[0]


def _of(call: AgentCall) -> dict[str, Any]:
    return {
        "callId": call.call().id,
        "tool": call.name,
        "durationMs": round((time.monotonic() - call.began) * 1000),
    }

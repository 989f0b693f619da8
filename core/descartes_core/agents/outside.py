"""A file tool called by somebody who is no run of ours: by the same rules, under the same leases.

A program that speaks for an agent asks its own user before it acts, so nothing is asked by default; the rules
of the settings count for it, and what a person has not saved is asked about as for a run. The child of a run
may do what that run may, and asks as that does. A person is not asked, but what is unsaved is refused.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import msgspec

from descartes_core.agents import fenced
from descartes_core.agents.masked import check_unmasked
from descartes_core.agents.questions import detail_of, title_of
from descartes_core.agents.run_leases import RunLeases
from descartes_core.agents.tools import TOOLS
from descartes_core.agents.tools.files import planned
from descartes_core.agents.tools.paths import writable
from descartes_core.agents.tools.tool import CommandResult, Tool, ToolContext
from descartes_core.errors import (
    DescartesError,
    InterventionClosed,
    InvalidParams,
    PolicyDenied,
    TimedOut,
    UnsavedChanges,
)
from descartes_core.leases import Leases
from descartes_core.leases.standing import Change
from descartes_core.model import Category, Choice, Intervention, Lease, NewEvent, Principal
from descartes_core.policy.interventions import Interventions
from descartes_core.policy.rules import Allow, Ask, Asker, Deny, Policy, ToolCall, ToolLevel
from descartes_core.ports import Forms, new_id
from descartes_core.store import Store
from descartes_core.timetravel.unbroken import to_its_end

CHOICES = (Choice(id="accept", title="Accept"), Choice(id="reject", title="Reject", arguments=["reason"]))
OUTSIDE = "outside"
"""What marks the data of a question that nobody waits for any more when the hub has ended."""


@dataclass(frozen=True)
class Outsider:
    """Who calls, the run and session whose child it is, and the client with which its leases end."""

    store: Store
    principal: Principal
    run: str | None = None
    session: str | None = None
    client: str | None = None
    level: ToolLevel = "trusted"
    files: Sequence[str] = ()
    """The files that the run was spawned on; of forms among them it writes nothing else."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """What conditions of the settings know of the run; they find all of it, empty, for who is none."""

    @property
    def is_person(self) -> bool:
        return self.principal.kind == "human" and self.run is None

    def event(
        self,
        category: Category,
        name: str,
        data: dict[str, Any],
        *,
        parent: str | None = None,
        id: str | None = None,
    ) -> NewEvent:
        """Return an event done by this caller. Its calls are not those of a run's own conversation."""
        run = self.run if category == "action" else None
        return NewEvent(
            category=category,
            name=name,
            stream="files",
            actor=self.principal,
            run=run,
            parent=parent,
            data=data,
            id=id,
        )


class Body(Protocol):
    """The files of the workspace, kept around a change."""

    def change_of(
        self, who: Principal, call: str, reason: str, *, run: str | None = None
    ) -> AbstractAsyncContextManager[None]:
        """Have the files kept before and after what WHO does inside the block."""
        ...


@dataclass(frozen=True)
class Desk:
    """What is needed to do such calls in one workspace."""

    workspace: Path
    leases: Leases
    interventions: Interventions
    body: Body
    policy: Policy
    forms: Forms
    unsaved_in: Callable[[Path], str | None]
    ttl_seconds: Callable[[], float]


class OutsideCall:
    """One call of the tool NAME, which writes a file, with ARGUMENTS by CALLER at DESK."""

    def __init__(
        self,
        desk: Desk,
        caller: Outsider,
        name: str,
        arguments: Mapping[str, Any],
        *,
        digest: str | None,
        wait_ms: int | None,
    ) -> None:
        """DIGEST: that of the content that the change is based on. WAIT_MS: how long an answer is awaited."""
        self._desk = desk
        self._caller = caller
        self._call = ToolCall(id=f"call_{uuid.uuid4().hex}", name=name, arguments=dict(arguments))
        self._digest = digest
        self._wait_ms = wait_ms
        self._started = ""
        self._written = b""
        self._leases = RunLeases(
            desk.leases,
            caller,
            desk.forms,
            reason=f"{name} by {caller.principal.name}",
            files=caller.files,
            ttl_seconds=desk.ttl_seconds,
        )

    async def perform(self) -> bytes:
        """Do the call, or find out why not, and log either; return what the file has then.

        Errors: `LeaseHeld`, `LeaseLost`; `PolicyDenied` by a rule or a person; `UnsavedChanges` when the file
        has other content than DIGEST says, or a person's own editor has changes; `TimedOut` when nobody
        answered; those of the tool.
        """
        began = time.monotonic()
        try:
            await self._do(began)
        except DescartesError as problem:
            await self._failed(problem, began)
            raise
        except OSError as problem:
            told = InvalidParams(f"{self._call.name} failed: {problem.strerror or problem}")
            await self._failed(told, began)
            raise told from None
        return self._written

    async def _do(self, began: float) -> None:
        call, desk = self._call, self._desk
        tool = TOOLS[call.name]
        parameters = tool.parse(call.arguments)
        path = await asyncio.to_thread(writable, desk.workspace, call.arguments["path"])
        await check_unmasked(desk.workspace, call)
        decision = self._decide(path)
        async with self._leased(path) as typed:
            if typed is not None and isinstance(decision, Allow):
                decision = _below(path, _typed_by(typed.holder))
            if isinstance(decision, Ask):
                await self._ask(decision.reason)
            await to_its_end(self._write(tool, parameters, began))

    async def _write(self, tool: Tool, parameters: msgspec.Struct, began: float) -> None:
        call, caller, desk = self._call, self._caller, self._desk
        await self._begin(executed=True)
        reason = f"{title_of(call)} by {caller.principal.name}"
        async with desk.body.change_of(caller.principal, call.id, reason, run=caller.run):
            result = await tool.call(ToolContext(desk.workspace, caller.run or "", self, None), parameters)
        done = {"callId": call.id, "tool": call.name, "result": result, "durationMs": _since(began)}
        await self._add("tool.completed", done, self._started)

    async def replace(self, path: Path, before: bytes | None, after: bytes) -> bool:
        """See `tool.Hands`."""
        if self._digest is not None and (before is None or fenced.digest_of(before) != self._digest):
            raise UnsavedChanges(
                f"expected {path.name!r} with the digest {self._digest[:12]!r}, somebody has changed it"
                " since; read it again"
            )
        self._written = after
        return await self.replace_all([Change(path, before, after)])

    async def replace_all(self, changes: Sequence[Change]) -> bool:
        """See `tool.Hands`."""
        return await fenced.replace(
            self._caller, self._leases, self._desk.workspace, changes, parent=self._started
        )

    async def run_command(
        self, command: list[str], timeout_seconds: float, secrets: Sequence[str] = ()
    ) -> CommandResult:
        """See `tool.Hands`; no tool that writes a file runs a command."""
        raise PolicyDenied("Only a run of Descartes runs commands; spawn one")

    def _decide(self, path: Path) -> Allow | Ask:
        editor = self._desk.unsaved_in(path)
        if self._caller.is_person:
            if editor is not None:
                raise UnsavedChanges(
                    f"{path.name!r} has unsaved changes in {editor}; save or undo them first", editor=editor
                )
            return Allow()
        caller = self._caller
        about = {"id": "", "agent": caller.principal.name, "task": "", "model": None, **caller.about}
        decision = self._desk.policy.decide(self._call, Asker(caller.level, run=about))
        if isinstance(decision, Deny):
            raise PolicyDenied(decision.reason)
        return decision if editor is None else _below(path, f"in {editor}")

    @asynccontextmanager
    async def _leased(self, path: Path) -> AsyncIterator[Lease | None]:
        """Have the lease on PATH inside the block, and a person's that is new only there.

        Yields the lease of a person whose unsaved text is in the way.
        """
        caller = self._caller
        had = await self._own(path) if caller.is_person else []
        typed = await self._leases.take(
            path, None, lambda: planned(self._call.name, path, self._call.arguments, self._desk.workspace)
        )
        try:
            yield typed
        finally:
            if caller.is_person:
                known = {each.path for each in had}
                new = [each for each in await self._own(path) if each.path not in known]
                await self._desk.leases.release_these(new)

    async def _own(self, path: Path) -> list[Lease]:
        found = await self._desk.leases.list(path.as_uri())
        return [each for each in found if each.holder.same_as(self._caller.principal)]

    async def _ask(self, note: str) -> None:
        """Return once a person has accepted the call. Errors: `PolicyDenied`, `TimedOut`."""
        call, caller, interventions = self._call, self._caller, self._desk.interventions
        about = {
            OUTSIDE: True, "toolName": call.name, "toolArgs": call.arguments, "policyNote": note,
            "toolLevel": caller.level,
        }  # fmt: skip
        opening = asyncio.ensure_future(
            interventions.open(
                "approval",
                title=f"{caller.principal.name}: {title_of(call)}",
                detail=detail_of(call, note),
                choices=CHOICES,
                by=caller.principal,
                run=caller.run,
                data=about,
            )
        )
        try:
            question = await asyncio.shield(opening)
            async with asyncio.timeout(None if self._wait_ms is None else self._wait_ms / 1000):
                answer = await interventions.wait(question.id)
        except (TimeoutError, asyncio.CancelledError) as over:
            # A question can be seen before who asks it knows that: it is taken back then, too.
            await asyncio.shield(self._take_back(opening))
            if isinstance(over, asyncio.CancelledError):
                raise
            raise TimedOut(
                f"expected a person's answer within {self._wait_ms} ms, there was none: {note};"
                " do something else meanwhile, and try again later"
            ) from None
        if answer.choice != "accept":
            why = f": {answer.reason}" if answer.reason else ""
            raise PolicyDenied(f"{answer.by.name} rejected this call{why}")

    async def _take_back(self, opening: Awaitable[Intervention]) -> None:
        question = await opening
        with suppress(InterventionClosed):
            await self._desk.interventions.close(
                question.id, "nobody waits for it any more", by=self._caller.principal
            )

    async def _begin(self, *, executed: bool) -> None:
        call = self._call
        data: dict[str, Any] = {"callId": call.id, "tool": call.name, "arguments": call.arguments}
        if not executed:
            data["executed"] = False
        self._started = await self._add("tool.started", data, None)

    async def _failed(self, problem: DescartesError, began: float) -> None:
        more = {} if self._started else {"executed": False}
        if not self._started:
            await self._begin(executed=False)
        data = {
            "callId": self._call.id,
            "tool": self._call.name,
            "error": problem.as_json(),
            "durationMs": _since(began),
            **more,
        }
        await self._add("tool.failed", data, self._started)

    async def _add(self, name: str, data: dict[str, Any], parent: str | None) -> str:
        (event,) = await self._caller.store.append(
            self._caller.event("tool_use", name, data, parent=parent, id=new_id("evt"))
        )
        return event.id


def _below(path: Path, where: str) -> Ask:
    return Ask(f"{path.name} has unsaved changes {where}, which this write would not have")


def _typed_by(person: Principal) -> str:
    return f"of {person.name} in {person.via}" if person.via else f"of {person.name}"


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


async def close_left(interventions: Interventions, by: Principal) -> None:
    """Close the questions of calls that an earlier hub has not ended, in the name of BY."""
    for question in await interventions.list():
        if question.kind == "approval" and question.data.get(OUTSIDE):
            with suppress(InterventionClosed):
                await interventions.close(question.id, "the hub that asked has ended", by=by)

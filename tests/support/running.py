"""A workspace with a log, leases and a supervisor of runs, and a person who answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from descartes_core.leases import Leases
from descartes_core.model import Event, Intervention, Principal, Run
from descartes_core.policy.interventions import Interventions
from descartes_core.ports import LispPort
from descartes_core.runs import Runs, SpawnRequest
from descartes_core.store import EventQuery, Store

ANN = Principal(kind="human", id="ann", name="Ann")
BOB = Principal(kind="human", id="bob", name="Bob")


class Bench:
    """Everything a run needs, real but for the Lisp. Make one with `Bench.open`."""

    def __init__(self, workspace: Path, store: Store, lisp: LispPort | None, **options: Any) -> None:
        self.workspace = workspace
        self.store = store
        self.leases = Leases(store, workspace)
        self.questions = Interventions(store)
        self.printed: list[tuple[str, str, str]] = []
        self.unsaved: dict[str, str] = {}
        self.runs = Runs(
            store,
            self.leases,
            self.questions,
            lisp,
            workspace,
            state=workspace / ".descartes",
            runtime=workspace.parent / "run",
            on_output=lambda *piece: self.printed.append(piece),
            unsaved_in=lambda path: self.unsaved.get(path.name),
            **options,
        )
        self._scripts = 0
        self._changed = asyncio.Event()
        store.on_events(lambda events: self._changed.set())

    @classmethod
    async def open(cls, workspace: Path, lisp: LispPort | None = None, **options: Any) -> Bench:
        return cls(workspace, await Store.open(workspace / ".descartes" / "descartes.db"), lisp, **options)

    async def close(self, *, kill: bool = True) -> None:
        if kill:
            for run in await self.runs.list("active"):
                await self.runs.kill(run.id, by=ANN)
        await self.runs.close()
        await self.leases.close()
        await self.store.close()

    def script(self, *turns: dict[str, Any], name: str = "script.jsonl") -> str:
        """Write TURNS as a script and return the name of its model."""
        (self.workspace / name).write_text("".join(json.dumps(turn) + "\n" for turn in turns))
        return f"scripted:{name}"

    async def spawn(self, *turns: dict[str, Any], by: Principal = ANN, **request: Any) -> Run:
        """Spawn a model run that says TURNS."""
        if turns and "model" not in request:
            self._scripts += 1
            request["model"] = self.script(*turns, name=f"script{self._scripts}.jsonl")
        return await self.runs.spawn(SpawnRequest(**{"task": "try it", **request}), by=by)

    async def command(self, *command: str, by: Principal = ANN, **request: Any) -> Run:
        """Spawn a process run of COMMAND."""
        asked = SpawnRequest(**{"task": "run it", "command": list(command), **request})
        return await self.runs.spawn(asked, by=by)

    async def until(self, true: Callable[[], Any], seconds: float = 60) -> Any:
        """Return what the coroutine function TRUE returns once that is true, asked after every event."""
        async with asyncio.timeout(seconds):
            while True:
                self._changed.clear()
                found = await true()
                if found:
                    return found
                await self._changed.wait()

    async def question(self, run: str) -> Intervention:
        """Return the open question of RUN, waiting for it."""
        (found,) = await self.until(lambda: self.questions.list(run=run))
        return found

    async def answer(self, run: str, choice: str, *arguments: str, reason: str | None = None) -> Intervention:
        """Wait for the open question of RUN and answer it as Ann."""
        question = await self.question(run)
        return await self.questions.answer(question.id, choice, arguments, reason, by=ANN)

    async def status(self, run: str, *wanted: str) -> Run:
        """Return RUN when its status is one of WANTED, or its phase is."""

        async def reached() -> Run | None:
            found = await self.runs.show(run)
            return found if found.status in wanted or found.phase in wanted else None

        return await self.until(reached)

    async def ended(self, run: str) -> Run:
        """Return RUN when it has ended."""
        async with asyncio.timeout(60):
            return await self.runs.wait(run)

    async def events(self, run: str | None = None, type: str | None = None) -> Sequence[Event]:
        """Return the events, oldest first."""
        return (
            await self.store.reader.events(EventQuery(run=run, type=type, order="asc", limit=10_000))
        ).events

    async def names(self, run: str) -> list[str]:
        """Return the names of the events of RUN, oldest first."""
        return [event.name for event in await self.events(run)]

    async def edges(self, run: str) -> list[str]:
        """Return the statuses RUN went through."""
        return [event.data["to"] for event in await self.events(run, "run.status")]


def call(tool: str, **arguments: Any) -> dict[str, Any]:
    """Return a turn that calls TOOL with ARGUMENTS."""
    return {"toolCalls": [{"name": tool, "arguments": arguments}]}


@pytest.fixture
async def bench(workspace: Path) -> AsyncIterator[Bench]:
    """Give everything that a run in the empty workspace needs; what is left of runs is killed."""
    bench = await Bench.open(workspace)
    yield bench
    await bench.close()

"""A workspace whose files are kept around what runs do, and restored, without a hub."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from descartes_core.model import Run
from descartes_core.timetravel.body import Body
from descartes_core.timetravel.conversation import BrainPart
from descartes_core.timetravel.restores import Restores
from descartes_core.timetravel.shapes import Restored, RestorePreview, RestoreRequest
from support.running import ANN, Bench, call
from support.trees import write


class TimeMachine:
    """A bench whose runs have their files kept. Make one with `TimeMachine.open`."""

    def __init__(self, bench: Bench, body: Body, restores: Restores) -> None:
        self.bench = bench
        self.body = body
        self.restores = restores
        self.parts = {"brain": BrainPart(bench.store.reader)}

    @classmethod
    async def open(
        cls, workspace: Path, *, at: Callable[[str], None] = lambda name: None, **options: Any
    ) -> TimeMachine:
        write(workspace, {".descartes/.gitignore": "*\n"})
        made: list[Body] = []

        class Kept(Bench):
            def __init__(self, place: Path, store: Any, lisp: Any, **more: Any) -> None:
                made.append(Body(store, place, place / ".descartes", **options))
                super().__init__(place, store, lisp, body=made[0], **more)

        bench = await Kept.open(workspace)
        restores = Restores(
            bench.store,
            made[0],
            bench.leases,
            unsaved_in=lambda path: bench.unsaved.get(path.name),
            at=at,
        )
        return cls(bench, made[0], restores)

    async def shell(self, *commands: str) -> Run:
        """Return a run that gave each of COMMANDS to a shell and ended."""
        turns = [call("shell", command=command) for command in commands]
        script = self.bench.workspace / ".descartes"
        name = self.bench.script(*turns, name=f".descartes/s{len(list(script.glob('s*.jsonl')))}.jsonl")
        run = await self.bench.spawn(model=name, tool_level="trusted")
        return await self.bench.ended(run.id)

    async def first(self, run: str) -> str:
        """Return the first event of RUN."""
        return (await self.bench.events(run))[0].id

    async def preview(self, run: str, to: str | None = None, **more: Any) -> RestorePreview:
        """Return the preview of going back to TO, the first event by default."""
        return await self.restores.preview(await self.request(run, to, **more), ANN)

    async def request(self, run: str, to: str | None = None, **more: Any) -> RestoreRequest:
        """Return the request for the files of RUN as they were at TO."""
        return RestoreRequest(run=run, to=to or await self.first(run), **{"bodies": ["body"], **more})

    async def restore(self, run: str, to: str | None = None, **more: Any) -> Restored:
        """Look at what going back to TO would change, and do it."""
        request = await self.request(run, to, **more)
        preview = await self.restores.preview(request, ANN, self.parts)
        return await self.restores.apply(request, preview.id, ANN, self.parts)

    async def undo(self, *, force: bool = False, bodies: list[Any] | None = None) -> Restored:
        """Take the last restore back, of the conversation too."""
        return await self.restores.undo(ANN, force=force, bodies=bodies, parts=self.parts)

    async def redo(self, *, force: bool = False, bodies: list[Any] | None = None) -> Restored:
        """Do the restore again that was undone last, of the conversation too."""
        return await self.restores.redo(ANN, force=force, bodies=bodies, parts=self.parts)

    async def close(self) -> None:
        await self.bench.close()

"""The image as runs use it: fills the agent core's port `LispPort`.

Evaluations of a run are a client of their own, so that they wait for nobody and share nobody's `*package*`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec

from descartes_core.errors import NotFound
from descartes_core.model import Principal
from descartes_core.ports import LispRestart, LispResult, new_id
from descartes_core.runs.queries import RunView
from descartes_server.ide import syntax
from descartes_server.operations import lisp_shapes as shapes
from descartes_server.operations.debugger import choose
from descartes_server.operations.evaluations import Kind, Record
from descartes_server.operations.image import Image
from descartes_server.operations.lisp import compilation_shape
from descartes_server.operations.texts import SourceText, read_file


class LispForRuns:
    """Evaluates, compiles, inspects and restarts for the RUNS of a log. Errors: those of `Image`."""

    def __init__(self, image: Image, runs: RunView) -> None:
        self._image = image
        self._runs = runs

    async def evaluate(
        self, code: str, *, run: str, package: str | None = None, cause: str | None = None
    ) -> LispResult:
        """Evaluate CODE for RUN; answers when it is done or has stopped."""
        record = await self._record("eval", code, run, cause)
        await self._image.begin(
            record,
            lambda lisp: lisp.start_evaluation(code, id=record.id, client=record.client, package=package),
        )
        await self._image.paused_or_settled(record)
        return self._result(record)

    async def compile_definition(
        self, path: str, name: str, *, run: str, cause: str | None = None
    ) -> LispResult:
        """Compile the definition of NAME in the file PATH, as it is on disk, for RUN.

        Errors: `NotFound` naming the definitions there are.
        """
        source = await read_file(self._image.places.workspace / path)
        form, package = await asyncio.to_thread(_definition, source, name)
        record = await self._record("compile", source.text[form.start : form.end], run, cause)
        record.source, record.span = source, (form.start, form.end)
        await self._image.begin(
            record,
            lambda lisp: lisp.compile_string(
                record.code,
                id=record.id,
                client=record.client,
                file=str(source.path),
                position=form.start,
                package=package,
            ),
        )
        await self._image.paused_or_settled(record)
        compilation = await compilation_shape(record)
        return msgspec.structs.replace(
            self._result(record), notes=msgspec.to_builtins(compilation.notes), success=compilation.success
        )

    async def inspect(self, expression: str, *, run: str) -> str:
        """Return a readable description of the value of EXPRESSION."""
        return await self._image.ask(self._image.running().inspect(expression))

    async def restart(
        self,
        thread: int,
        level: int,
        *,
        run: str,
        name: str | None = None,
        index: int | None = None,
        arguments: Sequence[str] = (),
    ) -> LispResult:
        """Invoke a restart of (THREAD, LEVEL); answers like `evaluate`."""
        image = self._image
        debugger = image.debuggers.get(thread, level)
        chosen = choose(debugger, index, name)
        lisp = image.running()
        await image.debuggers.leave(
            thread,
            level,
            lambda: image.ask(lisp.invoke_restart(thread, level, index=chosen.index, arguments=arguments)),
            wait_ms=1000,
        )
        record = image.debuggers.record_of(debugger)
        return LispResult(evaluation="", state="done") if record is None else self._result(record)

    async def _record(self, kind: Kind, code: str, run: str, cause: str | None) -> Record:
        by = Principal(kind="agent", id=run, name=(await self._runs.show(run)).agent)
        record = self._image.evaluations.add(kind, new_id("eval"), code, f"run:{run}", by, run)
        record.cause = cause
        return record

    def _result(self, record: Record) -> LispResult:
        wire = record.wire()
        stop = wire.debugger
        restarts = self._image.debuggers.get(stop.thread, stop.level).restarts if stop else []
        condition = wire.condition
        return LispResult(
            evaluation=record.id,
            state=wire.state,
            values=wire.values,
            output=wire.output,
            condition=f"{condition.type}: {condition.message}" if condition else None,
            thread=stop.thread if stop else None,
            level=stop.level if stop else None,
            restarts=[_restart(each) for each in restarts],
        )


def _restart(restart: shapes.Restart) -> LispRestart:
    return LispRestart(index=restart.index, name=restart.name, description=restart.description)


def _definition(source: SourceText, name: str) -> tuple[syntax.TopLevelForm, str]:
    parsed = syntax.parse(source.text)
    for form in parsed.forms:
        if form.name is not None and form.name.lower() == name.lower():
            return form, parsed.package_at(form.start)
    there = ", ".join(form.name for form in parsed.forms if form.name)
    raise NotFound(f"{Path(source.path).name} defines no {name!r}; it defines {there or 'nothing'}")

"""`lisp.loadChanged`: compile and load exactly what drifted, in the order of systems, files and places."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from descartes_server.ide import drift as ide
from descartes_server.ide.drift import State, Unit
from descartes_server.operations import lisp_shapes as shapes
from descartes_server.operations import texts
from descartes_server.operations.context import Context
from descartes_server.operations.drift import (
    FileDrift,
    OpenDocument,
    asked,
    file_drift,
    lisp_files,
    workspace_drift,
)
from descartes_server.operations.lisp import add, compilation_shape, compile_span
from descartes_server.operations.loaded_texts import real
from descartes_server.operations.parsed import parsed
from descartes_server.operations.registry import Params, operation
from descartes_server.operations.texts import SourceText


class LoadChangedParams(Params, frozen=True, kw_only=True):
    """The file URI, or of it the form at POSITION; without it every file that the image has anything of."""

    uri: str | None = None
    position: shapes.Position | None = None
    document: shapes.Document | None = None
    documents: list[OpenDocument] = []
    """What the sender has open, where no file is named."""
    use_disk: bool = False


@operation("lisp.loadChanged", kind="effect", needs_trust=True, for_agents=True, positional=("uri",))
async def load_changed(context: Context, params: LoadChangedParams) -> shapes.Compilation:
    """Compile and load the definitions whose text the image does not have."""
    image = context.services.image
    if image.status().state != "ready":
        await image.start(context.caller.environment)
    await image.texts.settled()
    work = _Work(context)
    for each in await _files(context, params):
        for form, units in ide.to_load(_chosen(each, params)):
            if not await work.load(each.source, form, units):
                return work.answer()
    return work.answer()


async def _files(context: Context, params: LoadChangedParams) -> Sequence[FileDrift]:
    states = asked(context)
    if params.uri is not None:
        source = await texts.read(
            context.services.editors, params.uri, params.document, use_disk=params.use_disk
        )
        return [await file_drift(source, states)]
    found = await workspace_drift(context.services.workspace.root, params.documents, states)
    drifted = {real(each.source.path): each for each in found if each.there.seen}
    image = context.services.image
    root = context.services.workspace.root
    systems = await asyncio.to_thread(lambda: [real(each) for each in lisp_files(root, systems=True)])
    order = await image.ask(image.texts.in_load_order(sorted(drifted), systems))
    return [drifted[path] for path in order]


def _chosen(file: FileDrift, params: LoadChangedParams) -> list[tuple[Unit, State]]:
    if params.uri is None or params.position is None:
        return file.found
    at = file.source.offset(params.position)
    return [(unit, state) for unit, state in file.found if unit.form[0] <= at <= unit.form[1]]


@dataclass
class _Work:
    """What was compiled so far for CONTEXT's caller."""

    context: Context
    notes: list[shapes.Note] = field(default_factory=list)
    output: str = ""
    success: bool = True
    last: shapes.Compilation | None = None
    began: float = field(default_factory=time.monotonic)

    async def load(self, source: SourceText, form: tuple[int, int], units: Sequence[Unit]) -> bool:
        """Compile and load FORM of SOURCE, which makes UNITS; answer whether to go on."""
        package = (await parsed(source)).package_at(form[0])
        if not self._take(await compile_span(self.context, source, form, package)):
            return False
        for unit in units:
            if unit.keeps and unit.value_form is not None and not await self._set(source, unit, package):
                return False
        return True

    async def _set(self, source: SourceText, unit: Unit, package: str) -> bool:
        """Give the variable UNIT the value of its text, which defining it again has not."""
        image = self.context.services.image
        there = await image.ask(image.texts.states(source.path, [unit]))
        if ide.state(unit, there.units[0]) == "loaded":
            return True
        assert unit.value_form is not None
        code = f"(setq {unit.name} {source.text[slice(*unit.value_form)]})"
        record = add(self.context, "eval", code, source, unit.form)
        record.makes = [replace(unit, keeps=False)]
        await image.begin(
            record,
            lambda lisp: lisp.start_evaluation(code, id=record.id, client=record.client, package=package),
            self.context.caller.environment,
        )
        await image.paused_or_settled(record)
        note = shapes.Note(
            severity="information",
            message=f"{unit.name} was bound and has been given the value of its new text",
            uri=source.uri,
            range=source.range(unit.start, unit.end),
        )
        done = await compilation_shape(record)
        return self._take(_with_notes(done, [note] if done.state == "done" else []))

    def _take(self, done: shapes.Compilation) -> bool:
        self.last = done
        self.notes += done.notes
        self.output += done.output
        self.success = self.success and done.success
        return done.state == "done"

    def answer(self) -> shapes.Compilation:
        """Return all of it as one compilation, stopped or ended as its last part is."""
        last = self.last
        return shapes.Compilation(
            success=self.success,
            duration_ms=round((time.monotonic() - self.began) * 1000),
            notes=self.notes,
            state=last.state if last else "done",
            debugger=last.debugger if last else None,
            condition=last.condition if last and last.state != "done" else None,
            evaluation=last.evaluation if last else None,
            output=self.output,
        )


def _with_notes(done: shapes.Compilation, notes: list[shapes.Note]) -> shapes.Compilation:
    """Return DONE, an evaluation's end, with NOTES; one that ended was a success."""
    return shapes.Compilation(
        success=done.state == "done",
        duration_ms=done.duration_ms,
        notes=notes,
        state=done.state,
        debugger=done.debugger,
        condition=done.condition,
        evaluation=done.evaluation,
        output=done.output,
    )

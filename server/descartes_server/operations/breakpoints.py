"""The breakpoints of one workspace: kept while images come and go, and while what they stand in is redefined.

An image is told of each; what cannot be set there yet waits for the definition it is about. How it is done in
the image is the Swank client's.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

import msgspec

import descartes_swank as swank
from descartes_core.errors import DescartesError, NotFound
from descartes_server.ide import breakpoints as ide
from descartes_server.ide import drift
from descartes_server.ide.syntax import Span, parse
from descartes_server.operations import lisp_shapes as shapes
from descartes_server.operations.breakpoint_places import (
    NO_IMAGE,
    Breakpoint,
    definition_of,
    is_of,
    may_define,
    redefined,
)
from descartes_server.operations.debuggers import Publish
from descartes_server.operations.evaluations import Record
from descartes_server.operations.parsed import parsed
from descartes_server.operations.stops import Places
from descartes_server.operations.texts import SourceText

log = logging.getLogger(__name__)
T = TypeVar("T")

NOT_LOADED = "it is set when its definition is compiled or loaded"
CHANGED = "the definition has changed and the form is not in it any more; set the breakpoint again"
MENDING_S = 10.0
"""How long a compilation's answer waits at most for the breakpoints in what was compiled."""
ANSWERING_S = 20.0
"""How long the image may take to set a breakpoint; it gives the compiling itself up earlier."""


class Breakpoints:
    """All breakpoints of a workspace. Used from the hub's loop only.

    RUNNING answers the image's session, None while there is none.
    """

    def __init__(self, running: Callable[[], swank.Lisp | None], publish: Publish) -> None:
        self._running = running
        self._publish = publish
        self._known: dict[str, Breakpoint] = {}
        self._numbers = itertools.count(1)
        self._changing = asyncio.Lock()
        self.signals: str | None = None
        """The type of conditions that the user's code stops at when it signals one."""

    async def all(self) -> list[shapes.Breakpoint]:
        """Return every breakpoint, with its hits as the image counts them."""
        lisp = self._running()
        if lisp is not None and self._known:
            for each in await _quietly(lisp.breakpoints()) or []:
                if each.id in self._known:
                    self._known[each.id].hits = each.hits
        return self._wire()

    async def at_function(self, symbol: str, condition: str | None, client: str) -> shapes.Breakpoint:
        """Set a breakpoint at the function SYMBOL; a second one changes the condition of the first."""
        async with self._changing:
            new = Breakpoint(self._new_id(), symbol=symbol, condition=condition)
            await self._set_at_function(new, client)
            for each in [each for each in self._known.values() if each.symbol == new.symbol]:
                await self._remove(each)
            self._known[new.id] = new
        return self._changed(new)

    async def at_form(
        self, source: SourceText, offset: int, condition: str | None, client: str
    ) -> shapes.Breakpoint:
        """Set a breakpoint at the form of SOURCE at OFFSET. Errors: `NotFound` where there is no form."""
        syntax = await parsed(source)
        found = ide.candidates(syntax, offset)
        if found is None:
            line = source.position(offset).line
            raise NotFound(f"expected a form at line {line} of {source.path.name}, there is none")
        form = found.form
        async with self._changing:
            new = Breakpoint(
                self._new_id(),
                condition=condition,
                path=str(source.path),
                package=syntax.package_at(form.start),
                name=f"{form.operator} {form.name}".lower(),
                start=form.start,
                text=source.text[form.start : form.end],
            )
            why = ide.refusal(form) or (None if found.forms else "there is no form to stop at")
            if why is not None:
                new.message = why
                first = found.forms[0] if found.forms else Span(form.start, form.end)
                new.location = source.location(first.start, first.end)
            else:
                await self._place(new, source, found.forms, client)
            same = (new.definition, new.offset, new.target)
            for each in [*self._known.values()]:
                if new.target and (each.definition, each.offset, each.target) == same:
                    await self._remove(each)
            self._known[new.id] = new
        return self._changed(new)

    async def clear(self, id: str) -> None:
        """Take the breakpoint ID away; its form is compiled as it stands. Errors: `NotFound` listing them."""
        async with self._changing:
            breakpoint_ = self._find(id)
            await self._remove(breakpoint_)
            lisp = self._running()
            if lisp is not None and breakpoint_.path is not None and breakpoint_.verified:
                await _quietly(self._compile(lisp, breakpoint_, self._together(breakpoint_)))
        self._tell()

    async def _remove(self, breakpoint_: Breakpoint) -> None:
        del self._known[breakpoint_.id]
        if (lisp := self._running()) is not None:
            await _quietly(lisp.forget_breakpoint(breakpoint_.id))

    async def attached(self, lisp: swank.Lisp) -> None:
        """Take note that LISP is the image now: what it knows is taken in, what it does not know waits."""
        async with self._changing:
            there = {each.id: each for each in await _quietly(lisp.breakpoints()) or []}
            for id, each in there.items():
                if id not in self._known:
                    self._adopt(id, each.note)
            for breakpoint_ in self._known.values():
                if breakpoint_.id in there:
                    continue
                if breakpoint_.symbol is not None:
                    await self._set_at_function(breakpoint_, "")
                elif breakpoint_.verified or breakpoint_.message == NO_IMAGE:
                    breakpoint_.verified, breakpoint_.message = False, NOT_LOADED
            if self.signals is not None:
                await _quietly(lisp.break_on_signals(self.signals))
            else:  # an earlier hub may have been asked for it
                self.signals = await _quietly(lisp.broken_on_signals())
        if self._known:
            self._tell()

    async def undefined(self, name: str) -> None:
        """Take note that the function NAME was undefined: what stands in it waits for its definition."""
        async with self._changing:
            concerned = [each for each in self._known.values() if each.verified and is_of(each, name)]
            for breakpoint_ in concerned:
                if breakpoint_.symbol is not None:
                    await self._set_at_function(breakpoint_, "")
                else:
                    breakpoint_.verified, breakpoint_.message = False, NOT_LOADED
        if concerned:
            self._tell()

    def lost(self) -> None:
        """Take note that there is no image: every breakpoint waits for the next."""
        for breakpoint_ in self._known.values():
            if breakpoint_.verified:
                breakpoint_.verified, breakpoint_.message = False, NO_IMAGE
        if self._known:
            self._tell()

    def concern(self, record: Record) -> bool:
        """Return whether RECORD, which has ended, may have defined what a breakpoint stands or waits in."""
        if not self._known or self._running() is None:
            return False
        if record.kind != "eval" or any(each.pending for each in self._known.values()):
            return True
        return any(may_define(record, each.path) for each in self._known.values() if each.path is not None)

    async def after(self, record: Record) -> None:
        """Set anew what RECORD, which has ended, may have redefined or defined for the first time."""
        try:
            await asyncio.wait_for(self._mend(record), MENDING_S)
        except (TimeoutError, swank.SwankError, DescartesError):
            log.warning("the breakpoints after %s were not set again", record.id, exc_info=True)

    async def _mend(self, record: Record) -> None:
        async with self._changing:
            before = self._wire()
            for breakpoint_ in list(self._known.values()):
                if breakpoint_.pending:
                    await self._set_at_function(breakpoint_, record.client)
            for path in {each.path for each in self._known.values() if each.path is not None}:
                source, span = await redefined(record, path)
                if source is not None:
                    await self._again(source, span, record.client)
            changed = self._wire() != before
        if changed:
            self._tell()

    async def _again(self, source: SourceText, span: tuple[int, int], client: str) -> None:
        """Find the breakpoints of SOURCE again in its text, those in SPAN, and compile them in."""
        syntax = await parsed(source)
        groups: dict[int, list[Breakpoint]] = {}
        for each in self._known.values():
            if each.path != str(source.path) or not each.text:
                continue
            form = definition_of(syntax.forms, source.text, each)
            if form is None:
                if span == (0, len(source.text)):
                    each.verified, each.message = False, CHANGED
            elif span[0] <= form.start < span[1]:
                groups.setdefault(form.start, []).append(each)
                self._moved(each, source, form.start, form.end)
        lisp = self._running()
        for group in groups.values():
            fitting = [each for each in group if each.message is None]
            for breakpoint_ in fitting:
                breakpoint_.verified = False
            for breakpoint_ in fitting if lisp is not None else ():
                found = ide.candidates(syntax, breakpoint_.start + breakpoint_.offset)
                if found is not None and found.forms:
                    await self._place(breakpoint_, source, found.forms, client)

    def _moved(self, breakpoint_: Breakpoint, source: SourceText, start: int, end: int) -> None:
        text = source.text[start:end]
        offset = ide.found_again(text, breakpoint_.target, breakpoint_.offset)
        if offset is None:
            breakpoint_.verified, breakpoint_.message = False, CHANGED
            return
        breakpoint_.start, breakpoint_.text, breakpoint_.offset = start, text, offset
        breakpoint_.message = None

    async def _place(self, new: Breakpoint, source: SourceText, spans: Sequence[Span], client: str) -> None:
        """Set NEW at the first of SPANS of SOURCE that is evaluated, or say in it why it is not set."""
        new.location = source.location(spans[0].start, spans[0].end)
        lisp = self._running()
        texts = [source.text[each.start : each.end] for each in spans]
        if lisp is None:
            new.offset, new.target, new.message = spans[0].start - new.start, texts[0], NO_IMAGE
            return
        if new.package is not None and not await _quietly(lisp.has_package(new.package)):
            # Compiled now, the definition would be one of another package.
            new.offset, new.target, new.message = spans[0].start - new.start, texts[0], NOT_LOADED
            return
        wanted = swank.NewPlace(
            new.id,
            new.note(),
            [each.start - new.start for each in spans],
            [ide.title(text) for text in texts],
            new.condition,
        )
        try:
            verdict = await self._compile(lisp, new, self._together(new), wanted, client)
        except swank.SwankError as error:
            verdict = swank.Verdict(False, f"compiling it failed: {error}")
        new.verified, new.message = verdict.verified, verdict.message
        if verdict.offset is not None:
            index = [each.start - new.start for each in spans].index(verdict.offset)
            new.offset, new.target = verdict.offset, texts[index]
            new.location = source.location(spans[index].start, spans[index].end)
            await _quietly(lisp.note_breakpoint(new.id, new.note()))

    def _together(self, breakpoint_: Breakpoint) -> list[Breakpoint]:
        """Return the others that stand in the definition of BREAKPOINT_."""
        return [
            each
            for each in self._known.values()
            if each.verified and each.definition == breakpoint_.definition and each.id != breakpoint_.id
        ]

    async def _compile(
        self,
        lisp: swank.Lisp,
        one: Breakpoint,
        others: Iterable[Breakpoint],
        new: swank.NewPlace | None = None,
        client: str = "",
    ) -> swank.Verdict:
        """Compile the definition that ONE stands in with OTHERS and NEW."""
        return await _in_time(
            lisp.break_at_forms(
                one.text,
                file=one.path,
                position=one.start,
                package=one.package,
                places=[swank.FormPlace(each.id, each.offset, each.condition) for each in others],
                new=new,
                client=client,
                units=[unit.description() for unit in drift.units_in(parse(one.text))],
            )
        )

    async def _set_at_function(self, breakpoint_: Breakpoint, client: str) -> None:
        lisp = self._running()
        assert breakpoint_.symbol is not None
        if lisp is None:
            breakpoint_.verified, breakpoint_.message = False, NO_IMAGE
            return
        try:
            setting = lisp.break_at_function(
                breakpoint_.id,
                breakpoint_.symbol,
                note=breakpoint_.note(),
                condition=breakpoint_.condition,
                client=client,
            )
            verdict = await _in_time(setting)
        except swank.SwankError as error:
            breakpoint_.verified, breakpoint_.message = False, str(error)
            return
        breakpoint_.verified, breakpoint_.message = verdict.verified, verdict.message
        breakpoint_.pending = verdict.pending
        breakpoint_.symbol = verdict.name or breakpoint_.symbol
        if verdict.location is not None:
            breakpoint_.location = await Places().locate(verdict.location)
        if verdict.verified:
            await _quietly(lisp.note_breakpoint(breakpoint_.id, breakpoint_.note()))

    def _adopt(self, id: str, note: str) -> None:
        try:
            found = msgspec.json.decode(note, type=Breakpoint)
        except msgspec.DecodeError:
            return
        found.verified, found.message = True, None
        self._known[id] = found
        highest = max((int(each.partition("_")[2], 16) for each in self._known), default=0)
        self._numbers = itertools.count(highest + 1)

    def _find(self, id: str) -> Breakpoint:
        wanted = id if id.startswith("brk_") else f"brk_{id}"
        if wanted not in self._known:
            there = ", ".join(self._known) or "none"
            raise NotFound(f"expected the id of a breakpoint, got {id!r}; there are: {there}")
        return self._known[wanted]

    def _new_id(self) -> str:
        return f"brk_{next(self._numbers):x}"

    def _wire(self) -> list[shapes.Breakpoint]:
        return [each.wire() for each in self._known.values()]

    def _changed(self, breakpoint_: Breakpoint) -> shapes.Breakpoint:
        self._tell()
        return breakpoint_.wire()

    def _tell(self) -> None:
        self._publish("descartes/debugger/breakpoints", {"breakpoints": msgspec.to_builtins(self._wire())})


async def _in_time(answer: Awaitable[T]) -> T:
    """Return what the image answers. Errors: `swank.TimedOut` when it does not."""
    try:
        return await asyncio.wait_for(answer, ANSWERING_S)
    except TimeoutError:
        raise swank.TimedOut(f"The Lisp did not answer for {ANSWERING_S:.0f} s") from None


async def _quietly(answer: Awaitable[T]) -> T | None:
    """Return what the image answers; None when it does not."""
    try:
        return await answer
    except swank.SwankError as error:
        log.info("the image did not answer about breakpoints: %s", error)
        return None

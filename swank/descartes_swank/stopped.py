"""Stopped threads over a connection: what they show, and requests that leave them.

Every request has an owner: what somebody asked for is shown when it stops, anything else is aborted unseen.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any, Final, Literal, TypeAlias

from . import debugger, descriptions, messages, sexp
from .answers import checked, quoted
from .connection import Connection
from .debugger import Debugger, Effect, Frame, FrameDetail, Restart, Stop, StopId
from .errors import (
    Aborted,
    DebuggerStale,
    InvalidParams,
    LispLost,
    NotFound,
    SwankError,
)
from .forms import Form, Symbol, Value
from .listener import Listener
from .locations import SourceFiles
from .paths import SAME, Paths

_log = logging.getLogger(__name__)

StepKind: TypeAlias = Literal["into", "next", "out"]

ANSWER_S: Final = 10
"""How long a stopped thread may take to say what it shows, before the stop is shown with less."""
_FRAMES_SHOWN: Final = 20
_DISASSEMBLY: Final = (
    "(cl:with-output-to-string (cl:*standard-output*)"
    " (cl:disassemble (cl:or (sb-di:debug-fun-fun (sb-di:frame-debug-fun (descartes-boot::user-frame {})))"
    ' (cl:error "Expected a frame with a function of Lisp, this one has none"))))'
)
"""Swank's own call for this has no answer in SBCL."""
_DEPARTURE_S: Final = 2.0  # which a stop seldom takes to be left when its request has unwound
_RETURN_S: Final = 20.0  # which Swank may take to say that a thread is back, on a busy machine


class StoppedThreads:
    """The half of a `Lisp` that is about its stopped threads."""

    connection: Connection

    def __init__(self, listener: Listener, paths: Paths = SAME) -> None:
        self._listener = listener
        self._debugger = Debugger()
        self._files = SourceFiles(paths)
        self._tasks: set[asyncio.Task[None]] = set()
        # Requests whose stops are shown, and their evaluations; any other of ours is aborted silently.
        self._shown: dict[int, str | None] = {}
        self._first_id = 0
        self._entries: dict[StopId, messages.Debug] = {}
        self._departures: dict[StopId, set[asyncio.Future[None]]] = {}
        self._coverings: dict[StopId, set[asyncio.Future[None]]] = {}
        self._returns: dict[StopId, set[asyncio.Future[None]]] = {}
        self._lost = False

    @property
    def paths(self) -> Paths:
        """Return what the image calls files here, and what its files are called here."""
        return self._files.paths

    @property
    def stops(self) -> dict[StopId, Stop]:
        """Return all stops that there are now, by (thread, level)."""
        return self._debugger.stops

    async def frames(self, thread: int, level: int, start: int, end: int) -> tuple[Frame, ...]:
        """Return the frames START to END (exclusive) of a stop. Errors: `DebuggerStale`."""
        (form,) = await self._at(thread, level, "stop-frames", start, end)
        frames, places = descriptions.read_frames(form)
        return descriptions.with_locations(frames, await asyncio.to_thread(self._files.locate_all, places))

    async def frame(self, thread: int, level: int, index: int, *, all: bool = False) -> FrameDetail:
        """Return the place of the frame INDEX and its variables, without ALL those that a source can name."""
        detail, place = descriptions.read_detail(await self._at(thread, level, "frame-detail", index, all))
        if place is None:
            return detail
        return replace(detail, location=await asyncio.to_thread(self._files.locate, place))

    async def invoke_restart(
        self,
        thread: int,
        level: int,
        *,
        index: int | None = None,
        name: str | None = None,
        arguments: Sequence[str] = (),
        frame: int = 0,
    ) -> None:
        """Invoke the restart INDEX, or the innermost called NAME, with the values of ARGUMENTS in FRAME.

        Returns when the stop has been left. Without ARGUMENTS an interactive restart asks by itself, which
        arrives as `input_wanted`; giving that up is `Cancelled`.
        Errors: `DebuggerStale`; `NotFound`; `InvalidParams` when an argument errs or INDEX is not NAME.
        """
        restart = _chosen(await self._reached(thread, level), index, name)
        asks = restart.interactive and not arguments
        given = quoted([Symbol(":interactive")] if asks else arguments)
        await self._leave(thread, level, "use-restart", restart.index, given, frame)

    async def continue_(self, thread: int, level: int) -> None:
        """Invoke the innermost restart CONTINUE. Errors: `DebuggerStale`, `NotFound`."""
        await self.invoke_restart(thread, level, name="CONTINUE")

    async def abort(self, thread: int, level: int) -> None:
        """Leave this level for its parent; at level 1 that ends the evaluation. Errors: `DebuggerStale`."""
        await self.invoke_restart(thread, level, name="ABORT")

    async def toplevel(self, thread: int, level: int) -> None:
        """Leave all levels of THREAD, which ends its evaluation. Errors: `DebuggerStale`."""
        await self._leave(thread, level, "leave-all")

    async def step(self, thread: int, level: int, kind: StepKind) -> None:
        """Go on until the next call: `into` the one at hand, the `next` here, or after the way `out` of here.

        Code steps that was compiled with full debug; other code runs until such code or its end.
        Errors: `DebuggerStale`; `InvalidParams` for a stop that has no restart CONTINUE.
        """
        await self._leave(thread, level, "step-on", Symbol(f":{kind}"))

    async def eval_in_frame(self, thread: int, level: int, frame: int, code: str) -> list[str]:
        """Return the printed values of CODE in FRAME.

        Errors: `InvalidParams` when it errs, and the level stays as it is; `DebuggerStale`. To let an error
        become a nested stop use `start_evaluation_in_frame`.
        """
        (values,) = await self._at(thread, level, "frame-values", frame, code)
        return list(values or [])

    async def disassemble_frame(self, thread: int, level: int, frame: int) -> str:
        """Return the machine code of FRAME's function. Errors: `InvalidParams` where there is none."""
        (printed,) = await self.eval_in_frame(thread, level, frame, _DISASSEMBLY.format(frame))
        return str(sexp.read(printed)[0])

    async def return_from_frame(self, thread: int, level: int, frame: int, code: str) -> None:
        """Return the values of CODE from FRAME. Errors: `DebuggerStale`; `InvalidParams` when that fails."""
        await self._leave(thread, level, "leave-frame", frame, code)

    async def restart_frame(
        self, thread: int, level: int, frame: int, arguments: Sequence[str] | None = None
    ) -> None:
        """Call the function of FRAME anew as it is defined now, with the values of ARGUMENTS or as before."""
        given: Form = Symbol(":same") if arguments is None else quoted(arguments)
        await self._leave(thread, level, "call-frame-again", frame, given)

    # Requests

    async def call(self, name: str, *arguments: Form) -> Value:
        """Return the value of calling our function NAME, one that ends without a stop."""
        return await self._ask(name, *arguments)

    async def at_stop(self, thread: int, level: int, name: str, *arguments: Form) -> list[Value]:
        """Return the answer of our function NAME, called in the stopped THREAD, without its `:ok`."""
        return await self._at(thread, level, name, *arguments)

    async def _ask(self, name: str, *arguments: Form, thread: int | Literal[True] = True) -> Value:
        """Return the value of calling NAME; a stop in it is aborted silently, which raises `Aborted`."""
        return await self.connection.rex([Symbol(name), *arguments], thread=thread)

    def _waiting(self, thread: int, level: int) -> Stop:
        self._require_image()
        stop = self._debugger.waiting(thread, level)
        if stop is None:
            deepest = max((below for each, below in self.stops if each == thread), default=0)
            if deepest > level:
                raise DebuggerStale(f"Thread {thread} is stopped at level {deepest}; leave that level first")
            raise DebuggerStale(
                f"Thread {thread} is not stopped at level {level} any more; look at the stops again"
            )
        return stop

    def _named(self, thread: int, level: int) -> Form:
        """Return what a request names the stop by, so that it never meets the next one at the same level."""
        stop = self._debugger.waiting(thread, level)
        return level if stop is None or stop.number is None else quoted([level, stop.number])

    async def _reached(self, thread: int, level: int) -> Stop:
        """Return the stop when its thread waits there for a request. Errors: `DebuggerStale`.

        Between the end of a nested level and Swank's word that this one is back there is a moment.
        """
        if self._debugger.coming_back(thread, level):
            back = _waiter(self._returns, (thread, level))
            await asyncio.wait((back,), timeout=_RETURN_S)
            back.cancel()
        return self._waiting(thread, level)

    def _require_image(self) -> None:
        if self._lost:
            raise LispLost("The connection to the Lisp has ended; connect again")

    async def _at(self, thread: int, level: int, name: str, *arguments: Form) -> list[Value]:
        """Return the answer of our function NAME in the stopped THREAD, without its `:ok`."""
        await self._reached(thread, level)
        return await self._answer(thread, level, name, *arguments)

    async def _answer(self, thread: int, level: int, name: str, *arguments: Form) -> list[Value]:
        """Return an answer, unless the stop is left before: what was sent to it then is never answered."""
        departure = _waiter(self._departures, (thread, level))
        form = [Symbol(f"descartes-boot:{name}"), self._named(thread, level), *arguments]
        _, answer = self.connection.rex_with_id(form, thread=thread)
        try:
            await asyncio.wait((answer, departure), return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                with contextlib.suppress(Aborted):
                    return checked(answer.result())
            self._require_image()
            raise DebuggerStale(f"Thread {thread} has left level {level}; look at the stops again")
        finally:
            answer.cancel()
            departure.cancel()

    async def _leave(self, thread: int, level: int, name: str, *arguments: Form) -> None:
        await self._reached(thread, level)
        form = [Symbol(f"descartes-boot:{name}"), self._named(thread, level), *arguments]
        await self._leave_by(thread, level, form)

    async def _leave_by(self, thread: int, level: int, form: Form) -> None:
        """Send FORM to a stopped thread; return when it has left the stop, or stopped anew above it.

        The request unwinds, so its answer is `:abort`. What stops on the way is shown: somebody asked for it.
        """
        await self._reached(thread, level)
        departure = _waiter(self._departures, (thread, level))
        covering = _waiter(self._coverings, (thread, level))
        request, answer = self.connection.rex_with_id(form, thread=thread)
        self._show(request, answer)
        try:
            await asyncio.wait((answer, departure, covering), return_when=asyncio.FIRST_COMPLETED)
            if covering.done() and not answer.done():
                # It may be another's evaluation that stopped there before this was read; then it is refused.
                await self._gone_or_answering(thread, departure)
            if answer.done() and not departure.done():
                with contextlib.suppress(Aborted):
                    checked(answer.result())
                    return
                await asyncio.wait((departure,), timeout=_DEPARTURE_S)
                await self._gone_or_answering(thread, departure)
        finally:
            departure.cancel()
            covering.cancel()
        self._require_image()

    async def _gone_or_answering(self, thread: int, departure: asyncio.Future[None]) -> None:
        """Return when a stop of THREAD has been left, or it answers: a restart may come back to its stop."""
        if departure.done() or self.connection.closed.done():
            return
        _, answer = self.connection.rex_with_id([Symbol("cl:list")], thread=thread)
        try:
            await asyncio.wait((answer, departure), return_when=asyncio.FIRST_COMPLETED)
        finally:
            answer.cancel()

    def _show(self, request: int, answer: asyncio.Future[Value], evaluation: str | None = None) -> None:
        self._shown[request] = evaluation
        answer.add_done_callback(lambda _: self._shown.pop(request, None))

    # Events

    def _on_debug(self, event: messages.Debug) -> None:
        thread, level, conts = event.thread, event.level, event.conts
        if not isinstance(thread, int) or isinstance(thread, bool):
            return
        ours = bool(conts) and conts[0] >= self._first_id
        silent = ours and conts[0] not in self._shown
        # A request of an earlier client; only the image knows whether somebody is to see it.
        orphan = bool(conts) and not ours
        self._entries[(thread, level)] = event
        self._perform(self._debugger.entered(thread, level, silent=silent), orphan=orphan)
        _wake(self._returns, (thread, level))
        if not silent:
            _wake(self._coverings, (thread, level - 1))

    def _on_debug_return(self, thread: int, level: int) -> None:
        self._entries.pop((thread, level), None)
        self._perform(self._debugger.left(thread, level))
        _wake(self._departures, (thread, level))
        _wake(self._returns, (thread, level))

    def _perform(self, effects: list[Effect], *, orphan: bool = False) -> None:
        for effect in effects:
            match effect:
                case debugger.Describe(thread, level, visit):
                    self._spawn(self._describe(thread, level, visit, orphan))
                case debugger.AbortRequest(thread, level):
                    self._spawn(self._abort_silently(thread))
                case debugger.Announce(stop):
                    self._announce(stop)
                case debugger.Leave(thread, level):
                    self._left(thread, level)

    async def _describe(self, thread: int, level: int, visit: int, orphan: bool) -> None:
        described = await self._description(thread, level)
        if orphan and described.stop.evaluation is None:
            self._perform(self._debugger.silence(visit, thread))
            return
        locations = await asyncio.to_thread(self._files.locate_all, described.places)
        self._perform(self._debugger.described(visit, described.located(locations)))

    async def _description(self, thread: int, level: int) -> descriptions.Described:
        """Return what the thread shows; when it cannot be asked, what Swank said by itself."""
        entry = self._entries.get((thread, level))
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await self._answer(thread, level, "describe-stop", _FRAMES_SHOWN)
            return descriptions.read_stop(thread, level, answer)
        except (SwankError, ValueError, TypeError, TimeoutError) as error:
            if entry is None or self._entries.get((thread, level)) is not entry:
                raise
            _log.warning("Thread %d did not describe its stop at level %d: %r", thread, level, error)
            evaluation = self._shown.get(entry.conts[0]) if entry.conts else None
            return descriptions.Described(descriptions.plain_stop(entry, evaluation), ())

    async def _abort_silently(self, thread: int) -> None:
        with contextlib.suppress(Aborted):
            await self._ask("swank:sldb-abort", thread=thread)

    def _announce(self, stop: Stop) -> None:
        self._listener.stopped(stop)

    def _left(self, thread: int, level: int) -> None:
        self._listener.left(thread, level)

    def _leave_all(self) -> None:
        """Take note that the image is gone."""
        for waiters in (self._departures, self._returns):
            for stop in list(waiters):
                _wake(waiters, stop)
        self._perform(self._debugger.lost())

    # Tasks

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, SwankError):
            _log.error("A task of the session failed", exc_info=error)

    async def _settle_tasks(self) -> None:
        while self._tasks:
            await asyncio.wait(set(self._tasks))


def _waiter(waiters: dict[StopId, set[asyncio.Future[None]]], stop: StopId) -> asyncio.Future[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiting = waiters.setdefault(stop, set())
    waiting.add(future)

    def forget(_: asyncio.Future[None]) -> None:
        waiting.discard(future)
        if not waiting and waiters.get(stop) is waiting:
            del waiters[stop]

    future.add_done_callback(forget)
    return future


def _wake(waiters: dict[StopId, set[asyncio.Future[None]]], stop: StopId) -> None:
    for future in waiters.pop(stop, set()):
        if not future.done():
            future.set_result(None)


def _chosen(stop: Stop, index: int | None, name: str | None) -> Restart:
    wanted = None if name is None else name.lstrip("*").upper()
    for restart in stop.restarts:
        if index in (None, restart.index) and wanted in (None, restart.name.upper()):
            return restart
    named = ", ".join(f"{restart.index} {restart.name}" for restart in stop.restarts)
    if index is not None and name is not None:
        raise InvalidParams(f"Restart {index} is not called {name}; there are: {named}")
    raise NotFound(f"There is no restart {name if index is None else index} here; there are: {named}")

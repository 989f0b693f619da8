"""A Lisp image through one evaluating connection: evaluations, stopped threads, input, adoption.

What is sent is one call of our own Lisp code for each thing (`lisp/evaluate.lisp`, `lisp/debugger.lisp`); an
image that has not got it is sent its text. Deliberately knows nothing of completion, hover and the like.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from . import debugger, messages
from .compilation import Compiled, read_notes
from .connection import Connection
from .debugger import Condition, Debugger, Effect, Frame, FrameDetail, Stop, StopId
from .errors import Aborted, DebuggerStale, InvalidParams, LispLost, NotFound, SwankError
from .evaluation import Evaluation, Queues, Result
from .forms import Cons, Form, Symbol, Value, plist
from .locations import SourceFiles

_log = logging.getLogger(__name__)

LISP_FILES: Final = ("output.lisp", "evaluate.lisp", "debugger.lisp")
"""The files of `lisp/` that a session needs, in the order in which they are loaded."""

_FRAMES_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What an image says of itself; SWANK_VERSION is for people, nothing may be concluded from it."""

    implementation: str
    version: str
    pid: int | None
    swank_version: str | None
    package: str


@dataclass(frozen=True, slots=True)
class InputRequest:
    """A thread waits for an answer to PROMPT: `Lisp.answer_input` with TAG."""

    tag: int
    thread: int
    prompt: str
    kind: Literal["line", "yesOrNo"]
    evaluation: str | None


class Listener:
    """Hears what happens in an image. The methods do nothing until overridden, and must not block."""

    def output(self, evaluation: str | None, text: str, stream: str) -> None:
        """TEXT was written by EVALUATION, or by nobody's; STREAM is `output` or `error`."""

    def stopped(self, stop: Stop) -> None:
        """A thread waits at STOP; said again when a nested stop above it was left."""

    def left(self, thread: int, level: int) -> None:
        """The stop (THREAD, LEVEL) is over."""

    def evaluation_changed(self, evaluation: Evaluation) -> None:
        """EVALUATION stopped, went on or ended."""

    def input_wanted(self, request: InputRequest) -> None:
        """A thread waits for an answer."""

    def lost(self, reason: str) -> None:
        """The image is gone or the connection to it was closed. Said once."""


@contextlib.asynccontextmanager
async def connect(
    host: str, port: int, secret: str | None = None, listener: Listener | None = None
) -> AsyncIterator[Lisp]:
    """Give a `Lisp` connected to the Swank server at HOST and PORT, and close it in the end.

    Example: async with connect("127.0.0.1", 4005) as lisp: await lisp.eval("(+ 1 2)")  # Result(["3"], "")
    """
    lisp = await Lisp.open(host, port, secret=secret, listener=listener)
    try:
        yield lisp
    finally:
        await lisp.close()


class Lisp:
    """One image through one evaluating connection; made by `open` or `connect`.

    Concurrency: one event loop. Evaluations of one client run one after the other, those of different
    clients side by side, and each client has its own `*package*`, `*`, `/`, `+` and so on.
    Errors: every method raises `LispLost` when the image is gone.
    """

    info: ImageInfo
    connection: Connection

    def __init__(self, listener: Listener | None = None) -> None:
        self.evaluations: dict[str, Evaluation] = {}
        """Those that have not ended, by id."""
        self._listener = listener or Listener()
        self._debugger = Debugger()
        self._queues = Queues()
        self._files = SourceFiles()
        self._tasks: set[asyncio.Task[None]] = set()
        self._shown: set[int] = set()  # requests whose stops are shown; any other is aborted silently
        self._first_id = 0
        self._compiled: dict[str, Compiled] = {}
        self._inputs: dict[int, InputRequest] = {}
        self._questions: set[int] = set()  # tags that Swank itself asked with
        self._departures: dict[StopId, list[asyncio.Future[None]]] = {}
        self._lost = False

    @classmethod
    async def open(
        cls, host: str, port: int, *, secret: str | None = None, listener: Listener | None = None
    ) -> Lisp:
        """Return a session with the image at HOST and PORT; LISTENER hears what happens in it.

        SECRET: sent first; without it the first line of `~/.slime-secret` if there is one, as SLIME does.
        Errors: `LispLost` when nothing answers there or the secret was wrong.
        """
        lisp = cls(listener)
        if secret is None:
            secret = await asyncio.to_thread(_slime_secret)
        lisp.connection = await Connection.open(host, port, secret=secret, on_event=lisp._on_event)
        lisp.connection.closed.add_done_callback(lambda _: lisp._on_closed())
        try:
            await lisp._attach()
        except BaseException:
            await lisp.connection.close()
            raise
        return lisp

    async def close(self) -> None:
        """End the connection. What runs or is stopped stays so in the image, for `adopt`."""
        await self.connection.close()
        await asyncio.sleep(0)

    async def __aenter__(self) -> Lisp:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def stops(self) -> dict[StopId, Stop]:
        """Return all stops that there are now, by (thread, level)."""
        return self._debugger.stops

    # Evaluating

    async def eval(self, code: str, package: str | None = None) -> Result:
        """Return the values and the output of CODE.

        Errors: `Aborted` with the condition when it stops in the debugger; nothing stays stopped.
        Example: await lisp.eval("(values 1 :a)") -> Result(["1", ":A"], "")
        """
        evaluation = await self.start_evaluation(
            code, id=f"eval-{id(code)}-{self.connection.next_id}", package=package
        )
        await evaluation.paused_or_settled()
        while evaluation.stop is not None:
            await self.toplevel(*evaluation.stop)
            await evaluation.paused_or_settled()
        if evaluation.state == "lost":
            raise LispLost("The Lisp was lost while it evaluated; start it again and repeat the evaluation")
        if evaluation.state == "aborted":
            raise Aborted(evaluation.condition.message if evaluation.condition else "aborted")
        return Result(evaluation.values, evaluation.output)

    async def start_evaluation(
        self, code: str, *, id: str, client: str = "", package: str | None = None
    ) -> Evaluation:
        """Start to evaluate the forms of CODE as the evaluation ID of CLIENT; return it before it has ended.

        PACKAGE: as it stands in the file (`"#:foo"`, `"FOO"`); None means the client's own, which only
        evaluations without PACKAGE change.
        """
        return self._begin(id, client, ["descartes-boot:evaluate", id, client, code, package])

    async def compile_string(
        self,
        code: str,
        *,
        id: str,
        client: str = "",
        file: str | None,
        position: int,
        package: str | None,
        policy: Mapping[str, int] | None = None,
    ) -> Evaluation:
        """Compile and load CODE, which begins at POSITION of FILE; `notes` and `success` tell the outcome.

        The definitions know FILE and POSITION, so that going to them works.
        Units: position counts code points from 0. POLICY: such as `{"debug": 3}`.
        """
        self._compiled[id] = Compiled(code, file, position)
        qualities = [_cons(f"cl:{name}", value) for name, value in (policy or {}).items()]
        form = ["descartes-boot:compile-text", id, client, code, file, position, package]
        return self._begin(id, client, [*form, _quoted(qualities)])

    async def compile_file(self, path: str | Path, *, id: str, client: str = "", load: bool) -> Evaluation:
        """Compile the file PATH, and load it if LOAD and it could be compiled; no file is left beside it."""
        source = await asyncio.to_thread(self._files.read, str(path))
        self._compiled[id] = Compiled(source.text if source else "", str(path))
        return self._begin(id, client, ["descartes-boot:compile-source-file", id, client, str(path), load])

    async def load_file(self, path: str | Path, *, id: str, client: str = "") -> Evaluation:
        """Load the source file PATH without compiling it to a file."""
        return self._begin(id, client, ["descartes-boot:load-source-file", id, client, str(path)])

    async def interrupt(self, *, evaluation: str | None = None, thread: int | None = None) -> None:
        """Stop an EVALUATION or a THREAD in the debugger, with a condition of type `interrupt`.

        One that waits for its turn is aborted. Errors: `NotFound` when it is not running.
        """
        if evaluation is None:
            found = await self._ask(["descartes-boot:interrupt-thread", thread])
        else:
            known = self.evaluations.get(evaluation)
            if known is not None and self._queues.withdraw(known):
                self._finish(known, "aborted")
                return
            found = (
                known is not None
                and known.state == "running"
                and await self._ask(["descartes-boot:interrupt-evaluation", evaluation])
            )
        if not found:
            name = f"evaluation {evaluation!r}" if thread is None else f"thread {thread}"
            raise NotFound(f"There is no running {name} to interrupt")

    async def inspect(self, expression: str, package: str | None = None, client: str = "") -> str:
        """Return the title, the type and the parts of the value of EXPRESSION as text.

        Never touches Swank's inspector, which all clients of an image share.
        Errors: `InvalidParams` when evaluating it fails.
        """
        return str(_checked(await self._ask(["descartes-boot:inspect-text", expression, client, package]))[0])

    # Stopped threads

    async def frames(self, thread: int, level: int, start: int, end: int) -> tuple[Frame, ...]:
        """Return the frames START to END (exclusive) of a stop. Errors: `DebuggerStale`."""
        (form,) = await self._at(thread, level, "stop-frames", start, end)
        frames, places = debugger.read_frames(form)
        return debugger.with_locations(frames, await asyncio.to_thread(self._files.locate_all, places))

    async def frame(self, thread: int, level: int, index: int) -> FrameDetail:
        """Return the variables and the place of the frame INDEX. Errors: `DebuggerStale`, `InvalidParams`."""
        detail, place = debugger.read_detail(await self._at(thread, level, "frame-detail", index))
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
        arrives as `input_wanted`.
        Errors: `DebuggerStale`; `NotFound`; `InvalidParams` when an argument errs or INDEX is not NAME.
        """
        restart = self._restart(self._waiting(thread, level), index, name)
        given: Form = _quoted(list(arguments))
        if restart.interactive and not arguments:
            given = _quoted([":interactive"])
        await self._leave(thread, level, "use-restart", restart.index, given, frame)

    async def continue_(self, thread: int, level: int) -> None:
        """Invoke the innermost restart CONTINUE. Errors: `DebuggerStale`, `NotFound`."""
        await self.invoke_restart(thread, level, name="CONTINUE")

    async def abort(self, thread: int, level: int) -> None:
        """Leave this level for its parent; at level 1 that ends the evaluation. Errors: `DebuggerStale`."""
        await self.invoke_restart(thread, level, name="ABORT")

    async def toplevel(self, thread: int, level: int) -> None:
        """Leave all levels of THREAD, which ends its evaluation. Errors: `DebuggerStale`."""
        await self._leave_by(thread, level, ["swank:throw-to-toplevel"])

    async def eval_in_frame(self, thread: int, level: int, frame: int, code: str) -> list[str]:
        """Return the printed values of CODE in FRAME.

        Errors: `InvalidParams` when it errs, and the level stays as it is; `DebuggerStale`. To let an error
        become a nested stop use `start_evaluation_in_frame`.
        """
        (values,) = await self._at(thread, level, "frame-values", frame, code)
        return list(values or [])

    async def start_evaluation_in_frame(
        self, thread: int, level: int, frame: int, code: str, *, id: str, client: str = ""
    ) -> Evaluation:
        """Start to evaluate CODE in FRAME as the evaluation ID; an error is a stop at the next level."""
        self._waiting(thread, level)
        evaluation = self._new(id, client)
        self._send(
            evaluation, ["descartes-boot:evaluate-in-frame", level, frame, id, client, code], thread=thread
        )
        return evaluation

    async def return_from_frame(self, thread: int, level: int, frame: int, code: str) -> None:
        """Return the values of CODE from FRAME. Errors: `DebuggerStale`; `InvalidParams` when that fails."""
        await self._leave(thread, level, "leave-frame", frame, code)

    async def restart_frame(
        self, thread: int, level: int, frame: int, arguments: Sequence[str] | None = None
    ) -> None:
        """Call the function of FRAME anew, as it is defined now, with the values of ARGUMENTS or as before."""
        given: Form = Symbol(":same") if arguments is None else _quoted(list(arguments))
        await self._leave(thread, level, "call-frame-again", frame, given)

    # Input and adoption

    async def answer_input(self, tag: int, text: str | None) -> None:
        """Answer the input request TAG with TEXT, a line without its newline; None gives up the question.

        For `yesOrNo` TEXT is what one would type, `yes` or `y`. Errors: `NotFound` when nobody waits for it.
        """
        request = self._inputs.pop(tag, None)
        if request is None:
            raise NotFound(f"Nobody waits for the input {tag} any more")
        if tag in self._questions:
            self._questions.discard(tag)
            answer = text if request.kind == "line" else (text or "").strip().lower() in ("y", "yes", "t")
            self.connection.send([Symbol(":emacs-return"), request.thread, tag, answer])
        else:
            line = None if text is None else text.rstrip("\n") + "\n"
            await self._ask(["descartes-boot:answer-input", request.thread, tag, line])

    async def adopt(self) -> list[Evaluation]:
        """Take over what clients that are gone have left in the image: evaluations and stopped threads.

        Returns the evaluations, made anew by their ids: stopped ones, running ones, and those that ended
        while nobody listened. Stops of threads without an evaluation come as `stopped`.
        """
        found = await self._ask(["descartes-boot:adopt-orphans"])
        await self._settle_tasks()
        return [self._adopted[id] for id, _ in found or []]

    # Attaching

    async def _attach(self) -> None:
        self._adopted: dict[str, Evaluation] = {}
        self.info = _image_info(await self._ask(["swank:connection-info"]))
        sources = await asyncio.to_thread(_read_sources)
        if await self._ask(_LOADED_VERSION) != _version(sources):
            await self._ask(_load_form(sources))
        self._first_id = int(await self._ask(["descartes-boot:attach-session"]))
        self.connection.next_id = self._first_id

    # Requests

    async def _ask(self, form: Form, thread: int | Literal[True] = True) -> Value:
        """Return the value of FORM; a stop in it is aborted silently, which raises `Aborted`."""
        return await self.connection.rex(_call(form), thread=thread)

    def _waiting(self, thread: int, level: int) -> Stop:
        if self._lost:
            raise LispLost("The Lisp is gone; start it again")
        stop = self._debugger.waiting(thread, level)
        if stop is None:
            raise DebuggerStale(
                f"Thread {thread} is not stopped at level {level} any more; look at the stops again"
            )
        return stop

    async def _at(self, thread: int, level: int, name: str, *arguments: Form) -> list[Value]:
        """Return the answer of our function NAME in the stopped THREAD, without its `:ok`."""
        self._waiting(thread, level)
        answer = await self._or_departure(
            thread, level, self._ask([f"descartes-boot:{name}", level, *arguments], thread)
        )
        return _checked(answer)

    async def _or_departure(self, thread: int, level: int, answer: Coroutine[Any, Any, Value]) -> Value:
        """Return ANSWER, unless the stop is left before: what was sent to it then is never answered."""
        departure = self._departure(thread, level)
        task = asyncio.ensure_future(answer)
        try:
            await asyncio.wait((task, departure), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise DebuggerStale(f"Thread {thread} has left level {level}; look at the stops again")
            return task.result()
        finally:
            task.cancel()
            departure.cancel()

    def _departure(self, thread: int, level: int) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._departures.setdefault((thread, level), []).append(future)
        return future

    async def _leave(self, thread: int, level: int, name: str, *arguments: Form) -> None:
        await self._leave_by(thread, level, [f"descartes-boot:{name}", level, *arguments])

    async def _leave_by(self, thread: int, level: int, form: list[Form]) -> None:
        """Send FORM to a stopped thread, whose stop it leaves; return when that has happened.

        The request unwinds, so its answer is `:abort`. What stops on the way is shown: somebody asked for it.
        """
        self._waiting(thread, level)
        departure = self._departure(thread, level)
        request, answer = self.connection.rex_with_id(_call(form), thread=thread)
        self._show(request, answer)
        try:
            await asyncio.wait((answer, departure), return_when=asyncio.FIRST_COMPLETED)
            if departure.done():
                return
            try:
                _checked(answer.result())
            except Aborted:
                await departure
        finally:
            departure.cancel()

    def _show(self, request: int, answer: asyncio.Future[Value]) -> None:
        self._shown.add(request)
        answer.add_done_callback(lambda _: self._shown.discard(request))

    def _restart(self, stop: Stop, index: int | None, name: str | None) -> debugger.Restart:
        wanted = name.lstrip("*").upper() if name is not None else None
        for restart in stop.restarts:
            if (index is None or restart.index == index) and (
                wanted is None or restart.name.upper() == wanted
            ):
                return restart
        named = ", ".join(f"{restart.index} {restart.name}" for restart in stop.restarts)
        if index is not None and name is not None:
            raise InvalidParams(f"Restart {index} is not called {name}; there are: {named}")
        raise NotFound(f"There is no restart {name if index is None else index} here; there are: {named}")

    # Evaluations

    def _new(self, id: str, client: str) -> Evaluation:
        if self._lost:
            raise LispLost("The Lisp is gone; start it again")
        evaluation = Evaluation(id, client)
        self.evaluations[id] = evaluation
        return evaluation

    def _begin(self, id: str, client: str, form: list[Form]) -> Evaluation:
        evaluation = self._new(id, client)
        self._queues.add(evaluation, lambda: self._send(evaluation, form))
        return evaluation

    def _send(self, evaluation: Evaluation, form: list[Form], thread: int | Literal[True] = True) -> None:
        try:
            request, answer = self.connection.rex_with_id(_call(form), thread=thread)
        except SwankError as error:
            self._refused(evaluation, error)
            return
        self._show(request, answer)
        answer.add_done_callback(lambda done: self._answered(evaluation, done))

    def _answered(self, evaluation: Evaluation, answer: asyncio.Future[Value]) -> None:
        """The outcome has come before, as a message; without it the request was never carried out."""
        error = None if answer.cancelled() else answer.exception()
        if isinstance(error, SwankError):
            self._refused(evaluation, error)
        elif error is None and isinstance(answer.result(), list):
            self._refused(evaluation, DebuggerStale("The thread is not stopped at that level any more"))

    def _refused(self, evaluation: Evaluation, error: SwankError) -> None:
        if not evaluation.ended and not isinstance(error, LispLost):
            evaluation.condition = evaluation.condition or Condition(error.code, error.message)
            self._finish(evaluation, "aborted")

    def _finish(self, evaluation: Evaluation, state: Literal["done", "aborted", "lost"]) -> None:
        self.evaluations.pop(evaluation.id, None)
        self._compiled.pop(evaluation.id, None)
        evaluation.finished(state)
        self._changed(evaluation)

    def _changed(self, evaluation: Evaluation) -> None:
        self._listener.evaluation_changed(evaluation)
        self._queues.changed(evaluation)

    # Events

    def _on_event(self, event: messages.Event) -> None:
        match event:
            case messages.ChannelSend(0, [str(kind), *arguments]):
                self._on_message(kind, arguments)
            case messages.Debug(int(thread), level, conts=conts):
                self._perform(self._debugger.entered(thread, level, silent=self._is_silent(conts)))
            case messages.DebugReturn(int(thread), level):
                self._perform(self._debugger.left(thread, level))
                self._departed(thread, level)
            case messages.WriteString(text=text):
                self._listener.output(None, text, "output")
            case messages.ReadFromMinibuffer(int(thread), tag, prompt):
                self._swank_asks(InputRequest(tag, thread, prompt, "line", None))
            case messages.YesOrNo(int(thread), tag, question):
                self._swank_asks(InputRequest(tag, thread, question, "yesOrNo", None))
            case messages.DebugCondition(thread, message):
                _log.warning("Swank's debugger failed in thread %s: %s", thread, message)
            case _:
                pass

    def _is_silent(self, conts: Sequence[int]) -> bool:
        """Return whether the innermost request is one of this session's that nobody is to see."""
        return bool(conts) and conts[0] >= self._first_id and conts[0] not in self._shown

    def _on_message(self, kind: str, arguments: list[Value]) -> None:
        match [kind, *arguments]:
            case [":output", evaluation, str(stream), str(text)]:
                known = self.evaluations.get(evaluation) if evaluation else None
                if known is not None:
                    known.write(text)
                self._listener.output(evaluation, text, stream.lstrip(":"))
            case [":outcome", str(id), str(state), values, package, result, duration]:
                self._on_outcome(id, state, values or [], package, result, duration)
            case [":input", evaluation, int(thread), int(tag), str(prompt)]:
                self._wants_input(InputRequest(tag, thread, prompt, _input_kind(prompt), evaluation))
            case [":input-ended", int(tag)]:
                self._inputs.pop(tag, None)
            case [":adopted", adopted]:
                for id, client in adopted or []:
                    self._adopted[id] = self._new(id, client)
            case _:
                _log.warning("A message of an unknown kind came from the image: %.200r", [kind, *arguments])

    def _on_outcome(
        self, id: str, state: str, values: list[str], package: str | None, result: Value, duration: int
    ) -> None:
        evaluation = self.evaluations.get(id)
        if evaluation is None or evaluation.ended:
            return
        evaluation.values, evaluation.package, evaluation.duration_ms = list(values), package, duration
        if result is None:
            self._finish(evaluation, "done" if state == ":done" else "aborted")
        else:
            self._spawn(self._finish_compilation(evaluation, result))

    async def _finish_compilation(self, evaluation: Evaluation, result: list[Value]) -> None:
        notes, success = result
        compiled = self._compiled.get(evaluation.id, Compiled("", None))
        evaluation.success = success is True
        try:
            evaluation.notes = await asyncio.to_thread(read_notes, notes, compiled, self._files)
        finally:
            if not evaluation.ended:
                self._finish(evaluation, "done")

    def _swank_asks(self, request: InputRequest) -> None:
        self._questions.add(request.tag)
        self._wants_input(request)

    def _wants_input(self, request: InputRequest) -> None:
        self._inputs[request.tag] = request
        self._listener.input_wanted(request)

    # Stops

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case debugger.Describe(thread, level, visit):
                    self._spawn(self._describe(thread, level, visit))
                case debugger.AbortRequest(thread, level):
                    self._spawn(self._abort_silently(thread, level))
                case debugger.Announce(stop):
                    self._announce(stop)
                case debugger.Leave(thread, level):
                    self._left(thread, level)

    async def _describe(self, thread: int, level: int, visit: int) -> None:
        form = ["descartes-boot:describe-stop", level, _FRAMES_SHOWN]
        answer = await self._or_departure(thread, level, self._ask(form, thread))
        described = debugger.read_stop(thread, level, _checked(answer))
        stop = described.located(await asyncio.to_thread(self._files.locate_all, described.places))
        self._perform(self._debugger.described(visit, stop))

    async def _abort_silently(self, thread: int, level: int) -> None:
        with contextlib.suppress(Aborted):
            await self._ask(["swank:sldb-abort"], thread)

    def _announce(self, stop: Stop) -> None:
        self._listener.stopped(stop)
        evaluation = self.evaluations.get(stop.evaluation) if stop.evaluation else None
        if evaluation is not None and not evaluation.ended:
            evaluation.paused(stop.id, stop.condition)
            self._changed(evaluation)

    def _left(self, thread: int, level: int) -> None:
        self._listener.left(thread, level)
        for evaluation in list(self.evaluations.values()):
            if evaluation.stop == (thread, level):
                evaluation.resumed()
                self._changed(evaluation)

    def _departed(self, thread: int, level: int) -> None:
        for future in self._departures.pop((thread, level), []):
            if not future.done():
                future.set_result(None)

    # The end

    def _on_closed(self) -> None:
        if self._lost:
            return
        self._lost = True
        for stop in list(self._departures):
            self._departed(*stop)
        self._inputs.clear()
        self._perform(self._debugger.lost())
        for evaluation in list(self.evaluations.values()):
            self._finish(evaluation, "lost")
        self._listener.lost("The connection to the Lisp has ended")

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


def _slime_secret() -> str | None:
    try:
        return (Path.home() / ".slime-secret").read_text(encoding="utf-8").splitlines()[0]
    except (OSError, IndexError, RuntimeError, UnicodeDecodeError):
        return None


def _call(form: list[Form]) -> Form:
    """Return FORM with its operator as a symbol."""
    return [Symbol(form[0]), *form[1:]]


def _quoted(items: list[Form]) -> Form:
    return [Symbol("quote"), [Symbol(item) if item == ":interactive" else item for item in items]]


def _cons(symbol: str, value: int) -> Form:
    return Cons((Symbol(symbol),), value)


def _checked(answer: Value) -> list[Value]:
    """Return what follows `:ok` in ANSWER of one of our functions. Errors: as the other answers say."""
    match answer:
        case [":ok", *rest]:
            return rest
        case [":stale"]:
            raise DebuggerStale("The thread is not stopped at that level any more; look at the stops again")
        case [":invalid", str(why)]:
            raise InvalidParams(why[:1].upper() + why[1:].rstrip("."))
        case _:
            return []


_YES_OR_NO = re.compile(r"\((?:y or n|yes or no|y/n)\)\s*:?\s*\Z", re.IGNORECASE)


def _input_kind(prompt: str) -> Literal["line", "yesOrNo"]:
    return "yesOrNo" if _YES_OR_NO.search(prompt) else "line"


def _image_info(form: Value) -> ImageInfo:
    info = plist(form)
    lisp, package = plist(info.get(":lisp-implementation")), plist(info.get(":package"))
    return ImageInfo(
        str(lisp.get(":type", "")),
        str(lisp.get(":version", "")),
        info.get(":pid"),
        info.get(":version"),
        str(package.get(":name", "COMMON-LISP-USER")),
    )


def _read_sources() -> str:
    folder = Path(__file__).parent / "lisp"
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in LISP_FILES)


def _version(sources: str) -> str:
    match = re.search(r'\*evaluate-version\* "([^"]+)"', sources)
    assert match is not None
    return match[1]


_LOADED_VERSION: Final = [
    "cl:and",
    [Symbol("cl:find-package"), "DESCARTES-BOOT"],
    [Symbol("cl:fboundp"), [Symbol("cl:find-symbol"), "DESCRIBE-STOP", "DESCARTES-BOOT"]],
    [Symbol("cl:symbol-value"), [Symbol("cl:find-symbol"), "*EVALUATE-VERSION*", "DESCARTES-BOOT"]],
]


def _load_form(sources: str) -> list[Form]:
    """Return the form that loads SOURCES in the image, without the remarks of its compiler."""
    muffle = [Symbol("cl:warning"), [Symbol("cl:function"), Symbol("cl:muffle-warning")]]
    stream = [Symbol("stream"), sources]
    load = [Symbol("cl:with-input-from-string"), stream, [Symbol("cl:load"), Symbol("stream")]]
    return ["cl:handler-bind", [muffle], [Symbol("cl:with-compilation-unit"), None, load]]

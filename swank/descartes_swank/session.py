"""A Lisp image through one evaluating connection: evaluations, stopped threads, input, adoption.

What is sent is one call of our own Lisp code for each thing. Knows nothing of completion, hover and the like.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import AsyncIterator
from typing import Literal

from . import messages
from .answers import checked
from .attachment import ImageInfo, attach
from .breakpoints import Breakpoints
from .compilation import Compiled, read_notes
from .compiling import Compiling
from .debugger import Condition, Stop
from .errors import Aborted, DebuggerStale, InvalidParams, LispLost, NotFound, SwankError
from .evaluation import Evaluation, Queues, Result, client_name
from .forms import Form, Symbol, Value
from .inspector import Inspector
from .listener import InputRequest, Listener, input_kind
from .marks import LoadedFile, Marks
from .opening import opened
from .paths import SAME, Paths
from .questions import Asking
from .reading import Reading
from .service import SwankQuestions
from .systems import Systems
from .ways import TcpWay, Way

_log = logging.getLogger(__name__)


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


class Lisp(Compiling, Systems, Breakpoints, Reading):
    """One image through one evaluating connection; made by `open` or `connect`.

    Concurrency: one event loop. Evaluations of one client run one after the other, those of different
    clients side by side, and each client has its own `*package*`, `*`, `/`, `+` and so on.
    Errors: every method raises `LispLost` when the image is gone.
    """

    info: ImageInfo

    def __init__(self, listener: Listener | None = None, paths: Paths = SAME) -> None:
        super().__init__(listener or Listener(), paths)
        self.evaluations: dict[str, Evaluation] = {}
        """Those that have not ended, by id."""
        self.inspector = Inspector(self)
        self.marks = Marks(self._ask)
        self._queues = Queues()
        self._compiled: dict[str, Compiled] = {}
        self._adopted: dict[str, Evaluation] = {}
        self._unnamed = itertools.count(1)

    @classmethod
    async def open(
        cls,
        host: str,
        port: int,
        *,
        secret: str | None = None,
        listener: Listener | None = None,
        way: Way | None = None,
        paths: Paths = SAME,
        plain: bool = False,
        deadline_s: float | None = None,
    ) -> Lisp:
        """Return a session with the image at HOST and PORT; LISTENER hears what happens in it.

        SECRET: sent first; without it the first line of `~/.slime-secret` if there is one, as SLIME does.
        WAY: how one gets there, when that is not a connection from here. PATHS: what it calls files here.
        PLAIN: by Swank's own calls alone, as with a Lisp that is no SBCL. DEADLINE_S: for its first answer.
        Errors: `LispLost` when nothing answers there, when it is no Swank, or when the secret was wrong.
        """
        way = way or TcpWay(host, port)

        def make(plain: bool) -> Lisp:
            return cls._of_kind(plain, listener, paths)

        return await opened(make, way, secret, plain=plain, deadline_s=deadline_s)

    @classmethod
    def _of_kind(cls, plain: bool, listener: Listener | None, paths: Paths) -> Lisp:
        from .portable import PortableLisp  # it is a kind of `Lisp` itself

        return PortableLisp(listener, paths) if plain else cls(listener, paths)

    async def _enter(self) -> int:
        """Prepare the image for this session; return the first request id that is its own."""
        return await attach(self.connection)

    def questions(self) -> Asking:
        """Return what can be asked of this image without evaluating, as Swank calls."""
        return SwankQuestions(self.connection, paths=self.paths)

    async def close(self) -> None:
        """End the connection. What runs or is stopped stays so in the image, for `adopt`."""
        await self.connection.close()
        await asyncio.sleep(0)

    async def __aenter__(self) -> Lisp:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # Evaluating

    async def eval(self, code: str, package: str | None = None) -> Result:
        """Return the values and the output of CODE.

        Errors: `Aborted` with the condition when it stops in the debugger; nothing stays stopped.
        Example: await lisp.eval("(values 1 :a)") -> Result(["1", ":A"], "")
        """
        name = f"eval_{self._first_id}_{next(self._unnamed)}"
        evaluation = await self.start_evaluation(code, id=name, package=package)
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
        self, code: str, *, id: str, client: str = "", package: str | None = None, repl: str | None = None
    ) -> Evaluation:
        """Start to evaluate the forms of CODE as the evaluation ID of CLIENT; return it before it has ended.

        PACKAGE: as it stands in the file (`"#:foo"`, `"FOO"`); None means the client's own, which only
        evaluations without PACKAGE change. REPL: the client's REPL of that name, which has variables of its
        own and numbers its results; `#v3:1` in CODE is the second value of its result 3.
        """
        name = client_name(client, repl)
        evaluation = self._begin(id, name, ["descartes-boot:evaluate", id, name, code, package])
        evaluation.asked_package = package
        return evaluation

    async def package_of(self, client: str, repl: str | None = None) -> str:
        """Return the package that CLIENT, or its REPL, is in."""
        return str(await self._ask("descartes-boot:client-package", client_name(client, repl)))

    async def interrupt(self, *, evaluation: str | None = None, thread: int | None = None) -> None:
        """Stop an EVALUATION or a THREAD in the debugger, with a condition of type `interrupt`.

        One that waits for its turn is aborted, a THREAD that is stopped already stops one level deeper.
        Errors: `NotFound` when it is not running.
        """
        if evaluation is None:
            found = await self._ask("descartes-boot:interrupt-thread", thread)
        else:
            known = self.evaluations.get(evaluation)
            if known is not None and self._queues.withdraw(known):
                self._finish(known, "aborted")
                return
            found = (
                known is not None
                and known.state == "running"
                and await self._ask("descartes-boot:interrupt-evaluation", evaluation)
            )
        if not found:
            name = f"evaluation {evaluation!r}" if thread is None else f"thread {thread}"
            raise NotFound(f"There is no running {name} to interrupt")

    async def abort_evaluation(self, evaluation: str) -> None:
        """End EVALUATION, running or waiting, without a stop; one that has ended is left alone."""
        known = self.evaluations.get(evaluation)
        if known is not None and self._queues.withdraw(known):
            self._finish(known, "aborted")
        elif known is not None and known.state == "running":
            await self._ask("descartes-boot:abort-evaluation", evaluation)

    async def inspect(self, expression: str, package: str | None = None, client: str = "") -> str:
        """Return the title, the type and the parts of the value of EXPRESSION as text.

        Never touches Swank's inspector, which all clients of an image share.
        Errors: `InvalidParams` when evaluating it fails.
        """
        answer = await self._ask("descartes-boot:inspect-text", expression, client, package)
        return str(checked(answer)[0])

    async def forget_client(self, client: str) -> None:
        """Drop what the image keeps for CLIENT, which is gone: inspections, results, variables, REPLs."""
        await self._ask("descartes-boot:forget-client", client)

    async def start_evaluation_in_frame(
        self, thread: int, level: int, frame: int, code: str, *, id: str, client: str = ""
    ) -> Evaluation:
        """Start to evaluate CODE in FRAME as the evaluation ID; an error is a stop at the next level."""
        await self._reached(thread, level)
        evaluation = self._new(id, client)
        evaluation.in_frame, evaluation.frames_thread = True, thread
        named = self._named(thread, level)
        form: list[Form] = ["descartes-boot:evaluate-in-frame", named, frame, id, client, code]
        self._send(evaluation, self.marks.wrapped(id, form), thread)
        return evaluation

    # Adoption

    async def adopt(self) -> list[Evaluation]:
        """Take over what clients that are gone have left in the image: evaluations and stopped threads.

        Returns the evaluations, made anew by their ids: stopped ones, running ones, and those that ended
        while nobody listened. Stops of threads without an evaluation come as `stopped`.
        """
        found = await self._ask("descartes-boot:adopt-orphans")
        await self._settle_tasks()
        return [self._adopted.pop(id) for id, _ in found or []]

    # Evaluations

    def _new(self, id: str, client: str) -> Evaluation:
        self._require_image()
        if id in self.evaluations:
            raise InvalidParams(f"An evaluation {id!r} is under way already; give every one an id of its own")
        evaluation = Evaluation(id, client)
        self.evaluations[id] = evaluation
        return evaluation

    def _begin(self, id: str, client: str, form: list[Form], compiled: Compiled | None = None) -> Evaluation:
        evaluation = self._new(id, client)
        if compiled is not None:
            self._compiled[id] = compiled
        form = self.marks.wrapped(id, form)
        self._queues.add(evaluation, lambda: self._send(evaluation, form, True))
        return evaluation

    def _send(self, evaluation: Evaluation, form: list[Form], thread: int | Literal[True]) -> None:
        try:
            request, answer = self.connection.rex_with_id([Symbol(form[0]), *form[1:]], thread=thread)
        except SwankError as error:
            self._refused(evaluation, error)
            return
        self._show(request, answer, evaluation.id)
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
            case messages.Debug():
                self._on_debug(event)
            case messages.DebugReturn(int(thread), level):
                self._on_debug_return(thread, level)
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

    def _on_message(self, kind: str, arguments: list[Value]) -> None:
        match [kind, *arguments]:
            case [":output", evaluation, str(stream), str(text)]:
                known = self.evaluations.get(evaluation) if evaluation else None
                if known is not None:
                    known.write(text)
                self._listener.output(evaluation, text, stream.lstrip(":"))
            case [":outcome", str(id), str(state), values, package, result, duration, number]:
                if (known := self.evaluations.get(id)) is not None:
                    known.number = number
                self._on_outcome(id, state, values or [], package, result, duration)
            case [":input", evaluation, int(thread), int(tag), str(prompt)]:
                self._wants_input(InputRequest(tag, thread, prompt, input_kind(prompt), evaluation))
            case [":report", str(id), value]:
                if (known := self.evaluations.get(id)) is not None:
                    self._listener.reported(known, value, known.take_recent())
            case [":input-ended", int(tag)]:
                self._input_withdrawn(tag)
            case [":loaded", int(tick), str(path), str(text)]:
                self._listener.file_loaded(LoadedFile(tick, path, text))
            case [":adopted", adopted]:
                self._adopted.update({id: self._new(id, client) for id, client in adopted or []})
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
            return
        notes, success, *report = result
        evaluation.success = success is True
        evaluation.report = report[0] if report else None
        if notes:
            self._spawn(self._finish_compilation(evaluation, notes))
        else:
            self._finish(evaluation, "done")

    async def _finish_compilation(self, evaluation: Evaluation, notes: list[Value]) -> None:
        compiled = self._compiled.get(evaluation.id, Compiled("", None))
        try:
            evaluation.notes = await asyncio.to_thread(read_notes, notes, compiled, self._files)
        finally:
            if not evaluation.ended:
                self._finish(evaluation, "done")

    # Stops and the end

    def _announce(self, stop: Stop) -> None:
        super()._announce(stop)
        evaluation = self.evaluations.get(stop.evaluation) if stop.evaluation else None
        if evaluation is not None:
            evaluation.paused(stop.id, stop.condition)
            self._changed(evaluation)

    def _left(self, thread: int, level: int) -> None:
        super()._left(thread, level)
        for evaluation in list(self.evaluations.values()):
            if evaluation.stop == (thread, level):
                evaluation.resumed()
                self._changed(evaluation)
            elif level == 1 and evaluation.frames_thread == thread and evaluation.state == "running":
                # What had begun there has told its end before: this one was never taken up.
                error = DebuggerStale("The thread went on before the code in its frame was evaluated")
                self._refused(evaluation, error)

    def _on_closed(self) -> None:
        self._lost = True
        self._withdraw_all()
        self._leave_all()
        for evaluation in list(self.evaluations.values()):
            self._finish(evaluation, "lost")
        self._listener.lost("The connection to the Lisp has ended")

"""A session with a Lisp that is no SBCL, by Swank's own calls: nothing is loaded into the image.

What such a Swank does not offer is refused by name. Output comes with the end of an evaluation.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal, NoReturn

from . import descriptions, sexp
from .compilation import UNNAMED, Compiled
from .compiling import policy_form
from .debugger import Frame, FrameDetail, Local
from .errors import Aborted, InvalidParams, NotFound, SwankError, TimedOut, Unsupported
from .evaluation import Evaluation
from .forms import Form, Symbol, Value
from .interrupting import Workers, see_taken
from .locations import FRAME, place
from .messages import Debug
from .portable_forms import evaluating, in_frame, restart_with, shown, takes_width
from .portable_questions import PortableQuestions
from .session import Lisp
from .stopped import ANSWER_S

_MISSING: Final = {
    "DISASSEMBLE-FRAME": "disassembly of a frame",
    "RESTART-FRAME": "calling a frame again",
    "RETURN-FROM-FRAME": "returning from a frame",
    "FRAME-PACKAGE": "the package of a frame",
    "FRAME-CATCH-TAGS": "catch tags",
    "CALLS-WHO": "what a function calls",
    "WHO-CALLS": "who calls a function",
}
"""Functions of Swank's backend that an implementation may lack, and what a person calls what is missing."""

_HOUSEKEEPING: Final = frozenset({"follow-files", "forget-client", "mark-file", "breakpoint-counts"})
"""What nobody asked for by name: it is left undone here, and nobody is told."""


class PortableLisp(Lisp):
    """An image of any implementation through plain Swank."""

    async def _enter(self) -> int:
        names = await self.connection.rex(
            "(cl:mapcar (cl:function cl:symbol-name) swank/backend::*unimplemented-interfaces*)"
        )
        self.lacking: frozenset[str] = frozenset(names or [])
        self._packages: dict[str, str] = {}
        self._started: dict[str, float] = {}
        self._workers = Workers()
        # Where the image puts compiled files for a moment: never beside a source.
        self._scratch = f"/tmp/descartes-{secrets.token_hex(8)}/"
        self._takes_width = await takes_width(self.connection)
        # Ids of an earlier connection may still be answered.
        first_id = secrets.randbelow(10**9) * 10**6 + 1
        self.connection.next_id = first_id
        return first_id

    async def close(self) -> None:
        await super().close()
        if self.paths.shared:
            with contextlib.suppress(OSError):
                await asyncio.to_thread(Path(self._scratch).rmdir)

    @property
    def name(self) -> str:
        """Return what a person calls the implementation."""
        return self.info.implementation or "this Lisp"

    def questions(self) -> PortableQuestions:
        """Return what can be asked of this image."""
        return PortableQuestions(self.connection, self.paths)

    def refuse(self, what: str) -> NoReturn:
        """Raise `Unsupported` for WHAT, such as `restarts with arguments`."""
        raise Unsupported(f"{self.name}'s Swank has no {what}; use SBCL for it")

    # Evaluating

    async def start_evaluation(
        self, code: str, *, id: str, client: str = "", package: str | None = None, **others: Any
    ) -> Evaluation:
        if others.get("repl"):
            self.refuse("REPLs beside the main one")
        name = package or self._packages.get(client, "COMMON-LISP-USER")
        keeps = client if package is None else None
        return self._run(id, client, evaluating(code), name, _Values(keeps))

    async def compile_string(
        self,
        code: str,
        *,
        id: str,
        client: str = "",
        file: str | None,
        position: int,
        package: str | None,
        policy: Any = None,
    ) -> Evaluation:
        named = None if file is None else self.paths.there(file)
        at = [Symbol("quote"), [[Symbol(":position"), position + 1], [Symbol(":line"), 1, 1]]]
        call = [Symbol("swank:compile-string-for-emacs"), code, named or UNNAMED, at, named]
        form = sexp.write([*call, policy_form(policy or {})])
        self._compiled[id] = Compiled(code, file, position, named)
        return self._run(id, client, form, package or "COMMON-LISP-USER", _Compilation(None))

    async def compile_file(
        self, path: str | Path, *, id: str, client: str = "", load: bool | Literal["always"]
    ) -> Evaluation:
        text, named = await self._text(path), self.paths.there(str(path))
        if named is None:
            return await self._compile_unseen(path, text, id, client)
        await self.connection.rex([Symbol("cl:ensure-directories-exist"), self._scratch])
        options: list[Form] = [Symbol(":fasl-directory"), self._scratch]
        form = [Symbol("swank:compile-file-for-emacs"), named, None, *options]
        self._compiled[id] = Compiled(text, str(path), named=named)
        after = _Compilation("always" if load == "always" else "good" if load else None)
        return self._run(id, client, sexp.write(form), "COMMON-LISP-USER", after)

    async def load_file(self, path: str | Path, *, id: str, client: str = "") -> Evaluation:
        named = self.paths.there(str(path))
        if named is None:
            return await self._compile_unseen(path, await self._text(path), id, client)
        form = sexp.write([Symbol("swank:load-file"), named])
        return self._run(id, client, form, "COMMON-LISP-USER", _Loaded())

    async def start_evaluation_in_frame(
        self, thread: int, level: int, frame: int, code: str, *, id: str, client: str = "", **others: Any
    ) -> Evaluation:
        await self._reached(thread, level)
        evaluation = self._new(id, client)
        self._perform_in(
            evaluation, in_frame(code, frame, self._takes_width), "COMMON-LISP-USER", _Text(), thread
        )
        return evaluation

    async def interrupt(self, *, evaluation: str | None = None, thread: int | None = None) -> None:
        """Interrupt THREAD, or EVALUATION, one that was asked for just now as soon as it is at work."""
        if evaluation is None:
            self.connection.interrupt(thread if thread is not None else True)
            return
        known = self.evaluations.get(evaluation)
        if known is not None and self._queues.withdraw(known):
            self._finish(known, "aborted")
            return
        if known is None or known.state != "running":
            raise NotFound(f"There is no running evaluation {evaluation!r} to interrupt")
        self._spawn(self._interrupt(known))

    async def _interrupt(self, evaluation: Evaluation) -> None:
        thread = await self._workers.thread_of(evaluation)
        if thread is not None and evaluation.state == "running":
            self.connection.interrupt(thread)
            await see_taken(self.connection, evaluation)

    async def adopt(self) -> list[Evaluation]:
        """Return nothing: what an earlier client left stopped stays so in the image."""
        return []

    async def serve_workspace(self, folder: Path, fasls: Path) -> None:
        """Leave the systems as they are found by the image itself."""

    def _on_message(self, kind: str, arguments: list[Value]) -> None:
        match [kind, *arguments]:
            case [":taken-up", str(id), thread]:
                self._workers.taken_up(id, thread)
            case _:
                super()._on_message(kind, arguments)

    def _run(self, id: str, client: str, form: str, package: str, after: _After) -> Evaluation:
        evaluation = self._new(id, client)
        self._queues.add(evaluation, lambda: self._perform_in(evaluation, form, package, after, True))
        return evaluation

    def _perform_in(
        self, evaluation: Evaluation, form: str, package: str, after: _After, thread: int | Literal[True]
    ) -> None:
        self._started[evaluation.id] = time.monotonic()
        try:
            form = self._workers.telling(evaluation, form)
            request, answer = self.connection.rex_with_id(form, package=package, thread=thread)
        except SwankError as error:
            self._refused(evaluation, error)
            return
        self._show(request, answer, evaluation.id)
        answer.add_done_callback(lambda done: self._came(evaluation, after, done))

    def _came(self, evaluation: Evaluation, after: _After, answer: asyncio.Future[Value]) -> None:
        began = self._started.pop(evaluation.id, time.monotonic())
        evaluation.duration_ms = round((time.monotonic() - began) * 1000)
        if answer.cancelled() or evaluation.ended:
            return
        error = answer.exception()
        if error is None:
            self._spawn(self._take(after, evaluation, answer.result()))
        elif isinstance(error, Aborted):
            self._finish(evaluation, "aborted")
        elif isinstance(error, SwankError):
            self._refused(evaluation, error)

    async def _take(self, after: _After, evaluation: Evaluation, answer: Value) -> None:
        try:
            await after.take(self, evaluation, answer)
        except SwankError as error:
            self._refused(evaluation, error)
        finally:
            if not evaluation.ended:
                self._finish(evaluation, "aborted")

    # Stopped threads

    async def _description(self, thread: int, level: int) -> descriptions.Described:
        entry = self._entries[(thread, level)]
        evaluation = self._shown.get(entry.conts[0]) if entry.conts else None
        frames, places = await self._frames_from(entry)
        stop = descriptions.plain_stop(entry, evaluation)
        return descriptions.Described(descriptions.with_frames(stop, frames), places)

    async def _frames_from(self, entry: Debug) -> tuple[tuple[Frame, ...], tuple[Any, ...]]:
        assert isinstance(entry.thread, int)
        again = "RESTART-FRAME" not in self.lacking
        frames = tuple(
            Frame(each.index, each.description, each.restartable and again, None) for each in entry.frames
        )
        places: list[Any] = []
        with contextlib.suppress(TimedOut):
            for frame in frames[:8]:
                places.append(await self._frame_place(entry.thread, frame.index))
        return frames, tuple(places + [None] * (len(frames) - len(places)))

    async def _frame_place(self, thread: int, index: int) -> Any:
        form = f"(cl:ignore-errors (swank:frame-source-location {index}))"
        with contextlib.suppress(Aborted):
            return place(await self._in_thread(thread, form), FRAME)
        return None

    async def _in_thread(self, thread: int, form: str) -> Value:
        try:
            return await asyncio.wait_for(self.connection.rex(form, thread=thread), ANSWER_S)
        except TimeoutError:
            raise TimedOut(
                f"Thread {thread}, which is stopped, did not answer within {ANSWER_S} s; leave its stop"
            ) from None

    async def frames(self, thread: int, level: int, start: int, end: int) -> tuple[Frame, ...]:
        await self._reached(thread, level)
        form = await self._in_thread(thread, f"(swank:backtrace {start} {end})")
        frames = [Frame(each[0], str(each[1]), False, None) for each in form or []]
        return tuple(frames)

    async def frame(self, thread: int, level: int, index: int, *, all: bool = False) -> FrameDetail:
        await self._reached(thread, level)
        answer = await self._in_thread(
            thread, f"(cl:ignore-errors (swank:frame-locals-and-catch-tags {index}))"
        )
        if answer is None:
            raise InvalidParams(f"Frame {index} shows nothing; look at the frames again")
        values = [dict(zip(each[::2], each[1::2], strict=False)) for each in answer[0] or []]
        found = tuple(
            Local(str(each.get(":name")), str(each.get(":value")), number)
            for number, each in enumerate(values)
            if all or not str(each.get(":name")).startswith("#:")
        )
        location = await self._frame_place(thread, index)
        detail = FrameDetail(found, tuple(map(str, answer[1] or [])), None, "COMMON-LISP-USER")
        if location is None:
            return detail
        return descriptions.with_place(detail, await asyncio.to_thread(self._files.locate, location))

    async def eval_in_frame(self, thread: int, level: int, frame: int, code: str) -> list[str]:
        await self._reached(thread, level)
        return [shown(str(await self._in_thread(thread, in_frame(code, frame, self._takes_width))))]

    async def disassemble_frame(self, thread: int, level: int, frame: int) -> str:
        self._require("DISASSEMBLE-FRAME")
        await self._reached(thread, level)
        return str(await self._in_thread(thread, f"(swank:sldb-disassemble {frame})"))

    async def toplevel(self, thread: int, level: int) -> None:
        await self._leave_by(thread, level, [Symbol("swank:throw-to-toplevel")])

    async def return_from_frame(self, thread: int, level: int, frame: int, code: str) -> None:
        self._require("RETURN-FROM-FRAME")
        form = [Symbol("swank:sldb-return-from-frame"), frame, code]
        await self._leave_by(thread, level, form)

    async def restart_frame(
        self, thread: int, level: int, frame: int, arguments: Sequence[str] | None = None
    ) -> None:
        self._require("RESTART-FRAME")
        if arguments is not None:
            self.refuse("call of a frame with other arguments")
        await self._leave_by(thread, level, [Symbol("swank:restart-frame"), frame])

    def _require(self, function: str) -> None:
        if function in self.lacking:
            self.refuse(_MISSING.get(function, function.lower()))

    async def _leave(self, thread: int, level: int, name: str, *arguments: Form) -> None:
        match name, arguments:
            case "use-restart", (int(index), _, _) if arguments[1] in ([Symbol("quote"), []],):
                form: Form = [Symbol("swank:invoke-nth-restart-for-emacs"), level, index]
                await self._leave_by(thread, level, form)
            case "use-restart", (int(index), [_, list(texts)], _):
                await self._leave_by(thread, level, restart_with(index, [str(text) for text in texts]))
            case _:
                self.refuse(f"`{name}`")

    async def _ask(self, name: str, *arguments: Form, thread: int | Literal[True] = True) -> Value:
        if name.rpartition(":")[2] in _HOUSEKEEPING:
            return None
        if not name.startswith("swank:"):
            self.refuse(f"`{name.rpartition(':')[2]}`")
        return await super()._ask(name, *arguments, thread=thread)

    async def _answer(self, thread: int, level: int, name: str, *arguments: Form) -> list[Value]:
        self.refuse(f"`{name}`")


class _After:
    """What is done with the answer of a request that was somebody's."""

    async def take(self, lisp: PortableLisp, evaluation: Evaluation, answer: Value) -> None:
        lisp._finish(evaluation, "done")


class _Loaded(_After):
    pass


class _Text(_After):
    async def take(self, lisp: PortableLisp, evaluation: Evaluation, answer: Value) -> None:
        evaluation.values = [shown(str(answer))]
        lisp._finish(evaluation, "done")


class _Values(_After):
    """The answer of `evaluating`; KEEPS names the client whose package it may have changed."""

    def __init__(self, keeps: str | None) -> None:
        self._keeps = keeps

    async def take(self, lisp: PortableLisp, evaluation: Evaluation, answer: Value) -> None:
        output, values, package = answer
        if output:
            evaluation.write(str(output))
            lisp._listener.output(evaluation.id, str(output), "output")
        evaluation.values, evaluation.package = [str(each) for each in values or []], str(package)
        if self._keeps is not None:
            lisp._packages[self._keeps] = str(package)
        lisp._finish(evaluation, "done")


class _Compilation(_After):
    """The answer of a compilation; LOADS says when the compiled file is loaded."""

    def __init__(self, loads: Literal["good", "always"] | None) -> None:
        self._loads = loads

    async def take(self, lisp: PortableLisp, evaluation: Evaluation, answer: Value) -> None:
        _, notes, success, _, _, fasl = (*answer, None, None, None, None, None, None)[:6]
        good = success is not None
        if isinstance(fasl, str):
            if self._loads == "always" or (self._loads and good):
                await lisp.connection.rex([Symbol("swank:load-file"), fasl])
            await lisp.connection.rex([Symbol("cl:delete-file"), fasl])
        if not evaluation.ended:
            evaluation.success = good
            await lisp._finish_compilation(evaluation, notes or [])

"""Ask an image what it knows, without evaluating anything and without side effects.

Two ways to the same answers: the answering service of an image that we started (a Unix socket), and
Swank calls for an image that was only attached to. `lisp/questions.lisp` answers both.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import secrets
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from descartes_swank import sexp
from descartes_swank.connection import Connection
from descartes_swank.errors import InvalidParams, LispLost
from descartes_swank.paths import SAME, Paths
from descartes_swank.questions import (
    Asking,
    Candidate,
    ClassInfo,
    Definition,
    Questions,
    Reply,
    SymbolInfo,
)

__all__ = [
    "Candidate",
    "ClassInfo",
    "Definition",
    "Questions",
    "ServiceQuestions",
    "SwankQuestions",
    "SymbolInfo",
]

_Answer = TypeVar("_Answer")
_LISP = Path(__file__).parent / "lisp"
SENT = (
    "json",
    "symbols",
    "completion",
    "source",
    "definitions",
    "questions",
    "exploring",
    "threads",
    "xref",
    "trace",
    "profile",
)
"""The files of `lisp/` that answer, in the order in which they are loaded."""
_encode = msgspec.json.Encoder().encode
_decode_reply = msgspec.json.Decoder(Reply).decode


class ServiceQuestions(Asking):
    """Questions to an image of ours, through its answering service. Made by `open`."""

    closed: asyncio.Future[None]
    """Done when the image has hung up or `close` was called; questions fail with `LispLost` from then on."""

    def __init__(self, deadline_ms: int = 2000) -> None:
        super().__init__(deadline_ms)
        self.closed = asyncio.get_running_loop().create_future()
        self._line = _Line(self.closed)

    @classmethod
    async def open(cls, path: str | Path, *, deadline_ms: int = 2000) -> ServiceQuestions:
        """Return questions to the service on the Unix socket PATH; DEADLINE_MS is what each may take.

        Errors: `LispLost` when nobody listens there.
        """
        questions = cls(deadline_ms)
        loop = asyncio.get_running_loop()
        try:
            await loop.create_unix_connection(lambda: questions._line, str(path))
        except OSError as problem:
            raise LispLost(f"No Lisp answers questions at {path} ({problem.strerror}); start it") from problem
        return questions

    async def close(self) -> None:
        """Hang up; what is still asked fails with `LispLost`."""
        self._line.hang_up()
        await asyncio.shield(self.closed)

    async def _reply(self, request: dict[str, Any]) -> Reply:
        return await self._line.ask(request)


class _Line(asyncio.Protocol):
    """The socket: one JSON object a line, both ways."""

    def __init__(self, closed: asyncio.Future[None]) -> None:
        self._closed = closed
        self._loop = asyncio.get_running_loop()
        self._ids = itertools.count(1)
        self._pending: dict[int, asyncio.Future[Reply]] = {}
        self._partial: list[bytes] = []
        self._transport: asyncio.Transport | None = None

    async def ask(self, request: dict[str, Any]) -> Reply:
        if self._transport is None or self._closed.done():
            raise LispLost("The Lisp has hung up; start it or attach to it again")
        number = request["id"] = next(self._ids)
        reply: asyncio.Future[Reply] = self._loop.create_future()
        self._pending[number] = reply
        self._send(request)
        try:
            return await reply
        except asyncio.CancelledError:
            if not self._closed.done():
                self._send({"cancel": number})
            raise
        finally:
            self._pending.pop(number, None)

    def hang_up(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _send(self, request: dict[str, Any]) -> None:
        if self._transport is not None:
            self._transport.write(_encode(request) + b"\n")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *lines, rest = data.split(b"\n")
        if lines and self._partial:
            lines[0] = b"".join((*self._partial, lines[0]))
            self._partial.clear()
        if rest:
            self._partial.append(rest)
        for line in lines:
            self._received(line)

    def _received(self, line: bytes) -> None:
        reply = _decode_reply(line)
        waiting = self._pending.get(reply.id) if reply.id is not None else None
        if waiting is not None and not waiting.done():
            waiting.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._closed.done():
            self._closed.set_result(None)
        for waiting in self._pending.values():
            if not waiting.done():
                waiting.set_exception(LispLost("The Lisp hung up while it was asked"))


class SwankQuestions(Asking):
    """The same questions as Swank calls over CONNECTION, for an image that was only attached to.

    The functions that answer are sent to the image with the first question; it must be an SBCL.
    """

    def __init__(self, connection: Connection, deadline_ms: int = 2000, *, paths: Paths = SAME) -> None:
        super().__init__(deadline_ms)
        self._connection = connection
        self._paths = paths
        self._owner = secrets.token_hex(8)
        self._ids = itertools.count(1)
        self._prepared: asyncio.Task[None] | None = None

    async def _reply(self, request: dict[str, Any]) -> Reply:
        number = request["id"] = next(self._ids)
        text = await self._call("ANSWER-TEXT", _encode(request).decode(), number)
        return _decode_reply(text)

    async def _ask(
        self,
        answer: msgspec.json.Decoder[_Answer],
        request: dict[str, Any],
        deadline_ms: int | None = None,
    ) -> _Answer:
        # Sending the functions takes a while, once, and is not counted against the first question.
        if self._prepared is None or (self._prepared.done() and self._prepared.exception()):
            self._prepared = asyncio.create_task(self._prepare())
        await asyncio.shield(self._prepared)
        answered = await super()._ask(answer, request, deadline_ms)
        return answered if self._paths == SAME else _here(answered, self._paths)

    async def _call(self, function: str, text: str, number: int) -> str:
        try:
            value = await self._connection.rex(_function_call(function, text, self._owner))
        except asyncio.CancelledError:
            if not self._connection.closed.done():
                # Nobody waits for its answer; the connection drops it.
                self._connection.rex_with_id(_function_call("CANCEL-TEXT", self._owner, number))
            raise
        return str(value)

    async def _prepare(self) -> None:
        texts = [(_LISP / f"{name}.lisp").read_text(encoding="utf-8") for name in SENT]
        digest = hashlib.sha256("".join(texts).encode()).hexdigest()[:16]
        if await self._connection.rex(_VERSION_FORM) == digest:
            return
        for text in texts:
            problem = await self._connection.rex(_load_form(text))
            if problem:
                raise InvalidParams(f"The image could not load what answers questions: {problem}")
        await self._connection.rex(_set_form(digest))


def _here(answer: Any, paths: Paths) -> Any:
    """Return ANSWER with the files that it names as they are called here; places that are not here go."""
    if not isinstance(answer, list):
        return answer
    moved = []
    for item in answer:
        plain = isinstance(item, dict)
        named = item.get("file") if plain else getattr(item, "file", None)
        if not isinstance(named, str):
            moved.append(item)
        elif (file := paths.here(named)) is not None:
            moved.append({**item, "file": file} if plain else msgspec.structs.replace(item, file=file))
    return moved


# Whatever is called here must not fail: an error in a Swank call is no answer but a debugger.
_FIND = '(cl:if (cl:find-package "DESCARTES-SERVICE") (cl:find-symbol "{}" "DESCARTES-SERVICE"))'
_VERSION_FORM = f"(cl:ignore-errors (cl:symbol-value {_FIND.format('*TEXTS*')}))"


def _set_form(digest: str) -> str:
    return f"(cl:setf (cl:symbol-value {_FIND.format('*TEXTS*')}) {sexp.write(digest)})"


def _function_call(function: str, *arguments: str | int) -> str:
    texts = " ".join(sexp.write(argument) for argument in arguments)
    return f"(cl:funcall {_FIND.format(function)} {texts})"


def _load_form(text: str) -> str:
    """Return a form that loads TEXT without a word and answers nil, or the error as text."""
    return (
        "(cl:handler-case (cl:handler-bind ((cl:warning (cl:function cl:muffle-warning)))"
        " (cl:let ((cl:*error-output* (cl:make-broadcast-stream)))"
        f" (cl:load (cl:make-string-input-stream {sexp.write(text)}))) cl:nil)"
        " (cl:error (swank::c) (cl:princ-to-string swank::c)))"
    )

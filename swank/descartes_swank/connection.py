"""One socket to a Swank server: requests and their answers, events, and the acknowledgements Swank waits for.

Holds no policy: which thread to use, what to do about a debugger and when to give up are the caller's.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from collections.abc import Callable
from typing import Any

from . import messages, parsing, sexp
from .errors import Aborted, InvalidParams, LispLost, ReaderError, RequestInvalid
from .forms import Form, Symbol, Value
from .framing import Framer, FramingProblem, encode
from .messages import Event, Thread
from .ways import TcpWay, Way, quiet_options

_log = logging.getLogger(__name__)

# Linux only; it falls back to delayed acknowledgement by itself, so it is set again after every read.
_QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)

# The id is the last thing in `(:emacs-rex …)` and in `(:return …)`: found without reading the rest.
_LAST_ID = re.compile(r"\A\(:(?:emacs-rex|return)\s[\s\S]*\s(\d{1,18})\)\s*\Z")
_NIL = re.compile(rb"\(:return \(:ok nil\) (\d{1,18})\)")
"""The answer to all that is done for its effect: it comes behind an outcome that somebody waits for."""

EventListener = Callable[[Event], None]


class Connection:
    """A connection to a Swank server; made by `open`.

    Concurrency: one event loop; every method is called on it.
    """

    next_id: int
    """The id of the next request. Answers of requests from an earlier connection arrive under their old ids,
    so ids are unique per image: whoever connects again says where to go on."""

    closed: asyncio.Future[None]
    """Done when the connection has ended, for whatever reason; every pending request has failed by then."""

    def __init__(self, on_event: EventListener, first_id: int = 1) -> None:
        loop = asyncio.get_running_loop()
        self.next_id = first_id
        self.closed = loop.create_future()
        self._first_id = first_id
        self._on_event = on_event
        self._loop = loop
        self._pending: dict[int, asyncio.Future[Value]] = {}
        self._link = _Link(self)

    @classmethod
    async def open(
        cls,
        host: str,
        port: int,
        *,
        secret: str | None = None,
        first_id: int = 1,
        on_event: EventListener,
        way: Way | None = None,
    ) -> Connection:
        """Return a connection to the Swank server at HOST and PORT, after sending SECRET if there is one.

        WAY: how one gets there, when that is not a connection from here.

        ON_EVENT is called on the loop with every event except answers to this connection's requests and the
        acknowledgements made here. It must not block; what it raises is logged.
        Errors: `LispLost` when nothing answers there. A wrong secret shows as a connection that closes.
        """
        connection = cls(on_event, first_id)
        await (way or TcpWay(host, port)).connect(lambda: connection._link)
        if secret is not None:
            connection._link.write(encode(secret))
        return connection

    async def rex(
        self, form: Form, *, package: str | None = "COMMON-LISP-USER", thread: Thread = True
    ) -> Value:
        """Return the value of FORM, evaluated by the Lisp in PACKAGE on THREAD.

        Shapes: FORM a list for `sexp.write`, or a str that is the form's text; quoting is the caller's.
        Errors: `Aborted`, `InvalidParams`, `LispLost`, `ReaderError`, `RequestInvalid`, `TooLarge`. A form
        that signals an error does not answer: it stops in the debugger, which arrives as a `Debug` event
        with the id in `conts`.
        Concurrency: cancelling it forgets the request; the Lisp works on and its late answer is dropped.
        Example: await connection.rex("(swank:operator-arglist \\"car\\" \\"CL\\")") -> "(car LIST)"
        Source: `swank.lisp`, `eval-for-emacs`.
        """
        _, answer = self.rex_with_id(form, package=package, thread=thread)
        return await answer

    def rex_with_id(
        self, form: Form, *, package: str | None = "COMMON-LISP-USER", thread: Thread = True
    ) -> tuple[int, asyncio.Future[Value]]:
        """Send what `rex` sends; return the request's id and the future of its value."""
        # The newline ends a comment that a text may end with.
        text = _one_form(form) + "\n" if isinstance(form, str) else sexp.write(form) + " "
        request = self.next_id
        packet = encode(f"(:emacs-rex {text}{sexp.write(package)} {sexp.write(thread)} {request})")
        self._require_open()
        self.next_id += 1
        answer: asyncio.Future[Value] = self._loop.create_future()
        self._pending[request] = answer
        answer.add_done_callback(lambda _: self._pending.pop(request, None))
        self._link.write(packet)
        return request, answer

    def send(self, form: Form) -> None:
        """Send FORM, an event that has no answer: `:emacs-return-string`, `:emacs-return`, …

        Errors: `LispLost`, `TooLarge`.
        """
        self._require_open()
        self._link.write(encode(sexp.write(form)))

    def interrupt(self, thread: Thread) -> None:
        """Stop THREAD in the debugger; True means the newest active worker, rarely the one that is meant."""
        self.send([Symbol(":emacs-interrupt"), thread])

    async def close(self) -> None:
        """End the connection; pending requests fail with `LispLost`."""
        self._link.close()
        await asyncio.shield(self.closed)

    def _require_open(self) -> None:
        if self.closed.done():
            raise LispLost("The connection to the Lisp has ended; connect again")

    def _lost(self, reason: str) -> None:
        for answer in list(self._pending.values()):
            _fail(answer, LispLost(reason))
        self._pending.clear()
        if not self.closed.done():
            self.closed.set_result(None)

    def _received(self, packet: bytes) -> None:
        if (done := _NIL.fullmatch(packet)) is not None:
            self._handle(messages.Return(int(done[1]), True, None))
            return
        text = packet.decode("utf-8", "replace")
        form, problem = sexp.read(text)
        event = parsing.parse(form)
        if problem is not None:
            _log.warning("Swank sent a packet that cannot be read (%s): %.200r", problem, text)
            if not isinstance(event, messages.Return) and (answered := _last_id(text)) is not None:
                self._settle(answered, ReaderError(f"The Lisp's answer cannot be read: {problem.message}"))
        self._handle(event)

    def _handle(self, event: Event) -> None:
        match event:
            case messages.Return(request, ok, value) if self._is_ours(request):
                self._answer(request, ok, value)
            case messages.RpcInvalid(request, message):
                self._settle(request, RequestInvalid(f"The Lisp refused the request: {message}"))
            case messages.ReadFailed(packet, message) if (failed := _last_id(packet)) is not None:
                self._settle(
                    failed, ReaderError(f"The Lisp could not read the request or its value: {message}")
                )
            case messages.Ping(thread, tag):
                self.send([Symbol(":emacs-pong"), thread, tag])
            case _:
                self._tell(event)
                self._acknowledge(event)

    def _acknowledge(self, event: Event) -> None:
        """Answer what a thread of the Lisp is waiting for and no listener can be relied upon to answer."""
        if self.closed.done():
            return
        match event:
            case messages.WriteString(thread=thread) if thread is not None:
                self.send([Symbol(":write-done"), thread])
            case messages.EvaluateInEditor(thread, tag) if thread is not None:
                refusal = [Symbol(":error"), Symbol(":refused"), "this client evaluates nothing"]
                self.send([Symbol(":emacs-return"), thread, tag, refusal])
            case messages.EditorCall(thread, tag, function) if thread is not None:
                self.send([Symbol(":ed-rpc-forbidden"), thread, tag, Symbol(function)])
            case _:
                pass

    def _tell(self, event: Event) -> None:
        try:
            self._on_event(event)
        except Exception:
            _log.exception("A listener failed on %.200r", event)

    def _is_ours(self, request: int) -> bool:
        return self._first_id <= request < self.next_id

    def _answer(self, request: int, ok: bool, value: Value) -> None:
        if ok:
            answer = self._pending.get(request)
            if answer is not None and not answer.done():
                answer.set_result(value)
        else:
            self._settle(request, Aborted(value if isinstance(value, str) else sexp.write(value)))

    def _settle(self, request: int, error: Exception) -> None:
        answer = self._pending.get(request)
        if answer is not None:
            _fail(answer, error)


class _Link(asyncio.Protocol):
    """The transport's side: bytes to packets, and no delayed acknowledgements."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._framer = Framer()
        self._transport: asyncio.Transport | None = None
        self._socket: Any = None
        self._reason = "The Lisp closed the connection"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._socket = transport.get_extra_info("socket")
        quiet_options(self._socket)
        self._acknowledge_quickly()

    def data_received(self, data: bytes) -> None:
        self._acknowledge_quickly()
        try:
            packets = self._framer.feed(data)
        except FramingProblem as problem:
            self._reason = problem.message
            packets = problem.data["packets"]
            self.abort()
        for packet in packets:
            self._connection._received(packet)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection._lost(f"{self._reason}: {exc}" if exc else self._reason)

    def write(self, packet: bytes) -> None:
        if self._transport is not None:
            self._transport.write(packet)

    def close(self) -> None:
        self._reason = "The connection to the Lisp was closed here"
        if self._transport is not None:
            self._transport.abort()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _acknowledge_quickly(self) -> None:
        """Without this, an answer that Swank writes in two parts waits 40 ms for our acknowledgement."""
        if _QUICK_ACK is not None:
            try:
                self._socket.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)
            except OSError:
                _log.debug("No quick acknowledgement on this socket", exc_info=True)


def _one_form(text: str) -> str:
    """Return TEXT if it is one whole form; anything else would end or outlive the message it is put into."""
    _, problem = sexp.read(text)
    if problem is not None:
        raise InvalidParams(
            f"A request is one Lisp form, but in {text[:80]!r}: {problem.message}", offset=problem.offset
        )
    return text


def _last_id(packet: str) -> int | None:
    match = _LAST_ID.match(packet)
    return int(match[1]) if match else None


def _fail(answer: asyncio.Future[Value], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
        # Marks it as seen: a caller that keeps only the id must not cause "never retrieved" in the log.
        answer.exception()

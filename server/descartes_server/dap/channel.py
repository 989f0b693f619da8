"""Messages of the Debug Adapter Protocol over a transport: exactly one response for every request.

Knows no command. A request is answered by a task of its own, so that a long one keeps no other waiting, and
its response is sent by the task's callback, because a task that is cancelled before its first step runs no
line of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import msgspec

from descartes_server.dap import refusals
from descartes_server.lsp.framing import Garbage

log = logging.getLogger(__name__)

Body = dict[str, Any] | None


class Request(msgspec.Struct, frozen=True):
    """What a client asks: COMMAND with ARGUMENTS, to be answered under SEQ."""

    seq: int
    command: str
    arguments: Any = None


@dataclass(frozen=True)
class Reply:
    """BODY of a response, or the ERROR it tells, and what is to be done once it is sent."""

    body: Body = None
    after: Callable[[], None] | None = None
    error: BaseException | None = None


Answer = Callable[[Request], Awaitable[Reply]]


class Writer(Protocol):
    """Where messages go."""

    def write(self, data: bytes) -> None: ...


class Channel:
    """One client. ANSWER gives the reply to a request; HUNG_UP is called once when the client has gone."""

    def __init__(self, answer: Answer, hung_up: Callable[[], None]) -> None:
        self._answer = answer
        self._hung_up = hung_up
        self._writer: Writer | None = None
        self._seq = 0
        self._tasks: dict[asyncio.Task[Reply], Request] = {}
        self._aside: set[asyncio.Task[None]] = set()
        self.log_path = "the log"

    def set_writer(self, writer: Any) -> None:
        """Write to WRITER from now on."""
        self._writer = writer

    def hang_up(self) -> None:
        """Take note that the client has gone."""
        self._hung_up()

    def receive(self, body: bytes | Garbage) -> None:
        """Take one message in; what is none is told in the client's console."""
        if isinstance(body, Garbage):
            self._complain(str(body))
            return
        try:
            message = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._complain(f"expected a message as JSON, got {body[:60]!r}: {error}")
            return
        if isinstance(message, dict) and message.get("type", "request") == "request":
            self._take(message)
        elif not isinstance(message, dict) or message.get("type") not in ("response", "event"):
            self._complain(f"expected a request, got {body[:60]!r}")

    def event(self, name: str, body: Body = None) -> None:
        """Send the event NAME with BODY."""
        message: dict[str, Any] = {"type": "event", "event": name}
        self._send(message if body is None else {**message, "body": body})

    def output(self, text: str, category: str = "console") -> None:
        """Show TEXT, whole lines, in the client's console."""
        self.event("output", {"category": category, "output": text if text.endswith("\n") else f"{text}\n"})

    def spawn(self, work: Awaitable[None]) -> None:
        """Do WORK beside the requests; what goes wrong in it is logged, and told as one sentence."""
        task = asyncio.ensure_future(work)
        self._aside.add(task)
        task.add_done_callback(self._aside_done)

    def cancel(self, seq: int) -> bool:
        """Cancel the request SEQ; returns whether it was still to be answered."""
        found = [task for task, request in self._tasks.items() if request.seq == seq]
        for task in found:
            task.cancel()
        return bool(found)

    async def close(self) -> None:
        """Answer what is still to be answered as cancelled."""
        # Work aside may start more, so that is ended first.
        for tasks in (self._aside, self._tasks):
            waiting = set(tasks) - {asyncio.current_task()}
            for task in waiting:
                task.cancel()
            if waiting:
                await asyncio.wait(waiting)

    def _take(self, message: dict[str, Any]) -> None:
        seq, command = message.get("seq"), message.get("command")
        if not isinstance(seq, int) or isinstance(seq, bool):
            self._complain(f"expected a request with a number as `seq`, got {seq!r:.60}; it is not answered")
            return
        request = Request(seq, command if isinstance(command, str) else "", message.get("arguments"))
        task = asyncio.ensure_future(self._answer(request))
        self._tasks[task] = request
        task.add_done_callback(partial(self._respond, request))

    def _respond(self, request: Request, task: asyncio.Task[Reply]) -> None:
        self._tasks.pop(task, None)
        response = {"type": "response", "request_seq": request.seq, "command": request.command}
        failure = asyncio.CancelledError() if task.cancelled() else task.exception()
        reply = Reply(error=failure) if failure is not None else task.result()
        if reply.error is not None:
            refusal = refusals.of(reply.error, request.command, self.log_path)
            self._send(response | {"success": False, **refusal})
        else:
            self._send(response | {"success": True} | ({} if reply.body is None else {"body": reply.body}))
        if reply.after is not None:
            reply.after()

    def _aside_done(self, task: asyncio.Task[None]) -> None:
        self._aside.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._complain(str(refusals.of(error, "an event", self.log_path)["message"]))

    def _complain(self, sentence: str) -> None:
        log.warning("%s", sentence)
        self.output(sentence, "important")

    def _send(self, message: dict[str, Any]) -> None:
        self._seq += 1
        body = msgspec.json.encode({"seq": self._seq, **message})
        if self._writer is not None:
            self._writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

"""The debug adapter: one client from its first request to its last, and what the hub tells it meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections import deque
from collections.abc import Mapping
from logging.handlers import RotatingFileHandler
from typing import Any

from descartes_core.errors import DescartesError, NotFound
from descartes_server.dap import (
    arguments,
    breakpoints,
    completions,
    evaluation,
    frames,
    leaving,
    lifecycle,
    sources,
    threads,
)
from descartes_server.dap.channel import Channel, Reply, Request
from descartes_server.dap.places import Places
from descartes_server.dap.questions import Questions
from descartes_server.dap.references import References
from descartes_server.dap.refusals import OutOfOrder, UnknownCommand
from descartes_server.dap.requests import REQUESTS, Known
from descartes_server.dap.session import Session
from descartes_server.dap.stops import Stop, Stops
from descartes_server.lsp import transport

REQUESTS_OF = (breakpoints, completions, evaluation, frames, leaving, lifecycle, sources, threads)
"""The modules that answer requests."""

log = logging.getLogger(__name__)

REMEMBERED = 64
PATIENCE_S = 15.0
"""How long a hub that went may take to be replaced before the session ends."""


class Adapter:
    """Everything that one client's requests work with."""

    def __init__(self) -> None:
        self.channel = Channel(self._answer, self.end)
        self.client: arguments.Initialize | None = None
        """What the client said of itself; None before `initialize`."""
        self.places = Places(arguments.Initialize())
        self.stops = Stops(self._entered, self._left, self._gone)
        self.references = References()
        self.questions = Questions(self.channel)
        self.breakpoints = breakpoints.Breakpoints(self)
        self.awaited: set[str] = set()
        """Evaluations of this client that stopped; how they end is told."""
        self.evaluating = 0
        """How many evaluations this client waits for now."""
        self.attaching: asyncio.Future[None] | None = None
        """Done when a workspace is attached to; None before somebody asks for it."""
        self.configured = False
        """Whether the client has set its breakpoints and waits for what happens."""
        self.launched: arguments.Launch | None = None
        self.over = False
        """Whether the client was told that the session is over."""
        self._session: Session | None = None
        self._stops_told = 0
        """How often the hub has told of the stops."""
        self._attached_again = asyncio.Event()
        self._endings: dict[str, asyncio.Future[Mapping[str, Any]]] = {}
        """What is to be told of evaluations that are waited for."""
        self._working: dict[str, int] = {}
        """The threads that have left their stops, by the evaluation that they go on with."""
        self._over: deque[str] = deque(maxlen=REMEMBERED)
        """The evaluations that ended last: that a stop was left may be told after the end."""
        self.ended = asyncio.Event()

    @property
    def session(self) -> Session:
        """The way to the workspace. Errors: `OutOfOrder` before there is one."""
        if self._session is None:
            raise OutOfOrder("expected attach or launch first; nothing is attached to")
        return self._session

    def end(self) -> None:
        """Let the process end."""
        self.ended.set()

    async def close(self) -> None:
        """Answer what is pending and let go of the hub; the image and its stops stay as they are."""
        await self.channel.close()
        if self._session is not None:
            await self.breakpoints.clear_all()
            await self._session.close()

    async def open(self, folder: str | None) -> None:
        """Attach to the workspace of FOLDER, and start its image when there is none."""
        assert self.client is not None
        name = self.client.client_name or self.client.client_id or "a debugger"
        session = await Session.open(folder, f"{name} (debugger)")
        try:
            await session.call("lisp.start")
        except BaseException:
            await session.close()
            raise
        self._session = session
        self._log_to(session)
        session.listen(self._heard, self._attached, self._lost, self.questions.ask)

    def begin(self) -> None:
        """Tell what is stopped and evaluate what was launched, once; the client has set everything."""
        if self.configured or self._session is None:
            return
        self.configured = True
        self.channel.spawn(self._begin())

    def terminate(self, why: str | None = None) -> None:
        """Tell the client once that the session is over, and WHY if it did not ask for it."""
        if why is not None and not self.over:
            self.channel.output(why, "important")
        if not self.over:
            self.over = True
            self.channel.event("terminated")

    async def until_ended(self, id: str) -> Mapping[str, Any]:
        """Return the evaluation ID once it has ended."""
        ending = self._endings.setdefault(id, asyncio.get_running_loop().create_future())
        try:
            now = await self.session.call("lisp.evaluation", {"id": id})
            return now if now["state"] not in ("running", "stopped") else await asyncio.shield(ending)
        finally:
            self._endings.pop(id, None)

    def invalidated(self, area: str) -> None:
        """Tell a client that can hear it that what it shows in AREA is not so any more."""
        if self.client is not None and self.client.supports_invalidated_event:
            self.channel.event("invalidated", {"areas": [area]})

    def remind(self, stop: Stop) -> None:
        """Tell of STOP once more, unless it was left."""
        if self.stops.stands(stop):
            self._tell_stopped(stop, ours=True)

    def continued(self, stop: Stop) -> None:
        """Tell that the thread of STOP runs again."""
        self.channel.event("continued", {"threadId": stop.thread, "allThreadsContinued": False})

    async def _answer(self, request: Request) -> Reply:
        known = REQUESTS.get(request.command)
        if known is None:
            raise UnknownCommand(
                f"expected a request that this adapter answers, got {request.command[:60]!r}; "
                f"it answers {', '.join(sorted(REQUESTS))}"
            )
        await self._admit(request.command, known)
        decoded = arguments.decode(request.command, known.arguments, request.arguments)
        answer = await known.handler(self, decoded)
        return answer if isinstance(answer, Reply) else Reply(answer)

    async def _admit(self, command: str, known: Known) -> None:
        """Refuse COMMAND where it comes too early; what follows an attach waits for it."""
        if known.when == "any":
            return
        if self.client is None:
            raise OutOfOrder(f"expected initialize before {command}; nothing is known of the client")
        if known.when == "initialized":
            return
        if self.attaching is not None:
            await asyncio.wait({self.attaching})
        if self._session is None:
            raise OutOfOrder(f"expected attach or launch before {command}; nothing is attached to")
        if not known.configuring:
            # A client that never says that it is done has set what it wanted when it asks for more.
            self.begin()

    async def _begin(self) -> None:
        await self._learn_stops()
        if self.launched is not None:
            await evaluation.launch(self, self.launched)

    def _entered(self, stop: Stop) -> None:
        self._tell_stopped(stop, ours=stop.evaluation in self.awaited or self.evaluating > 0)

    def _tell_stopped(self, stop: Stop, *, ours: bool) -> None:
        condition = stop.debugger["condition"]
        numbers = self.breakpoints.numbers(stop.debugger.get("breakpoint") or "")
        self.channel.event(
            "stopped",
            {
                "reason": self._reason(stop),
                "description": condition["type"],
                "text": condition["message"],
                "threadId": stop.thread,
                # A stop that this client did not cause must not take the person away from what they do.
                "preserveFocusHint": not ours,
                "allThreadsStopped": False,
                **({"hitBreakpointIds": numbers} if numbers else {}),
            },
        )

    def _reason(self, stop: Stop) -> str:
        hit = stop.debugger.get("breakpoint")
        at_function = hit is not None and self.breakpoints.is_function(hit)
        return "function breakpoint" if at_function else evaluation.reason(stop)

    def _left(self, stop: Stop) -> None:
        self.continued(stop)

    def _gone(self, stop: Stop) -> None:
        self.references.forget(stop)
        if stop.evaluation in self._over:
            self._exited(stop.thread)
        elif stop.evaluation is not None:
            self._working[stop.evaluation] = stop.thread

    def _heard(self, method: str, params: dict[str, Any]) -> None:
        match method:
            case "descartes/debugger/changed":
                self._stops_told += 1
                if self.configured:
                    self.stops.update(params["debuggers"])
            case "descartes/debugger/breakpoints":
                self.breakpoints.changed(params["breakpoints"])
            case "descartes/lisp/output":
                error = params.get("stream") in ("error", "stderr")
                body = {"category": "stderr" if error else "stdout", "output": params["text"]}
                self.channel.event("output", body)
            case "descartes/lisp/evaluated":
                self._evaluated(params)
            case "descartes/lisp/status":
                self._image_is(params)
            case "descartes/lagged":
                self.channel.spawn(self._learn())

    def _evaluated(self, done: Mapping[str, Any]) -> None:
        if (ending := self._endings.pop(done["id"], None)) is not None and not ending.done():
            ending.set_result(done)
        self._over.append(done["id"])
        if (thread := self._working.pop(done["id"], None)) is not None:
            self._exited(thread)
        if done["id"] in self.awaited:
            self.awaited.discard(done["id"])
            evaluation.tell(self, done)

    def _exited(self, thread: int) -> None:
        if not self.stops.is_stopped(thread):
            self.channel.event("thread", {"reason": "exited", "threadId": thread})

    def _image_is(self, status: Mapping[str, Any]) -> None:
        """Take in the image's STATUS; without one there is nothing to debug."""
        if status["state"] in ("lost", "stopped"):
            why = f" ({reason})" if (reason := status.get("reason")) else ""
            self.terminate(f"the image was {status['state']}{why}; start the session again for another one")

    def _attached(self) -> None:
        self._attached_again.set()
        self.channel.spawn(self._learn())

    def _lost(self, reason: str) -> None:
        if self.ended.is_set():
            return
        self._attached_again.clear()
        self.channel.output(f"the hub went away ({reason}); waiting for the next one", "important")
        self.channel.spawn(self._await_hub())

    async def _await_hub(self) -> None:
        try:
            await asyncio.wait_for(self._attached_again.wait(), PATIENCE_S)
        except TimeoutError:
            self.terminate("no hub came back; the image goes on, start the session again to see it")

    async def _learn(self) -> None:
        """Ask for what is shown: another hub may have seen more, and notifications may be left out."""
        with contextlib.suppress(DescartesError):
            status = await self.session.call("lisp.status")
            self._image_is(status)
            await self._learn_stops()
        for id in {*self._endings, *self._working}:
            await self._learn_end(id)

    async def _learn_stops(self) -> None:
        """Ask which threads are stopped; what is told meanwhile is newer than the answer."""
        told = self._stops_told
        answer = await self.session.call("debugger.list")
        if self.configured and told == self._stops_told:
            self.stops.update(answer["debuggers"])

    async def _learn_end(self, id: str) -> None:
        """Take in the end of the evaluation ID, if it has one; one that no hub knows is lost."""
        try:
            now = await self.session.call("lisp.evaluation", {"id": id})
        except NotFound:
            now = {"id": id, "state": "lost", "values": []}
        except DescartesError:
            return
        if now["state"] not in ("running", "stopped"):
            self._evaluated(now)

    def _log_to(self, session: Session) -> None:
        folder = session.workspace.log
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handler = RotatingFileHandler(folder / "dap.log", maxBytes=1 << 20, backupCount=2, delay=True)
        except OSError:
            return
        handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
        logging.getLogger().addHandler(handler)
        self.channel.log_path = str(folder / "dap.log")


def serve() -> int:
    """Serve one client on standard input and output until it disconnects or goes; returns the exit status."""
    return asyncio.run(_serve())


async def _serve() -> int:
    adapter = Adapter()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Some clients signal right after their disconnect; what they have set is still to be taken away.
        asyncio.get_running_loop().add_signal_handler(number, adapter.end)
    link = await transport.open_stdio(adapter.channel)
    try:
        await adapter.ended.wait()
    finally:
        await adapter.close()
    await link.drain()
    link.close()
    return 0

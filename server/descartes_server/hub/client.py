"""A client of the hub: exactly one answer for every call, whatever happens to the hub.

A client attaches when a hub is there (`stay`), and starts one only for a call that needs it. What was under
way when a hub dies fails with `hub_lost`; what is called while it is replaced waits.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from functools import cached_property
from typing import Any

import msgspec

from descartes_core import errors
from descartes_server.hub import messages
from descartes_server.hub.event_queue import EventQueue
from descartes_server.hub.greeting import Greeting, Opener, is_older, mismatch
from descartes_server.hub.responding import Answer, Responding
from descartes_server.hub.wire import Wire

log = logging.getLogger(__name__)

LIVED_S = 1.0
"""A hub that dies sooner after the greeting is not started again until something needs it."""
WATCH_S = 0.25
PING_S = 5.0
SILENT_S = 20.0
"""A hub that answers no ping for this long while a call waits counts as dead."""

Listener = Callable[[str, dict[str, Any]], None]


class HubClient:
    """The hub of one workspace, as one client sees it. Used on one event loop."""

    def __init__(self, opener: Opener, hello: Callable[[], messages.ClientHello]) -> None:
        """Make a client that reaches its hub through OPENER and says HELLO(), asked for when first needed."""
        self._make_hello = hello
        self.hub: messages.HubHello | None = None
        """What the hub said of itself; None while not attached."""
        self.notice: str | None = None
        """A sentence for the person about an older hub that could not end yet."""
        self._wire: Wire | None = None
        self._greeting = Greeting(opener, self._receive, self._lose)
        self._opening = asyncio.Lock()
        self._pending: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._notified: list[Listener] = []
        self._attached_listeners: list[Callable[[], None]] = []
        self._lost_listeners: list[Callable[[str], None]] = []
        self._responding = Responding(self._spawn, self._send)
        self._unsaved: list[str] = []
        self._has_unsaved = False
        """Whether any hub was told of unsaved text: the next one is told that there is none any more, too."""
        self._events: EventQueue | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._dismissed = False
        self._heard_at = 0.0
        self._attached_at = 0.0
        self._staying = False
        self._replacing = False
        """Whether a hub that died at work is to be replaced and has not been yet."""
        self._detached = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None
        self._closed = False

    @cached_property
    def _hello(self) -> messages.ClientHello:
        return self._make_hello()

    @property
    def attached(self) -> bool:
        return self.hub is not None

    async def attach(self, *, start: bool = False) -> bool:
        """Return whether a hub is attached now, after starting one if START and there is none.

        One that died at work is being replaced: then START does not matter.
        Errors: `HubLost`, `WorkspaceInUse`.
        """
        if self.hub is not None:
            return True
        async with self._opening:
            return self.hub is not None or await self._attach(start=start or self._replacing)

    async def call(self, operation: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the result of OPERATION with PARAMS; a hub is started when there is none.

        Errors: the operation's own, as `descartes_core.errors`; `HubLost` when the hub dies meanwhile.
        Concurrency: cancelling the awaiting task cancels the operation in the hub.
        """
        await self.attach(start=True)
        wire, request_id = self._wire, uuid.uuid4().hex
        if wire is None:
            raise errors.HubLost(f"the hub went away before {operation} could be sent; try again")
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._pending[request_id] = answer
        try:
            wire.send(
                messages.OperationRequest(
                    request_id=request_id, operation=operation, params=dict(params or {})
                )
            )
            return await answer
        except asyncio.CancelledError:
            wire.send(messages.Cancel(request_id=request_id))
            raise
        finally:
            self._pending.pop(request_id, None)

    def stay(self) -> None:
        """Attach now and whenever a hub appears, and replace one that dies, until `close`."""
        self._staying = True
        self._spawn(self._watch())

    def on_notification(self, listener: Listener) -> Callable[[], None]:
        """Call LISTENER(method, params) for each notification; the result takes it away again.

        `descartes/lagged` `{dropped}` says that some were left out: ask for what is shown.
        """
        self._notified.append(listener)
        return lambda: self._notified.remove(listener)

    def on_attached(self, listener: Callable[[], None]) -> None:
        """Call LISTENER each time a hub was attached."""
        self._attached_listeners.append(listener)

    def on_lost(self, listener: Callable[[str], None]) -> None:
        """Call LISTENER(reason) each time the hub went."""
        self._lost_listeners.append(listener)

    def on_request(self, answer: Answer) -> None:
        """Let ANSWER(method, params) answer what the hub asks of this client.

        It is cancelled when the hub needs no answer any more.
        """
        self._responding.answer = answer

    def set_unsaved(self, paths: Iterable[str]) -> None:
        """Tell the hub, now and after every attachment, that exactly PATHS have unsaved changes here."""
        self._unsaved = list(paths)
        self._has_unsaved = True
        if self._wire is not None and self.hub is not None:
            self._wire.send(messages.Documents(unsaved=self._unsaved))

    def tell_saved(self, saved: messages.Saved) -> None:
        """Tell the hub, where one is attached, what the person SAVED."""
        if self._wire is not None and self.hub is not None:
            self._wire.send(saved)

    def set_trusted(self, trusted: bool) -> None:
        """Change whether this connection may cause effects."""
        self._say_again(trusted=trusted)

    def set_settings(self, settings: Mapping[str, Any]) -> None:
        """Change what this client's editor sets, nested as in `descartes.toml`."""
        self._say_again(settings=dict(settings))

    def _say_again(self, **changes: Any) -> None:
        self._hello = msgspec.structs.replace(self._hello, **changes)
        # A hub that has not greeted yet has the first hello already, and takes another one like it.
        if self._wire is not None:
            self._wire.send(self._hello)

    async def events(
        self, since: int | None = None, types: Iterable[str] = ()
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the log's events after SINCE, and then each new one, over the deaths of hubs.

        A consumer that is slow slows only itself. One at a time for each client.
        """
        if self._events is not None:
            raise RuntimeError("this client has its events read already")
        queue = self._events = EventQueue(since, list(types))
        try:
            if self._wire is not None and self.hub is not None:
                queue.subscribe(self._wire, self.hub.last_seq)
            while True:
                yield await queue.get()
                if (due := queue.credit_due()) and self._wire is not None:
                    self._wire.send(messages.Credit(count=due))
        finally:
            self._events = None

    async def close(self) -> None:
        """Let go of the hub; calls under way fail with `HubLost`."""
        self._closed = True
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._wire is not None:
            self._wire.close()
        self._lose("this client was closed")

    async def _attach(self, *, start: bool) -> bool:
        if self._closed:
            raise errors.HubLost("this client was closed; open another")
        hub = await self._greet(start=start)
        if hub is not None and is_older(hub.version, self._hello.version):
            hub = await self._replace(hub, start=start)
        if hub is None or self._wire is None:
            return False
        if hub.protocol != self._hello.protocol:
            self._wire.close()
            raise errors.HubLost(self.notice or mismatch(hub, self._hello))
        self.hub = hub
        if self._hello.distinct and hub.principal is not None:
            # Who it is told to be it stays, whichever hub comes next.
            self._hello = msgspec.structs.replace(self._hello, principal=hub.principal)
        self._attached_at = self._heard_at = asyncio.get_running_loop().time()
        self._dismissed = False
        self._detached.clear()
        if self._listening is None:
            self._listening = self._spawn(self._watch_silence())
        if self._has_unsaved:
            self._wire.send(messages.Documents(unsaved=self._unsaved))
        if self._events is not None:
            self._events.subscribe(self._wire, hub.last_seq)
        for listener in self._attached_listeners:
            listener()
        return True

    async def _greet(self, *, start: bool) -> messages.HubHello | None:
        return await self._greeting.greet(self._say_hello, start=start)

    def _say_hello(self, wire: Wire | None) -> None:
        self._wire = wire
        if wire is not None:
            wire.send(self._hello)

    async def _replace(self, hub: messages.HubHello, *, start: bool) -> messages.HubHello | None:
        """Ask the older HUB to end, and return its successor, or HUB itself when it is not idle."""
        assert self._wire is not None
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._pending["retire"] = answer
        self._wire.send(messages.OperationRequest(request_id="retire", operation="hub.stop"))
        try:
            await answer
        except errors.HubLost:
            pass
        except errors.DescartesError as error:
            self.notice = (
                f"the hub is still version {hub.version} while this program is {self._hello.version}, "
                f"because it is at work ({error.message}); it is replaced once it ends"
            )
            return hub
        finally:
            self._pending.pop("retire", None)
        self._wire.close()
        return await self._greet(start=start)

    def _receive(self, value: Any) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        message = messages.from_hub(value)
        match message:
            case messages.OperationResponse():
                self._settle(message)
            case messages.Notification():
                self._notify(message.method, message.params)
            case messages.EventMessage():
                if self._events is not None:
                    self._events.put(message.event)
            case messages.HubHello():
                self._greeting.heard(message)
            case messages.HubRequest():
                self._responding.begin(message)
            case messages.Withdraw():
                self._responding.withdraw(message.request_id)
            case messages.Lagged():
                self._notify("descartes/lagged", {"dropped": message.dropped})
            case messages.Refused():
                self._refused(errors.from_json(message.error))
            case messages.Pong():
                pass

    def _settle(self, response: messages.OperationResponse) -> None:
        answer = self._pending.get(response.request_id)
        if answer is None or answer.done():
            return
        if response.success:
            answer.set_result(response.result or {})
        else:
            answer.set_exception(errors.from_json(response.error or {}))

    def _notify(self, method: str, params: dict[str, Any]) -> None:
        for listener in tuple(self._notified):
            listener(method, params)

    def _refused(self, error: errors.DescartesError) -> None:
        # The hub ends on purpose, or wants nothing of this client: it is not started again for that.
        self._dismissed = True
        self._greeting.failed(error)

    def _lose(self, reason: str) -> None:
        was_attached, self.hub, self._wire = self.hub is not None, None, None
        self._greeting.failed(errors.HubLost(f"the hub went away at once: {reason}"))
        self._responding.withdraw_all()
        for answer in self._pending.values():
            if not answer.done():
                answer.set_exception(
                    errors.HubLost(
                        "the hub went away before it answered; what it did is in the history, try again"
                    )
                )
        if was_attached:
            lived_s = asyncio.get_running_loop().time() - self._attached_at
            self._replacing = self._staying and not self._dismissed and lived_s > LIVED_S
            self._detached.set()
            for listener in self._lost_listeners:
                listener(reason)

    async def _watch(self) -> None:
        """Keep a hub attached: whichever appears, and a new one for one that died at work."""
        while True:
            try:
                await self.attach()
            except errors.DescartesError as error:
                log.debug("no hub attached: %s", error.message)
            # Tried once; what could not be replaced now is started by whoever needs it.
            self._replacing = False
            if self.attached:
                await self._detached.wait()
            else:
                await asyncio.sleep(WATCH_S)

    async def _watch_silence(self) -> None:
        """Give a hub up that answers no ping while calls wait for it."""
        while True:
            await asyncio.sleep(PING_S)
            if self._wire is None or self.hub is None or not self._pending:
                continue
            if asyncio.get_running_loop().time() - self._heard_at > SILENT_S:
                self._wire.close()
                self._lose(f"it did not answer for {SILENT_S:.0f} s")
            else:
                self._wire.send(messages.Ping())

    def _send(self, response: messages.ClientResponse) -> None:
        if self._wire is not None:
            self._wire.send(response)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("a task of the hub's client failed", exc_info=error)

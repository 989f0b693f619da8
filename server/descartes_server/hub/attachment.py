"""One attached client, seen from the hub: who it is, what it asked for, and exactly one answer to each.

It decides nothing about operations; it only makes sure that whatever becomes of one, the client hears of it.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from descartes_core.errors import Cancelled, DescartesError, HubLost, TooLarge, from_json
from descartes_server.hub import messages
from descartes_server.hub.subscription import Subscription
from descartes_server.hub.wire import Wire
from descartes_server.operations import dispatch, registry
from descartes_server.operations.context import Caller, Context

if TYPE_CHECKING:
    from descartes_server.hub.service import Hub

log = logging.getLogger(__name__)

MOST_AT_ONCE = 4096
BACKLOG_LIMIT = 4 * 1024 * 1024
"""Bytes that wait for a client that does not read, above which notifications are dropped."""


class Attachment:
    """The hub's end of one connection."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.hello: messages.ClientHello | None = None
        self._wire: Wire | None = None
        self._caller: Caller | None = None
        self._work: dict[str, asyncio.Task[None]] = {}
        self._subscription: Subscription | None = None
        self._waiting: list[messages.FromClient] | None = None
        """What came while the client is being recognised."""
        self._gone = False
        self.gone = asyncio.Event()
        """Set once nothing more will come from the client."""
        self._dropped = 0
        self._asked: dict[str, asyncio.Future[dict[str, Any]]] = {}

    def use(self, wire: Wire) -> None:
        """Talk over WIRE."""
        self._wire = wire

    @property
    def wire(self) -> Wire:
        assert self._wire is not None, "`use` comes first"
        return self._wire

    @property
    def caller(self) -> Caller | None:
        """Who is attached, None before it said hello."""
        return self._caller

    def receive(self, value: Any) -> None:
        """Take in a message. Errors: `msgspec.ValidationError` for one that is out of place."""
        message = messages.from_client(value)
        if self._waiting is not None:
            self._waiting.append(message)
        elif isinstance(message, messages.ClientHello):
            self._waiting = []
            self._hub.run(self._greet(message))
        elif self._caller is None:
            raise msgspec.ValidationError(f"expected hello first, got {message.__class__.__name__}")
        else:
            self._take(message, self._caller)

    def _take(self, message: messages.FromClient, caller: Caller) -> None:
        match message:
            case messages.OperationRequest():
                self._begin(message, caller)
            case messages.Cancel():
                if (task := self._work.get(message.request_id)) is not None:
                    task.cancel()
            case messages.Ping():
                self.wire.send(messages.Pong(payload=message.payload))
            case messages.Subscribe():
                self.subscribe(message)
            case messages.Credit():
                if self._subscription is not None:
                    self._subscription.add_credit(message.count)
            case messages.Documents():
                self._hub.set_unsaved(caller, message.unsaved)
            case messages.Saved():
                self._hub.saved(caller, message)
            case messages.ClientResponse():
                self._answered(message)
            case messages.ClientHello():
                self._waiting = []
                self._hub.run(self._greet(message))

    def lost(self, reason: str) -> None:
        """Note that the client went; what it waited for is cancelled."""
        log.debug("client %s went: %s", self._caller and self._caller.client_id, reason)
        self._gone = True
        self.gone.set()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(HubLost(f"the client went before it answered: {reason}"))
        for task in tuple(self._work.values()):
            task.cancel()
        if self._subscription is not None:
            self._subscription.close()
        self._hub.detached(self)

    def notify(self, method: str, params: dict[str, Any]) -> None:
        """Send a notification if the client wants them; one that does not read is told how many it missed."""
        if self.hello is None or not self.hello.notifications:
            return
        if self._dropped or self.wire.backlog() > BACKLOG_LIMIT:
            self._drop()
        else:
            self.wire.send(messages.Notification(method=method, params=params))

    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Return the client's answer. Errors: its own; `HubLost` when it goes without one.

        Concurrency: cancelling the awaiting task takes the question back.
        """
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        key = uuid.uuid4().hex
        self._asked[key] = answer
        try:
            self.wire.send(messages.HubRequest(request_id=key, method=method, params=params))
            return await answer
        except asyncio.CancelledError:
            self.wire.send(messages.Withdraw(request_id=key))
            raise
        finally:
            del self._asked[key]

    def subscribe(self, message: messages.Subscribe) -> None:
        """Send the log's events from now on, in place of what was asked for before."""
        if self._subscription is not None:
            self._subscription.close()
        since = self._hub.feed.last_seq if message.since is None else message.since
        self._subscription = Subscription(
            self._hub.services.reader, self.wire, since, message.types, message.credit
        )
        self._hub.run(self._subscription.run())

    def wake(self) -> None:
        """Look for new events."""
        if self._subscription is not None:
            self._subscription.wake()

    async def answered(self) -> None:
        """Wait until everything that is done has been answered."""
        while any(task.done() for task in self._work.values()):  # noqa: ASYNC110
            await asyncio.sleep(0)  # the answer is a callback of the task, behind its end

    def dismiss(self, error: DescartesError) -> None:
        """Tell the client why it is let go, and let it go."""
        self.wire.send(messages.Refused(error=error.as_json()))
        self.wire.finish()

    async def _greet(self, hello: messages.ClientHello) -> None:
        """Find out who says HELLO, then take what came meanwhile."""
        try:
            caller = await self._hub.recognise(hello)
        except DescartesError as error:
            self.dismiss(error)
            return
        first, self.hello, self._caller = self._caller is None, hello, caller
        if first and not self._gone:
            self._hub.attached(self)
            self.wire.send(self._hub.hello(caller))
        waiting, self._waiting = self._waiting or [], None
        for message in waiting:
            self._take(message, caller)

    def _begin(self, request: messages.OperationRequest, caller: Caller) -> None:
        key = request.request_id
        if key in self._work:
            return  # it was sent twice, and is answered once
        if (answered := self._hub.answers.get((caller.client_id, key))) is not None:
            self.wire.send(answered)
            return
        if len(self._work) >= MOST_AT_ONCE:
            error = TooLarge(
                f"expected at most {MOST_AT_ONCE} requests at once, got one more; wait for answers"
            )
            self.wire.send(_failure(key, error))
            return
        task = asyncio.get_running_loop().create_task(self._perform(request, caller))
        self._work[key] = task
        # In a callback of the task, because a task that is cancelled before its first step runs no line.
        task.add_done_callback(partial(self._finish, request))

    async def _perform(self, request: messages.OperationRequest, caller: Caller) -> None:
        if self.hello is not None and self.hello.trusted is None and not caller.trusted:
            # The person's list may have changed since the client attached.
            caller = replace(caller, trusted=self._hub.is_trusted())
        context = Context(self._hub.services, caller)
        result = await dispatch.perform(context, request.operation, request.params, in_hub=True)
        # Here, not a turn of the loop later in the task's callback: somebody waits.
        self._respond(request, self._success(request, result))

    def _finish(self, request: messages.OperationRequest, task: asyncio.Task[None]) -> None:
        """Answer REQUEST if TASK, which has ended, could not."""
        if request.request_id in self._work:
            self._respond(request, self._failed(request, task))

    def _respond(self, request: messages.OperationRequest, response: messages.OperationResponse) -> None:
        try:
            self.wire.send(response)
        except DescartesError as error:  # it is too large, or has what cannot travel
            response = _failure(request.request_id, error)
            self.wire.send(response)
        if self._caller is not None and not _is_confidential(request.operation):
            self._hub.remember(self._caller.client_id, response)
        # Last: an answer that fails in any other way is a mistake of ours, and `_finish` says so.
        del self._work[request.request_id]

    def _success(
        self, request: messages.OperationRequest, result: dict[str, Any]
    ) -> messages.OperationResponse:
        masks = self._hub.services.secrets.masks
        shown = result if _is_confidential(request.operation) else masks.data(result)
        return messages.OperationResponse(request_id=request.request_id, success=True, result=shown)

    def _failed(
        self, request: messages.OperationRequest, task: asyncio.Task[None]
    ) -> messages.OperationResponse:
        key, name = request.request_id, request.operation
        if task.cancelled():
            return _failure(key, Cancelled(f"{name} was cancelled"))
        error = task.exception()
        if isinstance(error, DescartesError):
            shown = self._hub.services.secrets.masks.data(error.as_json())
            return messages.OperationResponse(request_id=key, success=False, error=shown)
        log.error("%s failed", name, exc_info=error)
        place = str(self._hub.services.workspace.log / "hub.log")
        return _failure(
            key, DescartesError(f"{name} failed because of a mistake in Descartes; {place!r} has it")
        )

    def _answered(self, message: messages.ClientResponse) -> None:
        answer = self._asked.get(message.request_id)
        if answer is None or answer.done():
            return
        if message.error is not None:
            answer.set_exception(from_json(message.error))
        else:
            answer.set_result(message.result or {})

    def _drop(self) -> None:
        self._dropped += 1
        if self._dropped == 1:
            self._hub.run(self._tell_dropped())

    async def _tell_dropped(self) -> None:
        await self.wire.drain()
        dropped, self._dropped = self._dropped, 0
        self.wire.send(messages.Lagged(dropped=dropped))


def _is_confidential(name: str) -> bool:
    found = registry.REGISTRY.get(name)
    return found is not None and found.confidential


def _failure(request_id: str, error: DescartesError) -> messages.OperationResponse:
    return messages.OperationResponse(request_id=request_id, success=False, error=error.as_json())

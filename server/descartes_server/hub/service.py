"""The hub itself: the services of one workspace, the clients attached to them, and when it is time to end.

It listens nowhere; `server` puts it on a socket, `embedded` into a language server's own process.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import OrderedDict
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from descartes_core.errors import HubLost, InvalidTransition, NotFound, PolicyDenied, StoreUnavailable
from descartes_core.model import Event, NewEvent, Principal
from descartes_core.store.times import iso
from descartes_server import __version__
from descartes_server.hub import messages
from descartes_server.hub.attachment import Attachment
from descartes_server.hub.feed import Feed, OtherWriters
from descartes_server.hub.presence import Presence
from descartes_server.hub.saves import Saves
from descartes_server.ide.lenses import RUN_ENDED
from descartes_server.operations import lease_requests, principals, settings, trust
from descartes_server.operations.context import Caller, Services
from descartes_server.operations.editors import Editors
from descartes_server.operations.hub import HubStatus
from descartes_server.operations.settings import Settings

log = logging.getLogger(__name__)

ANSWERS_KEPT = 256
COMES_BACK_S = 30.0
"""How long a client that went may take to attach again and find its inspections and REPLs."""
HUB = Principal(kind="service", id="hub", name="the hub")


class Hub:
    """One workspace's hub. Used on one event loop."""

    def __init__(self, services: Services, last_seq: int) -> None:
        self.services = services
        self.editors = services.editors = Editors()
        services.hub = self
        services.publish = self.publish
        services.ask_client = self.ask_client
        self.started_at = iso(services.clock.now_ms())
        self.answers: OrderedDict[tuple[str, str], messages.OperationResponse] = OrderedDict()
        """The last answers by client and request, for a request that is sent a second time."""
        self.feed = Feed(services.reader, last_seq, self.publish, self._take_in)
        self.presence = Presence(services, lambda: self.settings().leases.ttl_seconds)
        self.saves = Saves(services)
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Resolved with the reason when the hub should end."""
        self.socket = ""
        self._settings: Settings | None = None
        """The settings that were in force when they were asked for last."""
        self._attachments: list[Attachment] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._others = OtherWriters(services.workspace.database, self.feed.others_wrote)
        self._unlisten = services.store.on_events(self.feed.written)

    async def begin(self) -> None:
        """Start the standing tasks and note in the log that the hub runs."""
        self.run(self.feed.run())
        self.run(self.presence.run())
        self.run(self.services.leases.sweep())
        log.info("the hub of %s runs", self.services.workspace.root)
        await self._note("hub.started", {"pid": os.getpid(), "version": __version__})

    async def close(self) -> None:
        """Let every client go and note the end in the log; the services are closed by who opened them."""
        reason = self.ended.result() if self.ended.done() else "it failed"
        log.info("the hub ends: %s", reason)
        attachments = tuple(self._attachments)
        for attachment in attachments:
            await attachment.answered()  # who told the hub to end, above all
            attachment.dismiss(HubLost(f"the hub ended: {reason}"))
        # Each has its last answers before this process, and with it the connections, end.
        await asyncio.gather(*(attachment.gone.wait() for attachment in attachments))
        self._unlisten()
        self._others.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(StoreUnavailable):  # the log may be gone with its workspace
            await self._note("hub.stopped", {"pid": os.getpid(), "reason": reason})

    def status(self) -> HubStatus:
        """Return what `hub.status` answers."""
        return HubStatus(
            pid=os.getpid(),
            version=__version__,
            started_at=self.started_at,
            clients=len(self._attachments),
            runs=self.services.runs.active,
            socket=self.socket,
            tasks=len(asyncio.all_tasks()),
        )

    def stop(self, *, force: bool) -> None:
        """End soon. Errors: `InvalidTransition` while runs work, unless FORCE."""
        active = self.services.runs.active
        if active and not force:
            raise InvalidTransition(
                f"expected no run at work, found {active}; stop them first, or force the hub to stop"
            )
        self.end("it was told to stop")

    def end(self, reason: str) -> None:
        """End soon, for REASON."""
        if not self.ended.done():
            self.ended.set_result(reason)

    def is_idle(self) -> bool:
        """Return whether nothing needs the hub: no client, no run at work, nothing stopped in the image."""
        return not self._attachments and not self.services.image.busy() and not self.services.runs.active

    def subscribe(self, client_id: str, since: int | None, types: list[str]) -> int:
        """Send the client's connection events after SINCE from now on; returns the last event's number."""
        for attachment in self._attachments:
            if attachment.caller is not None and attachment.caller.client_id == client_id:
                attachment.subscribe(messages.Subscribe(since=since, types=types))
        return self.feed.last_seq

    def publish(self, method: str, params: Mapping[str, Any]) -> None:
        """Send a notification to every attached client that wants them."""
        shown = self.services.secrets.masks.data(dict(params))
        for attachment in tuple(self._attachments):
            attachment.notify(method, shown)

    def run_output(self, run: str, stream: str, text: str) -> None:
        """Pass on what a run printed."""
        self.publish("descartes/run/output", {"run": run, "stream": stream, "text": text})

    async def ask_client(self, client_id: str, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the client answers to METHOD. Errors: `NotFound` when it is not attached; its own."""
        for attachment in self._attachments:
            if attachment.caller is not None and attachment.caller.client_id == client_id:
                return await attachment.ask(method, dict(params))
        raise NotFound(f"expected client {client_id!r} to be attached, it is not")

    def settings(self) -> Settings:
        """Return the settings as they are now, those of the attached editors that are trusted included."""
        editor: dict[str, Any] = {}
        trusted = self.is_trusted()
        for attachment in self._attachments:
            if attachment.caller is not None and attachment.caller.trusted:
                trusted = True
                editor = settings.merged(editor, attachment.caller.editor_settings)
        found = settings.load(self.services.workspace.root, trusted=trusted, editor=editor).settings
        if found is not self._settings:
            self._settings = found
            settings.protect_keys(self.services.store.redactor, found)
            self.services.reader.resize(found.performance.connection_pool_size)
        return found

    async def recognise(self, hello: messages.ClientHello) -> Caller:
        """Return who the client is that says HELLO; the child of a run is that run's agent whatever it says.

        Errors: `PolicyDenied` for a token that is not the run's.
        """
        redactor = self.services.store.redactor
        principal = principals.kept(hello.principal or principals.user(), redactor)
        of_run = hello.run is not None or hello.token is not None
        if of_run:
            agent = await self.services.runs.principal(hello.run or "", hello.token or "")
            if agent is None:
                raise PolicyDenied(
                    f"expected the run and token of one run, got a token that is not {hello.run}'s"
                )
            principal = agent
        elif hello.distinct:
            principal = self._told_apart(principal, hello.client_id)
        trusted = hello.trusted if hello.trusted is not None and not of_run else self.is_trusted()
        return Caller(
            principal=principal,
            client_id=hello.client_id,
            client_name=redactor.text(hello.client_name),
            trusted=trusted,
            environment=hello.environment,
            editor_settings=hello.settings,
            run=principal.id if of_run else None,
            keeps_leases_as=hello.client_id if hello.presence and not of_run else None,
            brief=hello.brief,
        )

    def _told_apart(self, principal: Principal, client_id: str) -> Principal:
        """Return PRINCIPAL, with a number behind it when another client than CLIENT_ID is attached as it."""
        callers = [each.caller for each in self._attachments]
        others = [each.principal for each in callers if each is not None and each.client_id != client_id]
        number, mine = 1, principal
        while any(each.same_as(mine) for each in others):
            number += 1
            shown = f"-{number}"
            mine = msgspec.structs.replace(
                principal, id=f"{principal.id}{shown}", name=f"{principal.name}{shown}"
            )
        return mine

    def is_trusted(self) -> bool:
        """Return whether the person's list has this workspace."""
        return trust.is_trusted(self.services.workspace.root)

    def hello(self, caller: Caller) -> messages.HubHello:
        """Return the answer to the hello of CALLER."""
        return messages.HubHello(
            version=__version__,
            protocol=messages.PROTOCOL,
            pid=os.getpid(),
            workspace=str(self.services.workspace.root),
            started_at=self.started_at,
            last_seq=self.feed.last_seq,
            principal=caller.principal,
            trusted=caller.trusted,
        )

    def attached(self, attachment: Attachment) -> None:
        """Count a client that said hello."""
        self._attachments.append(attachment)
        self._others.watch(True)
        self._tell_presence()

    def detached(self, attachment: Attachment) -> None:
        """Forget a client that went."""
        if attachment in self._attachments:
            self._attachments.remove(attachment)
            self._others.watch(bool(self._attachments))
            self._tell_presence()
        if attachment.caller is not None and not self._is_attached(attachment.caller.client_id):
            self.editors.forget(attachment.caller.client_id)
            self.presence.left(attachment.caller.client_id)
            if attachment.caller.owner == attachment.caller.client_id:
                self.run(self._forget(attachment.caller.client_id))

    def set_unsaved(self, caller: Caller, paths: list[str]) -> None:
        """Note that CALLER's editor has unsaved text in exactly PATHS: an intent of its person there."""
        self.editors.set_unsaved(caller.client_id, caller.client_name, paths)
        if caller.keeps_leases_as is not None and caller.is_person:
            self.run(self.presence.types_in(caller.keeps_leases_as, caller.principal, paths))

    def saved(self, caller: Caller, message: messages.Saved) -> None:
        """Note what the person of CALLER saved."""
        if caller.is_person:
            self.run(self.saves.note(caller.principal, message))

    def remember(self, client_id: str, response: messages.OperationResponse) -> None:
        """Keep RESPONSE for a while, in case the client asks the same again."""
        self.answers[client_id, response.request_id] = response
        while len(self.answers) > ANSWERS_KEPT:
            self.answers.popitem(last=False)

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run WORK until it ends or the hub does; its failure is logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("a task of the hub failed", exc_info=error)

    def _tell_presence(self) -> None:
        self.presence.attached = {
            each.caller.keeps_leases_as
            for each in self._attachments
            if each.caller is not None and each.caller.keeps_leases_as is not None
        }

    async def _take_in(self, events: Sequence[Event]) -> None:
        for attachment in self._attachments:
            attachment.wake()
        for event in events:
            if event.run is not None and event.name == "run.status" and event.data.get("to") in RUN_ENDED:
                self.run(self.services.image.forget_client(f"run:{event.run}"))
        if self.presence.hear(events):
            self.run(self.presence.hold_again())
        await lease_requests.close_settled(self.services, events)

    async def _forget(self, client_id: str) -> None:
        """Have the image drop what it keeps for a client, unless that comes back soon."""
        await asyncio.sleep(COMES_BACK_S)
        if not self._is_attached(client_id):
            await self.services.image.forget_client(client_id)

    def _is_attached(self, client_id: str) -> bool:
        """Return whether the client is here, by this connection or a newer one."""
        return any(each.caller and each.caller.client_id == client_id for each in self._attachments)

    async def _note(self, name: str, data: dict[str, Any]) -> None:
        await self.services.store.append(
            NewEvent(category="system", name=name, stream="hub", actor=HUB, data=data)
        )

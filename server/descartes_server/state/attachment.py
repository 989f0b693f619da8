"""The way to the workspace's operations, and everything that the hub tells, kept in the state.

Watches for a hub and attaches to it; only an effect starts one. Without a hub the log says who holds what.
"""

from __future__ import annotations

import asyncio
import logging
import os
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from descartes_core.errors import HubLost, NotFound
from descartes_core.model import Intervention, Lease, Principal, Run
from descartes_server import __version__
from descartes_server.hub.client import HubClient
from descartes_server.hub.door import Door, local_services
from descartes_server.hub.messages import PROTOCOL, ClientHello, Saved
from descartes_server.ide.stops import Note
from descartes_server.lsp import ext, from_hub, uris
from descartes_server.operations import principals, settings, trust
from descartes_server.operations.context import Caller
from descartes_server.operations.settings import Settings
from descartes_server.operations.workspace import Workspace
from descartes_server.state import marks, results

if TYPE_CHECKING:
    from descartes_server.hub.greeting import Opener
    from descartes_server.state.documents import Document
    from descartes_server.state.server_state import ServerState
    from descartes_server.state.workshop import Workshop

log = logging.getLogger(__name__)

EDITORS = {"Eglot": "Emacs", "emacs": "Emacs", "Visual Studio Code": "VS Code", "code-server": "VS Code"}
"""How the editor is called where its client library says something else."""
LONGEST_SENT = 1_000_000
"""Characters of a text that the hub is told when it is saved."""
Follower = Callable[[str, dict[str, Any]], None]
Answer = Callable[[str, Mapping[str, Any]], Awaitable[dict[str, Any]]]
Deliver = Callable[[dict[str, Any]], Awaitable[None]]


class Attachment:
    """One editor's door to the operations of WORKSPACE. Made by `open`."""

    def __init__(self, state: ServerState, workspace: Workspace) -> None:
        self._state = state
        self.workspace = workspace
        self.client_id = uuid.uuid4().hex
        self.name = EDITORS.get(state.client.name, state.client.name) or "an editor"
        self.me: Principal = principals.user(self.name)
        self.loaded = settings.Loaded(Settings())
        self.followers: list[Follower] = []
        self.answer: Answer | None = None
        """What answers questions of the hub to this editor."""
        self.deliver: Deliver | None = None
        """What takes an event of the log to the editor, and returns when that has room for the next one."""
        self._stack = AsyncExitStack()
        self._unsaved: set[str | None] = set()
        self._subscription: asyncio.Task[None] | None = None
        self._subscribing = asyncio.Lock()
        self._learning = asyncio.Lock()
        self._told_meanwhile: list[tuple[str, dict[str, Any]]] | None = None
        """What the hub told while everything was asked for; None at other times."""
        self.door: Door
        self._door_is_open = False

    @classmethod
    async def open(cls, state: ServerState, workspace: Workspace) -> Attachment:
        """Return the door to WORKSPACE, attached when a hub runs, with what is known taken into STATE.

        Errors: `WorkspaceInUse`, `InvalidParams` for a state folder that is not followed.
        """
        self = cls(state, workspace)
        self.me = await asyncio.to_thread(
            principals.person, workspace.root, trusted=self.trusted, via=self.name
        )
        self.load_settings()
        client = HubClient(await self._opener(), self._hello)
        self._stack.push_async_callback(client.close)
        services = await local_services(workspace, self.loaded.settings)
        self._stack.push_async_callback(services.reader.close)
        self.door = Door(services, client, self._caller)
        self._door_is_open = True
        client.on_notification(self._heard)
        client.on_attached(self._attached)
        client.on_lost(self._lost)
        client.on_request(self._asked)
        state.on_document(lambda uri, change: self._report_unsaved())
        self._report_unsaved()  # of what was typed before the way was open
        await self.learn_all()
        client.stay()
        return self

    @property
    def trusted(self) -> bool:
        """Whether this connection may cause effects: the editor's word, else the person's list."""
        told = self._state.editor_trust
        return trust.is_trusted(self.workspace.root) if told is None else told

    def set_trusted(self, trusted: bool) -> None:
        """Remember the person's word, for this connection and the next."""
        if trusted:
            trust.trust(self.workspace.root)
        else:
            trust.distrust(self.workspace.root)
        self._state.editor_trust = trusted
        self.load_settings()
        self.door.client.set_trusted(trusted)

    def load_settings(self) -> None:
        """Read the settings again, the files', then the editor's; what is wrong in a file is marked."""
        self.loaded = settings.load(
            self.workspace.root, trusted=self.trusted, editor=self._state.editor_settings
        )
        if self._door_is_open:
            services = self.door.services
            services.settings = self.loaded.settings
            services.reader.resize(self.loaded.settings.performance.connection_pool_size)
        for problem in self.loaded.problems:
            if problem.file is None:
                log.warning("a setting of the editor does not count: %s", problem.message)
        self.mark_settings()

    def mark_settings(self) -> None:
        """Mark what is wrong in the settings files, as they stand in the editor or else on disk."""
        workshop, opened = self._state.workshop, {}
        for document in self._state.documents.values():
            opened[document.real_path] = document.text
        for file in settings.files(self.workspace.root):
            path = uris.real(file)
            found = [each for each in self.loaded.problems if each.file == file]
            if path in opened:
                found = settings.problems_in(self.workspace.root, file, opened[path], trusted=self.trusted)
            workshop = workshop.with_notes(path, [_note(each) for each in found])
        self._state.learn(workshop)

    def take_settings(self) -> None:
        """Read the settings again, and tell the hub what the editor sets."""
        self.load_settings()
        self.door.client.set_settings(self._state.editor_settings)

    async def call(self, operation: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the result of OPERATION. Errors: the operation's own."""
        return await self.door.call(operation, params)

    async def subscribe(self, since: int | None, types: list[str]) -> dict[str, Any]:
        """Pass on the log's events after SINCE, in place of what was asked for before; returns `{seq}`."""
        client = self.door.client
        await client.attach(start=True)
        async with self._subscribing:
            if self._subscription is not None:
                self._subscription.cancel()
                await asyncio.gather(self._subscription, return_exceptions=True)
            seq = await self.door.services.reader.last_seq()
            passing_on = self._pass_on_events(seq if since is None else since, types)
            self._subscription = self._state.spawn(passing_on)
        return {"seq": seq}

    async def _pass_on_events(self, since: int, types: list[str]) -> None:
        # The hub sends more only when the editor has taken these: one that does not read costs nothing.
        async for event in self.door.client.events(since, types):
            if self.deliver is not None:
                await self.deliver(event)

    async def close(self) -> None:
        """Let go of the hub and the log."""
        await self._stack.aclose()

    async def learn_all(self) -> None:
        """Ask for everything that is shown: leases, runs, questions, stops and the image's state.

        What is told meanwhile is newer than some of the answers, and is taken in once more after them.
        """
        # Of two at once the older answers would be taken in last.
        async with self._learning:
            told: list[tuple[str, dict[str, Any]]] = []
            self._told_meanwhile = told
            try:
                await self._learn_all(told)
            finally:
                self._told_meanwhile = None

    async def _learn_all(self, told: list[tuple[str, dict[str, Any]]]) -> None:
        leases = msgspec.convert((await self.call("lease.list"))["leases"], list[Lease])
        runs = msgspec.convert((await self.call("run.list", {"limit": 100}))["runs"], list[Run])
        questions = (await self.call("intervention.list"))["interventions"]
        attached = self.door.client.attached
        stops = (await self.call("debugger.list"))["debuggers"] if attached else []
        lisp = await self.call("lisp.status") if attached else {}
        results = (await self.call("lisp.testResults"))["results"] if attached else []
        found = (await self.call("debugger.breakpoints.list"))["breakpoints"] if attached else []
        self._find_image(lisp)
        workshop = replace(
            self._state.workshop.with_leases(leases),
            root=self.workspace.root,
            me=self.me,
            runs={run.id: run for run in runs},
            interventions=msgspec.convert(questions, tuple[Intervention, ...]),
            stops=tuple(from_hub.stop(each) for each in stops),
            breakpoints=from_hub.breakpoints(found),
            lisp=lisp,
            tested=from_hub.test_states(results),
        )
        for method, params in told:
            workshop = _after(workshop, method, params)
        self._state.learn(marks.as_heard(self._state.workshop, workshop, self._state.documents))
        if attached:
            news = {
                ext.LISP_STATUS: lisp,
                ext.DEBUGGER_CHANGED: {"debuggers": stops},
                ext.INTERVENTION_CHANGED: {"interventions": questions},
            }
            for method, params in news.items():
                if method not in dict(told):  # the newer was passed on when it came
                    self._pass_on(method, params)

    def _heard(self, method: str, params: dict[str, Any]) -> None:
        if method == ext.LISP_STATUS:
            self._find_image(params)
        if method == ext.CONFIG_CHANGED:
            self.load_settings()
        if method == "descartes/lagged":
            self.learn_again()
            return
        if self._told_meanwhile is not None:
            self._told_meanwhile.append((method, params))
        workshop = _after(self._state.workshop, method, params)
        if workshop is not self._state.workshop:
            self._state.learn(marks.as_heard(self._state.workshop, workshop, self._state.documents))
        self._pass_on(method, params)

    def _find_image(self, status: Mapping[str, Any]) -> None:
        self._state.image.attached_to(self.call if status.get("attached") else None)
        self._state.image.look_again()

    def _pass_on(self, method: str, params: dict[str, Any]) -> None:
        for follower in self.followers:
            follower(method, params)

    def _attached(self) -> None:
        self.learn_again()

    def learn_again(self) -> None:
        """Ask for everything that is shown, beside what is under way: some of what was told is lost."""
        self._state.spawn(self._learn_again())

    async def _learn_again(self) -> None:
        """Ask for everything; a hub that goes meanwhile is no failure, the next one is asked again."""
        try:
            await self.learn_all()
        except HubLost as error:
            log.info("the hub went while it was asked for everything: %s", error.message)

    def _lost(self, reason: str) -> None:
        log.warning("the hub went away: %s", reason)
        self._state.learn(replace(self._state.workshop, stops=(), breakpoints=()))

    async def _asked(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        if self.answer is None:
            raise NotFound(f"this editor does not answer {method}")
        return await self.answer(method, params)

    def report_saved(self, document: Document) -> None:
        """Tell the hub that the person saves DOCUMENT, which still knows what it was before."""
        path, before = document.real_path, document.base
        if path is not None and before is not None:
            self.door.client.tell_saved(Saved(path=path, before=_sent(before), after=_sent(document.text)))

    def _report_unsaved(self) -> None:
        changed = {each.real_path for each in self._state.documents.values() if each.changed} - {None}
        if changed != self._unsaved:
            self._unsaved = changed
            self.door.client.set_unsaved(sorted(path for path in changed if path))

    async def _opener(self) -> Opener:
        if self._state.embedded:
            from descartes_server.hub.embedded import EmbeddedOpener
            from descartes_server.hub.main import running_hub  # the whole hub, where wanted

            password = os.environ.get(principals.PASSWORD_VARIABLE)
            hub = await self._stack.enter_async_context(
                running_hub(self.workspace, embedded=True, password=password)
            )
            return EmbeddedOpener(hub)
        from descartes_server.hub.process import SocketOpener

        return SocketOpener(self.workspace)

    def _hello(self) -> ClientHello:
        run, token = principals.run_of_environment()
        return ClientHello(
            version=__version__,
            protocol=PROTOCOL,
            client_id=self.client_id,
            client_name=self.name,
            principal=self.me,
            run=run,
            token=token,
            trusted=self._state.editor_trust,
            presence=True,
            notifications=True,
            environment=principals.environment(),
            settings=dict(self._state.editor_settings),
        )

    def _caller(self) -> Caller:
        run, _ = principals.run_of_environment()
        return Caller(
            principal=self.me,
            client_id=self.client_id,
            client_name=self.name,
            trusted=self.trusted,
            editor_settings=self._state.editor_settings,
            run=run,
        )


def _sent(text: str) -> str | None:
    return text if len(text) <= LONGEST_SENT else None


def _note(problem: settings.Problem) -> Note:
    start = problem.line - 1, problem.column - 1
    end = start if problem.end is None else (problem.end[0] - 1, problem.end[1] - 1)
    return Note(problem.severity, problem.message, start, end, code=problem.code)


def _after(workshop: Workshop, method: str, params: Mapping[str, Any]) -> Workshop:
    """Return WORKSHOP after the hub's notification METHOD."""
    match method:
        case ext.LEASE_CHANGED:
            return workshop.with_lease(msgspec.convert(params["lease"], Lease), params["change"])
        case ext.RUN_CHANGED:
            return workshop.with_run(msgspec.convert(params, Run))
        case ext.INTERVENTION_CHANGED:
            questions = msgspec.convert(params["interventions"], tuple[Intervention, ...])
            return replace(workshop, interventions=questions)
        case ext.DEBUGGER_CHANGED:
            return replace(workshop, stops=tuple(from_hub.stop(each) for each in params["debuggers"]))
        case ext.BREAKPOINTS_CHANGED:
            return replace(workshop, breakpoints=from_hub.breakpoints(params["breakpoints"]))
        case ext.LISP_TESTED:
            return workshop.with_tests(from_hub.test_states(params["results"]))
        case ext.LISP_EVALUATED:
            return results.with_outcome(workshop, params)
        case ext.LISP_STATUS:
            return replace(workshop, lisp=params)
    return workshop

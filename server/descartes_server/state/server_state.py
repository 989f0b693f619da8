"""The one mutable object of the server. Touched on the loop only; who answers a request gets a snapshot."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal

from descartes_core.errors import InvalidParams
from descartes_server.ide.index import WorkspaceIndex
from descartes_server.lsp.positions import Encoding
from descartes_server.lsp.server import Server
from descartes_server.state.blames import Blames
from descartes_server.state.documents import Document, Documents
from descartes_server.state.image import ImageQuestions
from descartes_server.state.snapshot import Snapshot
from descartes_server.state.workshop import Workshop

if TYPE_CHECKING:
    from descartes_server.operations.workspace import Workspace
    from descartes_server.state.attachment import Attachment

log = logging.getLogger(__name__)

_ANSWER_SECONDS = 0.001
"""Until an answer that is ready has been written."""

Change = Literal["opened", "changed", "saved", "closed"]


class ServerState:
    """Everything that one connection knows."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.client = server.client
        self.documents: Documents = {}
        self.encoding: Encoding = "utf-16"
        self._workshop = Workshop()
        self.index = WorkspaceIndex()
        self.image = ImageQuestions(None)
        self.workspace: Workspace | None = None
        self.attachment: Attachment | None = None
        """The way to the operations; None until it is open."""
        self.attaching: asyncio.Future[Attachment] | None = None
        self.editor_trust: bool | None = None
        """What the editor itself says of the workspace; None when it has no such notion."""
        self.editor_settings: Mapping[str, Any] = {}
        self.embedded = False
        self.own_evaluations: set[str] = set()
        """The evaluations that this editor asked for."""
        self.blames = Blames()
        self.own_runs: set[str] = set()
        self.own_playbacks: set[str] = set()
        """The runs, by the digits given, of which this editor began a playback."""
        self.cancels: dict[Any, Callable[[], Any]] = {}
        """What cancelling does to progress that belongs to no request, by its token."""
        self.last_active: str | None = None
        """The URI of the document that the person touched last."""
        self.executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="analysis")
        self.indexer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="index")
        self.ending = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._document_listeners: list[Callable[[str, Change], None]] = []
        self._file_listeners: list[Callable[[str], None]] = []
        self._attached_listeners: list[Callable[[], None]] = []
        self._workshop_listeners: list[Callable[[Workshop, Workshop], None]] = []
        self._untold: Workshop | None = None
        """What those who follow were told last, when something newer has been learnt."""
        self._steps: list[Callable[[Snapshot], Workshop]] = []
        """What is still to be taken in, the oldest first."""

    def snapshot(self, *, of_texts: bool = False) -> Snapshot:
        """Return the state as it is now, for as long as a handler wants to look at it.

        OF_TEXTS: for who looks at documents alone; what the last answers told need not be in its workshop.
        """
        if not of_texts:
            self._take_in()
        return self._snapshot()

    def _snapshot(self) -> Snapshot:
        return Snapshot(
            documents=self.documents,
            encoding=self.encoding,
            workshop=self._workshop,
            index=self.index,
            image=self.image,
            abilities=self.client.abilities,
            executor=self.executor,
            blame=lambda document: self.blames.of(self.attachment, document),
        )

    def put(self, document: Document, change: Change) -> None:
        """Make DOCUMENT the text of its URI, and tell who follows documents."""
        self.documents = {**self.documents, document.uri: document}
        self.last_active = document.uri
        self._tell(document.uri, change)

    def close(self, uri: str) -> None:
        """Forget the text of URI; the disk's counts from now on."""
        self.documents = {key: value for key, value in self.documents.items() if key != uri}
        if self.last_active == uri:
            self.last_active = next(reversed(self.documents), None)
        self._tell(uri, "closed")

    def on_document(self, listener: Callable[[str, Change], None]) -> None:
        """Call LISTENER(uri, change) whenever a document was opened, changed, saved or closed."""
        self._document_listeners.append(listener)

    def file_changed(self, path: str) -> None:
        """Tell who follows files that PATH, which is not open, was changed, made or removed on disk."""
        for listener in self._file_listeners:
            listener(path)

    def on_file(self, listener: Callable[[str], None]) -> None:
        """Call LISTENER(path) whenever a file that is not open has changed on disk."""
        self._file_listeners.append(listener)

    @property
    def workshop(self) -> Workshop:
        """What is known of the live image, the runs and the leases."""
        self._take_in()
        return self._workshop

    def learn(self, workshop: Workshop) -> None:
        """Take in WORKSHOP, newer than what was known, and tell who follows it."""
        before, self._workshop, self._untold = self._untold or self._workshop, workshop, None
        for listener in self._workshop_listeners:
            listener(before, workshop)

    def learn_after_answer(self, step: Callable[[Snapshot], Workshop]) -> None:
        """Take in what STEP makes of the state, before anybody looks at it again.

        An editor waits for an answer now: STEP is taken, and who follows is told, a moment later.
        """
        self._steps.append(step)
        asyncio.get_running_loop().call_later(_ANSWER_SECONDS, self._tell_untold)

    def _take_in(self) -> None:
        while self._steps:
            step = self._steps.pop(0)
            self._untold = self._untold or self._workshop
            try:
                self._workshop = step(self._snapshot())
            except Exception:
                log.exception("what an answer told could not be taken in")

    def _tell_untold(self) -> None:
        self._take_in()
        if self._untold is not None:
            self.learn(self._workshop)

    def on_workshop(self, listener: Callable[[Workshop, Workshop], None]) -> None:
        """Call LISTENER(before, now) whenever something new was learnt."""
        self._workshop_listeners.append(listener)

    def attach(self, attachment: Attachment) -> None:
        """Use ATTACHMENT as the way to the operations, and tell who waits for one."""
        self.attachment = attachment
        for listener in self._attached_listeners:
            listener()

    def on_attached(self, listener: Callable[[], None]) -> None:
        """Call LISTENER once the way to the operations is open."""
        self._attached_listeners.append(listener)

    def set_editor_settings(self, given: Mapping[str, Any]) -> None:
        """Take what the editor sets, nested as in `descartes.toml`, in place of what it set before."""
        self.editor_settings = given
        if self.attachment is not None:
            self.attachment.take_settings()

    async def attached(self) -> Attachment:
        """Return the way to the operations, once it is open.

        Errors: `WorkspaceInUse`, `InvalidParams` when the workspace's state cannot be used.
        """
        if self.attachment is None:
            if self.attaching is None:
                raise InvalidParams("expected a workspace, the editor gave none; open a folder or a file")
            await asyncio.shield(self.attaching)
        assert self.attachment is not None
        return self.attachment

    def heard_result(self, name: str, result: Mapping[str, Any]) -> None:
        """Take in RESULT of an operation that this editor asked for: what it started is its own."""
        evaluation = result.get("evaluation")
        if isinstance(evaluation, dict):
            evaluation = evaluation.get("id")
        if name in ("lisp.eval", "lisp.evalForm"):
            evaluation = result.get("id")
        if isinstance(evaluation, str):
            self.own_evaluations.add(evaluation)
        if name == "run.spawn":
            self.own_runs.add(str(result.get("id")))
        if self.workshop.stops or self.workshop.interventions:
            self.learn(self.workshop)  # one of them may be this editor's own, as is known only now

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run WORK beside everything else; a failure is logged, and it ends with the server."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    async def end(self) -> None:
        """Stop everything that runs beside, and let go of the hub and the image."""
        self.ending = True
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self.attachment is not None:
            await self.attachment.close()
        await self.image.close()
        for executor in (self.executor, self.indexer):
            executor.shutdown(wait=False, cancel_futures=True)

    def _tell(self, uri: str, change: Change) -> None:
        for listener in self._document_listeners:
            listener(uri, change)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("work beside the requests failed", exc_info=error)

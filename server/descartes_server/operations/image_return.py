"""The hub's image when it is elsewhere, and going back to one whose connection was lost.

Where it is and how one gets there is `lisp_target`'s; how an image of ours starts and ends is `image`'s.
"""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod
from collections.abc import Callable, Mapping

import msgspec

import descartes_swank as swank
from descartes_core import errors
from descartes_core.store import Store
from descartes_server.operations import lisp_shapes as shapes
from descartes_server.operations.debuggers import Publish
from descartes_server.operations.image_work import AskClient, ImageWork, Places
from descartes_server.operations.lisp_target import CONNECTING_S, Target, remember, server_at
from descartes_server.operations.reconnecting import until_it_works
from descartes_server.operations.settings import LispSettings, PathPair
from descartes_server.operations.under_way import UnderWay

log = logging.getLogger(__name__)

TAKE_UP_S = 3.0
"""How long a new hub waits for the image of an earlier one, which may be one that answers nobody."""


class Returning(ImageWork):
    """The half of an image that is about where it is. Used from the hub's loop only."""

    def __init__(
        self,
        store: Store,
        publish: Publish,
        ask_client: AskClient,
        places: Places,
        settings: Callable[[], LispSettings],
    ) -> None:
        super().__init__(store, publish, ask_client, places)
        self._settings = settings
        self.connecting_seconds: Callable[[], float] = lambda: CONNECTING_S
        """How long a Lisp that is connected to may take to answer."""
        self._status = shapes.LispStatus(state="stopped")
        self._target: Target | None = None
        """Where the image is, when we did not start it on this machine."""
        self._environment: Mapping[str, str] | None = None
        """The variables of whoever asked first for an image that is elsewhere."""
        self._going_back: asyncio.Task[None] | None = None
        self._under_way = UnderWay()

    @abstractmethod
    async def _attach(
        self, lisp: swank.Lisp, record: swank.ImageRecord | None, target: Target | None
    ) -> None:
        """Make LISP the session of the workspace's image, which is RECORD's or TARGET's."""

    @abstractmethod
    async def _attach_own(self, record: swank.ImageRecord) -> None:
        """Attach to the image of RECORD. Errors: `LispLost` when it does not answer in time."""

    @abstractmethod
    async def _log_start(self) -> None:
        """Enter into the log that the image is at work."""

    @abstractmethod
    def _set(self, status: shapes.LispStatus) -> None:
        """Make STATUS the one that is shown, and tell it."""

    @abstractmethod
    def status(self) -> shapes.LispStatus:
        """Return the image's status as every door shows it."""

    def is_starting(self) -> bool:
        """Return whether an image is being started or connected to."""
        return bool(self._under_way)

    def server_at(
        self, host: str, port: int, secret: str | None, ssh: str | None, paths: list[PathPair] | None
    ) -> Target:
        """Return the Swank server at HOST and PORT, reached as the settings say. Errors: `InvalidParams`."""
        return server_at(self.places.workspace, self._settings(), host, port, secret, ssh, paths)

    async def connect(self, target: Target) -> shapes.LispStatus:
        """Attach to a Swank server somebody else started; meanwhile no other image is.

        Errors: `LispLost` when nobody answers; `LispNotRunning` when `stop` gave it up; `InvalidParams`.
        Concurrency: cancelling gives it up.
        """
        if self.session() is not None or self._under_way:
            there = "there is one" if self.session() is not None else "one is being started or connected to"
            raise errors.InvalidParams(f"expected no running Lisp, {there}; stop it with lisp.stop first")
        self._under_way.begin(self._connect(target), "connect to the image", may_be_given_up=True)
        try:
            await self._under_way.outcome()
        except asyncio.CancelledError:
            self._under_way.give_up()
            raise
        return self.status()

    def _require_no_going_back(self) -> None:
        """Raise `LispLost` while an image is tried that we could not replace by one of our own."""
        if self._going_back is not None and self._target is not None:
            raise errors.LispLost(
                f"the connection to the Lisp is lost ({self._status.reason}); "
                "ask again later, or give it up with lisp.stop"
            )

    def _go_back(self, known: asyncio.Event | None) -> None:
        """Try to attach again, beginning when the loss is KNOWN to everybody."""
        self._going_back = asyncio.create_task(self._try_again(known), name="reconnect to the image")
        self._going_back.add_done_callback(_failed)

    async def _stay_away(self) -> None:
        """Give up going back, if that is under way."""
        task, self._going_back = self._going_back, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _try_again(self, known: asyncio.Event | None) -> None:
        """Attach again, or say why that is given up."""
        if known is not None:
            await known.wait()
        problem = await until_it_works(self._attach_once_more)
        self._going_back = None
        if problem is None:
            await self._log_start()
        else:
            self._forget_target()
            self._set(shapes.LispStatus(state="lost", reason=problem))

    def _forget_target(self) -> None:
        self._target = None
        remember(self.places.runtime, None)

    async def _attach_once_more(self) -> None:
        if self._target is not None:
            await self._attach_to(self._target)
        elif (record := swank.read_record(self.places.runtime)) is not None:
            await self._attach_own(record)
        else:
            raise swank.LispGone(self.places.ended())

    async def _connect(self, target: Target) -> None:
        await self._stay_away()
        if self.session() is not None:
            raise errors.InvalidParams("expected no running Lisp, there is one again; stop it with lisp.stop")
        was_lost = self._status.state == "lost"
        self._set(
            shapes.LispStatus(
                state="starting", host=target.host or None, port=target.port or None, remote=target.remote
            )
        )
        try:
            await self.ask(self._attach_to(target))
        except BaseException as error:
            self._target = None
            reason = str(error) or "the connection was given up"
            self._set(shapes.LispStatus(state="lost" if was_lost else "stopped", reason=reason))
            raise
        await self._log_start()

    async def _attach_to(
        self, target: Target, environment: Mapping[str, str] | None = None, *, start: bool = False
    ) -> None:
        self._environment = environment or self._environment
        lisp = await target.open(
            self.places.workspace,
            self._listener,
            self._environment,
            start=start,
            deadline_s=self.connecting_seconds(),
        )
        await self._attach(lisp, None, target)
        remember(self.places.runtime, target)

    async def _take_up_target(self, target: Target) -> None:
        """Attach to TARGET, an earlier hub's; the status says why when that fails."""
        self._target = target
        try:
            async with asyncio.timeout(TAKE_UP_S):
                await self._attach_to(target)
        except (swank.SwankError, TimeoutError) as error:
            reason = error.message if isinstance(error, swank.SwankError) else "it has not answered yet"
            self._set(msgspec.structs.replace(self._status, reason=f"{reason}; reconnecting"))

    async def _end(self, record: swank.ImageRecord | None, target: Target | None) -> str | None:
        """End the image where that is ours to do; return why it could not be ended."""
        try:
            if record is not None:
                await swank.stop_image(record)
            elif target is not None and target.command:
                await target.away(self.places.workspace, self._environment).stop()
        except swank.SwankError as error:
            return f"it could not be ended: {error.message}"
        return None


def _failed(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("going back to the image failed", exc_info=task.exception())

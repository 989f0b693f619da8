"""The hub's image and a fresh one beside it: how everybody moves from the one to the other.

What is done in the fresh one meanwhile is `replaying`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any

import descartes_swank as swank
from descartes_core.errors import InvalidParams
from descartes_core.model import NewEvent
from descartes_core.store import Store
from descartes_server.operations.debuggers import Publish
from descartes_server.operations.gate import Gate
from descartes_server.operations.image_return import Returning
from descartes_server.operations.image_work import LISP, AskClient, Listener, Places
from descartes_server.operations.settings import LispSettings

if TYPE_CHECKING:
    from descartes_server.operations.replaying import Outcome

BESIDE_MINUTES = 0.2
"""How long an image that nobody sees yet stays when its hub is gone."""


class Moving(Returning):
    """The part of an image that is about its successor. Used from the hub's loop only."""

    def __init__(
        self,
        store: Store,
        publish: Publish,
        ask_client: AskClient,
        places: Places,
        settings: Callable[[], LispSettings],
    ) -> None:
        super().__init__(store, publish, ask_client, places, settings)
        self._lisp: swank.Lisp | None = None
        self._record: swank.ImageRecord | None = None
        self.gate = Gate()
        """What begins in the image passes it; closed while everybody moves."""
        self._replaying: asyncio.Task[Any] | None = None
        self._replay_over = asyncio.Event()

    @abstractmethod
    def _image_settings(
        self, environment: Mapping[str, str] | None, program: str | None
    ) -> swank.ImageSettings: ...

    def place_now(self) -> swank.Lisp | None:
        """Return what `still` compares with."""
        return self._lisp

    def still(self, before: swank.Lisp | None) -> bool:
        """Return whether the image is the one of BEFORE, or that has died and none was put in its place."""
        if self.is_starting():
            return False
        died = self._lisp is None and (before is None or self._status.state == "lost")
        return died or self._lisp is before

    @contextlib.asynccontextmanager
    async def replaying_alone(self) -> AsyncIterator[None]:
        """Let nobody else replay meanwhile; one that was cancelled and is ending is waited for.

        Errors: `InvalidParams` while another replay goes on.
        """
        while self._replaying is not None:
            if not self._replaying.cancelling():
                raise InvalidParams("a replay is under way already; wait for its end, or cancel it")
            await self._replay_over.wait()
        self._replaying = asyncio.current_task()
        self._replay_over.clear()
        try:
            yield
        finally:
            self._replaying = None
            self._replay_over.set()

    async def start_beside(self, environment: Mapping[str, str] | None) -> swank.ImageRecord:
        """Start an image beside the workspace's. Errors: as in starting one."""
        await swank.end_others(self.places.runtime)
        settings = dataclasses.replace(self._image_settings(environment, None), idle_minutes=BESIDE_MINUTES)
        if swank.is_plain(settings.command):
            raise swank.Unsupported("a replay needs SBCL; the Lisp of the settings is another one")
        folder = swank.folder_of_next(self.places.runtime)
        starting = asyncio.create_task(
            swank.start_image(settings, folder, self.places.cache, self.places.lisp_log),
            name="start an image beside",
        )
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            # Between its first line and its record nobody could name the process.
            await asyncio.shield(_end_when_started(starting))
            raise

    async def end_beside(self, record: swank.ImageRecord | None) -> None:
        """End the image of RECORD, and any other that is not the workspace's."""
        if record is not None and (self._record is None or self._record.pid != record.pid):
            await swank.stop_image(record)
        await swank.end_others(self.places.runtime)

    def is_of(self, record: swank.ImageRecord) -> bool:
        """Return whether the image of RECORD is the workspace's."""
        return self._record is not None and self._record.pid == record.pid

    async def move_to(self, record: swank.ImageRecord) -> None:
        """Make the image of RECORD, which is beside, the workspace's, and end the one before.

        One that somebody else started is left running. The caller logs it (`replayed`).
        Errors: `LispLost` when it does not answer, `OSError`; then everything is as before.
        """
        await self._stay_away()
        old, old_record, target = self._lisp, self._record, self._target
        await self._leave(old)
        try:
            await self._attach_own(record)
            assert self._lisp is not None
            await swank.take_place(self._lisp, self.places.runtime, self._settings().idle_minutes)
        except (swank.SwankError, OSError):
            await self._go_back_to(old_record, target is not None)
            raise
        if target is not None:
            self._forget_target()
        await swank.end_others(self.places.runtime)

    def replayed(
        self,
        record: swank.ImageRecord,
        outcome: Outcome,
        *,
        until: int | None = None,
        restore: str | None = None,
    ) -> NewEvent:
        """Return the event that the image of RECORD, in which a replay had OUTCOME, takes this one's place.

        It has what the log has up to event UNTIL, or all of it, because of a RESTORE or of none.
        """
        data = {
            "pid": record.pid,
            "before": self._status.pid,
            "repeated": outcome.repeated,
            "skipped": len(outcome.skipped),
            "until": until,
            "restore": restore,
        }
        kept = {key: value for key, value in data.items() if value is not None or key == "before"}
        return NewEvent(category="system", name="lisp.replayed", stream="lisp", actor=LISP, data=kept)

    async def _leave(self, old: swank.Lisp | None) -> None:
        """Hear nothing more of OLD; its stops are nobody's."""
        self._listener.deaf = True
        self._listener = Listener(self)
        self._lisp, self._record = None, None
        if old is not None:
            await old.close()
        await self.debuggers.clear()

    async def _go_back_to(self, record: swank.ImageRecord | None, elsewhere: bool) -> None:
        await self._leave(self._lisp)
        with contextlib.suppress(swank.SwankError):
            if record is not None:
                await self._attach_own(record)
            elif elsewhere:
                self._go_back(None)


async def _end_when_started(starting: asyncio.Task[swank.ImageRecord]) -> None:
    with contextlib.suppress(swank.SwankError):
        await swank.stop_image(await starting)

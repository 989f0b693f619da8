"""The hub's live image: started, attached to, lost and taken up again.

What goes on in it is `image_work`'s; how Swank is spoken, and what an operation's parameters look like, is
known elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

import descartes_swank as swank
from descartes_core import errors
from descartes_core.store import Store
from descartes_server.operations import lisp_shapes as shapes
from descartes_server.operations.debuggers import Publish
from descartes_server.operations.evaluations import Record
from descartes_server.operations.image_moving import Moving
from descartes_server.operations.image_return import TAKE_UP_S
from descartes_server.operations.image_work import AskClient, Places, mapped
from descartes_server.operations.lisp_settings import image_settings
from descartes_server.operations.lisp_target import Target, configured, remember, remembered
from descartes_server.operations.recall import recall
from descartes_server.operations.settings import LispSettings
from descartes_swank.questions import Asking

log = logging.getLogger(__name__)

Environment = Mapping[str, str] | None
ENDING_S = 2.0
"""How long a process that was killed may be seen after its connections have closed."""
ANNOUNCING_S = 3.0
"""How long the stops of an earlier hub may take to be announced again."""


class Image(Moving):
    """One image for the workspace. Used from the hub's loop only."""

    def __init__(
        self,
        store: Store,
        publish: Publish,
        ask_client: AskClient,
        places: Places,
        settings: Callable[[], LispSettings],
    ) -> None:
        super().__init__(store, publish, ask_client, places, settings)
        self._questions: tuple[swank.Lisp, Asking] | None = None
        self._service: tuple[swank.Lisp, swank.ServiceQuestions] | None = None

    def status(self) -> shapes.LispStatus:
        """Return the image's status as every door shows it."""
        return msgspec.structs.replace(self._status, stops=len(self.debuggers))

    def busy(self) -> bool:
        """Return whether something is at work or stopped, so that the hub must not end by itself."""
        return (
            bool(self.debuggers or self._followers or self._unended)
            or self.is_starting()
            or self._replaying is not None
        )

    def questions(self) -> Asking:
        """Return the questions to the running image as Swank calls. Errors: `LispNotRunning`."""
        lisp = self.running()
        if self._questions is None or self._questions[0] is not lisp:
            self._questions = lisp, lisp.questions()
        return self._questions[1]

    async def question(self, request: Mapping[str, Any], deadline_ms: int) -> Any:
        """Return the running image's answer to REQUEST, `{question, …}`, within DEADLINE_MS.

        Errors: `LispNotRunning`; what the image says. Concurrency: cancelling stops the work in the image.
        """
        lisp = self.running()
        asking = self.questions()
        if self._record is not None and self._record.service_socket:
            asking = await self.ask(self._own_service(lisp, self._record.service_socket))
        return await self.ask(asking.relay(dict(request), deadline_ms))

    async def _own_service(self, lisp: swank.Lisp, socket: str) -> swank.ServiceQuestions:
        """Return the way to the answering service of LISP, an image of ours."""
        known = self._service
        if known is None or known[0] is not lisp or known[1].closed.done():
            self._service = known = lisp, await swank.ServiceQuestions.open(socket)
        return known[1]

    async def started(self, environment: Environment = None) -> None:
        """Start an image when none runs, none is under way and that is wanted. Errors: those of `start`."""
        # The settings are files; they are read only where they decide something.
        if self._lisp is None and (self.is_starting() or self._settings().autostart):
            self._require_no_going_back()
            await self.start(environment)

    @property
    def is_running(self) -> bool:
        """Return whether there is an image to ask."""
        return self._lisp is not None

    def session(self) -> swank.Lisp | None:
        """Return the session of the image, None while there is none."""
        return self._lisp

    def running(self) -> swank.Lisp:
        """Return the session of the running image. Errors: `LispNotRunning`."""
        if self._lisp is None:
            self._require_no_going_back()
            reason = f" ({self._status.reason})" if self._status.reason else ""
            raise errors.LispNotRunning(
                f"expected a running Lisp, there is none{reason}; start one with lisp.start"
            )
        return self._lisp

    async def start(self, environment: Environment = None, program: str | None = None) -> shapes.LispStatus:
        """Start an image unless one runs or is being started; answers when it is ready.

        PROGRAM is started instead of the configured Lisp.

        Errors: `LispNotFound` says what to install; `LispLost` when it ended while starting.
        """
        if self._lisp is not None and self._lisp.connection.closed.done():
            await self._orderly.done()  # its end is known to the session and not taken in here yet
        if self._lisp is None:
            if not self._under_way:
                self._under_way.begin(self._start(environment, program), "start the image")
            await self._under_way.outcome()
        return self.status()

    async def take_up(self) -> None:
        """Attach again to the image whose record an earlier hub left, and to its stopped threads.

        What the log says of it and is not so any more is put right there.
        """
        await swank.end_others(self.places.runtime)
        recalled = await recall(self._store.reader)
        self.debuggers.recall(recalled.stops)
        self._recalled = {
            event.data["evaluation"]: event
            for event in recalled.stops.values()
            if event.data.get("evaluation")
        }
        reason, target = "it ended while no hub ran", remembered(self.places.runtime)
        if recalled.running and target is not None:
            await self._take_up_target(target)
            reason = self._status.reason or reason
        elif (record := swank.read_record(self.places.runtime)) is not None:
            try:
                await self._attach_own(record)
            except swank.SwankError:
                log.warning("the recorded image does not answer", exc_info=True)
                reason = f"process {record.pid} does not answer; lisp.restart ends it and starts another"
        if self._lisp is not None:
            await self._announced_again(set(recalled.stops), self._lisp)
            await self.debuggers.forget_recalled()
        elif recalled.running:
            status = shapes.LispStatus(state="lost", reason=reason, reconnecting=self._target is not None)
            await self._gone(status, "lisp.lost", recalled.pid)
            if self._target is not None:
                self._go_back(None)

    async def _announced_again(self, recalled: set[tuple[int, int]], lisp: swank.Lisp) -> None:
        """Answer when the stops RECALLED were announced by LISP, or it is clear that some are not there.

        A busy image may answer late, or not have noticed yet that the earlier hub is gone.
        """
        deadline = time.monotonic() + ANNOUNCING_S
        await self._orderly.done()
        while recalled - {(each.thread, each.level) for each in self.debuggers.all()}:
            if time.monotonic() > deadline or self._lisp is not lisp:
                return
            await asyncio.sleep(0.05)
            with contextlib.suppress(swank.SwankError):
                self._adopted(await lisp.adopt())
            await self._orderly.done()

    def _adopted(self, found: Sequence[swank.Evaluation]) -> None:
        for live in found:
            adopted = self._known(live.id, live.client)
            lost, adopted.live = adopted.logged, live
            # It ended as lost when the connection did; its own end is still to come.
            adopted.logged, adopted.unlogged = asyncio.Event(), None
            self._follow(adopted)
            lost.set()

    async def stop(self) -> shapes.LispStatus:
        """End the image; one that we only attached to is left running."""
        await self._under_way.over()
        lisp, record, target = self._lisp, self._record, self._target
        if lisp is not None or self._going_back is not None:
            await self._stay_away()
            self._lisp, self._record, self._target = None, None, None
            remember(self.places.runtime, None)
            if lisp is not None:
                await lisp.close()
            reason = await self._end(record, target)
            await self._gone(
                shapes.LispStatus(state="stopped", reason=reason),
                "lisp.stopped",
                record.pid if record else None,
            )
        elif (unreachable := swank.read_record(self.places.runtime)) is not None:
            await swank.stop_image(unreachable)
            self._set(shapes.LispStatus(state="stopped"))
        return self.status()

    async def detach(self) -> None:
        """Leave the image as it is: the hub ends, the image stays."""
        # What the session reports of its own closing is nothing that happened in the image.
        self._listener.deaf = True
        self._under_way.give_up()
        await self._stay_away()
        for follower in self._followers:
            follower.cancel()
        if self._lisp is not None:
            await self._lisp.close()
        if self._service is not None:
            await self._service[1].close()
        await self._orderly.close()
        await self.texts.close()
        self.evaluations.close()

    async def begin(
        self,
        record: Record,
        ask: Callable[[swank.Lisp], Awaitable[swank.Evaluation]],
        environment: Environment = None,
    ) -> Record:
        """Hand RECORD's work to the image by ASK, starting one when there is none."""
        async with self.gate.passing():
            await self.started(environment)
            await self.texts.expect(record)
            record.live = await self.ask(ask(self.running()))
        self._follow(record)
        return record

    async def forget_client(self, client: str) -> None:
        """Drop what the image keeps for CLIENT, which is gone."""
        if self._lisp is not None:
            with contextlib.suppress(swank.SwankError):
                await self._lisp.forget_client(client)

    async def serve_workspace(self, lisp: swank.Lisp) -> None:
        """Let LISP find the systems of the workspace first, and compile systems into our cache."""
        fasls = self.places.fasls or self.places.cache / "fasl"
        await lisp.serve_workspace(self.places.workspace, fasls)

    async def lost(self, reason: str) -> None:
        """Take note that the image died or its connection broke; one that may be there is tried again."""
        if self._lisp is not None:
            record, self._lisp, self._record = self._record, None, None
            gone = record is not None and not swank.is_running(record)
            there = self._target is not None or (record is not None and not gone)
            if gone:
                reason = self.places.ended()
            status = shapes.LispStatus(
                state="lost",
                reason=f"{reason}; reconnecting" if there else reason,
                host=self._status.host,
                port=self._status.port,
                remote=self._status.remote,
                attached=self._status.attached,
                reconnecting=there,
            )
            known = asyncio.Event()
            if there:
                self._go_back(known)  # from now on no other image is started in its place
            try:
                await self._gone(status, "lisp.lost", record.pid if record else None)
            finally:
                known.set()

    async def _start(self, environment: Environment, program: str | None) -> None:
        began = time.monotonic()
        await self._stay_away()
        if self._lisp is not None:
            return  # it was gone back to at the last moment
        self._set(shapes.LispStatus(state="starting"))
        place = self.places
        try:
            target = None if program else configured(place.workspace, self._settings())
            if target is not None:
                await self._attach_to(target, environment, start=True)
            else:
                # One that still runs although its connection was lost is the workspace's image.
                record = swank.read_record(place.runtime)
                if record is None or not await self._attached_again(record):
                    settings = self._image_settings(environment, program)
                    if swank.is_plain(settings.command):
                        record = await swank.start_plain_image(settings, place.runtime, place.lisp_log)
                    else:
                        record = await swank.start_image(settings, place.runtime, place.cache, place.lisp_log)
                    await self._attach_own(record)
        except (swank.SwankError, errors.DescartesError) as error:
            self._set(shapes.LispStatus(state="stopped", reason=str(error)))
            raise (mapped(error) if isinstance(error, swank.SwankError) else error) from error
        started_in_ms = round((time.monotonic() - began) * 1000)
        self._set(msgspec.structs.replace(self._status, started_in_ms=started_in_ms))
        await self._log_start()

    async def _attached_again(self, record: swank.ImageRecord) -> bool:
        """Attach to the image of RECORD, which was lost, and answer True; False when it was ending.

        Errors: `LispLost` when it goes on and does not answer.
        """
        try:
            await self._attach_own(record)
        except swank.SwankError:
            deadline = time.monotonic() + ENDING_S
            while swank.read_record(self.places.runtime) is not None:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.01)
            return False
        return True

    async def _attach_own(self, record: swank.ImageRecord) -> None:
        """Attach to the image of RECORD. Errors: `LispLost` when it does not answer in time."""
        try:
            async with asyncio.timeout(TAKE_UP_S):
                lisp = await swank.Lisp.open(
                    record.host, record.port, secret=record.secret, listener=self._listener
                )
                await self._attach(lisp, record, None)
        except TimeoutError:
            raise swank.LispLost(
                f"The Lisp, process {record.pid}, runs and does not answer; end it with lisp.stop"
            ) from None

    def _image_settings(self, environment: Environment, program: str | None) -> swank.ImageSettings:
        settings = image_settings(self.places.workspace, self._settings(), environment)
        return settings if program is None else dataclasses.replace(settings, command=(program,))

    async def _attach(
        self, lisp: swank.Lisp, record: swank.ImageRecord | None, target: Target | None
    ) -> None:
        self._lisp, self._record, self._target = lisp, record, target
        info, place = lisp.info, record or target
        assert place is not None
        self._set(
            shapes.LispStatus(
                state="ready",
                implementation=info.implementation,
                version=info.version,
                pid=info.pid,
                host=place.host or None,
                port=place.port or None,
                package=info.package,
                attached=record is None or not record.service_socket,
                remote=target.remote if target else None,
            )
        )
        taken_over = asyncio.Event()

        async def evaluations_are_known() -> None:
            await taken_over.wait()

        # Who sees a stop that is announced again may leave it: its evaluation is known again before.
        self._orderly.post(evaluations_are_known)
        try:
            found = await lisp.adopt()
            if record is not None:  # what somebody else started is changed when a system is asked for
                await self.serve_workspace(lisp)
            await self.texts.follow(lisp, self.places.workspace)
            self._adopted(found)
        except BaseException:
            # It died, or does not answer: the next request must not take it for one that works.
            if self._lisp is lisp:
                self._lisp, self._record = None, None
            await lisp.close()
            raise
        finally:
            taken_over.set()
        await self.breakpoints.attached(lisp)

    async def _gone(self, status: shapes.LispStatus, event: str, pid: int | None) -> None:
        self.breakpoints.lost()
        try:
            await self.debuggers.clear(coming_back=status.reconnecting)
        finally:
            self._set(status)
        await self._append(event, {"pid": pid, "reason": status.reason}, None)

    async def _log_start(self) -> None:
        await self._append("lisp.started", msgspec.to_builtins(self.status()), None)

    def _set(self, status: shapes.LispStatus) -> None:
        self._status = status
        self._publish("descartes/lisp/status", msgspec.to_builtins(self.status()))

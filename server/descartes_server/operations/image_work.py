"""What goes on in the hub's image: its evaluations and stops, followed, logged and told.

How an image comes and goes is `image`'s; how Swank is spoken is known elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

import descartes_swank as swank
from descartes_core import errors
from descartes_core.blobs import Blobs
from descartes_core.model import Event, NewEvent, Principal
from descartes_core.store import Store
from descartes_core.vault.masking import Masks
from descartes_server.operations.breakpoints import Breakpoints
from descartes_server.operations.debuggers import Debuggers, Publish
from descartes_server.operations.evaluations import Evaluations, Record
from descartes_server.operations.journal_notes import notes_of
from descartes_server.operations.loaded_texts import LoadedTexts
from descartes_server.operations.orderly import Orderly
from descartes_server.operations.test_results import TestResults

log = logging.getLogger(__name__)

T = TypeVar("T")
AskClient = Callable[[str, str, Mapping[str, Any]], Awaitable[dict[str, Any]]]
LISP = Principal(kind="service", id="lisp", name="Lisp")
TELLING_S = 0.01
"""How long after an end everybody is told of it, and of all that ended meanwhile: nobody sees the delay, and
neither its answer nor what is asked right behind it has to wait for the telling."""
EVENT_NAMES = {
    "eval": "lisp.evaluated", "compile": "lisp.compiled", "load": "lisp.loaded", "test": "lisp.tested",
}  # fmt: skip

ACTIONS = frozenset(EVENT_NAMES.values())


@dataclass(frozen=True)
class Places:
    """Where the image's things lie: its workspace, runtime folder, cache of cores and state folder.

    FASLS is where systems are compiled to, None for a folder in the cache.
    """

    workspace: Path
    runtime: Path
    cache: Path
    state: Path
    fasls: Path | None = None

    @property
    def lisp_log(self) -> Path:
        """Where an image that was started here writes what its runtime says."""
        return self.state / "log" / "lisp.log"

    def ended(self) -> str:
        """Return the sentence that says that such an image has ended."""
        return f"the Lisp's process has ended; its last words are in {self.lisp_log}"


def mapped(error: swank.SwankError) -> errors.DescartesError:
    """Return ERROR of the Swank client as the error of the same code that doors show."""
    kind = errors.BY_CODE.get(error.code, errors.DescartesError)
    # What the image says may have several lines; an error is one sentence.
    return kind(" ".join(str(error).split()))


class ImageWork(ABC):
    """The work of one image. Used from the hub's loop only."""

    def __init__(self, store: Store, publish: Publish, ask_client: AskClient, places: Places) -> None:
        self.places = places
        self.evaluations = Evaluations(places.state / "output")
        self.debuggers = Debuggers(self.evaluations, places.workspace, publish, self._post, store.clock)
        self._store = store
        self._publish = publish
        self._ask_client = ask_client
        self.test_results = TestResults()
        self.breakpoints = Breakpoints(self.session, publish)
        self._listener = Listener(self)
        self._orderly = Orderly("image")
        self.texts = LoadedTexts(self.running)
        self.blobs = Blobs(places.state / "blobs")
        self.masks = Masks()
        """The values of secrets that nothing printed may show; the hub puts the vault's in its place."""
        self._recalled: dict[str, Event] = {}
        """The stops of an earlier hub, by evaluation."""
        self._followers: set[asyncio.Task[None]] = set()
        self.loading = asyncio.Lock()
        """Held while a system is loaded or compiled: ASDF does one at a time, whoever asks."""
        self._asking: dict[int, asyncio.Task[None]] = {}
        """The questions of programs that clients have not answered yet, by tag."""
        self._unended: set[str] = set()
        """The evaluations whose end is still to be logged."""
        self._untold: list[dict[str, Any]] = []
        """The evaluations whose end is logged and still to be told to every client."""

    @abstractmethod
    def running(self) -> swank.Lisp:
        """Return the session of the running image. Errors: `LispNotRunning`."""

    @abstractmethod
    def session(self) -> swank.Lisp | None:
        """Return the session of the image, None while there is none."""

    @abstractmethod
    async def lost(self, reason: str) -> None:
        """Take note that the image died or its connection broke."""

    async def ask(self, answer: Awaitable[T]) -> T:
        """Return what the session answers, its errors as those that doors show."""
        try:
            return await answer
        except swank.SwankError as error:
            raise mapped(error) from error

    async def paused_or_settled(self, record: Record) -> Record:
        """Answer when RECORD has stopped or ended, and that is known here and logged."""
        return await self._after(record, swank.Evaluation.paused_or_settled)

    async def known(self, record: Record) -> Record:
        """Answer when what RECORD says is whole: its values if it has ended, the stop if it has stopped."""
        if not record.running():
            await self._orderly.done()
        return record

    async def settled(self, record: Record) -> Record:
        """Answer when RECORD has ended and its event is in the log."""
        return await self._after(record, swank.Evaluation.settled)

    async def _after(
        self, record: Record, wait: Callable[[swank.Evaluation], Awaitable[swank.Evaluation]]
    ) -> Record:
        """Return RECORD after WAIT for its evaluation, taken in; what was lost may be taken up again."""
        live = None
        while live is not record.live:
            live = record.live
            assert live is not None
            await wait(live)
            await self.caught_up(record)
        return record

    async def caught_up(self, record: Record) -> None:
        """Answer when everything that the image said until now is taken in, RECORD's end included."""
        if record.live is not None and record.live.state not in ("running", "stopped"):
            # Its end is logged after everything that came before it.
            await record.logged.wait()
        else:
            await self._orderly.done()
        if record.unlogged is not None:
            raise record.unlogged

    def heard(self, listener_call: Callable[[], Awaitable[None]]) -> None:
        """Take in what the session reported, after everything it reported before."""
        self._orderly.post(listener_call)

    def output(self, evaluation: str | None, text: str, stream: str) -> None:
        """Take in TEXT that EVALUATION printed; None is a thread nobody here started."""
        record = self.evaluations.get(evaluation) if evaluation else None
        if self.masks.patterns or (record and record.unshown):
            text = self._masked(record, text)
        self._show(record, evaluation, text, stream)

    def _masked(self, record: Record | None, text: str) -> str:
        """Return what of TEXT can be shown now: without values, and without what may be the start of one."""
        if record is None:
            return self.masks.text(text)
        data = record.unshown + text.encode("utf-8", "surrogatepass")
        shown, record.unshown = self.masks.patterns.split(data)
        return shown.decode("utf-8", "surrogatepass")

    def _show_rest(self, record: Record) -> None:
        """Show what was kept back of the output of RECORD, which has ended."""
        rest, record.unshown = record.unshown, b""
        text = self.masks.patterns.mask(rest).decode("utf-8", "surrogatepass")
        self._show(record, record.id, text, "output")

    def _show(self, record: Record | None, evaluation: str | None, text: str, stream: str) -> None:
        passed_on = record.output.add(text) if record else text
        if passed_on:
            self._publish(
                "descartes/lisp/output", {"text": passed_on, "stream": stream, "evaluation": evaluation}
            )

    def input_wanted(self, request: swank.InputRequest) -> None:
        """Have the client whose evaluation reads answer REQUEST, unless it is withdrawn."""
        self._asking[request.tag] = self.aside(self._answered(request))

    def input_withdrawn(self, request: swank.InputRequest) -> None:
        """Take REQUEST back from the client that was asked: nothing reads any more."""
        if (asking := self._asking.pop(request.tag, None)) is not None:
            asking.cancel()

    async def _answered(self, request: swank.InputRequest) -> None:
        """Give the client's answer to REQUEST; where there can be none, the reading is given up."""
        record = self.evaluations.get(request.evaluation) if request.evaluation else None
        text: str | None = None
        if record is not None and record.run is None:
            params = {
                "prompt": request.prompt,
                "thread": request.thread,
                "kind": request.kind,
                "evaluation": record.id,
                "tag": request.tag,
            }
            try:
                text = (await self._ask_client(record.client, "descartes/lisp/input", params)).get("text")
            except errors.DescartesError:
                log.info("nobody answered %r", request.prompt)
        self._asking.pop(request.tag, None)  # from here on it is answered
        with contextlib.suppress(swank.SwankError, errors.LispNotRunning):
            await self.running().answer_input(request.tag, text)

    async def stopped(self, stop: swank.Stop) -> None:
        """Take in STOP, new or announced again."""
        if stop.evaluation is not None:
            self._known(stop.evaluation)
        await self.debuggers.entered(stop)

    def tell(self, method: str, params: Mapping[str, Any]) -> None:
        """Send the notification METHOD to every attached client."""
        self._publish(method, params)

    def aside(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do WORK beside everything else; the image is busy until it is done."""
        task = asyncio.create_task(work)
        self._followers.add(task)
        task.add_done_callback(self._aside_done)
        return task

    def _known(self, id: str, client: str = "") -> Record:
        """Return the record of the evaluation ID, made anew from the log when an earlier hub had it."""
        owner, _, repl = client.partition("#")
        if (record := self.evaluations.get(id)) is not None:
            record.client = record.client or owner
            return record
        event = self._recalled.get(id)
        by, run = (event.actor, event.run) if event else (LISP, None)
        record = self.evaluations.add("eval", id, "", owner, by, run)
        record.repl = repl or None
        return record

    def _follow(self, record: Record) -> None:
        """Log RECORD's end, once, after everything that came before it."""
        live, logged = record.live, record.logged
        assert live is not None

        def ended() -> None:
            if not self._listener.deaf:
                self._orderly.post(lambda: self._finished(record, live, logged))

        self._unended.add(record.id)
        live.when_ended(ended)

    def _aside_done(self, task: asyncio.Task[None]) -> None:
        self._followers.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("following the image failed", exc_info=task.exception())

    async def _finished(self, record: Record, live: swank.Evaluation, logged: asyncio.Event) -> None:
        await self.texts.settled()
        if record.live is not live:  # it was lost and is taken up again: its end is still to come
            logged.set()
            return
        self._show_rest(record)
        record.values = record.output.values([self.masks.text(value) for value in live.values])
        record.output.close()
        live.output = ""  # what is shown of it is RECORD's, and a thousand of them are remembered
        evaluation = msgspec.to_builtins(record.wire())
        uri = record.source.uri if record.source else None
        details = {"uri": uri, "success": live.success}
        try:
            notes = await notes_of(record, self.texts.taken(), self.blobs, self._store.redactor)
            await self._append(EVENT_NAMES[record.kind], evaluation | details | notes, record)
        except errors.DescartesError as error:
            log.error("%s is not in the history: %s", record.id, error.message)
            record.unlogged = error
        if self.breakpoints.concern(record):
            # Who asked goes on when the breakpoints stand in what was defined anew; nobody else waits.
            self.aside(self._mended(record, evaluation, logged))
        else:
            self._released(record, evaluation, logged)

    async def _mended(self, record: Record, evaluation: dict[str, Any], logged: asyncio.Event) -> None:
        try:
            await self.breakpoints.after(record)
        finally:
            self._released(record, evaluation, logged)

    def _released(self, record: Record, evaluation: dict[str, Any], logged: asyncio.Event) -> None:
        """Let who waits for LOGGED, the end of RECORD, go on, then tell everybody."""
        logged.set()
        self._unended.discard(record.id)
        self.debuggers.ended(record)
        self._untold.append(evaluation)
        if len(self._untold) == 1:
            self.aside(self._tell_ended())

    async def _tell_ended(self) -> None:
        """Tell every client of the ends that are still to be told, after the answers to those who asked."""
        await asyncio.sleep(TELLING_S)
        untold, self._untold = self._untold, []
        for evaluation in untold:
            self._publish("descartes/lisp/evaluated", evaluation)

    async def _append(self, name: str, data: Mapping[str, Any], record: Record | None) -> None:
        await self._post(name, data, record)

    def _post(self, name: str, data: Mapping[str, Any], record: Record | None) -> asyncio.Future[list[Event]]:
        return self._store.post(
            NewEvent(
                category="action" if name in ACTIONS else "system",
                name=name,
                stream="lisp",
                actor=record.by if record else LISP,
                run=record.run if record else None,
                parent=record.cause if record else None,
                correlation=record.id if record else None,
                data=dict(data),
            ),
            # When the machine stops, the image that it happened in is gone too.
            flushed=False,
        )


class Listener(swank.Listener):
    """Passes on to the image what its session reports, unless it is DEAF."""

    def __init__(self, image: ImageWork) -> None:
        self._image = image
        self.deaf = False

    def output(self, evaluation: str | None, text: str, stream: str) -> None:
        if not self.deaf:
            self._image.output(evaluation, text, stream)

    def reported(self, evaluation: swank.Evaluation, report: Any, output: str) -> None:
        record = self._image.evaluations.get(evaluation.id)
        if record is not None and record.on_report is not None and not self.deaf:
            record.on_report(report, output)

    def stopped(self, stop: swank.Stop) -> None:
        self._hear(lambda: self._image.stopped(stop))

    def left(self, thread: int, level: int) -> None:
        self._hear(lambda: self._image.debuggers.left(thread, level))

    def input_wanted(self, request: swank.InputRequest) -> None:
        if not self.deaf:
            self._image.input_wanted(request)

    def input_withdrawn(self, request: swank.InputRequest) -> None:
        self._image.input_withdrawn(request)

    def file_loaded(self, file: swank.LoadedFile) -> None:
        if not self.deaf:
            self._image.texts.file_loaded(file)

    def lost(self, reason: str) -> None:
        self._hear(lambda: self._image.lost(reason))

    def _hear(self, step: Callable[[], Awaitable[None]]) -> None:
        if not self.deaf:
            self._image.heard(step)

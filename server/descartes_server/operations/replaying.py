"""Repeating the journal in a fresh image that nobody else sees yet.

What cannot be repeated is left out with the reason. Nothing here is logged: it has happened before.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import descartes_swank as swank
from descartes_core.blobs import Blobs
from descartes_core.errors import DescartesError, LispLost
from descartes_core.model import Event, Shape
from descartes_core.store.redaction import has_mark
from descartes_server.ide import drift, syntax
from descartes_server.operations.journal import KINDS
from descartes_server.operations.loaded_texts import LoadedTexts, real
from descartes_server.operations.texts import path_of, read_file

log = logging.getLogger(__name__)

PATIENCE_S = 60.0
"""How long an entry may take at least, and twenty times what it took at the time."""
GIVING_UP_S = 15.0
_SYSTEM = re.compile(r'\(asdf:(load|compile)-system "([^"]+)"\)\Z')


class Skipped(Shape, frozen=True, kw_only=True):
    """An entry of the journal that was not repeated, and why."""

    seq: int
    reason: str


@dataclass
class Outcome:
    """What became of the entries so far; SEEN is the last event that was looked at."""

    repeated: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    seen: int = 0


class Listener(swank.Listener):
    """Hears the fresh image: nobody is there to answer what it asks."""

    def __init__(self) -> None:
        self.lisp: swank.Lisp | None = None
        self.texts: LoadedTexts | None = None
        self._answers: set[asyncio.Task[None]] = set()

    def input_wanted(self, request: swank.InputRequest) -> None:
        if self.lisp is not None:
            task = asyncio.create_task(_give_up(self.lisp, request.tag))
            self._answers.add(task)
            task.add_done_callback(self._answers.discard)

    def file_loaded(self, file: swank.LoadedFile) -> None:
        if self.texts is not None:
            self.texts.file_loaded(file)


async def _give_up(lisp: swank.Lisp, tag: int) -> None:
    try:
        await lisp.answer_input(tag, None)
    except swank.SwankError as error:
        log.info("nobody waits for an answer any more: %s", error)


class Replaying:
    """One replay into the image behind LISP; TEXTS are its marks, BLOBS the long texts of the log."""

    def __init__(self, lisp: swank.Lisp, texts: LoadedTexts, blobs: Blobs) -> None:
        self._lisp, self._texts, self._blobs = lisp, texts, blobs
        self.outcome = Outcome()

    async def close(self) -> None:
        """Let go of the image."""
        await self._lisp.close()

    async def repeat(self, event: Event) -> None:
        """Do again what EVENT tells of, or note why not. Errors: `LispLost` when the image ends meanwhile."""
        self.outcome.seen = max(self.outcome.seen, event.seq)
        reason = _unrepeatable(event)
        if reason is None:
            try:
                reason = await self._done_again(event)
            except swank.LispLost as error:
                raise LispLost(
                    f"the fresh Lisp ended while it repeated entry {event.seq} of the journal"
                    f" ({error}); the old one is as it was"
                ) from None
            except (swank.SwankError, DescartesError) as error:
                reason = str(error)
        if reason is None:
            self.outcome.repeated += 1
        else:
            self.outcome.skipped.append(Skipped(seq=event.seq, reason=reason))

    async def _done_again(self, event: Event) -> str | None:
        """Return why EVENT could not be repeated, None when it was."""
        asked = event.data.get("asked") or {}
        code = self._text(asked.get("codeBlob"), event.data.get("code"))
        if code is None:
            return "its text is not kept any more"
        if has_mark(code):
            return "a secret in it was masked"
        uri = event.data.get("uri")
        path = path_of(uri) if uri else None
        if (system := _SYSTEM.match(code)) and KINDS[event.name] != "eval":
            return await self._system(event, system[1], system[2], asked)
        if code:
            return await self._code(event, code, path, asked)
        text = self._text(asked.get("textBlob"), None)
        if path is None or text is None:
            return "its text is not kept any more"
        return await self._file(event, path, text, asked)

    def _text(self, digest: str | None, otherwise: str | None) -> str | None:
        return self._blobs.get(digest) if digest else otherwise

    async def _code(self, event: Event, code: str, path: Path | None, asked: dict[str, Any]) -> str | None:
        self._expect(event, code, path, asked)
        package, client = asked.get("package"), asked.get("client", "")
        if event.name == "lisp.evaluated":
            return await self._outcome(
                event,
                await self._lisp.start_evaluation(code, id=_id(event), client=client, package=package),
            )
        evaluation = await self._lisp.compile_string(
            code,
            id=_id(event),
            client=client,
            file=str(path) if path else None,
            position=(asked.get("span") or [0])[0],
            package=package,
            policy=asked.get("policy"),
        )
        return await self._outcome(event, evaluation)

    async def _file(self, event: Event, path: Path, text: str, asked: dict[str, Any]) -> str | None:
        """Load the file as it was: from the disk where it still is that, else from the text of then."""
        if not await _is(path, text):
            return await self._code(event, text, path, asked)
        self._expect(event, text, path, asked)
        client = asked.get("client", "")
        if event.name == "lisp.loaded":
            evaluation = await self._lisp.load_file(path, id=_id(event), client=client)
        else:
            evaluation = await self._lisp.compile_file(path, id=_id(event), client=client, load=True)
        return await self._outcome(event, evaluation)

    async def _system(self, event: Event, verb: str, name: str, asked: dict[str, Any]) -> str | None:
        """Operate on the system, then load the text of then of each file that is another one now."""
        operation: swank.SystemOperation = "load-op" if verb == "load" else "compile-op"
        evaluation = await self._lisp.operate_on_system(
            name, operation, id=_id(event), client=asked.get("client", ""), load_faulty=True
        )
        if (reason := await self._outcome(event, evaluation)) is not None:
            return reason
        files: list[tuple[str, str]] = asked.get("files") or []
        for number, (file, digest) in enumerate(files):
            path, text = Path(file), self._blobs.get(digest)
            if text is None:
                return f"the text of {path.name} is not kept any more; the one of now was loaded"
            if not await _is(path, text):
                again = f"{_id(event)}_{number}"
                self._lisp.marks.expect(again, real(path), _descriptions(text))
                evaluation = await self._lisp.compile_string(
                    text, id=again, file=str(path), position=0, package="COMMON-LISP-USER"
                )
                if (reason := await self._outcome(event, evaluation)) is not None:
                    return f"{path.name}: {reason}"
        return None

    def _expect(self, event: Event, code: str, path: Path | None, asked: dict[str, Any]) -> None:
        made: Sequence[swank.Unit] | None = asked.get("makes")
        if made is None:
            made = _descriptions(code)
        self._lisp.marks.expect(_id(event), real(path) if path else None, [tuple(unit) for unit in made])

    async def _outcome(self, event: Event, evaluation: swank.Evaluation) -> str | None:
        """Return why EVALUATION, EVENT done again, did not end as it should, None when it did."""
        allowed = max(PATIENCE_S, (event.data.get("durationMs") or 0) / 50)
        try:
            await asyncio.wait_for(evaluation.paused_or_settled(), allowed)
        except TimeoutError:
            await self._end(evaluation)
            return f"it did not end within {allowed:.0f} s"
        if evaluation.stop is not None:
            reason = _said(evaluation.condition)
            await self._end(evaluation)
            return reason
        if evaluation.state == "lost":
            raise swank.LispLost("its connection was closed")
        if evaluation.state == "aborted":
            return _said(evaluation.condition)
        await self._texts.settled()
        return None

    async def _end(self, evaluation: swank.Evaluation) -> None:
        """Have EVALUATION end, whatever it does. Errors: `LispLost` when it cannot be made to."""
        try:
            async with asyncio.timeout(GIVING_UP_S):
                if not evaluation.ended and evaluation.stop is None:
                    await self._lisp.interrupt(evaluation=evaluation.id)
                    await evaluation.paused_or_settled()
                while evaluation.stop is not None:
                    await self._lisp.toplevel(*evaluation.stop)
                    await evaluation.paused_or_settled()
        except TimeoutError:
            raise swank.LispLost("it did not let itself be interrupted") from None


def _id(event: Event) -> str:
    return f"eval_replay_{event.seq}"


def _unrepeatable(event: Event) -> str | None:
    """Return why EVENT is not tried again."""
    condition = event.data.get("condition")
    state = event.data.get("state")
    if (event.data.get("asked") or {}).get("inFrame"):
        return "it was evaluated in a frame of a stopped thread"
    if state == "aborted":
        return f"it was aborted: {_told(condition)}" if condition else "it was aborted"
    if state == "lost":
        return "it was under way when its image went"
    return None


def _told(condition: dict[str, Any]) -> str:
    return f"{condition.get('type')}: {condition.get('message')}"


def _said(condition: swank.Condition | None) -> str:
    return f"{condition.type}: {condition.message}" if condition else "it was aborted"


def _descriptions(text: str) -> list[tuple[Any, ...]]:
    if "def" not in text.lower():
        return []
    return [unit.description() for unit in drift.units_in(syntax.parse(text))]


async def _is(path: Path, text: str) -> bool:
    try:
        return (await read_file(path)).text == text
    except DescartesError:
        return False

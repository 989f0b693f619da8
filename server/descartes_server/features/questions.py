"""Questions to the person in clients without views of ours: restarts, choices of runs, text that is read.

The first action always leaves things as they are, because some clients take it on Return.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lsprotocol import types

from descartes_core.errors import DescartesError, NotFound
from descartes_core.model import Intervention
from descartes_server.features.calls import Calls
from descartes_server.ide import lenses
from descartes_server.ide.stops import Restart, Stop
from descartes_server.lsp import ext, uris
from descartes_server.state import ServerState
from descartes_server.state.server_state import Change
from descartes_server.state.workshop import Workshop

LEAVE = "Leave it stopped"
LATER = "Later"
ENDED = "The program does not read its input any more"
TOO_LATE = f"{ENDED}: your answer came too late and was not used; evaluate again what reads it"
_YES, _NO = "Yes", "No"
_MARK = ";; Your answer goes below this line; saving sends it."


class Questions:
    """The questions that this editor's person is asked, each once."""

    def __init__(self, state: ServerState, calls: Calls) -> None:
        self._state = state
        self._calls = calls
        self._asked: set[tuple[Any, ...]] = set()
        self._numbers = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[str]] = {}
        self._withdrawn: set[str] = set()
        """The files in which an answer would come too late."""
        state.on_document(self._document_changed)

    def ask_about_stops(self, workshop: Workshop) -> None:
        """Ask about each new stop of this editor's own evaluations."""
        for stop in workshop.stops:
            key = stop.thread, stop.level, stop.evaluation, stop.message
            if stop.evaluation in self._state.own_evaluations and key not in self._asked:
                self._asked.add(key)
                self._state.spawn(self._choose_restart(stop))

    def ask_about_runs(self, workshop: Workshop) -> None:
        """Ask each new question of the runs that this editor spawned, and each for a lease of its person."""
        for question in workshop.interventions:
            own = question.run in self._state.own_runs or workshop.is_for_me(question)
            if own and (question.id,) not in self._asked:
                self._asked.add((question.id,))
                self._state.spawn(self._choose_answer(question))

    async def input_wanted(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the person's text for a program that reads: `{text}`.

        Errors: `NotFound` for any other question of the hub.
        Concurrency: cancelled when the program does not read any more; the person is told.
        """
        if method != ext.LISP_INPUT:
            raise NotFound(f"expected {ext.LISP_INPUT}, got {method}, which this editor does not answer")
        if self._state.client.abilities.takes_notifications:
            return await self._answer_of_editor(params)
        prompt = str(params.get("prompt") or "")
        if params.get("kind") == "yesOrNo":
            chosen = await self._state.client.choose(prompt, [_NO, _YES], too_late=self._too_late)
            return {"text": {_YES: "yes", _NO: "no"}.get(chosen or "")}
        return {"text": await self._text_from_file(prompt)}

    async def _answer_of_editor(self, params: Mapping[str, Any]) -> dict[str, Any]:
        client = self._state.client
        try:
            answer = await client.ask(ext.LISP_INPUT, dict(params), self._too_late)
        except asyncio.CancelledError:
            told = {key: params.get(key) for key in ("tag", "thread", "evaluation")}
            client.tell(ext.LISP_INPUT_ENDED, told)
            raise
        return answer if isinstance(answer, dict) else {"text": None}

    def _too_late(self, answer: Any) -> None:
        """Refuse ANSWER, unless it is none."""
        if isinstance(answer, dict) and (answer.get("text") or answer.get("title")):
            self._state.client.show(TOO_LATE, types.MessageType.Warning)

    async def _choose_restart(self, stop: Stop) -> None:
        titles: dict[str, Restart] = {}
        for restart in stop.restarts:
            titles.setdefault(lenses.short(f"{restart.name}: {restart.description}", 80), restart)
        chosen = await self._state.client.choose(
            lenses.condition(stop), [LEAVE, *titles], types.MessageType.Error
        )
        if chosen in titles:
            arguments = lenses.restart_command(stop, titles[chosen]).arguments
            await self._do("debugger.restart", arguments)

    async def _choose_answer(self, question: Intervention) -> None:
        commands = {command.title: command for command in lenses.answers(question)}
        message = f"{question.title}\n{question.detail}".strip()
        chosen = await self._state.client.choose(message, [LATER, *commands])
        if chosen in commands:
            await self._do("intervention.answer", commands[chosen].arguments)

    async def _do(self, name: str, arguments: Mapping[str, Any]) -> None:
        """Do what was chosen; what has gone meanwhile is said in one sentence."""
        try:
            await self._calls.call(self._state.snapshot(), name, arguments)
        except DescartesError as error:
            self._state.client.show(error.message, types.MessageType.Warning)

    async def _text_from_file(self, prompt: str) -> str:
        """Open a file for the answer and return what stands in it when it is saved."""
        attachment = await self._state.attached()
        path = attachment.workspace.state / "input" / f"answer-{os.getpid()}-{next(self._numbers)}.txt"
        answer = self._waiting[uris.real(path)] = asyncio.get_running_loop().create_future()
        await asyncio.to_thread(_write, attachment.workspace, path, f";; {prompt}\n{_MARK}\n")
        try:
            await self._state.client.open_document(uris.uri_of(path), focus=True)
            text: str = await answer
            return text
        except asyncio.CancelledError:
            self._withdrawn.add(uris.real(path))
            path.unlink(missing_ok=True)  # before that is said
            self._state.client.show(f"{ENDED}; {path.name} can be closed")
            raise
        finally:
            self._waiting.pop(uris.real(path), None)
            path.unlink(missing_ok=True)

    def _document_changed(self, uri: str, change: Change) -> None:
        document = self._state.documents.get(uri)
        path = document.real_path if document and change == "saved" else None
        if document is None or path is None:
            return
        waiting = self._waiting.get(path)
        if waiting is not None and not waiting.done():
            _, _, text = document.text.partition(f"{_MARK}\n")
            waiting.set_result(text.rstrip("\n"))
        elif path in self._withdrawn:
            self._withdrawn.discard(path)
            Path(path).unlink(missing_ok=True)
            self._state.client.show(TOO_LATE, types.MessageType.Warning)


def _write(workspace: Any, path: Path, text: str) -> None:
    workspace.prepare()
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_text(text, encoding="utf-8")

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
        """
        if method != ext.LISP_INPUT:
            raise NotFound(f"expected {ext.LISP_INPUT}, got {method}, which this editor does not answer")
        if self._state.client.abilities.takes_notifications:
            answer = await self._state.client.ask(method, dict(params))
            return answer if isinstance(answer, dict) else {"text": None}
        if params.get("kind") == "yesOrNo":
            chosen = await self._state.client.choose(str(params["prompt"]), [_NO, _YES])
            return {"text": {_YES: "yes", _NO: "no"}.get(chosen or "")}
        return {"text": await self._text_from_file(str(params.get("prompt") or ""))}

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
        await self._state.client.open_document(uris.uri_of(path), focus=True)
        try:
            text: str = await answer
            return text
        finally:
            self._waiting.pop(uris.real(path), None)
            path.unlink(missing_ok=True)

    def _document_changed(self, uri: str, change: Change) -> None:
        document = self._state.documents.get(uri)
        waiting = self._waiting.get(document.real_path or "") if document and change == "saved" else None
        if document is not None and waiting is not None and not waiting.done():
            _, _, text = document.text.partition(f"{_MARK}\n")
            waiting.set_result(text.rstrip("\n"))


def _write(workspace: Any, path: Path, text: str) -> None:
    workspace.prepare()
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_text(text, encoding="utf-8")

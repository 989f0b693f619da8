"""What the server tells and asks the editor, and what that editor said it can do.

Knows no feature; every question ends with an answer or with None, also when the editor goes away.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from lsprotocol import types

from descartes_server.lsp.protocol import AnswerError, Protocol

log = logging.getLogger(__name__)

_CREATE_SECONDS = 5


class Abilities:
    """The client's capabilities as it sent them; anything odd in them counts as absent."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self._raw = raw

    def get(self, path: str) -> Any:
        """Return the capability at PATH, such as `workspace.codeLens.refreshSupport`, or None."""
        value: Any = self._raw
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def has(self, path: str) -> bool:
        """Return whether the capability at PATH is announced."""
        return self.get(path) is True

    @property
    def pulls_diagnostics(self) -> bool:
        return isinstance(self.get("textDocument.diagnostic"), dict)

    @property
    def takes_notifications(self) -> bool:
        """Whether the client asked for the `descartes/…` notifications."""
        return self.has("experimental.descartes.notifications")

    @property
    def command_links(self) -> Any:
        """What the client says of links that execute commands: nothing, true, or its own commands by name."""
        return self.get("experimental.descartes.commandLinks") or None


class Client:
    """The editor at the other end."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self.abilities = Abilities({})
        self.name = ""

    def tell(self, method: str, params: Any) -> None:
        """Send the notification METHOD."""
        self._protocol.tell(method, params)

    async def room(self) -> None:
        """Return when the editor has read nearly everything that was sent: for those who may send a lot."""
        await self._protocol.room()

    async def ask(
        self, method: str, params: Any = None, too_late: Callable[[Any], None] | None = None
    ) -> Any:
        """Return the editor's answer to METHOD, or None when it refuses.

        Concurrency: cancelling the awaiting task takes the question back; TOO_LATE gets an answer that
        comes nevertheless.
        """
        try:
            return await self._protocol.ask(method, params, too_late)
        except AnswerError as error:
            log.info("%s was refused: %s", method, error)
            return None

    def show(self, message: str, kind: types.MessageType = types.MessageType.Info) -> None:
        """Show MESSAGE, one sentence, to the person."""
        self.tell(types.WINDOW_SHOW_MESSAGE, types.ShowMessageParams(type=kind, message=message))

    def log_message(self, message: str, kind: types.MessageType = types.MessageType.Log) -> None:
        """Put MESSAGE into the editor's log of this server."""
        self.tell(types.WINDOW_LOG_MESSAGE, types.LogMessageParams(type=kind, message=message))

    async def choose(
        self,
        message: str,
        actions: Sequence[str],
        kind: types.MessageType = types.MessageType.Info,
        too_late: Callable[[Any], None] | None = None,
    ) -> str | None:
        """Return which of ACTIONS the person chose for MESSAGE; None when the question was dismissed.

        TOO_LATE: as for `ask`.
        """
        items = [types.MessageActionItem(title=title) for title in actions]
        answer = await self.ask(
            types.WINDOW_SHOW_MESSAGE_REQUEST,
            types.ShowMessageRequestParams(type=kind, message=message, actions=items),
            too_late,
        )
        title = answer.get("title") if isinstance(answer, dict) else None
        return title if title in actions else None

    async def open_document(
        self, uri: str, *, focus: bool = False, at: Any = None, quietly: bool = False
    ) -> bool:
        """Show the file URI, at the range AT; a client that cannot is told the path, unless QUIETLY.

        Returns whether it was shown.
        """
        if self.abilities.has("window.showDocument.support"):
            params = types.ShowDocumentParams(uri=uri, take_focus=focus, selection=_range(at))
            answer = await self.ask(types.WINDOW_SHOW_DOCUMENT, params)
            if isinstance(answer, dict) and answer.get("success"):
                return True
        if not quietly:
            self.show(f"See {uri}")
        return False

    async def refresh(self, what: str) -> None:
        """Ask the client to ask again for WHAT, `codeLens` or `semanticTokens`, where it can."""
        if self.abilities.has(f"workspace.{what}.refreshSupport"):
            await self.ask(f"workspace/{what}/refresh")

    async def settings(self) -> Any:
        """Return the client's `descartes` section, or None."""
        if not self.abilities.has("workspace.configuration"):
            return None
        answer = await self.ask(
            types.WORKSPACE_CONFIGURATION,
            types.ConfigurationParams(items=[types.ConfigurationItem(section="descartes")]),
        )
        return answer[0] if isinstance(answer, list) and answer else None

    async def begin_progress(self, title: str) -> Any:
        """Begin progress TITLE under a token made for it; returns that, None where there is none."""
        if not self.abilities.has("window.workDoneProgress"):
            return None
        token = f"descartes-{uuid.uuid4().hex[:12]}"
        params = types.WorkDoneProgressCreateParams(token=token)
        try:
            request = self._protocol.ask(types.WINDOW_WORK_DONE_PROGRESS_CREATE, params)
            await asyncio.wait_for(request, _CREATE_SECONDS)
        except (AnswerError, TimeoutError):
            return None
        self.begin_progress_under(token, title)
        return token

    def begin_progress_under(self, token: Any, title: str) -> None:
        """Begin progress TITLE under TOKEN, which the client gave or has taken; it can be cancelled."""
        self._progress(token, types.WorkDoneProgressBegin(title=title, cancellable=True))

    def report_progress(self, token: Any, message: str) -> None:
        """Say in the progress TOKEN how far it is: MESSAGE."""
        self._progress(token, types.WorkDoneProgressReport(message=message))

    def end_progress(self, token: Any, message: str) -> None:
        """End the progress TOKEN, saying MESSAGE."""
        self._progress(token, types.WorkDoneProgressEnd(message=message))

    def _progress(self, token: Any, value: Any) -> None:
        self.tell(types.PROGRESS, types.ProgressParams(token=token, value=value))


def _range(wire: Any) -> types.Range | None:
    """Return WIRE, a range as the editor counts, as an object."""
    if not isinstance(wire, dict):
        return None
    start, end = (types.Position(**wire[key]) for key in ("start", "end"))
    return types.Range(start=start, end=end)

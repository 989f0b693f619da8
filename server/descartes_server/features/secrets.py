"""Secrets asked for by an editor: no value and no password is ever part of a message that it may log.

What a person types travels by a pipe: the client is told its path with `descartes/secret/input`, writes the
text there and answers only that it did.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from descartes_core.errors import Cancelled, DescartesError, InvalidParams, Unsupported
from descartes_server.lsp import ext
from descartes_server.state import ServerState

RESOURCE = "secret."
HIDDEN = frozenset(["value", "password", "newPassword", "archivePassword", "archive"])
"""Parameters that no editor may send: they would stand in its log."""
IN_TERMINALS = {
    "secret.get": "descartes secret get NAME",
    "secret.export": "descartes secret export FILE",
    "secret.import": "descartes secret import FILE",
}
"""What gives or takes more than a line of text, which no editor's log must have."""
PROMPTS = {
    "secret.set": {"value": "Value of {name}"},
    "secret.rotate": {"value": "New value of {name}"},
    "secret.init": {"password": "Password of the new vault, at least 16 characters"},
    "secret.unlock": {"password": "Password of the vault"},
    "secret.changePassword": {
        "password": "Password of the vault",
        "newPassword": "New password of the vault, at least 16 characters",
    },
}
"""What is asked for before the operation, by parameter."""
LOCKED = "Password of the vault"
NO_VAULT = "There is no vault yet. Password of the new one, at least 16 characters"
LONGEST = 1 << 18


class SecretCalls:
    """The operations `secret.*` of one editor."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    async def call(self, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the result of the operation NAME; what must not be logged is asked for beside the protocol.

        Errors: `InvalidParams` for a value or password in GIVEN; `Unsupported` for what only a terminal can
        do; `Cancelled` when nothing was typed; the operation's own.
        """
        self._check(name, given)
        attachment = await self._state.attached()
        params = dict(given)
        from descartes_server.operations import principals  # a start need not wait for it

        own = os.environ.get(principals.PASSWORD_VARIABLE)
        if own and name in ext.TAKES_PASSWORD:
            params["password"] = own
        for field, words in PROMPTS.get(name, {}).items():
            if field not in params and not (given.get("keyring") and field != "value"):
                params[field] = await self._typed(name, words.format(name=given.get("name", "the secret")))
        try:
            return await attachment.call(name, params)
        except DescartesError as error:
            prompt = _afterwards(name, error)
            if prompt is None or not self._asks:
                raise
        return await attachment.call(name, {**params, "password": await self._typed(name, prompt)})

    @property
    def _asks(self) -> bool:
        return self._state.client.abilities.takes_notifications

    def _check(self, name: str, given: Mapping[str, Any]) -> None:
        instead = IN_TERMINALS.get(name, f"descartes secret {name.removeprefix(RESOURCE)}")
        shown = sorted(HIDDEN.intersection(given))
        if shown:
            raise InvalidParams(
                f"{name} takes no {' and no '.join(shown)} from an editor, whose log would keep it;"
                f" leave it out to be asked, or use `{instead}` in a terminal"
            )
        if name in IN_TERMINALS or (name in PROMPTS and not self._asks):
            raise Unsupported(
                f"{name} needs or gives what an editor's log must not have; use `{instead}` in a terminal"
            )

    async def _typed(self, name: str, prompt: str) -> str:
        """Return what the person types for PROMPT without echo. Errors: `Cancelled`, `InvalidParams`."""
        attachment = await self._state.attached()
        await asyncio.to_thread(attachment.workspace.prepare)
        async with _pipe(attachment.workspace.runtime) as (path, text):
            answer = await self._state.client.ask(ext.SECRET_INPUT, {"prompt": prompt, "pipe": str(path)})
            if not isinstance(answer, dict) or answer.get("given") is not True:
                raise Cancelled(f"{name} was given up: nothing was typed for {prompt!r}")
            return text()


def _afterwards(name: str, error: DescartesError) -> str | None:
    """Return what is to be asked because the operation NAME ended with ERROR; None: nothing helps."""
    match error.data.get("reason"):
        case "locked" if name in ext.TAKES_PASSWORD:
            return LOCKED
        case "no_vault" if name == "secret.set":
            return NO_VAULT
    return None


@asynccontextmanager
async def _pipe(folder: Path) -> AsyncIterator[tuple[Path, Callable[[], str]]]:
    """Give the path of a pipe in FOLDER that only this user can write to, and what returns its text."""
    loop = asyncio.get_running_loop()
    path = folder / f"secret-{uuid.uuid4().hex[:12]}"
    os.mkfifo(path, 0o600)
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    pieces: list[bytes] = []

    def read() -> None:
        with suppress(BlockingIOError):
            piece = os.read(reading, LONGEST)
            if not piece or sum(map(len, pieces)) > LONGEST:
                loop.remove_reader(reading)
            pieces.append(piece)

    def text() -> str:
        # The client has closed its end before it answered, so that everything is there.
        read()
        try:
            return b"".join(pieces).decode("utf-8")
        except UnicodeDecodeError:
            raise InvalidParams("expected text in UTF-8 in the pipe, got other bytes") from None

    loop.add_reader(reading, read)
    try:
        yield path, text
    finally:
        loop.remove_reader(reading)
        os.close(reading)
        path.unlink(missing_ok=True)

"""What a program reads, asked for in the client's console: the next thing typed there is its input."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from descartes_core.errors import NotFound
from descartes_server.dap.channel import Channel

INPUT = "descartes/lisp/input"
END = ",eof"
"""Typed in place of a line it ends the reading."""


class Questions:
    """The lines that evaluations of this client wait for, in the order in which they were asked for."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._waiting: list[asyncio.Future[str | None]] = []

    @property
    def waiting(self) -> bool:
        """Whether what is typed next is input."""
        return any(not each.done() for each in self._waiting)

    async def ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the hub's answer to METHOD, what the person types. Errors: `NotFound` for another method."""
        if method != INPUT:
            raise NotFound(f"this client does not answer {method}")
        answer: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        prompt = params.get("prompt") or "a program reads a line"
        kind = " (yes or no)" if params.get("kind") == "yesOrNo" else ""
        self._channel.output(f"{prompt}{kind}\n; type the answer here; {END} ends the input", "important")
        try:
            return {"text": await answer}
        except asyncio.CancelledError:
            self._channel.output("; the program does not read any more", "important")
            raise
        finally:
            self._waiting.remove(answer)

    def answer(self, text: str) -> str:
        """Give TEXT to what has waited longest; returns what to show."""
        ends = text.strip() == END
        first = next(each for each in self._waiting if not each.done())
        first.set_result(None if ends else text)
        return "; the input has ended" if ends else f"; read {text!r}"

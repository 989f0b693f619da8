"""An editor that asks thousands of things, and counts the answers."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from support.lsp_client import LspClient, LspError, Message

DEADLINE_S = 120.0
LOST = {"lisp_lost", "lisp_not_running", "debugger_stale", "not_found", "cancelled", "invalid_params"}
"""What a request may be answered with when the image was killed, or another request left its stop."""


class Person(LspClient):
    """An editor that keeps the answers it waits for, and counts those that nobody waits for."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None and process.stdout is not None
        super().__init__(process.stdout, process.stdin, process)
        self.counting = False
        self.waiting: dict[int, asyncio.Future[Message]] = {}
        self.awaited: dict[str, asyncio.Future[str]] = {}
        self.surplus = 0
        self.asked = 0
        self.outcomes: Counter[str] = Counter()

    async def _take(self, message: Message) -> None:
        if "method" in message:
            if message["method"] == "descartes/lisp/output":
                self._hear(message["params"])
            if "id" in message:
                self.send({"jsonrpc": "2.0", "id": message["id"], "result": None})
            return
        waiting = self.waiting.pop(message["id"], None)
        if waiting is not None:
            waiting.set_result(message)
        else:
            self.surplus += self.counting
            await super()._take(message)

    def hears(self, word: str) -> asyncio.Future[str]:
        """Return what will be the evaluation that prints WORD."""
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.awaited[word] = future
        future.add_done_callback(lambda _: self.awaited.pop(word, None))
        return future

    def _hear(self, output: dict[str, Any]) -> None:
        for word, future in list(self.awaited.items()):
            if word in output["text"] and not future.done():
                future.set_result(output["evaluation"])

    async def one(self, method: str, params: Any) -> Any:
        """Return the result of one counted request; None for an error that a kill explains."""
        self.asked += 1
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self.waiting[self._next_id + 1] = future
        self.send_request(method, params)
        message = await asyncio.wait_for(future, DEADLINE_S)
        if "error" not in message:
            self.outcomes["result"] += 1
            return message["result"]
        error = LspError(message["error"])
        assert error.code in LOST or error.number == -32801, f"{method} {params}: {error.code} {error}"
        self.outcomes[error.code or str(error.number)] += 1
        return None

    async def does(self, operation: str, **params: Any) -> Any:
        asked = {"command": f"descartes.{operation}", "arguments": [params]}
        return await self.one("workspace/executeCommand", asked)

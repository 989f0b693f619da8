"""A small language client: one server process, requests with answers, and what the server sent by itself."""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

Json = dict[str, Any]


class ServerError(Exception):
    """The server answered a request with an error; ERROR is its JSON."""

    def __init__(self, error: Json) -> None:
        super().__init__(str(error.get("message")))
        self.error = error

    @property
    def code(self) -> str | None:
        """Return the stable code of the error, such as `lease_held`."""
        return (self.error.get("data") or {}).get("code")


class Client:
    """One server process over stdio. Notifications are kept by method; `until` waits for one that fits."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._received: dict[str, list[Json]] = defaultdict(list)
        self._news = asyncio.Condition()
        self._reading = asyncio.create_task(self._read(), name="read from the server")

    @classmethod
    async def start(cls, folder: Path, environment: Mapping[str, str], log: Path) -> Client:
        """Return a client of a new `descartes lsp` that works in FOLDER; its stderr goes to LOG."""
        with log.open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "descartes_server",
                "lsp",
                "--stdio",
                cwd=folder,
                env=dict(environment),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
            )
        return cls(process)

    async def request(self, method: str, params: Any, timeout: float = 60) -> Any:
        """Return the result of METHOD. Errors: `ServerError`; `TimeoutError` after TIMEOUT seconds."""
        number = len(self._answers) + 1
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        return await asyncio.wait_for(answer, timeout)

    async def command(self, operation: str, /, **arguments: Any) -> Any:
        """Return the result of OPERATION, asked as an editor does."""
        params = {"command": f"descartes.{operation}", "arguments": [arguments]}
        return await self.request("workspace/executeCommand", params)

    def notify(self, method: str, params: Any) -> None:
        """Send the notification METHOD."""
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    async def until(self, method: str, fits: Callable[[Json], bool], timeout: float = 30) -> Json:
        """Return the newest notification METHOD that FITS, whether it came before or comes yet.

        Errors: `TimeoutError` after TIMEOUT seconds, with what came instead.
        """

        def newest() -> Json | None:
            return next((each for each in reversed(self._received[method]) if fits(each)), None)

        try:
            async with asyncio.timeout(timeout), self._news:
                while (found := newest()) is None:
                    await self._news.wait()
                return found
        except TimeoutError:
            last = self._received[method][-1:]
            raise TimeoutError(
                f"no {method} that fits came within {timeout:g} s; the last was {last}"
            ) from None

    def forget(self, method: str) -> None:
        """Drop what came of METHOD so far, so that `until` waits for what comes yet."""
        self._received[method].clear()

    async def stop(self) -> int:
        """Shut the server down as an editor does; returns its exit status."""
        await self.request("shutdown", None)
        self.notify("exit", None)
        status = await asyncio.wait_for(self._process.wait(), 10)
        await self._reading
        return status

    async def kill(self) -> None:
        """End the process at once, if it still runs."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    def _send(self, message: Json) -> None:
        body = msgspec.json.encode(message)
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while (message := await _next_message(self._process.stdout)) is not None:
            if "method" not in message:
                self._answered(message)
            elif "id" in message:
                self._send({"jsonrpc": "2.0", "id": message["id"], "result": _answer(message)})
            else:
                async with self._news:
                    self._received[message["method"]].append(message.get("params") or {})
                    self._news.notify_all()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ServerError({"message": "the server ended without an answer"}))

    def _answered(self, message: Json) -> None:
        answer = self._answers.get(message.get("id") or 0)
        if answer is None or answer.done():
            return
        if "error" in message:
            answer.set_exception(ServerError(message["error"]))
        else:
            answer.set_result(message.get("result"))


def _answer(request: Json) -> Any:
    """Return what a plain editor answers to the server's REQUEST: an empty setting for each one asked for."""
    if request["method"] == "workspace/configuration":
        return [None for _ in request["params"]["items"]]
    return None


async def _next_message(stream: asyncio.StreamReader) -> Json | None:
    length = 0
    while (line := await stream.readline()).strip():
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    if not length:
        return None
    message: Json = msgspec.json.decode(await stream.readexactly(length))
    return message

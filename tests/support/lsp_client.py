"""An editor without an editor: speaks raw JSON-RPC to the real server process, over stdio or TCP.

Unlike a client library it can also send what no client should: garbage, duplicates, anything in any order.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from support.framed import LIMIT, SECONDS, FramedClient, Message
from support.leaving import patient


class LspError(Exception):
    """The server answered with an error."""

    def __init__(self, error: Message) -> None:
        super().__init__(error["message"])
        self.number: int = error["code"]
        self.data: Message = error.get("data") or {}
        self.code: str | None = self.data.get("code")


class LspClient(FramedClient):
    """One connection to one server. Everything received is kept in `messages`, in order."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, process: asyncio.subprocess.Process
    ) -> None:
        super().__init__(reader, writer, process)
        self.replies: dict[str, Callable[[Any], Any]] = {}
        """How this client answers requests of the server, by method; others get `None`."""
        self.capabilities: Message = {}
        self._next_id = 0

    async def request(self, method: str, params: Any = None, *, seconds: float = SECONDS) -> Any:
        """Return the result of METHOD. Errors: `LspError`."""
        return await self.answer(self.send_request(method, params), seconds=seconds)

    def send_request(self, method: str, params: Any = None) -> int:
        """Send METHOD without waiting; returns its id."""
        self._next_id += 1
        self.send({"jsonrpc": "2.0", "id": self._next_id, "method": method, "params": params})
        return self._next_id

    async def answer(self, request_id: Any, *, seconds: float = SECONDS) -> Any:
        """Return the result of the request REQUEST_ID. Errors: `LspError`."""
        message = await self.message(
            lambda m: m.get("id") == request_id and "method" not in m,
            f"answer to {request_id}",
            seconds=seconds,
        )
        if "error" in message:
            raise LspError(message["error"])
        return message["result"]

    def notify(self, method: str, params: Any = None) -> None:
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    async def notification(
        self,
        method: str,
        fits: Callable[[Any], Any] = lambda params: True,
        *,
        after: int = 0,
        seconds: float = SECONDS,
    ) -> Any:
        """Return the parameters of the first message METHOD from index AFTER on that FITS."""
        message = await self.message(
            lambda m: m.get("method") == method and fits(m.get("params")),
            method,
            after=after,
            seconds=seconds,
        )
        return message["params"]

    def answers(self, request_id: Any) -> list[Message]:
        """Return every answer that has come to REQUEST_ID."""
        return [m for m in self.messages if m.get("id") == request_id and "method" not in m]

    async def initialize(self, root: Path | None = None, **options: Any) -> Message:
        """Do the handshake; OPTIONS are further parameters of `initialize`."""
        params: Message = {
            "processId": os.getpid(),
            "rootUri": root.as_uri() if root else None,
            "capabilities": {},
        }
        result: Message = await self.request("initialize", {**params, **options})
        self.capabilities = result["capabilities"]
        self.notify("initialized", {})
        return result

    def open(self, path: Path, text: str | None = None, version: int = 1) -> str:
        """Open PATH with TEXT, by default what is on disk; returns its URI."""
        uri = path.as_uri()
        if text is None:
            text = path.read_bytes().decode()
        document = {"uri": uri, "languageId": "commonlisp", "version": version, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})
        return uri

    def change(self, uri: str, version: int, *changes: Message) -> None:
        """Send CHANGES of the document; a change without a range replaces everything."""
        document = {"uri": uri, "version": version}
        self.notify("textDocument/didChange", {"textDocument": document, "contentChanges": list(changes)})

    async def at(self, method: str, uri: str, line: int, character: int, **more: Any) -> Any:
        """Return the answer of `textDocument/METHOD` at a position."""
        place = {"textDocument": {"uri": uri}, "position": {"line": line, "character": character}}
        return await self.request(f"textDocument/{method}", place | more)

    async def of(self, method: str, uri: str, **more: Any) -> Any:
        """Return the answer of `textDocument/METHOD` for the whole document."""
        return await self.request(f"textDocument/{method}", {"textDocument": {"uri": uri}, **more})

    async def execute(self, command: str, *arguments: Any, seconds: float = SECONDS) -> Any:
        """Return the result of the command `descartes.COMMAND`; one that leaves a stop is waited for."""
        given = [patient(command, each) if isinstance(each, dict) else each for each in arguments]
        params = {"command": f"descartes.{command}", "arguments": given}
        return await self.request("workspace/executeCommand", params, seconds=seconds)

    async def refused(self, command: str, *arguments: Any) -> LspError:
        """Return the error with which the command `descartes.COMMAND` is answered."""
        try:
            result = await self.execute(command, *arguments)
        except LspError as error:
            return error
        raise AssertionError(f"expected an error, got {result}")

    async def stop(self) -> int:
        """Shut the server down as the protocol says; returns its exit status."""
        if not self.ended:
            with contextlib.suppress(LspError, AssertionError):
                await self.request("shutdown")
            self.notify("exit")
        return await self.wait()

    async def wait(self) -> int:
        """Return the exit status once the process has ended."""
        async with asyncio.timeout(SECONDS):
            return await self.process.wait()

    async def close(self) -> None:
        """End the server whatever state it is in."""
        self._reading.cancel()
        self._writer.close()
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
        await self.process.wait()

    def _kept(self, message: Message) -> None:
        if "method" in message and "id" in message:
            asyncio.ensure_future(self._reply(message))  # noqa: RUF006 (ends with the loop)

    async def _reply(self, message: Message) -> None:
        reply = self.replies.get(message["method"])
        result = reply(message.get("params")) if reply else None
        if asyncio.iscoroutine(result):
            result = await result
        self.send({"jsonrpc": "2.0", "id": message["id"], "result": result})


def command(*arguments: str) -> list[str]:
    """Return the command line of the server with ARGUMENTS."""
    return [sys.executable, "-m", "descartes_server", "lsp", *arguments]


async def start_stdio(*arguments: str, cwd: Path | None = None) -> LspClient:
    """Return a client of a new server on pipes."""
    process = await asyncio.create_subprocess_exec(
        *command(*arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=cwd,
        limit=LIMIT,
    )
    assert process.stdin is not None and process.stdout is not None
    return LspClient(process.stdout, process.stdin, process)


async def start_tcp(*arguments: str, cwd: Path | None = None) -> LspClient:
    """Return a client of a new server on a TCP port of its choice, the secret sent."""
    process = await asyncio.create_subprocess_exec(
        *command("--tcp", "127.0.0.1:0", *arguments), stdout=asyncio.subprocess.PIPE, cwd=cwd
    )
    assert process.stdout is not None
    async with asyncio.timeout(SECONDS):
        announced = json.loads(await process.stdout.readline())
    reader, writer = await asyncio.open_connection(announced["host"], announced["port"], limit=LIMIT)
    writer.write(f"descartes-secret: {announced['secret']}\n".encode())
    return LspClient(reader, writer, process)


@contextlib.asynccontextmanager
async def lsp(
    root: Path | None = None, *arguments: str, tcp: bool = False, **options: Any
) -> AsyncIterator[LspClient]:
    """Give a client that has done the handshake for ROOT; ends the server afterwards."""
    client = await (start_tcp if tcp else start_stdio)(*arguments, cwd=root)
    try:
        await client.initialize(root, **options)
        yield client
    except BaseException as error:
        error.add_note(_logs(root))
        raise
    finally:
        await client.close()


def _logs(root: Path | None) -> str:
    """Return the ends of the logs of the server and the hub, for the report of a test that failed."""
    folders = [Path(os.environ["DESCARTES_HOME"]), *([root / ".descartes"] if root else [])]
    files = [file for folder in folders for file in sorted(folder.glob("log/*.log"))]
    return "\n".join(f"--- {file}\n{file.read_text(errors='replace')[-3000:]}" for file in files)

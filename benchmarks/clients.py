"""The clients that are compared: of a Swank server, and of language servers. All of them block."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec


class BareSwank:
    """A socket to Swank and nothing else; QUICK acknowledges every read at once."""

    def __init__(self, port: int, *, quick: bool) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._quick = quick
        self._id = 0
        self._acknowledge()

    def call(self, form: str, thread: str = "t") -> str:
        """Return the answer to FORM as it came."""
        self._id += 1
        self.send(f'(:emacs-rex {form} "COMMON-LISP-USER" {thread} {self._id})')
        return self.until(
            lambda message: message.startswith("(:return") and message.endswith(f" {self._id})")
        )

    def send(self, message: str) -> None:
        """Send MESSAGE."""
        data = message.encode()
        self._socket.sendall(b"%06x" % len(data) + data)

    def until(self, fits: Callable[[str], bool]) -> str:
        """Return the first message that FITS."""
        while not fits(message := self._read(int(self._read(6), 16))):
            if message.startswith("(:ping "):
                self.send(f"(:emacs-pong {message.removeprefix('(:ping ')}")
        return message

    def _read(self, count: int) -> str:
        data = b""
        while len(data) < count:
            if not (piece := self._socket.recv(count - len(data))):
                raise ConnectionError("the stock Swank closed the connection")
            data += piece
            self._acknowledge()
        return data.decode()

    def _acknowledge(self) -> None:
        if self._quick:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


class LspClient:
    """An editor of a language server between two file descriptors; what it says by itself is passed over."""

    def __init__(self, writes_to: int, reads_from: int) -> None:
        self._in, self._out = writes_to, reads_from
        self._received = b""
        self._id = 0

    def open_workspace(self, folder: Path, capabilities: Any, **options: Any) -> None:
        """Do the greeting for FOLDER as the workspace, with OPTIONS as `initializationOptions`."""
        params = {
            "processId": None,
            "rootUri": folder.as_uri(),
            "capabilities": capabilities,
            "initializationOptions": options,
        }
        self.request("initialize", params)
        self.notify("initialized", {})

    def open_document(self, uri: str, text: str) -> None:
        """Open URI with TEXT."""
        document = {"uri": uri, "languageId": "lisp", "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})

    def at(self, method: str, uri: str, place: tuple[int, int]) -> Any:
        """Return the result of `textDocument/` METHOD at PLACE, line and character from 0."""
        position = {"line": place[0], "character": place[1]}
        return self.request(f"textDocument/{method}", {"textDocument": {"uri": uri}, "position": position})

    def request(self, method: str, params: Any) -> Any:
        """Return the result of METHOD. Errors: `RuntimeError` with the server's error."""
        self._id += 1
        self._send({"jsonrpc": "2.0", "id": self._id, "method": method, "params": params})
        while True:
            message = self._message()
            if "method" not in message and message.get("id") == self._id:
                if "error" in message:
                    raise RuntimeError(str(message["error"]))
                return message["result"]
            if "method" in message and "id" in message:
                self._send({"jsonrpc": "2.0", "id": message["id"], "result": _answer(message)})

    def command(self, operation: str, /, **arguments: Any) -> Any:
        """Return the result of OPERATION, asked as an editor does."""
        params = {"command": f"descartes.{operation}", "arguments": [arguments]}
        return self.request("workspace/executeCommand", params)

    def notify(self, method: str, params: Any) -> None:
        """Send the notification METHOD."""
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def _send(self, message: Any) -> None:
        body = msgspec.json.encode(message)
        os.write(self._in, b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def _message(self) -> dict[str, Any]:
        while (end := self._received.find(b"\r\n\r\n")) < 0:
            self._read()
        length = int(self._received[:end].rpartition(b"Content-Length: ")[2].split(b"\r\n")[0])
        end += 4
        while len(self._received) < end + length:
            self._read()
        body, self._received = self._received[end : end + length], self._received[end + length :]
        message: dict[str, Any] = msgspec.json.decode(body)
        return message

    def _read(self) -> None:
        piece = os.read(self._out, 1 << 16)
        if not piece:
            raise ConnectionError("the server ended")
        self._received += piece


class BareEditor(LspClient):
    """A language server of its own in FOLDER, over pipes."""

    def __init__(self, folder: Path) -> None:
        with (folder.parent / "server.log").open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "descartes_server", "lsp", "--stdio"],
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                bufsize=0,
            )
        assert self.process.stdin and self.process.stdout
        super().__init__(self.process.stdin.fileno(), self.process.stdout.fileno())

    def kill(self) -> None:
        """End the server's process at once."""
        self.process.kill()
        self.process.wait()


def _answer(request: dict[str, Any]) -> Any:
    """Return what a plain editor answers to REQUEST: an empty setting for each one asked for."""
    if request["method"] == "workspace/configuration":
        return [None for _ in request["params"]["items"]]
    return None

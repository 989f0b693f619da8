"""What a request costs through the server, beside the same Swank call from a bare socket, in one run.

The questions are compared with a bare socket that acknowledges at once; evaluation, compilation and
restart with one that does not, which is what SLIME's socket does: about 44 ms, from Nagle's algorithm and
delayed acknowledgement. The gain over it is one socket option; the rest is what the server adds.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.table import Row, median, show, tail
from descartes_server.cli.demo.client import Client
from descartes_server.cli.demo.story import EDITOR
from descartes_server.operations.texts import uri_of
from descartes_swank import sexp

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from support.stock_swank import run_stock_swank

QUESTIONS = 300
ACTIONS = 30

LOADED = """(in-package :cl-user)
(defun twice (list)
  (mapcar #'identity list))
(defun thrice (list)
  (twice list))
"""
TEXT = LOADED + "(multiple-value-b)\n"


class BareSwank:
    """A blocking socket to Swank; QUICK acknowledges every read at once."""

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


async def timed(ask: Callable[[], Awaitable[Any]]) -> float:
    """Return the milliseconds of ASK."""
    began = time.perf_counter()
    await ask()
    return (time.perf_counter() - began) * 1000


def timed_now(ask: Callable[[], Any]) -> float:
    """Return the milliseconds of ASK, which blocks."""
    began = time.perf_counter()
    ask()
    return (time.perf_counter() - began) * 1000


async def questions(client: Client, uri: str, bare: BareSwank) -> list[Row]:
    """Return the rows of what is asked while reading and typing."""
    document = {"uri": uri}
    kinds: list[tuple[str, str, dict[str, Any], str]] = [
        ("hover", "hover", {"line": 2, "character": 5}, '(swank:documentation-symbol "mapcar")'),
        (
            "definition",
            "definition",
            {"line": 4, "character": 5},
            '(swank:find-definitions-for-emacs "twice")',
        ),
        (
            "signature help",
            "signatureHelp",
            {"line": 2, "character": 22},
            '(swank:operator-arglist "mapcar" "CL-USER")',
        ),
        (
            "completion",
            "completion",
            {"line": 5, "character": 17},
            '(swank:fuzzy-completions "multiple-value-b" "CL-USER" :limit 300 :time-limit-in-msec 1500)',
        ),
    ]
    rows = []
    for name, method, position, form in kinds:
        params = {"textDocument": document, "position": position}
        answer = await client.request(f"textDocument/{method}", params)
        assert answer, f"{name} answered nothing"
        ask = partial(client.request, f"textDocument/{method}", params)
        ours, base = [], []
        for _ in range(QUESTIONS):
            ours.append(await timed(ask))
            base.append(timed_now(partial(bare.call, form)))
        met = median(ours) <= median(base) + 0.5 and tail(ours) <= tail(base) + 2
        rows.append(Row(name, ours, base, "+ 0.5 ms, + 2 ms at the 99th", met))
    return rows


async def actions(client: Client, uri: str, slow: BareSwank) -> list[Row]:
    """Return the rows of what is done in the image."""
    slow.call("(swank:swank-require '(swank-repl))")
    slow.call("(swank-repl:create-repl nil)")
    await client.command("lisp.eval", code="1")
    defun = sexp.write("(defun twice (list) (mapcar #'identity list))")
    compile_form = f'(swank:compile-string-for-emacs {defun} "b" (quote ((:position 1))) nil nil)'
    kinds: list[tuple[str, Callable[[], Awaitable[Any]], Callable[[], Any]]] = [
        (
            "evaluation",
            lambda: client.command("lisp.eval", code="(+ 1 2)"),
            lambda: slow.call('(swank-repl:listener-eval "(+ 1 2)\n")', ":repl-thread"),
        ),
        (
            "compile a form",
            lambda: client.command("lisp.compileForm", uri=uri, position={"line": 1, "character": 3}),
            lambda: slow.call(compile_form),
        ),
    ]
    rows = []
    for name, ask, bare in kinds:
        ours, base = [], []
        for _ in range(ACTIONS):
            ours.append(await timed(ask))
            base.append(timed_now(bare))
        rows.append(Row(name, ours, base, "at least 15 × faster", median(ours) * 15 <= median(base)))
    ours, base = [], []
    for _ in range(ACTIONS):
        ours.append(await restart(client))
        base.append(bare_restart(slow))
    return [*rows, Row("restart", ours, base, "at least 15 × faster", median(ours) * 15 <= median(base))]


async def restart(client: Client) -> float:
    """Return the milliseconds from choosing a restart to the evaluation's end, through the server."""
    stopped = await client.command("lisp.eval", code='(restart-case (error "x") (go-on () 42))')
    stop = stopped["debugger"]
    return await timed(lambda: client.command("debugger.restart", **stop, name="GO-ON"))


def bare_restart(bare: BareSwank) -> float:
    """Return the same through a bare socket: the restart, until the evaluation's own answer."""
    code = sexp.write('(restart-case (error "x") (go-on () 42))\n')
    bare.send(f'(:emacs-rex (swank-repl:listener-eval {code}) "COMMON-LISP-USER" :repl-thread 900000)')
    message = bare.until(lambda each: each.startswith("(:debug-activate"))
    thread = message.split()[1]
    began = time.perf_counter()
    bare.send(f'(:emacs-rex (swank:invoke-nth-restart-for-emacs 1 0) "COMMON-LISP-USER" {thread} 900001)')
    bare.until(lambda each: each.startswith("(:return (:ok") and each.endswith(" 900000)"))
    return (time.perf_counter() - began) * 1000


async def measure(folder: Path, port: int) -> list[Row]:
    """Return all rows."""
    file = folder / "bench.lisp"
    file.write_text(LOADED, encoding="utf-8")
    client = await Client.start(folder, os.environ, folder / "server.log")
    try:
        await client.request(
            "initialize",
            {
                "processId": None,
                "rootUri": uri_of(folder),
                "capabilities": EDITOR,
                "initializationOptions": {"trusted": True},
            },
        )
        client.notify("initialized", {})
        uri = uri_of(file)
        quick = BareSwank(port, quick=True)
        quick.call("(swank:swank-require '(swank-fuzzy swank-arglists))")
        quick.call(f"(swank:load-file {sexp.write(str(file))})")
        await client.command("lisp.loadFile", uri=uri, useDisk=True)
        rows = await questions(client, uri, quick)
        rows += await actions(client, uri, BareSwank(port, quick=False))
        await client.command("lisp.stop")
        await client.command("hub.stop", force=True)
    finally:
        await client.kill()
    return rows


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="dsc-") as name:
        folder = Path(name).resolve() / "workspace"
        folder.mkdir()
        os.environ["DESCARTES_RUNTIME_DIR"] = str(folder.parent / "runtime")
        os.environ["DESCARTES_HOME"] = str(folder.parent / "home")
        with run_stock_swank(folder.parent) as stock:
            rows = asyncio.run(measure(folder, stock.port))
    return show("requests", "bare socket", rows)


if __name__ == "__main__":
    raise SystemExit(main())

"""How soon a lease that is taken or given back shows in another editor: two language servers, one workspace.

What counts is the diagnostic in the file that the other editor has open, not a message between processes.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.clients import BareEditor
from benchmarks.table import Row, show
from descartes_core.leases import Leases
from descartes_core.model import Principal
from descartes_core.store import Store

CHANGES = 100
"""Each is a lease taken and given back."""
GOAL_MS = 50.0
AGENT = Principal(kind="agent", id="fixer", name="fixer")
CAPABILITIES = {"experimental": {"descartes": {"notifications": True}}}


class Editor(BareEditor):
    """An editor that has one file open and looks at what is marked in it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.file = folder / "f.lisp"
        self.request("initialize", {"rootUri": folder.as_uri(), "capabilities": CAPABILITIES})
        self.notify("initialized", {})
        text = {"uri": self.file.as_uri(), "languageId": "commonlisp", "version": 1, "text": "(defun f ())\n"}
        self.notify("textDocument/didOpen", {"textDocument": text})

    def marked(self, wanted: bool) -> float:
        """Return when the file was marked, or was no more, as WANTED."""
        while True:
            message = self._message()
            if message.get("method") == "textDocument/publishDiagnostics":
                if bool(message["params"]["diagnostics"]) == wanted:
                    return time.monotonic()
            elif "method" in message and "id" in message:
                self._send({"jsonrpc": "2.0", "id": message["id"], "result": None})


def seen(editor: Editor, change: Callable[[bool], None]) -> list[float]:
    """Return milliseconds from each CHANGE(taken) until EDITOR shows it."""
    times = []
    for number in range(2 * CHANGES):
        taken = number % 2 == 0
        began = time.monotonic()
        change(taken)
        times.append((editor.marked(taken) - began) * 1000)
    return times


def by_editor(other: Editor) -> Callable[[bool], None]:
    """Return a change that the editor OTHER asks its server for, without waiting for the answer."""
    given: dict[str, Any] = {"path": "f.lisp", "holder": "agent:fixer"}

    def change(taken: bool) -> None:
        params = {"command": f"descartes.lease.{'acquire' if taken else 'release'}", "arguments": [given]}
        other._id += 1
        other._send(
            {"jsonrpc": "2.0", "id": other._id, "method": "workspace/executeCommand", "params": params}
        )

    return change


class Beside:
    """Another program that writes the log itself, without the hub."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._leases = self._run(self._open())

    async def _open(self) -> Leases:
        store = await Store.open(self._folder / ".descartes" / "descartes.db")
        return Leases(store, self._folder)

    def change(self, taken: bool) -> None:
        """Take the file or give it back."""
        self._run(self._leases.acquire("f.lisp", AGENT) if taken else self._leases.release("f.lisp", AGENT))

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def row(what: str, times: list[float]) -> Row:
    percentile = sorted(times)[int(len(times) * 0.95)]
    return Row(what, times, [GOAL_MS], f"95th percentile under 50 ms: {percentile:.1f}", percentile < GOAL_MS)


def measure(folder: Path) -> int:
    folder.mkdir()
    (folder / "f.lisp").write_text("(defun f ())\n")
    one, other = Editor(folder), Editor(folder)
    try:
        other.command("lease.list")
        change = by_editor(other)
        change(True)
        one.marked(True)
        change(False)
        one.marked(False)
        rows = [
            row("a lease changed in one editor, marked in another", seen(one, change)),
            row("a lease changed by another program, marked in an editor", seen(one, Beside(folder).change)),
        ]
        other.command("hub.stop", force=True)
    finally:
        one.kill()
        other.kill()
    return show("leases", "goal", rows)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="dsc-") as name:
        folder = Path(name)
        (folder / "run").mkdir(mode=0o700)
        os.environ["DESCARTES_RUNTIME_DIR"] = str(folder / "run")
        os.environ["DESCARTES_HOME"] = str(folder / "home")
        return measure(folder / "workspace")


if __name__ == "__main__":
    raise SystemExit(main())

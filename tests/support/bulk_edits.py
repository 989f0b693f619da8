"""A workspace in which many files are edited as one thing, by Ann."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from descartes_core.edits.edits import Edits
from descartes_core.edits.shapes import EditPreview, EditRequest, TextChange
from support.restored import Faults
from support.running import ANN
from support.time_machine import TimeMachine
from support.trees import repository

FILES: dict[str, str | bytes] = {
    "src/a.lisp": "(defun foo (x)\n  (foo x))\n",
    "src/b c.lisp": b"(foo 1)\r\n(bar)\r\n(p:foo \xc3\xa9\xf0\x9f\x98\x80\xe2\x82\xac)",
    "src/open.lisp": '(foo (bar "\n',
    "notes.txt": "foo\n",
    "data.bin": b"foo\0foo",
    "old.txt": b"foo \xe9\n",
    "run.sh": "echo foo\n",
    ".gitignore": "*.log\n",
    "x.log": "foo\n",
}


class Editor:
    """The bulk edits of a workspace, asked for by Ann."""

    def __init__(self, machine: TimeMachine, workspace: Path) -> None:
        self.machine = machine
        self.unsaved: dict[str, str] = {}
        self.edits = Edits(
            machine.bench.store,
            machine.body,
            machine.restores,
            unsaved=lambda: [(str(workspace.resolve() / path), name) for path, name in self.unsaved.items()],
        )

    async def preview(self, pattern: str, replacement: str, **more: Any) -> EditPreview:
        request = EditRequest(pattern=pattern, replacement=replacement, **more)
        return await self.edits.preview(request, ANN)

    async def changes(self, *changes: TextChange) -> EditPreview:
        return await self.edits.preview(EditRequest(changes=list(changes)), ANN)


@asynccontextmanager
async def bulk_edits(workspace: Path, faults: Faults | None = None) -> AsyncIterator[Editor]:
    """Have the files in WORKSPACE, a repository, and its bulk edits, which fail as FAULTS says."""
    repository(workspace, FILES)
    (workspace / "run.sh").chmod(0o750)
    (workspace / "link.lisp").symlink_to("src/a.lisp")
    machine = await TimeMachine.open(workspace, at=faults or Faults())
    yield Editor(machine, workspace)
    await machine.close()

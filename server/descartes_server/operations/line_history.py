"""The history of one line of a file: which events made it what it is, whatever moved it since."""

from __future__ import annotations

from descartes_core.errors import InvalidParams
from descartes_core.store import Reader
from descartes_core.timetravel.blame import Blame, Place, blame
from descartes_server.operations import texts
from descartes_server.operations.context import Context
from descartes_server.operations.lisp_shapes import Document
from descartes_server.operations.workspace import Workspace


async def events_of(context: Context, file: str | None, line: int, document: Document | None) -> list[str]:
    """Return the ids of the events that changed LINE, from 1, of FILE, the newest first.

    Errors: `InvalidParams` without a file or for a line that it does not have; `NotFound`.
    """
    if file is None:
        raise InvalidParams("Expected a file beside the line, got none; give its uri")
    path = context.services.workspace.root / texts.path_of(file)
    text = document.text if document is not None else (await texts.read_file(path)).text
    lines = text.count("\n") + 1
    if not 1 <= line <= lines:
        raise InvalidParams(f"Expected a line from 1 to {lines}, got {line}")
    reader = context.services.reader
    found = await of_text(reader, context.services.workspace, str(path), text, trusted=False)
    ids = [change.event for change in found.all(line - 1) if change.event is not None]
    return list(dict.fromkeys(ids))


async def of_text(reader: Reader, workspace: Workspace, path: str, text: str, *, trusted: bool) -> Blame:
    """Return who changed the lines of TEXT, the file PATH as it is now; TRUSTED: git may be asked too."""
    place = Place(workspace.root, workspace.state, workspace.path_of(path), trusted)
    return await blame(reader, place, text)

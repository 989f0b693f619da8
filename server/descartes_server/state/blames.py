"""Who changed the lines of the open documents: found out beside the requests, kept while it holds."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from descartes_core.errors import DescartesError

if TYPE_CHECKING:
    from descartes_core.timetravel.blame import Blame
    from descartes_server.state.attachment import Attachment
    from descartes_server.state.documents import Document

log = logging.getLogger(__name__)

PATIENCE_S = 0.05
"""How long a request waits for what is not known yet; it is there for the next one."""
HOLDS_S = 1.0
"""How long what is known is believed without a look at the log."""
MOST = 50


@dataclass
class Kept:
    """What is found out of TEXT when the log has the number SEEN; LOOKED is when that was looked at."""

    text: str
    task: asyncio.Task[Blame | None]
    seen: int
    looked: float


class Blames:
    """What is known of the documents of one editor."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}

    async def of(self, attachment: Attachment | None, document: Document) -> Blame | None:
        """Return who changed the lines of DOCUMENT; None when it is not known within a moment."""
        if attachment is None or document.real_path is None or document.is_history:
            return None
        try:
            kept = await self._kept_of(attachment, document)
        except DescartesError as problem:
            log.info("nobody knows who changed %s: %s", document.uri, problem.message)
            return None
        await asyncio.wait({kept.task}, timeout=PATIENCE_S)
        return kept.task.result() if kept.task.done() and not kept.task.cancelled() else None

    async def _kept_of(self, attachment: Attachment, document: Document) -> Kept:
        now = asyncio.get_running_loop().time()
        kept = self._kept.get(document.uri)
        if kept is not None and kept.text == document.text and now - kept.looked < HOLDS_S:
            return kept
        seen = await _seen(attachment, document)
        if kept is None or kept.text != document.text or kept.seen != seen:
            task = asyncio.create_task(_find(attachment, document))
            kept = self._kept[document.uri] = Kept(document.text, task, seen, now)
            while len(self._kept) > MOST:
                del self._kept[next(iter(self._kept))]
        kept.looked = now
        return kept


async def _seen(attachment: Attachment, document: Document) -> int:
    """Return a number that changes with every event that can change what is known of DOCUMENT."""
    path = attachment.workspace.path_of(document.real_path or "")
    found = await attachment.door.services.reader.rows(
        "SELECT coalesce((SELECT max(seq) FROM event_path WHERE path = ?), 0)"
        " + coalesce((SELECT max(seq) FROM event WHERE category = 'system' AND name = 'body.snapshot'), 0)"
        " AS n",
        (path,),
    )
    return int(found[0]["n"]) if found else 0


async def _find(attachment: Attachment, document: Document) -> Blame | None:
    from descartes_server.operations import line_history  # initialize is answered before this is loaded

    reader, path = attachment.door.services.reader, document.real_path or ""
    try:
        return await line_history.of_text(
            reader, attachment.workspace, path, document.text, trusted=attachment.trusted
        )
    except DescartesError as problem:
        log.info("nobody knows who changed %s: %s", document.uri, problem.message)
        return None

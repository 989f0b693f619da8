"""What people save in their editors, noted in the log, so that a line can be asked who changed it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from pathlib import Path
from typing import Any

from descartes_core.blobs import Blobs
from descartes_core.errors import DescartesError
from descartes_core.model import NewEvent, Principal
from descartes_core.timetravel.versions import SAVES
from descartes_server.hub.messages import Saved
from descartes_server.operations.context import Services

log = logging.getLogger(__name__)

KEPT_BYTES = 64 * 1024 * 1024
"""All texts of saves together, packed; those that nobody asked for longest go first."""


class Saves:
    """The saves of people in one workspace. Concurrency: belongs to the loop of SERVICES."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._blobs = Blobs(services.workspace.state / SAVES, KEPT_BYTES)
        self._one_by_one = asyncio.Lock()

    async def note(self, person: Principal, saved: Saved) -> None:
        """Note that PERSON SAVED a file of the workspace with another text than it had."""
        async with self._one_by_one:
            try:
                data = await asyncio.to_thread(self._data, saved)
                if data is not None:
                    event = NewEvent(
                        category="action", name="file.saved", stream="files", actor=person, data=data
                    )
                    await self._services.store.append(event)
            except (DescartesError, OSError) as error:
                log.info("the save of %s was not noted: %s", saved.path, error)

    def _data(self, saved: Saved) -> dict[str, Any] | None:
        """Return what is noted of SAVED, its texts kept; None when it is no change of the workspace."""
        workspace, file = self._services.workspace, Path(saved.path)
        inside = file.is_relative_to(workspace.root) and not file.is_relative_to(workspace.state)
        if not inside or (saved.before == saved.after and saved.after is not None):
            return None
        # What the editor says it saved is that: the file may be written again while it is read.
        after = _digest(file.read_bytes()) if saved.after is None else self._kept(saved.after)
        return {
            "path": workspace.path_of(saved.path),
            "sha256Before": None if saved.before is None else self._kept(saved.before),
            "sha256After": after,
        }

    def _kept(self, text: str) -> str:
        """Return the digest of TEXT, which is kept unless it shows a secret."""
        if self._services.store.redactor.keys(text) == text:
            return self._blobs.put(text)
        return _digest(text.encode("utf-8", "surrogatepass"))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

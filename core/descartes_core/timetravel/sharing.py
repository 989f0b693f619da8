"""Whose the files are that a restore would change: leases in the way, and texts that are in no file yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from descartes_core.leases import Leases
from descartes_core.leases.bulk import held_meanwhile
from descartes_core.model import Lease, Principal

TTL_SECONDS = 120
"""Renewed while a restore goes on; so long nobody else writes its files when the hub dies in between."""


class Sharing:
    """The leases of a workspace as a restore respects and takes them."""

    def __init__(self, leases: Leases, root: Path, unsaved_in: Callable[[Path], str | None]) -> None:
        self._leases = leases
        self._root = root
        self._unsaved_in = unsaved_in

    async def in_the_way(self, paths: Sequence[str], by: Principal) -> dict[str, Lease]:
        """Return the leases that others than BY have on PATHS, one for each path that has any."""
        found = await self._leases.of_others(paths, by)
        return {path: leases[0] for path, leases in found.items()}

    def unsaved(self, path: str) -> str | None:
        """Return the editor that has changes of PATH that are in no file."""
        return self._unsaved_in(self._root / path)

    def held(self, paths: Sequence[str], by: Principal, reason: str) -> AbstractAsyncContextManager[None]:
        """Lease PATHS, and nothing else, for BY and REASON inside the block; leases that BY had before stay.

        Errors: `LeaseHeld` when somebody else has one, and then none is taken.
        """
        return held_meanwhile(self._leases, paths, by, ttl_seconds=TTL_SECONDS, reason=reason)

"""Whose the files are that a restore would change: leases in the way, and texts that are in no file yet."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from descartes_core.errors import DescartesError, InvalidParams
from descartes_core.leases import Leases
from descartes_core.leases.words import lease_held
from descartes_core.model import Lease, Principal

MANY = 200
"""More files than this are leased as one: the whole workspace."""
WHOLE = "."
TTL_SECONDS = 600


class Sharing:
    """The leases of a workspace as a restore respects and takes them."""

    def __init__(self, leases: Leases, root: Path, unsaved_in: Callable[[Path], str | None]) -> None:
        self._leases = leases
        self._root = root
        self._unsaved_in = unsaved_in

    async def in_the_way(self, paths: Sequence[str], by: Principal) -> dict[str, Lease]:
        """Return the leases that others than BY have on PATHS."""
        others = [lease for lease in await self._leases.list() if not lease.holder.same_as(by)]
        if not others:
            return {}
        found: dict[str, Lease] = {}
        for path in paths:
            # A name that is no text can be leased by nobody.
            with suppress(InvalidParams):
                held = [each for each in await self._leases.list(path) if not each.holder.same_as(by)]
                if held:
                    found[path] = held[0]
        return found

    def unsaved(self, path: str) -> str | None:
        """Return the editor that has changes of PATH that are in no file."""
        return self._unsaved_in(self._root / path)

    @asynccontextmanager
    async def held(self, paths: Sequence[str], by: Principal, now_ms: int) -> AsyncIterator[None]:
        """Lease PATHS for BY inside the block; leases that BY had before stay.

        Errors: `LeaseHeld` when somebody else has one, and then none is taken.
        """
        for lease in (await self.in_the_way(paths, by)).values():
            raise lease_held(lease, now_ms)
        own = {lease.path for lease in await self._leases.list(holder=by)}
        taken: list[str] = []
        try:
            for path in [WHOLE] if len(paths) > MANY else paths:
                with suppress(InvalidParams):
                    lease = await self._leases.acquire(
                        path, by, ttl_seconds=TTL_SECONDS, reason="files are being restored"
                    )
                    if lease.path not in own:
                        taken.append(lease.path)
            yield
        finally:
            for path in taken:
                with suppress(DescartesError):
                    await self._leases.release(path, by)

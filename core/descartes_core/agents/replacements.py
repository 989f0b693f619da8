"""Several files replaced as one thing: new bytes and old ones lie on disk before the first is in place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from descartes_core.leases.standing import Change
from descartes_core.replacement import Replacement, prepare

Pair = tuple[Replacement, Replacement | None]
"""What takes the place of a file, and what takes it back."""


@asynccontextmanager
async def prepared(changes: Sequence[Change]) -> AsyncIterator[list[Pair]]:
    """Give what makes each of CHANGES, which is on disk; what did not take its place is removed again.

    What takes one back is made only where there are several: a file alone is replaced at once.
    """
    async with AsyncExitStack() as beside:

        async def ready(change: Change, data: bytes | None) -> Replacement:
            assert data is not None
            made = await asyncio.to_thread(prepare, change.path, data)
            beside.push_async_callback(asyncio.to_thread, made.discard)
            return made

        pairs: list[Pair] = []
        for change in changes:
            back = await ready(change, change.before) if len(changes) > 1 else None
            pairs.append((await ready(change, change.after), back))
        yield pairs


def put_all(pairs: Sequence[Pair]) -> None:
    """Let all files take their places, or none. Errors: `OSError`."""
    done: list[Replacement] = []
    try:
        for new, old in pairs:
            new.put()
            if old is not None:
                done.append(old)
    except OSError:
        for old in reversed(done):
            old.put()
        raise

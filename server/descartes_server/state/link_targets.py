"""Which of the places that a text may lead to are there."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from functools import cache

from descartes_server.ide.links import Link
from descartes_server.state import mentions
from descartes_server.state.snapshot import Snapshot


def existing(snapshot: Snapshot, links: Iterable[Link]) -> list[tuple[Link, str]]:
    """Return those of LINKS that lead somewhere, each with the URI that it leads to.

    Concurrency: looks at the disk; for a worker thread.
    """

    @cache
    def uri(path: str, folder: bool) -> str | None:
        return mentions.open_uri(snapshot, path) if _is_there(path, folder) else None

    found = []
    for link in links:
        target = link.url or next(filter(None, (uri(path, link.folder) for path in link.paths)), None)
        if target:
            found.append((link, target))
    return found


def _is_there(path: str, folder: bool) -> bool:
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116
    except (OSError, ValueError):
        return False
    return stat.S_ISDIR(mode) if folder else stat.S_ISREG(mode)

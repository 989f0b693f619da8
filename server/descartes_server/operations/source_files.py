"""Texts of source files on disk, as the index of the workspace takes them."""

from __future__ import annotations

from pathlib import Path

SIZE_LIMIT = 4_000_000
"""Bytes of a file above which it is left out; an open file is indexed at any size."""


def read_source(path: str | Path) -> str | None:
    """Return the text of the file PATH, None when it cannot be read or is larger than `SIZE_LIMIT`.

    Bytes that are not UTF-8 are replaced. Concurrency: blocks; for a worker thread or process.
    """
    file = Path(path)
    try:
        if file.stat().st_size > SIZE_LIMIT:
            return None
        return file.read_bytes().decode("utf-8", "replace")
    except (OSError, ValueError):
        return None

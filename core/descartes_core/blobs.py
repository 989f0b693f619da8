"""Long texts beside the log: each kept once, under the digest of what it says.

The log itself stays small; what nobody asked for longest goes first when the folder grows too large.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import zlib
from pathlib import Path

KEPT_BYTES = 256 * 1024 * 1024


class Blobs:
    """The texts in FOLDER. Every method may block; safe from any thread and process."""

    def __init__(self, folder: Path, limit: int = KEPT_BYTES) -> None:
        self._folder = folder
        self._limit = limit
        self._size: int | None = None

    def put(self, text: str) -> str:
        """Keep TEXT and return its digest. Errors: `OSError`."""
        data = text.encode("utf-8", "surrogatepass")
        digest = hashlib.sha256(data).hexdigest()
        path = self._path(digest)
        if path.exists():
            os.utime(path)
            return digest
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        packed = zlib.compress(data, 1)
        draft = path.with_suffix(f".{os.getpid()}.draft")
        draft.write_bytes(packed)
        draft.rename(path)
        self._grown(len(packed))
        return digest

    def get(self, digest: str) -> str | None:
        """Return the text of DIGEST, None when it is not kept any more or is not what it was."""
        try:
            data = zlib.decompress(self._path(digest).read_bytes())
        except (OSError, zlib.error):
            return None
        if hashlib.sha256(data).hexdigest() != digest:
            return None
        return data.decode("utf-8", "surrogatepass")

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest[2:]

    def _grown(self, size: int) -> None:
        self._size = size + (self._all_bytes() if self._size is None else self._size)
        if self._size > self._limit:
            self._forget_old()

    def _files(self) -> list[tuple[float, int, Path]]:
        found = []
        for path in self._folder.glob("*/*"):
            with contextlib.suppress(OSError):
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        return sorted(found)

    def _all_bytes(self) -> int:
        return sum(size for _, size, _ in self._files())

    def _forget_old(self) -> None:
        """Leave half of what may be kept, so that this is not done for every text."""
        size = self._all_bytes()
        for _, its_size, path in self._files():
            if size <= self._limit // 2:
                break
            path.unlink(missing_ok=True)
            size -= its_size
        self._size = size

"""The output of one evaluation: its first 64 KiB in memory, all of it in a file once there is more.

Never blocks the loop: the file is written on one thread, in order.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from io import FileIO
from pathlib import Path

SHOWN_BYTES = 64 * 1024
NOTIFIED_BYTES = 1024 * 1024


def shorten(text: str, limit: int = SHOWN_BYTES) -> str:
    """Return TEXT when its UTF-8 fits in LIMIT bytes, else its first lines and how much was left out.

    Example: shorten("aaaa\\nbbbb", 6) -> "aaaa\\n… (4 bytes more)"
    """
    data = text.encode()
    if len(data) <= limit:
        return text
    head = data[:limit]
    cut = head.rfind(b"\n") + 1 or len(head)
    shown = head[:cut].decode(errors="ignore")
    return f"{shown}… ({len(data) - len(shown.encode())} bytes more)"


class Output:
    """Collects what one evaluation prints; FOLDER and NAME say where all of it is kept when it is long."""

    def __init__(self, folder: Path, name: str, writer: ThreadPoolExecutor) -> None:
        self._path = folder / f"{name}.txt"
        self._writer = writer
        self._pieces: list[str] = []
        self._file: FileIO | None = None
        self._kept = False
        self._written = False
        self.n_bytes = 0
        self.notified_bytes = 0

    @property
    def text(self) -> str:
        """Return what is shown: at most 64 KiB, cut at a line, with the number of bytes left out."""
        shown = "".join(self._pieces)
        if self.n_bytes <= SHOWN_BYTES:
            return shown
        head = shown.encode()[:SHOWN_BYTES]
        cut = head.rfind(b"\n") + 1 or len(head)
        kept = head[:cut].decode(errors="ignore")
        return f"{kept}… ({self.n_bytes - len(kept.encode())} bytes more)"

    @property
    def file(self) -> str | None:
        """Return the path of the whole output, or None while it is short."""
        return str(self._path) if self._kept else None

    def add(self, text: str) -> str | None:
        """Take TEXT in; returns what of it is to be passed on to clients, None once that limit is reached.

        The last piece passed on says that more was left out and where it is.
        """
        before, size = self.n_bytes, len(text.encode())
        self.n_bytes += size
        if before <= SHOWN_BYTES:
            self._pieces.append(text)
        if self._kept:
            self._writer.submit(self._write, text.encode())
        elif self.n_bytes > SHOWN_BYTES:
            self._keep()
        return self._notification(text, size)

    def values(self, values: list[str]) -> list[str]:
        """Return VALUES, each shortened; long ones are kept whole in the file, after the output."""
        if any(len(value) > SHOWN_BYTES // 4 and len(value.encode()) > SHOWN_BYTES for value in values):
            if not self._kept:
                self._keep()
            self._writer.submit(self._write, ("\n" + "\n".join(values) + "\n").encode())
        return [shorten(value) for value in values]

    def close(self) -> None:
        """Close the file, where there is one, after everything given was written."""
        if self._kept:
            self._writer.submit(self._close)

    def _keep(self) -> None:
        self._kept = True
        self._writer.submit(self._write, "".join(self._pieces).encode())

    def _notification(self, text: str, size: int) -> str | None:
        if self.notified_bytes >= NOTIFIED_BYTES:
            return None
        self.notified_bytes += size
        if self.notified_bytes < NOTIFIED_BYTES:
            return text
        return f"{text}\n… (more output is left out here; all of it is in {self._path})\n"

    def _write(self, data: bytes) -> None:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # A thread that the evaluation started may write after its end.
            self._file = FileIO(self._path, "a" if self._written else "w")
            self._written = True
        self._file.write(data)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

"""The output of a command without the values of secrets: taken out before it reaches a file.

Runs in the keeper, which holds the pipes; the command and its files outlive the hub as ever.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from descartes_core.vault.masking import Patterns, StreamMask

PIECE = 65_536
LAST_PIECES = 32
"""What is read at most once the command has ended: more than any pipe holds."""


class MaskedOutput:
    """Pipes for a command whose output goes to files, each without the values of SECRETS, (name, value)."""

    def __init__(self, secrets: Sequence[Sequence[str]]) -> None:
        self._patterns = Patterns((name, value) for name, value in secrets)
        self._writing: dict[str, int] = {}
        self._threads: list[threading.Thread] = []
        self._ended, self._end = os.pipe()
        self._last_pieces = LAST_PIECES

    def pipe_to(self, path: str) -> int:
        """Return the descriptor to write to for the file PATH; one for each file, so that order is kept."""
        if path not in self._writing:
            reading, self._writing[path] = os.pipe()
            thread = threading.Thread(target=self._copy, args=(reading, path), daemon=True)
            self._threads.append(thread)
            thread.start()
        return self._writing[path]

    def started(self) -> None:
        """Let go of what the command writes to, so that its end is seen."""
        for descriptor in self._writing.values():
            os.close(descriptor)

    def finish(self) -> None:
        """Write what is left in the pipes; whoever still holds one, in another session, is not waited for."""
        os.close(self._end)
        for thread in self._threads:
            thread.join()

    def _copy(self, reading: int, path: str) -> None:
        mask = StreamMask(self._patterns)
        os.set_blocking(reading, False)
        with Path(path).open("ab", buffering=0) as file:
            while (piece := self._next(reading)) != b"":
                # The disk may be full. The command must not hang because of that.
                with suppress(OSError):
                    file.write(mask.feed(piece))
            with suppress(OSError):
                file.write(mask.finish())
        os.close(reading)

    def _next(self, reading: int) -> bytes:
        """Return the next piece, b"" at the end of the pipe or when it is empty and the command has ended."""
        if self._last_pieces == 0:
            return b""
        while True:
            ready, _, _ = select.select([reading, self._ended], [], [])
            if self._ended in ready:
                self._last_pieces -= 1
            try:
                return os.read(reading, PIECE)
            except BlockingIOError:
                if self._ended in ready:
                    return b""

"""A real terminal: a program in tmux, with keys that are pressed and a screen that is read."""

from __future__ import annotations

import itertools
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from support.editing import program

_numbers = itertools.count(1)


class Terminal:
    """WORDS running in a terminal of COLUMNS × LINES in FOLDER. Use as a context manager."""

    def __init__(
        self,
        words: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        *,
        columns: int = 140,
        lines: int = 34,
    ) -> None:
        self._tmux = [program("tmux", "editors"), "-S", str(folder.parent / f"tmux-{next(_numbers)}")]
        size = ["-x", str(columns), "-y", str(lines)]
        self._environment = dict(environment)
        self._do("-f", "/dev/null", "new-session", "-d", *size, "-c", str(folder), shlex.join(words))

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self._do("kill-server", check=False)

    def press(self, *keys: str) -> None:
        """Press KEYS, in tmux's names; what is no such name is typed."""
        self._do("send-keys", "-t", "0", *keys)

    def screen(self) -> str:
        """Return what a person sees."""
        return self._do("capture-pane", "-p", "-t", "0").stdout

    def cursor(self) -> tuple[int, int]:
        """Return the column and line of the cursor, from 0."""
        text = self._do("display-message", "-p", "-t", "0", "#{cursor_x} #{cursor_y}").stdout
        column, line = text.split()
        return int(column), int(line)

    def until(self, *texts: str, seconds: float = 60) -> str:
        """Return the screen once it shows all of TEXTS. Errors: AssertionError with the screen."""
        return self._wait(lambda screen: [each for each in texts if each not in screen], "to show", seconds)

    def until_gone(self, *texts: str, seconds: float = 60) -> str:
        """Return the screen once it shows none of TEXTS. Errors: AssertionError with the screen."""
        return self._wait(lambda screen: [each for each in texts if each in screen], "not to show", seconds)

    def _wait(self, missing: object, what: str, seconds: float) -> str:
        assert callable(missing)
        deadline = time.monotonic() + seconds
        while left := missing(screen := self.screen()):
            assert time.monotonic() < deadline, f"expected the screen {what} {left} in {seconds} s:\n{screen}"
            time.sleep(0.03)
        return screen

    def _do(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._tmux, *words], env=self._environment, capture_output=True, text=True, check=check
        )

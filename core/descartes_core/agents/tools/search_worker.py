"""The search of files for a regular expression, run as a process that can be killed.

Reads `{root, path, pattern}` as JSON from standard input, writes `{lines, more}` or `{error}`.
Only the standard library is imported, because it starts anew for each search.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

LINES = 200
LINE_CHARACTERS = 300
FILE_BYTES = 10_000_000
PASSED_OVER = frozenset({".git", ".descartes", "node_modules", "__pycache__"})


def main() -> None:
    """Answer the one request on standard input."""
    request = json.load(sys.stdin)
    try:
        pattern = re.compile(request["pattern"])
    except re.error as problem:
        answer: dict[str, object] = {"error": str(problem)}
    else:
        lines = _first(_matches(Path(request["root"]), Path(request["path"]), pattern))
        answer = {"lines": lines[:LINES], "more": len(lines) > LINES}
    json.dump(answer, sys.stdout)


def _first(lines: Iterator[str]) -> list[str]:
    return [line for line, _ in zip(lines, range(LINES + 1), strict=False)]


def _matches(root: Path, path: Path, pattern: re.Pattern[str]) -> Iterator[str]:
    for file in [path] if path.is_file() else _files(path):
        for number, line in enumerate(_lines(file), start=1):
            if pattern.search(line):
                yield f"{file.relative_to(root).as_posix()}:{number}: {line[:LINE_CHARACTERS]}"


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - PASSED_OVER)
        yield from (Path(parent) / name for name in sorted(names))


def _lines(file: Path) -> list[str]:
    try:
        # A link may lead out of the workspace, and a FIFO would never end.
        if file.is_symlink() or not file.is_file() or file.stat().st_size > FILE_BYTES:
            return []
        data = file.read_bytes()
    except OSError:
        return []
    return [] if b"\0" in data[:8192] else data.decode("utf-8", "replace").splitlines()


if __name__ == "__main__":
    main()

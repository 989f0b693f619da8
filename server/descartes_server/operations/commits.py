"""What a commit or a push would change, as git tells it from inside its hooks.

Both names of a rename are there: a rename is a file that goes and one that comes. Quick: one process of git,
and one more for each file whose text is looked at.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from descartes_core.errors import DescartesError

NOTHING = "0"
"""A name of an object that consists of this digit alone names none."""
_GIT = ("git", "-c", "core.fsmonitor=false", "--no-pager")
_RAW = ("--raw", "-z", "--no-renames", "--no-abbrev", "--no-ext-diff", "--ignore-submodules=none")
_LINK, _MODULE = "120000", "160000"


@dataclass(frozen=True)
class Changed:
    """A file PATH that is changed, made or removed, with git's names of its content before and after."""

    path: Path
    before: str | None
    after: str | None

    def texts(self) -> tuple[bytes | None, bytes | None]:
        """Return the content before and after; None where there is none."""
        return _content(self.before), _content(self.after)


def staged(top: Path) -> list[Changed]:
    """Return what the commit that is being made in the worktree TOP changes. Errors: `DescartesError`."""
    return list(_changes(top, _git("diff", "--cached", *_RAW)))


def pushed(top: Path, remote: str, updates: str) -> list[Changed]:
    """Return what UPDATES, the lines that git gives a pre-push hook, would change at REMOTE."""
    found: list[Changed] = []
    for line in updates.splitlines():
        words = line.split(" ")
        if len(words) == 4 and words[1].strip(NOTHING):
            found += _changes(top, _log(words[1], words[3], remote))
    return found


def _log(local: str, there: str, remote: str) -> bytes:
    """Return the changes of the commits up to LOCAL that REMOTE does not have, whose branch is at THERE."""
    asked = ("log", "--format=", *_RAW, local)
    if there.strip(NOTHING):
        try:
            return _git(*asked, "--not", there)
        except DescartesError:
            pass  # what is there was never fetched
    return _git(*asked, "--not", f"--remotes={remote}")


def _changes(top: Path, raw: bytes) -> Iterator[Changed]:
    """Yield the records of RAW: `:100644 100644 OLD NEW M`, a NUL, the path, a NUL."""
    words = iter(raw.split(b"\0"))
    for word in words:
        if not word.lstrip(b"\n").startswith(b":"):
            continue
        mode_before, mode_after, before, after, _ = word.lstrip(b"\n:").decode("ascii").split(" ")
        path = top / os.fsdecode(next(words))
        yield Changed(path, _text(mode_before, before), _text(mode_after, after))


def _text(mode: str, name: str) -> str | None:
    return name if name.strip(NOTHING) and mode not in (_LINK, _MODULE) else None


def _content(name: str | None) -> bytes | None:
    return None if name is None else _git("cat-file", "blob", name)


def _git(*words: str) -> bytes:
    try:
        done = subprocess.run([*_GIT, *words], capture_output=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise DescartesError(f"expected git to answer, it did not: {problem}") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise DescartesError(f"expected git {words[0]} to succeed, it said: {said}")
    return done.stdout

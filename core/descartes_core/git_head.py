"""The commit that a work tree is at, read from git's own files: no program is started for it."""

from __future__ import annotations

import re
from pathlib import Path

_OBJECT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REF = re.compile(r"refs/[^\0\s]+")
LONGEST_CHAIN = 5
"""How many refs lead from one to the next, as git follows them."""


def head_commit(root: Path) -> str | None:
    """Return the commit of `HEAD` where ROOT lies; None without a repository, and before its first commit.

    Concurrency: blocks for a few small files; call it in a thread.
    """
    try:
        git_dir = _git_dir(root)
        return None if git_dir is None else _resolved(git_dir)
    except (OSError, UnicodeDecodeError):
        return None


def _git_dir(root: Path) -> Path | None:
    for folder in (root, *root.parents):
        git = folder / ".git"
        if git.is_dir():
            return git
        if git.is_file():
            return folder / _text(git).removeprefix("gitdir:").strip()
    return None


def _resolved(git_dir: Path) -> str | None:
    # A linked worktree has its own HEAD, and shares everything else.
    shared = git_dir / "commondir"
    common = git_dir / _text(shared) if shared.is_file() else git_dir
    name = "HEAD"
    for _ in range(LONGEST_CHAIN):
        said = _value(name, git_dir, common)
        if said is None or _OBJECT.fullmatch(said):
            return said
        name = said.removeprefix("ref:").strip()
        if not _REF.fullmatch(name) or ".." in name:
            return None
    return None


def _value(name: str, git_dir: Path, common: Path) -> str | None:
    """Return what the ref NAME says: an object, or the name of another ref."""
    for folder in (git_dir, common):
        # Whatever else stands there, a pipe for one, is not opened.
        if (folder / name).is_file():
            return _text(folder / name)
    packed = common / "packed-refs"
    if packed.is_file():
        for line in _text(packed).splitlines():
            commit, _, ref = line.partition(" ")
            if ref == name:
                return commit
    return None


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()

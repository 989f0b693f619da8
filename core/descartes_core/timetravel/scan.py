"""What is in the work tree now: every file that git does not ignore, and every folder, by looking once.

Submodules and nested repositories are looked into as what they are on disk, folders with files; what they
keep in their own `.git` is theirs. Linked worktrees are other work trees and are left
out, as is `.descartes/`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from descartes_core.timetravel.git import Git, ignored, names
from descartes_core.timetravel.repository import Repository

STATE = ".descartes"
NO_FILE = "it is a pipe, a socket or a device, which is not kept"


@dataclass
class Scan:
    """What was found: STATS of files and links, MODES of folders, and what is LEFT out, by path."""

    stats: dict[str, os.stat_result] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    repositories: dict[str, Git] = field(default_factory=dict)
    """The repository of the workspace (under "") and those nested in it, by their folder."""


def scan(repository: Repository, also: Iterable[str] = ()) -> Scan:
    """Return what is in the work tree of REPOSITORY now, with the paths ALSO even when they are ignored."""
    found = Scan()
    _Look(repository.root, found).into("", repository.plain)
    extra = _Look(repository.root, found)
    for path in also:
        if path not in found.stats:
            extra.file(path)
    return found


class _Look:
    """One look at the tree at ROOT, written into FOUND."""

    def __init__(self, root: Path, found: Scan) -> None:
        self._root = os.fspath(root)
        self._found = found
        self._folders: dict[str, bool] = {"": True}

    def into(self, prefix: str, git: Git) -> None:
        """Look at the repository whose work tree is the folder PREFIX."""
        self._found.repositories[prefix] = git
        listed = set(names(git.run("ls-files", "-z", "--cached", "--others", "--exclude-standard")))
        base = f"{prefix}/" if prefix else ""
        nested: list[str] = []
        for name in listed:
            path = base + name
            if name.endswith("/"):
                nested.append(path[:-1])
            elif not self.file(path):
                nested.append(path)
        for path in sorted(nested):
            self._nested(path)
        self._empty_folders(prefix, git)

    def file(self, path: str) -> bool:
        """Take the file or link PATH in, if it is one; return False for a folder."""
        folder = path.rpartition("/")[0]
        if _is_state(path) or not (self._folders.get(folder) or self._is_folder(folder)):
            return True
        try:
            status = os.lstat(f"{self._root}/{path}")
        except OSError:
            return True
        kind = stat.S_IFMT(status.st_mode)
        if kind == stat.S_IFDIR:
            return False
        if kind in (stat.S_IFREG, stat.S_IFLNK):
            self._found.stats[path] = status
        else:
            self._found.left[path] = NO_FILE
        return True

    def _is_folder(self, path: str) -> bool:
        """Return whether PATH is a folder that is reached through no link, and note its mode."""
        known = self._folders.get(path)
        if known is None:
            known = self._is_folder(path.rpartition("/")[0])
            try:
                status = os.lstat(f"{self._root}/{path}") if known else None
            except OSError:
                status = None
            known = status is not None and stat.S_ISDIR(status.st_mode)
            self._folders[path] = known
            if known and status is not None:
                self._found.modes[path] = stat.S_IMODE(status.st_mode)
        return known

    def _nested(self, path: str) -> None:
        if not self._is_folder(path):
            return
        place = Path(self._root, path)
        link = place / ".git"
        if not os.path.lexists(link):
            return
        if link.is_file() and "/worktrees/" in link.read_text("utf-8", "replace"):
            # Neither a folder of this tree nor one to be found empty.
            self._folders[path] = False
            self._found.modes.pop(path, None)
            return
        self.into(path, Git(place))

    def _empty_folders(self, prefix: str, git: Git) -> None:
        """Take in the folders of the repository at PREFIX in which git sees no file."""
        waiting = [path for path in self._folders if self._below(path, prefix)]
        while waiting:
            unknown = [child for path in waiting for child in self._unknown(path)]
            if not unknown:
                return
            cut = len(prefix) + 1 if prefix else 0
            hidden = ignored(git, [path[cut:] for path in unknown])
            waiting = [path for path in unknown if path[cut:] not in hidden and self._is_folder(path)]

    def _below(self, path: str, prefix: str) -> bool:
        """Return whether PATH belongs to the repository at PREFIX and to none inside it."""
        if not self._folders[path] or not (path == prefix or path.startswith(f"{prefix}/" if prefix else "")):
            return False
        inner = [each for each in self._found.repositories if len(each) > len(prefix)]
        return not any(path == each or path.startswith(f"{each}/") for each in inner)

    def _unknown(self, folder: str) -> Iterator[str]:
        base = f"{folder}/" if folder else ""
        try:
            with os.scandir(f"{self._root}/{folder}") as children:
                for each in children:
                    path = base + each.name
                    if path not in self._folders and _is_ordinary(each, path):
                        yield path
        except OSError:
            self._found.left[folder] = "it cannot be read"


def _is_state(path: str) -> bool:
    return path.startswith(STATE) and path[len(STATE) : len(STATE) + 1] in ("", "/")


def _is_ordinary(child: os.DirEntry[str], path: str) -> bool:
    return child.name != ".git" and path != STATE and child.is_dir(follow_symlinks=False)

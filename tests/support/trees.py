"""A work tree as plain data, and git as a person uses it."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

Tree = dict[str, tuple[str, bytes, int]]
"""By path: `file`, `link` or `folder`; the bytes or the target; the permissions (0 for a link)."""
OWN = (".git", ".descartes")


def tree(root: Path) -> Tree:
    """Return everything below ROOT but what git and Descartes keep for themselves."""
    found: Tree = {}
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in OWN]
        for name in [*files, *folders]:
            path = Path(folder, name)
            if name in OWN:
                continue
            mode = path.lstat().st_mode
            where = os.path.relpath(path, root)
            if stat.S_ISLNK(mode):
                found[where] = ("link", os.fsencode(path.readlink()), 0)
            elif stat.S_ISDIR(mode):
                found[where] = ("folder", b"", stat.S_IMODE(mode))
            elif stat.S_ISREG(mode):
                found[where] = ("file", path.read_bytes(), stat.S_IMODE(mode))
    return found


def write(root: Path, files: dict[str, str | bytes]) -> None:
    """Write FILES, by path, below ROOT."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def clear(root: Path) -> None:
    """Remove everything below ROOT but what git and Descartes keep for themselves."""
    for path in root.iterdir():
        if path.name in OWN:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def change(root: Path, action: tuple[Any, ...]) -> None:
    """Do what a person could do with ACTION to the files below ROOT."""
    verb, name, *more = action
    path = root / name
    if verb != "remove":
        for folder in list(path.parents)[: name.count("/")][::-1]:
            if folder.is_symlink() or not folder.is_dir():
                folder.unlink(missing_ok=True)
                folder.mkdir(mode=0o755)
    elif not all(each.is_dir() and not each.is_symlink() for each in list(path.parents)[: name.count("/")]):
        return
    if path.is_dir() and not path.is_symlink():
        if verb == "folder":
            return
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    if verb == "write":
        path.write_bytes(more[0])
        path.chmod(more[1])
    elif verb == "link":
        path.symlink_to(more[0])
    elif verb == "folder":
        path.mkdir(mode=0o755)


def git(root: Path, *words: str, check: bool = True) -> str:
    """Return what `git WORDS` prints in ROOT, as Ann gives it."""
    ann = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "protocol.file.allow=always")
    done = subprocess.run(
        ["git", *ann, *words], cwd=root, capture_output=True, text=True, check=False, errors="surrogateescape"
    )
    assert not check or done.returncode == 0, done.stderr
    return done.stdout


def repository(root: Path, files: dict[str, str | bytes]) -> None:
    """Make ROOT a git repository with FILES committed."""
    root.mkdir(exist_ok=True)
    git(root, "init", "--quiet", "--initial-branch=main")
    write(root, files)
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message=first")


def private_state(root: Path) -> tuple[str, ...]:
    """Return what a snapshot or restore must never change in the repository at ROOT."""
    asked = (
        ("rev-parse", "--verify", "--quiet", "HEAD"),
        ("symbolic-ref", "--quiet", "HEAD"),
        ("ls-files", "--stage"),
        ("stash", "list"),
        ("for-each-ref", "refs/heads", "refs/tags", "refs/remotes"),
        ("reflog",),
    )
    index = root / ".git" / "index"
    raw = index.read_bytes().hex() if index.exists() else ""
    return (raw, *(git(root, *words, check=False) for words in asked))

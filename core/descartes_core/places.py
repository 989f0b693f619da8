"""Which folder is the workspace, where its state lies, and the user's own folder: one rule for every program.

Looking touches nothing on disk; `check_state` refuses a `.descartes/` that is somebody else's or comes with
the repository, and only `make_state` makes one.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

from descartes_core.errors import InvalidParams, WorkspaceInUse

STATE = ".descartes"
SETTINGS = "descartes.toml"
NETWORK_FILE_SYSTEMS = frozenset(
    ["9p", "afs", "ceph", "cifs", "fuse.sshfs", "gfs2", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs"]
)


def home() -> Path:
    """Return the user's own folder, `~/.descartes` or `DESCARTES_HOME`."""
    return Path(os.environ.get("DESCARTES_HOME") or Path.home() / STATE)


def root_of(start: Path) -> Path:
    """Return the folder of the workspace that START, a file or folder, belongs to.

    The nearest `descartes.toml` decides; else the top of the git repository, for a linked worktree that of
    the main one; else the nearest `.descartes/` that is not the user's own; else START itself.
    """
    start = start.resolve()
    if start.is_file():
        start = start.parent
    above = [start, *start.parents]
    for folder in above:
        if (folder / SETTINGS).is_file():
            return folder
    for folder in above:
        if (folder / ".git").exists():
            return _main_worktree(folder)
    own = home().resolve()
    for folder in above:
        if (folder / STATE).is_dir() and (folder / STATE).resolve() != own:
            return folder
    return start


def digits_of(root: Path) -> str:
    """Return the 16 digits that name the workspace at ROOT outside itself."""
    return hashlib.sha256(os.fsencode(root)).hexdigest()[:16]


def state_of(root: Path) -> Path:
    """Return the folder of the log of the workspace at ROOT: `.descartes/`, else one in the user's home."""
    inside = root / STATE
    if _can_hold_state(root, inside):
        return inside
    return home() / "workspaces" / digits_of(root)


def check_state(root: Path, state: Path) -> None:
    """Refuse the folder STATE of the workspace at ROOT as a link, as another user's or tracked by git.

    Errors: `WorkspaceInUse` when it is another user's; `InvalidParams` for a link or a tracked folder.
    """
    check_owned(state)
    if state.exists() and state.parent == root:
        _check_untracked(root)


def make_state(root: Path, state: Path) -> None:
    """Make the folder STATE of the workspace at ROOT, for this user alone and unseen by git."""
    # A workspace that is gone must not come back by this; what lies in the user's home may be made anew.
    state.mkdir(mode=0o700, parents=state.parent != root, exist_ok=True)
    ignore = state / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")


def check_owned(folder: Path) -> None:
    """Refuse a FOLDER, which need not exist, that is a link or another user's; errors as of `check_state`."""
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return
    if folder.is_symlink() or not folder.is_dir():
        raise InvalidParams(f"{str(folder)!r} must be a folder of its own, not a link or a file; remove it")
    if status.st_uid != os.geteuid():
        raise WorkspaceInUse(
            f"{str(folder)!r} belongs to user {status.st_uid}, not to you ({os.geteuid()}); "
            "work in a copy of the workspace, or have that user remove it",
            owner={"uid": status.st_uid},
        )


def _main_worktree(top: Path) -> Path:
    """Return the main worktree of the repository whose worktree, linked or main, is at TOP."""
    link = top / ".git"
    try:
        if not link.is_file():
            return top
        git_dir = top / link.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
        # Only a linked worktree has this file; a submodule has a `.git` file too and stands for itself.
        common = (git_dir / (git_dir / "commondir").read_text(encoding="utf-8").strip()).resolve()
    except (OSError, UnicodeDecodeError):
        return top
    return common.parent if common.name == ".git" else top


def _can_hold_state(root: Path, inside: Path) -> bool:
    # An existing state folder that can be written stays in use, whatever became of the folder around it.
    writable = os.access(inside if inside.exists() else root, os.W_OK | os.X_OK)
    return writable and _file_system(root) not in NETWORK_FILE_SYSTEMS


def _file_system(path: Path) -> str:
    """Return the type of the file system that PATH lies on, "" where the system does not tell."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
    best, kind = "", ""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        point = before.split(" ")[4].replace("\\040", " ")
        if path.is_relative_to(point) and len(point) >= len(best):
            best, kind = point, after.split(" ")[0]
    return kind


def _check_untracked(root: Path) -> None:
    """Refuse a `.descartes/` that git tracks: it would be followed on every machine that clones it."""
    if not (root / ".git").exists():
        return
    # `cat-file` is one of the two commands that are safe in a repository nobody trusts yet.
    names = [f"HEAD:./{STATE}", *(f":./{STATE}/{name}" for name in ("descartes.db", "lock", ".gitignore"))]
    try:
        answer = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", "-C", str(root), "cat-file", "--batch-check"],
            input="\n".join(names) + "\n",
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return
    if any(not line.endswith(" missing") for line in answer.stdout.splitlines()):
        raise InvalidParams(
            f"{STATE}/ in {str(root)!r} is tracked by git, and state that comes with a repository is not "
            f"followed; run `git rm -r --cached {STATE}` and commit"
        )

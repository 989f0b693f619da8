"""Which folder is the workspace, and where its state and its runtime files lie.

Looking (`find`, `Workspace`) touches nothing on disk; only `Workspace.prepare` makes folders, and refuses
a `.descartes/` that is somebody else's or comes with the repository.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from descartes_core.errors import InvalidParams, WorkspaceInUse

STATE = ".descartes"
SETTINGS = "descartes.toml"
SOCKET_PATH_LIMIT = 100
LONGEST_PATH = 4096
"""Bytes; more, no system we know can open."""
NETWORK_FILE_SYSTEMS = frozenset(
    ["9p", "afs", "ceph", "cifs", "fuse.sshfs", "gfs2", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs"]
)


def home() -> Path:
    """Return the user's own folder, `~/.descartes` or `DESCARTES_HOME`."""
    return Path(os.environ.get("DESCARTES_HOME") or Path.home() / STATE)


def vault() -> Path:
    """Return the file of this user's secrets; it may not exist."""
    return home() / "vault.db"


def find(start: Path) -> Workspace:
    """Return the workspace that START, a file or folder, belongs to.

    The nearest `descartes.toml` decides; else the top of the git repository, for a linked worktree that of
    the main one; else the nearest `.descartes/` that is not the user's own; else START itself.
    """
    start = start.resolve()
    if start.is_file():
        start = start.parent
    above = [start, *start.parents]
    for folder in above:
        if (folder / SETTINGS).is_file():
            return Workspace(folder)
    for folder in above:
        if (folder / ".git").exists():
            return Workspace(_main_worktree(folder))
    own = home().resolve()
    for folder in above:
        if (folder / STATE).is_dir() and (folder / STATE).resolve() != own:
            return Workspace(folder)
    return Workspace(start)


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


def possible(path: str) -> str:
    """Return PATH. Errors: `InvalidParams` when no file can have such a name."""
    try:
        name = os.fsencode(path)
        if b"\0" not in name and len(name) <= LONGEST_PATH:
            return path
    except UnicodeEncodeError:
        pass
    raise InvalidParams(f"expected the name of a file, got {path[:200]!r}, which none can have")


@dataclass(frozen=True)
class Workspace:
    """The folder ROOT, a real path, with the places that belong to it."""

    root: Path

    @cached_property
    def digits(self) -> str:
        """The 16 digits that name this workspace outside itself."""
        return hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]

    @cached_property
    def state(self) -> Path:
        """The folder of the log, blobs and output: `.descartes/`, else in the user's home."""
        inside = self.root / STATE
        if _can_hold_state(self.root, inside):
            return inside
        return home() / "workspaces" / self.digits

    @property
    def database(self) -> Path:
        return self.state / "descartes.db"

    @property
    def log(self) -> Path:
        return self.state / "log"

    @property
    def lock(self) -> Path:
        """The file whose `flock` makes a process the hub of this workspace."""
        return self.state / "lock"

    @cached_property
    def runtime(self) -> Path:
        """The folder of records, sockets and secrets; never inside the workspace."""
        folder = _runtime_base() / self.digits
        if len(os.fsencode(folder / "hub.sock")) > SOCKET_PATH_LIMIT:
            return _fallback_runtime_base() / self.digits
        return folder

    @property
    def socket(self) -> Path:
        return self.runtime / "hub.sock"

    def path_of(self, path: str) -> str:
        """Return PATH as leases and events name it: relative to the root, absolute outside it.

        Errors: those of `possible`.
        """
        real = Path(os.path.realpath(self.root / possible(path)))
        return real.relative_to(self.root).as_posix() if real.is_relative_to(self.root) else str(real)

    def check(self) -> None:
        """Refuse a state folder that is a link, belongs to another user or is tracked by git.

        Errors: `WorkspaceInUse` when it is another user's; `InvalidParams` for a link or a tracked folder.
        """
        _check_owned(self.state)
        if self.state.exists() and self.state.parent == self.root:
            _check_untracked(self.root)

    def prepare(self) -> None:
        """Make the state and runtime folders, for this user alone, after `check`."""
        self.check()
        # A workspace that is gone must not come back by this; what lies in the user's home may be made anew.
        self.state.mkdir(mode=0o700, parents=self.state.parent != self.root, exist_ok=True)
        self.log.mkdir(mode=0o700, exist_ok=True)
        ignore = self.state / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
        self.runtime.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_private(self.runtime.parent)
        self.runtime.mkdir(mode=0o700, exist_ok=True)
        _check_private(self.runtime)


def runtime_folders() -> list[Path]:
    """Return the runtime folders of all workspaces of this user that have one."""
    bases = {_runtime_base(), _fallback_runtime_base()}
    return sorted(folder for base in bases if base.is_dir() for folder in base.iterdir() if folder.is_dir())


def _runtime_base() -> Path:
    if given := os.environ.get("DESCARTES_RUNTIME_DIR"):
        return Path(given)
    if session := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(session) / "descartes"
    return _fallback_runtime_base()


def _fallback_runtime_base() -> Path:
    return Path(f"/tmp/descartes-{os.getuid()}")  # the fixed, short place that design and macOS agree on


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


def _check_owned(folder: Path) -> None:
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


def _check_private(folder: Path) -> None:
    _check_owned(folder)
    if folder.stat().st_mode & 0o077:
        folder.chmod(0o700)


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

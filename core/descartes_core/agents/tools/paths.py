"""Where a tool may reach: the workspace by its real path, and of it not what Descartes and git keep."""

from __future__ import annotations

from pathlib import Path

from descartes_core.errors import NotFound, PolicyDenied

KEPT = frozenset({".descartes", ".git"})
"""Names that tools may read and never write, wherever in the workspace: the log would no longer be the
truth, and what lies in `.git`, a submodule's too, is executed by git."""


def readable(workspace: Path, path: str) -> Path:
    """Return the real path that PATH means in WORKSPACE.

    Errors: `PolicyDenied` when it lies outside, also by way of `..` or a symbolic link; `NotFound`.
    """
    found = _inside(workspace, path)
    if not found.exists():
        raise NotFound(f"There is no {path!r} in the workspace", path=path)
    return found


def writable(workspace: Path, path: str) -> Path:
    """Return the real path of the file that PATH means in WORKSPACE, whether it exists or not.

    Errors: `PolicyDenied` when it lies outside or in a folder that is not for tools, or is no file.
    """
    found = _inside(workspace, path)
    names = found.relative_to(workspace.resolve()).parts
    kept = next((name for name in names if name.casefold() in KEPT), None)
    if kept is not None:
        raise PolicyDenied(f"{path!r} lies in {kept}, which tools do not change", path=path)
    if found.exists() and not found.is_file():
        raise PolicyDenied(f"{path!r} is not a file; give the path of a file", path=path)
    return found


def relative(workspace: Path, path: Path) -> str:
    """Return the real PATH as the log names it: seen from WORKSPACE, with forward slashes."""
    return path.relative_to(workspace.resolve()).as_posix()


def _inside(workspace: Path, path: str) -> Path:
    root = workspace.resolve()
    try:
        found = (root / path).resolve()
    except (OSError, RuntimeError, ValueError) as problem:
        raise PolicyDenied(f"{path!r} is not a path that can be followed: {problem}", path=path) from None
    if not found.is_relative_to(root):
        raise PolicyDenied(
            f"{path!r} lies outside the workspace; tools reach only files inside it", path=path
        )
    return found

"""Which files of a work tree a bulk edit may look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from descartes_core.agents.tools.paths import KEPT
from descartes_core.errors import InvalidParams


def fitting(root: Path, patterns: Sequence[str] | None) -> Callable[[str], bool]:
    """Return what says whether a path from ROOT fits PATTERNS: files, folders, globs as in a `.gitignore`.

    The name of a file or folder that is there means just that, whatever characters it has. One with `!` in
    front takes out what those before it let in; the last that fits decides. Errors: `InvalidParams`.
    """
    if patterns is None:
        return lambda path: True
    if not patterns:
        raise InvalidParams("Expected one or more files, folders or globs in `paths`, got none")
    rules = [(each.startswith("!"), _rule(root, each.removeprefix("!"))) for each in patterns]

    def fits(path: str) -> bool:
        decided = [takes_out for takes_out, matches in rules if matches(path)]
        return not decided[-1] if decided else rules[0][0]

    return fits


def named(root: Path, path: str) -> str:
    """Return the real file that PATH means, from ROOT, which is a real path.

    Errors: `InvalidParams` when it lies outside, is no file, or belongs to git or Descartes.
    """
    try:
        found = (root / path).resolve()
    except (OSError, RuntimeError, ValueError) as problem:
        raise InvalidParams(f"Expected the path of a file, {path!r} is none: {problem}") from None
    if not found.is_relative_to(root):
        raise InvalidParams(f"Expected a file of the workspace, {path!r} lies outside it", path=path)
    inside = found.relative_to(root)
    if kept := next((name for name in inside.parts if name.casefold() in KEPT), None):
        raise InvalidParams(f"{path!r} lies in {kept}, which is not edited", path=path)
    if not found.is_file():
        raise InvalidParams(f"Expected a file at {path!r}, there is none", path=path)
    return inside.as_posix()


def _rule(root: Path, pattern: str) -> Callable[[str], bool]:
    """Return what says whether a path is meant by PATTERN."""
    plain = f"{pattern}/" if pattern == str(root) else pattern
    plain = plain.removeprefix(f"{root}/").removeprefix("./").rstrip("/") or "."
    if ".." in plain.split("/"):
        raise InvalidParams(f"Expected paths inside the workspace in `paths`, got {pattern!r}")
    if plain == ".":
        return lambda path: True
    if _is_there(root, plain):
        return lambda path: path == plain or path.startswith(f"{plain}/")
    return _glob(pattern.removeprefix(f"{root}/"))


def _glob(pattern: str) -> Callable[[str], bool]:
    import pathspec  # on first use: nobody else needs it

    try:
        return pathspec.GitIgnoreSpec.from_lines([pattern]).match_file
    except ValueError as problem:
        raise InvalidParams(f"Expected globs as in a .gitignore in `paths`: {problem}") from None


def _is_there(root: Path, path: str) -> bool:
    try:
        return not path.startswith("/") and (root / path).exists()
    except (OSError, ValueError):
        return False

"""The link `thoughts` in a project, for people who want their notes at hand there. Made only when asked for.

Nothing that is there is ever overwritten, and only our own link is taken away.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from descartes_core.errors import InvalidParams, NotFound
from descartes_core.memory import note_files

NAME = "thoughts"
_MARK = "The notes of this project's person lie in:\n"

Form = Literal["link", "file"]


def link(project: Path, folder: Path, *, symlink: Callable[[Path, Path], None] = os.symlink) -> Form:
    """Make PROJECT/thoughts lead to FOLDER and return in which form; one that does already stays.

    Where the system makes no symbolic links (SYMLINK fails, as on Windows without the right to it), a text
    file that names the folder stands there instead.
    Errors: `InvalidParams` when something else has that name.
    """
    place = project / NAME
    if (form := _ours(place, folder)) is not None:
        return form
    if os.path.lexists(place):
        raise InvalidParams(
            f"Expected no {str(place)!r}, or a link to {str(folder)!r}, and {_what(place)} is there; "
            "give it another name first"
        )
    note_files.make_folders(folder)
    try:
        symlink(folder, place)
    except FileExistsError:
        return link(project, folder)
    except (OSError, NotImplementedError):
        with place.open("x", encoding="utf-8") as file:
            file.write(f"{_MARK}{folder}\n")
        return "file"
    return "link"


def unlink(project: Path, folder: Path) -> None:
    """Take our own link PROJECT/thoughts away.

    Errors: `NotFound` when nothing is there; `InvalidParams` when it is not ours.
    """
    place = project / NAME
    if not os.path.lexists(place):
        raise NotFound(f"There is no {str(place)!r} to take away")
    if _ours(place, folder) is None:
        raise InvalidParams(
            f"Expected {str(place)!r} to be the link to {str(folder)!r}, and it is {_what(place)}; "
            "it stays as it is"
        )
    place.unlink()


def _ours(place: Path, folder: Path) -> Form | None:
    if place.is_symlink():
        target = place.parent / place.readlink()
        return "link" if target == folder or target.resolve() == folder.resolve() else None
    try:
        is_ours = place.is_file() and place.stat().st_size < 10_000
        return "file" if is_ours and place.read_text("utf-8", "replace") == f"{_MARK}{folder}\n" else None
    except OSError:
        return None


def _what(place: Path) -> str:
    if place.is_symlink():
        return f"a link to {str(place.readlink())!r}"
    return "a folder" if place.is_dir() else "a file"

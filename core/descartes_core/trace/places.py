"""Where the logs of sessions lie: one for each in the user's own folder, or that of a workspace."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from descartes_core.errors import StoreUnavailable
from descartes_core.places import check_state, home, make_state, root_of, state_of
from descartes_core.store.direct import read

LOG = "descartes.db"
"""The name of a workspace's log."""

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")
_DIGITS_OF_A_NAME = 32


def sessions() -> Path:
    """Return the folder of the logs that belong to no workspace."""
    return home() / "sessions"


def new_log(session: str) -> Path:
    """Return the path of a new, empty log for SESSION: `sessions/<id>.db`, `<id>.2.db` when that is taken."""
    folder = sessions()
    number = 1
    while True:
        path = folder / (f"{_name(session)}.db" if number == 1 else f"{_name(session)}.{number}.db")
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Made here and now, so that no other process takes the same one.
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            return path
        except FileExistsError:
            number += 1
        except OSError as error:
            raise StoreUnavailable(
                f"No session can be kept in {str(folder)!r}: {error.strerror}; check its permissions"
            ) from None


def own_log(session: str) -> Path | None:
    """Return the log in the user's folder that was made for SESSION, the last one if there are several."""
    found = {_number(path, session): path for path in sessions().glob(f"{_name(session)}*.db")}
    numbers = sorted((number for number in found if number is not None), reverse=True)
    return next((found[number] for number in numbers if _has(found[number], session)), None)


def log_of(session: str) -> Path | None:
    """Return the log in the user's folder that has SESSION, its own or, for a fork, that of its parent."""
    logs = sorted(sessions().glob("*.db"))
    return own_log(session) or next((path for path in logs if _has(path, session)), None)


def workspace_log(workspace: str | os.PathLike[str]) -> Path:
    """Return the log of the workspace that the folder WORKSPACE belongs to; its folder is made if need be.

    Errors: `StoreUnavailable` when that folder cannot be made; those of `places.check_state`.
    """
    root = root_of(Path(workspace))
    state = state_of(root)
    check_state(root, state)
    try:
        make_state(root, state)
    except OSError as error:
        raise StoreUnavailable(
            f"No log can be kept in {str(state)!r}: {error.strerror}; give the folder of a workspace"
        ) from None
    return state / LOG


def _name(session: str) -> str:
    """Return the name of the log of SESSION: its id where that is a safe name."""
    if _PLAIN.fullmatch(session):
        return session
    return hashlib.sha256(session.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS_OF_A_NAME]


def _number(path: Path, session: str) -> int | None:
    """Return which log of SESSION PATH is, counted from 1; None when it is not one."""
    rest = path.name.removeprefix(_name(session)).removesuffix(".db")
    if not rest:
        return 1
    return int(rest[1:]) if rest[0] == "." and rest[1:].isdecimal() else None


def _has(path: Path, session: str) -> bool:
    rows = read(path, lambda rows: rows("SELECT 1 FROM session WHERE id = ?", (session,)))
    return bool(rows)

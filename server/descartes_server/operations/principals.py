"""Who speaks at a door: the person at this machine, or the agent whose child this process is."""

from __future__ import annotations

import getpass
import hashlib
import os
import secrets
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from descartes_core.errors import InvalidParams, PolicyDenied
from descartes_core.model import Principal, PrincipalKind

if TYPE_CHECKING:
    from descartes_core.store import Reader

RUN = "DESCARTES_RUN"
TOKEN = "DESCARTES_RUN_TOKEN"
KINDS: dict[str, PrincipalKind] = {"human": "human", "agent": "agent", "service": "service"}


def person(root: Path, *, trusted: bool, via: str | None = None) -> Principal:
    """Return the person: the user of this machine under git's name, as the repository at ROOT has it."""
    user_id = getpass.getuser()
    # What a repository nobody trusts yet says is not asked; the person's own settings are.
    name = _git_name(root if trusted else Path("/"))
    return Principal(kind="human", id=user_id, name=name or user_id, via=via)


def user(via: str | None = None) -> Principal:
    """Return the user of this machine without asking git for the name."""
    user_id = getpass.getuser()
    return Principal(kind="human", id=user_id, name=user_id, via=via)


def parse(holder: str) -> Principal:
    """Return the principal written KIND:NAME.

    Errors: `InvalidParams`.
    Example: parse("agent:refactor") -> Principal(kind="agent", id="refactor", name="refactor")
    """
    kind, colon, name = holder.partition(":")
    if not colon or kind not in KINDS or not name:
        raise InvalidParams(f"expected a holder as KIND:NAME with human, agent or service, got {holder!r}")
    return Principal(kind=KINDS[kind], id=name, name=name)


async def of_run(reader: Reader, run: str | None, token: str | None) -> Principal:
    """Return the agent of RUN for the child process that shows the run's TOKEN.

    Errors: `PolicyDenied` when the two do not belong together.
    """
    from descartes_core.runs.projection import RunRecord

    rows = await reader.rows("SELECT spawned FROM run WHERE id = ?", (run or "",))
    record = msgspec.json.decode(rows[0]["spawned"], type=RunRecord) if rows else None
    given = hashlib.sha256((token or "").encode()).hexdigest()
    if record is None or not secrets.compare_digest(given, record.token_hash):
        raise PolicyDenied(f"expected {RUN} and {TOKEN} of one run, got a token that is not that of {run!r}")
    return Principal(kind="agent", id=record.id, name=record.agent)


def run_of_environment() -> tuple[str | None, str | None]:
    """Return the run and token that this process was given as the child of a run, else (None, None)."""
    return os.environ.get(RUN), os.environ.get(TOKEN)


def _git_name(folder: Path) -> str:
    try:
        answer = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", "config", "--get", "user.name"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip()

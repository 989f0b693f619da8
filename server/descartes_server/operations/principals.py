"""Who speaks at a door: the person at this machine, or the agent whose child this process is."""

from __future__ import annotations

import getpass
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from descartes_core.errors import InvalidParams
from descartes_core.model import Principal, PrincipalKind

if TYPE_CHECKING:
    from descartes_core.store.redaction import Redactor

RUN_VARIABLE, TOKEN_VARIABLE = "DESCARTES_RUN", "DESCARTES_RUN_TOKEN"
"""As in `descartes_core.runs.tokens`, which takes too long to import for a command that only reads."""
PASSWORD_VARIABLE = "DESCARTES_VAULT_PASSWORD"
"""The password of the vault. It is for the process that was given it, and passed on to no other."""

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


def kept(who: Principal, redactor: Redactor) -> Principal:
    """Return WHO as it may be kept and shown: always the same for the same, and different for different ids.

    The id of a person is what the system calls them, and stays unless it shows the value of a secret.
    """
    shown = redactor.principal(who)
    own = redactor.values_in(who.id) if who.kind == "human" else redactor.identity(who.id)
    return msgspec.structs.replace(shown, id=own)


def fits(holder: Principal, wanted: Principal) -> bool:
    """Return whether HOLDER, as the log has it, is who somebody called WANTED.

    A name is as good as an id, but not what is left of one: many addresses look the same when masked.
    """
    if holder.kind != wanted.kind or wanted.id in (holder.id, holder.name):
        return holder.kind == wanted.kind
    if "‹" not in holder.id:
        return False
    from descartes_core.store.redaction import Redactor  # only where something was masked

    return Redactor().identity(wanted.id) == holder.id


def run_of_environment() -> tuple[str | None, str | None]:
    """Return the run and token that this process was given as the child of a run, else (None, None)."""
    return os.environ.get(RUN_VARIABLE), os.environ.get(TOKEN_VARIABLE)


def environment() -> dict[str, str]:
    """Return this process's environment as others may have it: without the password of the vault."""
    return {name: value for name, value in os.environ.items() if name != PASSWORD_VARIABLE}


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

"""The audit of the vault: who wanted what of which secret, as events of the log, refusals too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from descartes_core.errors import DescartesError
from descartes_core.model import Event, NewEvent, Principal
from descartes_core.store.schemas import Data, register
from descartes_core.vault.shapes import AccessLevel, AuditEntry

Action = Literal[
    "init", "unlock", "lock", "set", "read", "rotate", "revoke", "remove", "grant", "use", "export", "import",
    "rekey", "list", "audit",
]  # fmt: skip
EVENTS: Mapping[Action, str] = {
    "init": "secret.vault_made",
    "unlock": "secret.unlocked",
    "lock": "secret.locked",
    "set": "secret.set",
    "read": "secret.read",
    "rotate": "secret.rotated",
    "revoke": "secret.revoked",
    "remove": "secret.removed",
    "grant": "secret.granted",
    "use": "secret.used",
    "export": "secret.exported",
    "import": "secret.imported",
    "rekey": "secret.rekeyed",
    "list": "secret.listed",
    "audit": "secret.audited",
}
"""The event that each action is logged as, whether it succeeded or was refused."""


class SecretAccess(Data, frozen=True, kw_only=True):
    """Somebody wanted something of the vault of secrets, and had it or was refused for REASON."""

    action: Action
    name: str | None
    """The secret; None for what is about the vault."""
    success: bool
    source: str
    """The door or editor it came through."""
    reason: str | None = None
    version: int | None = None
    principal: str | None = None
    """Who is granted something, KIND:NAME."""
    level: AccessLevel | None = None
    expires_at: str | None = None
    call_id: str | None = None
    """The step of a run that is given the secret."""


register("action", dict.fromkeys(EVENTS.values(), SecretAccess))
STREAM = "secret"


@dataclass(frozen=True)
class Visitor:
    """Who asks: PRINCIPAL with its ROLES, a PERSON or not, through SOURCE, as RUN.

    NAMED: its name is no choice of its own.
    """

    principal: Principal
    source: str
    roles: Sequence[str] = ()
    person: bool = False
    run: str | None = None
    named: bool = True


def event(
    action: Action,
    name: str | None,
    visitor: Visitor,
    problem: DescartesError | None = None,
    about: Mapping[str, Any] | None = None,
) -> NewEvent:
    """Return the event that VISITOR did ACTION to the secret NAME, or was refused because of PROBLEM."""
    data: dict[str, Any] = {"action": action, "name": name, "success": problem is None, **(about or {})}
    data["source"] = visitor.source
    if problem is not None:
        data["reason"] = problem.message
    return NewEvent(
        category="action", name=EVENTS[action], stream=STREAM, actor=visitor.principal, run=visitor.run,
        data=data,
    )  # fmt: skip


def entry(found: Event) -> AuditEntry:
    """Return the event FOUND as an entry of the audit."""
    data, actor = found.data, found.actor
    return AuditEntry(
        timestamp=found.at,
        principal_id=actor.id,
        principal=f"{actor.kind}:{actor.name}",
        action=str(data.get("action", "")),
        secret_name=data.get("name"),
        success=bool(data.get("success")),
        source=str(data.get("source", "")),
        reason=data.get("reason"),
        run=found.run,
    )

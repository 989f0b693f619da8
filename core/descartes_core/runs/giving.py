"""Secrets given to a run when it is spawned, and whose word its agent's name is."""

from __future__ import annotations

from descartes_core.agents.step_secrets import StepSecrets
from descartes_core.errors import PolicyDenied
from descartes_core.model import Principal
from descartes_core.runs.projection import RunRecord, record_of
from descartes_core.runs.queries import RunView
from descartes_core.runs.request import SpawnRequest
from descartes_core.runs.work import visitor_of
from descartes_core.vault.audit import Visitor
from descartes_core.vault.secrets import Secrets

SOURCE = "run.spawn"


async def check(
    secrets: Secrets | None, request: SpawnRequest, by: Principal, spawner: RunRecord | None
) -> None:
    """Refuse a REQUEST of BY, whose own record is SPAWNER, for secrets that BY cannot give to a run.

    Errors: `NotFound`, `PolicyDenied`, which is noted.
    """
    if not request.secrets:
        return
    asker = _asker(by, spawner)
    lacking = await StepSecrets(secrets, asker, ()).lacking(request.secrets)
    # A person is asked about every command that another principal chose, and sees its secrets then.
    if not lacking or (by.kind != "human" and request.command):
        return
    why = PolicyDenied(
        f"{by.name} has no grant of the secret {lacking[0]!r} and cannot give it to a run;"
        f" a person gives it with `descartes secret grant {lacking[0]} …`"
    )
    if secrets is not None:
        await secrets.refused("use", lacking[0], asker, why)
    raise why


async def visitor(runs: RunView, run: str, source: str) -> Visitor:
    """Return RUN, an exact id, as the vault knows it when it comes through SOURCE. Errors: `RunNotFound`."""
    return visitor_of(record_of(await runs.row(run)), source)


def vouches(by: Principal, spawner: RunRecord | None, agent: str) -> bool:
    """Return whether what is granted to the name AGENT counts for a run that BY spawns under it.

    A person's choice of a name does, and that of a run with the same name; no other program's.
    """
    if spawner is not None:
        return spawner.vouched and spawner.agent == agent
    return by.kind == "human"


def _asker(by: Principal, spawner: RunRecord | None) -> Visitor:
    if spawner is not None:
        return visitor_of(spawner, SOURCE)
    return Visitor(by, by.via or SOURCE, [by.kind], by.kind == "human", named=by.kind != "agent")

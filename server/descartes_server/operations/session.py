"""The operations `session.*` of the tree of sessions: fork one at any moment, see its branches."""

from __future__ import annotations

from descartes_core.errors import InvalidParams
from descartes_core.model import Shape
from descartes_core.timetravel import brain, forks
from descartes_core.timetravel.forks import Branch
from descartes_server.operations.context import Context
from descartes_server.operations.moments import MomentParams, options_of
from descartes_server.operations.registry import Params, operation


class ForkParams(MomentParams, frozen=True, kw_only=True):
    """A RUN, or the newest run of a SESSION; AT: an ISO time, an event id or a number (None: now)."""

    run: str | None = None
    session: str | None = None
    at: str | None = None
    reason: str | None = None


class BranchesParams(Params, frozen=True, kw_only=True):
    """A SESSION of the tree, or a RUN of one."""

    session: str | None = None
    run: str | None = None


class Branches(Shape, frozen=True, kw_only=True):
    """The sessions of one tree, each before those that were forked off it."""

    branches: list[Branch]


@operation("session.fork", kind="effect", for_agents=True, positional=("run",))
async def fork(context: Context, params: ForkParams) -> Branch:
    """Begin a session that goes on from a moment of a run; the run stays as it is.

    `run.spawn` with `fork: SESSION` makes the agent go on in it.
    """
    reader = context.services.reader
    run, at = await _run(context, params.run, params.session), params.at
    by = context.caller.principal
    options = options_of(params, brain.RestoreOptions())
    session = await brain.fork(context.services.store, run, at, by=by, reason=params.reason, options=options)
    return next(each for each in await forks.branches(reader, session) if each.session == session)


@operation("session.branches", kind="read", for_agents=True, positional=("session",))
async def branches(context: Context, params: BranchesParams) -> Branches:
    """List a session with everything that was forked off it, and what it was forked off."""
    reader = context.services.reader
    if params.run is not None:
        event = await reader.event(await _spawned(context, params.run))
        session = event.session or ""
    elif params.session is not None:
        session = await reader.resolve("ses", params.session)
    else:
        raise InvalidParams("Expected a session or a run, got neither; give the id of one")
    return Branches(branches=await forks.branches(reader, session))


async def _run(context: Context, run: str | None, session: str | None) -> str:
    """Return the whole id of RUN, or of the run that a fork of SESSION is a fork of."""
    reader = context.services.reader
    if run is not None:
        return await reader.resolve("run", run)
    if session is not None:
        return await forks.run_of(reader, await reader.resolve("ses", session))
    raise InvalidParams("Expected a run or a session to fork, got neither; give the id of one")


async def _spawned(context: Context, run: str) -> str:
    reader = context.services.reader
    rows = await reader.rows("SELECT event FROM run WHERE id = ?", (await reader.resolve("run", run),))
    if not rows:
        raise InvalidParams(f"Expected the id of a run, got {run!r}; look at the list")
    return str(rows[0]["event"])

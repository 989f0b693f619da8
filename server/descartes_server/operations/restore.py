"""The operations `restore.*`: the workspace as it was at a moment, looked at, done, undone, done again."""

from __future__ import annotations

from typing import Literal

import msgspec

from descartes_core.errors import DescartesError, InvalidParams
from descartes_core.model import Shape
from descartes_core.runs import SpawnRequest
from descartes_core.timetravel import journal
from descartes_core.timetravel.shapes import BODIES, BodyName, Restored, RestorePreview, RestoreRequest
from descartes_server.operations import restore_questions
from descartes_server.operations.context import Context
from descartes_server.operations.registry import NoParams, Params, operation
from descartes_server.operations.restore_parts import parts


class PreviewParams(Params, frozen=True, kw_only=True):
    """RUN as it was at TO, an event's id or an ISO time. BODIES: brain, body (the files), image.

    PATHS, files or folders, choose some of the files. ASK: open a question with this as its subject.
    """

    run: str
    to: str
    bodies: list[BodyName] = msgspec.field(default_factory=lambda: ["body", "brain"])
    paths: list[str] | None = None
    ask: bool = False


class ApplyParams(Params, frozen=True, kw_only=True):
    """As for the preview whose id is CONFIRM; PATHS may choose fewer files, BODIES fewer than it showed.

    Left out, all go back that the preview showed. RESUME: a new run goes on with the conversation as it was,
    the agent, model and tools those of RUN.
    """

    run: str
    to: str
    confirm: str
    bodies: list[BodyName] | None = None
    paths: list[str] | None = None
    resume: bool = False


class TurnParams(Params, frozen=True, kw_only=True):
    """BODIES: some of those that the restore put back; all of them when left out.

    FORCE: also what was changed since, of files and in the image; turning it back brings that back.
    A refusal for that has the ways to go on in `data.choices`, `{title, arguments}` each.
    """

    force: bool = False
    bodies: list[BodyName] | None = None


class Kept(Shape, frozen=True, kw_only=True):
    """A restore, or a bulk edit, that can be undone or done again."""

    id: str
    run: str | None
    at: str
    bodies: list[BodyName] = []
    can: Literal["undo", "redo"]
    what: str | None = None
    """What a bulk edit did, which is undone as a restore is; None for a restore."""


class KeptRestores(Shape, frozen=True, kw_only=True):
    """Restores, the next to be undone or done again first."""

    restores: list[Kept]


@operation("restore.preview", kind="effect", needs_trust=True, for_agents=True, positional=("run",))
async def preview(context: Context, params: PreviewParams) -> RestorePreview:
    """Show what going back to a moment would change: files, edits of people, leases in the way."""
    request = RestoreRequest(run=params.run, to=params.to, bodies=_bodies(params.bodies), paths=params.paths)
    restores = context.services.restores
    found = await restores.preview(request, context.caller.principal, parts(context))
    if not params.ask:
        return found
    question = await restore_questions.ask(context, found)
    return msgspec.structs.replace(found, intervention=question.id)


@operation("restore.apply", kind="effect", needs_trust=True, people_only=True, positional=("run",))
async def apply(context: Context, params: ApplyParams) -> Restored:
    """Go back to a moment as its preview showed; all of it is done, or nothing."""
    bodies = [] if params.bodies is None else _bodies(params.bodies)
    request = RestoreRequest(run=params.run, to=params.to, bodies=bodies, paths=params.paths)
    if params.resume and bodies and "brain" not in bodies:
        raise InvalidParams("expected brain in `bodies` with `resume`: a run goes on with a conversation")
    by, restores = context.caller.principal, context.services.restores
    done = await restores.apply(request, params.confirm, by, parts(context), resume=params.resume)
    if not params.resume or done.session is None:
        return done
    return msgspec.structs.replace(done, resumed=await _resumed(context, done.session))


async def _resumed(context: Context, session: str) -> str:
    """Return the run that now goes on in SESSION. Errors: those of spawning one; the restore is done then."""
    caller = context.caller
    try:
        run = await context.services.runs.spawn(
            SpawnRequest(task="", fork=session), by=caller.principal, environment=caller.environment or None
        )
    except DescartesError as error:
        raise type(error)(
            f"The restore is done, but no run could go on in session {session[4:12]}: {error.message}",
            **error.data,
        ) from error
    return run.id


@operation("restore.undo", kind="effect", needs_trust=True, people_only=True)
async def undo(context: Context, params: TurnParams) -> Restored:
    """Take the last restore back."""
    by, bodies = context.caller.principal, None if params.bodies is None else _bodies(params.bodies)
    return await context.services.restores.undo(by, force=params.force, bodies=bodies, parts=parts(context))


@operation("restore.redo", kind="effect", needs_trust=True, people_only=True)
async def redo(context: Context, params: TurnParams) -> Restored:
    """Do the restore again that was undone last."""
    by, bodies = context.caller.principal, None if params.bodies is None else _bodies(params.bodies)
    return await context.services.restores.redo(by, force=params.force, bodies=bodies, parts=parts(context))


@operation("restore.list", kind="read", for_agents=True)
async def list_(context: Context, params: NoParams) -> KeptRestores:
    """List the restores that can be undone, and those that can be done again."""
    found = await journal.history(context.services.reader)
    undo = [_kept(each, "undo") for each in reversed(found.undo)]
    return KeptRestores(restores=[*undo, *(_kept(each, "redo") for each in reversed(found.redo))])


def _kept(done: journal.Done, can: Literal["undo", "redo"]) -> Kept:
    return Kept(id=done.id, run=done.run, at=done.at, bodies=list(done.bodies), can=can, what=done.what)


def _bodies(given: list[BodyName]) -> list[BodyName]:
    """Return GIVEN once each, in the order in which they are restored. Errors: `InvalidParams` for none."""
    if not given:
        raise InvalidParams(f"expected one or more of {', '.join(BODIES)} in `bodies`, got none")
    return [each for each in ("body", "brain", "image") if each in given]

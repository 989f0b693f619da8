"""The operations `intervention.*`: what runs and other people ask, and the answers."""

from __future__ import annotations

from typing import Literal

from descartes_core.model import Intervention, Shape
from descartes_core.policy.interventions import list_interventions, show
from descartes_core.timetravel.shapes import BodyName
from descartes_server.operations import lease_requests
from descartes_server.operations.context import Context
from descartes_server.operations.registry import Params, operation


class ListParams(Params, frozen=True, kw_only=True):
    """STATUS of the interventions to list."""

    status: Literal["open", "answered", "closed", "all"] = "open"


class AnswerParams(Params, frozen=True, kw_only=True):
    """The CHOICE for the intervention ID, with what it takes: ARGUMENTS, or the REASON of a rejection.

    BODIES is for a restore: those that go back, of the question's `data.bodies`; all of them when left out.
    """

    id: str
    choice: str
    arguments: list[str] = []
    reason: str | None = None
    bodies: list[BodyName] | None = None


class Interventions(Shape, frozen=True, kw_only=True):
    """Questions, newest first."""

    interventions: list[Intervention]


@operation("intervention.list", kind="read", for_agents=True)
async def list_(context: Context, params: ListParams) -> Interventions:
    """List what runs and other people ask, newest first."""
    found = await list_interventions(context.services.reader, params.status)
    return Interventions(interventions=found)


@operation("intervention.answer", kind="effect", people_only=True, positional=("id", "choice"))
async def answer(context: Context, params: AnswerParams) -> Intervention:
    """Answer a question with one of its choices."""
    # Imported here: whoever only lists questions needs none of it.
    from descartes_server.operations import edit_questions, restore_questions

    if params.bodies is not None:
        restore_questions.check_bodies(await show(context.services.reader, params.id), params.bodies)
    answered = await context.services.interventions.answer(
        params.id, params.choice, params.arguments, params.reason, by=context.caller.principal
    )
    await lease_requests.follow_answer(context.services, answered, params.choice)
    if "edit" in answered.data:
        await edit_questions.follow_answer(context, answered, params.choice, params.arguments)
    if answered.kind == "restore":
        await restore_questions.follow_answer(
            context, answered, params.choice, params.arguments, params.bodies
        )
    return answered

"""A run's evaluation that stopped is a question to a person: its restarts are the choices.

Answering the question and leaving the stop are the same thing; whichever comes first closes the other.
"""

from __future__ import annotations

import contextlib
import logging

from descartes_core.errors import DescartesError, InterventionClosed
from descartes_core.model import Choice, Intervention
from descartes_core.policy.interventions import Interventions
from descartes_server.operations import lisp_shapes as shapes
from descartes_server.operations.evaluations import Record
from descartes_server.operations.image import Image
from descartes_server.operations.image_work import LISP

log = logging.getLogger(__name__)


class RestartQuestions:
    """Keeps the questions of IMAGE's stops in INTERVENTIONS. Used from the hub's loop only."""

    def __init__(self, image: Image, interventions: Interventions) -> None:
        self._image = image
        self._interventions = interventions
        self._open: dict[tuple[int, int], str] = {}
        image.debuggers.on_entered.append(self._entered)
        image.debuggers.on_left.append(self._left)

    async def _entered(self, debugger: shapes.Debugger, record: Record | None) -> None:
        if record is None or record.run is None:
            return
        place = {"thread": debugger.thread, "level": debugger.level}
        open_questions = await self._of_stops(record.run)
        asked = next((each for each in open_questions if each.data == place), None)
        question = asked or await self._ask(debugger, record, place)
        self._open[debugger.thread, debugger.level] = question.id
        self._image.aside(self._answered(debugger, question.id))

    async def forget_recalled(self) -> None:
        """Close the questions of an earlier hub whose stops nobody announced to this one."""
        for question in await self._of_stops(None):
            if question.id not in self._open.values():
                with contextlib.suppress(InterventionClosed):
                    await self._interventions.close(question.id, "the stop was left", by=LISP)

    async def _of_stops(self, run: str | None) -> list[Intervention]:
        return [each for each in await self._interventions.list(run=run) if each.kind == "restart"]

    async def _ask(self, debugger: shapes.Debugger, record: Record, place: dict[str, int]) -> Intervention:
        condition = debugger.condition
        return await self._interventions.open(
            "restart",
            title=f"{record.by.name}: {condition.message}",
            detail=f"{condition.type} in {record.code[:200]}",
            choices=[_choice(restart) for restart in debugger.restarts],
            by=record.by,
            run=record.run,
            data=place,
        )

    async def _answered(self, debugger: shapes.Debugger, question: str) -> None:
        """Invoke the restart that a person chooses; do nothing when the stop is left some other way."""
        try:
            answer = await self._interventions.wait(question)
        except InterventionClosed:
            return
        index = int(answer.choice.partition(":")[0])
        lisp = self._image.running()
        try:
            await self._image.debuggers.leave(
                debugger.thread,
                debugger.level,
                lambda: self._image.ask(
                    lisp.invoke_restart(
                        debugger.thread, debugger.level, index=index, arguments=answer.arguments
                    )
                ),
                wait_ms=0,
            )
        except DescartesError as error:
            log.warning("the restart that was chosen for %s was not invoked: %s", question, error)

    async def _left(self, debugger: shapes.Debugger) -> None:
        question = self._open.pop((debugger.thread, debugger.level), None)
        if question is not None:
            with contextlib.suppress(InterventionClosed):
                await self._interventions.close(question, "the stop was left", by=LISP)


def _choice(restart: shapes.Restart) -> Choice:
    arguments = [each.name.lower() for each in restart.arguments if each.kind == "required"]
    return Choice(
        id=f"{restart.index}:{restart.name}",
        title=f"{restart.name}: {restart.description}",
        arguments=arguments,
    )

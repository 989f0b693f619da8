"""The live image as it was at an event: made anew up to there, and going on from there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from descartes_core.errors import LispNotRunning
from descartes_core.model import Event, NewEvent
from descartes_core.timetravel.parts import Goal
from descartes_server.operations.restore_parts import ImagePart
from support.lisp_desk import Desk, images_of, lisp_desk
from support.running import ANN

ENDED = {"pid": 1, "reason": "an event from before the image"}


@pytest.fixture
async def desk(workspace: Path, isolated_environment: Path) -> AsyncIterator[Desk]:
    async with lisp_desk(workspace) as made:
        yield made


async def value(desk: Desk, code: str) -> str:
    (found,) = (await desk.call("lisp.eval", code=code))["values"]
    return str(found)


async def moved(desk: Desk, part: ImagePart, to: Event) -> str:
    """Have the image go back to the event TO and return what is told of it."""
    async with part.back(Goal("evt_1", "run_1", to, ANN)) as made:
        assert not made.is_in
        await made.move_in()
        assert made.is_in and made.note is not None and await part.is_in(made.note)
        await desk.context.services.store.append(*made.events)
    return made.text


async def test_the_image_goes_back_to_an_event_and_forth_and_later_replays_know(
    desk: Desk, workspace: Path
) -> None:
    part = ImagePart(desk.context)
    store = desk.context.services.store
    asked = NewEvent(category="system", name="hub.stopped", stream="hub", actor=ANN, data=ENDED)
    (early,) = await store.append(asked)
    with pytest.raises(LispNotRunning, match="No Lisp ran"):
        await part.preview("run_1", early)
    await value(desk, "(progn (defvar *x* 1) *x*)")
    await value(desk, "(setf *x* 2)")
    one, two = await desk.events("lisp.evaluated")
    assert await part.preview("run_1", one) == {"entries": 1}
    assert await moved(desk, part, one) == "the image is a fresh one with 1 entry of the journal"
    assert await value(desk, "*x*") == "1" and len(images_of(workspace)) == 1
    assert await value(desk, "(incf *x* 10)") == "11"
    # What was taken back is in no later replay.
    assert (await desk.call("lisp.replay"))["repeated"] == 3
    assert await value(desk, "*x*") == "11"
    # And from there to what was taken back.
    await moved(desk, part, two)
    assert await value(desk, "*x*") == "2"
    await desk.call("lisp.replay")
    assert await value(desk, "*x*") == "2"

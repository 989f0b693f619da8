"""The operation `lisp.question`: what editors ask of an image that was only attached to.

An image of ours answers editors itself, through its own service; a stock Swank has none, so its questions go
through the hub as Swank calls.
"""

from __future__ import annotations

from typing import Any

from descartes_core.errors import DescartesError, InvalidParams
from descartes_core.model import Shape
from descartes_server.operations.context import Context
from descartes_server.operations.registry import Params, operation


class QuestionParams(Params, frozen=True, kw_only=True):
    """REQUEST: `{question, …}` as the answering service takes it."""

    request: dict[str, Any]


class QuestionAnswer(Shape, frozen=True, kw_only=True):
    """ANSWER: what the service would answer; null where nothing is known."""

    answer: Any = None


async def _no_image(context: Context, params: QuestionParams) -> QuestionAnswer:
    return QuestionAnswer()


@operation("lisp.question", kind="ask", without_hub=_no_image)
async def question(context: Context, params: QuestionParams) -> QuestionAnswer:
    """Ask the image about symbols, without a stop or any other effect."""
    image = context.services.image
    questions = image.questions()
    try:
        return QuestionAnswer(answer=await image.ask(questions.relay(dict(params.request))))
    except DescartesError as error:
        # What the image cannot make sense of has no code of its own.
        raise InvalidParams(error.message) if error.code == DescartesError.code else error from None

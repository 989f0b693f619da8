"""Questions to an image through the hub: what is no answer is none, and never an error of the editor's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from descartes_core.errors import LispLost
from descartes_server.state.image import ImageQuestions


@pytest.mark.parametrize("answer", [None, "text", [{"label": 1}], {"car": "function", "cdr": 7}])
async def test_an_answer_of_another_shape_is_none(answer: Any) -> None:
    async def call(operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        assert operation == "lisp.question" and arguments["request"]["question"] in (
            "classify",
            "completions",
        )
        return {"answer": answer}

    image = ImageQuestions(None)
    image.attached_to(call)
    assert await image.ask(lambda image: image.classify(["car"], "CL")) is None
    assert await image.ask(lambda image: image.completions("c", "CL")) is None


async def test_a_hub_whose_image_has_gone_has_no_answer() -> None:
    async def call(operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        raise LispLost("the image has ended")

    image = ImageQuestions(None)
    image.attached_to(call)
    assert await image.ask(lambda image: image.arglist("car", "CL")) is None

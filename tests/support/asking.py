"""The questions that an image of ours answers through its service and a stock one through Swank."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from descartes_swank.image import ImageRecord
from descartes_swank.service import Questions, ServiceQuestions, SwankQuestions
from support.images import Preparation, preparing
from support.stock_swank import StockSwank

USER = "COMMON-LISP-USER"
PATIENT_MS = 60_000


@dataclass
class Asked:
    """An image with the QUESTIONS under test; PREPARE is another connection to it."""

    questions: Questions
    prepare: Preparation

    async def limited(self, deadline_ms: int) -> Questions:
        """Return questions to the same image with another deadline."""
        if isinstance(self.questions, SwankQuestions):
            return SwankQuestions(self.prepare.connection, deadline_ms)
        path = await self.prepare.evaluate("(getf cl-user::*test-image* :service)")
        return await ServiceQuestions.open(path.strip('"'), deadline_ms=deadline_ms)


@pytest.fixture(params=["service", "swank"])
async def asked(
    request: pytest.FixtureRequest, own_image: ImageRecord, stock_image: StockSwank
) -> AsyncIterator[Asked]:
    if request.param == "service":
        record = own_image
        async with preparing(record.port, record.secret) as prepare:
            await prepare.evaluate(
                f'(defparameter cl-user::*test-image* (list :service "{record.service_socket}"))'
            )
            questions = await ServiceQuestions.open(record.service_socket, deadline_ms=PATIENT_MS)
            yield Asked(questions, prepare)
            await questions.close()
    else:
        async with preparing(stock_image.port) as prepare:
            yield Asked(SwankQuestions(prepare.connection, PATIENT_MS), prepare)

"""The questions to an image that was only attached to, asked through the hub; imported with the first one."""

from __future__ import annotations

from typing import Any

import msgspec

from descartes_core.errors import DescartesError
from descartes_server.state.image import Call
from descartes_swank.errors import SwankError
from descartes_swank.questions import Asking, Reply


class HubQuestions(Asking):
    """Asks by CALL, the hub's operations; errors are `SwankError`s, as with the image's own service."""

    def __init__(self, call: Call, deadline_ms: int) -> None:
        super().__init__(deadline_ms)
        self._call = call

    async def _reply(self, request: dict[str, Any]) -> Reply:
        try:
            result = await self._call("lisp.question", {"request": request})
        except DescartesError as error:
            raise SwankError(error.message) from error
        return Reply(answer=msgspec.Raw(msgspec.json.encode(result.get("answer"))))

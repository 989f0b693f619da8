"""What the adapter remembers of evaluations that go on, and forgets when they have ended."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from descartes_core.errors import NotFound
from descartes_server.dap.adapter import Adapter


class Hub:
    """Answers `lisp.evaluation` from a table, and that nothing is stopped."""

    def __init__(self) -> None:
        self.states: dict[str, str] = {}

    async def call(self, operation: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        if operation != "lisp.evaluation":
            return {"state": "ready", "debuggers": []}
        assert params is not None
        if params["id"] not in self.states:
            raise NotFound("no such evaluation")
        return {"id": params["id"], "state": self.states[params["id"]], "values": []}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    made = Hub()
    monkeypatch.setattr(Adapter, "session", made)
    return made


async def test_nothing_is_kept_of_what_has_ended(hub: Hub) -> None:
    adapter = Adapter()
    hub.states["eval_1"] = "done"
    assert (await adapter.until_ended("eval_1"))["state"] == "done"
    assert adapter._endings == {}

    hub.states["eval_1"] = "running"
    waiting = asyncio.create_task(adapter.until_ended("eval_1"))
    await asyncio.sleep(0)
    adapter._evaluated({"id": "eval_1", "state": "aborted", "values": []})
    assert (await waiting)["state"] == "aborted"
    assert adapter._endings == {}


async def test_an_end_that_was_not_told_is_asked_for(hub: Hub) -> None:
    adapter = Adapter()
    hub.states["eval_1"] = hub.states["eval_2"] = "running"
    one, two = (asyncio.create_task(adapter.until_ended(each)) for each in ("eval_1", "eval_2"))
    await asyncio.sleep(0)
    adapter._working["eval_1"] = 7
    hub.states["eval_1"] = "done"
    del hub.states["eval_2"]  # the next hub knows nothing of it
    await adapter._learn()
    assert [(await each)["state"] for each in (one, two)] == ["done", "lost"]
    assert (adapter._endings, adapter._working) == ({}, {})

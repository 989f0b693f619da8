"""Runs whose mind is looked at: one that worked, one that is put together of single events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from descartes_core.agents import models
from descartes_core.agents.models import Message, Model, Turn
from descartes_core.model import NewEvent
from descartes_core.runs import model_run
from descartes_core.store import Store
from support.log import FIXER, FakeClock
from support.running import Bench, call

RUN = "run_f1"


@pytest.fixture
async def log(workspace: Path) -> AsyncIterator[Store]:
    """Give an empty log without tables."""
    store = await Store.open(workspace / "log.db", clock=FakeClock(), projections=())
    yield store
    await store.close()


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[list[Message]]:
    """Return a list of everything that any model was shown, in order."""
    shown: list[list[Message]] = []

    class Listening:
        def __init__(self, model: Model) -> None:
            self._model = model

        async def answer(self, messages: Sequence[Message]) -> Turn | None:
            shown.append([*messages])
            return await self._model.answer(messages)

    opened = models.open_model
    monkeypatch.setattr(model_run, "open_model", lambda name, where: Listening(opened(name, where)))
    return shown


WORK = (
    {"thought": "First look.", **call("list")},
    call("write", path="a.lisp", content="(a)\n"),
    call("read", path="nowhere"),
    {"text": "Done."},
)


async def worked(bench: Bench) -> str:
    """Return a run that did WORK, its write rejected by nobody, and ended."""
    run = await bench.spawn(*WORK)
    await bench.answer(run.id, "accept")
    await bench.ended(run.id)
    return run.id


def note(name: str, category: str = "system", **fields: Any) -> NewEvent:
    """Return the event NAME of the run."""
    fields = {"stream": f"run/{RUN}", "actor": FIXER, "run": RUN, **fields}
    return NewEvent(name=name, category=category, **fields)  # type: ignore[arg-type]


def thought(id_: str, **data: Any) -> NewEvent:
    """Return the thought ID_, with DATA."""
    return note("thought", "thought", data={"content": id_, "thoughtId": id_, **data})


def said(number: int, heard: int = 0, *calls: str) -> NewEvent:
    made = [{"id": f"call_{number}_1", "name": each, "arguments": {}} for each in calls]
    data = {"role": "assistant", "content": f"{number}", "heard": heard, "toolCalls": made}
    return note("message", "communication", data=data)


def decision(id_: str, **fields: Any) -> NewEvent:
    """Return the decision ID_, with FIELDS."""
    data = {"decisionId": id_, "decisionType": "plan", "context": id_, "outcome": "yes"}
    return note("decision", "decision", data=data, **fields)

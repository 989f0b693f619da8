"""What is shown of a file is the newest that is known of it, whichever was found out first."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from descartes_server import app
from descartes_server.features import diagnostics
from descartes_server.ide.stops import Mark
from descartes_server.state.documents import Document


async def test_what_was_asked_earlier_and_known_later_is_not_sent(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = app.build()
    sent: list[list[str]] = []
    monkeypatch.setattr(
        state.client, "tell", lambda _, params: sent.append([d["message"] for d in params["diagnostics"]])
    )
    slow = asyncio.Event()
    begun = asyncio.Event()

    async def lease_marks(snapshot: Any, document: Any) -> list[Mark]:
        if begun.is_set():
            return [Mark(0, 1, "newer", "warning", "lease")]
        begun.set()
        await slow.wait()
        return [Mark(0, 1, "older", "warning", "lease")]

    monkeypatch.setattr(diagnostics, "_lease_marks", lease_marks)
    uri = (workspace / "a.lisp").as_uri()
    state.documents = {uri: Document(uri, "(a)\n", "utf-16", version=1)}
    push = diagnostics._Push(state)
    older = asyncio.create_task(push._publish(uri))
    await begun.wait()
    await push._publish(uri)
    slow.set()
    await older
    assert sent == [["newer"]]

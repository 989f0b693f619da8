"""Values at their forms, through a real server and a real image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.lsp_client import LspClient, lsp
from support.until import answer_that

TEXT = (
    "(in-package :cl-user)\n"
    "(list é😀 2)\n"
    "(/ 1 (- 1 1))\n"
    "(defun half (number) (if (zerop number) (error \"no half\") (/ number 2)))\n"
    "(defvar é😀 1)\n"
)  # fmt: skip
WHOLE = {"range": {"start": {"line": 0, "character": 0}, "end": {"line": 99, "character": 0}}}
REFRESH = {"workspace": {"inlayHint": {"refreshSupport": True}}}


def options(**settings: Any) -> dict[str, Any]:
    return {
        "initializationOptions": {"trusted": True, "settings": settings},
        "capabilities": REFRESH,
    }


async def shown(client: LspClient, uri: str) -> list[tuple[int, int, str]]:
    hints = await client.of("inlayHint", uri, **WHOLE)
    return [(each["position"]["line"], each["position"]["character"], each["label"]) for each in hints]


async def refreshed(client: LspClient, after: int) -> None:
    await client.message(lambda m: m.get("method") == "workspace/inlayHint/refresh", "a refresh", after=after)


def of_line(hints: list[tuple[int, int, str]], line: int, most: int = 99) -> list[str]:
    return [label[:most] for where, _, label in hints if where == line]


async def eventually(client: LspClient, uri: str, fits: Callable[[list[tuple[int, int, str]]], bool]) -> None:
    """Wait until the hints FIT: news of the image comes to the editor by itself."""
    await answer_that(fits, lambda: shown(client, uri), "hints that fit")


async def evaluate(client: LspClient, uri: str, line: int, command: str = "lisp.evalForm") -> Any:
    return await client.execute(command, {"uri": uri, "position": {"line": line, "character": 2}})


async def test_a_value_is_shown_at_its_form_until_that_is_edited(workspace: Path) -> None:
    async with lsp(workspace, **options()) as client:
        uri = client.open(workspace / "new.lisp", TEXT)
        assert await shown(client, uri) == []
        await evaluate(client, uri, 4)
        seen = len(client.messages)
        await evaluate(client, uri, 1)
        await refreshed(client, seen)
        assert await shown(client, uri) == [(1, 12, "⇒ (1 2)"), (4, 14, "⇒ É😀")]
        above = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}}
        client.change(uri, 2, {"range": above, "text": ";; é\n"})
        assert await shown(client, uri) == [(2, 12, "⇒ (1 2)"), (5, 14, "⇒ É😀")]
        inside = {"start": {"line": 2, "character": 10}, "end": {"line": 2, "character": 11}}
        client.change(uri, 3, {"range": inside, "text": "3"})
        assert await shown(client, uri) == [(5, 14, "⇒ É😀")]
        part = {"range": {"start": {"line": 0, "character": 0}, "end": {"line": 1, "character": 0}}}
        assert await client.of("inlayHint", uri, **part) == []


async def test_errors_and_the_variables_of_the_stopped_frame(workspace: Path) -> None:
    async with lsp(workspace, **options()) as client:
        (workspace / "new.lisp").write_text(TEXT)
        uri = client.open(workspace / "new.lisp")
        compiled = await evaluate(client, uri, 3, "lisp.compileForm")
        assert compiled["success"], compiled
        assert await shown(client, uri) == [(3, 72, "✓ compiled")]
        stopped = await evaluate(client, uri, 2)
        assert stopped["state"] == "stopped"
        hints = await shown(client, uri)
        assert hints[0][:2] == (2, 13) and hints[0][2].startswith("■ DIVISION-BY-ZERO: ")
        await client.execute("debugger.abort", stopped["debugger"])
        await eventually(client, uri, lambda hints: of_line(hints, 2, 9) == ["■ aborted"])
        inner = await client.execute("lisp.eval", {"code": "(cl-user::half 0)"})
        assert inner["state"] == "stopped"
        await eventually(client, uri, lambda hints: "number = 0" in of_line(hints, 3))
        for number, was in ((5, "0"), (6, "5")):
            seen = len(client.messages)
            code = f"(setf number {number})"
            await client.execute("debugger.evalInFrame", {**inner["debugger"], "code": code})
            await refreshed(client, seen)
            label = f"number = {number} (was {was})"
            await eventually(client, uri, lambda hints, label=label: label in of_line(hints, 3))
        await client.execute("debugger.abort", inner["debugger"])
        await eventually(client, uri, lambda hints: len(of_line(hints, 3)) == 1)


async def test_they_can_be_switched_off(workspace: Path) -> None:
    async with lsp(workspace, **options(inlineResults={"show": False})) as client:
        uri = client.open(workspace / "new.lisp", TEXT)
        await evaluate(client, uri, 4)
        assert await shown(client, uri) == []


@pytest.mark.parametrize("uri", ["file:///nowhere/at/all.lisp", "untitled:one"])
async def test_a_text_that_is_not_there(workspace: Path, uri: str) -> None:
    from support.lsp_client import LspError

    async with lsp(workspace, **options()) as client:
        await client.execute("lease.list", {})
        with pytest.raises(LspError):
            await client.of("inlayHint", uri, **WHOLE)

"""Messages take effect in the order they came, also for handlers that run as tasks."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.lsp_client import lsp


@pytest.mark.parametrize("tcp", [True, False])
async def test_a_position_is_never_applied_to_a_later_text(workspace: Path, tcp: bool) -> None:
    async with lsp(workspace, tcp=tcp) as client:
        uri = client.open(workspace / "a.lisp", '(defun first-one (x) "Documented." x)\n(first-one 1)\n')
        place = {"textDocument": {"uri": uri}, "position": {"line": 1, "character": 3}}
        document = {"uri": uri, "version": 2}
        client.send(
            {"jsonrpc": "2.0", "id": 501, "method": "textDocument/hover", "params": place},
            {
                "jsonrpc": "2.0",
                "method": "textDocument/didChange",
                "params": {"textDocument": document, "contentChanges": [{"text": "\n(second)\n"}]},
            },
            {"jsonrpc": "2.0", "id": 502, "method": "textDocument/definition", "params": place},
        )
        hover = await client.answer(501)
        assert "Documented." in hover["contents"]["value"]
        assert await client.answer(502) == []


async def test_an_answer_about_the_whole_text_is_refused_when_the_text_has_changed(workspace: Path) -> None:
    async with lsp(workspace, tcp=True) as client:
        uri = client.open(workspace / "a.lisp", "(defun one ())\n")
        params = {"textDocument": {"uri": uri}}
        change = {
            "textDocument": {"uri": uri, "version": 2},
            "contentChanges": [{"text": "(defun two ())\n"}],
        }
        client.send(
            {"jsonrpc": "2.0", "id": 601, "method": "textDocument/documentSymbol", "params": params},
            {"jsonrpc": "2.0", "method": "textDocument/didChange", "params": change},
        )
        await client.message(lambda m: m.get("id") == 601, "the answer")
        assert client.answers(601)[0]["error"]["code"] == -32801
        assert [symbol["name"] for symbol in await client.of("documentSymbol", uri)] == ["two"]

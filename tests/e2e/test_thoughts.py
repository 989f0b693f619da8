"""Notes at the door of editors: written, found and opened as files."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.lsp_client import lsp

SHOWS = {"window": {"showDocument": {"support": True}}}


@pytest.mark.ledger("D-46")
async def test_a_note_is_written_found_and_opened(workspace: Path) -> None:
    async with lsp(workspace, capabilities=SHOWS) as client:
        made = await client.execute("thought.create", {"title": "Restarts", "body": "Use USE-VALUE 😀."})
        found = await client.execute("thought.search", {"text": "use-value"})
        assert [each["id"] for each in found["thoughts"]] == [made["id"]]
        shown = await client.execute("thought.show", {"thought": "restarts", "show": True})
        assert shown["content"] == "Use USE-VALUE 😀.\n"
        asked = await client.message(
            lambda m: m.get("method") == "window/showDocument", "a request to show a document"
        )
        assert asked["params"]["uri"] == made["uri"]
        for name, params, code in (
            ("thought.show", {"thought": "none"}, "not_found"),
            ("thought.create", {"title": ""}, "invalid_params"),
            ("thought.create", {"title": "A", "kind": "poem"}, "invalid_params"),
            ("thought.edit", {"thought": "restarts", "tags": "a"}, "invalid_params"),
            ("thought.search", {"text": "()"}, "invalid_params"),
        ):
            assert (await client.refused(name, params)).code == code, (name, params)

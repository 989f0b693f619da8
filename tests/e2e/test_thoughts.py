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


async def test_the_list_of_notes_opens_and_archives_them_in_any_client(workspace: Path) -> None:
    async with lsp(workspace, capabilities=SHOWS) as client:
        for title in ("Restarts", "A [link](x) & <b>", "Old"):
            await client.execute("thought.create", {"title": title, "body": f"About {title}"})
        await client.execute("thought.list", {"show": True})
        asked = await client.notification(
            "window/showDocument", lambda p: p["uri"].endswith("/views/notes.md")
        )
        path = Path(asked["uri"].removeprefix("file://"))
        uri = client.open(path)
        lenses = await client.of("codeLens", uri)
        titles = [each["command"]["title"] for each in lenses]
        assert titles == ["open", "archive"] * 3
        assert [path.read_text().splitlines()[each["range"]["start"]["line"]] for each in lenses[::2]] == [
            "## Old",
            "## A \\[link\\](x) & \\<b\\>",
            "## Restarts",
        ]
        shows, archives = (each["command"] for each in lenses[:2])
        await client.request("workspace/executeCommand", shows)
        await client.notification("window/showDocument", lambda p: p["uri"].endswith("-old.md"))
        seen = len(client.messages)
        await client.request("workspace/executeCommand", archives)
        await client.notification("window/showDocument", lambda p: p["uri"] == asked["uri"], after=seen)
        told = [m for m in client.messages if m.get("method") == "textDocument/publishDiagnostics"]
        marked = [each["params"] for each in told]
        assert [each for each in marked if each["uri"] == uri and each["diagnostics"]] == []
        assert path.read_text().count("\n## ") == 2 and "## Old" not in path.read_text()

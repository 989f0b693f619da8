"""`textDocument/selectionRange` through a real server."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.lsp_client import LspClient, LspError, lsp

TEXT = '(defun f ()\r\n  (g "é😀" (h x)))\r\n'


async def ranges(client: LspClient, uri: str, *places: tuple[int, int]) -> list[list[tuple[int, ...]]]:
    """Return for each place the selections, the innermost first, as lines and columns."""
    positions = [{"line": line, "character": character} for line, character in places]
    found = []
    for each in await client.of("selectionRange", uri, positions=positions):
        steps, step = [], each
        while step is not None:
            start, end = step["range"]["start"], step["range"]["end"]
            steps.append((start["line"], start["character"], end["line"], end["character"]))
            step = step.get("parent")
        found.append(steps)
    return found


async def test_several_places_grow_each_on_its_own(workspace: Path) -> None:
    async with lsp(workspace) as client:
        uri = client.open(workspace / "a.lisp", TEXT)
        outer = [(1, 3, 1, 16), (1, 2, 1, 17), (0, 1, 1, 17), (0, 0, 1, 18), (0, 0, 2, 0)]
        assert await ranges(client, uri, (1, 14), (1, 6), (2, 0), (99, 99)) == [
            [(1, 14, 1, 15), (1, 12, 1, 15), (1, 11, 1, 16), *outer],
            [(1, 6, 1, 7), (1, 6, 1, 9), (1, 5, 1, 10), *outer],
            [(0, 0, 2, 0)],
            [(0, 0, 2, 0)],
        ]
        client.change(uri, 2, {"text": ""})
        assert await ranges(client, uri, (0, 0)) == [[(0, 0, 0, 0)]]


async def test_what_is_no_lisp_has_no_selections(workspace: Path) -> None:
    (workspace / "latin.lisp").write_bytes(b'"\xe9"')
    async with lsp(workspace) as client:
        settings = client.open(workspace / "descartes.toml", "[lisp]\n")
        place = [{"line": 0, "character": 2}]
        assert await client.of("selectionRange", settings, positions=place) is None
        for name, reason in (("missing.lisp", "there is none"), ("latin.lisp", "UTF-8")):
            with pytest.raises(LspError, match=reason):
                await client.of("selectionRange", (workspace / name).as_uri(), positions=place)

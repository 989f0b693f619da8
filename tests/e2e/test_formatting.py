"""Formatting through a real server: a whole text, lines of it, a new line, and what the image knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from descartes_server.ide.edits import Edit, applied
from descartes_server.ide.text import LineIndex
from support.lsp_client import LspClient, LspError, lsp

SPACES = {"tabSize": 4, "insertSpaces": True}
TEXT = '(defun é😀 (x)\r\n(let ((y "a\r\n  b"))\r\n   (list x ; é😀\r\ny)))\r\n'
WANTED = '(defun é😀 (x)\r\n  (let ((y "a\r\n  b"))\r\n    (list x ; é😀\r\n          y)))\r\n'
TRUSTED = {"initializationOptions": {"trusted": True}}


def after(text: str, edits: list[dict[str, Any]]) -> str:
    """Return TEXT with EDITS; what they replace is white space, so a unit is a character."""
    lines = LineIndex(text)

    def offset(place: dict[str, int]) -> int:
        return lines.offset(place["line"], place["character"])

    found = [Edit(offset(e["range"]["start"]), offset(e["range"]["end"]), e["newText"]) for e in edits]
    return applied(text, sorted(found, key=lambda each: each.start))


def lines(first: int, last: int, character: int = 0) -> dict[str, Any]:
    return {"start": {"line": first, "character": 0}, "end": {"line": last, "character": character}}


async def formatted(client: LspClient, uri: str, text: str, **options: Any) -> str:
    return after(text, await client.of("formatting", uri, options={**SPACES, **options}))


async def test_a_text_is_indented_as_the_editor_has_it(workspace: Path) -> None:
    (workspace / "a.lisp").write_text("(other)")
    async with lsp(workspace) as client:
        uri = client.open(workspace / "a.lisp", TEXT)
        assert await formatted(client, uri, TEXT) == WANTED
        client.change(uri, 2, {"text": WANTED})
        assert await client.of("formatting", uri, options=SPACES) == []
        # Nobody has this one open.
        (workspace / "b.lisp").write_text("(progn\n(one))\n")
        closed = (workspace / "b.lisp").as_uri()
        assert await formatted(client, closed, "(progn\n(one))\n") == "(progn\n  (one))\n"
        with pytest.raises(LspError, match=r"c\.lisp"):
            await client.of("formatting", (workspace / "c.lisp").as_uri(), options=SPACES)


async def test_the_editor_chooses_tabs_and_what_ends_lines(workspace: Path) -> None:
    text = "(list (list 1 \n2)   ; a  \n\n3)"
    async with lsp(workspace) as client:
        uri = client.open(workspace / "a.lisp", text)
        assert await formatted(client, uri, text, tabSize=3, insertSpaces=False) == (
            "(list (list 1 \n\t\t\t\t2)   ; a  \n\n\t\t3)"
        )
        tabs = "(defun f (x)\n(let ((y 1))\n(list\nx\ny)))"
        for size in (2, 3, 4, 8):
            client.change(uri, size, {"text": tabs})
            once = await formatted(client, uri, tabs, tabSize=size, insertSpaces=False)
            assert once.expandtabs(size) == "(defun f (x)\n  (let ((y 1))\n    (list\n     x\n     y)))"
            client.change(uri, size + 10, {"text": once})
            assert await formatted(client, uri, once, tabSize=size, insertSpaces=False) == once
        client.change(uri, 20, {"text": text})
        chosen = {"trimTrailingWhitespace": True, "insertFinalNewline": True}
        assert await formatted(client, uri, text, **chosen) == (
            "(list (list 1\n            2)   ; a\n\n      3)\n"
        )
        client.change(uri, 21, {"text": "(a)\n\n\n"})
        assert await formatted(client, uri, "(a)\n\n\n", trimFinalNewlines=True) == "(a)\n"


async def test_the_lines_that_are_chosen_are_indented(workspace: Path) -> None:
    text = "(progn\n(one)\n(two\n1)\n(three))\n"
    async with lsp(workspace) as client:
        uri = client.open(workspace / "a.lisp", text)
        edits = await client.of("rangeFormatting", uri, range=lines(1, 2), options=SPACES)
        assert after(text, edits) == "(progn\n  (one)\n(two\n1)\n(three))\n"
        text = "(progn\n  (one)\n  (two\n1)\n(three))\n"
        client.change(uri, 2, {"text": text})
        ranges = [lines(3, 3, 1), lines(4, 4, 1)]
        edits = await client.of("rangesFormatting", uri, ranges=ranges, options=SPACES)
        assert after(text, edits) == "(progn\n  (one)\n  (two\n   1)\n  (three))\n"
        assert await client.of("rangeFormatting", uri, range=lines(90, 99), options=SPACES) == []
        assert await client.of("rangeFormatting", uri, range=lines(3, 1), options=SPACES) == []


async def test_a_new_line_is_indented_when_it_is_begun(workspace: Path) -> None:
    text = '(defun f (x)\n (let ((y "\n"))\n\n'

    async def typed(line: int) -> str:
        place = {"position": {"line": line, "character": 0}, "ch": "\n", "options": SPACES}
        return after(text, await client.of("onTypeFormatting", uri, **place))

    async with lsp(workspace) as client:
        uri = client.open(workspace / "a.lisp", text)
        assert await typed(1) == text.replace("\n (let", "\n  (let")
        assert await typed(2) == text
        assert await typed(3) == '(defun f (x)\n (let ((y "\n"))\n   \n'
        assert await typed(99) == text


async def test_the_image_knows_the_bodies_of_macros(workspace: Path) -> None:
    (workspace / "macros.lisp").write_text("(defmacro from-workspace (x &body body) `(progn ,x ,@body))\n")
    text = "(from-image a\n    b\n(one)\n(two))\n(called-by-nobody a\n  b)\n"
    async with lsp(workspace, **TRUSTED) as client:
        uri = client.open(workspace / "a.lisp", text)
        # Nothing says what the operators are: what could be a body counts as one.
        assert await formatted(client, uri, text) == (
            "(from-image a\n            b\n            (one)\n            (two))\n(called-by-nobody a\n  b)\n"
        )
        code = (
            "(progn (defmacro from-image (x y &optional z &body body) `(list ,x ,y ,z ,@body))"
            " (defun called-by-nobody (a b) (list a b)))"
        )
        assert (await client.execute("lisp.eval", {"code": code}))["state"] == "done"
        assert await formatted(client, uri, text) == (
            "(from-image a\n    b\n    (one)\n  (two))\n(called-by-nobody a\n                  b)\n"
        )
        mine = "(from-workspace\n1\n(one))\n"
        client.change(uri, 2, {"text": mine})
        assert await formatted(client, uri, mine) == "(from-workspace\n    1\n  (one))\n"


async def test_what_is_no_lisp_has_no_indentation(workspace: Path) -> None:
    (workspace / "binary.lisp").write_bytes(b"\x00\xff(progn\n(one))")
    settings = "[lisp]\n   idleMinutes = 3\n"
    async with lsp(workspace) as client:
        uri = client.open(workspace / "descartes.toml", settings)
        assert await formatted(client, uri, settings) == settings
        with pytest.raises(LspError, match=r"binary\.lisp"):
            await client.of("formatting", (workspace / "binary.lisp").as_uri(), options=SPACES)

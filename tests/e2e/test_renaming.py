"""Renaming through a real server: one text, all texts, and what cannot be renamed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from descartes_server.ide.edits import Edit, applied
from descartes_server.ide.text import LineIndex
from support.lsp_client import LspClient, LspError, lsp
from support.until import answer_that

PACKAGE = "(defpackage #:zoo (:use #:cl) (:export #:feed))\n"
FIRST = (
    '(in-package :zoo)\n;; é😀 feed\n(defun feed (é😀) (list é😀 "feed"))\n(defun all () (feed 1) :feed)\n'
)
SECOND = "(in-package :cl-user)\n(defun day (feed) (zoo:feed 2) #'zoo::feed (car feed))\n"
OTHER = "(in-package :other)\n(defun feed ())\n(defstruct animal legs)\n(feed)\n"
PREVIEW = {
    "workspace": {
        "workspaceEdit": {"documentChanges": True, "changeAnnotationSupport": {"groupsOnLabel": True}}
    }
}


@pytest.fixture
def zoo(workspace: Path) -> Path:
    for name, text in (("package", PACKAGE), ("first", FIRST), ("second", SECOND), ("other", OTHER)):
        (workspace / f"{name}.lisp").write_text(text)
    return workspace


async def rename(client: LspClient, uri: str, line: int, character: int, new: str) -> Any:
    """Return the answer once the files of the workspace are known."""

    async def known() -> Any:
        try:
            return await client.at("rename", uri, line, character, newName=new)
        except LspError as error:
            if "still being looked through" not in str(error):
                raise
            return None

    return await answer_that(lambda edit: edit is not None, known, "the files are known")


def after(path: Path, edits: list[dict[str, Any]]) -> str:
    """Return the text of PATH with EDITS, whose places are UTF-16."""
    text = path.read_text()
    lines = LineIndex(text)

    def offset(place: dict[str, int]) -> int:
        start = lines.offset(place["line"], 0)
        units = text[start:].encode("utf-16-le")[: 2 * place["character"]]
        return start + len(units.decode("utf-16-le"))

    found = [Edit(offset(e["range"]["start"]), offset(e["range"]["end"]), e["newText"]) for e in edits]
    return applied(text, sorted(found, key=lambda each: each.start))


async def test_a_variable_is_renamed_in_its_form(zoo: Path) -> None:
    async with lsp(zoo) as client:
        uri = client.open(zoo / "first.lisp")
        assert await client.at("prepareRename", uri, 2, 24) == {
            "range": {"start": {"line": 2, "character": 24}, "end": {"line": 2, "character": 27}},
            "placeholder": "é😀",
        }
        edit = await client.at("rename", uri, 2, 24, newName="food")
        changed = FIRST.replace("(é😀) (list é😀", "(food) (list food")
        assert list(edit["changes"]) == [uri] and after(zoo / "first.lisp", edit["changes"][uri]) == changed
        with pytest.raises(LspError, match="'1x y'"):
            await client.at("rename", uri, 2, 24, newName="1x y")


async def test_a_function_is_renamed_in_all_texts_and_asked_about_where_that_is_uncertain(zoo: Path) -> None:
    (zoo / "guest.lisp").write_text("(in-package :guest)\n(feed 1)\n(zoo:feed 2)\n")
    async with lsp(zoo, capabilities=PREVIEW) as client:
        uri = client.open(zoo / "first.lisp", version=7)
        edit = await rename(client, uri, 3, 15, "nourish")
        ((mark, question),) = edit["changeAnnotations"].items()
        assert question["needsConfirmation"] and question["label"] == "May be another package's symbol"
        texts = {Path(each["textDocument"]["uri"][7:]).name: each for each in edit["documentChanges"]}
        assert texts["first.lisp"]["textDocument"]["version"] == 7
        assert {name: after(zoo / name, each["edits"]) for name, each in texts.items()} == {
            "package.lisp": PACKAGE.replace("#:feed", "#:nourish"),
            "first.lisp": FIRST.replace("(defun feed", "(defun nourish").replace("(feed 1)", "(nourish 1)"),
            "second.lisp": SECOND.replace("zoo:feed", "zoo:nourish").replace("zoo::feed", "zoo::nourish"),
            "guest.lisp": "(in-package :guest)\n(nourish 1)\n(zoo:nourish 2)\n",
        }
        marked = [(name, e["range"]["start"]["line"]) for name, each in texts.items() for e in each["edits"]
                  if e.get("annotationId") == mark]  # fmt: skip
        assert marked == [("guest.lisp", 1)]


async def test_what_keeps_its_name_is_said(zoo: Path) -> None:
    async with lsp(zoo) as client:
        uri = client.open(zoo / "first.lisp")
        package = client.open(zoo / "package.lisp")
        other = client.open(zoo / "other.lisp")
        edit = await rename(client, uri, 2, 8, "nourish")
        assert sorted(Path(each[7:]).name for each in edit["changes"]) == [
            "first.lisp", "package.lisp", "second.lisp"
        ]  # fmt: skip
        assert await rename(client, package, 0, 43, "nourish") == edit
        assert await client.at("prepareRename", uri, 1, 4) is None
        for place, new, reason in [
            ((2, 2), "x", "no text of this workspace defines 'defun'"),
            ((2, 20), "x", "no text of this workspace defines 'list'"),
            ((3, 24), "x", "':feed' is no symbol of a package here"),
            ((2, 8), "all", "'all' is defined in"),
            ((2, 8), "list", "'list' is a name of Common Lisp"),
        ]:
            with pytest.raises(LspError, match=reason):
                await client.at("rename", uri, *place, newName=new)
        with pytest.raises(LspError, match="'animal' names a structure"):
            await client.at("prepareRename", other, 2, 12)


async def test_the_places_of_a_variable_can_be_typed_into_together(zoo: Path) -> None:
    async with lsp(zoo) as client:
        uri = client.open(zoo / "first.lisp")
        linked = await client.at("linkedEditingRange", uri, 2, 25)
        assert [(each["start"]["line"], each["start"]["character"]) for each in linked["ranges"]] == [
            (2, FIRST.splitlines()[2].index("(é") + 1),
            (2, 24),
        ]
        assert await client.at("linkedEditingRange", uri, 2, 8) is None
        assert await client.at("linkedEditingRange", uri, 1, 4) is None


async def test_a_definition_is_exported_by_a_code_action(zoo: Path) -> None:
    literal = {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}}}

    async def offered(client: LspClient, uri: str, line: int, character: int) -> list[dict[str, Any]]:
        place = {"line": line, "character": character}
        context = {"diagnostics": [], "only": ["refactor"]}
        found: list[dict[str, Any]] = await client.of(
            "codeAction", uri, range={"start": place, "end": place}, context=context
        )
        return found

    async with lsp(zoo, capabilities={"textDocument": {"codeAction": literal}}) as client:
        uri = client.open(zoo / "first.lisp")
        (action,) = await answer_that(bool, lambda: offered(client, uri, 3, 8), "the package is known")
        assert (action["title"], action["kind"]) == ("Export all from zoo", "refactor.rewrite")
        package = zoo / "package.lisp"
        exported = PACKAGE.replace("#:feed", "#:feed #:all")
        assert after(package, action["edit"]["changes"][package.as_uri()]) == exported
        # The editor's text of the package counts, not the one on disk.
        client.open(package, exported)
        (action,) = await offered(client, uri, 3, 8)
        assert action["title"] == "Do not export all from zoo"
        assert await offered(client, uri, 3, 1) == [] and await offered(client, uri, 0, 14) == []
        text = "(in-package :zoo)\n(bar:sip #'bar:sip)\n"
        other = client.open(zoo / "sip.lisp", text)
        (action,) = await offered(client, other, 1, 3)
        assert action["title"] == "Import sip into zoo"
        changes = action["edit"]["changes"]
        assert after(package, changes[package.as_uri()]) == PACKAGE.replace(
            " (:export", "\n  (:import-from #:bar #:sip) (:export"
        )
        assert sorted(each["range"]["start"]["character"] for each in changes[other]) == [1, 11]
        span = {"start": {"line": 2, "character": 18}, "end": {"line": 2, "character": 35}}
        context = {"diagnostics": [], "only": ["refactor.extract"]}
        (action,) = await client.of("codeAction", uri, range=span, context=context)
        assert (action["title"], action["kind"]) == ("Extract to a function", "refactor.extract")
        assert after(zoo / "first.lisp", action["edit"]["changes"][uri]) == FIRST.replace(
            '(list é😀 "feed")', "(extracted é😀)"
        ).replace(";; é😀 feed", '(defun extracted (é😀)\n  (list é😀 "feed"))\n\n;; é😀 feed')
        # A package that the workspace does not define, and one whose file has just gone.
        assert await offered(client, client.open(zoo / "other.lisp"), 1, 8) == []
        client.notify("textDocument/didClose", {"textDocument": {"uri": package.as_uri()}})
        package.unlink()
        assert await offered(client, uri, 3, 8) == []


async def test_a_variable_and_a_call_are_inlined_by_code_actions(zoo: Path) -> None:
    literal = {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}}}
    text = "(in-package :zoo)\n(defun two (x)\n  (let ((é😀 (feed x)))\n    (list é😀)))\n"
    third = zoo / "third.lisp"
    third.write_text(text)

    async with lsp(zoo, capabilities={"textDocument": {"codeAction": literal}}) as client:
        uri = client.open(third)

        async def offered(line: int, character: int) -> list[dict[str, Any]]:
            place = {"line": line, "character": character}
            context = {"diagnostics": [], "only": ["refactor.inline"]}
            found: list[dict[str, Any]] = await client.of(
                "codeAction", uri, range={"start": place, "end": place}, context=context
            )
            return found

        (action,) = await answer_that(bool, lambda: offered(2, 16), "the function is known")
        assert (action["title"], action["kind"]) == ("Inline this call of feed", "refactor.inline")
        assert after(third, action["edit"]["changes"][uri]) == text.replace(
            "(feed x)", '(let ((é😀 x))\n              (list é😀 "feed"))'
        )
        (action,) = await offered(3, 11)
        assert action["title"] == "Inline é😀"
        assert after(third, action["edit"]["changes"][uri]) == (
            "(in-package :zoo)\n(defun two (x)\n  (list (feed x)))\n"
        )
        # What the editor shows of the function counts, not the file.
        client.open(zoo / "first.lisp", FIRST.replace('"feed"', "1"))
        (action,) = await offered(2, 16)
        assert "(list é😀 1))" in after(third, action["edit"]["changes"][uri])
        assert await offered(0, 0) == [] and await offered(1, 8) == []

"""Classes, methods, types and declarations through a real server, with an image and without one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.lsp_client import LspClient, LspError, lsp
from support.places import Places
from support.shapes import FILES, places, write_shapes
from support.until import answer_that

TRUSTED: dict[str, Any] = {"initializationOptions": {"trusted": True}}
LINKS = {"textDocument": {each: {"linkSupport": True} for each in
                          ("definition", "implementation", "declaration", "typeDefinition")}}  # fmt: skip
AREA = {
    "tree 6: :method",
    "tree 7: area",
    "tree 8: Area",
    "tree 10: (setf area)",
    "guest 2: area",
    "other 5: shapes:area",
}

SHAPES = {"tree 3: circle", "tree 4: square", "tree 5: tiny-square", "guest 1: mine"}
IMPLEMENTED = [
    (("tree", "defgeneric area"), "area", AREA),
    (("tree", "(setf area) (new (s"), "area", AREA),
    (("guest", "defmethod area"), "area", AREA),
    (("other", "defgeneric area"), "area", {"other 4: area"}),
    (("tree", ":accessor radius"), "radius", {"tree 3: radius"}),
    (("tree", "class shape"), "shape", SHAPES),
    (("tree", "(SHAPE)"), "SHAPE", SHAPES),
    (("guest", "shapes:shape"), "", SHAPES),
    (("other", "(shape)"), "shape", {"other 2: alien"}),
    (("mixed", "(shape)"), "shape", {"mixed 2: cube"}),
    (("guest", "|Shape|"), "", {"guest 4: |Round|"}),
    (("tree", "(:include point)"), "point", {"tree 14: point-3d"}),
    (("tree", "(error)"), "error", {"tree 11: bad-shape", "tree 12: worse-shape"}),
    (("tree", "tiny-square"), "", set()),
]

DECLARED = [
    (("tree", "(twice (area"), "twice", {"tree 16: twice"}),
    (("tree", "(area *best*"), "*best*", {"tree 16: *best*"}),
    (("tree", "(area *best*"), "area", {"tree 6: area", "tree 9: (setf area)"}),
    (("guest", "defmethod area"), "area", {"tree 6: area", "tree 9: (setf area)"}),
    (("other", "defmethod area"), "area", {"other 3: area"}),
    (("tree", "(list x (made)"), "made", {"packages 0: made"}),
    (("guest", "shapes:shape"), "", {"packages 0: shape"}),
    (("other", "defclass shape"), "shape", {"other 1: shape"}),
    (("tree", "(list x (made)"), "x", {"tree 21: x"}),
]

TYPED = [
    (("tree", " s))\r\n(defmethod Area"), "s", {"tree 3: circle"}),
    (("tree", "(side s)"), "side", {"tree 15: len"}),
    (("tree", ":accessor side"), "side", {"tree 15: len"}),
    (("tree", "(area *best*"), "*best*", {"tree 2: shape"}),
    (("tree", "(quote square)"), "square", {"tree 4: square"}),
    (("tree", "class circle"), "circle", {"tree 3: circle"}),
    (("tree", "((of"), "of", {"tree 2: shape"}),
    (("tree", "(x 0"), "x", {"tree 15: len"}),
    (("tree", ":type len"), "len", {"tree 15: len"}),
    (("guest", "(s mine)) 7"), "s", {"guest 1: mine"}),
    (("guest", "(|Shape|"), "|Shape|", {"guest 3: |Shape|"}),
    (("guest", "shapes:shape"), "", {"tree 2: shape"}),
    (("other", "((x alien)) 1"), "x", {"other 2: alien"}),
    (("other", "(shape)"), "shape", {"other 1: shape"}),
    (("tree", "(list x (made)"), "x", set()),
    (("tree", "(mapcar"), "mapcar", set()),
]

HIERARCHY = [
    (("tree", "class square"), "square", {"tree 2: shape"}, {"tree 5: tiny-square"}),
    (("tree", "(square)"), "square", {"tree 2: shape"}, {"tree 5: tiny-square"}),
    (("guest", "shapes:shape"), "", set(), {"tree 3: circle", "tree 4: square", "guest 1: mine"}),
    (("other", "(shape)"), "shape", set(), {"other 2: alien"}),
    (("mixed", "class cube"), "cube", {"mixed 1: shape"}, set()),
    (("guest", "(|Shape|"), "|Shape|", set(), {"guest 4: |Round|"}),
    (("tree", "(bad-shape)"), "bad-shape", set(), {"tree 12: worse-shape"}),
    (("tree", "(:include point)"), "point", set(), {"tree 14: point-3d"}),
    (("tree", "(point-3d"), "point-3d", {"tree 13: point"}, set()),
]


@pytest.fixture
def shapes(workspace: Path) -> Path:
    return write_shapes(workspace)


class Looking:
    """The program in an editor, by the words that stand in its texts."""

    def __init__(self, client: LspClient, root: Path) -> None:
        self.client, self.root = client, root

    async def ask(self, method: str, file: str, words: str, into: str = "") -> Any:
        at = places(file).at(words, into)
        uri = (self.root / f"{file}.lisp").as_uri()
        return await self.client.at(method, uri, at["line"], at["character"])

    async def known(self) -> None:
        """Return when the server has looked through all files."""
        await answer_that(
            lambda found: len(found) == len(AREA),
            lambda: self.ask("implementation", "tree", "defgeneric area", "area"),
            "the files are known",
        )

    async def shown(self, method: str, file: str, words: str, into: str = "") -> set[str]:
        """Return the answer as texts of the places of the answer, each of which is named once."""
        found = await self.ask(method, file, words, into)
        shown = [_shown(each["uri"], each["range"]) for each in found]
        own = [each for each in shown if ":" in each]
        assert len(set(own)) == len(own)
        return set(shown)

    async def load(self) -> None:
        for name in ("packages", "tree", "guest", "other", "mixed"):
            uri = (self.root / f"{name}.lisp").as_uri()
            answer = await self.client.execute("lisp.compileFile", {"uri": uri})
            assert answer["success"], answer


def _shown(uri: str, range_: Any) -> str:
    """Return `file line: text` of a place, whose lines count from 0; of other files the name alone."""
    name = Path(uri).stem
    if name not in FILES:
        return name
    return f"{name} {range_['start']['line']}: {places(name).covered(range_)}"


async def test_methods_and_subclasses(shapes: Path) -> None:
    """Without an image and with one the answers are the same: what both know is named once."""
    async with lsp(shapes, **TRUSTED) as client:
        look = Looking(client, shapes)
        client.open(shapes / "tree.lisp")
        await look.known()
        for loaded in (False, True):
            if loaded:
                await look.load()
            for at, into, expected in IMPLEMENTED:
                found = await look.shown("implementation", *at, into)
                assert found >= expected, (loaded, at, expected - found)
                assert at[1] == "(error)" or found == expected, (loaded, at, found - expected)


async def test_what_is_typed_moves_and_takes_away_what_the_image_knows(shapes: Path) -> None:
    async with lsp(shapes, capabilities=LINKS, **TRUSTED) as client:
        look = Looking(client, shapes)
        uri = client.open(shapes / "tree.lisp")
        await look.load()
        client.open(shapes / "guest.lisp", FILES["guest"].replace("(defmethod area ((s mine)) 7)", ""))
        changed = (
            FILES["tree"].replace("(defmethod Area", "\r\n;; é\r\n(defmethod Area").replace("(radius s)", "7")
        )
        client.change(uri, 2, {"text": changed})
        await answer_that(lambda found: len(found) == 5, lambda: ask_area(look), "the files are known")
        links = await ask_area(look)
        now = Places(changed, "utf-16")
        own = [each for each in links if each["targetUri"] == uri]
        assert [now.covered(each["targetSelectionRange"]) for each in own] == [
            ":method", "area", "Area", "(setf area)"
        ]  # fmt: skip
        assert now.covered(own[2]["targetRange"]).startswith("(defmethod Area :around")
        assert all(now.covered(each["originSelectionRange"]) == "area" for each in links)


async def test_a_definition_is_a_link_to_its_whole_form(shapes: Path) -> None:
    text = "(defun f (é😀)\n  é😀)\n(f 1)"
    async with lsp(shapes, capabilities=LINKS) as client:
        uri, now = client.open(shapes / "new.lisp", text), Places(text, "utf-16")
        (link,) = await client.at("definition", uri, 2, 1)
        assert [now.covered(link[each]) for each in ("originSelectionRange", "targetSelectionRange")] == [
            "f", "f"
        ]  # fmt: skip
        assert (link["targetUri"], now.covered(link["targetRange"])) == (uri, text[: text.index("\n(f")])


async def ask_area(look: Looking) -> Any:
    return await look.ask("implementation", "tree", "defgeneric area", "area")


async def test_a_macro_a_function_and_what_is_nothing(shapes: Path) -> None:
    text = '"é😀" (defmacro twice😀 (x) `(+ ,x ,x))\r\n(defun f (x) (twice😀 x))\r\n(f 1) ("é'
    async with lsp(shapes) as client:
        uri = client.open(shapes / "new.lisp", text)
        for at, expected in (((1, 15), "0:16-23"), ((1, 23), "1:10-11"), ((2, 1), "1:7-8")):
            (place,) = await client.at("implementation", uri, *at)
            start, end = place["range"]["start"], place["range"]["end"]
            assert f"{start['line']}:{start['character']}-{end['character']}" == expected
        for at in ((0, 1), (2, 9), (99, 0)):
            assert await client.at("implementation", uri, *at) == []
        with pytest.raises(LspError, match="nowhere"):
            await client.at("implementation", "file:///nowhere.lisp", 0, 0)
        settings = client.open(shapes / "descartes.toml", "[hub]\nshape = 1\n")
        assert await client.at("implementation", settings, 1, 1) == []


async def test_declarations(shapes: Path) -> None:
    async with lsp(shapes, **TRUSTED) as client:
        look = Looking(client, shapes)
        client.open(shapes / "tree.lisp")
        client.open(shapes / "packages.lisp")
        await look.known()
        for loaded in (False, True):
            if loaded:
                await look.load()
            for at, into, expected in DECLARED:
                assert await look.shown("declaration", *at, into) == expected, (loaded, at)


async def test_a_declaration_is_a_link_and_follows_what_is_typed(shapes: Path) -> None:
    async with lsp(shapes, capabilities=LINKS) as client:
        look = Looking(client, shapes)
        uri = client.open(shapes / "tree.lisp")
        await look.known()
        changed = FILES["tree"].replace("(declaim", ';; é\r\n"😀" (declaim')
        client.change(uri, 2, {"text": changed})
        now = Places(changed, "utf-16")
        at = now.at("(twice (area", "twice")
        (link,) = await client.at("declaration", uri, at["line"], at["character"])
        assert now.covered(link["targetSelectionRange"]) == "twice"
        assert link["targetSelectionRange"] == now.range("(inline twice", "twice")
        assert now.covered(link["targetRange"]).startswith("(declaim (inline")
        assert now.covered(link["originSelectionRange"]) == "twice"
        client.change(uri, 3, {"text": '(defun f () 1)\n(f "é" ('})
        (link,) = await client.at("declaration", uri, 1, 1)
        assert link["targetSelectionRange"]["start"] == {"line": 0, "character": 7}
        assert await client.at("declaration", uri, 1, 5) == []
        assert await client.at("declaration", uri, 99, 0) == []
        with pytest.raises(LspError, match="nowhere"):
            await client.at("declaration", "file:///nowhere.lisp", 0, 0)


async def test_types_of_places(shapes: Path) -> None:
    async with lsp(shapes, **TRUSTED) as client:
        look = Looking(client, shapes)
        for name in ("tree", "guest", "other"):
            client.open(shapes / f"{name}.lisp")
        await look.known()
        for loaded in (False, True):
            if loaded:
                await look.load()
            for at, into, expected in TYPED:
                found = await look.shown("typeDefinition", *at, into)
                assert {each for each in found if ":" in each} == expected, (loaded, at)


async def test_types_of_what_is_typed(shapes: Path) -> None:
    text = (
        "(in-package :shapes)\r\n"
        '(defun f (é😀) (declare (type (or null own) é😀)) "é😀" (g é😀))\r\n'
        "(defclass own () ())\r\n(defvar *own* (make-instance 'own))\r\n(h *own* \"("
    )
    async with lsp(shapes, capabilities=LINKS) as client:
        uri = client.open(shapes / "new.lisp", text)
        now = Places(text, "utf-16")
        for words, into in (("(g é😀", "é😀"), ("(h *own*", "*own*"), ("'own", "own")):
            at = now.at(words, into)
            (link,) = await client.at("typeDefinition", uri, at["line"], at["character"])
            assert link["targetSelectionRange"] == now.range("(defclass own", "own")
            assert now.covered(link["targetRange"]) == "(defclass own () ())"
            assert now.covered(link["originSelectionRange"]) == into
        for at in (now.at("(g é😀", "g"), now.at('"é😀"', "é"), {"line": 99, "character": 0}):
            assert await client.at("typeDefinition", uri, at["line"], at["character"]) == []
        with pytest.raises(LspError, match="nowhere"):
            await client.at("typeDefinition", "file:///nowhere.lisp", 0, 0)


async def test_the_type_hierarchy(shapes: Path) -> None:
    async with lsp(shapes, **TRUSTED) as client:
        look = Looking(client, shapes)
        for name in FILES:
            client.open(shapes / f"{name}.lisp")
        await look.known()
        for loaded in (False, True):
            if loaded:
                await look.load()
            for at, into, above, below in HIERARCHY:
                (item,) = await look.ask("prepareTypeHierarchy", *at, into)
                assert await related(client, "supertypes", item) == above, (loaded, at)
                assert await related(client, "subtypes", item) == below, (loaded, at)
            (error,) = await look.ask("prepareTypeHierarchy", "tree", "(error)", "error")
            assert _shown(error["uri"], error["selectionRange"]) == "tree 11: error"
            below = await related(client, "subtypes", error)
            assert "tree 11: bad-shape" in below and "tree 12: worse-shape" not in below
            for words in ("(type (or", "twice", "(mapcar", "pt-"):
                at = words.strip("(")
                assert await look.ask("prepareTypeHierarchy", "tree", words, at) is None, (loaded, words)
        (circle,) = await look.ask("prepareTypeHierarchy", "tree", "class circle", "circle")
        assert (circle["name"], circle["detail"]) == ("circle", "shapes")
        assert places("tree").covered(circle["range"]).startswith("(defclass circle (SHAPE)")


async def test_the_hierarchy_of_what_is_typed_and_of_what_only_the_image_knows(
    shapes: Path, isolated_environment: Path
) -> None:
    elsewhere = isolated_environment / "elsewhere.lisp"
    elsewhere.write_text(
        "(defpackage :far (:use :cl :shapes))\n(in-package :far)\n(defclass middle (shape) ())\n"
        "(defmethod area ((s middle)) 3)\n"
    )
    async with lsp(shapes, **TRUSTED) as client:
        look = Looking(client, shapes)
        uri = client.open(shapes / "tree.lisp")
        await look.load()
        assert (await client.execute("lisp.compileFile", {"uri": elsewhere.as_uri()}))["success"]
        (shape,) = await look.ask("prepareTypeHierarchy", "tree", "class shape", "shape")
        assert "elsewhere" in await related(client, "subtypes", shape)
        assert "elsewhere" in await look.shown("implementation", "tree", "class shape", "shape")
        assert "elsewhere" in await look.shown("implementation", "tree", "defgeneric area", "area")
        changed = FILES["tree"].replace("(defclass square (shape)", ";; 😀\r\n(defclass square (circle)")
        client.change(uri, 2, {"text": changed})
        found = await client.request("typeHierarchy/subtypes", {"item": shape})
        assert "square" not in {each["name"] for each in found}
        (middle,) = [each for each in found if each["name"] == "middle"]
        assert middle["uri"] == elsewhere.as_uri() and middle["range"]["start"]["line"] == 2
        (above,) = await client.request("typeHierarchy/supertypes", {"item": middle})
        assert above["selectionRange"] == shape["selectionRange"]
        now = Places(changed, "utf-16")
        (circle,) = [each for each in found if each["name"] == "circle"]
        (square,) = await client.request("typeHierarchy/subtypes", {"item": circle})
        assert now.covered(square["selectionRange"]) == "square"
        assert square["selectionRange"] == now.range("(defclass square", "square")


async def test_items_that_were_never_given(shapes: Path) -> None:
    async with lsp(shapes) as client:
        look = Looking(client, shapes)
        client.open(shapes / "tree.lisp")
        (item,) = await look.ask("prepareTypeHierarchy", "tree", "class shape", "shape")
        for method in ("supertypes", "subtypes"):
            for data in (None, 7, "shape", [], {}, {"name": 1, "package": "x"}, {"name": "shape"}):
                with pytest.raises(LspError, match="prepare it again"):
                    await client.request(f"typeHierarchy/{method}", {"item": {**item, "data": data}})
            for name, package in (("", ""), ("(", "|"), ("::", '"'), ("nothing", "nowhere"), ("|", "#:")):
                data = {"name": name, "package": package}
                answer = await client.request(f"typeHierarchy/{method}", {"item": {**item, "data": data}})
                assert answer == []
        uri = client.open(shapes / "new.lisp", "(defclass a (b (\n")
        (above,) = await client.at("prepareTypeHierarchy", uri, 0, 10)
        assert above["name"] == "a"
        assert await client.at("prepareTypeHierarchy", uri, 9, 9) is None
        with pytest.raises(LspError, match="nowhere"):
            await client.at("prepareTypeHierarchy", "file:///nowhere.lisp", 0, 0)


async def related(client: LspClient, relation: str, item: Any) -> set[str]:
    found = await client.request(f"typeHierarchy/{relation}", {"item": item})
    return {_shown(each["uri"], each["selectionRange"]) for each in found}

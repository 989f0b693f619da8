"""What implements a name, as far as texts tell: methods, accessors, subclasses."""

from __future__ import annotations

import pytest

from descartes_server.ide import class_tree, implementations
from descartes_server.ide.index import Entry, WorkspaceIndex, definitions_of_text
from descartes_server.ide.overlay import Overlay
from descartes_server.ide.syntax import parse
from support.cursor import cursor
from support.shapes import FILES


def overlay_of(opened: dict[str, str] | None = None) -> Overlay:
    """Return the program, with the texts OPENED in place of the files of these names."""
    index = WorkspaceIndex()
    for name, text in FILES.items():
        index.update(name, text)
    texts = {name: definitions_of_text(parse(text)) for name, text in (opened or {}).items()}
    return Overlay(index, texts, set(texts))


def drawn(entries: list[Entry] | None) -> set[str] | None:
    return None if entries is None else {f"{each.name} {each.detail}".strip() for each in entries}


def methods(text: str, package: str, opened: dict[str, str] | None = None) -> set[str] | None:
    found = implementations.methods(overlay_of(opened), text, package)
    return None if found is None else {f"{each.name} {each.detail[:24]}" for each in found}


AREA = {
    "area ((s shape))",
    "area ((s circle))",
    "Area :around ((s square))",
    "(setf area) (new (s square))",
    "area ((s mine))",
    "shapes:area ((x alien))",
}


@pytest.mark.parametrize(
    ("text", "package", "expected"),
    [
        ("area", "#:shapes", AREA),
        ("AREA", ":Shapes", AREA),
        ("shapes::area", "cl-user", AREA),
        ("area", ":guest", AREA),
        ("area", ":other", {"area ((x alien))"}),
        ("side", "shapes", {"side :initarg :side :accessor"}),
        ("pt-x", "shapes", {"x 0 :type len"}),
        ("print-object", "shapes", None),
        ("mapcar", "shapes", None),
        ("nothing", "shapes", None),
    ],
)
def test_methods(text: str, package: str, expected: set[str] | None) -> None:
    assert methods(text, package) == expected


def test_the_open_text_counts_in_place_of_its_file() -> None:
    changed = {"guest": "\n\n(in-package :guest)\n(defmethod area ((s other-one)) 7"}
    assert methods("area", "shapes", changed) == AREA - {"area ((s mine))"} | {"area ((s other-one))"}


@pytest.mark.parametrize(
    ("text", "package", "expected"),
    [
        ("shape", "shapes", {"circle", "square", "tiny-square", "mine"}),
        ("SHAPE", ":guest", {"circle", "square", "tiny-square", "mine"}),
        ("shape", "other", {"alien"}),
        ("shape", '"Mixed"', {"cube"}),
        ("|Shape|", "guest", {"|Round|"}),
        ("error", "shapes", {"bad-shape", "worse-shape"}),
        ("cl:error", "other", {"bad-shape", "worse-shape"}),
        ("point", "shapes", {"point-3d"}),
        ("tiny-square", "shapes", set()),
        ("len", "shapes", None),
        ("nothing", "shapes", None),
        ("cl:shape", "shapes", None),
    ],
)
def test_subclasses(text: str, package: str, expected: set[str] | None) -> None:
    found = class_tree.related(overlay_of(), text, package, "descendants")
    assert (None if found is None else {each.name for each in found}) == expected


def test_classes_in_a_circle() -> None:
    overlay = overlay_of({"tree": "(defclass a (b) ())\n(defclass b (a) ((x)))\n(defclass c (c c) ("})
    found = class_tree.related(overlay, "a", "cl-user", "descendants")
    assert found is not None and [each.name for each in found] == ["b", "a"]
    above = class_tree.related(overlay, "c", "cl-user", "supertypes")
    assert above is not None and {each.name for each in above} == {"c"}


@pytest.mark.parametrize(
    ("fixture", "expected"),
    [
        ("(ar$0ea s)", {"function", "class"}),
        ("#'ar$0ea", {"function"}),
        ("(defclass sh$0ape ())", {"class"}),
        ("(defmethod ar$0ea ((s shape)))", {"function"}),
        ("(defmethod area ((s sha$0pe)))", {"function", "class"}),
        ("(defun f (area) ar$0ea)", set()),
        ("(f :ar$0ea)", set()),
    ],
)
def test_senses(fixture: str, expected: set[str]) -> None:
    text, offset = cursor(fixture)
    syntax = parse(text)
    symbol = syntax.symbol_at(offset)
    assert symbol is not None and implementations.senses(syntax, symbol) == expected

"""Definitions in a tile: which form defines what, where its name stands, its lambda list and its parts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from descartes_server.ide.relations import Relations, of_definition, of_slot
from descartes_server.ide.roles import base_name, lambda_list_index
from descartes_server.ide.segments import Segment
from descartes_server.ide.tree import Node, bare, text_of, tree

KINDS = {
    "defun": "function",
    "defmacro": "macro",
    "define-compiler-macro": "compiler-macro",
    "define-modify-macro": "macro",
    "define-symbol-macro": "symbol-macro",
    "defgeneric": "generic",
    "defmethod": "method",
    "defvar": "variable",
    "defparameter": "variable",
    "defglobal": "variable",
    "defconstant": "constant",
    "define-constant": "constant",
    "defclass": "class",
    "defstruct": "structure",
    "define-condition": "condition",
    "deftype": "type",
    "defpackage": "package",
    "define-package": "package",
    "defsystem": "system",
    "defsetf": "setf",
    "define-setf-expander": "setf",
    "define-method-combination": "method-combination",
    "defreadtable": "readtable",
    "deftest": "test",
    "test": "test",
    "define-test": "test",
    "in-package": "form",
}
"""Kind of definition by operator; other operators are judged by their name."""

_HINTS = (
    ("macro", "macro"), ("generic", "generic"), ("method", "method"), ("class", "class"),
    ("struct", "structure"), ("condition", "condition"), ("error", "condition"), ("constant", "constant"),
    ("package", "package"), ("system", "system"), ("test", "test"), ("var", "variable"),
    ("parameter", "variable"), ("type", "type"), ("fun", "function"), ("routine", "function"),
    ("interface", "function"), ("implementation", "function"), ("slime", "function"), ("inline", "function"),
)  # fmt: skip
_DEFINER = re.compile(r"def(?!ault|er$|erred|late|initely)|define-")
_SPACE = re.compile(r"\s+")
_DETAIL_LIMIT = 200
_DEPTH = 6


@dataclass(frozen=True, slots=True)
class Definition:
    """One defining form or part of one, offsets from the tile's start; KIND `form` defines nothing."""

    operator: str
    name: str
    kind: str
    start: int
    end: int
    name_start: int
    name_end: int
    detail: str
    children: tuple[Definition, ...] = ()
    documentation: str = ""
    related: Relations = ()


def form_of(segment: Segment) -> Definition | None:
    """Return the tile's own form, also when it defines nothing (kind `form`); None for a tile without one."""
    root = tree(segment)
    if root is None:
        return None
    if "form" not in segment.memory:
        form = _definition(segment, root) or _plain(segment, root)
        if segment.stack:  # what follows an unclosed form up to the next one is not part of it
            form = replace(form, end=segment.lexemes[-1][2])
        segment.memory["form"] = form
    found: Definition = segment.memory["form"]
    return found


def definitions_of(segment: Segment) -> tuple[Definition, ...]:
    """Return the definitions of the tile in order, with those in `eval-when`, `progn` and so on."""
    if "definitions" not in segment.memory:
        form = form_of(segment)
        root = tree(segment)
        if form is None or root is None or _quoted(segment, form):
            segment.memory["definitions"] = ()
        elif form.kind != "form":
            segment.memory["definitions"] = (form,)
        else:
            segment.memory["definitions"] = tuple(_nested(segment, root))
    found: tuple[Definition, ...] = segment.memory["definitions"]
    return found


def _quoted(segment: Segment, form: Definition) -> bool:
    return segment.text[max(0, form.start - 1) : form.start] == "'" or base_name(form.operator) == "quote"


def kind_of(operator: str) -> str | None:
    """Return the kind that a form with OPERATOR defines, None when it is no definition.

    Example: kind_of("define-my-class") -> "class"
    """
    if operator in KINDS:
        return KINDS[operator]
    if not _DEFINER.match(operator):
        return None
    return next((kind for hint, kind in _HINTS if hint in operator), "definition")


def _nested(segment: Segment, root: Node) -> Iterator[Definition]:
    pending = [(node, 1) for node in reversed(root.data)]
    while pending:
        node, depth = pending.pop()
        if node.kind != "list":
            continue
        found = _definition(segment, node)
        if found is not None and found.kind != "form":
            yield found
        if (found is None or found.kind == "form" or node.start in segment.stack) and depth < _DEPTH:
            pending.extend((child, depth + 1) for child in reversed(node.data))


def _plain(segment: Segment, root: Node) -> Definition:
    data = root.data
    operator = text_of(segment, data[0]) if data and data[0].kind == "symbol" else ""
    end = data[0].end if operator else root.start + 1
    return Definition(
        operator, "", "form", root.start, root.end, data[0].start if operator else root.start, end, ""
    )


def _definition(segment: Segment, node: Node) -> Definition | None:
    data = node.data
    if len(data) < 2 or data[0].kind != "symbol":
        return None
    operator = text_of(segment, data[0])
    base = base_name(operator)
    kind = kind_of(base)
    if kind is None or operator.startswith(":") or (base == "test" and data[1].kind != "symbol"):
        return None
    named = _name_node(segment, bare(data[1]))
    if named is None:
        return None
    return Definition(
        operator,
        _name(segment, named, kind),
        "form" if kind == "form" else "setf" if kind == "function" and named.kind == "list" else kind,
        node.start,
        node.end,
        named.start,
        named.end,
        _detail(segment, base, data),
        tuple(_parts(segment, base, kind, data)),
        _documentation(segment, base, kind, data),
        of_definition(segment, kind, data),
    )


def _name_node(segment: Segment, node: Node) -> Node | None:
    """The name is a symbol, a string, `(setf place)` as a whole, or the first symbol of `(name option…)`."""
    if node.kind in ("symbol", "string", "number", "character"):
        return node
    if node.kind != "list" or not node.data:
        return None
    first = bare(node.data[0])
    if first.kind == "symbol" and base_name(text_of(segment, first)) == "setf":
        return node
    return _name_node(segment, first)


def _name(segment: Segment, node: Node, kind: str) -> str:
    text = text_of(segment, node)
    if node.kind == "string":
        return text[1:-1]
    if node.kind == "list":
        return _SPACE.sub(" ", text)
    if kind in ("package", "system", "form"):
        text = text.removeprefix("#").removeprefix(":")
    return text


def _detail(segment: Segment, base: str, data: tuple[Node, ...]) -> str:
    index = lambda_list_index(base, data)
    if base in ("defclass", "define-condition", "defgeneric"):
        parts = data[2:3]
    elif index is None:
        return ""
    else:
        parts = data[2 : index + 1]
        if any(part.kind == "string" for part in parts):
            return ""
    words = " ".join(_SPACE.sub(" ", text_of(segment, part)) for part in parts)
    return words if len(words) <= _DETAIL_LIMIT else words[: _DETAIL_LIMIT - 1] + "…"


def _parts(segment: Segment, base: str, kind: str, data: tuple[Node, ...]) -> Iterator[Definition]:
    name = data[1]
    if kind in ("class", "condition"):
        slots = data[3].data if len(data) > 3 and data[3].kind == "list" else ()
    elif kind == "structure":
        slots = data[2:]
    elif kind == "generic":
        yield from _methods(segment, data)
        return
    else:
        return
    for slot in slots:
        named = slot.data[0] if slot.kind == "list" and slot.data else slot
        if named.kind == "symbol" and not text_of(segment, named).startswith(":"):
            detail = " ".join(_SPACE.sub(" ", text_of(segment, part)) for part in slot.data[1:])
            yield Definition(
                base,
                text_of(segment, named),
                "slot",
                slot.start,
                slot.end,
                named.start,
                named.end,
                detail,
                related=of_slot(segment, kind, name, slot),
            )


def _methods(segment: Segment, data: tuple[Node, ...]) -> Iterator[Definition]:
    for option in data[3:]:
        parts = option.data if option.kind == "list" else ()
        if parts and text_of(segment, parts[0]).lower() == ":method":
            index = next((at for at, part in enumerate(parts) if part.kind == "list"), len(parts) - 1)
            detail = " ".join(_SPACE.sub(" ", text_of(segment, part)) for part in parts[1 : index + 1])
            name = text_of(segment, bare(data[1]))
            yield Definition(
                ":method", name, "method", option.start, option.end, parts[0].start, parts[0].end, detail
            )


def _documentation(segment: Segment, base: str, kind: str, data: tuple[Node, ...]) -> str:
    """The documentation string that stands where the kind of definition has it; unescaped."""
    if kind in ("variable", "constant", "symbol-macro"):
        candidates = data[3:4]
    elif kind in ("class", "condition", "generic", "package"):
        candidates = tuple(
            option.data[1]
            for option in data[2:]
            if option.kind == "list"
            and len(option.data) > 1
            and text_of(segment, option.data[0]).lower() == ":documentation"
        )
    elif kind == "structure":
        candidates = data[2:3]
    else:
        index = lambda_list_index(base, data)
        candidates = data[index + 1 : index + 2] if index is not None and len(data) > index + 2 else ()
    if not candidates or candidates[0].kind != "string":
        return ""
    return re.sub(r"\\(.)", r"\1", text_of(segment, candidates[0])[1:-1], flags=re.DOTALL)

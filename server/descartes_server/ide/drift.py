"""Definitions held against what the image has loaded: which text is new, which old, which is not there.

A definition's text is its digest: of its words, without comments and white space, in the package in force.
What the image has is the caller's to find out. Digests are kept with the tiles, so that after a keystroke
only one form is read again.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal, Protocol

from descartes_server.ide.forms import Definition, definitions_of, form_of, kind_of
from descartes_server.ide.roles import base_name, lambda_list_index
from descartes_server.ide.segments import Segment
from descartes_server.ide.syntax import Syntax
from descartes_server.ide.tree import Node, text_of, tree

__all__ = [
    "Has",
    "Space",
    "State",
    "Unit",
    "kind_of",
    "state",
    "states",
    "to_load",
    "units_in",
    "units_of_form",
]

State = Literal["loaded", "changed", "missing", "unknown"]
Space = Literal["function", "method", "compiler-macro", "setf", "variable", "type", "package", "other"]

_SPACES: Mapping[str, Space] = {
    "function": "function",
    "macro": "function",
    "generic": "function",
    "method": "method",
    "compiler-macro": "compiler-macro",
    "symbol-macro": "variable",
    "variable": "variable",
    "constant": "variable",
    "class": "type",
    "structure": "type",
    "condition": "type",
    "type": "type",
    "package": "package",
}
_STANDARD_OPERATORS = """
defun defmacro defgeneric defmethod define-modify-macro define-compiler-macro define-symbol-macro defvar
defparameter defconstant defglobal defclass defstruct define-condition deftype defpackage defsetf
define-setf-expander define-setf-method define-constant define-package
"""
_STANDARD = frozenset(_STANDARD_OPERATORS.split())
"""The operators that define what their name says; what others define is known by their own mark only."""
_DEFVAR = re.compile(r"\((?:cl::?|common-lisp::?)?defvar\s", re.IGNORECASE)
_KEEPING = frozenset({"defvar", "defglobal"})
_TRANSPARENT = frozenset({"progn", "eval-when"})
_LEFT_OUT = frozenset({"system", "form", "slot"})
_SEPARATOR = "\x1f"
_DEPTH = 6


@dataclass(frozen=True, slots=True)
class Unit:
    """One definition of a text. Offsets count from the text's start; START and END are the definition's."""

    kind: str
    operator: str
    name: str
    identity: tuple[Any, ...]
    """(space, operator, name, package or None, qualifiers, specializers, guard): what it is, not how."""
    digest: str
    value: str | None
    """The digest of a variable's initial value."""
    keeps: bool
    """Whether evaluating it leaves a bound variable alone."""
    start: int
    end: int
    name_start: int
    name_end: int
    form: tuple[int, int]
    """What has to be compiled to load it: the definition, or the form around it that it depends on."""
    value_form: tuple[int, int] | None = None
    """Where a variable's initial value stands."""
    certain: bool = True
    """Whether it is at top level, where evaluating the text cannot pass it over."""

    def description(self) -> tuple[Any, ...]:
        """Return what the image is asked about, or told."""
        return (*self.identity, self.digest, self.value, self.keeps, self.certain)


@dataclass(frozen=True, slots=True)
class _Part:
    """A unit of a tile, before its package is known; offsets count from the tile's start."""

    kind: str
    operator: str
    name: str
    space: Space
    qualifiers: tuple[str, ...]
    specializers: tuple[str, ...]
    guard: str
    digest: str
    value: str | None
    keeps: bool
    start: int
    end: int
    name_start: int
    name_end: int
    form: tuple[int, int]
    value_form: tuple[int, int] | None
    certain: bool


class Has(Protocol):
    """What the image has of a unit."""

    @property
    def present(self) -> bool: ...
    @property
    def digest(self) -> str | None: ...
    @property
    def same_package(self) -> bool: ...
    @property
    def for_this_lisp(self) -> bool: ...


def units_in(syntax: Syntax) -> list[Unit]:
    """Return the definitions of SYNTAX in order."""
    found, package = [], None
    for base, segment in zip(syntax.bases, syntax.segments, strict=True):
        found += [_placed(part, base, package) for part in _parts(segment)]
        form = form_of(segment)
        if form is not None and form.name and base_name(form.operator) == "in-package":
            package = segment.text[form.name_start : form.name_end]
    return found


def units_of_form(syntax: Syntax, start: int, end: int) -> list[Unit] | None:
    """Return the definitions of the top-level form from START to END, as if it stood alone in a text.

    None when no tile of SYNTAX has exactly this form.
    """
    index = bisect_right(syntax.bases, start) - 1
    base, segment = syntax.bases[index], syntax.segments[index]
    if segment.root is None or (start, end) != (base + segment.prefix_start, base + segment.root[1]):
        return None
    return [_placed(part, base, None) for part in _parts(segment)]


def variable_of_form(syntax: Syntax, start: int, end: int) -> Unit | None:
    """Return the variable that the form from START to END gives a value only if it has none: a `defvar`."""
    units = units_of_form(syntax, start, end) or []
    form = syntax.text[start:end]
    found = len(units) == 1 and units[0].value_form is not None and _DEFVAR.match(form) is not None
    return units[0] if found else None


def states(units: Iterable[Unit], has: Mapping[tuple[Any, ...], Has]) -> list[tuple[Unit, State]]:
    """Return UNITS with their states where it is known what the image HAS, by identity."""
    return [
        (unit, state(unit, there))
        for unit in units
        if (there := has.get(unit.identity)) is not None and there.for_this_lisp
    ]


def state(unit: Unit, has: Has) -> State:
    """Return the state of UNIT in an image that HAS this of it."""
    if not has.present:
        return "missing"
    if has.digest is None:
        return "unknown"
    return "loaded" if has.digest == unit.digest and has.same_package else "changed"


def to_load(found: Sequence[tuple[Unit, State]]) -> list[tuple[tuple[int, int], list[Unit]]]:
    """Return the forms to compile, in order, with the changed and missing units of FOUND that each makes."""
    forms: dict[tuple[int, int], list[Unit]] = {}
    for unit, its_state in found:
        if its_state in ("changed", "missing"):
            forms.setdefault(unit.form, []).append(unit)
    return sorted(forms.items())


def _placed(part: _Part, base: int, package: str | None) -> Unit:
    identity = (
        part.space,
        part.operator,
        part.name,
        package,
        part.qualifiers,
        part.specializers,
        part.guard,
    )
    return Unit(
        part.kind,
        part.operator,
        part.name,
        identity,
        part.digest,
        part.value,
        part.keeps,
        base + part.start,
        base + part.end,
        base + part.name_start,
        base + part.name_end,
        (base + part.form[0], base + part.form[1]),
        (base + part.value_form[0], base + part.value_form[1]) if part.value_form else None,
        part.certain,
    )


def _parts(segment: Segment) -> tuple[_Part, ...]:
    if "drift" not in segment.memory:
        segment.memory["drift"] = tuple(_read_parts(segment))
    found: tuple[_Part, ...] = segment.memory["drift"]
    return found


def _read_parts(segment: Segment) -> Iterator[_Part]:
    """An unclosed form is no text that any image could have."""
    root = tree(segment)
    if root is None or segment.stack or not segment.settled:
        return
    direct = dict(_direct(segment, root, 0))
    guard = _guard(segment, root)
    for definition in definitions_of(segment):
        if definition.kind in _LEFT_OUT:
            continue
        node = direct.get(definition.start)
        whole = root if node is None else node
        found = node if node is not None else _node_at(root, definition.start)
        if found is not None:
            yield _part(segment, definition, found, whole, guard)


def _direct(segment: Segment, node: Node, depth: int) -> Iterator[tuple[int, Node]]:
    """Yield the lists that are at top level as far as the compiler is concerned, by where they start."""
    yield node.start, node
    data = node.data
    if depth < _DEPTH and data and base_name(text_of(segment, data[0])) in _TRANSPARENT:
        for child in data[1:]:
            if child.kind == "list":
                yield from _direct(segment, child, depth + 1)


def _node_at(root: Node, start: int) -> Node | None:
    """Return the list below ROOT that begins at START."""
    node: Node | None = root
    while node is not None and node.start != start:
        node = next((each for each in node.children if each.start <= start < each.end), None)
    return node


def _part(segment: Segment, definition: Definition, node: Node, whole: Node, guard: str) -> _Part:
    operator = base_name(definition.operator)
    space = _space(operator, definition)
    qualifiers, specializers = _signature(segment, node) if space == "method" else ((), ())
    value = node.data[2:3] if space == "variable" else ()
    start = segment.prefix_start if guard and whole.start == (segment.root or (0, 0))[0] else whole.start
    return _Part(
        kind=definition.kind,
        operator=operator,
        name=definition.name,
        space=space,
        qualifiers=qualifiers,
        specializers=specializers,
        guard=guard,
        digest=_digest(segment, whole.start, whole.end),
        value=_digest(segment, value[0].start, value[0].end) if value else "",
        keeps=operator in _KEEPING,
        start=definition.start,
        end=definition.end,
        name_start=definition.name_start,
        name_end=definition.name_end,
        form=(start, whole.end),
        value_form=(value[0].start, value[0].end) if value else None,
        certain=whole is node,
    )


def _space(operator: str, definition: Definition) -> Space:
    if operator not in _STANDARD:
        return "other"
    if definition.kind == "setf":
        return "function" if operator == "defun" else "setf"
    return _SPACES.get(definition.kind, "other")


def _signature(segment: Segment, node: Node) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the qualifiers and the specializers of the method NODE."""
    data = node.data
    index = lambda_list_index("defmethod", data)
    if index is None:
        return (), ()
    specializers = []
    for parameter in data[index].data:
        if parameter.kind == "symbol" and text_of(segment, parameter).startswith("&"):
            break
        parts = parameter.data if parameter.kind == "list" else ()
        specializers.append(_SPACE.sub(" ", text_of(segment, parts[1])) if len(parts) > 1 else "t")
    return tuple(text_of(segment, each) for each in data[2:index]), tuple(specializers)


_SPACE = re.compile(r"\s+")


def _guard(segment: Segment, root: Node) -> str:
    """Return the feature conditions before ROOT as the image reads them: `+sbcl -(or a b)`."""
    before = segment.text[segment.prefix_start : root.start]
    if "#+" not in before and "#-" not in before:
        return ""
    words = [
        segment.text[start:end]
        for kind, start, end in segment.lexemes
        if segment.prefix_start <= start < root.start and kind not in ("comment", "block")
    ]
    return " ".join(word.removeprefix("#") if word in ("#+", "#-") else word for word in words)


def _digest(segment: Segment, start: int, end: int) -> str:
    """Return the digest of the words from START to END; letters of symbols have no case, as to the reader."""
    text = segment.text
    words = [
        text[a:b].upper()
        if kind == "symbol" and "|" not in text[a:b] and "\\" not in text[a:b]
        else text[a:b]
        for kind, a, b in segment.lexemes
        if start <= a < end and kind != "comment" and kind != "block"  # noqa: PLR1714, for the type checker
    ]
    return blake2b(_SEPARATOR.join(words).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()

"""The types of a lexical variable: as it is declared, specialised, or by what makes its first value."""

from __future__ import annotations

from itertools import pairwise

from descartes_server.ide import class_tree, references, type_names
from descartes_server.ide.bindings import Binding
from descartes_server.ide.overlay import Overlay
from descartes_server.ide.paths import Step, steps_at
from descartes_server.ide.roles import base_name
from descartes_server.ide.scopes import binding_of
from descartes_server.ide.segments import Segment
from descartes_server.ide.syntax import Syntax
from descartes_server.ide.tree import Node, text_of
from descartes_server.ide.type_names import TypeName

_NO_TYPES = frozenset(("ignore", "ignorable", "special", "dynamic-extent", "inline", "notinline", "ftype"))
_DEPTH = 4
"""How many variables may be looked at one behind the other."""


def of_binding(overlay: Overlay, syntax: Syntax, binding: Binding, depth: int = _DEPTH) -> list[TypeName]:
    """Return the types of the variable BINDING; what is declared counts before what can be seen."""
    package = syntax.package_at(binding.start)
    for each in references.of_binding(syntax, binding):
        segment, steps = _around(syntax, each.start)
        specifier = _declared(steps)
        if specifier is not None:
            return type_names.in_specifier(text_of(segment, specifier), package)
    segment, steps = _around(syntax, binding.start)
    specifier = _specializer(segment, steps)
    if specifier is not None:
        return type_names.in_specifier(text_of(segment, specifier), package)
    form = _first_value(segment, steps, binding)
    if form is not None:
        return type_names.of_form(overlay, text_of(segment, form), package)
    return _of_slot(overlay, syntax, binding, depth)


def accessed(overlay: Overlay, name: str, package: str) -> list[TypeName]:
    """Return the types of the slots that the function NAME in a file of PACKAGE reads or writes."""
    found = overlay.related("accessor", name)
    return [
        type_ for slot in overlay.meant(name, package, found, found) for type_ in type_names.of_slot(slot)
    ]


def _around(syntax: Syntax, offset: int) -> tuple[Segment, list[Step]]:
    base, segment = syntax.around(offset)[0]
    return segment, steps_at(segment, offset - base + 1)


def _declared(steps: list[Step]) -> Node | None:
    """Return the type that the end of STEPS declares a variable there to be of."""
    last = steps[-1] if steps else None
    if last is None:
        return None
    if last.operator == "check-type" and last.index == 1:
        return next(iter(last.node.data[2:]), None)
    if len(steps) < 2 or steps[-2].operator != "declare" or last.operator in _NO_TYPES:
        return None
    at = 1 if last.operator == "type" else 0
    return last.node.data[at] if last.index > at else None


def _specializer(segment: Segment, steps: list[Step]) -> Node | None:
    """Return the class of the parameter at the end of STEPS: of a method's, or of a handler's clause."""
    if len(steps) < 2:
        return None
    last, outer = steps[-1], steps[-2]
    if last.role == "lambda-list" and outer.role == "handler":
        return outer.node.data[0] if _outer_operator(steps) == "handler-case" else None
    if last.role != "parameter" or outer.role != "lambda-list" or len(last.node.data) < 2:
        return None
    before = outer.node.data[: outer.index]
    required = not any(text_of(segment, each).startswith("&") for each in before)
    is_method = len(steps) > 2 and steps[-3].operator == "defmethod"
    return last.node.data[1] if required and is_method and last.index == 0 else None


def _first_value(segment: Segment, steps: list[Step], binding: Binding) -> Node | None:
    """Return the form whose value the variable that is bound at the end of STEPS gets first."""
    if not steps:
        return None
    last, data = steps[-1], steps[-1].node.data
    if last.role in ("binding", "parameter") and last.index == 0 and len(data) > 1:
        return None if _outer_operator(steps) == "with-accessors" else data[1]
    if last.operator == "loop":
        for sign, form in pairwise(data[last.index + 1 :][:2]):
            if text_of(segment, sign).lower().lstrip(":") == "=":
                return form
    return None


def _outer_operator(steps: list[Step]) -> str:
    """Return the operator of the form that the list of bindings at the end of STEPS belongs to."""
    return steps[-3].operator if len(steps) > 2 else ""


def _of_slot(overlay: Overlay, syntax: Syntax, binding: Binding, depth: int) -> list[TypeName]:
    """Return the types of the slot that `with-slots` or `with-accessors` binds as BINDING."""
    segment, steps = _around(syntax, binding.start)
    if not steps:
        return []
    second = next(iter(steps[-1].node.data[1:]), None)
    outer = _outer_operator(steps)
    if outer == "with-accessors" and steps[-1].role == "binding" and second is not None:
        return accessed(overlay, text_of(segment, second), syntax.package_at(binding.start))
    form = next((each for each in steps[-3:] if each.operator == "with-slots" and each.index == 1), None)
    if form is None or len(form.node.data) < 3:
        return []
    name = text_of(segment, second) if outer == "with-slots" and second is not None else binding.name
    base = syntax.around(binding.start)[0][0]
    return slot_types(overlay, syntax, name, base + form.node.data[2].start, depth - 1)


def slot_types(
    overlay: Overlay, syntax: Syntax, name: str, object_at: int, depth: int = _DEPTH
) -> list[TypeName]:
    """Return the types of the slots NAME of the object that the form at OBJECT_AT in SYNTAX gives.

    They are those of its class where the form is a variable that tells it, else of all classes.
    """
    symbol = syntax.symbol_at(object_at)
    binding = binding_of(syntax, symbol) if symbol is not None and depth > 0 else None
    types = of_binding(overlay, syntax, binding, depth) if binding is not None else []
    classes = [entry for each in types for entry in overlay.classes(each.text, each.package)]
    of_class = [
        each for each in class_tree.slots(overlay, classes) if base_name(each.name) == base_name(name)
    ]
    anywhere = [each for _, each in overlay.named(name) if each.kind == "slot"]
    return [type_ for slot in of_class or anywhere for type_ in type_names.of_slot(slot)]

"""The types of what stands at a place: of a slot, an initarg, a variable; a class is its own."""

from __future__ import annotations

from descartes_server.ide import class_tree, type_names, variable_types
from descartes_server.ide.index import Entry, definitions_of_text
from descartes_server.ide.names import divided, is_keyword
from descartes_server.ide.overlay import Overlay
from descartes_server.ide.paths import steps_at
from descartes_server.ide.roles import base_name
from descartes_server.ide.scopes import binding_of
from descartes_server.ide.syntax import SymbolToken, Syntax
from descartes_server.ide.type_names import TypeName


def types_at(overlay: Overlay, syntax: Syntax, symbol: SymbolToken) -> list[TypeName]:
    """Return the types of the lexical variable, the slot or the initarg that SYMBOL means, if it is one."""
    binding = binding_of(syntax, symbol)
    if binding is not None:
        return variable_types.of_binding(overlay, syntax, binding)
    slot = _slot_around(syntax, symbol)
    if slot is not None:
        return type_names.of_slot(slot)
    if is_keyword(symbol.text):
        return _of_initarg(overlay, syntax, symbol)
    package = syntax.package_at(symbol.start)
    return _of_slot_value(overlay, syntax, symbol) or (
        variable_types.accessed(overlay, symbol.text, package) if may_be_called(syntax, symbol) else []
    )


def is_local(syntax: Syntax, symbol: SymbolToken) -> bool:
    """Return whether SYMBOL is no name of the program: a lexical name, or a keyword."""
    return is_keyword(symbol.text) or binding_of(syntax, symbol) is not None


def may_be_called(syntax: Syntax, symbol: SymbolToken) -> bool:
    """Return whether SYMBOL stands where a function is called or named."""
    before = syntax.text[max(0, symbol.start - 2) : symbol.start]
    return before == "#'" or (before.endswith("(") and not before.endswith("'("))


def variables(overlay: Overlay, text: str, package: str) -> list[Entry]:
    """Return the definitions of the global variable that TEXT in a file of PACKAGE means."""
    found = [(name, each) for name, each in overlay.named(text) if each.kind in ("variable", "constant")]
    return overlay.meant(text, package, found, found)


def of_first_value(overlay: Overlay, syntax: Syntax, start: int) -> list[TypeName]:
    """Return the types of the first value of the variable whose definition begins at START of SYNTAX."""
    base, segment = syntax.around(start + 1)[0]
    steps = steps_at(segment, start + 1 - base)
    data = steps[-1].node.data if steps else ()
    if len(data) < 3:
        return []
    form = segment.text[data[2].start : data[2].end]
    return type_names.of_form(overlay, form, syntax.package_at(start))


def _slot_around(syntax: Syntax, symbol: SymbolToken) -> Entry | None:
    """Return the slot whose definition names itself, its accessor or its initarg by SYMBOL."""
    base, segment = syntax.around(symbol.start)[0]
    steps = steps_at(segment, symbol.start - base + 1)
    if not steps or steps[-1].role not in ("slot", "slots"):
        return None
    slots = (each for each in definitions_of_text(syntax) if each.kind == "slot")
    slot = next((each for each in slots if each.start <= symbol.start < each.end), None)
    if slot is None or symbol.start == slot.name_start:
        return slot
    accessors = {base_name(text) for _, text in slot.related}
    is_initarg = symbol.text.lower() == type_names.options(slot).get(":initarg", "").lower()
    return slot if is_initarg or base_name(symbol.text) in accessors else None


def _of_initarg(overlay: Overlay, syntax: Syntax, symbol: SymbolToken) -> list[TypeName]:
    call = syntax.call_at(symbol.start)
    if call is None:
        return []
    package = syntax.package_at(symbol.start)
    made = type_names.instantiated(overlay, call.operator, call.arguments, package)
    classes = [entry for each in made for entry in overlay.classes(each.text, each.package)]
    wanted = symbol.text.lower()
    for slot in class_tree.slots(overlay, classes):
        if wanted in (type_names.options(slot).get(":initarg", "").lower(), f":{base_name(slot.name)}"):
            return type_names.of_slot(slot)
    return []


def _of_slot_value(overlay: Overlay, syntax: Syntax, symbol: SymbolToken) -> list[TypeName]:
    """Return the types of the slot in `(slot-value object 'slot)`."""
    base, segment = syntax.around(symbol.start)[0]
    steps = steps_at(segment, symbol.start - base + 1)
    if not steps or steps[-1].operator != "slot-value" or steps[-1].index != 2:
        return []
    object_at = base + steps[-1].node.data[1].start
    return variable_types.slot_types(overlay, syntax, divided(symbol.text)[1], object_at)

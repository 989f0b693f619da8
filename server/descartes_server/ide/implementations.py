"""What implements a name: the methods of a generic function, the classes that inherit from one."""

from __future__ import annotations

from typing import Literal

from descartes_server.ide.index import Entry
from descartes_server.ide.names import CLASS_KINDS, is_keyword
from descartes_server.ide.overlay import Overlay
from descartes_server.ide.scopes import binding_of
from descartes_server.ide.syntax import SymbolToken, Syntax

Sense = Literal["function", "class"]
_FUNCTIONS = frozenset(("generic", "function", "macro", "method", "setf"))
_METHODS = frozenset(("method", "slot"))


def senses(syntax: Syntax, symbol: SymbolToken) -> frozenset[Sense]:
    """Return what SYMBOL may name where it stands; nothing for a local name or a keyword."""
    if is_keyword(symbol.text) or binding_of(syntax, symbol) is not None:
        return frozenset()
    before = syntax.text[max(0, symbol.start - 2) : symbol.start]
    if before == "#'":
        return frozenset(["function"])
    form = next((each for each in syntax.forms if each.name_start <= symbol.start < each.name_end), None)
    if form is not None and form.kind != "form":
        return frozenset(["class"] if form.kind in CLASS_KINDS else ["function"])
    return frozenset(["function", "class"])


def methods(overlay: Overlay, text: str, package: str) -> list[Entry] | None:
    """Return the methods of the generic function that TEXT in a file of PACKAGE means, and of its `setf`.

    Accessors and readers are methods too: those are the slots. None when the texts know no such function.
    """
    named = [(name, each) for name, each in overlay.named(text) if each.kind in _FUNCTIONS]
    slots = overlay.related("accessor", text)
    owning = [*((name, each) for name, each in named if each.kind != "method"), *slots]
    found = overlay.meant(text, package, [*named, *slots], owning)
    if not any(each.kind in ("generic", "method", "slot") for each in found):
        return None
    return [each for each in found if each.kind in _METHODS]

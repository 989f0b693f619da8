"""The outline of a text: its definitions with their parts."""

from __future__ import annotations

from dataclasses import dataclass

from descartes_server.ide.forms import Definition, definitions_of
from descartes_server.ide.syntax import Syntax


@dataclass(frozen=True, slots=True)
class Symbol:
    """A definition for an outline; KIND is that of `forms.KINDS`, `slot`, or `definition`."""

    name: str
    kind: str
    detail: str
    start: int
    end: int
    name_start: int
    name_end: int
    children: tuple[Symbol, ...]


def document_symbols(syntax: Syntax) -> tuple[Symbol, ...]:
    """Return the definitions of the text in order, with slots and the methods of a `defgeneric` as children.

    Definitions within `eval-when`, `progn`, `let`, `#+` and other forms that define nothing stand at top
    level as well; those within a definition are left out.
    """
    found: list[Symbol] = []
    for base, segment in zip(syntax.bases, syntax.segments, strict=True):
        kept = segment.memory.get("symbols")
        if kept is None or kept[0] != base:
            symbols = [_symbol(definition, base) for definition in definitions_of(segment)]
            kept = segment.memory["symbols"] = base, symbols
        found.extend(kept[1])
    return tuple(found)


def _symbol(definition: Definition, base: int) -> Symbol:
    return Symbol(
        definition.name,
        definition.kind,
        definition.detail,
        definition.start + base,
        definition.end + base,
        definition.name_start + base,
        definition.name_end + base,
        tuple(_symbol(child, base) for child in definition.children),
    )

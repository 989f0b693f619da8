"""Where the name at an offset is defined, as far as text alone can tell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

from descartes_server.ide.index import Entry, WorkspaceIndex, definitions_of_text, key_of
from descartes_server.ide.roles import base_name, symbol_of
from descartes_server.ide.scopes import binding_of
from descartes_server.ide.symbols import Symbol, document_symbols
from descartes_server.ide.syntax import SymbolToken, Syntax


@dataclass(frozen=True, slots=True)
class Target:
    """A definition; PATH None means the text that was asked about."""

    path: str | None
    start: int
    end: int
    name_start: int
    name_end: int
    kind: str


def find_static(
    syntax: Syntax, offset: int, index: WorkspaceIndex | None = None, path: str | None = None
) -> tuple[Target, ...]:
    """Return the definitions of the symbol at OFFSET: a lexical binding, else this text's, else INDEX's.

    PATH is the text's own file: what the index knows of it is left out, as the text is newer.
    """
    symbol = syntax.symbol_at(offset)
    if symbol is None:
        return ()
    local = _lexical(syntax, symbol)
    if local:
        return (local,)
    here = [target for found in document_symbols(syntax) for target in _matching(found, symbol.text)]
    if index is None:
        return tuple(here)
    package = syntax.package_at(offset)
    elsewhere = [_target(entry) for entry in index.lookup(_bare(symbol.text), package) if entry.path != path]
    return tuple(here or elsewhere) if not _is_open(here) else (*here, *elsewhere)


def _is_open(targets: list[Target]) -> bool:
    """Methods and generic functions have more definitions in other files."""
    return any(target.kind in ("method", "generic") for target in targets)


def _bare(text: str) -> str:
    return text[2:] if text.startswith("#:") else text.lstrip(":") if text.startswith(":") else text


def _lexical(syntax: Syntax, symbol: SymbolToken) -> Target | None:
    binding = binding_of(syntax, symbol)
    if binding is None:
        return None
    return Target(None, binding.start, binding.end, binding.start, binding.end, binding.kind)


def _matching(found: Symbol, text: str) -> list[Target]:
    wanted = base_name(_bare(text))
    parts = [target for child in found.children if child.kind != "slot" for target in _matching(child, text)]
    if base_name(symbol_of(found.name)) != wanted:
        return parts + _slots(found, wanted)
    return [Target(None, found.start, found.end, found.name_start, found.name_end, found.kind), *parts]


def _slots(found: Symbol, wanted: str) -> list[Target]:
    """Slots answer to their name and to the readers and accessors they declare."""
    targets = []
    for slot in found.children:
        if slot.kind == "slot":
            words = slot.detail.lower().split()
            named = {word for key, word in pairwise(words) if key in (":accessor", ":reader", ":writer")}
            if base_name(slot.name) == wanted or wanted in named:
                targets.append(Target(None, slot.start, slot.end, slot.name_start, slot.name_end, "slot"))
    return targets


def _target(entry: Entry) -> Target:
    return Target(entry.path, entry.start, entry.end, entry.name_start, entry.name_end, entry.kind)


def in_text(syntax: Syntax, offset: int, snippet: str, name: str, kind: str) -> Target | None:
    """Return where a text has the definition of NAME that the image knows at OFFSET, beginning with SNIPPET.

    The text may have changed since: then it is where the text has one of that name, the nearest; None when
    there is none any more. The slot stands for an accessor.
    """
    entries = definitions_of_text(syntax)
    start = _moved(syntax.text, offset, snippet.strip()[:80])
    if start is None:
        same = (each for each in entries if _is_called(each, name))
        nearest = min(same, key=lambda each: abs(each.start - offset), default=None)
        return replace(_target(nearest), path=None) if nearest is not None else None
    entry = next((each for each in entries if each.start == start), None)
    if entry is None:
        form = next((each for each in syntax.forms if each.start == start), None)
        if form is None:
            return Target(None, start, start, start, start, kind)
        return Target(None, start, form.end, form.name_start, form.name_end, kind)
    if kind == "method" and entry.kind in ("class", "condition"):
        slots = (each for each in entries if each.kind == "slot" and start < each.start < entry.end)
        entry = next((each for each in slots if _is_accessed_by(each, name)), entry)
    return Target(None, entry.start, entry.end, entry.name_start, entry.name_end, entry.kind)


def _moved(text: str, offset: int, snippet: str) -> int | None:
    """Return where SNIPPET stands nearest to OFFSET."""
    if text.startswith(snippet, offset):
        return offset if offset < len(text) else None
    found = (text.rfind(snippet, 0, offset + len(snippet)), text.find(snippet, offset))
    return min((each for each in found if each >= 0), key=lambda each: abs(each - offset), default=None)


def _is_called(entry: Entry, name: str) -> bool:
    """Return whether ENTRY defines NAME, `(setf name)` being another one."""
    return entry.name.startswith("(") == name.startswith("(") and key_of(entry.name) == key_of(name)


def _is_accessed_by(slot: Entry, name: str) -> bool:
    return any(base_name(text) == base_name(name) for _, text in slot.related)

"""Giving a name another one: what changes in a text, and whether the new name means the same there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from descartes_server.ide import common_lisp, references, scopes
from descartes_server.ide.bindings import Binding
from descartes_server.ide.edits import Edit, applied
from descartes_server.ide.index import WorkspaceIndex, package_name
from descartes_server.ide.paths import Step, steps_at
from descartes_server.ide.references import Name, Occurrence
from descartes_server.ide.roles import base_name
from descartes_server.ide.syntax import SymbolToken, Syntax, parse

NAME = r"[^\s()'`\",;:|\\#]+"
"""What a name looks like that is read as a symbol, for a regular expression."""

_NAME = re.compile(NAME + r"\Z")
_NUMBER = re.compile(r"[+-]?(?:\d+/\d+|(?:\d+\.?\d*|\.\d+)(?:[esfdl][+-]?\d+)?)\Z", re.IGNORECASE)


def is_name(text: str) -> bool:
    """Return whether TEXT is read as a symbol, without package and without bars or escapes."""
    return _NAME.match(text) is not None and _NUMBER.match(text) is None and text.strip(".") != ""


def of_binding(syntax: Syntax, binding: Binding, new: str) -> list[Edit] | str:
    """Return what gives BINDING the name NEW, or why that cannot be told or would mean something else.

    Callers notice nothing: a keyword parameter keeps its keyword, and a variable its slot.
    """
    first, *others = references.of_binding(syntax, binding)
    if (why := doubt(syntax, binding)) is not None:
        return why
    edits = [_bound_as(syntax, first, new), *(Edit(each.start, each.end, new) for each in others)]
    edits.sort(key=lambda each: each.start)
    if _means_the_same(syntax, edits, first.start):
        return edits
    return f"{new!r} means something else in this form; choose another name"


def linked(syntax: Syntax, binding: Binding) -> list[tuple[int, int]]:
    """Return the places that can be typed into together, so that BINDING keeps its meaning; none if unsure.

    They hold the same text.
    """
    new = base_name(binding.name)
    while new in syntax.text.lower():
        new += "-"
    edits = of_binding(syntax, binding, new)
    if isinstance(edits, str) or any(edit.text != new for edit in edits):
        return []
    places = [(edit.start, edit.end) for edit in edits]
    return places if len({syntax.text[start:end] for start, end in places}) == 1 else []


_WORDS = """
for as with and do doing collect collecting append appending nconc nconcing count counting sum summing
maximize maximizing minimize minimizing while until repeat always never thereis when if unless else end
in on across being the each from upfrom downfrom to upto downto above below by then of into named
initially finally return it hash-keys hash-values using
"""
_LOOP_WORDS = frozenset(_WORDS.split())
_BINDERS = """
with-slots with-accessors with-open-file with-open-stream with-output-to-string with-input-from-string
with-gensyms with-unique-names with-hash-table-iterator with-package-iterator
dolist dotimes do-symbols do-external-symbols do-all-symbols
"""
_PLAIN_BINDERS = frozenset(_BINDERS.split())


def doubt(syntax: Syntax, binding: Binding) -> str | None:
    """Return why it cannot be told of some place whether it means BINDING, None where it can."""
    base = base_name(binding.name)
    for symbol in references.symbols_named(syntax, base, binding.start):
        start, segment = syntax.around(symbol.start)[0]
        steps = steps_at(segment, symbol.start - start + 1)
        innermost = steps[-1].operator if steps else ""
        if base in _LOOP_WORDS and innermost == "loop":
            return f"{base!r} is a word of LOOP here too; rename it by hand"
        if innermost == "return-from" and steps[-1].index == 1 and binding.kind == "function":
            return f"{base!r} is a block here too, which RETURN-FROM leaves; rename it by hand"
        found = scopes.binding_of(syntax, symbol)
        if found is None or found.start != symbol.start:
            continue
        around = [each for each in steps if _binds_as_it_likes(each.operator)]
        if around and _outer_means(syntax, start + around[-1].node.start, found, binding):
            return (
                f"{around[-1].operator} may bind {base!r} again or mean the one around it; rename it by hand"
            )
    return None


def _outer_means(syntax: Syntax, at: int, inner: Binding, binding: Binding) -> bool:
    """Return whether INNER, made in the form at AT, and what its name means around that concern BINDING."""
    name, is_function = base_name(inner.name), inner.kind in ("function", "macro")
    outer = [
        each
        for each in syntax.bindings_at(at)
        if base_name(each.name) == name and (each.kind in ("function", "macro")) == is_function
    ]
    return bool(outer) and binding.start in (inner.start, outer[0].start)


def _binds_as_it_likes(operator: str) -> bool:
    """Return whether forms with OPERATOR may speak of an outer variable where they seem to bind one."""
    return operator == "loop" or (operator.startswith(("with-", "do")) and operator not in _PLAIN_BINDERS)


def renamable(index: WorkspaceIndex, syntax: Syntax, symbol: SymbolToken, name: Name) -> Name | str:
    """Return the global NAME that SYMBOL in SYNTAX means, with its homes, or why it keeps its name."""
    if not index.complete:
        return "the files of the workspace are still being looked through; try again"
    found = [each for each in index.lookup(name.base) if not name.homes or each.package in name.homes]
    homes = {each.package for each in found}
    if not found:
        return f"no text of this workspace defines {name.base!r}, which keeps its name"
    if symbol.text.startswith((":", "#")):
        homes = {each for each in homes if _is_exported(syntax, symbol, name.base, each, homes)}
        name = Name(name.base, frozenset(homes), frozenset(each.package for each in found) - homes)
        if not homes:
            return f"{symbol.text!r} is no symbol of a package here, and keeps its name"
    if len(homes) > 1:
        packages = " and ".join(sorted(homes))
        return f"{packages} have a {name.base!r} each; rename it where the one you mean is defined"
    partly = next((each.kind for each in found if each.kind in _PARTLY), None)
    if partly is not None:
        return (
            f"{name.base!r} names a {partly}, and is a part of other names;"
            " replace it in the workspace, where every place can be looked at"
        )
    return name if name.homes else replace(name, homes=frozenset(homes))


_PARTLY = frozenset(("structure", "slot", "package", "system", "form"))
"""Kinds of definitions whose name is a part of other names, or no symbol of the program."""


def _is_exported(syntax: Syntax, symbol: SymbolToken, base: str, home: str, homes: set[str]) -> bool:
    """Return whether SYMBOL, in a package definition, names the symbol BASE of HOME, one of HOMES."""
    name = Name(base, frozenset([home]), frozenset(homes - {home}))
    return any(end == symbol.end for _, end in references.designators(syntax, name))


def free(index: WorkspaceIndex, name: Name, new: str) -> Name | str:
    """Return NAME, which has homes, when nothing there is called NEW, or what is."""
    taken = next((each for each in index.lookup(new) if each.package in name.homes), None)
    if taken is not None:
        return f"{new!r} is defined in {taken.path}; choose another name"
    if common_lisp.lookup(new) is not None:
        return f"{new!r} is a name of Common Lisp; choose another name"
    return name


def of_name(syntax: Syntax, name: Name, places: Sequence[Occurrence], new: str) -> list[Edit]:
    """Return what gives the global NAME, which has homes, the name NEW at PLACES of SYNTAX."""
    edits = []
    for each in places:
        text, sign = syntax.text[each.start : each.end], syntax.text[max(0, each.start - 1) : each.start]
        start = each.start + text.rfind(":") + 1
        at_home = package_name(syntax.package_at(each.start)) in name.homes
        certain = at_home or ":" in text or sign in (":", '"')
        edits.append(Edit(start, each.end, new.upper() if sign == '"' else new, certain=certain))
    return edits


def _means_the_same(syntax: Syntax, edits: list[Edit], bound: int) -> bool:
    """Return whether after EDITS the new name stands for what is bound at BOUND where the old one did."""
    places, shift = {}, 0
    for each in edits:
        places[each.start] = each.start + shift + each.name_at
        shift += len(each.text) - (each.end - each.start)
    after = parse(applied(syntax.text, edits))
    symbol = after.symbol_at(places[bound])
    found = scopes.binding_of(after, symbol) if symbol is not None else None
    return found is not None and {each.start for each in references.of_binding(after, found)} == set(
        places.values()
    )


def _bound_as(syntax: Syntax, bound: Occurrence, new: str) -> Edit:
    """Return what is to stand where a name is BOUND, so that only the name changes."""
    base, segment = syntax.around(bound.start)[0]
    steps = steps_at(segment, bound.start - base + 1)
    old = syntax.text[bound.start : bound.end]
    before, after = _signs(segment.text, steps, old) if len(steps) > 1 else ("", "")
    return Edit(bound.start, bound.end, f"{before}{new}{after}", len(before))


def _signs(text: str, steps: list[Step], old: str) -> tuple[str, str]:
    """Return what is to stand around a name bound at the end of STEPS for OLD to stay its keyword or slot."""
    outer, inner = steps[-2:]
    if inner.role == "lambda-list" and _is_key(text, inner):
        return f"((:{old} ", "))"
    if inner.role == "parameter" and inner.index == 0 and _is_key(text, outer):
        return f"(:{old} ", ")"
    if inner.role == "names" and outer.operator == "with-slots":
        return "(", f" {old})"
    return "", ""


def _is_key(text: str, step: Step) -> bool:
    """Return whether the parameter that STEP, a lambda list, goes into is one by keyword."""
    words = [text[each.start : each.end].lower() for each in step.node.data[: step.index]]
    return next((each for each in reversed(words) if each.startswith("&")), "") == "&key"

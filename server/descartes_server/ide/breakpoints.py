"""Where a breakpoint can stand in a text: the forms of a definition that an offset may mean."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from descartes_server.ide.roles import base_name
from descartes_server.ide.syntax import Span, Syntax, TopLevelForm
from descartes_server.ide.tree import Node, tree

TRIED = 16
"""How many forms are tried at most: each costs a compilation."""
_ONCE = frozenset({"defvar", "defparameter", "defconstant", "defglobal", "define-constant", "in-package"})
_HOLDERS = frozenset({"let", "let*", "flet", "labels", "macrolet", "symbol-macrolet", "locally", "eval-when",
                      "progn", "with-compilation-unit"})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Candidates:
    """The forms in the top-level form FORM that an offset may mean, the likeliest first."""

    form: TopLevelForm
    forms: tuple[Span, ...]


def candidates(syntax: Syntax, offset: int) -> Candidates | None:
    """Return what a breakpoint at OFFSET may stand at; None where there is no top-level form.

    First the lists around OFFSET, the innermost first; then those after it, so that a place in the first
    line of a function means its first form.
    Example: in "(defun f (x) (g (h x)))" at the h: (h x), (g (h x))
    """
    span = syntax.form_at(offset, "toplevel")
    form = next((each for each in syntax.forms if span is not None and each.start == span.start), None)
    if span is None or form is None:
        return None
    lists = list(_lists(syntax, span))
    around = [each for each in lists if each.start <= offset < each.end]
    after = [each for each in lists if each.start > offset]
    return Candidates(form, tuple([*reversed(around), *after][:TRIED]))


def refusal(form: TopLevelForm) -> str | None:
    """Return why no breakpoint can stand in FORM, None when one may."""
    operator = base_name(form.operator)
    if operator in _ONCE:
        return f"{operator} is evaluated once, when it is loaded; set the breakpoint in a function"
    if operator.startswith("def") or operator in _HOLDERS or "test" in operator or form.kind != "form":
        return None
    return "this form is evaluated once, when it is loaded; set the breakpoint in a function"


def title(text: str) -> str:
    """Return the form TEXT in one short line."""
    line = re.sub(r"\s+", " ", text)
    return line if len(line) <= 80 else f"{line[:79]}…"


def found_again(text: str, target: str, offset: int) -> int | None:
    """Return where TARGET stands in TEXT, the nearest place to OFFSET; None when it is not there."""
    places = [match.start() for match in re.finditer(re.escape(target), text)]
    return min(places, key=lambda place: abs(place - offset), default=None)


def _lists(syntax: Syntax, span: Span) -> Iterator[Span]:
    """Yield the lists inside the top-level form at SPAN, in the order of the text."""
    for base, segment in syntax.around(span.start):
        root = tree(segment)
        if root is not None and base + root.start <= span.start < base + root.end:
            yield from _inside(base, root, top=True)
            return


def _inside(base: int, node: Node, *, top: bool = False) -> Iterator[Span]:
    if node.kind == "list" and not top:
        yield Span(base + node.start, base + node.end)
    for child in node.children:
        yield from _inside(base, child, top=top and node.kind != "list")

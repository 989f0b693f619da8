"""The syntax of one text: forms, problems, packages, and what stands at an offset.

Total on any text. Offsets are code points from the start of the text. Nothing here knows the image;
analyses of a form are kept from one keystroke to the next (see `segments`).
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from descartes_server.ide.bindings import Binding, bindings_in
from descartes_server.ide.forms import Definition, form_of
from descartes_server.ide.lexer import Lexeme
from descartes_server.ide.paths import Step, nodes_at, steps_at
from descartes_server.ide.problems import Problem, problems_of
from descartes_server.ide.roles import base_name
from descartes_server.ide.segments import Segment, divide
from descartes_server.ide.text import LineIndex
from descartes_server.ide.tree import Node, tree

__all__ = [
    "DEFAULT_PACKAGE", "Binding", "Call", "Problem", "Scope", "Span", "SymbolToken", "Syntax", "TopLevelForm",
    "parse",
]  # fmt: skip

DEFAULT_PACKAGE = "COMMON-LISP-USER"
Scope = Literal["last", "toplevel", "enclosing"]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the text, end exclusive."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class TopLevelForm:
    """A form at top level. KIND `form` defines nothing and has an empty NAME (`in-package` has one)."""

    operator: str
    name: str
    kind: str
    start: int
    end: int
    name_start: int
    name_end: int
    detail: str
    package: str
    """The package designator in force where the form starts, as in the text."""


@dataclass(frozen=True, slots=True)
class SymbolToken:
    """A symbol as it is written, package prefix and all."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Call:
    """The call around an offset. ARGUMENT_INDEX counts from 0; -1 means the operator itself."""

    operator: str
    argument_index: int
    arguments: tuple[str, ...]
    start: int
    """Where the call's parenthesis stands."""
    path: tuple[int, ...] = ()
    """Data gone into within the argument, when the place is part of the operator's own syntax."""


def parse(text: str, previous: Syntax | None = None) -> Syntax:
    """Return the syntax of TEXT; with PREVIOUS, an earlier state, only what changed is read anew.

    Example: parse("(defun f (x) x)").forms[0].name -> "f"
    """
    return Syntax(text, divide(text, previous.segments if previous else ()))


class Syntax:
    """The syntax of `text`; immutable for its users, computed where it is first asked for."""

    def __init__(self, text: str, segments: tuple[Segment, ...]) -> None:
        self.text = text
        self.segments = segments

    @cached_property
    def lines(self) -> LineIndex:
        """Return the line index of the text."""
        return LineIndex(self.text)

    @cached_property
    def bases(self) -> list[int]:
        """Return the offset at which each tile starts."""
        bases, position = [], 0
        for segment in self.segments:
            bases.append(position)
            position += len(segment.text)
        return bases

    @cached_property
    def forms(self) -> tuple[TopLevelForm, ...]:
        """Return the top-level forms in order, defining or not."""
        found, package = [], DEFAULT_PACKAGE
        for base, segment in zip(self.bases, self.segments, strict=True):
            form = form_of(segment)
            if form is not None:
                found.append(_top_level(form, base, package))
                package = _package_named(segment, form) or package
        return tuple(found)

    @cached_property
    def problems(self) -> tuple[Problem, ...]:
        """Return the faults of the text in order."""
        return tuple(
            replace(problem, start=problem.start + base, end=problem.end + base)
            for base, segment in zip(self.bases, self.segments, strict=True)
            for problem in problems_of(segment)
        )

    @cached_property
    def _packages(self) -> tuple[list[int], list[str]]:
        """Ends of the `in-package` forms and the designators they name."""
        ends, names = [], []
        for base, segment in zip(self.bases, self.segments, strict=True):
            form = form_of(segment)
            name = _package_named(segment, form) if form else None
            if form and name:
                ends.append(base + form.end)
                names.append(name)
        return ends, names

    def package_at(self, offset: int) -> str:
        """Return the designator of the nearest `in-package` before OFFSET, as it is written.

        Example: parse("(in-package #:foo) ").package_at(19) -> "#:foo"
        """
        ends, names = self._packages
        index = bisect_right(ends, offset)
        return names[index - 1] if index else DEFAULT_PACKAGE

    def symbol_at(self, offset: int) -> SymbolToken | None:
        """Return the symbol that OFFSET lies in or touches, None for anything else."""
        for base, segment in self.around(offset):
            for kind, start, end in _touching(segment, offset - base):
                if kind == "symbol":
                    return SymbolToken(segment.text[start:end], base + start, base + end)
        return None

    def lexeme_at(self, offset: int) -> Lexeme | None:
        """Return the lexeme that covers the character before OFFSET, which tells strings and comments."""
        for base, segment in self.around(offset):
            for kind, start, end in _touching(segment, offset - base):
                if start < offset - base:
                    return kind, base + start, base + end
        return None

    def form_at(self, offset: int, scope: Scope) -> Span | None:
        """Return the form before OFFSET (`last`), the top-level form or the innermost list around it.

        Between top-level forms `toplevel` is the one that ends on the same line, else the next one.
        """
        if scope == "last":
            return self._last_form(offset)
        if scope == "toplevel":
            return self._toplevel_form(offset)
        for base, segment in self.around(offset):
            steps = steps_at(segment, offset - base) or _edge(segment, offset - base)
            if steps:
                node = steps[-1].node if isinstance(steps[-1], Step) else steps[-1]
                return Span(base + node.start, base + node.end)
        return None

    def call_at(self, offset: int) -> Call | None:
        """Return the call that OFFSET is an argument of, None outside one or in quoted data."""
        for base, segment in self.around(offset):
            call = _call(segment, steps_at(segment, offset - base))
            if call is not None:
                return replace(call, start=base + call.start)
        return None

    def bindings_at(self, offset: int) -> tuple[Binding, ...]:
        """Return the lexical names visible at OFFSET, the innermost first."""
        for base, segment in self.around(offset):
            found = bindings_in(segment, offset - base)
            if found:
                return tuple(replace(item, start=item.start + base, end=item.end + base) for item in found)
        return ()

    def around(self, offset: int) -> list[tuple[int, Segment]]:
        """Return the tile that OFFSET lies in with its base, and the one before when OFFSET is its end."""
        index = bisect_right(self.bases, offset) - 1
        if index < 0:
            return []
        found = [(self.bases[index], self.segments[index])]
        if index and self.bases[index] == offset:
            found.append((self.bases[index - 1], self.segments[index - 1]))
        return found

    def _toplevel_form(self, offset: int) -> Span | None:
        before = None
        for form in self.forms:
            if form.start <= offset <= form.end:
                return Span(form.start, form.end)
            if form.start > offset:
                if before and not _line_between(self.text, before.end, offset):
                    break
                return Span(form.start, form.end)
            before = form
        return Span(before.start, before.end) if before else None

    def _last_form(self, offset: int) -> Span | None:
        end = len(self.text[:offset].rstrip())
        for base, segment in reversed(self.around(end)):
            root = tree(segment)
            if root is None:
                continue
            if end - base == root.end:
                return Span(base + min(segment.prefix_start, root.start), base + root.end)
            for node in nodes_at(segment, end - base):
                found = [child for child in node.children if child.end == end - base]
                if found:
                    return Span(base + found[0].start, base + found[0].end)
        return self._last_word(end)

    def _last_word(self, end: int) -> Span | None:
        for base, segment in self.around(end):
            for kind, start, stop in _touching(segment, end - base):
                if base + stop == end and kind not in ("open", "close", "prefix", "comment", "block"):
                    return Span(base + start, base + stop)
        return None


def _touching(segment: Segment, offset: int) -> list[Lexeme]:
    """Return the lexemes that OFFSET lies in or touches, the later one first."""
    index = bisect_right(segment.lexemes, offset, key=lambda lexeme: lexeme[1])
    near = segment.lexemes[max(0, index - 2) : index]
    return [lexeme for lexeme in reversed(near) if lexeme[2] >= offset]


def _edge(segment: Segment, offset: int) -> list[Node]:
    root = tree(segment)
    return [root] if root and offset in (root.start, root.end) else []


def _line_between(text: str, start: int, end: int) -> bool:
    return "\n" in text[start:end] or "\r" in text[start:end]


def _top_level(form: Definition, base: int, package: str) -> TopLevelForm:
    return TopLevelForm(
        form.operator,
        form.name,
        form.kind,
        form.start + base,
        form.end + base,
        form.name_start + base,
        form.name_end + base,
        form.detail,
        package,
    )


def _package_named(segment: Segment, form: Definition) -> str | None:
    if base_name(form.operator) != "in-package" or not form.name:
        return None
    return segment.text[form.name_start : form.name_end]


def _call(segment: Segment, steps: list[Step]) -> Call | None:
    if any(step.quoted for step in steps[-1:]):
        return None
    for depth in range(len(steps) - 1, -1, -1):
        step = steps[depth]
        if step.role != "call":
            continue
        if not step.operator:
            return None
        data = step.node.data
        return Call(
            segment.text[data[0].start : data[0].end],
            step.index - 1,
            tuple(segment.text[node.start : node.end] for node in data[1:]),
            step.node.start,
            tuple(inner.index for inner in steps[depth + 1 :]),
        )
    return None

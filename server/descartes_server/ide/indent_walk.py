"""One pass over a form: which lists are open where a line begins, and in which columns it may begin."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field

from descartes_server.ide.indent_rules import (
    BODY,
    CALL,
    CHILDREN,
    DEFINITION,
    FAR,
    INNER,
    STANDARD,
    Bodies,
    Place,
    Rule,
    Style,
    rule_of,
)
from descartes_server.ide.lexer import Lexeme
from descartes_server.ide.roles import base_name
from descartes_server.ide.segments import Segment
from descartes_server.ide.text import LineIndex

TAB = 8
"""Columns of a tab in Lisp files: Emacs' width, for editors that write none themselves."""

_TAGGED = frozenset(("tagbody", "prog", "prog*", "do", "do*"))
_PAIRED = frozenset(("setf", "setq", "psetf", "psetq"))
_EQUALS: frozenset[Style] = frozenset(("data", "bindings", "functions", "slots", "lambda-list"))


@dataclass(frozen=True, slots=True)
class Line:
    """A line to be changed, 0-based: its white space from START to END becomes COLUMN columns wide."""

    line: int
    start: int
    end: int
    column: int


def width(text: str, tab: int = TAB) -> int:
    """Return how many columns TEXT takes at the beginning of a line."""
    return len(text.expandtabs(tab)) if "\t" in text else len(text)


def _is_condition(prefix: str) -> bool:
    return prefix[0] == "#" and prefix[-1] in "+-"


@dataclass(slots=True)
class _Mark:
    """The prefixes of a datum to come. They stand in COLUMN and may have begun a line."""

    column: int
    begins: bool
    quotes: bool
    computed: bool = False
    """Whether a comma is among them: what it stands for is no part of the form's own syntax."""
    guard: bool = False
    """Whether a condition is among them."""


@dataclass(slots=True)
class _Open:
    """A list that is open. Columns are those after indenting, OLD the one its parenthesis had before."""

    column: int
    old: int
    style: Style
    quoted: bool
    count: int = 0
    """Data that have begun."""
    operator: str = ""
    rule: Rule | None = CALL
    """None when nobody knows whether the operator has a body."""
    body_at: int = 0
    """The number of the first datum of the body."""
    first: int | None = None
    second: int | None = None
    """The column of the second datum, where it stands beside the first."""
    neighbour: int | None = None
    """Where the last neighbour stands that began a line as it should."""
    leader: int | None = None
    """The column of the datum before, when that is a name whose value comes now."""
    word: int | None = None
    """The column of the last symbol, where that begins a line."""
    form: int | None = None
    """The column of the first datum behind it."""
    columns: list[int] = field(default_factory=list)
    """Of the data so far."""
    keywords: list[int] = field(default_factory=list)
    """Of the keywords among them."""
    conditions: int = 0
    """How many conditions of `#+` come before the next datum."""
    guarded: bool = False
    """Whether the datum before has a condition."""
    mark: _Mark | None = None


class Walk:
    """One pass over a tile that begins in COLUMN: what is open, and where it stands after indenting.

    INSIDE: the lines of the tile that may be changed; None for all. TAB: the columns of a tab.
    """

    def __init__(
        self, segment: Segment, column: int, bodies: Bodies, inside: Container[int] | None, tab: int = TAB
    ) -> None:
        self.text, self.segment = segment.text, segment
        self.starts = LineIndex(segment.text).starts
        self.column, self.bodies, self.inside, self.tab = column, bodies, inside, tab
        self.line = 0
        self.fresh = column == 0
        """Whether nothing of the current line was met."""
        self.past = 0
        """Where the lexeme before ends."""
        self.shift = 0
        """By how many columns the current line moves."""
        self.outside = _Open(-1, -1, "data", quoted=False)
        self.stack = [self.outside]

    def lines(self) -> list[Line]:
        """Return the lines to be changed."""
        found = [self._step(lexeme) for lexeme in self.segment.lexemes]
        return [line for line in found if line is not None]

    def column_at(self, offset: int) -> int | None:
        """Return where a datum belongs that begins the line of OFFSET; None inside a string or comment."""
        for lexeme in self.segment.lexemes:
            if lexeme[1] >= offset:
                break
            if lexeme[2] > offset or (lexeme[0] == "broken" and lexeme[2] == offset):
                return None
            self._step(lexeme)
        return self._wanted(self.stack[-1], "open", "(")

    def _step(self, lexeme: Lexeme) -> Line | None:
        """Go past LEXEME; return its line, when it begins one that is to be changed."""
        changed, begins, proper = None, self._advance(lexeme), False
        if begins:
            start = self.starts[self.line]
            old = width(self.text[start : lexeme[1]], self.tab)
            column, proper = self._column(lexeme, old)
            if column != old and (self.inside is None or self.line in self.inside):
                self.shift = column - old
                changed = Line(self.line, start, lexeme[1], column)
        self._take(lexeme, begins and proper)
        return changed

    def _advance(self, lexeme: Lexeme) -> bool:
        """Go on to the line of LEXEME; return whether it is the first there."""
        while self.line + 1 < len(self.starts) and self.starts[self.line + 1] <= lexeme[1]:
            self.line += 1
            self.shift, self.fresh = 0, self.past <= self.starts[self.line]
        begins, self.fresh, self.past = self.fresh, False, lexeme[2]
        return begins

    def _column(self, lexeme: Lexeme, old: int) -> tuple[int, bool]:
        """Return the column of the line that LEXEME begins, OLD if that is right, and whether the next one
        goes by it."""
        kind, start, end = lexeme
        top = self.stack[-1]
        text = self.text[start:end]
        if kind == "comment" and (top is self.outside or text.startswith(";;;") or old == 0):
            return old, False
        wanted = self._wanted(top, kind, text)
        moved = old if top is self.outside else old + top.column - top.old
        if moved == wanted or moved in self._usual(top, kind, text):
            return moved, True
        if kind == "comment" and not text.startswith(";;") and moved > wanted:
            return moved, False
        if top.leader is not None and moved - top.leader in (1, 2):
            return moved, False
        return wanted, True

    def _wanted(self, top: _Open, kind: str, text: str) -> int:
        """Return where a datum of KIND belongs that begins a line in TOP with TEXT."""
        if top is self.outside:
            return 0
        if top.mark is not None:
            return top.mark.column
        if top.count == 0:
            return top.column + 1
        if top.guarded and _is_condition(text):
            return top.columns[-1]
        if top.operator == "loop" and top.style == "call":
            return self._in_loop(top, kind)
        place = self._place(top)
        if top.operator in _TAGGED and top.rule and self._in_body(top) >= 0:
            return top.column + (
                1 if kind in ("symbol", "number") else 3 if top.operator == "tagbody" else BODY
            )
        if place.offset is None or (top.rule and top.rule.body and self._in_body(top) > 0):
            return self._below(top)
        return top.column + place.offset

    def _in_loop(self, top: _Open, kind: str) -> int:
        """Return where a clause of `loop` belongs, or a form that goes on with one."""
        if kind != "symbol" and top.form is not None:
            return top.form
        if kind != "symbol" and top.count > 1:
            return (top.column if top.word is None else top.word) + BODY
        return top.column + BODY if top.second is None else top.second

    def _in_body(self, top: _Open) -> int:
        """Return how many data of the body come before the next one; negative before the body."""
        return top.count - top.body_at

    def _place(self, top: _Open) -> Place:
        rule = top.rule or CALL
        if rule.after_list:
            return rule.rest if top.body_at and top.count >= top.body_at else Place(FAR, "lambda-list")
        return rule.place(top.count - 1)

    def _below(self, top: _Open) -> int:
        if top.neighbour is not None:
            return top.neighbour
        if top.rule and top.rule.distinguished and top.rule.body and self._in_body(top) > 0:
            return top.column + BODY
        if top.style in _EQUALS or top.quoted or not top.operator or top.second is None:
            return top.first if top.first is not None else top.column + 1
        return top.second

    def _usual(self, top: _Open, kind: str, text: str) -> set[int]:
        """Return the other columns that are right for a datum that begins a line in TOP."""
        usual: set[int] = {top.column} if kind == "close" else set()
        if top.operator == "loop" or top.style == "lambda-list":
            usual |= {top.column + BODY, top.column + 6, *top.columns[top.operator == "loop" :]}
            usual |= {column + further for column in top.columns[-2:] for further in (BODY, BODY + 1)}
        if top.second is not None and (top.quoted or top.style in ("clause", "binding", "data")):
            usual.add(top.second)
        if top.rule is None or top.quoted or top.style in ("plain", "binding", "clause", "data"):
            usual |= {top.column + 1, top.column + BODY}
        elif top.rule.body and (self._in_body(top) >= 0 or top.operator not in STANDARD):
            usual.add(top.column + BODY)
        if text.startswith(":"):
            usual.update(top.keywords)
        if top.operator == "if":
            usual.add(top.column + BODY)
        if top.rule is DEFINITION:
            usual.add(top.column + FAR)
        if top.operator in _TAGGED:
            usual |= {top.column + 1, top.column + 2, top.column + 3}
        return usual

    def _take(self, lexeme: Lexeme, begins: bool) -> None:
        """Account for LEXEME; BEGINS: its line begins with it, and what follows goes by that."""
        kind, start, end = lexeme
        if kind in ("comment", "block"):
            return
        if kind == "close":
            if len(self.stack) > 1:
                self.stack.pop()
            return
        column = self._place_in_line(start) + self.shift
        top = self.stack[-1]
        if kind == "prefix":
            self._prefix(top, self.text[start:end], column, begins)
        elif top.conditions:
            top.conditions -= 1
            if kind == "open":
                self.stack.append(_Open(column, column - self.shift, "data", quoted=True))
        else:
            mark = top.mark or _Mark(column, begins, top.quoted)
            self._datum(top, mark, kind, self.text[start:end])
            if kind == "open":
                self._open(top, mark, column)

    def _place_in_line(self, start: int) -> int:
        line = self.starts[self.line]
        return width(self.text[line:start], self.tab) + (self.column if self.line == 0 else 0)

    def _prefix(self, top: _Open, text: str, column: int, begins: bool) -> None:
        mark = top.mark = top.mark or _Mark(column, begins, top.quoted)
        if _is_condition(text):
            top.conditions += 1
            mark.guard = True
        elif text == "'" or (text[0] == "#" and text not in ("#'", "#.")):
            mark.quotes = True
        elif text[0] in ",`":
            mark.quotes, mark.computed = False, text[0] == ","

    def _datum(self, top: _Open, mark: _Mark, kind: str, text: str) -> None:
        """Begin a datum in TOP."""
        another = mark.guard and top.guarded
        # `#+a x #-a y` is one of two.
        top.count += not another
        prefixed, top.mark, top.guarded = top.mark is not None, None, mark.guard
        if top.count == 1:
            top.first = mark.column
            self._operator(top, text if kind == "symbol" and not prefixed else "")
        elif mark.begins:
            top.neighbour = mark.column
        elif top.count == 2 and top.neighbour is None and not another:
            top.second = mark.column
        after_name = top.count > 1 + (top.operator != ":method")
        if top.rule and top.rule.after_list and not top.body_at and kind == "open" and after_name:
            top.body_at = top.count
        named = kind == "symbol" and text.startswith(":")
        top.leader = mark.column if named or (top.operator in _PAIRED and top.count % 2 == 0) else None
        if named:
            top.keywords.append(mark.column)
        top.columns.append(mark.column)
        if kind == "symbol" and not prefixed:
            top.word, top.form = mark.column if mark.begins or top.count == 2 else None, None
        elif top.form is None:
            top.form = mark.column

    def _operator(self, top: _Open, text: str) -> None:
        top.operator = text.lower() if text.startswith((":", "#")) else base_name(text)
        if top.style == "call" and not top.quoted:
            top.rule = rule_of(top.operator, self.bodies)
        if top.rule is not None and not top.rule.after_list:
            top.body_at = len(top.rule.distinguished) + 1

    def _open(self, top: _Open, mark: _Mark, column: int) -> None:
        style = "call" if mark.computed else self._style(top)
        opened = _Open(column, column - self.shift, style, mark.quotes)
        opened.rule = INNER.get(style, CALL)
        self.stack.append(opened)

    def _style(self, top: _Open) -> Style:
        """Return what a list is that is the datum of TOP that has just begun."""
        if top is self.outside:
            return "call"
        if (style := CHILDREN.get(top.style)) is not None:
            return style
        if top.count == 1 or top.rule is None:
            return "call"
        if top.rule.after_list:
            return "lambda-list" if top.count == top.body_at else "call"
        style = top.rule.place(top.count - 2).style
        # What such a definition has on its second line is more often its body.
        return "call" if top.rule is DEFINITION and top.neighbour is not None else style

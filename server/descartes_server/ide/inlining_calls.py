"""A call that the body of the function takes the place of, its parameters variables of a `let`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from descartes_server.ide import extracting
from descartes_server.ide.assigning import sets
from descartes_server.ide.edits import Edit, applied, line_end
from descartes_server.ide.indent_rules import BODY
from descartes_server.ide.index import package_name
from descartes_server.ide.moving_text import column_of, moved
from descartes_server.ide.paths import steps_at
from descartes_server.ide.roles import base_name, operator_of
from descartes_server.ide.same_meaning import Copied, is_kept, symbols_in
from descartes_server.ide.scopes import binding_of, space_of
from descartes_server.ide.segments import Segment
from descartes_server.ide.syntax import SymbolToken, Syntax, parse
from descartes_server.ide.tree import Node, text_of, tree, walk


@dataclass(frozen=True, slots=True)
class _Function:
    """A `defun` of SYNTAX, in the tile SEGMENT at BASE; BODY without its documentation."""

    syntax: Syntax
    segment: Segment
    base: int
    name: str
    parameters: tuple[Node, ...]
    body: tuple[Node, ...]

    def text(self, node: Node) -> str:
        """Return NODE as it is written."""
        return text_of(self.segment, node)

    @property
    def span(self) -> tuple[int, int]:
        """Return from where to where the body stands in the text."""
        return self.base + self.body[0].start, self.base + self.body[-1].end

    @property
    def is_left(self) -> bool:
        """Return whether the body leaves the function by its name."""
        lists = [each for form in self.body for each in walk(form) if each.kind == "list"]
        return any(
            operator_of(self.segment, each) == "return-from"
            and len(each.data) > 1
            and base_name(self.text(each.data[1])) == self.name
            for each in lists
        )


@dataclass(frozen=True, slots=True)
class _Call:
    """A call in SYNTAX from START to END; ARGUMENTS from where to where each stands."""

    syntax: Syntax
    start: int
    end: int
    arguments: tuple[tuple[int, int], ...]


def is_call(syntax: Syntax, symbol: SymbolToken) -> bool:
    """Return whether SYMBOL calls a global function where it stands."""
    is_global = binding_of(syntax, symbol) is None and space_of(syntax, symbol.start) == "function"
    return is_global and _call(syntax, symbol) is not None


def call(syntax: Syntax, symbol: SymbolToken, other: Syntax) -> Edit | None:
    """Return what puts the body of the function that OTHER defines where SYMBOL calls it in SYNTAX.

    The arguments are evaluated as before, once and in their order. None for a function that takes other than
    required parameters or is of another package, for a call with other arguments or comments between them,
    one that is a place, one that a compiler needs already, and where a name would mean something else.
    """
    there = _call(syntax, symbol)
    function = _function(other, base_name(symbol.text), package_name(syntax.package_at(symbol.start)))
    if there is None or function is None or len(there.arguments) != len(function.parameters):
        return None
    if (heads := _heads(function)) is None:
        return None
    edit = Edit(there.start, there.end, _written(there, function, heads))
    return edit if _means_the_same(there, function, heads, edit) else None


def _call(syntax: Syntax, symbol: SymbolToken) -> _Call | None:
    base, segment = syntax.around(symbol.start)[0]
    steps = steps_at(segment, symbol.start - base + 1)
    if not steps or steps[-1].index != 0 or (len(steps) > 1 and sets(steps[-2])):
        return None
    node = steps[-1].node
    start, end = base + node.start, base + node.end
    if node.children != node.data or not extracting.is_evaluated(syntax, start, end):
        return None
    comments = [at for kind, at, _ in segment.lexemes if kind in ("comment", "block")]
    between = [at for at in comments if not any(each.start <= at < each.end for each in node.data)]
    if any(node.start <= at < node.end for at in between):
        return None
    return _Call(syntax, start, end, tuple((base + each.start, base + each.end) for each in node.data[1:]))


def _function(syntax: Syntax, called: str, package: str) -> _Function | None:
    """Return the function that SYNTAX defines as CALLED of PACKAGE, if it has only required parameters."""
    named = [each for each in syntax.forms if each.kind == "function" and base_name(each.name) == called]
    form = next((each for each in named if package_name(each.package) == package), None)
    if form is None:
        return None
    base, segment = syntax.around(form.start)[0]
    root = tree(segment)
    if root is None or segment.stack or operator_of(segment, root) != "defun" or len(root.data) < 4:
        return None
    _, name, parameters, *body = root.data
    whole = root.children == root.data and parameters.children == parameters.data
    if body[0].kind == "string" and len(body) > 1:
        del body[0]
    if not whole or any(each.kind != "symbol" for each in (name, *parameters.data)):
        return None
    function = _Function(syntax, segment, base, called, parameters.data, tuple(body))
    return None if any(function.text(each)[0] == "&" for each in parameters.data) else function


def _heads(function: _Function) -> tuple[str, ...] | None:
    """Return what the operators around the body of FUNCTION are to be; None where declarations forbid it."""
    declares = operator_of(function.segment, function.body[0]) == "declare"
    block = (f"block {function.name}",) if function.is_left else ()
    if declares and block:
        return None
    if function.parameters:
        return ("let", *block)
    if declares:
        return ("locally",)
    return block or (("progn",) if len(function.body) > 1 else ())


def _written(call: _Call, function: _Function, heads: tuple[str, ...]) -> str:
    """Return the body of FUNCTION below HEADS, as it stands in place of CALL."""
    newline = line_end(call.syntax.text)
    column = column_of(call.syntax, call.start)
    text = ""
    for depth, head in enumerate(heads):
        text += f"({head}"
        if head == "let":
            indent = column + len("(let (")
            text += f" ({(newline + ' ' * indent).join(_bindings(call, function, indent))})"
        text += newline + " " * (column + BODY * (depth + 1))
    start, end = (each - function.base for each in function.span)
    shift = column + BODY * len(heads) - column_of(function.syntax, function.span[0])
    return text + moved(function.segment, start, end, shift) + ")" * len(heads)


def _bindings(call: _Call, function: _Function, indent: int) -> Iterator[str]:
    base, segment = call.syntax.around(call.start)[0]
    for parameter, (start, end) in zip(function.parameters, call.arguments, strict=True):
        name = function.text(parameter)
        shift = indent + len(name) + 2 - column_of(call.syntax, start)
        yield f"({name} {moved(segment, start - base, end - base, shift)})"


def _means_the_same(call: _Call, function: _Function, heads: tuple[str, ...], edit: Edit) -> bool:
    """Return whether after EDIT every name in place of CALL means what it did there or in FUNCTION."""
    after = parse(applied(call.syntax.text, [edit]), call.syntax)
    now = list(symbols_in(after, edit.start, edit.start + len(edit.text)))
    before: list[Copied | None] = [None] if heads[:1] in (("let",), ("locally",), ("progn",)) else []
    for parameter, argument in zip(function.parameters, call.arguments, strict=True):
        start, end = function.base + parameter.start, function.base + parameter.end
        before += _copied(function.syntax, start, end) + _copied(call.syntax, *argument)
    before += [None, None] if heads and heads[-1].startswith("block") else []
    before += _copied(function.syntax, *function.span)
    if len(now) != len(before):
        return False
    kept = [(old, new) for old, new in zip(before, now, strict=True) if old is not None]
    bound_around = {base_name(each.name) for each in call.syntax.bindings_at(call.start)}
    return is_kept([old for old, _ in kept], after, [new for _, new in kept], bound_around)


def _copied(syntax: Syntax, start: int, end: int) -> list[Copied | None]:
    return [Copied(syntax, each) for each in symbols_in(syntax, start, end)]

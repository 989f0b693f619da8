"""The grammar, and the one kind of error, which says where in the text it is."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from descartes_core.errors import InvalidParams

if TYPE_CHECKING:
    from lark import Lark, Tree

LONGEST_BYTES = 64 * 1024
"""Of an expression, of a template, and of every value on the way."""

GRAMMAR = r"""
?start: conditional
?conditional: "if" conditional "then" conditional "else" conditional -> choice
            | either
?either: both ("||" both)*
?both: comparison ("&&" comparison)*
?comparison: sum (COMPARISON sum)?
?sum: product ((PLUS | MINUS) product)*
?product: unary (FACTOR unary)*
?unary: "!" unary -> negation
      | "-" unary -> minus
      | piped
?piped: atom ("|" filter)*
filter: NAME ["(" [conditional ("," conditional)*] ")"]
?atom: path | "(" conditional ")" | literal | list
path: NAME step*
?step: "." NAME -> name | "[" conditional "]" -> index
list: "[" [conditional ("," conditional)*] "]"
?literal: INT -> integer | FLOAT -> decimal | STRING -> string
        | "true" -> true | "false" -> false | "null" -> null

COMPARISON: "==" | "!=" | "<=" | ">=" | "<" | ">" | "contains"
PLUS: "+"
MINUS: "-"
FACTOR: "*" | "/"
NAME: /[A-Za-z_][A-Za-z0-9_]*/
INT: /[0-9]+/
FLOAT: /[0-9]+\.[0-9]+([eE][+-]?[0-9]+)?/
STRING: /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'/s
%ignore /[ \t\r\n]+/
"""


class ExpressionError(InvalidParams):
    """An expression that is none, or cannot be evaluated. OFFSET counts characters of TEXT from 0."""

    def __init__(self, what: str, text: str, offset: int) -> None:
        offset = max(0, min(offset, len(text)))
        line = text.count("\n", 0, offset) + 1
        column = offset - (text.rfind("\n", 0, offset) + 1) + 1
        where = f"at column {column}" if "\n" not in text else f"at line {line}, column {column}"
        super().__init__(f"{what} ({where} of {_short(text)})", line=line, column=column, offset=offset)
        self.what = what
        self.offset = offset

    def within(self, whole: str, start: int) -> ExpressionError:
        """Return the same error of WHOLE, in which the text begins at START."""
        return type(self)(self.what, whole, start + self.offset)


class UnknownName(ExpressionError):
    """A name or index that there is not; `default(…)` takes its place."""


def parse(text: str) -> Tree[Any]:
    """Return the tree of the expression TEXT. Errors: `ExpressionError`."""
    if len(text.encode("utf-8", "surrogatepass")) > LONGEST_BYTES:
        raise ExpressionError(f"expected an expression of at most {LONGEST_BYTES} bytes, got more", text, 0)
    return _parse(text)


@lru_cache(maxsize=256)
def _parse(text: str) -> Tree[Any]:
    from lark import Tree
    from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

    try:
        found = _parser().parse(text)
    except UnexpectedCharacters as error:
        at = error.pos_in_stream or 0
        raise ExpressionError(f"expected an expression, got {text[at : at + 1]!r}", text, at) from None
    except UnexpectedToken as error:
        at_end = error.token.type == "$END"
        got = "nothing more" if at_end else repr(str(error.token))
        offset = len(text) if at_end else error.pos_in_stream or 0
        raise ExpressionError(f"expected an expression, got {got}", text, offset) from None
    except UnexpectedInput as error:
        raise ExpressionError("expected an expression", text, error.pos_in_stream or 0) from None
    # A constant alone comes without a tree around it.
    return found if isinstance(found, Tree) else Tree("whole", [found])


@cache
def _parser() -> Lark:
    from lark import Lark

    return Lark(GRAMMAR, parser="lalr", propagate_positions=True, maybe_placeholders=False)


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:79]}…")

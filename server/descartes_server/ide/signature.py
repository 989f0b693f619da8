"""The lambda list of the call at an offset, with the parameter marked that stands there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from descartes_server.ide import lambda_list
from descartes_server.ide.lambda_list import Parameter
from descartes_server.ide.syntax import Syntax


@dataclass(frozen=True, slots=True)
class SignatureContext:
    """A call and the place in it. ARGUMENT_INDEX is -1 on the operator; KEYWORD the keyword argument
    meant, in lower case; PATH goes on into an argument that is part of the operator's own syntax."""

    operator: str
    argument_index: int
    keyword: str | None
    arguments: tuple[str, ...]
    start: int
    path: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Signature:
    """What to show: PARAMETERS are spans of LABEL in code points, ACTIVE the number of the marked one."""

    label: str
    parameters: tuple[tuple[int, int], ...]
    active: int | None


def at(syntax: Syntax, offset: int) -> SignatureContext | None:
    """Return the call around OFFSET for signature help, None outside one and in comments."""
    lexeme = syntax.lexeme_at(offset)
    if lexeme and lexeme[0] in ("comment", "block") and offset <= lexeme[2]:
        return None
    call = syntax.call_at(offset)
    if call is None or call.operator.startswith(":"):
        return None
    return SignatureContext(
        call.operator,
        call.argument_index,
        _keyword_at(call.arguments, call.argument_index),
        call.arguments,
        call.start,
        call.path,
    )


def render(operator: str, arglist_text: str, context: SignatureContext) -> Signature:
    """Return the signature of OPERATOR with lambda list ARGLIST_TEXT, the parameter of CONTEXT marked.

    Example: render("f", "(a &key b)", at ":b" ) -> Signature("(f a &key b)", ((3, 4), (10, 11)), 1)
    """
    arglist = " ".join(arglist_text.split())
    inner = arglist[arglist.find("(") :] if "(" in arglist else "()"
    label = f"({operator}{' ' if inner[1:-1] else ''}{inner[1:]}"
    shift = len(label) - len(inner)
    parameters = lambda_list.read(inner)
    chosen = _chosen(parameters, context.argument_index, context.arguments, context.keyword)
    shown = list(parameters)
    path = context.path
    while chosen is not None and chosen.nested and path:
        place = shown.index(chosen)
        shown[place : place + 1] = chosen.nested
        chosen = _chosen(chosen.nested, path[0], (), None)
        path = path[1:]
    spans = tuple((parameter.start + shift, parameter.end + shift) for parameter in shown)
    return Signature(label, spans, shown.index(chosen) if chosen is not None else None)


def _keyword_at(arguments: Sequence[str], index: int) -> str | None:
    if 0 <= index < len(arguments) and arguments[index].startswith(":"):
        return arguments[index].lower()
    if 0 < index <= len(arguments) and arguments[index - 1].startswith(":"):
        return arguments[index - 1].lower()
    return None


def _chosen(
    parameters: Sequence[Parameter], index: int, arguments: Sequence[str], keyword: str | None
) -> Parameter | None:
    """The parameter that argument INDEX is for; keys are told by KEYWORD and by their turn after it."""
    if index < 0:
        return None
    positional = [item for item in parameters if item.kind in ("required", "optional")]
    if index < len(positional):
        return positional[index]
    keys = [item for item in parameters if item.kind == "key"]
    named = _turn(arguments, index, len(positional)) or keyword
    for item in keys:
        if named and item.keyword and item.keyword.lower() == named:
            return item
    rest = [item for item in parameters if item.kind in ("rest", "body")]
    return rest[-1] if rest else None


def _turn(arguments: Sequence[str], index: int, positional: int) -> str | None:
    """The keyword that argument INDEX is or follows, counted in pairs after the POSITIONAL ones."""
    place = index - (index - positional) % 2
    return arguments[place].lower() if place < len(arguments) and arguments[place].startswith(":") else None

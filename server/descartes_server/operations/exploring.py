"""The operations with which a person looks around in the image, and takes definitions away."""

from __future__ import annotations

from typing import Any, Literal

from descartes_core.errors import InvalidParams, NotFound
from descartes_core.model import Shape
from descartes_server.ide import expansion
from descartes_server.operations import lisp_shapes as shapes
from descartes_server.operations import texts
from descartes_server.operations.asking import USER_PACKAGE, SymbolParams, ask, editors_of
from descartes_server.operations.context import Context
from descartes_server.operations.parsed import parsed
from descartes_server.operations.registry import Params, operation


class AproposParams(Params, frozen=True, kw_only=True):
    """TEXT that the names of symbols have in them, of PACKAGE or of all packages."""

    text: str
    package: str | None = None
    limit: int = 200


class MacroexpandParams(Params, frozen=True, kw_only=True):
    """The form of the file URI at POSITION, or CODE, one form as it is written in PACKAGE."""

    uri: str | None = None
    position: shapes.Position | None = None
    document: shapes.Document | None = None
    use_disk: bool = False
    code: str | None = None
    package: str | None = None
    mode: Literal["1", "all", "compiler"] = "1"


class UndefineParams(SymbolParams, frozen=True, kw_only=True):
    """KIND: which definition of the symbol goes; may be left out where there is only one."""

    kind: str | None = None


class Text(Shape, frozen=True, kw_only=True):
    """What the image printed."""

    text: str


class FoundSymbol(Shape, frozen=True, kw_only=True):
    """A symbol: NAME as it can be written anywhere, KIND as in completion."""

    name: str
    kind: str
    package: str | None = None
    arglist: str | None = None


class FoundSymbols(Shape, frozen=True, kw_only=True):
    """Symbols, the likeliest first."""

    symbols: list[FoundSymbol]


class Expansion(Shape, frozen=True, kw_only=True):
    """TEXT of the form after the expansion; EXPANDED: whether that changed it. RANGE is the form's in URI."""

    text: str
    expanded: bool
    uri: str | None = None
    range: shapes.Range | None = None


class Removed(Shape, frozen=True, kw_only=True):
    """NAME in full; KIND the definition that is gone, PACKAGE where the symbol was taken out."""

    name: str
    kind: str | None = None
    package: str | None = None


async def describe(context: Context, params: SymbolParams) -> Text:
    """Answer what DESCRIBE prints about a symbol."""
    return Text(text=await ask(context, await _about(context, "described", params)))


async def disassemble(context: Context, params: SymbolParams) -> Text:
    """Answer the machine code of a function."""
    return Text(text=await ask(context, await _about(context, "disassembly", params)))


async def apropos(context: Context, params: AproposParams) -> FoundSymbols:
    """Find symbols by a part of their name."""
    if not params.text:
        raise InvalidParams("expected a part of a name as `text`, got an empty one")
    request = {"question": "apropos", **_given(text=params.text, package=params.package, limit=params.limit)}
    found = await ask(context, request)
    return FoundSymbols(
        symbols=[
            FoundSymbol(
                name=each["label"],
                kind=each["kind"],
                package=each.get("package"),
                arglist=each.get("arglist"),
            )
            for each in found
        ]
    )


for _name, _handler in (("describe", describe), ("disassemble", disassemble)):
    operation(f"lisp.{_name}", kind="ask", for_agents=True, positional=("symbol",), without_hub=_handler)(
        _handler
    )
operation("lisp.apropos", kind="ask", for_agents=True, positional=("text",), without_hub=apropos)(apropos)


@operation("lisp.macroexpand", kind="effect", needs_trust=True, for_agents=True, positional=("code",))
async def macroexpand(context: Context, params: MacroexpandParams) -> Expansion:
    """Expand a form once, wholly or by its compiler macro; nothing is changed."""
    if (params.code is None) == (params.uri is None):
        raise InvalidParams("expected either `code` or `uri` with `position`")
    if params.code is not None:
        request = {"code": params.code, "package": params.package or USER_PACKAGE}
        return _expansion(await _expand(context, request, params.mode))
    return await _expand_in_file(context, params)


async def _expand_in_file(context: Context, params: MacroexpandParams) -> Expansion:
    assert params.uri is not None
    if params.position is None:
        raise InvalidParams("expected `position` beside `uri`, to say which form is to be expanded")
    source = await texts.read(editors_of(context), params.uri, params.document, use_disk=params.use_disk)
    syntax, offset = await parsed(source), source.offset(params.position)
    span = expansion.form_to_expand(syntax, offset)
    if span is None:
        raise NotFound(f"expected a form at line {params.position.line} of {source.path.name}, there is none")
    around = expansion.surroundings(syntax, span.start)
    request = {
        "code": source.text[span.start : span.end],
        "package": params.package or syntax.package_at(span.start),
        "around": [{"kind": each.kind, "bindings": each.bindings} for each in around],
    }
    place = source.range(span.start, span.end)
    return _expansion(await _expand(context, request, params.mode), source.uri, place)


async def _expand(context: Context, request: dict[str, Any], mode: str) -> dict[str, Any]:
    answer = await ask(context, {"question": "expansion", "mode": mode, **request}, start=True)
    assert isinstance(answer, dict)
    return answer


def _expansion(
    answer: dict[str, Any], uri: str | None = None, place: shapes.Range | None = None
) -> Expansion:
    return Expansion(text=answer["text"], expanded=answer["expanded"], uri=uri, range=place)


@operation("lisp.undefine", kind="effect", needs_trust=True, positional=("symbol",))
async def undefine(context: Context, params: UndefineParams) -> Removed:
    """Take a definition of a symbol away: its function, its value, its class."""
    request = await _about(context, "undefine", params) | _given(kind=params.kind)
    gone = _removed(await ask(context, request))
    await context.services.image.breakpoints.undefined(gone.name)
    return gone


@operation("lisp.unintern", kind="effect", needs_trust=True, positional=("symbol",))
async def unintern(context: Context, params: SymbolParams) -> Removed:
    """Take a symbol out of its package."""
    gone = _removed(await ask(context, await _about(context, "unintern", params)))
    await context.services.image.breakpoints.undefined(gone.name)
    return gone


def _removed(answer: dict[str, Any]) -> Removed:
    return Removed(name=answer["name"], kind=answer.get("kind"), package=answer.get("package"))


async def _about(context: Context, question: str, params: SymbolParams) -> dict[str, Any]:
    return {"question": question, "name": params.symbol, "package": await params.package_in(context)}


def _given(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}

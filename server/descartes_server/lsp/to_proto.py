"""Answers of `ide` in the protocol's types; the few that grow with the file as the plain JSON of the wire."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from descartes_server.ide.completion import CompletionContext, Item
from descartes_server.ide.folding import Fold
from descartes_server.ide.lenses import Action, Command, Lens
from descartes_server.ide.results import Hint
from descartes_server.ide.signature import Signature
from descartes_server.ide.stops import Mark
from descartes_server.ide.symbols import Symbol
from descartes_server.ide.text import LineIndex
from descartes_server.lsp.codec import Wire
from descartes_server.lsp.positions import Encoding, Positions, length

if TYPE_CHECKING:
    from descartes_server.ide.index import Entry
    from descartes_server.ide.links import Link
    from descartes_server.ide.syntax import Span
    from descartes_server.ide.workspace_symbols import Found

_SYMBOL = types.SymbolKind
SYMBOL_KINDS = {
    "function": _SYMBOL.Function,
    "macro": _SYMBOL.Function,
    "compiler-macro": _SYMBOL.Function,
    "generic": _SYMBOL.Interface,
    "method": _SYMBOL.Method,
    "setf": _SYMBOL.Function,
    "variable": _SYMBOL.Variable,
    "symbol-macro": _SYMBOL.Variable,
    "constant": _SYMBOL.Constant,
    "class": _SYMBOL.Class,
    "condition": _SYMBOL.Class,
    "structure": _SYMBOL.Struct,
    "slot": _SYMBOL.Field,
    "type": _SYMBOL.TypeParameter,
    "package": _SYMBOL.Package,
    "system": _SYMBOL.Module,
    "test": _SYMBOL.Event,
}
_OLDER_KINDS = {
    _SYMBOL.Struct: _SYMBOL.Class,
    _SYMBOL.TypeParameter: _SYMBOL.Class,
    _SYMBOL.Event: _SYMBOL.Function,
}
"""What stands for the kinds that not every client can show."""
_ITEM = types.CompletionItemKind
ITEM_KINDS = {
    "function": _ITEM.Function,
    "macro": _ITEM.Operator,
    "special-operator": _ITEM.Keyword,
    "compiler-macro": _ITEM.Operator,
    "generic": _ITEM.Method,
    "method": _ITEM.Method,
    "setf": _ITEM.Function,
    "variable": _ITEM.Variable,
    "symbol-macro": _ITEM.Variable,
    "constant": _ITEM.Constant,
    "class": _ITEM.Class,
    "condition": _ITEM.Class,
    "structure": _ITEM.Struct,
    "type": _ITEM.TypeParameter,
    "package": _ITEM.Module,
    "keyword": _ITEM.Property,
    "slot": _ITEM.Field,
    "lambda-list-keyword": _ITEM.Keyword,
    "declaration": _ITEM.Keyword,
}
_SEVERITIES = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "information": types.DiagnosticSeverity.Information,
    "hint": types.DiagnosticSeverity.Hint,
}


def hover(markdown: str, span: tuple[int, int] | None, positions: Positions, *, plain: bool) -> types.Hover:
    """Return MARKDOWN about SPAN; as plain text for a client that shows no Markdown."""
    kind = types.MarkupKind.PlainText if plain else types.MarkupKind.Markdown
    content = types.MarkupContent(kind=kind, value=_without_marks(markdown) if plain else markdown)
    return types.Hover(contents=content, range=positions.range(*span) if span else None)


def _without_marks(markdown: str) -> str:
    lines = (line for line in markdown.splitlines() if not line.startswith("```"))
    text = re.sub(r"\[([^\]\n]+)\]\((https?://[^)\s]+)\)", r"\1: \2", "\n".join(lines))
    return text.replace("**", "").replace("`", "").replace("---", "")


def completion(
    items: Sequence[Item], place: CompletionContext, positions: Positions, *, complete: bool
) -> Wire:
    """Return ITEMS for the text of PLACE, in their order, with one edit range for all of them."""
    edit_range = _range(positions, place.start, place.start + len(place.prefix))
    return Wire(
        {
            "isIncomplete": not complete,
            "items": [_item(item, number, edit_range) for number, item in enumerate(items)],
        }
    )


def _item(item: Item, number: int, edit_range: dict[str, Any]) -> dict[str, Any]:
    return {
        "label": item.label,
        "kind": int(ITEM_KINDS.get(item.kind, _ITEM.Text)),
        "detail": item.detail,
        "sortText": f"{number:05}",
        "filterText": item.label,
        "textEdit": {"range": edit_range, "newText": item.insert or item.label},
        "data": {"name": item.label, "package": item.package, "documentation": item.documentation},
    }


def signature_help(signature: Signature, positions: Positions, documentation: str) -> types.SignatureHelp:
    """Return SIGNATURE; its spans are counted in the client's encoding."""
    label, encoding = signature.label, positions.encoding
    parameters = [
        types.ParameterInformation(label=(length(label[:start], encoding), length(label[:end], encoding)))
        for start, end in signature.parameters
    ]
    information = types.SignatureInformation(
        label=label,
        parameters=parameters,
        documentation=documentation or None,
        active_parameter=signature.active,
    )
    return types.SignatureHelp(
        signatures=[information], active_signature=0, active_parameter=signature.active
    )


def location(uri: str, positions: Positions, start: int, end: int) -> types.Location:
    """Return the place from START to END of the file URI."""
    return types.Location(uri=uri, range=positions.range(start, end))


def location_link(
    origin: types.Range, uri: str, positions: Positions, whole: tuple[int, int], name: tuple[int, int]
) -> types.LocationLink:
    """Return the way from ORIGIN to the form WHOLE of the file URI whose NAME is shown."""
    return types.LocationLink(
        origin_selection_range=origin,
        target_uri=uri,
        target_range=positions.range(*whole),
        target_selection_range=positions.range(*name),
    )


def document_symbols(symbols: Iterable[Symbol], positions: Positions, shown: Any = None) -> Wire:
    """Return SYMBOLS as a tree; SHOWN as for `symbol_kind`."""
    return Wire([_symbol(symbol, positions, shown) for symbol in symbols])


def symbol_kind(kind: str, shown: Any = None) -> int:
    """Return the number of KIND; SHOWN are those that the client says it can show, if it says so."""
    found = SYMBOL_KINDS.get(kind, _SYMBOL.Function)
    if isinstance(shown, list) and found not in shown:
        found = _OLDER_KINDS.get(found, found)
    return int(found)


def _symbol(symbol: Symbol, positions: Positions, shown: Any) -> dict[str, Any]:
    answer = {
        "name": symbol.name or symbol.kind,
        "detail": symbol.detail,
        "kind": symbol_kind(symbol.kind, shown),
        "range": _range(positions, symbol.start, symbol.end),
        "selectionRange": _range(positions, symbol.name_start, symbol.name_end),
    }
    if symbol.children:
        answer["children"] = [_symbol(child, positions, shown) for child in symbol.children]
    return answer


def flat_symbols(
    symbols: Iterable[Symbol], uri: str, positions: Positions, shown: Any = None, container: str = ""
) -> list[Any]:
    """Return SYMBOLS one after the other, for a client that shows no tree; SHOWN as for `symbol_kind`."""
    found: list[dict[str, Any]] = []
    for symbol in symbols:
        place = {"uri": uri, "range": _range(positions, symbol.start, symbol.end)}
        kind = symbol_kind(symbol.kind, shown)
        entry: dict[str, Any] = {"name": symbol.name or symbol.kind, "kind": kind, "location": place}
        if container:
            entry["containerName"] = container
        found.append(entry)
        found.extend(flat_symbols(symbol.children, uri, positions, shown, symbol.name))
    return found


def workspace_symbols(
    found: Iterable[Found], prefix: str, uri_of: Callable[[str], str], encoding: Encoding, shown: Any = None
) -> Wire:
    """Return FOUND, whose places URI_OF names, with the ranges of their names; SHOWN as for `symbol_kind`.

    PREFIX stands before each name, which some editors compare with what is typed.
    """
    return Wire(
        [
            {
                "name": prefix + (each.entry.name or each.entry.kind),
                "kind": symbol_kind(each.entry.kind, shown),
                "location": {"uri": uri_of(each.place), "range": _name_range(each.entry, encoding)},
                "containerName": each.container,
            }
            for each in found
        ]
    )


def _name_range(entry: Entry, encoding: Encoding) -> dict[str, Any]:
    line, column, text = entry.name_line, entry.name_column, entry.name_text
    if not text:
        end = column + entry.name_end - entry.name_start
        return {"start": {"line": line, "character": column}, "end": {"line": line, "character": end}}
    span = _range(Positions(LineIndex(text), encoding), column, len(text))
    return {key: {**place, "line": place["line"] + line} for key, place in span.items()}


def folding_ranges(folds: Iterable[Fold]) -> Wire:
    """Return FOLDS."""
    return Wire(
        [{"startLine": fold.start_line, "endLine": fold.end_line, "kind": fold.kind} for fold in folds]
    )


def selection_ranges(found: Iterable[Sequence[Span]], positions: Positions) -> Wire:
    """Return for each of FOUND, spans from the innermost to the outermost, the first with its parents."""
    answer = []
    for spans in found:
        outer: dict[str, Any] | None = None
        for span in reversed(spans):
            step: dict[str, Any] = {"range": _range(positions, span.start, span.end)}
            outer = step if outer is None else {**step, "parent": outer}
        answer.append(outer)
    return Wire(answer)


def document_links(found: Iterable[tuple[Link, str]], positions: Positions) -> Wire:
    """Return the links that were FOUND, each with the URI it leads to."""
    return Wire(
        [
            {"range": _range(positions, link.start, link.end), "target": target, "tooltip": link.tooltip}
            for link, target in found
        ]
    )


def _range(positions: Positions, start: int, end: int) -> dict[str, Any]:
    return {"start": _place(positions, start), "end": _place(positions, end)}


def _place(positions: Positions, offset: int) -> dict[str, int]:
    line, column = positions.lines.position(offset)
    return {"line": line, "character": positions.character(line, column)}


_SOURCES = {"test": "descartes test"}


def diagnostic(mark: Mark, positions: Positions) -> types.Diagnostic:
    """Return MARK as a diagnostic."""
    return types.Diagnostic(
        range=positions.range(mark.start, mark.end),
        message=mark.message,
        severity=_SEVERITIES[mark.severity],
        code=mark.code,
        source=_SOURCES.get(mark.code, "descartes"),
        data=dict(mark.data) or None,
    )


def inlay_hint(hint: Hint, positions: Positions) -> types.InlayHint:
    """Return HINT, which stands after its form with a blank between them."""
    return types.InlayHint(
        position=positions.position(hint.at),
        label=hint.label,
        tooltip=hint.tooltip or None,
        padding_left=True,
    )


def lens(lens_: Lens, positions: Positions) -> types.CodeLens:
    """Return LENS_ with its command, which some clients never ask for later."""
    return types.CodeLens(range=positions.range(lens_.start, lens_.end), command=command(lens_.command))


def command(command_: Command) -> types.Command:
    """Return COMMAND_."""
    return types.Command(title=command_.title, command=command_.name, arguments=[dict(command_.arguments)])


def code_action(action: Action, diagnostics: Sequence[types.Diagnostic]) -> types.CodeAction:
    """Return ACTION, tied to those of DIAGNOSTICS that it answers."""
    kind = types.CodeActionKind.QuickFix if action.fixes else types.CodeActionKind.Empty
    answered = [each for each in diagnostics if each.code == action.fixes] if action.fixes else []
    return types.CodeAction(
        title=action.command.title,
        kind=kind,
        command=command(action.command),
        diagnostics=answered or None,
        is_preferred=True if action.preferred else None,
    )

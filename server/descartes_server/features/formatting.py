"""`textDocument/formatting`, `rangeFormatting`, `rangesFormatting` and `onTypeFormatting`: indentation."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from lsprotocol import types

from descartes_server.ide import indentation, white_space
from descartes_server.ide.indent_rules import Bodies
from descartes_server.ide.syntax import Syntax
from descartes_server.state import Document, Snapshot


async def formatting(snapshot: Snapshot, params: types.DocumentFormattingParams) -> list[types.TextEdit]:
    document = await snapshot.document(params.text_document.uri)
    syntax = await snapshot.syntax(document)
    edits = await _edits(snapshot, document, syntax, params.options, None)
    wanted = white_space.Wanted(
        trailing=bool(params.options.trim_trailing_whitespace),
        final_newline=bool(params.options.insert_final_newline),
        final_newlines=bool(params.options.trim_final_newlines),
    )
    return edits + [
        _edit(document, each.start, each.end, each.text) for each in white_space.edits(syntax, wanted)
    ]


async def range_formatting(
    snapshot: Snapshot, params: types.DocumentRangeFormattingParams
) -> list[types.TextEdit]:
    document = await snapshot.document(params.text_document.uri)
    syntax = await snapshot.syntax(document)
    return await _edits(snapshot, document, syntax, params.options, [_lines(params.range)])


async def ranges_formatting(
    snapshot: Snapshot, params: types.DocumentRangesFormattingParams
) -> list[types.TextEdit]:
    document = await snapshot.document(params.text_document.uri)
    syntax = await snapshot.syntax(document)
    return await _edits(snapshot, document, syntax, params.options, [_lines(each) for each in params.ranges])


async def on_type_formatting(
    snapshot: Snapshot, params: types.DocumentOnTypeFormattingParams
) -> list[types.TextEdit]:
    document = await snapshot.document(params.text_document.uri)
    syntax = await snapshot.syntax(document)
    line = params.position.line
    if line >= syntax.lines.line_count:
        return []
    start, end = syntax.lines.line_span(line)
    column = indentation.column_at(syntax, start, await _known(snapshot, syntax), _tab(params.options))
    rest = document.text[start:end]
    old = rest[: len(rest) - len(rest.lstrip(" \t"))]
    if column is None or column == indentation.width(old, _tab(params.options)):
        return []
    return [_edit(document, start, start + len(old), _white(column, params.options))]


async def _edits(
    snapshot: Snapshot,
    document: Document,
    syntax: Syntax,
    options: types.FormattingOptions,
    chosen: Sequence[range] | None,
) -> list[types.TextEdit]:
    """Return the changes of indentation in DOCUMENT, or on the CHOSEN lines."""
    known = await _known(snapshot, syntax)
    loop = asyncio.get_running_loop()
    find = partial(indentation.lines, syntax, known, chosen, _tab(options))
    found = await loop.run_in_executor(snapshot.executor, find)
    return [_edit(document, line.start, line.end, _white(line.column, options)) for line in found]


async def _known(snapshot: Snapshot, syntax: Syntax) -> Bodies:
    """Return what the image and the workspace know of the operators of SYNTAX."""
    names = sorted(indentation.operators(syntax))
    package = syntax.package_at(len(syntax.text))
    asked = await snapshot.image.ask(lambda image: image.bodies(names, package)) if names else None
    return indentation.known(names, snapshot.index, package, asked or {})


def _lines(chosen: types.Range) -> range:
    """Return the lines of CHOSEN; one that ends before the first character of a line ends above it."""
    last = chosen.end.line - (chosen.end.character == 0 and chosen.end.line > chosen.start.line)
    return range(chosen.start.line, last + 1)


def _tab(options: types.FormattingOptions) -> int:
    """Return the columns of a tab: where the editor writes them, those in the text have its width."""
    return indentation.TAB if options.insert_spaces else max(1, options.tab_size)


def _white(column: int, options: types.FormattingOptions) -> str:
    if options.insert_spaces or options.tab_size < 1:
        return " " * column
    return "\t" * (column // options.tab_size) + " " * (column % options.tab_size)


def _edit(document: Document, start: int, end: int, text: str) -> types.TextEdit:
    return types.TextEdit(range=document.positions.range(start, end), new_text=text)

"""Settings files in the editor: completion, hovers, and quick fixes for old names and versions."""

from __future__ import annotations

from lsprotocol import types

from descartes_core.config import loading, versions
from descartes_core.config.table import CURRENT_VERSION
from descartes_core.errors import DescartesError
from descartes_server.ide import settings_text as ide
from descartes_server.lsp import to_proto
from descartes_server.lsp.codec import Wire
from descartes_server.state import Document, Snapshot


def completion(document: Document, params: types.CompletionParams) -> Wire:
    """Return what may stand at the place that PARAMS ask about."""
    place, items = ide.proposals(document.text, document.positions.offset(params.position))
    return to_proto.completion(items, place, document.positions, complete=True)


def hover(snapshot: Snapshot, document: Document, params: types.HoverParams) -> types.Hover | None:
    """Return what the setting at the place that PARAMS ask about does."""
    found = ide.explanation(document.text, document.positions.offset(params.position))
    formats = snapshot.abilities.get("textDocument.hover.contentFormat")
    plain = isinstance(formats, list) and "markdown" not in formats
    return to_proto.hover(*found, document.positions, plain=plain) if found else None


def fixes(document: Document, params: types.CodeActionParams) -> list[types.CodeAction]:
    """Return what puts old names right, and the whole file in the newest version."""
    start, end = document.positions.span(params.range)
    found: list[types.CodeAction] = []
    assert document.path is not None
    for problem in loading.problems_in(document.path, document.text, may_name_programs=True):
        at, until = _span(document, problem)
        if problem.code == "setting.version":
            found += _migration(document, params)
        elif problem.new_name is not None and at <= end and start <= until:
            found.append(_fix(document, params, f"Call it {problem.new_name}", (at, until), problem.new_name))
    return found


def _migration(document: Document, params: types.CodeActionParams) -> list[types.CodeAction]:
    try:
        text = versions.migrate(document.text).text
    except DescartesError:
        return []
    whole = (0, len(document.text))
    return [_fix(document, params, f"Bring this file to version {CURRENT_VERSION}", whole, text)]


def _fix(
    document: Document, params: types.CodeActionParams, title: str, span: tuple[int, int], text: str
) -> types.CodeAction:
    codes = ("setting.version", "setting.renamed")
    edit = types.TextEdit(range=document.positions.range(*span), new_text=text)
    return types.CodeAction(
        title=title,
        kind=types.CodeActionKind.QuickFix,
        edit=types.WorkspaceEdit(changes={document.uri: [edit]}),
        diagnostics=[each for each in params.context.diagnostics if each.code in codes] or None,
        is_preferred=True,
    )


def _span(document: Document, problem: loading.Problem) -> tuple[int, int]:
    line, column = problem.end or (problem.line, problem.column)
    lines = document.lines
    return lines.offset(problem.line - 1, problem.column - 1), lines.offset(line - 1, column - 1)

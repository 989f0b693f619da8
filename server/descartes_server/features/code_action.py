"""`textDocument/codeAction`: restarts, leases, answers to the questions of runs, refactorings."""

from __future__ import annotations

from dataclasses import replace

from lsprotocol import types

from descartes_server.dispatch import on_snapshot
from descartes_server.ide import actions, hover, inspecting
from descartes_server.ide.index import is_lisp_file
from descartes_server.ide.lenses import Action, Scene
from descartes_server.lsp import to_proto
from descartes_server.state import ServerState, Snapshot
from descartes_server.state.documents import Document


def register(state: ServerState) -> None:
    kind = types.CodeActionKind
    kinds = [kind.QuickFix, kind.Empty, kind.RefactorRewrite, kind.RefactorExtract, kind.RefactorInline]
    options = types.CodeActionOptions(code_action_kinds=kinds)
    on_snapshot(state, types.TEXT_DOCUMENT_CODE_ACTION, _code_action, options, places=True)


async def _code_action(
    snapshot: Snapshot, params: types.CodeActionParams
) -> list[types.CodeAction] | list[types.Command]:
    document = await snapshot.document(params.text_document.uri)
    start, end = document.positions.span(params.range)
    found = actions.actions(await _scene(snapshot, document, params.range.start), start, end)
    if not snapshot.abilities.command_links:
        found += await _inspecting(snapshot, document, start)
    only = params.context.only
    wanted = {""} if only is None else {str(getattr(kind, "value", kind)) for kind in only}
    if "" not in wanted:
        found = [each for each in found if each.fixes and "quickfix" in wanted]
    if not isinstance(snapshot.abilities.get("textDocument.codeAction.codeActionLiteralSupport"), dict):
        return [to_proto.command(each.command) for each in found]
    offered = [to_proto.code_action(each, params.context.diagnostics) for each in found]
    from descartes_server.features import refactoring  # a start need not wait for it

    offered += await refactoring.offered(snapshot, document, start, end, wanted)
    if document.is_settings and wanted & {"", "quickfix"}:
        from descartes_server.features import settings_text

        offered += settings_text.fixes(document, params)
    return offered


async def _inspecting(snapshot: Snapshot, document: Document, offset: int) -> list[Action]:
    """Offer to inspect what the symbol at OFFSET names in the image; others find that in the hover."""
    syntax = await snapshot.syntax(document)
    symbol = syntax.symbol_at(offset)
    if symbol is None or hover.lexical(syntax, symbol) is not None:
        return []
    package = syntax.package_at(offset)
    info = await snapshot.image.ask(lambda image: image.symbol(symbol.text, package))
    command = inspecting.command(symbol.text, info.kinds, package, None) if info else None
    return [inspecting.action(symbol.text, command)] if command else []


async def _scene(snapshot: Snapshot, document: Document, cursor: types.Position) -> Scene:
    """Return what goes on in DOCUMENT; CURSOR is where a breakpoint may be set, while an image runs."""
    scene = snapshot.scene(document, await snapshot.syntax(document))
    is_ready = snapshot.workshop.lisp.get("state") == "ready"
    if is_ready and document.real_path and is_lisp_file(document.real_path):
        return replace(scene, cursor={"line": cursor.line, "character": cursor.character})
    return scene

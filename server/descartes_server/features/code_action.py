"""`textDocument/codeAction`: restarts, leases, answers to the questions of runs."""

from __future__ import annotations

from lsprotocol import types

from descartes_server.dispatch import on_snapshot
from descartes_server.ide import actions
from descartes_server.lsp import to_proto
from descartes_server.state import ServerState, Snapshot


def register(state: ServerState) -> None:
    kinds = [types.CodeActionKind.QuickFix, types.CodeActionKind.Empty]
    options = types.CodeActionOptions(code_action_kinds=kinds)
    on_snapshot(state, types.TEXT_DOCUMENT_CODE_ACTION, _code_action, options, places=True)


async def _code_action(
    snapshot: Snapshot, params: types.CodeActionParams
) -> list[types.CodeAction] | list[types.Command]:
    document = await snapshot.document(params.text_document.uri)
    found = actions.actions(snapshot.scene(document), *document.positions.span(params.range))
    only = params.context.only
    if only is not None:
        wanted = {str(getattr(kind, "value", kind)) for kind in only}
        found = [each for each in found if "" in wanted or (each.fixes and "quickfix" in wanted)]
    if not isinstance(snapshot.abilities.get("textDocument.codeAction.codeActionLiteralSupport"), dict):
        return [to_proto.command(each.command) for each in found]
    return [to_proto.code_action(each, params.context.diagnostics) for each in found]

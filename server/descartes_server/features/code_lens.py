"""`textDocument/codeLens`: who holds the file, what runs do in it, the restarts of a stopped form,
tests to run; in a history document the ways through it."""

from __future__ import annotations

from lsprotocol import types

from descartes_server.dispatch import on_snapshot
from descartes_server.ide import lenses, notes_document
from descartes_server.lsp import ext, to_proto
from descartes_server.state import ServerState, Snapshot


def register(state: ServerState) -> None:
    options = types.CodeLensOptions(resolve_provider=False)
    on_snapshot(state, types.TEXT_DOCUMENT_CODE_LENS, _code_lens, options, places=True)


async def _code_lens(snapshot: Snapshot, params: types.CodeLensParams) -> list[types.CodeLens]:
    document = await snapshot.document(params.text_document.uri)
    if document.is_history:
        from descartes_server.ide import timeline_document  # few look at one; a start need not wait for it

        found = timeline_document.lenses(document.text)
        return [
            to_proto.lens(each, document.positions) for each in found if each.command.name in ext.COMMANDS
        ]
    if notes_document.is_notes(document.path):
        return [to_proto.lens(each, document.positions) for each in notes_document.lenses(document.text)]
    syntax = await snapshot.syntax(document)
    scene = snapshot.scene(document, syntax, await snapshot.tests(syntax))
    return [to_proto.lens(each, document.positions) for each in lenses.lenses(scene)]

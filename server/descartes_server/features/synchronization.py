"""The editor's texts: opened, changed, saved and closed, in message order."""

from __future__ import annotations

from lsprotocol import types

from descartes_core.errors import DescartesError
from descartes_server.dispatch import on_mutation
from descartes_server.ide.text import LineIndex
from descartes_server.state import Document, ServerState, marks
from descartes_server.state.documents import from_disk


def register(state: ServerState) -> None:
    on_mutation(state, types.TEXT_DOCUMENT_DID_OPEN, _opened)
    on_mutation(state, types.TEXT_DOCUMENT_DID_CHANGE, _changed)
    on_mutation(state, types.TEXT_DOCUMENT_DID_SAVE, _saved, types.SaveOptions(include_text=False))
    on_mutation(state, types.TEXT_DOCUMENT_DID_CLOSE, _closed)


def _opened(state: ServerState, params: types.DidOpenTextDocumentParams) -> None:
    item = params.text_document
    state.put(Document(item.uri, item.text, state.encoding, item.version, item.language_id), "opened")


def _changed(state: ServerState, params: types.DidChangeTextDocumentParams) -> None:
    """A change of a text that was never opened counts when it brings all of it, else it is dropped."""
    uri, version = params.text_document.uri, params.text_document.version
    document = state.documents.get(uri)
    if document is None:
        whole = [
            c for c in params.content_changes if isinstance(c, types.TextDocumentContentChangeWholeDocument)
        ]
        if not whole:
            return
        document = Document(uri, "", state.encoding, version)
    was_changed, workshop = document.changed, state.workshop
    for change in params.content_changes:
        # One after the other: between two edits nothing was edited.
        later = document.with_changes(version, [change])
        if document.real_path is not None:
            workshop = marks.moved(workshop, document.real_path, document.lines, later.lines)
        document = later
    if workshop is not state.workshop:
        state.learn(workshop)
    state.put(document, "changed")
    if document.changed and not was_changed:
        state.spawn(_look_at_disk(state, document))


async def _look_at_disk(state: ServerState, document: Document) -> None:
    """Take the text of DOCUMENT for saved when the disk has it too.

    An editor that reads a file again, because somebody else wrote it, tells that as a change and no more.
    """
    try:
        on_disk = await from_disk(document.uri, state.encoding)
    except DescartesError:
        return
    now = state.documents.get(document.uri)
    if on_disk.text == document.text and now is not None and now.base == document.base:
        state.put(now.based_on(document.text), "changed")


def _saved(state: ServerState, params: types.DidSaveTextDocumentParams) -> None:
    document = state.documents.get(params.text_document.uri)
    if document is not None:
        if state.attachment is not None:
            state.attachment.report_saved(document)
        state.put(document.saved(params.text), "saved")


def _closed(state: ServerState, params: types.DidCloseTextDocumentParams) -> None:
    document = state.documents.get(params.text_document.uri)
    if document is not None and document.real_path is not None and document.base is not None:
        # What was not saved is given up.
        saved = LineIndex(document.base)
        state.learn(marks.moved(state.workshop, document.real_path, document.lines, saved))
    state.close(params.text_document.uri)

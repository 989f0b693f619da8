"""`callHierarchy/*`: who calls a definition, and what it calls, from the texts of the workspace."""

from __future__ import annotations

from lsprotocol import types

from descartes_server.dispatch import on_snapshot
from descartes_server.ide import references as ide
from descartes_server.ide import scopes
from descartes_server.ide.index import Entry
from descartes_server.ide.roles import base_name
from descartes_server.ide.syntax import Syntax, TopLevelForm
from descartes_server.lsp import to_proto
from descartes_server.state import Document, ServerState, Snapshot, mentions


def register(state: ServerState) -> None:
    on_snapshot(state, types.TEXT_DOCUMENT_PREPARE_CALL_HIERARCHY, _prepare)
    on_snapshot(state, types.CALL_HIERARCHY_INCOMING_CALLS, _incoming)
    on_snapshot(state, types.CALL_HIERARCHY_OUTGOING_CALLS, _outgoing)


async def _prepare(
    snapshot: Snapshot, params: types.CallHierarchyPrepareParams
) -> list[types.CallHierarchyItem] | None:
    document = await snapshot.document(params.text_document.uri)
    syntax = await snapshot.syntax(document)
    symbol = syntax.symbol_at(document.positions.offset(params.position))
    if symbol is None or scopes.binding_of(syntax, symbol) is not None:
        return None
    base = base_name(symbol.text)
    here = [_item(document, form) for form in syntax.forms if base_name(form.name) == base]
    found = here or [
        await _item_of(snapshot, each) for each in _entries(snapshot, symbol.text, syntax, symbol.start)
    ]
    return found or None


async def _incoming(
    snapshot: Snapshot, params: types.CallHierarchyIncomingCallsParams
) -> list[types.CallHierarchyIncomingCall]:
    document = await snapshot.document(params.item.uri)
    syntax = await snapshot.syntax(document)
    symbol = syntax.symbol_at(document.positions.offset(params.item.selection_range.start))
    if symbol is None:
        return []
    calls = []
    for text, found in await mentions.everywhere(snapshot, mentions.name_of(snapshot.index, syntax, symbol)):
        by_form: dict[TopLevelForm, list[types.Range]] = {}
        for each in found:
            if each.use in ("call", "function") and each.form is not None:
                by_form.setdefault(each.form, []).append(text.positions.range(each.start, each.end))
        calls += [
            types.CallHierarchyIncomingCall(from_=_item(text, form), from_ranges=ranges)
            for form, ranges in by_form.items()
        ]
    return calls


async def _outgoing(
    snapshot: Snapshot, params: types.CallHierarchyOutgoingCallsParams
) -> list[types.CallHierarchyOutgoingCall]:
    document = await snapshot.document(params.item.uri)
    syntax = await snapshot.syntax(document)
    start, end = document.positions.span(params.item.range)
    by_entry: dict[Entry, list[types.Range]] = {}
    for symbol, _ in ide.called_in(syntax, start, end):
        for entry in _entries(snapshot, symbol.text, syntax, symbol.start)[:1]:
            if not entry.name_start <= symbol.start < entry.name_end or entry.path != document.real_path:
                by_entry.setdefault(entry, []).append(document.positions.range(symbol.start, symbol.end))
    return [
        types.CallHierarchyOutgoingCall(to=await _item_of(snapshot, entry), from_ranges=ranges)
        for entry, ranges in by_entry.items()
    ]


def _entries(snapshot: Snapshot, name: str, syntax: Syntax, offset: int) -> list[Entry]:
    """Return the definitions that NAME at OFFSET may call; of a generic function the first of it."""
    found = snapshot.index.lookup(name.lstrip("#:"), syntax.package_at(offset))
    return [entry for entry in found if entry.kind in _CALLED]


_CALLED = frozenset(("function", "macro", "generic", "method", "setf", "test"))


def _item(document: Document, form: TopLevelForm) -> types.CallHierarchyItem:
    positions = document.positions
    named = (form.name_start, form.name_end) if form.name else (form.start, form.start + 1)
    return types.CallHierarchyItem(
        name=form.name or f"({form.operator} …)",
        kind=to_proto.SYMBOL_KINDS.get(form.kind, types.SymbolKind.Function),
        detail=form.detail or None,
        uri=document.uri,
        range=positions.range(form.start, form.end),
        selection_range=positions.range(*named),
    )


async def _item_of(snapshot: Snapshot, entry: Entry) -> types.CallHierarchyItem:
    document = await snapshot.document(mentions.open_uri(snapshot, entry.path))
    return types.CallHierarchyItem(
        name=entry.name,
        kind=to_proto.SYMBOL_KINDS.get(entry.kind, types.SymbolKind.Function),
        detail=entry.detail or None,
        uri=document.uri,
        range=document.positions.range(entry.start, entry.end),
        selection_range=document.positions.range(entry.name_start, entry.name_end),
    )

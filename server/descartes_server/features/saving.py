"""`textDocument/willSave` and `willSaveWaitUntil`: whoever saves over what another holds is told so.

A server cannot keep an editor from saving, so this warns; it never changes the text.
"""

from __future__ import annotations

from lsprotocol import types

from descartes_server.dispatch import on_mutation, on_snapshot
from descartes_server.ide import holding, lease_diagnostics
from descartes_server.state import ServerState, Snapshot


def register(state: ServerState) -> None:
    saving = _Saving(state)
    on_mutation(state, types.TEXT_DOCUMENT_WILL_SAVE, lambda _, params: saving.begins(params))
    on_snapshot(state, types.TEXT_DOCUMENT_WILL_SAVE_WAIT_UNTIL, saving.wait)


class _Saving:
    """What was said about saving, so that it is said once."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._said: set[tuple[str, str, int | None]] = set()

    def begins(self, params: types.WillSaveTextDocumentParams) -> None:
        self._state.spawn(self._check(self._state.snapshot(), params))

    async def wait(self, snapshot: Snapshot, params: types.WillSaveTextDocumentParams) -> None:
        await self._check(snapshot, params)

    async def _check(self, snapshot: Snapshot, params: types.WillSaveTextDocumentParams) -> None:
        document = snapshot.documents.get(params.text_document.uri)
        if document is None or not document.changed:
            return
        forms = await snapshot.typed_forms(document)
        scene = snapshot.scene(document)
        for lease in scene.leases:
            if not holding.is_foreign(lease, scene.me) or lease.mode == "shared":
                continue
            by_hand = params.reason == types.TextDocumentSaveReason.Manual
            # An editor may ask both ways about one save; one that saves by itself does so all the time.
            key = document.uri, lease.path, document.version if by_hand else -lease.token
            if lease_diagnostics.concerns(lease, forms) and key not in self._said:
                self._said.add(key)
                told = f"{holding.at_start(lease)} is {holding.sentence(lease, scene.me, scene.now)}"
                self._state.client.show(
                    f"{told}; saving changes it all the same: ask for it, or take it over",
                    types.MessageType.Warning,
                )

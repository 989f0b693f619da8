"""`workspace/willRenameFiles`, `didRenameFiles`: who renames what another holds is told; leases follow."""

from __future__ import annotations

from lsprotocol import types

from descartes_core.errors import DescartesError
from descartes_server.dispatch import on_mutation, on_snapshot
from descartes_server.ide import holding
from descartes_server.state import ServerState, Snapshot

_EVERYTHING = types.FileOperationRegistrationOptions(
    filters=[
        types.FileOperationFilter(pattern=types.FileOperationPattern(glob="**/*"), scheme="file"),
    ]
)


def register(state: ServerState) -> None:
    async def will_rename(snapshot: Snapshot, params: types.RenameFilesParams) -> None:
        for warning in _warnings(snapshot, params):
            state.client.show(warning, types.MessageType.Warning)

    def did_rename(_: ServerState, params: types.RenameFilesParams) -> None:
        state.spawn(_carry(state, params))

    on_snapshot(state, types.WORKSPACE_WILL_RENAME_FILES, will_rename, _EVERYTHING)
    on_mutation(state, types.WORKSPACE_DID_RENAME_FILES, did_rename, _EVERYTHING)


def _warnings(snapshot: Snapshot, params: types.RenameFilesParams) -> list[str]:
    """Return a sentence for each lease of somebody else on a name that goes or comes."""
    workshop, found = snapshot.workshop, []
    now = snapshot.now()
    for each in params.files:
        for uri, verb in ((each.old_uri, "is renamed"), (each.new_uri, "is the new name")):
            for lease in workshop.leases_below(uri):
                if holding.is_foreign(lease, workshop.me):
                    found.append(f"{lease.path} {verb} and is {holding.sentence(lease, workshop.me, now)}")
    return found


async def _carry(state: ServerState, params: types.RenameFilesParams) -> None:
    """Let the leases of what was renamed follow; where there are none, no hub is needed."""
    for each in params.files:
        if state.workshop.leases_below(each.old_uri):
            attachment = await state.attached()
            try:
                await attachment.call("lease.move", {"uri": each.old_uri, "newPath": each.new_uri})
            except DescartesError as error:
                state.client.show(error.message, types.MessageType.Warning)

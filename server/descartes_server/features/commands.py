"""`workspace/executeCommand`: every operation as `descartes.<resource>.<verb>`."""

from __future__ import annotations

import asyncio
from typing import Any

from lsprotocol import types

from descartes_server.dispatch import on_mutation, on_snapshot
from descartes_server.features.calls import Calls
from descartes_server.lsp import ext
from descartes_server.lsp.codec import Wire
from descartes_server.lsp.errors import Malformed
from descartes_server.state import ServerState, Snapshot


def register(state: ServerState) -> None:
    calls = Calls(state)
    cancels: dict[Any, asyncio.Task[Any]] = {}

    async def execute(snapshot: Snapshot, params: types.ExecuteCommandParams) -> Wire:
        arguments = _arguments(params)
        if params.command == ext.TRUST:
            return Wire(await calls.trust(arguments))
        if params.command not in ext.COMMANDS:
            raise Malformed(f"expected one of the commands of `initialize`, got {params.command!r}")
        name = params.command.removeprefix(ext.PREFIX)
        return Wire(await calls.by_editor(snapshot, name, arguments, params.work_done_token, cancels))

    def cancel(_: ServerState, params: types.WorkDoneProgressCancelParams) -> None:
        task = cancels.get(params.token)
        if task is not None:
            task.cancel()
        elif params.token in state.cancels:
            state.cancels[params.token]()

    options = types.ExecuteCommandOptions(commands=list(ext.COMMANDS))
    on_snapshot(state, types.WORKSPACE_EXECUTE_COMMAND, execute, options, of_texts=True)
    on_mutation(state, types.WINDOW_WORK_DONE_PROGRESS_CANCEL, cancel)
    for command in ext.COMMANDS:
        # pygls announces what is registered here; `execute` answers all of them.
        state.server.protocol.fm.commands[command] = execute


def _arguments(params: types.ExecuteCommandParams) -> dict[str, Any]:
    given: list[Any] = list(params.arguments or [{}])
    if len(given) != 1 or not isinstance(given[0], dict):
        raise Malformed(f"{params.command} expects one object as its arguments, got {len(given)} values")
    return given[0]

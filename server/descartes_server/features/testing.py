"""Which test frameworks the workspace uses, so that its tests are known by their forms."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from descartes_server.state import ServerState
from descartes_server.state.server_state import Change


def register(state: ServerState) -> None:
    state.on_attached(lambda: _look(state))
    state.on_document(lambda uri, change: _document_changed(state, uri, change))


def _document_changed(state: ServerState, uri: str, change: Change) -> None:
    if change == "saved" and uri.lower().endswith(".asd"):
        _look(state)


def _look(state: ServerState) -> None:
    if state.workspace is not None:
        state.spawn(_learn_frameworks(state))


async def _learn_frameworks(state: ServerState) -> None:
    from descartes_server.operations.workspace_systems import find_systems

    assert state.workspace is not None
    systems = await asyncio.to_thread(find_systems, state.workspace.root)
    used = frozenset(each for system in systems for each in system.definition.frameworks)
    if used != state.workshop.frameworks:
        state.learn(replace(state.workshop, frameworks=used))

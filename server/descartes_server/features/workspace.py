"""The workspace around the texts: its index, its settings, and the files that change outside the editor."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lsprotocol import types

from descartes_server import garbage
from descartes_server.dispatch import on_mutation
from descartes_server.ide.index import is_lisp_file
from descartes_server.lsp import uris
from descartes_server.operations.source_files import read_source
from descartes_server.state import ServerState
from descartes_server.state.server_state import Change

_WATCHED = ("**/*.lisp", "**/*.lsp", "**/*.cl", "**/*.asd", "**/descartes.toml")
_SKIPPED = frozenset(["node_modules", "__pycache__"])


def register(state: ServerState) -> None:
    on_mutation(state, types.INITIALIZED, _initialized)
    on_mutation(state, types.WORKSPACE_DID_CHANGE_CONFIGURATION, _settings_changed)
    on_mutation(state, types.WORKSPACE_DID_CHANGE_WATCHED_FILES, _files_changed)
    on_mutation(state, types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS, lambda _state, _params: None)
    on_mutation(state, types.SET_TRACE, lambda _state, _params: None)
    state.on_attached(lambda: _begin_index(state))
    state.on_document(lambda uri, change: _document_changed(state, uri, change))


def _initialized(state: ServerState, params: Any) -> None:
    state.spawn(_register_watchers(state))
    state.spawn(_ask_for_settings(state))


async def _register_watchers(state: ServerState) -> None:
    if state.client.abilities.has("workspace.didChangeWatchedFiles.dynamicRegistration"):
        watchers = [types.FileSystemWatcher(glob_pattern=pattern) for pattern in _WATCHED]
        options = types.DidChangeWatchedFilesRegistrationOptions(watchers=watchers)
        registration = types.Registration(
            id="descartes-files", method=types.WORKSPACE_DID_CHANGE_WATCHED_FILES, register_options=options
        )
        await state.client.ask(
            types.CLIENT_REGISTER_CAPABILITY, types.RegistrationParams(registrations=[registration])
        )


async def _ask_for_settings(state: ServerState) -> None:
    """The client's own section counts over what it sent with `initialize`."""
    section = await state.client.settings()
    if isinstance(section, dict):
        state.set_editor_settings(section)


def _settings_changed(state: ServerState, params: types.DidChangeConfigurationParams) -> None:
    sent = params.settings if isinstance(params.settings, dict) else {}
    if isinstance(sent.get("descartes"), dict):
        state.set_editor_settings(sent["descartes"])
    else:
        state.spawn(_ask_for_settings(state))


def _document_changed(state: ServerState, uri: str, change: Change) -> None:
    document = state.documents.get(uri)
    is_settings = document.is_settings if document else uri.endswith(("/descartes.toml", "/config.toml"))
    if not is_settings:
        return
    if change in ("saved", "closed"):
        state.set_editor_settings(state.editor_settings)
    elif state.attachment is not None:
        state.attachment.mark_settings()


def _files_changed(state: ServerState, params: types.DidChangeWatchedFilesParams) -> None:
    for change in params.changes:
        path = uris.path_of(change.uri)
        if path is None or change.uri in state.documents:
            continue
        state.file_changed(uris.real(path))
        if path.name == "descartes.toml":
            state.set_editor_settings(state.editor_settings)
        elif change.type == types.FileChangeType.Deleted:
            state.index.remove(uris.real(path))
        elif is_lisp_file(str(path)):
            state.spawn(_scan(state, [uris.real(path)]))


def _begin_index(state: ServerState) -> None:
    if state.workspace is not None:
        state.spawn(_index_all(state, state.workspace.root))


async def _index_all(state: ServerState, root: Path) -> None:
    await _scan(state, _files(root))
    state.index.complete = True
    garbage.leave_out()


async def _scan(state: ServerState, paths: Any) -> None:
    """Index PATHS on a thread; a text that is open is newer than its file and is indexed by itself."""

    def scan() -> None:
        due = (path for path in paths if path not in opened and not state.ending)
        for _ in state.index.scan(due, read_source):
            pass

    opened = {each.real_path for each in state.documents.values()}
    await asyncio.get_running_loop().run_in_executor(state.indexer, scan)


def _files(root: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(each for each in folders if not each.startswith(".") and each not in _SKIPPED)
        yield from (os.path.join(folder, name) for name in sorted(names) if is_lisp_file(name))  # noqa: PTH118

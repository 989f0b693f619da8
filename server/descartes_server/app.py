"""The composition root of the language server: which features there are, and what they stand on.

`initialize` is answered before a hub, a log or an image is looked for; that begins right after the answer.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import secrets
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from lsprotocol import types

from descartes_server import at_work, garbage
from descartes_server.lsp import transport, uris
from descartes_server.lsp.client import Abilities
from descartes_server.lsp.positions import ENCODINGS, Encoding
from descartes_server.lsp.server import Server
from descartes_server.state import ServerState

log = logging.getLogger(__name__)

FEATURES = (
    "synchronization",
    "hover",
    "completion",
    "signature",
    "definition",
    "references",
    "call_hierarchy",
    "inlay_hint",
    "outline",
    "later",
    "semantic_tokens",
    "diagnostics",
    "code_lens",
    "code_action",
    "commands",
    "compiling",
    "testing",
    "drift",
    "news",
    "playback",
    "refreshing",
    "saving",
    "renaming_files",
    "workspace",
)
"""The modules of `features/`, each with `register(state)`."""

NOT_IMPLEMENTED = (
    "codeAction/resolve",
    "codeLens/resolve",
    "documentLink/resolve",
    "inlayHint/resolve",
    "notebookDocument/didChange",
    "notebookDocument/didClose",
    "notebookDocument/didOpen",
    "notebookDocument/didSave",
    "textDocument/colorPresentation",
    "textDocument/documentColor",
    "textDocument/inlineCompletion",
    "textDocument/inlineValue",
    "textDocument/moniker",
    "workspace/diagnostic",
    "workspace/didCreateFiles",
    "workspace/didDeleteFiles",
    "workspace/textDocumentContent",
    "workspace/willCreateFiles",
    "workspace/willDeleteFiles",
    "workspaceSymbol/resolve",
)
"""The methods a client may send that are answered with MethodNotFound, or ignored."""


def build(*, embedded: bool = False) -> ServerState:
    """Return a server with every feature registered, not connected to anything yet."""
    server = Server()
    state = ServerState(server)
    state.embedded = embedded
    server.feature(types.INITIALIZE)(lambda params: _initialize(state, params))
    for name in FEATURES:
        importlib.import_module(f"descartes_server.features.{name}").register(state)
    return state


def serve(tcp: tuple[str, int] | None = None, *, embedded: bool = False) -> int:
    """Serve one editor until it says `exit` or goes away; returns the exit status.

    TCP is the loopback address and port to listen on, port 0 for any free one; None means standard input
    and output. The first line on standard output then says where, as JSON: `{"host", "port", "secret"}`,
    and the client's first line is `descartes-secret: SECRET`.
    EMBEDDED keeps the hub in this process.
    """
    garbage.pause()
    sys.setswitchinterval(0.0005)  # the loop must not wait 5 ms for a thread that parses
    return asyncio.run(_serve(tcp, embedded))


async def _serve(tcp: tuple[str, int] | None, embedded: bool) -> int:
    state = build(embedded=embedded)
    protocol = state.server.protocol
    protocol.ended = asyncio.get_running_loop().create_future()
    try:
        if tcp is None:
            link = await transport.open_stdio(protocol)
        else:
            secret = secrets.token_hex(16)
            link = await transport.serve_once(
                *tcp, secret, protocol, lambda port: _announce(tcp[0], port, secret)
            )
        status = await protocol.ended
        await link.drain()
        link.close()
        return status
    finally:
        await state.end()


def _announce(host: str, port: int, secret: str) -> None:
    print(json.dumps({"host": host, "port": port, "secret": secret}), flush=True)


def _initialize(state: ServerState, params: types.InitializeParams) -> None:
    raw = state.server.protocol.initialize_params
    state.client.abilities = Abilities(raw["capabilities"])
    information = raw.get("clientInfo")
    state.client.name = str(information.get("name", "")) if isinstance(information, dict) else ""
    chosen = state.server.protocol.workspace.position_encoding
    state.encoding = _encoding(str(getattr(chosen, "value", chosen)))
    _take_options(state, params.initialization_options)
    # The answer is written when this returns; everything else begins after it.
    asyncio.get_running_loop().call_soon(_begin, state, _start_of(raw))


def _encoding(chosen: str) -> Encoding:
    for each in ENCODINGS:
        if each == chosen:
            return each
    return "utf-16"


def _take_options(state: ServerState, options: Any) -> None:
    given = options if isinstance(options, dict) else {}
    state.editor_trust = given["trusted"] if isinstance(given.get("trusted"), bool) else None
    state.editor_settings = given["settings"] if isinstance(given.get("settings"), dict) else {}


def _start_of(raw: dict[str, Any]) -> Path | None:
    """Return where the workspace is looked for: the first folder, else the root."""
    folders = raw.get("workspaceFolders")
    named = (
        [each.get("uri") for each in folders if isinstance(each, dict)] if isinstance(folders, list) else []
    )
    for uri in [*named, raw.get("rootUri")]:
        path = uris.path_of(uri) if isinstance(uri, str) else None
        if path is not None:
            return path
    return Path(raw["rootPath"]) if isinstance(raw.get("rootPath"), str) else None


def _begin(state: ServerState, start: Path | None) -> None:
    garbage.leave_out()
    if start is not None:
        open_workspace(state, start)
    else:
        state.on_document(lambda uri, change: _from_first_file(state, uri))


def _from_first_file(state: ServerState, uri: str) -> None:
    """Without a folder the first file's decides."""
    path = uris.path_of(uri)
    if state.attaching is None and path is not None:
        open_workspace(state, path)


def open_workspace(state: ServerState, start: Path) -> None:
    """Find the workspace of START and open the way to its operations; static features do not wait for it."""
    state.attaching = state.spawn(_open_workspace(state, start))


async def _open_workspace(state: ServerState, start: Path) -> None:
    from descartes_core.errors import DescartesError  # from here on nobody waits
    from descartes_server.operations import workspace
    from descartes_server.state.attachment import Attachment
    from descartes_server.state.image import ImageQuestions

    try:
        state.workspace = found = await asyncio.to_thread(workspace.find, start)
        _log_to(state, found.log if found.state.is_dir() else workspace.home() / "log")
        at_work.tell_when_asked()
        state.image = ImageQuestions(found.runtime)
        state.attach(await Attachment.open(state, found))
        garbage.leave_out()
    except DescartesError as error:
        state.client.show(error.message, types.MessageType.Error)
        raise


def _log_to(state: ServerState, folder: Path) -> None:
    """Keep the log in FOLDER; standard output belongs to the protocol."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handler = RotatingFileHandler(folder / "lsp.log", maxBytes=1 << 20, backupCount=2, delay=True)
    except OSError:
        return
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    logging.getLogger("descartes_server").setLevel(logging.INFO)
    state.server.protocol.log_path = str(folder / "lsp.log")

"""Operations as an editor calls them: with its texts, its positions, its trust, and progress.

Also used by what the server does on its own: compiling on save, restarts chosen from a question.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from lsprotocol import types

from descartes_core.errors import DescartesError, InvalidParams, WorkspaceNotTrusted
from descartes_server.features import views
from descartes_server.features.progress import Progress
from descartes_server.features.secrets import RESOURCE, SecretCalls
from descartes_server.ide.index import is_lisp_file
from descartes_server.lsp import convert, from_hub, uris
from descartes_server.lsp.positions import Positions
from descartes_server.state import ServerState, Snapshot, frame_places, notes, results

if TYPE_CHECKING:
    from descartes_server.state.attachment import Attachment

TITLES = {
    "lisp.start": "Starting Lisp",
    "lisp.restart": "Restarting Lisp",
    "lisp.compileFile": "Compiling",
    "lisp.compileForm": "Compiling",
    "lisp.loadFile": "Loading",
    "lisp.loadSystem": "Loading",
    "lisp.compileSystem": "Compiling",
    "lisp.reloadSystem": "Loading",
    "lisp.loadChanged": "Loading what changed",
    "lisp.testSystem": "Testing",
    "lisp.runTest": "Testing",
    "lisp.replay": "Repeating the journal in a fresh Lisp",
    "lisp.compare": "Comparing with another Lisp",
}
"""The operations that show progress."""
_TRUST, _NOT_NOW = "Trust this workspace", "Not now"
_ENDED_BY_CANCELLING = frozenset(
    ["lisp.start", "lisp.testSystem", "lisp.runTest", "lisp.replay", "lisp.compare"]
)
"""Of these nothing is left running that the person would have to look at."""
_LOADS_ANYWAY = frozenset(["lisp.compileFile", "lisp.loadSystem", "lisp.reloadSystem"])
"""Operations with a parameter `load`, about which a person may think otherwise when they see the outcome."""
_TESTS = frozenset(["lisp.runTest", "lisp.testSystem"])
_LEAVE_IT, _LOAD_IT = "Leave it", "Load it anyway"
_NAMES_A_FILE = frozenset(["acquire", "release", "renew", "request", "show", "steal"])


class Calls:
    """The operations of one editor."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._secrets = SecretCalls(state)
        self._asking: asyncio.Task[bool] | None = None
        self._told_what_to_install = False

    async def by_editor(
        self,
        snapshot: Snapshot,
        name: str,
        arguments: Mapping[str, Any],
        token: Any,
        cancels: dict[Any, asyncio.Task[Any]],
    ) -> Any:
        """Return the result of operation NAME as the editor counts; `show: true` also shows it."""
        given = {key: value for key, value in arguments.items() if key != "show"}
        if name.startswith(RESOURCE):
            return await self._secrets.call(name, given)
        if name == "lisp.complete":
            return await self._complete(snapshot, given)
        result = await self._with_progress(snapshot, name, given, token, cancels)
        answer = await self.as_editor_counts(snapshot, result)
        if arguments.get("show") is True:
            self._state.spawn(views.show(self._state, name, answer))
        if name in _LOADS_ANYWAY and result.get("message") and not given.get("load"):
            self._state.spawn(self._ask_to_load_anyway(snapshot, name, given, result["message"]))
        return answer

    async def _ask_to_load_anyway(
        self, snapshot: Snapshot, name: str, given: Mapping[str, Any], message: str
    ) -> None:
        """Ask whether what the compiler warns of is to be loaded, where only the standard can show that."""
        if not self._state.client.abilities.takes_notifications:
            ways = [_LEAVE_IT, _LOAD_IT]
            chosen = await self._state.client.choose(message, ways, types.MessageType.Warning)
            if chosen == _LOAD_IT:
                await self.call(snapshot, name, {**given, "load": "always"})

    async def call(self, snapshot: Snapshot, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the result of operation NAME, as the hub counts. Errors: the operation's own."""
        attachment = await self._state.attached()
        operation = _operation(name)
        if operation.needs_trust:
            await self._see_to_trust(attachment, name)
        params = await self._params(snapshot, operation, given)
        if isinstance(changes := params.get("changes"), list):
            root = attachment.workspace.root
            params["changes"] = [await _change_as_hub_counts(snapshot, root, each) for each in changes]
        if name == "history.playback":
            self._state.own_playbacks.add(str(params.get("run")).removeprefix("run_"))
        try:
            if name == "history.subscribe":
                asked = _decoded(operation, params)
                return await attachment.subscribe(asked.since, asked.types)
            result = await attachment.call(name, params)
        except DescartesError as error:
            self._say_what_to_install(error)
            raise
        self._learn(snapshot, name, params, result)
        return result

    def _learn(
        self, snapshot: Snapshot, name: str, params: Mapping[str, Any], result: Mapping[str, Any]
    ) -> None:
        """Take in what RESULT of operation NAME tells of texts and tests, before anybody looks at these."""
        self._state.heard_result(name, result)
        compilation = result.get("compilation", result)
        if "notes" in compilation:
            self._state.learn_after_answer(
                lambda now: notes.after(snapshot, params, compilation, now.workshop)
            )
        if name in ("lisp.evalForm", "lisp.compileForm"):
            self._state.learn_after_answer(lambda now: results.after(snapshot, now, name, params, result))
        if name in _TESTS:
            # At once: what others learn of it, and of the next run, comes behind this or has come before.
            tested = from_hub.test_states(result["results"])
            self._state.learn(self._state.workshop.with_tests(tested))

    async def as_editor_counts(self, snapshot: Snapshot, result: Any) -> Any:
        """Return RESULT with its ranges in the client's encoding, frames where they stand in its texts."""
        result = frame_places.in_texts(result, snapshot.documents)
        found = convert.uris(result)
        if not found:
            return result
        texts: dict[str, Positions] = {}
        for uri in found:
            try:
                texts[uri] = (await snapshot.document(uri)).positions
            except DescartesError:
                continue
        return convert.result(result, texts.get)

    async def _complete(self, snapshot: Snapshot, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return what may stand at an offset of an input, which the editor counts in its own units."""
        answer = await self.call(snapshot, "lisp.complete", convert.input_params(given, snapshot.encoding))
        return convert.input_result(answer, str(given.get("text")), snapshot.encoding)

    async def trust(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Change the workspace's trust as the person says; returns `{trusted}`."""
        if not isinstance(arguments.get("trusted"), bool):
            raise InvalidParams(f"expected `trusted` to be true or false, got {arguments.get('trusted')!r}")
        attachment = await self._state.attached()
        attachment.set_trusted(arguments["trusted"])
        return {"trusted": attachment.trusted}

    async def _with_progress(
        self,
        snapshot: Snapshot,
        name: str,
        given: Mapping[str, Any],
        token: Any,
        cancels: dict[Any, asyncio.Task[Any]],
    ) -> dict[str, Any]:
        # In the caller's own task: what is asked first goes to the hub first, with progress or without.
        if name not in TITLES:
            return await self.call(snapshot, name, given)
        about = Path(uri).name if isinstance(uri := given.get("uri"), str) else given.get("system")
        title = f"{TITLES[name]} {about}" if isinstance(about, str) else TITLES[name]
        progress, outcome = Progress(self._state, title, token, cancels), "failed"
        try:
            result = await self.call(snapshot, name, given)
            outcome = "done" if result.get("success", True) else "failed"
            return result
        except asyncio.CancelledError:
            outcome = "cancelled"
            if name not in _ENDED_BY_CANCELLING:
                self._state.spawn(self._interrupt())
            raise
        finally:
            progress.end(outcome)

    async def _interrupt(self) -> None:
        """The image still works on what was cancelled: stop it, so that the person may look or abort."""
        try:
            await (await self._state.attached()).call("lisp.interrupt", {})
        except DescartesError:
            return

    async def _params(self, snapshot: Snapshot, operation: Any, given: Mapping[str, Any]) -> dict[str, Any]:
        fields = _fields(operation.params)
        params = dict(given)
        if (
            "uri" in fields
            and params.get("uri") is None
            and self._needs_file(operation, fields["uri"], params)
        ):
            if self._state.last_active is None:
                raise InvalidParams(f"{operation.name} expects `uri`, and no document is open; name the file")
            params["uri"] = self._state.last_active
        uri = params.get("uri")
        if uri is None and "documents" in fields and "documents" not in params:
            params["documents"] = _sources(snapshot)
        if uri is None and "position" in fields and params.get("position") is not None:
            raise InvalidParams(f"{operation.name} expects `uri` beside `position`, got none; name the file")
        return await _as_hub_counts(snapshot, fields, params) if isinstance(uri, str) else params

    def _needs_file(self, operation: Any, field: Any, params: Mapping[str, Any]) -> bool:
        if field.required:
            return True
        return (
            operation.resource == "lease" and operation.verb in _NAMES_A_FILE and params.get("path") is None
        )

    async def _see_to_trust(self, attachment: Attachment, name: str) -> None:
        """Ask once whether to trust the workspace. Errors: `WorkspaceNotTrusted`."""
        if attachment.trusted:
            return
        if self._state.editor_trust is None:
            if self._asking is None:
                self._asking = self._state.spawn(self._ask_for_trust(attachment))
            if await asyncio.shield(self._asking):
                return
        raise WorkspaceNotTrusted(
            f"{name} starts, evaluates or changes something, and {str(attachment.workspace.root)!r} is not"
            " trusted; run the command descartes.workspace.trust, or `descartes trust` in a terminal"
        )

    async def _ask_for_trust(self, attachment: Attachment) -> bool:
        root = attachment.workspace.root
        question = f"Trust {root}? Its code will be evaluated and the programs that it names started."
        chosen = await self._state.client.choose(question, [_TRUST, _NOT_NOW], types.MessageType.Warning)
        if chosen == _TRUST:
            attachment.set_trusted(True)
        return chosen == _TRUST

    def _say_what_to_install(self, error: DescartesError) -> None:
        if error.code == "lisp_not_found" and not self._told_what_to_install:
            self._told_what_to_install = True
            self._state.client.show(error.message, types.MessageType.Error)


def _sources(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return the open Lisp texts, for an operation on all files."""
    return [
        {"uri": each.uri, "version": each.version, "text": each.text}
        for each in snapshot.documents.values()
        if each.path is not None and is_lisp_file(str(each.path))
    ]


async def _as_hub_counts(
    snapshot: Snapshot, fields: Mapping[str, Any], params: dict[str, Any]
) -> dict[str, Any]:
    """Return PARAMS about the file `uri`, with its text where it is open, and the position in that text."""
    opened = snapshot.opened(params["uri"])
    if params.get("position") is not None:
        document = opened or await snapshot.document(params["uri"])
        params = convert.params(params, lambda _: document.positions)
    if opened is not None and "document" in fields and "document" not in params:
        if opened.path is None:
            raise InvalidParams(f"expected a file, got {opened.uri!r}, which is not saved yet; save it first")
        params["document"] = {"version": opened.version, "text": opened.text}
    return params


async def _change_as_hub_counts(snapshot: Snapshot, root: Path, change: Any) -> Any:
    """Return CHANGE of a file, named from ROOT or by its URI, with its range in the text that counts here."""
    path, where = (change.get("path"), change.get("range")) if isinstance(change, dict) else (None, None)
    if not isinstance(path, str) or not isinstance(where, dict):
        return change
    uri = path if path.startswith("file:") else uris.uri_of(root / path)
    return {**change, "range": convert.to_hub(where, (await snapshot.document(uri)).positions)}


@cache
def _fields(params: type[msgspec.Struct]) -> Mapping[str, msgspec.structs.FieldInfo]:
    """The fields of PARAMS by their name on the wire; msgspec finds them anew for every question."""
    return {field.encode_name: field for field in msgspec.structs.fields(params)}


def _decoded(operation: Any, params: Mapping[str, Any]) -> Any:
    from descartes_server.operations import registry

    return registry.decode(operation, params)


def _operation(name: str) -> Any:
    from descartes_server.operations import registry  # loads the operation's module

    return registry.lookup(name)

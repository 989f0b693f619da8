"""JSON in and out of the protocol's types: the one place that goes past pygls' converter where that is slow.

Requests that arrive with every keystroke are structured by hand and everything is encoded by msgspec;
what is odd falls back on lsprotocol's converter, so that both ways always agree (`tests/e2e/test_codec.py`).
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import attrs
import msgspec
from lsprotocol import types

if TYPE_CHECKING:
    from cattrs import Converter

_SCALARS = frozenset({str, int, float, bool, type(None)})
_NEVER = object()
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class Wire(msgspec.Struct, frozen=True):
    """An answer that is JSON already: plain dicts and lists with the names of the wire, sent untouched."""

    value: Any


def decode(body: bytes) -> Any:
    """Return the JSON value in BODY; lone surrogates, which UTF-8 cannot carry, become U+FFFD.

    Errors: ValueError when BODY is no JSON.
    """
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            text = json.dumps(json.loads(body.decode("utf-8", "replace")), ensure_ascii=False)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
        return json.loads(_LONE_SURROGATE.sub("\ufffd", text))


def encode(message: Any) -> bytes:
    """Return MESSAGE, plain JSON values, as UTF-8; text that UTF-8 cannot carry is replaced."""
    try:
        return msgspec.json.encode(message)
    except UnicodeEncodeError:
        return json.dumps(message, ensure_ascii=False).encode("utf-8", "replace")


def plain(value: Any) -> Any:
    """Return VALUE, made of lsprotocol's types, as plain JSON values, exactly as its converter would.

    Example: plain(Position(line=1, character=2)) -> {"line": 1, "character": 2}
    """
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind is Wire:
        return value.value
    if kind is list or kind is tuple:
        return [plain(item) for item in value]
    if kind is dict:
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, msgspec.Struct):
        return msgspec.to_builtins(value)
    return _object(value, kind)


def _object(value: Any, kind: type) -> dict[str, Any]:
    answer = {}
    for name, wire_name, left_out in _fields(kind):
        item = getattr(value, name)
        if left_out is _NEVER or item != left_out:
            answer[wire_name] = plain(item)
    return answer


@cache
def _fields(kind: type) -> tuple[tuple[str, str, Any], ...]:
    """Return for each field of KIND its name, its name on the wire and the value that is left out there."""
    return tuple((field.name, _camel(field.name), _left_out(kind, field)) for field in attrs.fields(kind))


def _left_out(kind: type, field: attrs.Attribute[Any]) -> Any:
    if types.is_special_property(kind, field.name) or field.default is attrs.NOTHING:
        return _NEVER
    return field.default


def _camel(name: str) -> str:
    first, *rest = name.removesuffix("_").split("_")
    return first + "".join(part.title() for part in rest)


class Structurer:
    """Makes the parameters of a method from JSON. The converter behind it is made on first use."""

    def __init__(self, make_converter: Callable[[], Converter]) -> None:
        self._make_converter = make_converter
        self._converter: Converter | None = None

    @property
    def converter(self) -> Converter:
        if self._converter is None:
            self._converter = self._make_converter()
        return self._converter

    def params(self, method: str, raw: Any) -> Any:
        """Return RAW as the parameters of METHOD.

        Errors: ValueError with one sentence that says what is wrong and where.
        """
        kind = types.METHOD_TO_TYPES[method][2] if method in types.METHOD_TO_TYPES else None
        if kind is None:
            return raw
        by_hand = _BY_HAND.get(method)
        if by_hand is not None:
            try:
                return by_hand(raw)
            except (KeyError, TypeError, ValueError, AttributeError):
                pass
        return self._by_converter(method, raw, kind)

    def _by_converter(self, method: str, raw: Any, kind: Any) -> Any:
        if not isinstance(raw, dict):
            raise ValueError(f"{method} expects an object as its parameters, not {_short(raw)}")
        try:
            return self.converter.structure(raw, kind)
        except Exception as error:
            raise ValueError(f"{method} got parameters it cannot read: {_why(error)}") from error


def _short(raw: Any) -> str:
    text = json.dumps(raw, ensure_ascii=False, default=str)
    return "nothing" if raw is None else text if len(text) < 60 else f"{text[:57]}…"


def _why(error: Exception) -> str:
    from cattrs import transform_error  # only where something is wrong

    try:
        return "; ".join(transform_error(error, path="params")[:3])
    except Exception:
        return str(error) or type(error).__name__


def _document(raw: Any) -> types.TextDocumentIdentifier:
    return types.TextDocumentIdentifier(uri=raw["textDocument"]["uri"])


def _position(raw: Any) -> types.Position:
    return types.Position(line=_integer(raw["line"]), character=_integer(raw["character"]))


def _range(raw: Any) -> types.Range:
    return types.Range(start=_position(raw["start"]), end=_position(raw["end"]))


def _integer(raw: Any) -> int:
    if type(raw) is not int:
        raise TypeError("no integer")
    return raw


def _tokens(raw: Any) -> dict[str, Any]:
    return {
        "work_done_token": raw.get("workDoneToken"),
        "partial_result_token": raw.get("partialResultToken"),
    }


def _hover(raw: Any) -> types.HoverParams:
    return types.HoverParams(
        text_document=_document(raw),
        position=_position(raw["position"]),
        work_done_token=raw.get("workDoneToken"),
    )


def _definition(raw: Any) -> types.DefinitionParams:
    return types.DefinitionParams(
        text_document=_document(raw), position=_position(raw["position"]), **_tokens(raw)
    )


def _completion(raw: Any) -> types.CompletionParams:
    context = raw.get("context")
    return types.CompletionParams(
        text_document=_document(raw),
        position=_position(raw["position"]),
        context=None if context is None else _completion_context(context),
        **_tokens(raw),
    )


def _completion_context(raw: Any) -> types.CompletionContext:
    return types.CompletionContext(
        trigger_kind=types.CompletionTriggerKind(raw["triggerKind"]),
        trigger_character=raw.get("triggerCharacter"),
    )


def _execute_command(raw: Any) -> types.ExecuteCommandParams:
    command, arguments = raw["command"], raw.get("arguments")
    if type(command) is not str or not isinstance(arguments, list | None):
        raise TypeError("no command with a list of arguments")
    return types.ExecuteCommandParams(
        command=command,
        arguments=None if arguments is None else tuple(arguments),
        work_done_token=raw.get("workDoneToken"),
    )


def _did_change(raw: Any) -> types.DidChangeTextDocumentParams:
    document = raw["textDocument"]
    return types.DidChangeTextDocumentParams(
        text_document=types.VersionedTextDocumentIdentifier(
            uri=document["uri"], version=_integer(document["version"])
        ),
        content_changes=tuple(_change(change) for change in raw["contentChanges"]),
    )


def _change(raw: Any) -> types.TextDocumentContentChangeEvent:
    if "range" not in raw:
        return types.TextDocumentContentChangeWholeDocument(text=raw["text"])
    return types.TextDocumentContentChangePartial(
        range=_range(raw["range"]), text=raw["text"], range_length=raw.get("rangeLength")
    )


def _semantic_tokens(raw: Any) -> types.SemanticTokensParams:
    return types.SemanticTokensParams(text_document=_document(raw), **_tokens(raw))


def _initialize(raw: Any) -> types.InitializeParams:
    """Return the part of the `initialize` parameters that pygls needs to answer.

    Structuring all capabilities costs more than everything else between start and answer, and one odd
    capability must not stop the server; `lsp.client.Abilities` reads the rest from the JSON itself.
    """
    general = raw["capabilities"].get("general") or {}
    return types.InitializeParams(
        process_id=raw.get("processId"),
        root_uri=raw.get("rootUri"),
        root_path=raw.get("rootPath"),
        capabilities=types.ClientCapabilities(
            general=types.GeneralClientCapabilities(position_encodings=_encodings(general)),
            experimental=raw["capabilities"].get("experimental"),
            text_document=types.TextDocumentClientCapabilities(synchronization=_synchronization(raw)),
            workspace=types.WorkspaceClientCapabilities(file_operations=_file_operations(raw)),
        ),
        initialization_options=raw.get("initializationOptions"),
        workspace_folders=[
            types.WorkspaceFolder(uri=folder["uri"], name=folder.get("name", ""))
            for folder in raw.get("workspaceFolders") or []
        ],
    )


def _synchronization(raw: Any) -> types.TextDocumentSyncClientCapabilities:
    told = _told(raw, "textDocument", "synchronization")
    return types.TextDocumentSyncClientCapabilities(
        will_save=told.get("willSave") is True, will_save_wait_until=told.get("willSaveWaitUntil") is True
    )


def _file_operations(raw: Any) -> types.FileOperationClientCapabilities:
    told = _told(raw, "workspace", "fileOperations")
    return types.FileOperationClientCapabilities(
        will_rename=told.get("willRename") is True, did_rename=told.get("didRename") is True
    )


def _told(raw: Any, *path: str) -> dict[str, Any]:
    """Return the object at PATH of the client's capabilities, empty where there is none."""
    found = raw["capabilities"]
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _encodings(general: Any) -> list[types.PositionEncodingKind | str] | None:
    named = general.get("positionEncodings") if isinstance(general, dict) else None
    return [name for name in named if isinstance(name, str)] if isinstance(named, list) else None


_BY_HAND: dict[str, Callable[[Any], Any]] = {
    types.INITIALIZE: _initialize,
    types.TEXT_DOCUMENT_HOVER: _hover,
    types.TEXT_DOCUMENT_DEFINITION: _definition,
    types.TEXT_DOCUMENT_COMPLETION: _completion,
    types.TEXT_DOCUMENT_DID_CHANGE: _did_change,
    types.WORKSPACE_EXECUTE_COMMAND: _execute_command,
    types.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL: _semantic_tokens,
}

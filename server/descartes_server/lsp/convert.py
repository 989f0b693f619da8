"""Parameters and results of operations at the LSP door: LSP positions here, 1-based code points there.

Example: with "é😀(" in a.lisp and utf-16, {"uri": "file:///a.lisp", "position": {"line": 0, "character": 3}}
becomes {"uri": "file:///a.lisp", "position": {"line": 1, "column": 3}}
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeGuard

from lsprotocol import types

from descartes_core.errors import InvalidParams
from descartes_server.lsp.positions import Encoding, Positions

_GREATEST = 2**31 - 1
"""The greatest number that the protocol's positions may have."""
TextOf = Callable[[str], Positions | None]
"""The places of the text of a URI, None where there is no such text."""


def params(given: Mapping[str, Any], text_of: TextOf) -> dict[str, Any]:
    """Return GIVEN with the position beside its `uri` as the hub counts.

    Errors: `InvalidParams` when the position is none.
    """
    uri, position = given.get("uri"), given.get("position")
    if position is None or not isinstance(uri, str):
        return dict(given)
    positions = text_of(uri)
    if positions is None:
        raise InvalidParams(
            f"expected a text for {uri!r} to find the position in, there is none; open the file"
        )
    return {**given, "position": _to_hub(position, positions)}


def to_hub(where: Mapping[str, Any], positions: Positions) -> dict[str, Any]:
    """Return the range WHERE in the text of POSITIONS as the hub counts. Errors: `InvalidParams`."""
    return {end: _to_hub(where.get(end), positions) for end in ("start", "end")}


def _to_hub(position: Any, positions: Positions) -> dict[str, int]:
    line = position.get("line") if isinstance(position, dict) else None
    character = position.get("character") if isinstance(position, dict) else None
    if not _is_count(line) or not _is_count(character):
        raise InvalidParams(
            f"expected `position` as {{line, character}}, both from 0 to {_GREATEST}, got {position!r}"
        )
    offset = positions.offset(types.Position(line=line, character=character))
    line, column = positions.lines.position(offset)
    return {"line": line + 1, "column": column + 1}


def _is_count(value: Any) -> TypeGuard[int]:
    return type(value) is int and 0 <= value <= _GREATEST


def input_params(given: Mapping[str, Any], encoding: Encoding) -> dict[str, Any]:
    """Return GIVEN, with an `offset` in its `text` in units of ENCODING, as the hub counts.

    Errors: `InvalidParams` when the offset lies outside the text.
    """
    text, offset = given.get("text"), given.get("offset")
    if not isinstance(text, str) or type(offset) is not int:
        return dict(given)
    units = text.encode(_CODECS[encoding], "surrogatepass")
    size = _UNIT_BYTES[encoding]
    if not 0 <= offset * size <= len(units):
        raise InvalidParams(
            f"expected an offset from 0 to {len(units) // size}, the text's end, got {offset}"
        )
    return {**given, "offset": len(units[: offset * size].decode(_CODECS[encoding], "ignore"))}


def input_result(value: dict[str, Any], text: str, encoding: Encoding) -> dict[str, Any]:
    """Return VALUE with its `start`, an offset in TEXT, in units of ENCODING."""
    before = text[: value["start"]].encode(_CODECS[encoding], "surrogatepass")
    return {**value, "start": len(before) // _UNIT_BYTES[encoding]}


_CODECS: dict[Encoding, str] = {"utf-8": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}
_UNIT_BYTES: dict[Encoding, int] = {"utf-8": 1, "utf-16": 2, "utf-32": 4}


def uris(value: Any) -> set[str]:
    """Return the URIs that stand beside a range anywhere in VALUE."""
    return {place["uri"] for place in _places(value)}


def result(value: Any, text_of: TextOf) -> Any:
    """Return VALUE, which the hub sent, with every range beside a `uri` as the client counts."""
    if isinstance(value, list):
        return [result(item, text_of) for item in value]
    if not isinstance(value, dict):
        return value
    answer = {key: result(item, text_of) for key, item in value.items()}
    if _is_place(value):
        positions = text_of(value["uri"])
        answer["range"] = {end: _to_lsp(value["range"][end], positions) for end in ("start", "end")}
    return answer


def _to_lsp(place: Mapping[str, int], positions: Positions | None) -> dict[str, int]:
    line, column = max(0, place["line"] - 1), max(0, place["column"] - 1)
    return {"line": line, "character": positions.character(line, column) if positions else column}


def _places(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for item in value:
            yield from _places(item)
    elif isinstance(value, dict):
        if _is_place(value):
            yield value
        for item in value.values():
            yield from _places(item)


def _is_place(value: Mapping[str, Any]) -> bool:
    where = value.get("range")
    return (
        isinstance(value.get("uri"), str)
        and isinstance(where, dict)
        and all(isinstance(where.get(end), dict) and "column" in where[end] for end in ("start", "end"))
    )

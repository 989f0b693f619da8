"""What goes past pygls' converter agrees with it, for every type and for real parameters."""

from __future__ import annotations

import collections.abc
import enum
import json
import typing
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types
from pygls.protocol import default_converter

from descartes_server.ide.text import LineIndex
from descartes_server.lsp import codec, convert
from descartes_server.lsp.framing import Framer, Garbage
from descartes_server.lsp.positions import ENCODINGS, Encoding, Positions

CONVERTER = default_converter()
POSITION = {"textDocument": {"uri": "file:///a"}, "position": {"line": 3, "character": 4}}
CHANGE = {"range": {"start": {"line": 0, "character": 0}, "end": {"line": 1, "character": 2}}, "text": "x"}
PARAMS: dict[str, list[dict[str, Any]]] = {
    "textDocument/hover": [POSITION, POSITION | {"workDoneToken": "t"}, POSITION | {"workDoneToken": 7}],
    "textDocument/definition": [POSITION, POSITION | {"partialResultToken": "p"}],
    "textDocument/completion": [
        POSITION,
        POSITION | {"context": {"triggerKind": 2, "triggerCharacter": "("}},
        POSITION | {"context": {"triggerKind": 1}},
    ],
    "textDocument/didChange": [
        {"textDocument": {"uri": "file:///a", "version": 3}, "contentChanges": [CHANGE, {"text": "all"}]},
        {
            "textDocument": {"uri": "file:///a", "version": 3},
            "contentChanges": [CHANGE | {"rangeLength": 3}],
        },
    ],
    "textDocument/semanticTokens/full": [{"textDocument": {"uri": "file:///a"}}],
    "workspace/executeCommand": [
        {"command": "descartes.lisp.start"},
        {"command": "c", "arguments": [], "workDoneToken": "t"},
        {"command": "c", "arguments": [{"uri": "file:///a", "position": {"line": 0}}, None, 1.5, [True]]},
    ],
}


@pytest.mark.parametrize("method", PARAMS)
def test_parameters_made_by_hand_are_those_of_the_converter(method: str) -> None:
    structurer = codec.Structurer(lambda: CONVERTER)
    assert method in codec._BY_HAND
    for raw in PARAMS[method]:
        by_converter = CONVERTER.structure(raw, types.METHOD_TO_TYPES[method][2])
        assert structurer.params(method, raw) == by_converter


def test_every_method_made_by_hand_is_compared() -> None:
    assert set(codec._BY_HAND) == {*PARAMS, types.INITIALIZE}


def test_every_type_is_encoded_as_the_converter_does() -> None:
    compared = 0
    for kind in types.ALL_TYPES_MAP.values():
        if isinstance(kind, type) and attrs.has(kind):
            for full in (True, False):
                value = sample(kind, full=full, depth=0)
                assert codec.plain(value) == CONVERTER.unstructure(value), kind
                compared += 1
    assert compared > 800


def sample(kind: Any, *, full: bool, depth: int) -> Any:
    """Return a value of KIND; FULL gives optional fields one as well."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(kind, type) and attrs.has(kind):
        return _object(kind, full=full, depth=depth)
    if origin is typing.Union:
        some = [each for each in arguments if each is not type(None)]
        return sample(some[0], full=full, depth=depth)
    if origin is typing.Literal:
        return arguments[0]
    if origin in (collections.abc.Sequence, list):
        return [sample(arguments[0], full=full, depth=depth + 1)] if depth < 3 else []
    if origin is tuple:
        return tuple(sample(each, full=full, depth=depth) for each in arguments)
    if origin in (collections.abc.Mapping, dict):
        return {}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return next(iter(kind))
    return {int: 3, bool: True, float: 0.5, str: "text"}.get(kind)


def _object(kind: type, *, full: bool, depth: int) -> Any:
    hints = typing.get_type_hints(kind, vars(types))
    full = full and depth < 3
    given = {
        field.name: sample(hints[field.name], full=full, depth=depth + 1)
        for field in attrs.fields(kind)
        if field.init and (field.default is attrs.NOTHING or _is_given(field, hints[field.name], full))
    }
    return kind(**given)


def _is_given(field: Any, hint: Any, full: bool) -> bool:
    """Return whether FIELD gets a value: the converter fails on a None that the type does not allow."""
    return field.default is None and (full or type(None) not in typing.get_args(hint))


def test_large_answers_are_sent_untouched() -> None:
    value = {"items": [{"label": "é😀", "kind": 3}]}
    assert codec.plain(codec.Wire(value)) is value
    assert json.loads(codec.encode(value)) == value
    assert json.loads(codec.encode({"text": "\ud800x"})) == {"text": "?x"}


@given(st.text(st.sampled_from("ab(\té😀€\n\r"), max_size=40), st.sampled_from(ENCODINGS), st.integers(0, 60))
def test_an_offset_comes_back_from_its_position(text: str, encoding: Encoding, offset: int) -> None:
    positions = Positions(LineIndex(text), encoding)
    offset = min(offset, len(text))
    if 0 < offset < len(text) and text[offset - 1 : offset + 1] == "\r\n":
        offset -= 1  # between the two is no place of its own
    position = positions.position(offset)
    assert positions.offset(position) == offset
    before = text[:offset].replace("\r\n", "\n").replace("\r", "\n")
    assert position.line == before.count("\n")
    line = before.rpartition("\n")[2]
    bytes_each = {"utf-8": 1, "utf-16": 2, "utf-32": 4}[encoding]
    assert (
        position.character
        == len(line.encode(encoding if bytes_each == 1 else f"{encoding}-le")) // bytes_each
    )


@given(st.sampled_from(ENCODINGS), st.integers(0, 9), st.integers(0, 99))
def test_any_position_is_somewhere(encoding: Encoding, line: int, character: int) -> None:
    text = "é😀(\r\n\t€x\n\nend"
    positions = Positions(LineIndex(text), encoding)
    offset = positions.offset(types.Position(line=line, character=character))
    assert 0 <= offset <= len(text)
    if line > 3:
        assert offset == len(text)


@given(st.lists(st.binary(max_size=40), max_size=5), st.integers(1, 7))
def test_messages_come_out_whole_however_they_arrive(bodies: list[bytes], step: int) -> None:
    data = b"".join(b"Content-Length: %d\r\n\r\n%b" % (len(body), body) for body in bodies)
    framer = Framer()
    found = [body for i in range(0, len(data), step) for body in framer.feed(data[i : i + step])]
    assert found == bodies


@given(st.binary(max_size=200))
def test_no_bytes_stop_the_framer(data: bytes) -> None:
    framer = Framer()
    framer.feed(data + b"\r\n\r\n")
    # Whatever came, at most the body that garbage announced is taken before the next message.
    filler = b"x" * 300
    out = framer.feed(filler + b"\r\n\r\n" + b"Content-Length: 2\r\n\r\n{}")
    assert all(isinstance(body, bytes | Garbage) for body in out)


def test_positions_and_ranges_of_operations() -> None:
    positions = Positions(LineIndex("é😀(\n"), "utf-16")
    given = {"uri": "file:///a", "position": {"line": 0, "character": 3}}
    assert convert.params(given, lambda _: positions)["position"] == {"line": 1, "column": 3}
    note = {"uri": "file:///a", "range": {"start": {"line": 1, "column": 3}, "end": {"line": 1, "column": 4}}}
    found = convert.result({"notes": [{"deep": [note]}]}, {"file:///a": positions}.get)
    assert found["notes"][0]["deep"][0]["range"] == {
        "start": {"line": 0, "character": 3},
        "end": {"line": 0, "character": 4},
    }
    assert convert.uris({"notes": [note]}) == {"file:///a"}

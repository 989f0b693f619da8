"""Messages checked against the official schema of the Debug Adapter Protocol, more strictly than it asks.

A property that the schema does not name is an error too: a client would never read it. What is ours begins
with `descartes/`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

SCHEMA = Path(__file__).parent / "dap" / "debugAdapterProtocol.json"
TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "object": dict,
    "array": list,
    "boolean": bool,
    "null": type(None),
    "integer": int,
    "number": (int, float),
}
Schema = dict[str, Any]


@cache
def definitions() -> dict[str, Schema]:
    found: dict[str, Schema] = json.loads(SCHEMA.read_text(encoding="utf-8"))["definitions"]
    return found


def problems_of(message: dict[str, Any]) -> list[str]:
    """Return what is wrong with MESSAGE, a response or event of an adapter."""
    name = _definition_of(message)
    if name is None:
        return [] if message.get("command", "").startswith("descartes/") else [f"no such message: {message}"]
    return list(_check(message, _merged(definitions()[name]), name))


def _definition_of(message: dict[str, Any]) -> str | None:
    if message["type"] == "event":
        wanted = message["event"]
        return next((n for n, s in definitions().items() if _word(s, "event") == wanted), None)
    if not message["success"]:
        return "ErrorResponse"
    command = message["command"]
    name = f"{command[:1].upper()}{command[1:]}Response"
    return name if name in definitions() else None


def _word(schema: Schema, key: str) -> str | None:
    words = _merged(schema).get("properties", {}).get(key, {}).get("enum", [])
    return words[0] if len(words) == 1 else None


def _merged(schema: Schema) -> Schema:
    """Return SCHEMA with what it refers to and is made of put together."""
    if "$ref" in schema:
        return _merged(definitions()[schema["$ref"].removeprefix("#/definitions/")])
    merged: Schema = {key: value for key, value in schema.items() if key != "allOf"}
    for part in schema.get("allOf", []):
        for key, value in _merged(part).items():
            if key == "properties":
                merged[key] = {**merged.get(key, {}), **value}
            elif key == "required":
                merged[key] = [*merged.get(key, []), *value]
            else:
                merged[key] = value
    return merged


def _check(value: Any, schema: Schema, where: str) -> Iterator[str]:
    schema = _merged(schema)
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_is(value, kind) for kind in kinds):
        yield f"{where}: expected {' or '.join(kinds)}, got {value!r:.80}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: expected one of {schema['enum']}, got {value!r}"
    if isinstance(value, int) and not isinstance(value, bool):
        if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            yield f"{where}: {value} is out of range"
        if schema.get("format") == "int32" and not -(2**31) <= value < 2**31:
            yield f"{where}: {value} does not fit into 32 bits"
    if isinstance(value, dict):
        yield from _check_object(value, schema, where)
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from _check(item, schema["items"], f"{where}[{index}]")


def _check_object(value: dict[str, Any], schema: Schema, where: str) -> Iterator[str]:
    properties = schema.get("properties")
    for name in schema.get("required", []):
        if name not in value:
            yield f"{where}: {name} is missing"
    for name, item in value.items():
        if properties and name in properties:
            yield from _check(item, properties[name], f"{where}.{name}")
        elif isinstance(extra := schema.get("additionalProperties"), dict):
            yield from _check(item, extra, f"{where}.{name}")
        elif properties and not extra:
            yield f"{where}: nobody reads {name}"


def _is(value: Any, kind: str) -> bool:
    if kind in ("integer", "number") and isinstance(value, bool):
        return False
    return isinstance(value, TYPES[kind])

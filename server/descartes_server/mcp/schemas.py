"""Parameters as the JSON Schema of a tool, without what an agent has no use for."""

from __future__ import annotations

from typing import Any

import msgspec

from descartes_server.mcp.words import FIELDS

Schema = dict[str, Any]
HIDDEN = frozenset({"document", "documents", "holder"})
"""What only editors and people give: a text that is not on disk, and somebody else's name."""
NULL = {"type": "null"}


def of_params(params: type[msgspec.Struct]) -> Schema:
    """Return the schema of PARAMS, an object; shapes that it uses stand where they are used.

    Example: `{"type": "object", "properties": {"code": {"type": "string"}}, "required": ["code"], …}`
    """
    whole = msgspec.json.schema(params)
    shapes: Schema = whole.get("$defs", {})
    schema = _inlined(whole, shapes)
    hidden = {*HIDDEN, "uri"} if "path" in schema["properties"] else HIDDEN
    properties = {name: each for name, each in schema["properties"].items() if name not in hidden}
    for name, each in properties.items():
        if name in FIELDS:
            each["description"] = FIELDS[name]
    return {**_without(schema, "description"), "properties": properties}


def _inlined(schema: Schema, shapes: Schema) -> Schema:
    """Return SCHEMA without references to SHAPES, titles, and the null of what may be left out."""
    if "$ref" in schema:
        return _inlined(shapes[schema["$ref"].rpartition("/")[2]], shapes)
    if "anyOf" in schema:
        some = [each for each in schema["anyOf"] if each != NULL]
        if len(some) == 1:
            return _inlined({**_without(schema, "anyOf"), **some[0]}, shapes)
        schema = {**schema, "anyOf": [_inlined(each, shapes) for each in some]}
    made = _without(schema, "title", "$defs")
    if made.get("default") is None:
        made.pop("default", None)
    if "properties" in made:
        made["properties"] = {name: _inlined(each, shapes) for name, each in made["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(made.get(key), dict):
            made[key] = _inlined(made[key], shapes)
    return made


def _without(schema: Schema, *keys: str) -> Schema:
    return {key: value for key, value in schema.items() if key not in keys}

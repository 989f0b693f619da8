"""The JSON Schema of the settings files, from the table, for editors that complete and check TOML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from descartes_core.config.table import CURRENT_VERSION, Setting, groups, settings


def schema() -> dict[str, Any]:
    """Return the schema (JSON Schema 2020-12) of `descartes.toml` and `config.toml`."""
    version = {
        "description": "The version of this file's format; `descartes config migrate` brings it up to date.",
        "type": "string",
        "default": CURRENT_VERSION,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Settings of Descartes",
        "description": "`descartes.toml` of a workspace and `~/.descartes/config.toml` of a person.",
        "type": "object",
        "additionalProperties": False,
        "properties": {"version": version, **{name: _group(name) for name in groups()}},
    }


def property_of(setting: Setting) -> dict[str, Any]:
    """Return the schema of SETTING alone, whole: it refers to nothing.

    Example: {"description": "…", "type": "integer", "minimum": 1, "default": 300}
    """
    found = msgspec.json.schema(setting.type)
    plain = _without_null(_inlined(found, found.get("$defs", {})))
    plain.pop("$defs", None)
    default = {} if setting.default is None else {"default": setting.default}
    return {**plain, "description": setting.meaning, **default}


def _group(name: str) -> dict[str, Any]:
    if name in settings():
        return property_of(settings()[name])
    rows = [each for each in settings().values() if each.name.startswith(f"{name}.")]
    return {
        "description": groups()[name],
        "type": "object",
        "additionalProperties": False,
        "properties": {each.name.partition(".")[2]: property_of(each) for each in rows},
    }


def _inlined(part: Any, shapes: Mapping[str, Any]) -> Any:
    """Return PART with what it refers to in SHAPES in the place of the references."""
    if isinstance(part, list):
        return [_inlined(each, shapes) for each in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return _inlined(shapes[part["$ref"].rpartition("/")[2]], shapes)
    return {key: _inlined(value, shapes) for key, value in part.items() if key != "title"}


def _without_null(part: dict[str, Any]) -> dict[str, Any]:
    """Return PART without the null that a setting which is left out has: TOML cannot write it."""
    kinds = [each for each in part.get("anyOf", []) if each != {"type": "null"}]
    if len(kinds) != 1:
        return part
    return {**{key: value for key, value in part.items() if key != "anyOf"}, **kinds[0]}

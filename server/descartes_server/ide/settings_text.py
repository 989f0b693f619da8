"""What may stand at a place of a settings file, and what stands there, from the JSON Schema of the table."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from descartes_core.config import places
from descartes_core.config.schema import schema
from descartes_core.config.table import settings
from descartes_server.ide.completion import CompletionContext, Item

_HEADER = re.compile(r"\s*\[\[?\s*([\w.-]*)$")
_VALUE = re.compile(r"""\s*([\w."'-]+)\s*=\s*([\[\{,"'\w\s]*?)([\w"]*)$""")
_KEY = re.compile(r"\s*([\w.-]*)$")
_EMPTY = {"string": '""', "array": "[]", "object": "{}", "boolean": "false", "integer": "1", "number": "1"}
Node = Mapping[str, Any]


def proposals(text: str, offset: int) -> tuple[CompletionContext, list[Item]]:
    """Return what may stand at OFFSET of TEXT, a settings file, and what is typed of it."""
    start = text.rfind("\n", 0, offset) + 1
    before = text[start:offset]
    if found := _HEADER.match(before):
        return _typed(found[1], offset), list(_tables())
    if found := _VALUE.match(before):
        path = (*_table_at(text, start), *re.split(r"\.", found[1].replace('"', "").replace("'", "")))
        return _typed(found[3], offset), list(_values(_node(path)))
    if found := _KEY.match(before):
        table = _table_at(text, start)
        items = _keys(text, table) if table else [*_keys(text, ()), *_dotted()]
        return _typed(found[1], offset), list(items)
    return _typed("", offset), []


def explanation(text: str, offset: int) -> tuple[str, places.Span] | None:
    """Return what the name at OFFSET of TEXT means, as Markdown, and where the name stands."""
    for entry in places.scan(text):
        for index, (start, end) in entry.names.items():
            if start <= offset <= end:
                path = entry.path[: index + 1]
                node = _node(path)
                return (_markdown(path, node), (start, end)) if node is not None else None
    return None


@cache
def _root() -> Node:
    return schema()


def _node(path: places.Path) -> Node | None:
    """Return what the schema says of PATH, None where it knows nothing."""
    node: Any = _root()
    for part in path:
        if isinstance(part, int):
            node = node.get("items")
        else:
            node = node.get("properties", {}).get(part, node.get("additionalProperties"))
        if not isinstance(node, dict):
            return None
    found: Node = node
    return found


def _table_at(text: str, offset: int) -> places.Path:
    tables = [each for each in places.scan(text[:offset]) if each.is_table]
    return tables[-1].path if tables else ()


def _typed(prefix: str, offset: int) -> CompletionContext:
    return CompletionContext(prefix, offset - len(prefix), offset, "", "none")


def _tables() -> Iterator[Item]:
    for name, node in _root()["properties"].items():
        if node.get("type") == "object":
            yield _item(name, node, name, "package")


def _keys(text: str, table: places.Path) -> Iterator[Item]:
    node = _node(table)
    given = {entry.path for entry in places.scan(text)}
    for name, inner in (node or {}).get("properties", {}).items():
        if (*table, name) in given:
            continue
        if table == () and inner.get("type") == "object":
            yield _item(f"[{name}]", inner, f"[{name}]", "package")
        else:
            yield _item(name, inner, f"{name} = {_sample(inner)}", "keyword")


def _dotted() -> Iterator[Item]:
    for name in settings():
        node = _node(tuple(name.split(".")))
        if node is not None and "." in name:
            yield _item(name, node, f"{name} = {_sample(node)}", "keyword")


def _values(node: Node | None) -> Iterator[Item]:
    if node is None:
        return
    given = [*node.get("enum", []), *([True, False] if node.get("type") == "boolean" else [])]
    given = given or ([node["default"]] if "default" in node else [])
    for value in given:
        text = json.dumps(value)
        yield _item(text, node, text, "constant")


def _item(label: str, node: Node, insert: str, kind: str) -> Item:
    return Item(label, kind, _kind(node), str(node.get("description", "")), "", 0, insert)


def _sample(node: Node) -> str:
    if "default" in node:
        return json.dumps(node["default"])
    if "enum" in node:
        return json.dumps(node["enum"][0])
    return _EMPTY.get(str(node.get("type")), '""')


def _kind(node: Node) -> str:
    """Return what a value is and its default, in a few words. Example: "integer, 300 unless set" """
    kind = " | ".join(map(str, node.get("enum", []))) or str(node.get("type", ""))
    if kind == "object":
        return ""
    return f"{kind}, {json.dumps(node['default'])} unless set" if "default" in node else kind


def _markdown(path: places.Path, node: Node) -> str:
    name = ".".join(str(part) for part in path if isinstance(part, str))
    lines = [f"**`{name}`** {_kind(node)}".rstrip(), "", str(node.get("description", ""))]
    limits = {"minimum": "at least", "exclusiveMinimum": "more than", "maximum": "at most"}
    told = [f"{words} {node[key]:g}" for key, words in limits.items() if key in node]
    if told:
        lines += ["", f"{', '.join(told).capitalize()}."]
    setting = settings().get(name)
    if setting is not None and setting.program:
        lines += ["", "*In a workspace's file it counts only when the workspace is trusted.*"]
    return "\n".join(lines)

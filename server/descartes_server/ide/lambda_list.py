"""A lambda list as text, read into parameters with their places: for signatures and keyword completion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from descartes_server.ide.roles import base_name
from descartes_server.ide.segments import Segment, divide
from descartes_server.ide.tree import Node, tree

ParameterKind = Literal["required", "optional", "rest", "key", "body"]
_SECTIONS: dict[str, ParameterKind] = {
    "&optional": "optional",
    "&rest": "rest",
    "&key": "key",
    "&body": "body",
    "&more": "rest",
}
_ONE_MORE = ("&whole", "&environment")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter; START and END are its place in the text, KEYWORD `:name` for keys."""

    kind: ParameterKind
    start: int
    end: int
    keyword: str | None = None
    nested: tuple[Parameter, ...] = ()
    """The parameters within one that a macro destructures."""
    default: str | None = None
    """The form that gives the value of one that is left out, as text."""


def read(text: str) -> tuple[Parameter, ...]:
    """Return the parameters of the first list in TEXT; none for what is no lambda list.

    Example: [p.keyword for p in read("(a &key (b 1))")] -> [None, ":b"]
    """
    for segment in divide(text):
        root = tree(segment)
        if root is not None:
            return _parameters(segment, root, 0)
    return ()


def keywords(text: str) -> tuple[str, ...]:
    """Return the keywords that the lambda list TEXT takes.

    Example: keywords("(a &key (b 1) ((:c d)))") -> (":b", ":c")
    """
    return tuple(parameter.keyword for parameter in read(text) if parameter.keyword)


def _parameters(segment: Segment, node: Node, depth: int) -> tuple[Parameter, ...]:
    found: list[Parameter] = []
    section: ParameterKind = "required"
    skipped = 0
    for item in node.data:
        word = segment.text[item.start : item.end]
        if word.startswith("&"):
            if word.lower() == "&aux":
                break
            skipped = 1 if word.lower() in _ONE_MORE else 0
            section = _SECTIONS.get(word.lower(), section)
        elif word == ".":
            section = "rest"
        elif skipped:
            skipped -= 1
        else:
            found.append(_parameter(segment, item, section, depth))
    return tuple(found)


def _parameter(segment: Segment, item: Node, section: ParameterKind, depth: int) -> Parameter:
    keyword = None
    nested: tuple[Parameter, ...] = ()
    if section == "key":
        keyword = _keyword(segment, item)
    elif item.kind == "list" and section in ("required", "body", "rest") and depth < 20:
        nested = _parameters(segment, item, depth + 1)
    default = None
    if section in ("optional", "key") and item.kind == "list" and len(item.data) > 1:
        default = segment.text[item.data[1].start : item.data[1].end]
    return Parameter(section, item.start, item.end, keyword, nested, default)


def _keyword(segment: Segment, item: Node) -> str:
    name = item
    while name.kind == "list" and name.data:
        name = name.data[0]
    text = segment.text[name.start : name.end]
    return text if text.startswith(":") else ":" + base_name(text)

"""The head of a note: lines `key: value` between two lines `---`, as people write them by hand.

A small part of YAML: plain and quoted texts, and lists on one line or with a dash before each item.
Reads any text without an error; writes only what was changed, so that everything else of a head stays.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

Value = str | list[str]

_FENCE = "---"
_KEY = re.compile(r"([A-Za-z_][\w-]*)[ \t]*:(?:[ \t]+(.*)|[ \t]*)$")
_ITEM = re.compile(r"[ \t]*-[ \t]+(.*)$")
_PLAIN = re.compile(r"[\w./+@(][^\x00-\x1f\x7f#:\[\]{}\"',]*$")
_WORDS_OF_YAML = frozenset(["true", "false", "yes", "no", "on", "off", "null", "~"])


@dataclass(frozen=True)
class Entry:
    """One entry of a head: its LINES as they stand there; KEY is None for what is no entry."""

    key: str | None
    lines: tuple[str, ...]
    value: Value = ""


@dataclass(frozen=True)
class Head:
    """The head of a note and the BODY below it; PROBLEM says what could not be understood."""

    entries: tuple[Entry, ...]
    body: str
    problem: str | None = None
    newline: str = "\n"

    def text(self, key: str) -> str | None:
        """Return the text that KEY has, None when it is missing, empty or a list."""
        value = self._values().get(key)
        return value if isinstance(value, str) and value else None

    def texts(self, key: str) -> list[str]:
        """Return the list that KEY has; a text counts as items between commas."""
        value = self._values().get(key, [])
        items = value.split(",") if isinstance(value, str) else value
        return [item.strip() for item in items if item.strip()]

    def _values(self) -> Mapping[str, Value]:
        return {entry.key: entry.value for entry in self.entries if entry.key is not None}


def parse(text: str) -> Head:
    """Return the head and body of TEXT.

    Example: parse("---\\ntitle: A\\n---\\nB\\n").text("title") -> "A"
    """
    text = text.removeprefix("\ufeff")
    lines = text.splitlines(keepends=True)
    newline = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    if not lines or lines[0].rstrip() != _FENCE:
        return Head((), text, newline=newline)
    for number, line in enumerate(lines[1:], 1):
        if line.rstrip() in (_FENCE, "..."):
            entries = tuple(_entries([each.rstrip("\r\n") for each in lines[1:number]]))
            body = "".join(lines[number + 1 :])
            return Head(entries, body.removeprefix(newline), _problem(entries), newline)
    return Head((), text, "its head begins with `---` and does not end with such a line", newline)


def render(head: Head, changes: Mapping[str, Value | None], body: str | None = None) -> str:
    """Return the text of HEAD with CHANGES (None takes an entry away) and BODY in place of its own."""
    left = dict(changes)
    lines: list[str] = []
    for entry in head.entries:
        if entry.key is None or entry.key not in changes:
            lines += entry.lines
        elif entry.key in left:
            lines += _lines(entry.key, left.pop(entry.key))
    for key, value in left.items():
        lines += _lines(key, value)
    shown = head.body if body is None else body
    end = head.newline
    fenced = end.join([_FENCE, *lines, _FENCE, "", ""])
    return fenced + shown


def _lines(key: str, value: Value | None) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        return [f"{key}: {_written(value)}"]
    return [f"{key}: [{', '.join(_written(item) for item in value)}]"]


def _written(text: str) -> str:
    plain = _PLAIN.match(text) and text == text.strip() and text.lower() not in _WORDS_OF_YAML
    # A time holds colons that no reader of YAML takes for anything else.
    if plain or re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", text):
        return text
    return json.dumps(text, ensure_ascii=False)


def _entries(lines: Sequence[str]) -> Iterator[Entry]:
    index = 0
    while index < len(lines):
        line = lines[index]
        found = _KEY.match(line)
        if found is None:
            yield Entry(None, (line,))
            index += 1
            continue
        key, given = found[1], (found[2] or "").strip()
        below = index + 1
        items: list[str] = []
        while not given and below < len(lines) and (item := _ITEM.match(lines[below])):
            items.append(_read(item[1].strip()))
            below += 1
        yield Entry(key, tuple(lines[index:below]), items or _value(given))
        index = below


def _value(given: str) -> Value:
    if given.startswith("["):
        inner = given.partition("#")[0].rstrip() if not given.endswith("]") else given
        return [_read(item) for item in _items(inner.removeprefix("[").removesuffix("]"))]
    return _read(given)


def _items(text: str) -> list[str]:
    """Return what stands between the commas of TEXT; a comma inside quotes is none."""
    return [each.strip() for each in re.findall(r"\"(?:\\.|[^\"\\])*\"|'[^']*'|[^,\s][^,]*", text)]


def _read(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] == '"':
        try:
            return str(json.loads(text))
        except ValueError:
            return text[1:-1]
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    return re.split(r"\s#", text, maxsplit=1)[0].strip()


def _problem(entries: Sequence[Entry]) -> str | None:
    number = 2
    for entry in entries:
        line = entry.lines[0]
        if entry.key is None and line.strip() and not line.lstrip().startswith("#") and line[0] not in " \t":
            return f"line {number} is no `key: value`: {line[:60]!r}"
        number += len(entry.lines)
    return None

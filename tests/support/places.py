"""A text as a client counts in it, apart from the server's own way: by coding what stands before a place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.lsp_client import LspClient

ENCODINGS = ("utf-8", "utf-16", "utf-32")
_CODECS = {"utf-8": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}
_UNIT = {"utf-8": 1, "utf-16": 2, "utf-32": 4}
_LINE = re.compile(r"([^\r\n]*)(\r\n|\n|\r|$)")


@dataclass(frozen=True)
class Places:
    """The places of TEXT in ENCODING."""

    text: str
    encoding: str

    def at(self, words: str, into: str = "") -> dict[str, int]:
        """Return the position of the first of WORDS, or of the first INTO from there on."""
        offset = self.text.index(words)
        return self._position(self.text.index(into, offset) if into else offset)

    def range(self, words: str, into: str = "") -> dict[str, Any]:
        """Return the range of the first WORDS, or of the first INTO from there on."""
        start = self.text.index(words)
        start = self.text.index(into, start) if into else start
        end = start + len(into or words)
        return {"start": self._position(start), "end": self._position(end)}

    def covered(self, range_: Any) -> str:
        """Return what RANGE_ covers; it must lie on the edges of characters, none past a line's end."""
        return self.text[self._offset(range_["start"]) : self._offset(range_["end"])]

    def _position(self, offset: int) -> dict[str, int]:
        before = self.text[:offset]
        line = len(re.findall(r"\r\n|\n|\r", before))
        start = max(before.rfind("\n"), before.rfind("\r")) + 1
        return {"line": line, "character": units(before[start:], self.encoding)}

    def _offset(self, position: Any) -> int:
        matches = list(_LINE.finditer(self.text))
        line = matches[position["line"]]
        size = position["character"] * _UNIT[self.encoding]
        raw = line[1].encode(_CODECS[self.encoding])
        assert size <= len(raw), f"{position} lies past the end of {line[1]!r}"
        return line.start() + len(raw[:size].decode(_CODECS[self.encoding]))


def units(text: str, encoding: str) -> int:
    """Return how many units of ENCODING TEXT takes."""
    return len(text.encode(_CODECS[encoding])) // _UNIT[encoding]


def at_door(encoding: str, **capabilities: Any) -> dict[str, Any]:
    """Return the capabilities of a client that counts in ENCODING."""
    return {"general": {"positionEncodings": [encoding]}, **capabilities}


@dataclass
class Editor:
    """One editor with one file open, whose text it counts in its own units."""

    client: LspClient
    uri: str
    places: Places
    version: int = 1

    @classmethod
    def open(cls, client: LspClient, path: Path, text: str, encoding: str, uri: str = "") -> Editor:
        """Open PATH with TEXT, under the name URI where one is given."""
        uri = uri or path.as_uri()
        document = {"uri": uri, "languageId": "commonlisp", "version": 1, "text": text}
        client.notify("textDocument/didOpen", {"textDocument": document})
        return cls(client, uri, Places(text, encoding))

    def type(self, text: str) -> None:
        """Put TEXT in the place of all there is, unsaved."""
        self.version += 1
        self.client.change(self.uri, self.version, {"text": text})
        self.places = Places(text, self.places.encoding)

    def close(self) -> None:
        """Close the file."""
        self.client.notify("textDocument/didClose", {"textDocument": {"uri": self.uri}})

    async def ask(self, method: str, place: dict[str, int], **more: Any) -> Any:
        """Return the answer of `textDocument/METHOD` at PLACE."""
        return await self.client.at(method, self.uri, place["line"], place["character"], **more)

    async def do(self, name: str, into: str = "", **params: Any) -> Any:
        """Return the result of the operation NAME, at the first INTO of the text."""
        position = {"position": self.places.at(into)} if into else {}
        return await self.client.execute(name, {"uri": self.uri, **position, **params})

    async def marked(self, code: str, words: str, after: int = 0) -> Any:
        """Return the first diagnostic CODE that covers exactly WORDS, in a message from index AFTER on."""

        def fits(params: Any) -> bool:
            return params["uri"] == self.uri and bool(self._covering(params["diagnostics"], code, words))

        published = await self.client.notification("textDocument/publishDiagnostics", fits, after=after)
        return self._covering(published["diagnostics"], code, words)[0]

    def _covering(self, diagnostics: Any, code: str, words: str) -> list[Any]:
        found = [each for each in diagnostics if each["code"] == code]
        return [each for each in found if self.places.covered(each["range"]) == words]

    async def lenses(self, into: str) -> list[Any]:
        """Return the lenses that stand exactly at the first INTO."""
        at = self.places.at(into)
        return [each for each in await self.client.of("codeLens", self.uri) if each["range"]["start"] == at]

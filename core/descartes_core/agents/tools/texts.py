"""The text of a file as tools see it and change it, without changing what they were not asked to.

Encoding, byte order mark and line ends of a file stay as they were; its new bytes replace the old at once.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from pathlib import Path

from descartes_core.errors import InvalidParams

BINARY_SAMPLE = 8192


@dataclass(frozen=True)
class Text:
    """A decoded file. CONTENT has the line ends of the file."""

    content: str
    encoding: str = "utf-8"
    mark: bytes = b""

    @property
    def newline(self) -> str:
        """The line end that most lines have; a newline where there are none."""
        crlf = self.content.count("\r\n")
        return "\r\n" if crlf * 2 > self.content.count("\n") else "\n"

    def with_newlines(self, text: str) -> str:
        """Return TEXT with the line ends of this file."""
        return text.replace("\r\n", "\n").replace("\n", self.newline)

    def encode(self, content: str) -> bytes:
        """Return CONTENT as bytes of this file; text that its encoding cannot hold makes it UTF-8."""
        try:
            return self.mark + content.encode(self.encoding)
        except UnicodeEncodeError:
            return content.encode("utf-8")


def decode(data: bytes, path: str) -> Text:
    """Return the text of DATA, the bytes of the file PATH: UTF-8 where it can be, else Latin-1.

    Errors: `InvalidParams` when it is no text.
    """
    if b"\0" in data[:BINARY_SAMPLE]:
        raise InvalidParams(f"{path!r} is a binary file; this tool takes text", path=path)
    mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    try:
        return Text(data[len(mark) :].decode("utf-8"), "utf-8", mark)
    except UnicodeDecodeError:
        return Text(data.decode("latin-1"), "latin-1")


def content(path: Path) -> bytes | None:
    """Return the bytes of the file PATH, None when there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None

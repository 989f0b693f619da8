"""Messages out of bytes: `Content-Length` headers, nothing else; knows no JSON.

Garbage between messages is reported once and skipped up to the next header, so that one confused write
of a client does not end the session.
"""

from __future__ import annotations

import re

LIMIT_BYTES = 256 * 1024 * 1024
_LENGTH = re.compile(rb"(?:^|\r\n)content-length:[ \t]*(\d{1,18})[ \t]*(?:\r\n|$)", re.IGNORECASE)
_NEXT = re.compile(rb"content-length:", re.IGNORECASE)
_HEADERS_BYTES = 8192


class Garbage(Exception):
    """Bytes that are no message."""


class Framer:
    """Collects bytes and gives messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._body: int | None = None

    def feed(self, data: bytes) -> list[bytes | Garbage]:
        """Return the bodies that are complete once DATA has come, in order; `Garbage` where none was."""
        self._buffer += data
        messages: list[bytes | Garbage] = []
        while (message := self._next()) is not None:
            messages.append(message)
        return messages

    def _next(self) -> bytes | Garbage | None:
        if self._body is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return self._overlong_headers()
            headers = bytes(self._buffer[:end])
            match = _LENGTH.search(headers)
            if match is None or int(match[1]) > LIMIT_BYTES:
                return self._skip(end + 4, headers)
            del self._buffer[: end + 4]
            self._body = int(match[1])
        if len(self._buffer) < self._body:
            return None
        body = bytes(self._buffer[: self._body])
        del self._buffer[: self._body]
        self._body = None
        return body

    def _overlong_headers(self) -> Garbage | None:
        return self._skip(len(self._buffer), b"") if len(self._buffer) > _HEADERS_BYTES else None

    def _skip(self, end: int, headers: bytes) -> Garbage:
        following = _NEXT.search(self._buffer, 1)
        del self._buffer[: following.start() if following else end]
        return Garbage(f"expected a Content-Length header, got {headers[:60]!r}")

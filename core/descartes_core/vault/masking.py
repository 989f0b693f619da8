"""Values of secrets taken out of text and streams: plain, in base64, hexadecimal, URL- and string-encoded.

Only the standard library is imported (and `needles`, which does the same), because a keeper carries this
module beside every command that was given a secret. What changes a value in another way (encryption,
reversing) gets it past this.
"""

from __future__ import annotations

import base64
import html
import json
import threading
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from descartes_core.needles import Needles, places

SHORTEST_LINE = 8
"""Bytes; a line of a value of several lines that is shorter is masked with the whole only."""
SHORTEST_CORE = 5
LINE_ENDS = b"\r\n"


def token(name: str) -> str:
    """Return what stands in place of the value of the secret NAME."""
    return f"‹secret:{name}›"


def plain_forms(value: str) -> set[bytes]:
    """Return the ways in which VALUE is written as one piece: itself, its lines, and as strings and URLs.

    Example: plain_forms("a/b c") has b"a/b c", b"a%2Fb%20c", b"a%2fb%20c", b"a%2Fb+c" …
    """
    lines = [line.strip() for line in value.splitlines()]
    pieces = {value, value.strip(), *(line for line in lines if len(line.encode()) >= SHORTEST_LINE)}
    forms: set[str] = set()
    for piece in pieces:
        forms |= {piece, piece.replace("'", "'\\''"), html.escape(piece)}
        forms |= {json.dumps(piece)[1:-1], json.dumps(piece, ensure_ascii=False)[1:-1], repr(piece)[1:-1]}
        forms |= {piece.replace("\\", "\\\\").replace('"', '\\"')}
        quoted = {
            urllib.parse.quote(piece, safe=""),
            urllib.parse.quote(piece),
            urllib.parse.quote_plus(piece),
        }
        forms |= quoted | {_lower_escapes(each) for each in quoted}
    return {form.encode("utf-8", "surrogatepass") for form in forms if form}


def wrapped_forms(value: str) -> set[bytes]:
    """Return the ways in which VALUE is written over several lines: base64 at every offset, hexadecimal."""
    data = value.encode("utf-8", "surrogatepass")
    forms = {data.hex().encode(), data.hex().upper().encode(), base64.b32encode(data).rstrip(b"=")}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        forms |= {encode(data), encode(data).rstrip(b"=")}
        for before, cut in ((0, 0), (1, 2), (2, 3)):
            # What the neighbours of the value have no part in.
            whole = 8 * (before + len(data)) // 6
            core = encode(bytes(before) + data)[cut:whole]
            if len(core) >= SHORTEST_CORE:
                forms.add(core)
    return forms


class Patterns:
    """Everything that is masked, made from the VALUES by name of the secret, and what BASE has masked."""

    def __init__(self, values: Iterable[tuple[str, str]], base: Patterns | None = None) -> None:
        self._plain: dict[bytes, bytes] = {} if base is None else dict(base._plain)
        self._wrapped: dict[bytes, bytes] = {} if base is None else dict(base._wrapped)
        for name, value in values:
            mark = token(name).encode()
            for form in plain_forms(value):
                self._plain.setdefault(form, mark)
            for form in wrapped_forms(value):
                self._wrapped.setdefault(form, mark)
        self._in_one_piece, self._over_lines = Needles(self._plain), Needles(self._wrapped)
        self._longest = max(map(len, (*self._plain, *self._wrapped)), default=0)

    def __bool__(self) -> bool:
        return bool(self._plain)

    def mask(self, data: bytes) -> bytes:
        """Return DATA without any value."""
        return _replaced(data, _merged(self._found(data)))

    def split(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the masked part of DATA and the rest, which may be the beginning of a value."""
        spans = _merged(self._found(data))
        cut = len(data) - self._held(data)
        for start, end, _ in reversed(spans):
            if start < cut < end:
                cut = start
        return _replaced(data[:cut], [span for span in spans if span[1] <= cut]), data[cut:]

    def text(self, text: str) -> str:
        """Return TEXT without any value; the same object when there was none."""
        data = text.encode("utf-8", "surrogatepass")
        masked = self.mask(data)
        return text if masked == data else masked.decode("utf-8", "surrogatepass")

    def data(self, value: Any) -> Any:
        """Return the JSON VALUE without any value of a secret, in keys neither."""
        match value:
            case str():
                return self.text(value)
            case list() | tuple():
                return [self.data(each) for each in value]
            case Mapping():
                return {self.data(key): self.data(item) for key, item in value.items()}
        return value

    def _found(self, data: bytes) -> Iterator[tuple[int, int, bytes]]:
        yield from _spans(data, self._in_one_piece, self._plain)
        compact = data.translate(None, LINE_ENDS)
        hits = list(_spans(compact, self._over_lines, self._wrapped))
        if hits and len(compact) == len(data):
            yield from hits
        elif hits:
            at = [index for index, byte in enumerate(data) if byte not in LINE_ENDS]
            yield from ((at[start], at[end - 1] + 1, mark) for start, end, mark in hits)

    def _held(self, data: bytes) -> int:
        """Return how many bytes at the end of DATA could be the beginning of a value."""
        held = self._in_one_piece.overlap(data)
        tail = data[-4 * self._longest - 1024 :]
        compact = tail.translate(None, LINE_ENDS)
        wrapped = self._over_lines.overlap(compact)
        if wrapped == 0 or len(compact) == len(tail):
            return max(held, wrapped)
        at = [index for index, byte in enumerate(tail) if byte not in LINE_ENDS]
        return max(held, len(tail) - at[-wrapped])


class StreamMask:
    """PATTERNS applied to a stream: a value that is split between two pieces is found too."""

    def __init__(self, patterns: Patterns) -> None:
        self._patterns = patterns
        self._rest = b""

    def feed(self, piece: bytes) -> bytes:
        """Return what can be shown after PIECE; only what may be the beginning of a value is kept back."""
        shown, self._rest = self._patterns.split(self._rest + piece)
        return shown

    def finish(self) -> bytes:
        """Return what was kept back, at the end of the stream."""
        rest, self._rest = self._rest, b""
        return self._patterns.mask(rest)


class Masks:
    """The values that this process knows, by name of their secret; more come while it runs.

    They stay until the process ends, also when the vault is locked: what was shown once may be shown again.
    Concurrency: safe from any thread; what is masked is replaced as a whole.
    """

    def __init__(self) -> None:
        self.values: list[tuple[str, str]] = []
        self.patterns = Patterns(())
        self._adding = threading.Lock()

    def protect(self, name: str, value: str) -> None:
        """Mask VALUE, the secret NAME, from now on."""
        self.protect_all([(name, value)])

    def protect_all(self, values: Iterable[tuple[str, str]]) -> None:
        """Mask each of VALUES, (name, value), from now on; takes time, when they are many."""
        with self._adding:
            known = set(self.values)
            new = [each for each in dict.fromkeys(values) if each[1] and each not in known]
            if new:
                self.values, self.patterns = [*self.values, *new], Patterns(new, self.patterns)

    def text(self, text: str) -> str:
        """Return TEXT without any value."""
        return self.patterns.text(text) if self.patterns else text

    def data(self, value: Any) -> Any:
        """Return the JSON VALUE without any value of a secret."""
        return self.patterns.data(value) if self.patterns else value


def _lower_escapes(quoted: str) -> str:
    parts = quoted.split("%")
    return "%".join([parts[0], *(part[:2].lower() + part[2:] for part in parts[1:])])


def _spans(data: bytes, forms: Needles, marks: Mapping[bytes, bytes]) -> Iterator[tuple[int, int, bytes]]:
    for form in forms.within(data):
        yield from ((at, at + len(form), marks[form]) for at in places(data, form))


def _merged(spans: Iterable[tuple[int, int, bytes]]) -> list[tuple[int, int, bytes]]:
    merged: list[tuple[int, int, bytes]] = []
    for start, end, mark in sorted(spans, key=lambda span: (span[0], -span[1])):
        if merged and start < merged[-1][1]:
            before, last, first = merged[-1]
            merged[-1] = (before, max(last, end), first)
        else:
            merged.append((start, end, mark))
    return merged


def _replaced(data: bytes, spans: Iterable[tuple[int, int, bytes]]) -> bytes:
    parts, at = [], 0
    for start, end, mark in spans:
        parts += [data[at:start], mark]
        at = end
    return b"".join([*parts, data[at:]])

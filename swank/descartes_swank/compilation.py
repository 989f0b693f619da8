"""What the compiler had to say, at exact places of the file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from .descriptions import read_references
from .forms import Value, plist
from .locations import NOTE, Place, SourceFiles, place

UNNAMED: Final = "*descartes*"
"""What the image calls a text that is no file for it."""


@dataclass(frozen=True, slots=True)
class Note:
    """A remark of the compiler. START and END are code points in FILE (or in the text, when FILE is None)."""

    severity: str
    """note, style-warning, warning, error, read-error, redefinition, or an …-deprecation-warning."""
    message: str
    file: str | None
    start: int
    end: int
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Compiled:
    """The text that was compiled and the 0-based code point POSITION where it begins in FILE."""

    text: str
    file: str | None
    position: int = 0
    named: str | None = None
    """What the image calls FILE."""


def read_notes(form: Value, compiled: Compiled, files: SourceFiles) -> tuple[Note, ...]:
    """Return the notes of FORM, as `collect-notes` gives them for COMPILED. May read other files; blocks."""
    return tuple(_note(plist(item), compiled, files) for item in form or [])


def _note(fields: dict[str, Value], compiled: Compiled, files: SourceFiles) -> Note:
    severity = str(fields.get(":severity", ":warning")).lstrip(":")
    message = _tidied(str(fields.get(":message", "")))
    named = place(fields.get(":location"), NOTE)
    own = named is not None and named.file in (compiled.named, UNNAMED)
    found = named if own else files.here(named)
    references = read_references(fields.get(":references"))
    source = compiled if own or found is None else _other(found, files)
    if found is None:
        start = _first_form(source.text)
        end = _line_end(source.text, start)
    elif severity == "read-error":
        start, end = _misread(source.text, found.position - source.position, message)
    else:
        start = min(max(0, found.position - source.position), len(source.text))
        start += len(source.text) - start - len(source.text[start:].lstrip())
        start, end = _narrowed(source.text, start, form_end(source.text, start), message)
    base = source.position
    return Note(severity, message, source.file, base + start, base + max(start, end), references)


def _other(found: Place, files: SourceFiles) -> Compiled:
    """Return the text of the file that FOUND lies in, which is not what was compiled."""
    other = files.read(found.file)
    return Compiled(other.text if other else " " * (found.position + 1), found.file)


def _misread(text: str, octet: int, message: str) -> tuple[int, int]:
    """Return what the reader choked on just before OCTET of TEXT: unlike notes, the reader counts octets."""
    if message == _UNCLOSED:
        return _unclosed_form(text)
    end = len(text.encode("utf-8", "replace")[: max(0, octet)].decode("utf-8", "ignore"))
    start = end = min(end, len(text) - 1)
    while start > 0 and _CONSTITUENT.match(text[start - 1]) and _CONSTITUENT.match(text[start]):
        start -= 1
    return max(start, 0), max(form_end(text, max(start, 0)), end)


_CONSTITUENT = re.compile(r"[^\s()\"';`,]")
_ECL_PREAMBLE = re.compile(r"\A[\w ]+:\n  in file [^\n]*\n  at [^\n]*\n  [!*] ")
_READ_ERROR = "READ error during COMPILE-FILE:"
_UNCLOSED: Final = "end of file: this form is not closed"


def _tidied(message: str) -> str:
    """Return MESSAGE without what it says of the temporary file that was compiled.

    Example: "READ error during COMPILE-FILE:\n\n  no such thing\n\n    Line: 1, Column: 7" -> "no such thing"
    """
    if found := _ECL_PREAMBLE.match(message):
        return message[found.end() :]
    if not message.startswith(_READ_ERROR):
        return message
    paragraphs = [part.strip() for part in message[len(_READ_ERROR) :].split("\n\n") if part.strip()]
    if not paragraphs:
        return message
    if paragraphs[0].startswith("end of file"):
        return _UNCLOSED
    return " ".join(paragraphs[0].split())


_NAMED = re.compile(
    r"\A(?:undefined (?:variable|function|type): (?P<undefined>.+)"
    r"|The (?:variable|function) (?P<unused>.+) is (?:defined|assigned) but never)"
)


def _narrowed(text: str, start: int, end: int, message: str) -> tuple[int, int]:
    """Return the range of the symbol that MESSAGE is about if it stands from START to END, else these."""
    match = _NAMED.match(message)
    if match is None:
        return start, end
    symbol = (match["undefined"] or match["unused"]).split()[-1].rpartition(":")[2]
    name = re.compile(rf"(?<![^\s()'`,#]){re.escape(symbol)}(?![^\s()'`,;\"])", re.IGNORECASE)
    found = next(
        (hit for hit in name.finditer(text, start, end) if not _quoted(text, start, hit.start())), None
    )
    return (found.start(), found.end()) if found else (start, end)


_TOKEN: Final = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<comment>;[^\n]*)
    | (?P<block>\#\|)
    | (?P<string>"(?:[^"\\]|\\.)*(?:"|\Z))
    | (?P<character>\#\\(?:[A-Za-z0-9_+-]+|.))
    | (?P<open>\#?[0-9]*[AaSs]?\()
    | (?P<close>\))
    | (?P<prefix>\#\+|\#-|\#'|\#\.|\#[0-9]*=|\#[PpCcBbOoXx](?=["(])|'|`|,@|,\.|,)
    | (?P<symbol>(?:[^\s()"';`,|\\]|\\.|\|(?:[^|\\]|\\.)*(?:\||\Z))+)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)


def form_end(text: str, start: int) -> int:
    """Return where the form that begins at START of TEXT ends: the offset after its last character.

    A form that is never closed ends with the text; where no form begins, one character is taken.
    Example: form_end("(f \\"(\\" ?) x", 0) -> 10; form_end("foo bar", 0) -> 3
    """
    depth, at = 0, start
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            break
        at = _block_end(text, at) if match.lastgroup == "block" else match.end()
        if match.lastgroup in ("space", "comment", "block", "prefix"):
            continue
        depth += {"open": 1, "close": -1}.get(match.lastgroup or "", 0)
        if depth <= 0:
            return at
    return min(max(at, start + 1), len(text))


def _block_end(text: str, start: int) -> int:
    depth = 0
    for match in re.compile(r"#\||\|#").finditer(text, start):
        depth += 1 if match[0] == "#|" else -1
        if depth == 0:
            return match.end()
    return len(text)


def _quoted(text: str, start: int, offset: int) -> bool:
    """Return whether OFFSET lies in a string or comment of TEXT, read from START."""
    at = start
    while at < offset:
        match = _TOKEN.match(text, at)
        if match is None:
            return False
        end = _block_end(text, at) if match.lastgroup == "block" else match.end()
        if end > offset:
            return match.lastgroup in ("comment", "block", "string", "character")
        at = end
    return False


def _unclosed_form(text: str) -> tuple[int, int]:
    """Return the first line of the last top-level form of TEXT, the one that its end cuts off."""
    start, at = 0, 0
    while at < len(text):
        at += _first_form(text[at:])
        start, at = at, form_end(text, at)
    return start, max(_line_end(text, start), start)


def _first_form(text: str) -> int:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup not in ("space", "comment", "block"):
            return at
        at = _block_end(text, at) if match.lastgroup == "block" else match.end()
    return at


def _line_end(text: str, start: int) -> int:
    match = re.compile(r"\r?\n").search(text, start)
    return match.start() if match else len(text)

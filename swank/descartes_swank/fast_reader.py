"""The reader for what nearly every reply is made of: lists, strings, integers and plain symbols.

It rewrites what stands between the strings into JSON and lets a JSON decoder build the value. Any other
syntax makes it give up; it never guesses, so that its values are those of the general reader.
"""

from __future__ import annotations

import gc
import re
from itertools import pairwise
from typing import Final

import msgspec

from .forms import Value
from .general_reader import atom

# They stand for a digit and for a whole list while the text is cut; no reply contains them.
_DIGIT: Final = "\x03"
_LIFTED: Final = "\x04"

# An integer that is written alike in Lisp and in JSON.
_PLAIN_INTEGER = re.compile("0|-?[1-9][0-9]{0,17}")
_LONGEST_INTEGER: Final = 18
# So many gaps are looked at to see what most of the reply is made of.
_SAMPLE: Final = 512
# A list of strings must be longer than this to be worth lifting out.
_LONG: Final = 64
_DELIMITERS: Final = frozenset(' ()"')
_DIGITS: Final = "0123456789"
_DIGITS_TO_MARK = str.maketrans(_DIGITS, _DIGIT * 10)
_OTHERS_TO_BLANK = {code: " " for code in range(128) if chr(code) not in _DIGITS}

# Anything but letters, digits, blanks, parentheses and the marks that symbols are made of.
_ODD = re.compile(rf'[^{_LIFTED} \n"!$%&()*+\-./0-9:<=>?@A-Z\[\]^_a-z{{}}~]')

_JSON_ESCAPES: Final = (
    ("\n", "\\n"),
    ("\t", "\\t"),
    ("\r", "\\r"),
    ("\f", "\\f"),
    ("\x1b", "\\u001b"),
)


class Odd(Exception):
    """The text has syntax that only the general reader knows, or is no form at all."""


class _Literals(dict[str, str]):
    """A token to what stands for it in JSON.

    A symbol becomes a number with a fraction, the only literal for which the decoder calls back; it is the
    symbol's key in `atoms`.
    """

    def __init__(self) -> None:
        super().__init__({"(": "[", ")": "]", "nil": "null", "t": "true", '"': '"'})
        self.atoms: dict[str, Value] = {}

    def __missing__(self, token: str) -> str:
        if _PLAIN_INTEGER.fullmatch(token):
            return token
        if token == ".":
            raise Odd
        return self.define(token, atom(token))

    def define(self, token: str, value: Value) -> str:
        literal = self[token] = f"{len(self.atoms)}.0"
        self.atoms[literal] = value
        return literal


class _Gaps(dict[str, str]):
    """What stands between two forms, each a string or an integer, to what stands there in JSON."""

    def __init__(self) -> None:
        super().__init__()
        self.literals = _Literals()

    def __missing__(self, gap: str) -> str:
        json = self[gap] = self.translate(f'"{gap}"')[1:-1]
        return json

    def translate(self, text: str) -> str:
        """Return TEXT in JSON; a lone quotation mark in it stands for a string."""
        if _ODD.search(text):
            raise Odd
        tokens = text.replace("(", " ( ").replace(")", " ) ").replace('"', ' " ').split()
        json = ",".join(map(self.literals.__getitem__, tokens))
        return json.replace("[,", "[").replace(",]", "]").replace("[]", "null")

    def in_order(self, gaps: list[str]) -> list[str]:
        """Return each of GAPS in JSON."""
        sample = gaps[:: len(gaps) // _SAMPLE + 1]
        if len(set(sample)) > len(sample) // 4:
            at_once = self._at_once(gaps)
            if at_once is not None:
                return at_once
        return list(map(self.__getitem__, gaps))

    def _at_once(self, gaps: list[str]) -> list[str] | None:
        """Return each of GAPS in JSON, if most differ in their integers only: those need no translation.

        None when digits stand elsewhere too.
        """
        joined = '"'.join(["", *gaps, ""])
        if not joined.isascii():
            raise Odd
        integers = joined.translate(_OTHERS_TO_BLANK).split()
        between = list(filter(None, joined.translate(_DIGITS_TO_MARK).split(_DIGIT)))
        known = {piece: self._between_integers(piece) for piece in set(between)}
        if "" in known.values() or max(map(len, integers), default=0) > _LONGEST_INTEGER:
            return None
        pieces = [""] * (len(between) + len(integers))
        pieces[0::2] = map(known.__getitem__, between)
        pieces[1::2] = integers
        return "".join(pieces).split('"')[1:-1]

    def _between_integers(self, piece: str) -> str:
        """Return PIECE, which stands between two integers, in JSON, or nothing when it cuts a symbol."""
        sign = "-" if piece[-1] == "-" else ""
        body = piece.removesuffix(sign)
        if piece[0] in _DELIMITERS and body[-1:] in _DELIMITERS:
            return self.translate(f'"{body}"')[1:-1] + sign
        return ""


def read(text: str) -> Value:
    """Return the form in TEXT; raises `Odd` when the general reader has to decide."""
    if _DIGIT in text or _LIFTED in text:
        raise Odd
    # What is built here has no cycles; the collector would look through all of it several times.
    collecting = gc.isenabled()
    gc.disable()
    try:
        gaps, json = _translate(_without_escapes(text) if "\\" in text else text)
        decoder = msgspec.json.Decoder(float_hook=gaps.literals.atoms.__getitem__)
        return decoder.decode(_escaped(json))
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise Odd from error
    finally:
        if collecting:
            gc.enable()


def _translate(text: str) -> tuple[_Gaps, str]:
    parts = text.split('"')
    if len(parts) % 2 == 0:
        raise Odd
    gaps = _Gaps()
    sample = parts[0 :: 2 * (len(parts) // _SAMPLE + 1)]
    if sample.count(" ") > 0.9 * len(sample) and "\\" not in text:
        parts = _with_lists_lifted(parts, gaps.literals)
    last = len(parts) - 1
    if last == 0:
        return gaps, gaps.translate(parts[0])
    parts[0] = gaps.translate(parts[0] + '"')[:-1]
    parts[2:last:2] = gaps.in_order(parts[2:last:2])
    parts[last] = gaps.translate('"' + parts[last])[1:]
    return gaps, '"'.join(parts)


def _with_lists_lifted(parts: list[str], literals: _Literals) -> list[str]:
    """Return PARTS without the long lists of strings only: those are ready, and become one literal each."""
    kept: list[str] = []
    start = 0
    ends = [index for index in range(0, len(parts), 2) if parts[index] != " "]
    for opens, closes in pairwise(ends):
        if closes - opens > _LONG and parts[opens].endswith("(") and parts[closes].startswith(")"):
            token = f"{_LIFTED}{opens}"
            literals.define(token, parts[opens + 1 : closes : 2])
            kept += parts[start:opens]
            parts[closes] = f"{parts[opens][:-1]} {token} {parts[closes][1:]}"
            start = closes
    return kept + parts[start:]


def _without_escapes(text: str) -> str:
    """Return TEXT with JSON's other way to escape a quotation mark, so that it can be cut at the rest."""
    pieces = text.split("\\")
    index = 1
    while index < len(pieces):
        piece = pieces[index]
        if piece.startswith('"'):
            pieces[index] = "u0022" + piece[1:]
            index += 1
        elif piece or index + 1 == len(pieces):
            raise Odd
        else:
            # A backslash is escaped alike in both.
            index += 2
    return "\\".join(pieces)


def _escaped(json: str) -> str:
    # Looking first is thirty times cheaper than replacing nothing.
    for character, escape in _JSON_ESCAPES:
        if character in json:
            json = json.replace(character, escape)
    return json

"""The reader for all of Lisp's printed syntax: one pass, its own stack, a value for every text.

Does not know packages and evaluates nothing: symbols stay as they are printed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from fractions import Fraction
from typing import Final

from .forms import Char, Cons, Problem, Symbol, Tagged, Unreadable, Value, Vector

# Possessive quantifiers everywhere: an unclosed string or bar costs one look at the rest, never more.
_CONSTITUENT: Final = r"[^ \t\n\r\f()\"'`,;|\\]"
_ATOM: Final = rf"(?:{_CONSTITUENT}++|\\[\s\S]|\|(?:[^|\\]++|\\[\s\S])*+\|)++"
_TOKEN = re.compile(
    rf"""[ \t\n\r\f]*+(?:;[^\n]*+\s*+)*+(?:
      (\()                                  # 1 a list begins
    | (\))                                  # 2 a list ends
    | "((?:[^"\\]++|\\[\s\S])*+)"           # 3 a string's inside
    | (\#[0-9]*+[^0-9])                     # 4 dispatching macro
    | ({_ATOM})                             # 5 number or symbol
    | ('|`|,@|,)                            # 6 quotes
    )""",
    re.VERBOSE,
)
_BLANK = re.compile(r"[ \t\n\r\f]*+(?:;[^\n]*+[ \t\n\r\f]*+)*+")
_OPEN, _CLOSE, _STRING, _HASH, _NAME, _QUOTE = range(1, 7)

_NUMBER_START: Final = frozenset("+-.0123456789")
_INTEGER = re.compile(r"[+-]?[0-9]++\.?")
_RATIO = re.compile(r"([+-]?[0-9]++)/([0-9]++)")
_FLOAT = re.compile(
    r"([+-]?(?:[0-9]*+\.[0-9]++|[0-9]++(?:\.[0-9]*+)?(?=[esfdlESFDL])))(?:[esfdlESFDL]([+-]?[0-9]++))?"
)
_RADIX: Final = {"b": 2, "o": 8, "x": 16}
# Python refuses to convert longer decimal integers, and takes quadratic time for them when allowed to.
_LONGEST_INTEGER: Final = 4000

_ESCAPE = re.compile(r"\\([\s\S])")
_CHARACTER = re.compile(rf"#\\(?:{_CONSTITUENT}++|[\s\S])")
_HASH_NAME = re.compile(rf"#(?:{_ATOM})?+")
_UNREADABLE_PART = re.compile(r'#<|"(?:[^"\\]++|\\[\s\S])*+"|>(?=[\s()>"]|\Z)')
_COMMENT_PART = re.compile(r"#\||\|#")

CHARACTER_NAMES: Final = {
    "nul": "\0", "null": "\0", "bel": "\a", "backspace": "\b", "tab": "\t", "newline": "\n", "linefeed": "\n",
    "vt": "\v", "page": "\f", "return": "\r", "esc": "\x1b", "escape": "\x1b", "altmode": "\x1b",
    "space": " ", "rubout": "\x7f", "delete": "\x7f", "soh": "\x01", "stx": "\x02", "etx": "\x03",
    "eot": "\x04", "enq": "\x05", "ack": "\x06", "so": "\x0e", "si": "\x0f", "dle": "\x10", "dc1": "\x11",
    "dc2": "\x12", "dc3": "\x13", "dc4": "\x14", "nak": "\x15", "syn": "\x16", "etb": "\x17", "can": "\x18",
    "em": "\x19", "sub": "\x1a", "fs": "\x1c", "gs": "\x1d", "rs": "\x1e", "us": "\x1f",
}  # fmt: skip
_INFINITIES: Final = {
    "sb-ext:double-float-positive-infinity": float("inf"),
    "sb-ext:double-float-negative-infinity": float("-inf"),
}


def atom(token: str) -> Value:
    """Return the number, constant or symbol that TOKEN, printed without blanks, stands for.

    Integers of more than 4,000 digits stay symbols: the digits are all there, the cost stays linear.
    Example: atom("1/2") -> Fraction(1, 2); atom("nil") -> None; atom("foo:bar") -> Symbol("foo:bar")
    """
    if token[0] in _NUMBER_START:
        number = _number(token)
        if number is not None:
            return number
    elif len(token) <= 3:
        lowered = token.lower()
        if lowered == "nil":
            return None
        if lowered == "t":
            return True
    return Symbol(token)


def _number(token: str) -> int | float | Fraction | None:
    if _INTEGER.fullmatch(token):
        return int(token.rstrip(".")) if len(token) <= _LONGEST_INTEGER else None
    if match := _RATIO.fullmatch(token):
        if len(token) > _LONGEST_INTEGER or not match[2].strip("0"):
            return None
        ratio = Fraction(int(match[1]), int(match[2]))
        return ratio.numerator if ratio.denominator == 1 else ratio
    if match := _FLOAT.fullmatch(token):
        return float(f"{match[1]}e{match[2] or 0}")
    return None


class _Frame:
    """A form that has begun: a list, a vector, the rest of a list behind a dot, or a macro's operand."""

    __slots__ = ("dot", "items", "kind", "tail")

    def __init__(self, kind: str, items: list[Value]) -> None:
        self.kind = kind
        self.items = items
        # 0: no dot seen; 1: the form behind the dot is awaited; 2: it is in TAIL.
        self.dot = 0
        self.tail: Value = None


_TOP, _LIST, _VECTOR, _REST = "top", "list", "vector", "rest"
_CONTAINERS: Final = frozenset((_TOP, _LIST, _VECTOR, _REST))


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.problem: Problem | None = None
        self.top = _Frame(_TOP, [])
        self.stack = [self.top]

    def read(self) -> tuple[Value, Problem | None]:
        text, match_token, top = self.text, _TOKEN.match, self.top.items
        while not top:
            match = match_token(text, self.position)
            if match is None:
                if not self._without_token():
                    break
                continue
            kind = match.lastindex
            self.position = match.end()
            if kind == _NAME:
                self._name(match[_NAME], match.start(_NAME))
            elif kind == _STRING:
                inside = match[_STRING]
                self._add(_ESCAPE.sub(r"\1", inside) if "\\" in inside else inside)
            elif kind == _OPEN:
                self._open()
            elif kind == _CLOSE:
                self._close()
            elif kind == _HASH:
                self._dispatch(match.start(_HASH), match[_HASH])
            else:
                self.stack.append(_Frame(match[_QUOTE], []))
        return self._result()

    def _result(self) -> tuple[Value, Problem | None]:
        top = self.top.items
        if not top and len(self.stack) > 1:
            self._report("The text ends inside a form", len(self.text))
            while len(self.stack) > 1:
                self._close()
        if not top:
            self._report("There is no form in the text", 0)
            return None, self.problem
        end = _blank_end(self.text, self.position)
        if end < len(self.text):
            self._report("There is more text after the form", end)
        return top[0], self.problem

    def _report(self, message: str, offset: int) -> None:
        if self.problem is None:
            self.problem = Problem(message, offset)

    def _without_token(self) -> bool:
        """Take the rest of the text, an unclosed string or name; return whether anything was left."""
        start = _blank_end(self.text, self.position)
        self.position = len(self.text)
        if start == len(self.text):
            return False
        rest = self.text[start:]
        if rest[0] == '"':
            self._report("A string is not closed", start)
            self._add(_ESCAPE.sub(r"\1", rest[1:]))
        else:
            self._report("A symbol's bar or backslash is not closed", start)
            self._add(Symbol(rest))
        return True

    def _add(self, value: Value) -> None:
        stack = self.stack
        while stack[-1].kind not in _CONTAINERS:
            value = _macro(stack.pop().kind, value)
        frame = stack[-1]
        if frame.dot == 0:
            frame.items.append(value)
        elif frame.dot == 1:
            frame.tail, frame.dot = value, 2
        else:
            self._report("More than one form follows the dot", self.position)

    def _name(self, token: str, start: int) -> None:
        if token == ".":
            self._dot(start)
        else:
            self._add(atom(token))

    def _dot(self, start: int) -> None:
        frame = self.stack[-1]
        if frame.kind in {_LIST, _REST} and frame.dot == 0 and (frame.items or frame.kind == _REST):
            frame.dot = 1
        else:
            self._report("A dot stands where no list is being read", start)

    def _open(self) -> None:
        frame = self.stack[-1]
        if frame.dot == 1:
            # `(a . (b` goes on with the same list: no copying, however deep.
            self.stack.append(_Frame(_REST, frame.items))
        else:
            self.stack.append(_Frame(_LIST, []))

    def _close(self) -> None:
        stack = self.stack
        while stack[-1].kind not in _CONTAINERS:
            self._report("A list ends where a quoted form was expected", self.position)
            stack.pop()
        if stack[-1].kind == _TOP:
            self._report("A list is closed that was not opened", self.position - 1)
            return
        frame = stack.pop()
        if frame.dot == 1:
            self._report("No form follows the dot", self.position)
            frame.dot = 0
        if frame.kind == _REST:
            parent = stack[-1]
            parent.tail, parent.dot = (frame.tail, 2)
        elif frame.kind == _VECTOR:
            self._add(Vector(frame.items))
        elif frame.dot == 2 and frame.tail is not None:
            self._add(Cons(tuple(frame.items), frame.tail) if frame.items else frame.tail)
        else:
            self._add(frame.items or None)

    def _dispatch(self, start: int, opening: str) -> None:
        letter = opening[-1]
        known = _DISPATCH.get(letter.lower())
        if known is not None:
            known(self, start, opening)
        else:
            self._hash_name(start, opening)
            self._report(f"{opening!r} is no Lisp syntax", start)

    def _hash_name(self, start: int, _opening: str) -> None:
        match = _HASH_NAME.match(self.text, start)
        assert match is not None
        self.position = match.end()
        self._add(Symbol(match[0]))

    def _vector(self, _start: int, _opening: str) -> None:
        self.stack.append(_Frame(_VECTOR, []))

    def _operand(self, _start: int, opening: str) -> None:
        self.stack.append(_Frame(opening, []))

    def _label(self, _start: int, opening: str) -> None:
        self._add(Symbol(opening))

    def _radix(self, start: int, opening: str) -> None:
        match = _HASH_NAME.match(self.text, start)
        assert match is not None
        self.position = match.end()
        parts, base = match[0][2:].split("/"), _RADIX[opening[-1].lower()]
        try:
            number = Fraction(*(int(part, base) for part in parts))
        except (ValueError, TypeError, ZeroDivisionError):
            return self._add(Symbol(match[0]))
        return self._add(number.numerator if number.denominator == 1 else number)

    def _character(self, start: int, _opening: str) -> None:
        match = _CHARACTER.match(self.text, start)
        if match is None:
            self._report("A character is not complete", start)
            return self._add(Char(""))
        self.position = match.end()
        name = match[0][2:]
        found = _character_named(name)
        if found is None:
            self._report(f"No character has the name {name!r}", start)
        return self._add(Char(found if found is not None else name))

    def _unreadable(self, start: int, _opening: str) -> None:
        """Take `#<...>`; its end is a `>` before a delimiter, so that the one in `A->B` is not it."""
        self.position = self._balanced(_UNREADABLE_PART, start, opens="#<", closes=">")
        self._add(Unreadable(self.text[start : self.position]))

    def _comment(self, start: int, _opening: str) -> None:
        self.position = self._balanced(_COMMENT_PART, start, opens="#|", closes="|#")

    def _balanced(self, part: re.Pattern[str], start: int, *, opens: str, closes: str) -> int:
        depth = 0
        for match in part.finditer(self.text, start):
            if match[0] == opens:
                depth += 1
            elif match[0] == closes:
                depth -= 1
                if depth == 0:
                    return match.end()
        self._report(f"{opens!r} is not closed by {closes!r}", start)
        return len(self.text)


_DISPATCH: Final[dict[str, Callable[[_Reader, int, str], None]]] = {
    "(": _Reader._vector,
    "\\": _Reader._character,
    "<": _Reader._unreadable,
    "|": _Reader._comment,
    ":": _Reader._hash_name,
    "*": _Reader._hash_name,
    "#": _Reader._label,
    **dict.fromkeys("box", _Reader._radix),
    **dict.fromkeys("'.,+-psca=`", _Reader._operand),
}


def _blank_end(text: str, start: int) -> int:
    match = _BLANK.match(text, start)
    return match.end() if match else start


def _macro(tag: str, value: Value) -> Value:
    if tag == "'":
        return [Symbol("quote"), value]
    if tag == "#'":
        return [Symbol("function"), value]
    if tag == "#." and isinstance(value, Symbol) and value.lower() in _INFINITIES:
        return _INFINITIES[value.lower()]
    return Tagged(tag, value)


def _character_named(name: str) -> str | None:
    if len(name) == 1:
        return name
    lowered = name.lower()
    if lowered in CHARACTER_NAMES:
        return CHARACTER_NAMES[lowered]
    if re.fullmatch(r"u\+?[0-9a-f]{1,6}", lowered):
        code = int(lowered.lstrip("u+"), 16)
        return chr(code) if code <= 0x10FFFF else None
    try:
        return unicodedata.lookup(name.replace("_", " "))
    except KeyError:
        return None


def read(text: str) -> tuple[Value, Problem | None]:
    """Return the first form of TEXT and the first problem met on the way; never raises.

    Of a broken text the value is what could be understood: open lists are closed at its end.
    """
    return _Reader(text).read()

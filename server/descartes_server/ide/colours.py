"""The colour of each word of a tile: from its place in the form and, where known, from the image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from descartes_server.ide import common_lisp
from descartes_server.ide.forms import kind_of
from descartes_server.ide.lexer import Lexeme
from descartes_server.ide.roles import Role, base_name, inner_role
from descartes_server.ide.segments import Segment

Entry = tuple[int, int, str, tuple[str, ...]]
"""Start, length, type and modifiers of a word; offsets from the tile's start."""

_PLAIN = {
    "number": "number",
    "character": "string",
    "comment": "comment",
    "block": "comment",
    "prefix": "operator",
}
_LIBRARY = ("defaultLibrary",)
_DECLARED = ("declaration",)
_KIND_TYPES: dict[str, tuple[str, tuple[str, ...]]] = {
    "function": ("function", ()),
    "generic": ("method", ()),
    "method": ("method", ()),
    "macro": ("macro", ()),
    "compiler-macro": ("macro", ()),
    "special-operator": ("macro", ()),
    "variable": ("variable", ("static",)),
    "symbol-macro": ("variable", ("static",)),
    "constant": ("variable", ("readonly",)),
    "class": ("class", ()),
    "structure": ("class", ()),
    "condition": ("class", ()),
    "type": ("type", ()),
    "package": ("namespace", ()),
    "system": ("namespace", ()),
    "declaration": ("keyword", ()),
    "lambda-list-keyword": ("keyword", ()),
}
_LOOP_TEXT = """
for as with and from to upto below downto above downfrom upfrom by in on across being the each hash-
key hash-keys hash-value hash-values using of symbol symbols present-symbols external-symbols do
doing collect collecting append appending nconc nconcing sum summing count counting maximize
maximizing minimize minimizing into while until repeat when if unless else end finally initially
return always never thereis then = it of-type named
"""
_LOOP_WORDS = frozenset(_LOOP_TEXT.split())
_LOOP_NAMES = ("for", "as", "with", "and")
_MACRO_STARTS = ("with-", "def", "do-", "when-", "if-", "unless-")
_CALLABLE = ("special-operator", "macro", "generic", "function")
_VALUED = ("constant", "variable", "class", "condition", "type", "declaration")


class _Frame:
    """A list that is open: what it stands for, its operator, how many data came, and whether it is quoted."""

    __slots__ = ("documented", "first", "index", "operator", "quoted", "role", "start", "word")

    def __init__(self, role: Role, operator: str, quoted: bool, start: int) -> None:
        self.role: Role = role
        self.operator, self.quoted, self.start = operator, quoted, start
        self.index = 0
        self.first = True
        self.documented = False
        self.word = ""  # the last word of `loop` that came


class Painter:
    """One pass over a tile's lexemes, keeping the open lists.

    KNOWN: see `semantic_tokens.tokens`.
    """

    def __init__(self, segment: Segment, known: Mapping[str, str]) -> None:
        self.text, self.lexemes, self.known = segment.text, segment.lexemes, known
        self.frames: list[_Frame] = []
        self.local: dict[str, str] = {}
        self.prefix = ""
        self.uncounted = 0

    def paint(self) -> Iterator[Entry]:
        """Yield the words of the tile in order; strings and comments may run over several lines."""
        for lexeme in self.lexemes:
            kind, start, end = lexeme
            if kind == "open":
                self._open(start)
            elif kind == "close":
                if self.frames:
                    self.frames.pop()
            elif kind in ("comment", "block"):
                yield start, end - start, "comment", ()
                continue
            elif kind == "prefix":
                self.prefix = self.text[start:end]
                if self.prefix[-1] in "+-":
                    self.uncounted += 1
                yield start, end - start, "operator", ()
                continue
            elif kind == "symbol":
                yield from self._symbol(start, end)
                self._count()
            else:
                yield self._literal(lexeme)
                self._count()
            self.prefix = ""

    def _count(self) -> None:
        if self.uncounted:
            self.uncounted -= 1
        elif self.frames:
            self.frames[-1].index += 1

    def _open(self, start: int) -> None:
        role: Role = "call"
        operator = ""
        quoted = self.prefix == "'" or (self.prefix.startswith("#") and self.prefix != "#'")
        if self.prefix[-1:] in ("+", "-"):
            role = "names"
        elif self.frames:
            outer = self.frames[-1]
            quoted = quoted or (outer.quoted and not self.prefix.startswith(","))
            role = inner_role(outer.role, outer.operator, outer.index, outer.first)
            if role != "call":
                operator = outer.operator
            elif outer.word in _LOOP_NAMES:
                role = "names"
                operator, outer.word = "multiple-value-bind", ""
            if outer.index >= 2:
                outer.first = False
        self._count()
        self.frames.append(_Frame(role, operator, quoted, start))

    def _literal(self, lexeme: Lexeme) -> Entry:
        kind, start, end = lexeme
        if kind in ("string", "broken"):
            return start, end - start, "string", ("documentation",) if self._documents(start) else ()
        return start, end - start, _PLAIN[kind], ()

    def _documents(self, start: int) -> bool:
        """The first string after the lambda list or value of a definition documents it, as does one in its
        option `:documentation`."""
        if not self.frames:
            return False
        frame = self.frames[-1]
        if frame.role == "call" and frame.operator.startswith("def"):
            first, frame.documented = not frame.documented and frame.index in (3, 4), True
            return first
        return frame.index == 1 and self.text[frame.start + 1 : start].lower().rstrip() == ":documentation"

    def _symbol(self, start: int, end: int) -> Iterator[Entry]:
        text = self.text[start:end]
        if text[0] in ":&#":
            if text[0] != "&" or text.lower() in common_lisp.symbols():
                yield start, end - start, "keyword", _LIBRARY if text[0] == "&" else ()
            return
        colon = text.rfind(":")
        name = base_name(text)
        found = self._classified(name, text.lower())
        if text == ".":
            return
        if colon > 0 and "|" not in text:
            package_end = text.index(":")
            yield start, package_end, "namespace", ()
            start += colon + 1
        if found and end > start:
            yield start, end - start, *found

    def _classified(self, name: str, full: str) -> tuple[str, tuple[str, ...]] | None:
        if self.prefix == "#'":
            return self._callable(name, full)
        if self.prefix[-1:] in ("+", "-"):
            return "keyword", ()
        frame = self.frames[-1] if self.frames else None
        if frame is None or self.prefix == "'" or frame.quoted:
            return None
        if frame.role == "call":
            if frame.index == 0:
                frame.operator = name
                return self._callable(name, full)
            if frame.index == 1 and (kind := kind_of(frame.operator)):
                base, modifiers = _KIND_TYPES.get(kind, ("function", ()))
                return base, _DECLARED + modifiers
            return self._in_loop(frame, name, full) if frame.operator == "loop" else self._value(name, full)
        return self._part(frame, name, full)

    def _in_loop(self, frame: _Frame, name: str, full: str) -> tuple[str, tuple[str, ...]] | None:
        before, frame.word = frame.word, ""
        if before in _LOOP_NAMES or before == "into":
            return self._declared(name, "variable")
        if name in _LOOP_WORDS and name not in self.local:
            frame.word = name
            return "keyword", _LIBRARY
        return self._value(name, full)

    def _part(self, frame: _Frame, name: str, full: str) -> tuple[str, tuple[str, ...]] | None:
        """A symbol in a list that is part of a form's own syntax."""
        role, index = frame.role, frame.index
        if role == "lambda-list" or (role == "parameter" and index in (0, 2)):
            return self._declared(name, "parameter")
        if role == "parameter" and index == 1 and frame.operator == "defmethod":
            return "class", ()
        if role in ("bindings", "spec") or (role == "binding" and index == 0):
            if role == "spec" and index:
                return self._value(name, full)
            return self._declared(name, "variable")
        if role == "function" and index == 0:
            return "function", _DECLARED
        if role in ("slots", "slot"):
            return ("property", _DECLARED) if role == "slots" or index == 0 else self._value(name, full)
        if role == "handler" and index == 0:
            return "class", ()
        if role == "names":
            return self._name(frame, name, full)
        return self._value(name, full)

    def _name(self, frame: _Frame, name: str, full: str) -> tuple[str, tuple[str, ...]] | None:
        operator = frame.operator
        if operator in ("defclass", "define-condition"):
            return "class", ()
        if operator in ("multiple-value-bind", "with-slots", "with-gensyms"):
            return self._declared(name, "variable")
        if operator.startswith("def"):
            return ("function", _DECLARED) if frame.index else self._callable(name, full)
        if name in self.local:
            return self.local[name], ()
        return ("keyword", _LIBRARY) if common_lisp.lookup(full) else None

    def _declared(self, name: str, kind: str) -> tuple[str, tuple[str, ...]]:
        self.local[name] = kind
        return kind, _DECLARED

    def _callable(self, name: str, full: str) -> tuple[str, tuple[str, ...]]:
        return (
            self._from_image(full, name)
            or self._standard(full, _CALLABLE)
            or (("macro", ()) if name.startswith(_MACRO_STARTS) else ("function", ()))
        )

    def _value(self, name: str, full: str) -> tuple[str, tuple[str, ...]] | None:
        if name in self.local:
            return self.local[name], ()
        found = self._from_image(full, name) or self._standard(full, _VALUED)
        if found:
            return found if found[0] not in ("function", "method", "macro") else ("variable", ())
        if len(name) > 2 and name[0] == name[-1] and name[0] in "*+":
            return "variable", ("static",) if name[0] == "*" else ("readonly",)
        return "variable", ()

    def _from_image(self, full: str, name: str) -> tuple[str, tuple[str, ...]] | None:
        kind = self.known.get(full) or self.known.get(name)
        return _KIND_TYPES.get(kind) if kind and name not in self.local else None

    def _standard(self, full: str, wanted: tuple[str, ...]) -> tuple[str, tuple[str, ...]] | None:
        symbol = common_lisp.lookup(full)
        if symbol is None:
            return None
        for kind in symbol.kinds:
            if kind in wanted:
                base, modifiers = _KIND_TYPES[kind]
                return base, modifiers + _LIBRARY
        return None

"""Names that may stand at an offset, ranked: lexical ones first, then by how well they fit what is typed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, Protocol

from descartes_server.ide import common_lisp, lambda_list
from descartes_server.ide.fitting import Typed
from descartes_server.ide.index import Entry, WorkspaceIndex, definitions_of_text, package_name
from descartes_server.ide.lexer import Lexeme
from descartes_server.ide.paths import steps_at
from descartes_server.ide.roles import base_name, symbol_of
from descartes_server.ide.syntax import Call, Syntax

Position = Literal["operator", "argument", "keyword", "package", "qualified", "none"]
LIMIT = 300


@dataclass(frozen=True, slots=True)
class CompletionContext:
    """What is typed and where. PREFIX is the text from START to the offset, END where the symbol ends.

    POSITION: `operator` after a parenthesis, `keyword` after a colon, `qualified` after `package:`,
    `package` where a package is named, `none` in strings, comments, numbers and characters.
    """

    prefix: str
    start: int
    end: int
    package: str
    position: Position


@dataclass(frozen=True, slots=True)
class Item:
    """A proposal. SCORE: the higher the better; DETAIL is a lambda list where there is one."""

    label: str
    kind: str
    detail: str
    documentation: str
    package: str
    score: float
    insert: str = ""
    """What is put in where that is not the label."""


class Candidate(Protocol):
    """What the image proposes, best first."""

    @property
    def label(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def package(self) -> str | None: ...
    @property
    def arglist(self) -> str | None: ...


def context(syntax: Syntax, offset: int) -> CompletionContext:
    """Return what is typed before OFFSET and what kind of name belongs there."""
    package = syntax.package_at(offset)
    lexeme = syntax.lexeme_at(offset)
    token = syntax.symbol_at(offset)
    if token is not None and token.start < offset:
        prefix = syntax.text[token.start : offset]
        return CompletionContext(
            prefix, token.start, token.end, package, _position(syntax, token.start, prefix)
        )
    if lexeme is not None and _closed_to_names(lexeme, offset):
        return CompletionContext("", offset, offset, package, "none")
    return CompletionContext("", offset, offset, package, _position(syntax, offset, ""))


def _closed_to_names(lexeme: Lexeme, offset: int) -> bool:
    """Within strings and comments nothing is proposed; a string or block comment that ended is left."""
    kind, _, end = lexeme
    return kind in ("comment", "number", "character", "broken") or (
        kind in ("string", "block") and offset < end
    )


def static_items(syntax: Syntax, offset: int, index: WorkspaceIndex | None = None) -> tuple[Item, ...]:
    """Return the proposals for OFFSET that need no image, best first, at most `LIMIT`."""
    place = context(syntax, offset)
    typed = Typed(place.prefix)
    if place.position == "none":
        return ()
    if place.position == "keyword":
        found = _keywords(syntax, offset, index)
    elif place.position == "package":
        found = _packages(syntax, place.prefix, index)
    elif place.position == "qualified":
        found = _qualified(syntax, place, index)
    else:
        found = _names(syntax, offset, place, typed, index)
    return _ranked(found, typed)


def merge(
    static: Iterable[Item], image_candidates: Iterable[Candidate], prefix: str = ""
) -> tuple[Item, ...]:
    """Return both ranked together without repetition; the image's kind and lambda list count.

    Lexical names come first, then names that start with PREFIX, then the image's own order.
    """
    items = {_key(item.label): item for item in static}
    typed = Typed(prefix)
    for rank, candidate in enumerate(image_candidates):
        key = _key(candidate.label)
        old = items.get(key)
        if old is None:
            score = (typed.fit(candidate.label) or 1.0) - rank / 10_000
            items[key] = Item(
                candidate.label, candidate.kind, candidate.arglist or "", "", candidate.package or "", score
            )
        elif old.score < _LEXICAL:
            items[key] = replace(
                old,
                kind=old.kind if candidate.kind in ("", "symbol") else candidate.kind,
                detail=candidate.arglist or old.detail,
                package=candidate.package or old.package,
            )
    return tuple(sorted(items.values(), key=lambda item: (-item.score, len(item.label), item.label)))


_LEXICAL = 1000.0


def _key(label: str) -> str:
    return label if "|" in label else label.lower()


def _ranked(found: Iterable[Item], typed: Typed) -> tuple[Item, ...]:
    best: dict[str, tuple[float, Item]] = {}
    for item in found:
        fit = typed.fit(item.label)
        if fit:
            key, score = _key(item.label), item.score + fit
            if key not in best or best[key][0] < score:
                best[key] = score, item
    ranked = sorted(best.values(), key=lambda scored: (-scored[0], scored[1].label))
    return tuple(_scored(item, score) for score, item in ranked[:LIMIT])


def _scored(item: Item, score: float) -> Item:
    return Item(item.label, item.kind, item.detail, item.documentation, item.package, score)


_PACKAGE_OPERATORS = (
    "in-package",
    "use-package",
    "unuse-package",
    "find-package",
    "delete-package",
    "do-symbols",
)
_PACKAGE_CLAUSES = (":use", ":import-from", ":mix", ":reexport", ":use-reexport", ":local-nicknames")


def _position(syntax: Syntax, start: int, prefix: str) -> Position:
    if _names_package(syntax, start):
        return "package"
    if prefix.startswith(":"):
        return "keyword"
    if ":" in prefix and not prefix.startswith("#"):
        return "qualified"
    before = syntax.text[:start].rstrip(" \t\r\n")[-2:] if start else ""
    return (
        "operator"
        if before.endswith("(") and before != "'("
        else "operator"
        if before == "#'"
        else "argument"
    )


def _names_package(syntax: Syntax, start: int) -> bool:
    for base, segment in syntax.around(start):
        steps = steps_at(segment, start - base)
        if steps:
            step = steps[-1]
            data = step.node.data
            first = segment.text[data[0].start : data[0].end].lower() if data else ""
            return step.index > 0 and (step.operator in _PACKAGE_OPERATORS or first in _PACKAGE_CLAUSES)
    return False


def _names(
    syntax: Syntax, offset: int, place: CompletionContext, typed: Typed, index: WorkspaceIndex | None
) -> Iterator[Item]:
    operator = place.position == "operator"
    for rank, binding in enumerate(syntax.bindings_at(offset)):
        if binding.start <= offset <= binding.end:
            continue
        function = binding.kind in ("function", "macro")
        score = _LEXICAL - rank / 10 if function == operator else 1.0
        yield Item(binding.name, binding.kind, "lexical", "", "", score)
    if not operator and not place.prefix:
        yield from _keywords(syntax, offset, index)
    for entry in _own(syntax, offset):
        yield _item(entry, 30 + _suits(entry.kind, operator))
    own = package_name(place.package)
    for entry in _indexed(index, typed):
        yield _item(entry, (20 if entry.package == own else -40) + _suits(entry.kind, operator))
    yield from _standard(operator)


def _indexed(index: WorkspaceIndex | None, typed: Typed) -> Iterator[Entry]:
    """The definitions of the workspace that fit."""
    if index is not None:
        yield from (entry for entry in index.named(typed) if entry.kind not in _NO_NAMES)


@cache
def _standard(operator: bool) -> tuple[Item, ...]:
    """The symbols of the standard, scored for a place behind a parenthesis or elsewhere."""
    return tuple(
        Item(
            symbol.name,
            symbol.kinds[0],
            symbol.arglist or "",
            symbol.documentation,
            "COMMON-LISP",
            10 + max(_suits(kind, operator) for kind in symbol.kinds),
        )
        for symbol in common_lisp.symbols().values()
    )


_NO_NAMES = frozenset({"slot", "package", "system"})
"""Kinds of definitions whose names stand in places of their own."""


def _suits(kind: str, operator: bool) -> float:
    """Functions and macros belong after a parenthesis, the rest elsewhere."""
    if kind in ("lambda-list-keyword", "declaration"):
        return -60.0
    callable_kind = kind in ("function", "macro", "generic", "method", "special-operator", "setf")
    return 40.0 if callable_kind == operator else 0.0


def _own(syntax: Syntax, offset: int) -> Iterator[Entry]:
    for entry in definitions_of_text(syntax):
        if entry.kind not in _NO_NAMES and not entry.name_start < offset <= entry.name_end:
            yield entry


def _item(entry: Entry, score: float) -> Item:
    return Item(symbol_of(entry.name), entry.kind, entry.detail, entry.documentation, entry.package, score)


def _qualified(syntax: Syntax, place: CompletionContext, index: WorkspaceIndex | None) -> Iterator[Item]:
    prefix = place.prefix[: place.prefix.rindex(":") + 1]
    wanted = package_name(prefix.rstrip(":"))
    if wanted in ("CL", "COMMON-LISP"):
        for symbol in common_lisp.symbols().values():
            yield Item(
                prefix + symbol.name, symbol.kinds[0], symbol.arglist or "", symbol.documentation, wanted, 0.0
            )
    entries = [*definitions_of_text(syntax), *(index.entries() if index else ())]
    for entry in entries:
        if entry.package == wanted and entry.kind not in _NO_NAMES:
            item = _item(entry, 0.0)
            yield replace(item, label=prefix + item.label)


def _packages(syntax: Syntax, prefix: str, index: WorkspaceIndex | None) -> Iterator[Item]:
    marker = "#:" if prefix[:1] in ("", "#") else ":" if prefix[0] == ":" else ""
    place_entries = [*definitions_of_text(syntax), *(index.entries() if index else ())]
    names = {"common-lisp", "cl", "common-lisp-user", "cl-user", "keyword"}
    names |= {entry.name.lower().lstrip(":") for entry in place_entries if entry.kind == "package"}
    for name in names:
        yield Item(marker + name, "package", "", "", "", 0.0)


def _keywords(syntax: Syntax, offset: int, index: WorkspaceIndex | None) -> Iterator[Item]:
    """The keyword arguments of the call around OFFSET that are not given yet."""
    call = syntax.call_at(offset)
    if call is None or call.argument_index < 0:
        return
    given = {text.lower() for at, text in enumerate(call.arguments) if at != call.argument_index}
    for rank, (name, detail) in enumerate(_keywords_of(syntax, call, offset, index)):
        if name.lower() not in given:
            yield Item(name.lower(), "keyword", detail, "", "KEYWORD", 600.0 - 10 * rank)


def _keywords_of(
    syntax: Syntax, call: Call, offset: int, index: WorkspaceIndex | None
) -> Iterator[tuple[str, str]]:
    name = base_name(call.operator)
    if name == "make-instance" and call.arguments and call.arguments[0].startswith("'"):
        yield from _initargs(syntax, call.arguments[0][1:], offset, index, set())
        return
    if name == "with-open-file":
        name = "open"
    for entry in _known(syntax, call.operator, offset, index):
        if entry.kind in ("function", "macro", "generic", "method"):
            yield from ((keyword, entry.name) for keyword in lambda_list.keywords(entry.detail))
    symbol = common_lisp.lookup(name)
    if symbol and symbol.arglist:
        yield from ((keyword, name) for keyword in lambda_list.keywords(symbol.arglist))


def _initargs(
    syntax: Syntax, name: str, offset: int, index: WorkspaceIndex | None, seen: set[str]
) -> Iterator[tuple[str, str]]:
    """The initargs of the class NAME and of its superclasses that are defined in the workspace."""
    if base_name(name) in seen:
        return
    seen.add(base_name(name))
    for entry in _known(syntax, name, offset, index):
        if entry.kind in ("class", "condition"):
            yield from ((initarg, entry.name) for initarg in entry.initargs)
            for parent in entry.detail.strip("()").split():
                yield from _initargs(syntax, parent, offset, index, seen)


def _known(syntax: Syntax, name: str, offset: int, index: WorkspaceIndex | None) -> tuple[Entry, ...]:
    key = base_name(name)
    here = [entry for entry in definitions_of_text(syntax) if base_name(entry.name) == key]
    return (*here, *(index.lookup(name, syntax.package_at(offset)) if index else ()))

"""Whether names that were moved or copied to another place of a text still mean what they meant."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from descartes_server.ide.roles import base_name
from descartes_server.ide.scopes import binding_of
from descartes_server.ide.syntax import SymbolToken, Syntax


@dataclass(frozen=True, slots=True)
class Copied:
    """SYMBOL of SYNTAX, in the copy of its text that is number COPY; 0 is the only one."""

    syntax: Syntax
    symbol: SymbolToken
    copy: int = 0


def symbols_in(syntax: Syntax, start: int, end: int) -> Iterator[SymbolToken]:
    """Yield the symbols of SYNTAX between START and END, in order."""
    for base, segment in zip(syntax.bases, syntax.segments, strict=True):
        if base >= end or base + len(segment.text) <= start:
            continue
        for kind, first, last in segment.lexemes:
            if kind == "symbol" and start <= base + first < end:
                yield SymbolToken(segment.text[first:last], base + first, base + last)


def is_kept(
    before: Sequence[Copied], after: Syntax, now: Sequence[SymbolToken], names: Collection[str]
) -> bool:
    """Return whether the symbols NOW of AFTER mean what BEFORE did, one by one.

    What is bound by none of them is at the same place in both texts. NAMES are those, in lower case, that may
    mean something else now; the others are not looked at.
    """
    if [each.symbol.text for each in before] != [each.text for each in now]:
        return False
    old = {(id(each.syntax), each.symbol.start, each.copy): place for place, each in enumerate(before)}
    new = {each.start: place for place, each in enumerate(now)}
    for copied, symbol in zip(before, now, strict=True):
        if base_name(symbol.text) not in names:
            continue
        meant, means = binding_of(copied.syntax, copied.symbol), binding_of(after, symbol)
        if meant is None or means is None:
            if meant is not means:
                return False
            continue
        at, here = (id(copied.syntax), meant.start), -1 - meant.start
        was = old.get((*at, copied.copy), old.get((*at, 0), here))
        if was != new.get(means.start, -1 - means.start):
            return False
    return True

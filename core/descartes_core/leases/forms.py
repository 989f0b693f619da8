"""Whether a change of a file stays inside certain top-level forms.

What forms a text has is asked of a port: nothing here knows a language.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from descartes_core.ports import Form


def names_of(forms: Iterable[Form]) -> frozenset[str]:
    """Return the names of FORMS as they are compared, those without a name left out."""
    return frozenset(each.name.casefold() for each in forms if each.name)


def touched(before: str, forms_before: Iterable[Form], after: str, forms_after: Iterable[Form]) -> set[str]:
    """Return the names of the forms that differ between the texts BEFORE and AFTER, new and lost ones too."""
    one, other = _by_name(before, forms_before), _by_name(after, forms_after)
    return {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}


def stays_inside(
    names: Iterable[str], before: str, forms_before: Iterable[Form], after: str, forms_after: Iterable[Form]
) -> bool:
    """Return whether BEFORE became AFTER by a change of the forms called NAMES alone.

    A form that is new or gone counts as inside when it has such a name. White space between forms is
    nobody's.
    """
    inside = frozenset(name.casefold() for name in names)
    return list(_outside(inside, before, forms_before)) == list(_outside(inside, after, forms_after))


def _by_name(text: str, forms: Iterable[Form]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in forms:
        if each.name:
            found.setdefault(each.name.casefold(), []).append(text[each.start : each.end])
    return found


def _outside(names: frozenset[str], text: str, forms: Iterable[Form]) -> Iterator[str]:
    """Yield what TEXT has beside the forms called NAMES, piece by piece."""
    position = 0
    for each in forms:
        yield from _piece(text[position : each.start])
        if each.name.casefold() not in names:
            yield text[each.start : each.end]
        position = each.end
    yield from _piece(text[position:])


def _piece(text: str) -> Iterator[str]:
    if stripped := text.strip():
        yield stripped

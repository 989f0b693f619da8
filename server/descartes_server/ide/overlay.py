"""What the workspace defines as its texts are now, and which of it a name means."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from descartes_server.ide import common_lisp
from descartes_server.ide.index import Entry, WorkspaceIndex, key_of, package_name
from descartes_server.ide.names import CLASS_KINDS, STANDARD, designator, divided, own_package
from descartes_server.ide.relations import Relation
from descartes_server.ide.roles import symbol_of

Named = tuple[str, Entry]
"""A definition and the symbol that it is found by, as it is written there."""
_UNKNOWN = frozenset([""])


class Overlay:
    """The definitions of INDEX but for the files HIDDEN, and those of the texts OPENED, by their `path`."""

    def __init__(
        self, index: WorkspaceIndex, opened: Mapping[str, tuple[Entry, ...]], hidden: Collection[str] = ()
    ) -> None:
        self._index, self._opened, self._hidden = index, opened, hidden

    def named(self, name: str) -> list[Named]:
        """Return the definitions of the symbol NAME, `(setf name)` among them, in whatever package."""
        bare = divided(name)[1]
        key = key_of(bare)
        found = [each for each in self._index.lookup(bare) if each.path not in self._hidden]
        found += (each for each in self._in_texts() if key_of(each.name) == key)
        return [(symbol_of(each.name), each) for each in found]

    def related(self, relation: Relation, name: str) -> list[Named]:
        """Return the definitions that have NAME, in whatever package, in RELATION to them."""
        bare = divided(name)[1]
        found = [each for each in self._index.related(relation, bare) if each.path not in self._hidden]
        return [
            (text, each)
            for each in (*found, *self._in_texts())
            for kind, text in each.related
            if kind == relation and key_of(divided(text)[1]) == key_of(bare)
        ]

    def slots(self, entry: Entry) -> list[Entry]:
        """Return the slots that the class ENTRY has of its own."""
        entries = self._opened.get(entry.path) or self._index.in_file(entry.path)
        return [each for each in entries if each.kind == "slot" and entry.start < each.start < entry.end]

    def classes(self, text: str, package: str, kinds: Collection[str] = CLASS_KINDS) -> list[Entry]:
        """Return the definitions of KINDS that the symbol TEXT in a file of PACKAGE means."""
        found = [(name, each) for name, each in self.named(text) if each.kind in kinds]
        return self.meant(text, package, found, found)

    def meant(self, text: str, package: str, found: Iterable[Named], owning: Iterable[Named]) -> list[Entry]:
        """Return those of the definitions FOUND whose name is what TEXT in a file of PACKAGE means.

        OWNING: those that make the name a symbol of their package.
        """
        owners = frozenset(own_package(name, designator(each.package)) for name, each in owning)
        wanted = self._homes(text, package, owners)
        return [each for name, each in found if wanted & self._homes(name, designator(each.package), owners)]

    def may_be(self, text: str, package: str, other: str, home: str, owners: Collection[str]) -> bool:
        """Return whether TEXT in a file of PACKAGE may be the symbol OTHER of HOME; OWNERS have one of it."""
        known = frozenset(owners)
        return bool(self._homes(text, package, known) & self._homes(other, home, known))

    def uses_one_of(self, text: str, package: str, owners: Collection[str]) -> bool:
        """Return whether PACKAGE, which has no symbol TEXT of its own, has it from one of OWNERS."""
        own = own_package(text, package)
        return own not in owners and not self._used(own, key_of(text)).isdisjoint(owners)

    def _homes(self, text: str, package: str, owners: frozenset[str]) -> frozenset[str]:
        """Return the packages whose symbol TEXT in a file of PACKAGE may be; OWNERS define such a name.

        It is the own package's, else one that this uses, else any other's: who uses what may not be known.
        """
        own = own_package(text, package)
        if own in owners:
            return frozenset([own])
        prefix, name = divided(text)
        if used := self._used(own, key_of(name)) & owners:
            return used
        if (not prefix or own == STANDARD) and common_lisp.lookup(name) is not None:
            return frozenset([STANDARD])
        return frozenset() if own == STANDARD else owners or _UNKNOWN

    def _used(self, package: str, key: str) -> frozenset[str]:
        """Return the packages that PACKAGE uses, or imports the symbol from that is found under KEY."""
        found = set()
        for name, each in self.named(package):
            if each.kind == "package" and name.upper() == package.upper():
                for _, text in each.related:
                    home, imported = divided(text)
                    if not home or text.startswith((":", "#")):
                        found.add(own_package("", text))
                    elif key_of(imported) == key:
                        found.add(own_package("", package_name(home)))
        return frozenset(found)

    def _in_texts(self) -> Iterator[Entry]:
        for entries in self._opened.values():
            yield from entries

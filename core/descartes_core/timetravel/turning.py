"""Where the files go when a restore is taken back or done again. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from descartes_core.timetravel.manifest import Entry, Manifest, parents


@dataclass(frozen=True)
class Turning:
    """The tree THEN as far as ABOUT, some paths; NOW is what was there when the last turn was done."""

    then: Manifest
    about: frozenset[str]
    now: Manifest

    def changed_since(self, found: Manifest) -> list[str]:
        """Return the paths that are in FOUND neither as the last turn left them nor as they are to be."""
        here, goal = self.now.entries, self.then.entries
        return [
            path
            for path in self.about
            if (there := found.entries.get(path)) != here.get(path) and there != goal.get(path)
        ]


def turning(side: Manifest, changed: Iterable[str], was: Manifest, now: Manifest) -> Turning:
    """Return where the files go: to SIDE of a restore that is about the paths CHANGED.

    WAS and NOW are the trees around what was done last about it: a file that was forced out of the way then
    comes back as it was.
    """
    then: dict[str, Entry] = {**side.entries}
    for path in changed:
        before = was.entries.get(path)
        if before == now.entries.get(path):
            continue
        if before is None:
            then.pop(path, None)
            continue
        then[path] = before
        for folder in parents(path):
            then.setdefault(folder, was.entries[folder])
    about = frozenset(path for path in changed if now.entries.get(path) != then.get(path))
    return Turning(Manifest(then, side.left), about, now)

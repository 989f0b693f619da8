"""Paths of files here and the same files where the image runs: in a container, on another host.

Knows no file system; the longest rule that fits decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PathRule:
    """The folder LOCAL here is the folder REMOTE there."""

    local: str
    remote: str


@dataclass(frozen=True, slots=True)
class Paths:
    """How paths are called on the two sides.

    Invariant: unless the disk is SHARED, a path that no rule covers has no name on the other side; it is
    never passed on as it stands.
    """

    rules: tuple[PathRule, ...] = ()
    shared: bool = True
    """Whether both sides see the same disk, so that a path without a rule is the same there."""

    @classmethod
    def of(cls, rules: Iterable[tuple[str, str]], *, shared: bool) -> Paths:
        """Return the paths with RULES, pairs of a folder here and there; a last slash does not matter."""
        return cls(tuple(PathRule(_folder(local), _folder(remote)) for local, remote in rules), shared)

    def there(self, path: str) -> str | None:
        """Return what the image calls PATH, a path here; None when it cannot see that file.

        Example: Paths.of([("/home/me/app", "/srv/app")], shared=False).there("/home/me/app/a.lisp")
        -> "/srv/app/a.lisp"
        """
        return self._moved(path, [(rule.local, rule.remote) for rule in self.rules])

    def here(self, path: str) -> str | None:
        """Return what PATH, a path of the image's, is called here; None when there is no such file here."""
        return self._moved(path, [(rule.remote, rule.local) for rule in self.rules])

    def _moved(self, path: str, pairs: list[tuple[str, str]]) -> str | None:
        fitting = [(source, target) for source, target in pairs if _inside(path, source)]
        if not fitting:
            return path if self.shared else None
        source, target = max(fitting, key=lambda pair: len(pair[0]))
        return (target + path[len(source) :]) or "/"


SAME = Paths()
"""The image sees the disk as it is seen here."""


def _folder(path: str) -> str:
    return path.rstrip("/")


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")

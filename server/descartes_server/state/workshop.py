"""Who is at work here, as last told: the image, its stops, leases, runs, questions and compiler notes.

Immutable; every piece of news gives a new one, so that a snapshot may keep the one it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from descartes_core.model import Intervention, Lease, Principal, Run
from descartes_server.ide import holding
from descartes_server.ide.drift_marks import Loaded
from descartes_server.ide.results import Result
from descartes_server.ide.stops import Breakpoint, Note, Stop
from descartes_server.ide.test_marks import TestState

if TYPE_CHECKING:
    from descartes_core.leases.paths import LeasePath, Paths

_STRICTEST_FIRST = {"exclusive": 0, "intent": 1, "shared": 2}


@dataclass(frozen=True)
class Workshop:
    """What the hub last said; without a hub, what the log says."""

    root: Path | None = None
    """The workspace, None while there is none."""
    me: Principal | None = None
    """Whose editor this is: leases of this principal are one's own."""
    lisp: Mapping[str, Any] = field(default_factory=dict)
    """The image's LispStatus, empty while nothing is known."""
    leases: Mapping[tuple[str, str, str], Lease] = field(default_factory=dict)
    """Leases by path, kind and id of the holder."""
    runs: Mapping[str, Run] = field(default_factory=dict)
    interventions: tuple[Intervention, ...] = ()
    stops: tuple[Stop, ...] = ()
    breakpoints: tuple[Breakpoint, ...] = ()
    notes: Mapping[str, Sequence[Note]] = field(default_factory=dict)
    """The compiler's notes by real path."""
    results: Mapping[str, Sequence[Result]] = field(default_factory=dict)
    """What evaluated forms have given, by real path."""
    tested: Mapping[str, TestState] = field(default_factory=dict)
    """What became of each test, by name."""
    frameworks: frozenset[str] = frozenset()
    """The test frameworks that the workspace's systems use."""
    loaded: Mapping[str, Loaded] = field(default_factory=dict)
    """What the image has of the definitions of the open files, by real path."""

    def leases_on(self, uri: str) -> list[Lease]:
        """Return the live leases that cover the file URI, the strictest first."""
        if not self.leases or self.root is None or not uri.startswith("file:"):
            return []
        from descartes_core.leases.paths import overlap  # loaded with the first lease

        paths, now = _paths(self.root), datetime.now(UTC)
        file = paths.of(uri)
        found = [
            lease
            for lease in self.leases.values()
            if holding.is_live(lease, now) and overlap(file, _lease_path(self.root, lease.path))
        ]
        return sorted(found, key=lambda lease: _STRICTEST_FIRST[lease.mode])

    def leases_below(self, uri: str) -> list[Lease]:
        """Return the live leases on the file URI, or on what lies in the folder URI."""
        if not self.leases or self.root is None or not uri.startswith("file:"):
            return []
        name, now = _paths(self.root).of(uri).file, datetime.now(UTC)
        return [
            lease
            for lease in self.leases.values()
            if holding.is_live(lease, now) and _is_below(_lease_path(self.root, lease.path), name)
        ]

    def questions_about(self, uri: str, leases: Sequence[Lease]) -> list[Intervention]:
        """Return the open questions about the file URI, which LEASES cover, or of their runs."""
        return [each for each in self.interventions if self._is_about(each, uri, leases)]

    def _is_about(self, question: Intervention, uri: str, leases: Sequence[Lease]) -> bool:
        arguments = question.data.get("toolArgs")
        path = arguments.get("path") if isinstance(arguments, dict) else question.data.get("path")
        if isinstance(path, str) and self.root is not None:
            return bool(leases) and _paths(self.root).of(uri).file == _lease_path(self.root, path).file
        return question.run is not None and any(lease.run == question.run for lease in leases)

    def is_for_me(self, question: Intervention) -> bool:
        """Return whether QUESTION asks the person of this editor for a lease."""
        holder, me = question.data.get("holder"), self.me
        if not isinstance(holder, dict) or me is None:
            return False
        return (holder.get("kind"), holder.get("id")) == (me.kind, me.id)

    def with_lease(self, lease: Lease, change: str) -> Workshop:
        """Return the workshop after CHANGE of LEASE: acquired, renewed, released, expired or stolen."""
        key = lease_key(lease)
        leases = {k: held for k, held in self.leases.items() if k != key}
        if change == "stolen":
            leases = {k: held for k, held in leases.items() if not self._ends_with(held, lease)}
        if change not in ("released", "expired"):
            leases[key] = lease
        return replace(self, leases=leases)

    def _ends_with(self, held: Lease, stolen: Lease) -> bool:
        """Return whether HELD ended when STOLEN was taken: it is another's and they overlap."""
        if held.holder.same_as(stolen.holder) or self.root is None:
            return False
        from descartes_core.leases.paths import overlap

        return overlap(_lease_path(self.root, held.path), _lease_path(self.root, stolen.path))

    def with_leases(self, leases: Iterable[Lease]) -> Workshop:
        """Return the workshop with exactly LEASES."""
        return replace(self, leases={lease_key(lease): lease for lease in leases})

    def with_run(self, run: Run) -> Workshop:
        """Return the workshop with RUN as it is now."""
        return replace(self, runs={**self.runs, run.id: run})

    def with_tests(self, states: Mapping[str, TestState]) -> Workshop:
        """Return the workshop with STATES in place of what was known of those tests."""
        return replace(self, tested={**self.tested, **states}) if states else self

    def with_notes(self, path: str, notes: Iterable[Note]) -> Workshop:
        """Return the workshop with NOTES in place of what was known about the file PATH."""
        now = tuple(notes)
        return self if self.notes.get(path, ()) == now else replace(self, notes={**self.notes, path: now})

    def with_results(self, path: str, results: Iterable[Result]) -> Workshop:
        """Return the workshop with RESULTS as what evaluated forms of the file PATH have given."""
        now = tuple(results)
        if self.results.get(path, ()) == now:
            return self
        return replace(self, results={**self.results, path: now})

    def with_loaded(self, path: str, loaded: Loaded | None) -> Workshop:
        """Return the workshop with LOADED as what the image has of the file PATH."""
        if self.loaded.get(path) == loaded:
            return self
        rest = {key: value for key, value in self.loaded.items() if key != path}
        return replace(self, loaded={**rest, path: loaded} if loaded else rest)


def _is_below(path: LeasePath, name: str) -> bool:
    return not path.glob and (path.file == name or path.file.startswith(f"{name}/"))


def lease_key(lease: Lease) -> tuple[str, str, str]:
    """Return what tells LEASE from every other that is held at the same time."""
    return lease.path, lease.holder.kind, lease.holder.id


@lru_cache(maxsize=8)
def _paths(root: Path) -> Paths:
    from descartes_core.leases.paths import Paths

    return Paths(root)


@lru_cache(maxsize=4096)
def _lease_path(root: Path, text: str) -> LeasePath:
    return _paths(root).of(text)

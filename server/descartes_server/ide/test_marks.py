"""What became of tests, at the forms that define them: for diagnostics and lenses.

A result counts as long as the form's text is the one that was run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from descartes_server.ide.stops import Mark
from descartes_server.ide.tests import TestForm

CODE = "test"
SIGNS = {"passed": "✓", "failed": "✗", "error": "✗", "skipped": "–", "unknown": "?"}
BAD = frozenset({"failed", "error"})


@dataclass(frozen=True, slots=True)
class TestState:
    """The last result of a test; PATH is the file of its form, DIGEST what the form's text was."""

    __test__ = False

    status: str
    message: str
    path: str | None
    digest: str | None


def state_of(test: TestForm, states: Mapping[str, TestState]) -> TestState | None:
    """Return what became of TEST as its text is now; None when it was not run so."""
    state = states.get(test.name)
    return state if state is not None and state.digest in (None, test.digest) else None


def marks(tests: Iterable[TestForm], states: Mapping[str, TestState]) -> Iterator[Mark]:
    """Yield a mark at the name of each of TESTS that failed."""
    for test in tests:
        state = state_of(test, states)
        if state is not None and state.status in BAD:
            message = state.message or (
                "An error in the test" if state.status == "error" else "The test failed"
            )
            yield Mark(test.name_start, test.name_end, message, "error", CODE, {"test": test.name})


def failing(states: Mapping[str, TestState]) -> set[str]:
    """Return the files with tests that failed."""
    return {state.path for state in states.values() if state.path and state.status in BAD}

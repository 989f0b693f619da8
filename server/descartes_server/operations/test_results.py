"""What became of each test when it was last run, for as long as the hub runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from descartes_core.model import Shape
from descartes_server.operations import lisp_shapes as shapes

Status = Literal["passed", "failed", "error", "skipped", "unknown"]
"""`unknown`: it ended, and does not tell how."""
REMEMBERED = 50_000


class TestResult(Shape, frozen=True, kw_only=True):
    """The outcome of one test; LOCATION is its form in the text, FORM_DIGEST what that text was."""

    __test__ = False

    name: str
    status: Status
    message: str | None = None
    location: shapes.Location | None = None
    duration_ms: int = 0
    output: str | None = None
    framework: str | None = None
    system: str | None = None
    at: str | None = None
    """When it ended, ISO 8601."""
    form_digest: str | None = None


class Counts(Shape, frozen=True, kw_only=True):
    """How many tests ended how."""

    passed: int = 0
    failed: int = 0
    error: int = 0
    skipped: int = 0
    unknown: int = 0


class TestRun(Shape, frozen=True, kw_only=True):
    """A run of tests; STATE is `stopped` when it stopped in the debugger. NOTES are of loading the system."""

    __test__ = False

    success: bool
    system: str | None = None
    framework: str | None = None
    results: list[TestResult] = []
    counts: Counts = Counts()
    output: str = ""
    state: shapes.EvaluationState = "done"
    debugger: shapes.StopKey | None = None
    condition: shapes.Condition | None = None
    evaluation: str | None = None
    duration_ms: int = 0
    message: str | None = None
    notes: list[shapes.Note] = []
    files: list[str] = []


class TestResults:
    """The last result of each test."""

    __test__ = False

    def __init__(self) -> None:
        self._results: dict[str, tuple[TestResult, str | None]] = {}
        """By name: the result, and the system whose test it was asked for as."""

    def take(self, result: TestResult, asked: str | None) -> None:
        """Remember RESULT, of a test of the system ASKED, in place of an earlier one of the same test."""
        self._results.pop(result.name, None)
        self._results[result.name] = result, asked
        if len(self._results) > REMEMBERED:
            del self._results[next(iter(self._results))]

    def of(self, system: str | None = None, uri: str | None = None) -> list[TestResult]:
        """Return the results of SYSTEM, or of the tests in the file URI; without either all of them."""
        return [
            result
            for result, asked in self._results.values()
            if (system is None or system in (result.system, asked))
            and (uri is None or (result.location is not None and result.location.uri == uri))
        ]


def count(results: Iterable[TestResult]) -> Counts:
    """Return how many of RESULTS ended how."""
    numbers = dict.fromkeys(get_args(Status), 0)
    for each in results:
        numbers[each.status] += 1
    return Counts(**numbers)

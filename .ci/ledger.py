"""Print the rows of the feature ledger that no passing test names.

Runs the tests that carry the marker `ledger` and compares the rows they name with the whole list in
`.ci/ledger.txt`. Usage: `make ledger`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROWS = Path(__file__).with_name("ledger.txt")


class Named:
    """Collects the rows that passing tests name."""

    def __init__(self) -> None:
        self.rows: dict[str, set[str]] = {}
        self.passed: set[str] = set()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        marked = [item for item in items if item.get_closest_marker("ledger")]
        items[:] = marked
        for item in marked:
            for marker in item.iter_markers("ledger"):
                for row in marker.args:
                    self.rows.setdefault(row, set()).add(item.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            self.passed.add(report.nodeid)


def main() -> int:
    named = Named()
    status = pytest.main(["-q", "--no-header", "-p", "no:cacheprovider", *sys.argv[1:]], plugins=[named])
    rows = ROWS.read_text(encoding="utf-8").split()
    passing = {row for row, tests in named.rows.items() if tests & named.passed}
    unknown = sorted(set(named.rows) - set(rows))
    missing = [row for row in rows if row not in passing]
    print(f"\n{len(rows) - len(missing)} of {len(rows)} rows are named by a passing test; not named:")
    print(" ".join(missing))
    if unknown:
        print("named by a test, but in no row:", " ".join(unknown))
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        print(f"the tests did not run to their end: pytest ended with status {status}")
        return 1
    return 1 if unknown else 0


if __name__ == "__main__":
    raise SystemExit(main())

"""How a benchmark shows its figures: a Markdown table, and the same as JSON under benchmarks/results/."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "results"


@dataclass(frozen=True)
class Row:
    """WHAT was measured, milliseconds each time; BASE: what it is compared with, in the same run."""

    what: str
    times: Sequence[float]
    base: Sequence[float]
    goal: str
    met: bool


def median(times: Sequence[float]) -> float:
    """Return the median of TIMES."""
    return statistics.median(times)


def tail(times: Sequence[float]) -> float:
    """Return the 99th percentile of TIMES; of fewer than 100 it is the maximum."""
    return sorted(times)[min(len(times) - 1, int(len(times) * 0.99))]


def show(name: str, compared_with: str, rows: Sequence[Row]) -> int:
    """Print ROWS, write them to NAME.json; returns 1 when a goal was missed, else 0."""
    print(f"| what | median ms | 99th | {compared_with}: median | 99th | ratio | goal | |")
    print("|---|---|---|---|---|---|---|---|")
    for row in rows:
        ours, base = median(row.times), median(row.base)
        print(
            f"| {row.what} | {ours:.2f} | {tail(row.times):.2f} | {base:.2f} | {tail(row.base):.2f}"
            f" | {ours / base:.2f} | {row.goal} | {'met' if row.met else '**missed**'} |"
        )
    RESULTS.mkdir(exist_ok=True)
    figures = [
        {
            "what": row.what,
            "medianMs": median(row.times),
            "p99Ms": tail(row.times),
            "baseMedianMs": median(row.base),
            "baseP99Ms": tail(row.base),
            "runs": len(row.times),
            "goal": row.goal,
            "met": row.met,
        }
        for row in rows
    ]
    (RESULTS / f"{name}.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0 if all(row.met for row in rows) else 1

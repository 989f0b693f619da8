"""Run every benchmark, one after the other, each in a process of its own.

Usage: python -m benchmarks [NAME…]. Exit 1 when one of them missed its goal.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

NAMES = [
    "start", "requests", "busy", "alive", "reader", "analysis",
    "appends", "hub", "leases", "notes", "snapshots",
]  # fmt: skip
ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    missed = []
    for name in sys.argv[1:] or NAMES:
        print(f"\n## {name}\n", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}"]
        if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
            missed.append(name)
    if missed:
        print(f"\nmissed a goal, or failed: {', '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())

"""The files of a workspace with 20,000 of them kept, and 100 of them put back, beside `git status` there."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.table import Row, median, show
from descartes_core.timetravel import plan as plans
from descartes_core.timetravel.moving import Moving
from descartes_core.timetravel.snapshots import Snapshot, Snapshots

FILES, FOLDERS, ROUNDS, BACK = 20_000, 500, 15, 100
SETTLED_S = 0.1
"""Files that changed a moment ago are read again; a person's work tree is older than that."""


def repository(root: Path) -> None:
    """Make ROOT a git repository with FILES files, all committed."""
    for number in range(FILES):
        file = root / f"d{number % FOLDERS}" / f"f{number}.lisp"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"(defun f{number} (x) (+ x {number}))\n" * 8)
    (root / ".descartes").mkdir()
    (root / ".descartes" / ".gitignore").write_text("*\n")
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "first")):
        git(root, *words)
    time.sleep(SETTLED_S)


def git(root: Path, *words: str) -> None:
    ann = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "core.fsmonitor=false")
    subprocess.run(["git", *ann, *words], cwd=root, check=True, capture_output=True)


def timed(work: Callable[[], object]) -> float:
    """Return the milliseconds that WORK takes."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def put_back(snapshots: Snapshots, then: Snapshot) -> None:
    """Make the work tree what it was in THEN."""
    now, repository_ = snapshots.take(), snapshots.repository
    plan = plans.compare(now.manifest, then.manifest, repository_.ignored)
    moving = Moving(snapshots.root, snapshots.state / "restore" / "current")
    moving.stage("evt_1", plan.changes, repository_)
    moving.swap()
    moving.commit({})
    moving.close()


def measure(root: Path) -> list[Row]:
    repository(root)
    snapshots = Snapshots(root, root / ".descartes")
    times: dict[str, list[float]] = {name: [] for name in ("status", "first", "same", "one", "back")}
    times["first"].append(timed(snapshots.take))
    then = snapshots.take()
    for number in range(ROUNDS):
        times["status"].append(timed(lambda: git(root, "status", "--porcelain")))
        times["same"].append(timed(snapshots.take))
        (root / "d1" / "f1.lisp").write_text(f"(changed {number})\n")
        times["one"].append(timed(snapshots.take))
        for changed in range(BACK):
            (root / f"d{changed}" / f"f{changed}.lisp").write_text(f"(lost {number})\n")
        times["back"].append(timed(lambda: put_back(snapshots, then)))
        time.sleep(SETTLED_S)
        snapshots.take()
    return [
        row("the first snapshot", times["first"], times["status"], 60),
        row("a snapshot of an unchanged tree", times["same"], times["status"], 6),
        row("a snapshot after one change", times["one"], times["status"], 10),
        row(f"{BACK} files put back", times["back"], times["status"], 20),
    ]


def row(what: str, times: list[float], base: list[float], most: int) -> Row:
    return Row(what, times, base, f"at most {most} ×", median(times) <= most * median(base))


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="descartes-bench-") as name:
        return show("snapshots", f"git status of {FILES:,} files", measure(Path(name)))


if __name__ == "__main__":
    raise SystemExit(main())

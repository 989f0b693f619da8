"""Snapshots of a work tree, put back by the same steps as a restore."""

from __future__ import annotations

from pathlib import Path

from descartes_core.timetravel import plan as plans
from descartes_core.timetravel.moving import Moving
from descartes_core.timetravel.snapshots import Snapshot, Snapshots
from support.trees import write


def snapshots_of(root: Path, **options: int) -> Snapshots:
    """Return the snapshots of the tree ROOT, with its state folder made."""
    write(root, {".descartes/.gitignore": "*\n"})
    return Snapshots(root, root / ".descartes", **options)


def put_back(snapshots: Snapshots, then: Snapshot | str) -> plans.Plan:
    """Make the work tree what it was in THEN, and return what was to be done."""
    manifest = snapshots.manifest(then if isinstance(then, str) else then.commit)
    now = snapshots.take([path for path, each in manifest.entries.items() if each.kind != "folder"])
    repository = snapshots.repository
    plan = plans.compare(now.manifest, manifest, repository.ignored)
    moving = Moving(snapshots.root, snapshots.state / "restore" / "current")
    moving.stage("evt_1", plan.changes, repository)
    moving.swap()
    moving.commit({})
    moving.close()
    return plan


FILES: dict[str, str | bytes] = {
    "a.lisp": "(a)\n",
    "src/b.lisp": "(b)\n",
    "src/deep/c.bin": bytes(range(256)),
    "run.sh": "#!/bin/sh\n",
}

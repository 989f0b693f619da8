"""Leases follow files that are renamed: one's own wherever one says, those of others only behind the file."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from descartes_core.errors import PolicyDenied
from descartes_core.leases import arbiter
from descartes_core.leases.held import Held
from descartes_core.leases.paths import LeasePath, Paths
from descartes_core.leases.words import lease_held
from descartes_core.model import Lease, Principal
from descartes_core.store import Transaction
from descartes_core.store.times import iso


def move(
    tx: Transaction,
    paths: Paths,
    source: LeasePath,
    target: LeasePath,
    by: Principal,
    *,
    only_own: bool = False,
) -> list[Lease]:
    """Move the leases on SOURCE, and below it when it is a folder, to TARGET for BY; return them as they are.

    A token stays when it is above all that TARGET's name ever had, else it rises.
    Errors: `LeaseHeld` when somebody else holds a name that one of them would get; `PolicyDenied` when one is
    not BY's and nothing was renamed from SOURCE to TARGET, or BY may move ONLY_OWN.
    """
    moved = [each for each in arbiter.open_leases(tx) if not each.path.glob and _inside(each.path, source)]
    _check_may(paths, source, target, [each for each in moved if not each.lease.holder.same_as(by)], only_own)
    # Nothing has arrived yet: what is in the way of one must not be another that goes too.
    for each in moved:
        _check_free(tx, each, _renamed(each.path, source, target), moved)
    return [_arrive(tx, paths, each, _renamed(each.path, source, target), by) for each in moved]


def _check_may(
    paths: Paths, source: LeasePath, target: LeasePath, foreign: list[Held], only_own: bool
) -> None:
    """Refuse to move the leases FOREIGN of others where no file went from SOURCE to TARGET."""
    if not foreign:
        return
    lease = foreign[0].lease
    if only_own:
        raise PolicyDenied(
            f"The lease on {lease.path!r} is {lease.holder.name}'s, and a run moves its own only;"
            " ask the holder"
        )
    if os.path.lexists(Path(paths.root, source.file)) or not os.path.lexists(Path(paths.root, target.file)):
        raise PolicyDenied(
            f"The lease on {lease.path!r} is {lease.holder.name}'s and follows a file that was renamed;"
            f" expected {source.file!r} to be gone and {target.file!r} to be there"
        )


def _inside(path: LeasePath, folder: LeasePath) -> bool:
    return path.file == folder.file or path.file.startswith(f"{folder.file}/")


def _renamed(path: LeasePath, source: LeasePath, target: LeasePath) -> LeasePath:
    file = target.file + path.file[len(source.file) :]
    return LeasePath(f"{file}#{path.form}" if path.form else file, file, path.form, folder=path.folder)


def _check_free(tx: Transaction, each: Held, path: LeasePath, moved: list[Held]) -> None:
    going = {(other.lease.path, other.lease.holder.id) for other in moved}
    for other in arbiter.open_leases(tx, path):
        if (other.lease.path, other.lease.holder.id) in going:
            continue
        exclusive = "exclusive" in (other.lease.mode, each.lease.mode)
        if exclusive and not other.lease.holder.same_as(each.lease.holder):
            raise lease_held(other.lease, tx.now_ms)


def _arrive(tx: Transaction, paths: Paths, each: Held, path: LeasePath, by: Principal) -> Lease:
    lease = msgspec.structs.replace(
        each.lease,
        path=path.text,
        uri=paths.uri(path),
        token=max(each.lease.token, arbiter.next_token(tx, path)),
        expires_at=iso(each.expires_ms),
    )
    return arbiter.record(tx, "moved", lease, each.terms, actor=by, moved_from=each.lease.path)

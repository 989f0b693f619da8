"""Who stands in the way of a write: one rule for every place that writes or refuses to.

Pure, and read straight from the log where there is no hub: a git hook and a hook of another program's agent
decide by it as the hub does.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from descartes_core.leases import forms
from descartes_core.leases.held import Held, held, select
from descartes_core.leases.paths import LeasePath, overlap
from descartes_core.model import Lease, Principal
from descartes_core.ports import Forms

WRITES = frozenset({"exclusive", "intent"})
"""Modes in which a holder may write; who shares only reads."""


@dataclass(frozen=True)
class Change:
    """The file PATH, by its real path, and its content before and after; None where there is no file."""

    path: Path
    before: bytes | None
    after: bytes | None


def others(about: LeasePath, holder: Principal, found: Iterable[Held]) -> list[Lease]:
    """Return the leases among FOUND that others than HOLDER have on ABOUT."""
    return [e.lease for e in found if not e.lease.holder.same_as(holder) and overlap(about, e.path)]


def stopping(about: LeasePath, holder: Principal, found: Iterable[Held]) -> list[Lease]:
    """Return the leases among FOUND for which HOLDER may not write ABOUT.

    An exclusive one of somebody else stops always; an intent (unsaved text) or a shared one stops who has no
    lease to write of its own.
    """
    there = [each for each in found if overlap(about, each.path)]
    own = [each for each in there if each.lease.holder.same_as(holder) and each.lease.mode in WRITES]
    others = [each.lease for each in there if not each.lease.holder.same_as(holder)]
    return [lease for lease in others if lease.mode == "exclusive" or not own]


def stopping_change(
    change: Change, about: LeasePath, holder: Principal, found: Sequence[Held], port: Forms | None
) -> list[Lease]:
    """Return the leases among FOUND for which HOLDER may not make CHANGE of the file ABOUT.

    The lease on a form stops only what changes that form, where PORT knows the forms of the file.
    """
    leases = stopping(about, holder, found)
    named = [lease for lease in leases if _form_of(lease, found)]
    if not named:
        return leases
    changed = touched_by(change, port)
    if changed is None:
        return leases
    return [lease for lease in leases if (form := _form_of(lease, found)) is None or form in changed]


def touched_by(change: Change, port: Forms | None) -> set[str] | None:
    """Return the names of the forms that CHANGE touches; None when nobody can tell."""
    if port is None or change.before is None or change.after is None:
        return None
    try:
        before, after = change.before.decode(), change.after.decode()
    except UnicodeDecodeError:
        return None
    one, other = port.forms(change.path, before), port.forms(change.path, after)
    return None if one is None or other is None else forms.touched(before, one, after, other)


def read(database: Path, now_ms: int) -> list[Held]:
    """Return the leases that the log DATABASE has live at NOW_MS; none where there is no log.

    Errors: `sqlite3.Error` when it cannot be read.
    """
    if not database.exists():
        return []
    connection = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=2)
    try:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'lease'").fetchone():
            return []
        rows = connection.execute(*select(None, "ended IS NULL AND expires_ms > ?", (now_ms,)))
        return [held(row) for row in rows]
    finally:
        connection.close()


def _form_of(lease: Lease, found: Sequence[Held]) -> str | None:
    """Return the form that LEASE is about, as forms are compared; None for a file."""
    form = next((each.path.form for each in found if each.lease is lease), None)
    return None if form is None else form.casefold()

"""What a file of the workspace is checked for by an operation that writes it."""

from __future__ import annotations

from pathlib import Path

from descartes_core.errors import UnsavedChanges
from descartes_core.leases import Paths
from descartes_core.leases.arbiter import open_leases
from descartes_core.leases.standing import stopping
from descartes_core.leases.words import lease_held
from descartes_core.store import Transaction
from descartes_server.operations.context import Context


def check_saved(context: Context, file: Path) -> None:
    """Refuse a FILE with unsaved changes in an editor. Errors: `UnsavedChanges`."""
    if editor := context.services.editors.unsaved_in(file):
        raise UnsavedChanges(
            f"{str(file)!r} has unsaved changes in {editor}; save or undo them first", editor=editor
        )


def check_leases(context: Context, tx: Transaction, file: Path) -> None:
    """Refuse inside TX, the transaction that writes it, a FILE that somebody else holds.

    Errors: `LeaseHeld`.
    """
    about = Paths(context.services.workspace.root).of(str(file))
    for lease in stopping(about, context.caller.principal, open_leases(tx, about)):
        raise lease_held(lease, tx.now_ms)

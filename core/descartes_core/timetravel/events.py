"""The data of the events of snapshots and restores."""

from __future__ import annotations

from typing import Literal

from descartes_core.store.schemas import Data, register
from descartes_core.timetravel.shapes import BodyName

RestoreKind = Literal["restore", "undo", "redo", "edit"]


class SnapshotTaken(Data, frozen=True, kw_only=True):
    """The files of the workspace were kept as the commit COMMIT; fresh: it differs from the one before."""

    commit: str
    ref: str
    when: Literal["start", "before", "after", "end", "preview", "backup", "restored", "edited"]
    reason: str
    fresh: bool
    files: int
    left: int
    """How many files were not kept: too large, unreadable, pipes."""
    call_id: str | None = None


class SnapshotFailed(Data, frozen=True, kw_only=True):
    """The files could not be kept, so there is no going back to this moment."""

    when: str
    reason: str
    message: str


class RestorePreviewed(Data, frozen=True, kw_only=True):
    """Somebody looked at what a restore would change; the event's id confirms it."""

    run: str
    to: str
    at: str
    bodies: list[BodyName]
    paths: list[str] | None
    now: str
    then: str
    files: int
    expires_ms: int


class OfRestore(Data, frozen=True, kw_only=True):
    """What every event of one restore has; `of` is the restore that is undone or done again."""

    id: str
    kind: RestoreKind = "restore"
    to: str | None = None
    bodies: list[BodyName] = []
    preview: str | None = None
    of: str | None = None


class RestoreBegan(OfRestore, frozen=True, kw_only=True):
    """Something begins to be put back; the commit BEFORE holds the files that were there."""

    before: str | None = None
    files: int
    paths: list[str]


class RestoreStep(OfRestore, frozen=True, kw_only=True):
    """One of the four steps of a restore is done."""

    number: int
    step: Literal["backup", "checkout", "memory", "resume"]
    text: str


class RestoreDone(OfRestore, frozen=True, kw_only=True):
    """A restore was done, undone or done again; the commits BEFORE and AFTER hold both states."""

    before: str | None = None
    after: str | None = None
    files: int
    paths: list[str]
    session: str | None = None
    """The session to go on in, where that is another one now; SESSION_BEFORE was it until now."""
    session_before: str | None = None
    missing: list[str] = []


class RestoreFailed(OfRestore, frozen=True, kw_only=True):
    """A restore came to nothing; KEPT says what lies elsewhere now.

    With ROLLED_BACK everything is as it was, else `descartes doctor --fix` is still to make it so.
    """

    reason: str
    rolled_back: bool
    kept: list[str] = []


class EditPreviewed(Data, frozen=True, kw_only=True):
    """Somebody looked at what a bulk edit would change; the event's id confirms it."""

    what: str
    now: str
    then: str
    files: int
    count: int
    """How many places would change."""
    expires_ms: int


class OfEdit(OfRestore, frozen=True, kw_only=True):
    """What every event of one bulk edit has: WHAT it does, as a person reads it, and WHY they say it does."""

    what: str | None = None
    why: str | None = None


class EditBegan(OfEdit, frozen=True, kw_only=True):
    """Files begin to be edited in bulk; the commit BEFORE holds the files that were there."""

    before: str | None = None
    files: int
    paths: list[str]


class EditStep(OfEdit, frozen=True, kw_only=True):
    """One step of a bulk edit is done."""

    number: int
    step: Literal["backup", "checkout"]
    text: str


class EditDone(OfEdit, frozen=True, kw_only=True):
    """Files were edited in bulk; the commits BEFORE and AFTER hold both states, and it can be undone."""

    before: str | None = None
    after: str | None = None
    files: int
    paths: list[str]


class EditFailed(OfEdit, frozen=True, kw_only=True):
    """A bulk edit came to nothing; KEPT and ROLLED_BACK as for a restore."""

    reason: str
    rolled_back: bool
    kept: list[str] = []


register(
    "system",
    {
        "body.snapshot": SnapshotTaken,
        "edit.previewed": EditPreviewed,
        "edit.began": EditBegan,
        "edit.step": EditStep,
        "edit.applied": EditDone,
        "edit.failed": EditFailed,
        "restore.previewed": RestorePreviewed,
        "restore.began": RestoreBegan,
        "restore.step": RestoreStep,
        "restore.applied": RestoreDone,
        "restore.undone": RestoreDone,
        "restore.redone": RestoreDone,
        "restore.failed": RestoreFailed,
    },
)
register("error", {"body.snapshot.failed": SnapshotFailed})

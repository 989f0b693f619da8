"""What restores are asked and answer, as it travels through every door."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from descartes_core.model import Principal, Shape
from descartes_core.timetravel.plan import ChangeKind

BodyName = Literal["brain", "body", "image"]
BODIES: tuple[BodyName, ...] = ("brain", "body", "image")
NOUNS: Mapping[str, str] = {"body": "the files", "brain": "the conversation", "image": "the image"}
"""What a person calls them."""


class RestoreRequest(Shape, frozen=True, kw_only=True):
    """RUN as it was at TO, an event's id or an ISO time; PATHS, files or folders, choose some of it."""

    run: str
    to: str
    bodies: list[BodyName] = msgspec.field(default_factory=lambda: ["body", "brain"])
    paths: list[str] | None = None


class To(Shape, frozen=True, kw_only=True):
    """The moment a restore goes to: an event, when it was, and when the files were kept that are put back."""

    event: str
    seq: int
    name: str
    at: str
    snapshot: str
    snapshot_at: str


class FileChange(Shape, frozen=True, kw_only=True):
    """One file, link or empty folder that would change. SIZE is what it would have, in bytes."""

    path: str
    change: ChangeKind
    user_edited: bool = False
    """Whether somebody changed it while no run was at work."""
    leased_by: Principal | None = None
    """Who holds it, when that is somebody else."""
    unsaved: str | None = None
    """The editor in which it has changes that are in no file."""
    mode: str | None = None
    """`0644 → 0755` for what changes its mode only."""


class EventAfter(Shape, frozen=True, kw_only=True):
    """An event of the run behind the moment."""

    id: str
    seq: int
    name: str
    at: str


class Problem(Shape, frozen=True, kw_only=True):
    """A file, and what is the matter with it."""

    path: str
    reason: str


class RestorePreview(Shape, frozen=True, kw_only=True):
    """What a restore would do. ID confirms it; MISSING cannot be put back; REFUSED says why it cannot be."""

    id: str
    run: str
    to: To
    bodies: list[BodyName]
    paths: list[str] | None = None
    files: list[FileChange] = []
    missing: list[Problem] = []
    events_after: int = 0
    newest_after: list[EventAfter] = []
    brain: dict[str, Any] | None = None
    image: dict[str, Any] | None = None
    refused: str | None = None
    expires_at: str = ""
    intervention: str | None = None


class Step(Shape, frozen=True, kw_only=True):
    """One of the four steps of a restore, as a person reads it."""

    number: int
    step: Literal["backup", "checkout", "memory", "resume"]
    text: str


class FileDone(Shape, frozen=True, kw_only=True):
    """A file, and what was done to it."""

    path: str
    change: ChangeKind


class Restored(Shape, frozen=True, kw_only=True):
    """What a restore did. COMPLETE: everything that was asked for is as it was then."""

    id: str
    run: str | None
    kind: Literal["restore", "undo", "redo", "edit"]
    bodies: list[BodyName] = []
    files: list[FileDone] = []
    missing: list[Problem] = []
    steps: list[Step] = []
    session: str | None = None
    """The session to go on in, where that is another one now."""
    resumed: str | None = None
    """The run that goes on in it, where that was asked for."""
    complete: bool = True


class Previewed(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What the log keeps of a preview: the request, and the COMMITs before and after."""

    run: str
    to: str
    at: str
    bodies: list[BodyName]
    paths: list[str] | None
    now: str
    then: str
    files: int
    expires_ms: int

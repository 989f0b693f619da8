"""The data of the events that the server appends: the image's, the hub's and the guard's.

Importing this makes every event of the program known; how to add one: `descartes_core/store/schemas.py`.
"""

from __future__ import annotations

from typing import Any

import descartes_core.memory.events
import descartes_core.store.event_data
import descartes_core.store.retention
import descartes_core.timetravel.events
import descartes_core.trace.entries
import descartes_core.vault.audit  # noqa: F401  (they register)
from descartes_core.model import Lease
from descartes_core.store.schemas import Data, register
from descartes_server.operations import lisp_shapes as shapes


class Asked(Data, frozen=True, kw_only=True):
    """How an evaluation was asked for, as far as repeating it needs that."""

    client: str | None = None
    package: str | None = None
    policy: dict[str, Any] = {}
    in_frame: Any = None
    span: list[int] | None = None
    range: dict[str, Any] | None = None
    code_blob: str | None = None
    """The digest of the exact text, where that is long or the log masks something of it."""
    text_blob: str | None = None
    makes: list[Any] = []
    files: list[list[str]] = []


class Evaluated(shapes.Evaluation, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Code was evaluated, compiled, loaded or tested in the image; STATE says how it ended."""

    uri: str | None = None
    success: bool | None = None
    code: str = ""
    asked: Asked = Asked()


class Stopped(shapes.Debugger, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A thread of the image stopped in the debugger; frames are their descriptions, PLACES where they are."""

    frames: list[str]  # type: ignore[assignment]
    places: list[shapes.Location | None] = []


class Left(Data, frozen=True, kw_only=True):
    """A stop was left."""

    thread: int
    level: int


class ImageStarted(shapes.LispStatus, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An image is ready."""


class ImageGone(Data, frozen=True, kw_only=True):
    """The image was stopped or lost."""

    pid: int | None
    reason: str | None


class ImageReplayed(Data, frozen=True, kw_only=True):
    """A fresh image, made by repeating the journal, took the place of the one before."""

    pid: int
    before: int | None
    repeated: int
    skipped: int
    until: int | None = None
    """The last event whose work it has; None: all that there was."""
    restore: str | None = None
    """The restore, undo or redo that did it."""


class HubStarted(Data, frozen=True, kw_only=True):
    """A hub began to serve the workspace."""

    pid: int
    version: str


class HubStopped(Data, frozen=True, kw_only=True):
    """A hub ended in an orderly way."""

    pid: int
    reason: str


class GuardDecided(Data, frozen=True, kw_only=True):
    """The guard let a commit, a push or a tool pass, warned or refused, because of leases on its paths."""

    paths: list[str]
    leases: list[Lease]
    hook: str | None = None
    tool: str | None = None
    """The tool that another program's agent wanted to use."""


class GuardChanged(Data, frozen=True, kw_only=True):
    """The guard was put into git's hooks or taken out of them."""

    hooks_folder: str | None
    modes: dict[str, str | None]


class ConfigSet(Data, frozen=True, kw_only=True):
    """A setting was changed in its file by `config.set`; its value is not told, it may be a key."""

    key: str
    scope: str
    file: str


class ConfigMigrated(Data, frozen=True, kw_only=True):
    """A settings file of an older VERSION was brought to the newest; BACKUP is what it was."""

    file: str
    version: str
    backup: str


register(
    "action",
    {f"lisp.{done}": Evaluated for done in ("evaluated", "compiled", "loaded", "tested")},
)
register(
    "system",
    {
        "lisp.started": ImageStarted,
        "lisp.stopped": ImageGone,
        "lisp.lost": ImageGone,
        "lisp.replayed": ImageReplayed,
        "lisp.debugger.entered": Stopped,
        "lisp.debugger.left": Left,
        "config.set": ConfigSet,
        "config.migrated": ConfigMigrated,
        "hub.started": HubStarted,
        "hub.stopped": HubStopped,
        "guard.installed": GuardChanged,
        "guard.uninstalled": GuardChanged,
    },
)
register("decision", {f"guard.{outcome}": GuardDecided for outcome in ("refused", "warned", "bypassed")})

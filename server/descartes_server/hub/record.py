"""Who is the hub of a workspace: the lock that makes a process it, and the record that says where it listens.

The lock lies with the workspace's state, so that it is the same file for a container that shares the folder;
the record lies in the runtime folder and is written only by the holder of the lock.
"""

from __future__ import annotations

import fcntl
import getpass
import os
import socket
from pathlib import Path
from typing import TypeVar

import msgspec

from descartes_core.errors import WorkspaceInUse
from descartes_core.processes.identity import ProcessIdentity, boot, identify, is_alive
from descartes_server.operations.workspace import Workspace, runtime_folders

NAME = "hub.json"
T = TypeVar("T")


class Owner(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The process that holds the lock."""

    host: str
    user: str
    boot: str
    pid: int
    start: str
    embedded: bool = False
    """Whether it is a language server that keeps the hub to itself."""

    @staticmethod
    def this_process(*, embedded: bool) -> Owner:
        identity = identify(os.getpid())
        assert identity is not None, "this process runs"
        return Owner(
            host=socket.gethostname(),
            user=getpass.getuser(),
            boot=identity.boot,
            pid=identity.pid,
            start=identity.start,
            embedded=embedded,
        )

    @property
    def is_elsewhere(self) -> bool:
        """Whether it runs on another machine, in another container, or before the last boot."""
        return self.boot != boot()

    def in_use(self) -> WorkspaceInUse:
        """Return the error that tells a person who has the workspace."""
        what = (
            "a language server with --embedded" if self.embedded else "a hub that cannot be reached from here"
        )
        return WorkspaceInUse(
            f"the workspace is in use by {what} (process {self.pid} of {self.user} on {self.host}); "
            "end that one, or work through it",
            owner=msgspec.to_builtins(self),
        )


class HubRecord(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A hub that listens."""

    pid: int
    boot: str
    start: str
    socket: str
    workspace: str
    version: str
    protocol: int
    started_at: str

    @property
    def identity(self) -> ProcessIdentity:
        return ProcessIdentity(boot=self.boot, pid=self.pid, start=self.start)


class Lock:
    """The lock of a workspace, held until `release` or the death of the process."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @staticmethod
    def take(workspace: Workspace, *, embedded: bool = False) -> Lock | Owner:
        """Return the lock of WORKSPACE, taken, or who holds it."""
        descriptor = os.open(workspace.lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return owner(workspace) or Owner(host="?", user="?", boot=boot(), pid=0, start="")
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, msgspec.json.encode(Owner.this_process(embedded=embedded)), 0)
        return Lock(descriptor)

    def release(self) -> None:
        """Let another process be the hub."""
        os.close(self._descriptor)


def owner(workspace: Workspace) -> Owner | None:
    """Return who last took the lock of WORKSPACE, whether or not it still holds it."""
    return _decode(workspace.lock, Owner)


def write(workspace: Workspace, record: HubRecord) -> None:
    """Write RECORD where every door looks for it."""
    file = workspace.runtime / NAME
    draft = file.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(msgspec.json.encode(record))
    draft.replace(file)


def read(workspace: Workspace) -> HubRecord | None:
    """Return the record of the hub of WORKSPACE, None when that process is gone."""
    return _alive(workspace.runtime)


def read_all() -> list[HubRecord]:
    """Return the records of all this user's hubs that are alive."""
    return [record for folder in runtime_folders() if (record := _alive(folder))]


def _alive(folder: Path) -> HubRecord | None:
    record = _decode(folder / NAME, HubRecord)
    return record if record is not None and is_alive(record.identity) else None


def _decode(file: Path, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError):
        return None

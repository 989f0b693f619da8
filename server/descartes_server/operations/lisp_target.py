"""Where an image is that was not started on this machine by us, and how it is reached again.

Kept in the workspace's runtime folder, which is this user's alone, for the next hub.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

import descartes_swank
from descartes_core.errors import InvalidParams
from descartes_server.operations.settings import LispSettings, PathPair
from descartes_swank.bridge import Away, leads_away
from descartes_swank.paths import Paths
from descartes_swank.ways import CommandWay, TcpWay, Way

_FILE = "attached.json"
CONNECTING_S = 30.0


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A Swank server at HOST and PORT, or with COMMAND the image that this command starts where it leads."""

    host: str = ""
    port: int = 0
    secret: str | None = None
    tunnel: tuple[str, ...] = ()
    """The command whose input and output lead to the server; empty: a connection from here."""
    command: tuple[str, ...] = ()
    swank: str | None = None
    load_init: bool = True
    idle_minutes: float = 240
    paths: tuple[tuple[str, str], ...] = ()

    @property
    def remote(self) -> str | None:
        """Return what leads to the image, for a person; None for a connection from here."""
        return " ".join(self.tunnel or self.command) or None

    def same_disk(self) -> bool:
        """Tell whether the image sees files under the names that they have here."""
        return not self.paths and self.remote is None and _is_loopback(self.host)

    def path_map(self) -> Paths:
        """Return what the image calls files here."""
        return Paths.of(self.paths, shared=self.same_disk())

    def way(
        self,
        workspace: Path,
        environment: Mapping[str, str] | None,
        *,
        start: bool,
        deadline_s: float = CONNECTING_S,
    ) -> Way:
        """Return the way there, of DEADLINE_S seconds at most; START: the image may be started."""
        if self.command:
            return self.away(workspace, environment).way("start" if start else "attach")
        if self.tunnel:
            there = f"{self.host} port {self.port} through `{' '.join(self.tunnel)}`"
            return CommandWay(self.tunnel, there, environment)
        return TcpWay(self.host, self.port, deadline_s)

    def away(self, workspace: Path, environment: Mapping[str, str] | None) -> Away:
        """Return the image that COMMAND leads to."""
        return Away(
            self.command,
            str(workspace),
            self.path_map().there(str(workspace)),
            self.swank,
            self.load_init,
            self.idle_minutes,
            environment,
        )

    async def open(
        self,
        workspace: Path,
        listener: descartes_swank.Listener,
        environment: Mapping[str, str] | None = None,
        *,
        start: bool = False,
        deadline_s: float = CONNECTING_S,
    ) -> descartes_swank.Lisp:
        """Return a session with the image; in DEADLINE_S at most. Errors: `LispLost`, `LispNotFound`."""
        return await descartes_swank.Lisp.open(
            self.host,
            self.port,
            secret=self.secret,
            listener=listener,
            way=self.way(workspace, environment, start=start, deadline_s=deadline_s),
            paths=self.path_map(),
            deadline_s=deadline_s,
        )


def configured(workspace: Path, lisp: LispSettings) -> Target | None:
    """Return where LISP, the settings, say that the image of WORKSPACE is; None: here, started by us."""
    if lisp.attach is not None:
        host, _, port = lisp.attach.rpartition(":")
        if not port.isdecimal():
            raise InvalidParams(
                f"expected lisp.attach as HOST:PORT, got {lisp.attach!r}; correct the setting"
            )
        return server_at(workspace, lisp, host or "127.0.0.1", int(port), None, lisp.remote, lisp.paths)
    command = list(lisp.command or ())
    if lisp.remote is not None:
        command = [*lisp.ssh, _host(lisp.remote), *(command or ["sbcl"])]
    if not command or not leads_away(command):
        return None
    return Target(
        command=tuple(command),
        swank=lisp.swank,
        load_init=lisp.init,
        idle_minutes=lisp.idle_minutes,
        paths=_pairs(workspace, lisp.paths),
    )


def server_at(
    workspace: Path,
    lisp: LispSettings,
    host: str,
    port: int,
    secret: str | None,
    ssh: str | None,
    paths: list[PathPair] | None,
) -> Target:
    """Return the Swank server at HOST and PORT, as seen from the host SSH when that is given."""
    return Target(
        host=host,
        port=port,
        secret=secret,
        tunnel=(*lisp.ssh, "-W", f"{host}:{port}", _host(ssh)) if ssh else (),
        paths=_pairs(workspace, lisp.paths if paths is None else paths),
    )


def remember(runtime: Path, target: Target | None) -> None:
    """Let the next hub find TARGET, or nothing."""
    file = runtime / _FILE
    if target is None:
        file.unlink(missing_ok=True)
        return
    draft = file.with_suffix(".draft")
    with contextlib.suppress(OSError):
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(msgspec.json.encode(target))
        draft.replace(file)


def remembered(runtime: Path) -> Target | None:
    """Return what an earlier hub was attached to."""
    try:
        return msgspec.json.decode((runtime / _FILE).read_bytes(), type=Target)
    except (OSError, msgspec.MsgspecError):
        return None


def _pairs(workspace: Path, paths: list[PathPair]) -> tuple[tuple[str, str], ...]:
    """Return PATHS with what is relative here made absolute, under each name that a folder has here."""
    pairs: list[tuple[str, str]] = []
    for pair in paths:
        folder = workspace / Path(pair.local).expanduser()
        pairs.append((os.path.realpath(folder), pair.remote))
        if (plain := os.path.normpath(folder)) != pairs[-1][0]:
            pairs.append((plain, pair.remote))
    return tuple(pairs)


def _host(remote: str) -> str:
    host = remote.removeprefix("ssh:").removeprefix("//").strip()
    if not host or host.startswith("-"):
        raise InvalidParams(f"expected a host for ssh, such as me@box, got {remote!r}")
    return host


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in ("", "localhost")

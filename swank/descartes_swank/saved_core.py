"""A core of SBCL with Swank and our code in it, built once for each version of the three."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from descartes_swank.attachment import version
from descartes_swank.discovery import LispProgram, SwankSource
from descartes_swank.service import SENT

_LISP = Path(__file__).parent / "lisp"
_OWN = (
    *SENT,
    "service",
    "output",
    "results",
    "stacks",
    "evaluate",
    "offspring",
    "debugger",
    "stepping",
    "breakpoints",
    "systems",
    "tests",
    "frameworks",
    "fiasco",
    "objects",
    "object-kinds",
    "inspector",
    "marks",
    "boot",
)
_BUILD_SECONDS = 300
_KEPT = 8


def core_path(program: LispProgram, swank: SwankSource, cache: Path) -> Path:
    """Return where the core of PROGRAM, SWANK and this version of our code lies in CACHE, or would."""
    digest = hashlib.sha256()
    # The sizes of the heap and the like are given anew at each start.
    for line in (program.command[0], program.core or "", program.version, swank.version or ""):
        digest.update(line.encode() + b"\0")
    folder = swank.loader.parent
    sources = sorted({swank.loader, *folder.glob("*.lisp"), *folder.glob("*/*.lisp")})
    for file in (Path(program.command[0]).resolve(), *sources):
        status = file.stat()
        digest.update(f"{file}\0{status.st_mtime_ns}\0{status.st_size}\0".encode())
    for file in (_LISP / "build.lisp", *own_files()):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return cache / f"{digest.hexdigest()[:32]}.core"


def own_files() -> list[Path]:
    """Return our Lisp files in the order in which they are loaded."""
    files = (_LISP / f"{name}.lisp" for name in _OWN)
    return [file for file in files if file.exists()]


def build_command(program: LispProgram, swank: SwankSource, fasls: Path, core: Path | None) -> list[str]:
    """Return the command that loads Swank and our code and saves CORE, or goes on as an image without one."""
    files = " ".join(map(_lisp_string, own_files()))
    settings = (
        f"(:loader {_lisp_string(swank.loader)} :fasls {_lisp_string(f'{fasls}/')} :files ({files})"
        f" :version {_lisp_string(version())} :core {_lisp_string(core) if core else 'nil'})"
    )
    return [
        *program.command,
        *(("--noinform",) if program.plain else ()),
        *("--no-sysinit", "--no-userinit", "--non-interactive"),
        *("--eval", f"(defparameter cl-user::*descartes* '{settings})"),
        *("--load", str(_LISP / "build.lisp")),
    ]


async def saved_core(program: LispProgram, swank: SwankSource, cache: Path, log: Path) -> Path:
    """Return the core of PROGRAM and SWANK in CACHE, building it first when it is not there.

    Errors: `OSError` when CACHE cannot be written or the Lisp did not save a core; LOG then says why.
    Concurrency: of any number of processes one builds, the others wait for it.
    """
    core = core_path(program, swank, cache)
    if not core.exists():
        await asyncio.to_thread(cache.mkdir, parents=True, exist_ok=True)
        async with _locked(core.with_suffix(".lock")):
            if not core.exists():
                await _build(program, swank, core, log)
                _forget_old(cache)
    with contextlib.suppress(OSError):
        os.utime(core)
    return core


async def discard(core: Path, seen: os.stat_result) -> None:
    """Remove CORE, which did not start, unless somebody has replaced the file SEEN meanwhile."""
    async with _locked(core.with_suffix(".lock")):
        _unlink_same(core, seen)


def _unlink_same(file: Path, seen: os.stat_result) -> None:
    with contextlib.suppress(OSError):
        now = file.stat()
        if (now.st_ino, now.st_size) == (seen.st_ino, seen.st_size):
            file.unlink()


@contextlib.asynccontextmanager
async def _locked(path: Path) -> AsyncIterator[None]:
    with path.open("ab") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(0.02)
        yield


async def _build(program: LispProgram, swank: SwankSource, core: Path, log: Path) -> None:
    draft = core.with_suffix(f".{os.getpid()}.draft")
    fasls = Path(tempfile.mkdtemp(prefix="descartes-"))
    try:
        with log.open("ab") as output:
            output.write(f";; descartes: building {core}\n".encode())
            output.flush()
            await _run(build_command(program, swank, fasls, draft), output.fileno())
        draft.rename(core)
    finally:
        draft.unlink(missing_ok=True)
        await asyncio.to_thread(shutil.rmtree, fasls, ignore_errors=True)


async def _run(command: Iterable[str], output: int) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output
    )
    try:
        async with asyncio.timeout(_BUILD_SECONDS):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _forget_old(cache: Path) -> None:
    """Keep the cores that were started last; remove the others, and drafts of builders that died."""

    def used(file: Path) -> float:
        with contextlib.suppress(OSError):
            return file.stat().st_mtime
        return 0.0

    cores = sorted(cache.glob("*.core"), key=used)
    dead = (draft for draft in cache.glob("*.draft") if used(draft) < time.time() - _BUILD_SECONDS)
    for file in (*cores[:-_KEPT], *dead):
        # Whoever started it keeps it; whoever is about to will build it again.
        file.unlink(missing_ok=True)
        file.with_suffix(".lock").unlink(missing_ok=True)


def _lisp_string(value: object) -> str:
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'

"""Making a connection one that evaluates: our Lisp code in the image, and request ids of its own."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .connection import Connection
from .errors import LispLost, NotSwank, ReaderError, SwankError
from .forms import Form, Symbol, Value, plist
from .ways import Way

LISP_FILES: Final = (
    "output.lisp",
    "results.lisp",
    "stacks.lisp",
    "evaluate.lisp",
    "offspring.lisp",
    "debugger.lisp",
    "stepping.lisp",
    "breakpoints.lisp",
    "objects.lisp",
    "object-kinds.lisp",
    "inspector.lisp",
    "marks.lisp",
)
"""The files of `lisp/` that a session needs, in the order in which they are loaded."""

GREETING_S: Final = 20.0
"""How long a server may take to say who it is; one that collects garbage takes seconds."""


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What an image says of itself; SWANK_VERSION is for people, nothing may be concluded from it."""

    implementation: str
    version: str
    pid: int | None
    swank_version: str | None
    package: str


async def attach(connection: Connection) -> int:
    """Give the image behind CONNECTION our code, if it has not got it; return the first id.

    The ids from there on are this connection's alone: answers to an earlier client may still come.
    """
    sources = await asyncio.to_thread(_read_sources)
    if await connection.rex(_LOADED_VERSION) != version(sources):
        await connection.rex(_load_form(sources))
        await connection.rex(_set_version(version(sources)))
    first_id = int(await connection.rex([Symbol("descartes-boot:attach-session")]))
    connection.next_id = first_id
    return first_id


async def greet(connection: Connection, deadline_s: float | None = None) -> ImageInfo:
    """Return who is behind CONNECTION. Errors: `NotSwank`; `LispLost` when it hangs up."""
    limit_s = GREETING_S if deadline_s is None else deadline_s
    try:
        async with asyncio.timeout(limit_s):
            form = await connection.rex([Symbol("swank:connection-info")])
            if await _is_slynk(connection, plist(form).get(":features") or []):
                raise NotSwank("is Slynk, the server of SLY, whose calls are not Swank's")
    except TimeoutError:
        raise NotSwank(f"said nothing for {limit_s:g} s") from None
    except ReaderError:
        raise NotSwank("does not know Swank's functions") from None
    return _image_info(form)


async def _is_slynk(connection: Connection, features: list[Value]) -> bool:
    """Tell Slynk, which knows the first question of Swank's, from Swank in an image that has both."""
    if ":slynk" not in features or ":swank" not in features:
        return ":slynk" in features
    try:
        return bool(await connection.rex(_SERVED_BY_SLYNK))
    except LispLost:
        return True  # its reader takes nothing but simple forms of Swank's, and hangs up


async def refusal(problem: SwankError, way: Way, secret: bool) -> SwankError:
    """Return what a person is told when a session over WAY began with PROBLEM; SECRET: one was sent."""
    if isinstance(problem, NotSwank):
        return LispLost(
            f"What answers at {way.place} {problem.message}; start Swank in that Lisp, "
            '(ql:quickload "swank") and (swank:create-server :dont-close t), and connect to its port'
        )
    if not isinstance(problem, LispLost):
        return problem
    if complaint := await way.complaint():
        return LispLost(f"No Lisp could be reached at {way.place}: {complaint.rstrip('.')}")
    given = "the secret is wrong" if secret else "it may want a secret"
    return LispLost(
        f"What listens at {way.place} hung up before it answered ({problem.message}): {given}, or it is no "
        "Swank; the secret is the first line of .slime-secret in the home of the Lisp's user"
    )


async def bring(connection: Connection, files: Sequence[str], variable: str) -> None:
    """Give the image behind CONNECTION the code in FILES of `lisp/`, unless it has this version of it.

    VARIABLE is the one that holds the version, `*systems-version*`.
    """
    sources = await asyncio.to_thread(_read_sources, files)
    if await connection.rex(_value_there(variable.upper())) != _version(sources, variable):
        await connection.rex(_load_form(sources))


async def slime_secret() -> str | None:
    """Return the first line of `~/.slime-secret`, which SLIME sends too; None without that file."""

    def read() -> str | None:
        try:
            return (Path.home() / ".slime-secret").read_text(encoding="utf-8").splitlines()[0]
        except (OSError, IndexError, RuntimeError, UnicodeDecodeError):
            return None

    return await asyncio.to_thread(read)


def _image_info(form: Value) -> ImageInfo:
    info = plist(form)
    lisp, package = plist(info.get(":lisp-implementation")), plist(info.get(":package"))
    return ImageInfo(
        str(lisp.get(":type", "")),
        str(lisp.get(":version", "")),
        info.get(":pid"),
        info.get(":version"),
        str(package.get(":name", "COMMON-LISP-USER")),
    )


def version(sources: str | None = None) -> str:
    """Return what tells our code from another version of it; SOURCES: its text, where it is at hand."""
    text = _read_sources() if sources is None else sources
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read_sources(files: Sequence[str] = LISP_FILES) -> str:
    folder = Path(__file__).parent / "lisp"
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in files)


def _version(sources: str, variable: str) -> str:
    match = re.search(rf'{re.escape(variable)} "([^"]+)"', sources)
    assert match is not None
    return match[1]


def _symbol_there(name: str) -> Form:
    return [Symbol("cl:find-symbol"), name, "DESCARTES-BOOT"]


def _value_there(variable: str) -> Form:
    symbol = _symbol_there(variable)
    return [Symbol("cl:and"), symbol, [Symbol("cl:boundp"), symbol], [Symbol("cl:symbol-value"), symbol]]


_LOADED_VERSION: Final = [
    Symbol("cl:and"),
    [Symbol("cl:find-package"), "DESCARTES-BOOT"],
    [Symbol("cl:boundp"), [Symbol("cl:or"), _symbol_there("*VERSION*"), [Symbol("quote"), None]]],
    [Symbol("cl:symbol-value"), _symbol_there("*VERSION*")],
]


_SERVED_BY_SLYNK: Final = [
    Symbol("cl:and"),
    [Symbol("cl:symbol-value"), [Symbol("cl:find-symbol"), "*EMACS-CONNECTION*", "SLYNK"]],
    Symbol("cl:t"),
]


def _set_version(digest: str) -> Form:
    """Return the form that says in the image which version of our code it has got."""
    return [Symbol("cl:progn"), [Symbol("cl:set"), _symbol_there("*VERSION*"), digest], None]


def _load_form(sources: str) -> Form:
    """Return the form that loads SOURCES in the image, without the remarks of its compiler."""
    muffle = [Symbol("cl:warning"), [Symbol("cl:function"), Symbol("cl:muffle-warning")]]
    stream = [Symbol("stream"), sources]
    load = [Symbol("cl:with-input-from-string"), stream, [Symbol("cl:load"), Symbol("stream")]]
    return [Symbol("cl:handler-bind"), [muffle], [Symbol("cl:with-compilation-unit"), None, load]]

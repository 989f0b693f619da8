"""An image that a command starts where it leads: `ssh HOST sbcl`, `docker exec -i NAME sbcl`.

The command is run as a bridge (`lisp/bridge.lisp`, sent on its standard input, so that no quoting of any
shell is in the way): it finds or starts the image there, and passes on bytes. The image outlives it.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import ClassVar, Literal

from . import sexp
from .errors import LispGone, LispLost, LispNotFound
from .forms import Form, Symbol
from .ways import CommandWay, Factory

STARTING_S = 120.0
"""How long the other side may take: a host asleep, a Lisp that compiles Swank for the first time."""
_LISP = Path(__file__).parent / "lisp"
_MARK = b"descartes: "
_LONGEST_LINE = 65536

Action = Literal["start", "attach", "stop"]


def leads_away(command: Sequence[str]) -> bool:
    """Tell whether COMMAND runs a Lisp through another program: `ssh box sbcl` and the like.

    Example: leads_away(["ssh", "box", "sbcl"]) -> True; leads_away(["sbcl", "--dynamic-space-size", "4GB"])
    -> False
    """
    return not _is_sbcl(command[0]) and any(_is_sbcl(word) for word in command[1:])


def _is_sbcl(word: str) -> bool:
    name = PurePosixPath(word).name
    return name == "sbcl" or name.startswith("sbcl-")


@dataclass(frozen=True)
class Away:
    """The image of WORKSPACE that COMMAND leads to."""

    command: tuple[str, ...]
    workspace: str
    """The folder here, which with this host's name tells one image there from another."""
    folder: str | None = None
    """The folder there in which the image works."""
    swank: str | None = None
    load_init: bool = True
    idle_minutes: float = 240
    environment: Mapping[str, str] | None = field(default=None, compare=False)

    def way(self, action: Action) -> BridgeWay:
        """Return the way to the image: started if need be, only if it runs, or to its end."""
        return BridgeWay(
            command=(*self.command, "--script"),
            there=f"`{' '.join(self.command)}`",
            environment=self.environment,
            text=self._text(action),
        )

    async def stop(self) -> None:
        """End the image. Errors: `LispLost` when the other side cannot be reached."""
        await self.way("stop").settle()

    def _text(self, action: Action) -> bytes:
        image = ["secret", secrets.token_hex(32), "idle", max(1, round(self.idle_minutes * 60))]
        image += ["init", Symbol("t") if self.load_init else None, "swank", self.swank, "folder", self.folder]
        at = next(index for index, word in enumerate(self.command) if index and _is_sbcl(word))
        letter = ["key", self._key(), "action", Symbol(f":{action}"), "options", list(self.command[at + 1 :])]
        program = (_LISP / "away.lisp").read_text(encoding="ascii")
        letter += ["image", _plist(image), "program", program]
        opening = f"(cl:defparameter cl-user::*letter* '{sexp.write(_plist(letter))})\n"
        return (opening + (_LISP / "bridge.lisp").read_text(encoding="ascii")).encode()

    def _key(self) -> str:
        name = f"{socket.gethostname()}\0{self.workspace}\0{' '.join(self.command)}"
        return hashlib.sha256(name.encode()).hexdigest()[:16]


def _plist(items: list[Form]) -> Form:
    return [Symbol(f":{item}") if index % 2 == 0 else item for index, item in enumerate(items)]


@dataclass
class BridgeWay(CommandWay):
    """The standard input and output of a bridge; TEXT is its program."""

    wants_secret: ClassVar[bool] = False
    text: bytes = b""

    async def connect(self, factory: Factory) -> None:
        raw = await self._begun("ready")
        await asyncio.get_running_loop().create_connection(factory, sock=raw)

    async def settle(self) -> None:
        """Return when the other side has done what was asked of it, without a connection."""
        (await self._begun("stopped")).close()

    async def _begun(self, wanted: str) -> socket.socket:
        raw = await self.start()
        try:
            async with asyncio.timeout(STARTING_S):
                await asyncio.get_running_loop().sock_sendall(raw, self.text)
                said = await _answer(raw)
        except TimeoutError:
            raw.close()
            raise LispLost(f"Nothing came from {self.there} in {STARTING_S:g} s; try it by hand") from None
        except BaseException as problem:
            raw.close()
            if isinstance(problem, OSError | EOFError):
                raise await self._silent() from None
            raise
        if said.split(" ")[0] != wanted:
            raw.close()
            raise self._refused(said)
        return raw

    def _refused(self, said: str) -> LispLost | LispNotFound:
        if said == "gone":
            return LispGone(f"The Lisp at {self.there} has ended; start another with lisp.start")
        return LispNotFound(f"No Lisp could be started at {self.there}: {said.removeprefix('failed ')}")

    async def _silent(self) -> LispLost:
        complaint = await self.complaint() or "it ended without a word"
        return LispLost(f"No Lisp could be reached at {self.there}: {complaint.rstrip('.')}")


async def _answer(raw: socket.socket) -> str:
    """Return the first line from RAW that is the bridge's; others are a shell's greeting.

    Read byte by byte: what follows is the image's.
    """
    loop, line, total = asyncio.get_running_loop(), bytearray(), 0
    while total < _LONGEST_LINE:
        byte = await loop.sock_recv(raw, 1)
        total += 1
        if not byte:
            break
        line += byte
        if byte == b"\n":
            if line.startswith(_MARK):
                return line[len(_MARK) :].decode("utf-8", "replace").strip()
            line.clear()
    raise EOFError

"""Ways to a Swank server: a connection from here, or a command whose input and output lead there.

Every way ends in a connection or in one sentence within a deadline. What is said over it is `connection`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, ClassVar

from .errors import LispLost

REACHING_S = 15.0
"""How long a host may take to accept a connection."""
_ENDING_S = 2.0
_SAID = 4000

Factory = Callable[[], asyncio.Protocol]


class Way(ABC):
    """How one gets to a Swank server."""

    wants_secret: ClassVar[bool] = True
    """Whether `~/.slime-secret` is sent when no secret was given."""

    @property
    @abstractmethod
    def place(self) -> str:
        """Return what a person calls the place it leads to."""

    @abstractmethod
    async def connect(self, factory: Factory) -> None:
        """Connect the protocol that FACTORY makes. Errors: `LispLost`, within a deadline."""

    async def complaint(self) -> str:
        """Return what the way itself said when it failed, one line; often nothing."""
        return ""


@dataclass(frozen=True)
class TcpWay(Way):
    """A connection from here to PORT of HOST."""

    host: str
    port: int
    deadline_s: float = REACHING_S

    @property
    def place(self) -> str:
        return f"{self.host[:200]} port {self.port}"

    async def connect(self, factory: Factory) -> None:
        try:
            async with asyncio.timeout(self.deadline_s):
                await asyncio.get_running_loop().create_connection(factory, self.host, self.port)
        except TimeoutError:
            raise self._unreachable(f"no word from there in {self.deadline_s:g} s") from None
        except (OSError, OverflowError, ValueError) as error:
            # A host that can be no name and a port that can be no number are as silent as any other.
            raise self._unreachable(_reason(error)) from error

    def _unreachable(self, reason: str) -> LispLost:
        return LispLost(
            f"No Lisp answers at {self.place} ({reason}); start one there", host=self.host, port=self.port
        )


@dataclass
class CommandWay(Way):
    """The standard input and output of COMMAND, such as `ssh -W 127.0.0.1:4005 HOST`."""

    command: Sequence[str]
    there: str
    """What a person calls the place."""
    environment: Mapping[str, str] | None = None
    _errors: IO[bytes] | None = field(default=None, repr=False)
    _process: asyncio.subprocess.Process | None = field(default=None, repr=False)

    @property
    def place(self) -> str:
        return self.there

    async def connect(self, factory: Factory) -> None:
        raw = await self.start()
        await asyncio.get_running_loop().create_connection(factory, sock=raw)

    async def start(self) -> socket.socket:
        """Start the command; return the socket that is its input and output."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  (closed when the way is forgotten)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self.command,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._errors,
                start_new_session=True,  # without a terminal no program can ask for a password unseen
                env=None if self.environment is None else dict(self.environment),
            )
        except OSError as problem:
            ours.close()
            raise LispLost(
                f"The program {self.command[0]!r} that leads to {self.there} could not be started "
                f"({problem.strerror}); install it or correct the setting that names it"
            ) from problem
        finally:
            theirs.close()
        return ours

    async def complaint(self) -> str:
        """Return the last words, two lines at most, that the command wrote on its standard error."""
        process, errors = self._process, self._errors
        if process is None or errors is None:
            return ""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _ENDING_S)
        size = os.fstat(errors.fileno()).st_size
        text = os.pread(errors.fileno(), _SAID, max(0, size - _SAID)).decode("utf-8", "replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return "; ".join(lines[-2:])[:400]


def _reason(error: Exception) -> str:
    """Return why no connection was made, in the system's words: `Connection refused`."""
    number = getattr(error, "errno", None)
    if isinstance(number, int) and number > 0 and not isinstance(error, socket.gaierror):
        return os.strerror(number)
    return str(getattr(error, "strerror", None) or error)


def quiet_options(raw: Any) -> None:
    """Have what is sent over RAW go at once, where it is a connection over the network."""
    with contextlib.suppress(OSError):
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

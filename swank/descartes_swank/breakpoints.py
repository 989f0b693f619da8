"""Breakpoints over a connection: at functions and at forms, and breaking on signals.

Which breakpoints there are is the caller's to remember: an image knows nothing of those of an earlier one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from .answers import checked, quoted
from .errors import InvalidParams
from .forms import Form, Symbol, Value
from .locations import DEFINITION, Location, place
from .marks import Unit, quoted_name, quoted_units
from .stopped import StoppedThreads


@dataclass(frozen=True, slots=True)
class FormPlace:
    """A breakpoint that stands in a text: at the list that begins at OFFSET, code points from 0."""

    id: str
    offset: int
    condition: str | None = None


@dataclass(frozen=True, slots=True)
class NewPlace:
    """A breakpoint to be placed at the first of OFFSETS where a form is evaluated.

    TITLES: for each of OFFSETS what its stops say. NOTE is given back by `breakpoints`.
    """

    id: str
    note: str
    offsets: Sequence[int]
    titles: Sequence[str]
    condition: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a breakpoint; MESSAGE says why it is not VERIFIED."""

    verified: bool
    message: str | None = None
    location: Location | None = None
    """Where the function is defined."""
    offset: int | None = None
    """Where the form stands in the text that was compiled."""
    name: str | None = None
    """The function with its package."""
    pending: bool = False
    """Whether it is not verified only because the function is not defined yet."""


@dataclass(frozen=True, slots=True)
class KnownBreakpoint:
    """A breakpoint of the image with the note it was set with."""

    id: str
    hits: int
    note: str


class Breakpoints(StoppedThreads):
    """The part of a `Lisp` about breakpoints."""

    async def break_at_function(
        self,
        id: str,
        name: str,
        *,
        note: str = "",
        condition: str | None = None,
        client: str = "",
        package: str | None = None,
    ) -> Verdict:
        """Set the breakpoint ID at calls of the function NAME where CONDITION holds, Lisp text.

        What cannot have one is not verified, and the message says why. Errors: `InvalidParams` for text that
        cannot be read. An inline call or one of a function to itself is no call that can be seen.
        """
        verified, message, location, full_name = await self._checked(
            "break-at-function", id, note, name, condition, client, package
        )
        found = place(location, DEFINITION)
        where = None if found is None else await asyncio.to_thread(self._files.locate, found)
        pending = verified == ":pending"
        return Verdict(verified is True, _sentence(message), where, name=full_name, pending=pending)

    async def break_at_forms(
        self,
        text: str,
        *,
        file: str | None,
        position: int,
        package: str | None,
        places: Sequence[FormPlace] = (),
        new: NewPlace | None = None,
        client: str = "",
        units: Sequence[Unit] = (),
    ) -> Verdict:
        """Compile TEXT anew, one top-level form at POSITION of FILE, with breakpoints at PLACES and NEW.

        UNITS are what TEXT defines: a definition with breakpoints has the text that it had without.

        Without any the plain form is compiled. When NEW fits nowhere nothing changes.
        Errors: `InvalidParams` when compiling stops or the condition cannot be read.
        """
        there = None if file is None else self._files.paths.there(file)
        given: list[Form] = [[each.id, each.offset, each.condition] for each in places]
        wanted: Form = None
        if new is not None:
            items: list[Form] = [new.id, new.note, list(new.offsets), new.condition, list(new.titles)]
            wanted = quoted(items)
        call: list[Form] = [client, text, there, position, package, quoted(given), wanted]
        offset, message = await self._checked(
            "marking-at-once", file, quoted_units(units), package, quoted_name("break-at-forms"), *call
        )
        return Verdict(new is None or offset is not None, _sentence(message), offset=offset)

    async def has_package(self, name: str) -> bool:
        """Return whether there is the package that NAME, as it stands in a file, means."""
        return await self._ask("cl:null", [Symbol("swank::guess-package"), name]) is None

    async def forget_breakpoint(self, id: str) -> None:
        """Let the breakpoint ID stop nothing more; its form stays compiled as it is."""
        await self._ask("descartes-boot:forget-breakpoint", id)

    async def note_breakpoint(self, id: str, note: str) -> None:
        """Let the breakpoint ID have NOTE from now on."""
        await self._ask("descartes-boot:note-breakpoint", id, note)

    async def breakpoints(self) -> list[KnownBreakpoint]:
        """Return the breakpoints of the image and how often each was reached with its condition true."""
        counts = await self._ask("descartes-boot:breakpoint-counts")
        return [KnownBreakpoint(str(id), int(hits), str(note)) for id, hits, note in counts or []]

    async def break_on_signals(self, type: str | None, *, client: str = "") -> str | None:
        """Stop the user's code where it signals a condition of TYPE, Lisp text; None ends that.

        Returns the type as the image writes it. Errors: `InvalidParams` for what is no type of conditions.
        """
        (answer,) = await self._checked("break-on-signals", type, client)
        return None if answer is None else str(answer)

    async def broken_on_signals(self) -> str | None:
        """Return the type of conditions that `break_on_signals` was given last in this image, or None."""
        found = await self._ask("descartes-boot:signals-broken-on")
        return None if found is None else str(found)

    async def _checked(self, name: str, *arguments: Form) -> list[Value]:
        answer = await self._ask(f"descartes-boot:{name}", *arguments)
        found = checked(answer)
        if not found:
            raise InvalidParams(f"The image gave no answer to {name}")
        return found


def _sentence(message: Value) -> str | None:
    return None if message is None else " ".join(str(message).split()).rstrip(".")

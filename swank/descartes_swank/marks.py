"""Which text of each definition the image has: what is sent leaves marks there (`lisp/marks.lisp`).

What a definition's text is, and its digest, are the caller's to say; nothing here reads Lisp.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from .errors import Unsupported
from .forms import Form, Symbol, Value

Unit = Sequence[Form]
"""(space, operator, name, package or None, qualifiers, specializers, guard, digest, value, keeps, certain).

SPACE is function, method, compiler-macro, setf, variable, type, package or other; texts as in the file. VALUE
is the digest of a variable's initial value; KEEPS says that evaluating it leaves a bound variable alone,
CERTAIN that evaluating the text cannot pass it over."""


@dataclass(frozen=True, slots=True)
class UnitState:
    """What the image has of one unit; not PRESENT and not FOR_THIS_LISP: a feature keeps it out."""

    present: bool
    digest: str | None = None
    """Of the text that was loaded last, None when nobody saw it."""
    same_package: bool = False
    for_this_lisp: bool = True


@dataclass(frozen=True, slots=True)
class FileState:
    """What the image has of one file: a state for each unit asked about, and units that the file has lost."""

    units: tuple[UnitState, ...]
    removed: tuple[tuple[str, str, str, str | None, tuple[str, ...], tuple[str, ...]], ...] = ()
    """(space, operator, name, package, qualifiers, specializers) of each."""
    seen: bool = False
    """Whether anything of the file was seen being loaded."""


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """A file that ASDF loaded, with the TEXT it had; TICK orders it among all that was loaded."""

    tick: int
    path: str
    text: str


class Marks:
    """The marks of one image, through ASK, which calls one of our functions there."""

    def __init__(self, ask: Callable[..., Awaitable[Value]]) -> None:
        self._ask = ask
        self._kept = True
        """Whether the image can keep marks; known when it was first asked to."""
        self._expected: dict[str, tuple[str | None, Sequence[Unit]]] = {}

    def expect(self, evaluation: str, file: str | None, units: Sequence[Unit]) -> None:
        """Have what EVALUATION, which is about to be asked for, makes of UNITS marked, as text of FILE."""
        if units and self._kept:
            self._expected[evaluation] = file, units

    def wrapped(self, evaluation: str, form: list[Form]) -> list[Form]:
        """Return FORM, the call that does EVALUATION, so that it leaves its marks."""
        expected = self._expected.pop(evaluation, None)
        if expected is None:
            return form
        file, units = expected
        return ["descartes-boot:marking", file, quoted_units(units), _quote(Symbol(str(form[0]))), *form[1:]]

    async def states(self, file: str, units: Sequence[Unit]) -> FileState:
        """Return what the image has of UNITS, all that FILE defines now."""
        return read_states(await self._ask("descartes-boot:mark-states", file, quoted_units(units)))

    async def loaded(self, file: LoadedFile, units: Sequence[Unit]) -> None:
        """Mark UNITS, which FILE defined when it was loaded."""
        await self._ask("descartes-boot:mark-file", file.path, file.tick, quoted_units(units))

    async def files(self) -> list[str]:
        """Return the files that left a mark."""
        return [str(each) for each in await self._ask("descartes-boot:marked-files") or []]

    async def in_load_order(self, files: Sequence[str], systems: Sequence[str]) -> list[str]:
        """Return FILES in the order in which ASDF loads them, by the system definitions in the files SYSTEMS.

        What no system has comes after the rest, in the order given.
        """
        answer = await self._ask("descartes-boot:in-load-order", _quote(list(files)), _quote(list(systems)))
        return [str(each) for each in answer or []]

    async def follow(self, folder: str) -> list[LoadedFile]:
        """Have the listener told of files below FOLDER that ASDF loads; returns those nobody heard of.

        An image that cannot keep marks is left without.
        """
        try:
            missed = await self._ask("descartes-boot:follow-files", folder.rstrip("/") + "/")
        except Unsupported:
            self._kept = False
            return []
        return [LoadedFile(int(tick), str(path), str(text)) for tick, path, text in missed or []]


def read_states(answer: Value) -> FileState:
    """Return ANSWER of `mark-states`, read from Lisp or from JSON: (STATES REMOVED SEEN)."""
    states, removed, seen = answer
    return FileState(
        units=tuple(_state(*each) for each in states or ()),
        removed=tuple(
            (
                str(space),
                str(operator),
                str(name),
                package,
                tuple(qualifiers or ()),
                tuple(specializers or ()),
            )
            for space, operator, name, package, qualifiers, specializers in removed or ()
        ),
        seen=bool(seen),
    )


def _state(presence: Value, digest: Value, same_package: Value) -> UnitState:
    if presence in (":absent", "absent"):
        return UnitState(present=False, for_this_lisp=False)
    return UnitState(bool(presence), digest if isinstance(digest, str) else None, bool(same_package))


def _quote(form: Form) -> Form:
    return [Symbol("quote"), form]


def quoted_name(function: str) -> Form:
    """Return what evaluates to the name of FUNCTION, one of ours."""
    return _quote(Symbol(f"descartes-boot:{function}"))


def quoted_units(units: Sequence[Unit]) -> Form:
    """Return what evaluates to UNITS."""
    return _quote([[list(part) if isinstance(part, tuple) else part for part in unit] for unit in units])

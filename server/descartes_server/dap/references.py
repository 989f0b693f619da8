"""What a client may look into: containers of variables, each under a number for as long as it is valid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol, TypeVar

from descartes_core.errors import DebuggerStale, InvalidParams
from descartes_server.dap.stops import Stop

Variable = dict[str, Any]
T = TypeVar("T")
KEPT = 1000
"""How many containers that belong to no stop are kept; the oldest goes first."""


@dataclass(frozen=True)
class Way:
    """How the inspector comes to an object: parameters of `inspector.open`, then lines counted from 0."""

    root: Mapping[str, Any]
    path: tuple[int, ...] = ()


class Container(Protocol):
    """Something with variables in it."""

    async def variables(self, start: int, count: int | None, filter: str | None = None) -> list[Variable]:
        """Return the variables from START on, COUNT of them; None: all, or the first and a way to the rest.

        FILTER: only those with numbers as names (`indexed`) or only the others (`named`).
        """
        ...

    async def set(self, name: str, value: str) -> Variable:
        """Give the variable NAME the value of the Lisp text VALUE; returns it as it is then.

        Errors: `InvalidParams` when it cannot be set.
        """
        ...

    async def way_to(self, name: str) -> Way:
        """Return the way to the object of the variable NAME.

        Errors: `NotFound` when there is none of that name; `InvalidParams` when it has no object.
        """
        ...


class References:
    """The containers by number."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._containers: dict[int, Container] = {}
        self._of_stop: dict[Stop, list[int]] = {}
        self._free: list[int] = []

    def add(self, container: Container, stop: Stop | None) -> int:
        """Return the number of CONTAINER, valid until STOP is left; None: until there are too many."""
        number = next(self._numbers)
        self._containers[number] = container
        (self._free if stop is None else self._of_stop.setdefault(stop, [])).append(number)
        while len(self._free) > KEPT:
            self._containers.pop(self._free.pop(0), None)
        return number

    def get(self, number: int) -> Container:
        """Return the container of NUMBER. Errors: `DebuggerStale` when its stop was left."""
        found = self._containers.get(number)
        if found is None:
            raise DebuggerStale(f"there is nothing under the reference {number} any more; ask for the scopes")
        return found

    def forget(self, stop: Stop) -> None:
        """Forget what belongs to STOP."""
        for number in self._of_stop.pop(stop, ()):
            self._containers.pop(number, None)


def page(variables: list[T], start: int, count: int | None, filter: str | None) -> list[T]:
    """Return COUNT of VARIABLES, none of which has a number, from START on; None and 0 are no limit."""
    if filter == "indexed":
        return []
    return variables[start : start + count if count else None]


def no_object(name: str) -> InvalidParams:
    """Return the error for a variable NAME that is text only."""
    return InvalidParams(f"expected a variable with an object to look into, {name!r} has none")


def read_only(name: str) -> InvalidParams:
    """Return the error for a variable NAME that nobody can set."""
    return InvalidParams(f"expected a variable that can be set, {name!r} cannot; evaluate a form instead")

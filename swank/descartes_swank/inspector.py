"""Looking into the objects of an image: inspections of one owner each, several at once, with a history.

What is shown is made in the image (`lisp/inspector.lisp`). Swank's own, which all clients share, is not used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from .answers import checked
from .errors import InvalidParams
from .forms import Form, Symbol, Value
from .stopped import StoppedThreads

DEADLINE_MS: Final = 10_000
"""How long an expression or a part's own code may take."""

Verb = Literal["part", "back", "forward", "refresh", "more", "action", "set", "eval", "close"]


@dataclass(frozen=True, slots=True)
class Part:
    """One line of an inspection; the numbers mean something until the inspection shows something else."""

    text: str
    part: int | None = None
    """Opens the line's object, or names the place that `settable` says can be set."""
    key: int | None = None
    """Opens the key of a hash table's entry."""
    action: int | None = None
    action_text: str | None = None
    """What the action does, where TEXT is about the object and not about the action."""
    settable: bool = False


@dataclass(frozen=True, slots=True)
class Inspection:
    """An object as it is shown: its printed form as TITLE, its TYPE, and a page of lines."""

    id: str
    title: str
    type: str
    parts: tuple[Part, ...] = ()
    more: bool = False
    """Whether there are items after those of this page."""
    start: int = 0
    """Which line of the whole the first of PARTS is; above 0 only in answers to `more`."""
    count: int | None = None
    """How many items the object has, where that is known."""
    back: bool = False
    forward: bool = False
    values: tuple[str, ...] = ()
    """Of `eval`: the values as they print."""
    output: str = ""
    """What was printed by the code that was evaluated."""


@dataclass(frozen=True, slots=True)
class Expression:
    """The first value of CODE."""

    code: str

    def form(self) -> list[Form]:
        return [Symbol(":expression"), self.code]


@dataclass(frozen=True, slots=True)
class ResultValue:
    """The value INDEX of an evaluation that has ended."""

    evaluation: str
    index: int = 0

    def form(self) -> list[Form]:
        return [Symbol(":evaluation"), self.evaluation, self.index]


@dataclass(frozen=True, slots=True)
class CallObject:
    """The argument or value INDEX of the traced CALL."""

    call: str | int
    which: Literal["argument", "value"]
    index: int

    def form(self) -> list[Form]:
        return [Symbol(f":{self.which}"), self.call, self.index]


@dataclass(frozen=True, slots=True)
class LocalVariable:
    """The variable PLACE of a frame: its name, or its number in the frame's list from 0."""

    place: str | int

    def form(self) -> list[Form]:
        return [Symbol(":local"), self.place]


@dataclass(frozen=True, slots=True)
class StopCondition:
    """The condition that a thread stopped with."""

    def form(self) -> list[Form]:
        return [Symbol(":condition")]


class Inspector:
    """The inspections in LISP's image. An owner's are seen by that owner alone; the newest 20 are kept.

    Errors: of every method `LispLost`; `NotFound` for an inspection or part that is not there;
    `InvalidParams` when code signals, with the condition: nothing stops; `TimedOut`.
    """

    def __init__(self, lisp: StoppedThreads) -> None:
        self._lisp = lisp

    async def open(
        self,
        source: Expression | ResultValue | CallObject,
        *,
        id: str,
        owner: str,
        client: str = "",
        package: str | None = None,
        count: int | None = None,
        deadline_ms: int = DEADLINE_MS,
    ) -> Inspection:
        """Return the inspection ID of the object SOURCE, with COUNT of its items.

        CLIENT: whose variables (`*`, `*package*`) count in expressions; PACKAGE as it stands in a file.
        """
        form = _quote(source.form())
        return await self._ask("open", id, owner, client, package, form, count, max(1, deadline_ms))

    async def open_stopped(
        self,
        source: LocalVariable | StopCondition | Expression,
        thread: int,
        level: int,
        frame: int = 0,
        *,
        id: str,
        owner: str,
        client: str = "",
        count: int | None = None,
        deadline_ms: int = DEADLINE_MS,
    ) -> Inspection:
        """Return the inspection ID of an object of a stopped THREAD. Errors: `DebuggerStale`."""
        form = _quote(source.form())
        arguments: list[Form] = [id, owner, client, frame, form, count, max(1, deadline_ms)]
        (message,) = await self._lisp.at_stop(thread, level, "inspector-open-stopped", *arguments)
        return _inspection(message)

    async def do(
        self, id: str, owner: str, verb: Verb, *arguments: int | str | None, deadline_ms: int = DEADLINE_MS
    ) -> Inspection:
        """Return the inspection ID (or what begins so) after VERB was done with it.

        Example: await inspector.do("ins_1", "ann", "set", 4, "(1+ *)")
        """
        return await self._ask("do", id, owner, max(1, deadline_ms), Symbol(f":{verb}"), *arguments)

    async def list(self, owner: str) -> list[Inspection]:
        """Return the open inspections of OWNER, the newest first, without their parts."""
        (found,) = checked(await self._lisp.call("descartes-boot:inspector-list", owner))
        return [Inspection(id, title, type) for id, title, type in found or []]

    async def _ask(self, verb: str, *arguments: Form) -> Inspection:
        answer = checked(await self._lisp.call(f"descartes-boot:inspector-{verb}", *arguments))
        return _inspection(answer[0])


def _quote(form: list[Form]) -> Form:
    return [Symbol("quote"), form]


def _inspection(message: Value) -> Inspection:
    match message:
        case [str(id), str(title), str(type), parts, more, int(start), count, back, forward, values, output]:
            return Inspection(
                id,
                title,
                type,
                tuple(_part(each) for each in parts or []),
                bool(more),
                start,
                count,
                bool(back),
                bool(forward),
                tuple(values or ()),
                output or "",
            )
    raise InvalidParams(f"Expected an inspection from the image, got {message!r:.200}")


def _part(form: Value) -> Part:
    text, part, key, action, action_text, settable = form
    return Part(str(text), part, key, action, action_text, bool(settable))

"""What can be asked of an image, and the shapes of the answers; how it is asked is `service`'s."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from descartes_swank.errors import Cancelled, InvalidParams, NotFound, SwankError, TimedOut
from descartes_swank.marks import FileState, Unit, read_states

_Answer = TypeVar("_Answer")
_GRACE_SECONDS = 1.0
"""How much longer than its deadline an answer is waited for: a collection of garbage cannot be hurried."""


class ClassInfo(msgspec.Struct, frozen=True):
    """What a class consists of: names in the order of their definition."""

    superclasses: list[str] = []
    slots: list[str] = []


class SymbolInfo(msgspec.Struct, frozen=True):
    """What the image knows about one symbol."""

    name: str
    """As one writes it: `mapcar`, `|Foo Bar|`."""
    package: str | None = None
    """The home package; None for a symbol without one."""
    external: bool = False
    kinds: list[str] = []
    """Of function, macro, generic, special-operator, variable, constant, symbol-macro, class, structure,
    condition, type, compiler-macro, setf."""
    arglist: str | None = None
    documentation: dict[str, str] = {}
    """By kind: function, variable, type, setf, compiler-macro."""
    value: str | None = None
    type: str | None = None
    """The type of a function, as declared or derived."""
    class_: ClassInfo | None = msgspec.field(default=None, name="class")


class Candidate(msgspec.Struct, frozen=True):
    """A symbol or package that may be meant; LABEL is what to insert."""

    label: str
    kind: str
    """As in `classify`, or package, or symbol for one that names nothing."""
    package: str | None = None
    arglist: str | None = None


class Definition(msgspec.Struct, frozen=True):
    """One place where a name is defined."""

    kind: str
    """Of function, generic, method, macro, compiler-macro, setf, variable, constant, symbol-macro, class,
    structure, condition, type, method-combination, package."""
    name: str
    """With qualifiers and specializers for a method: `area (:around circle t)`."""
    file: str
    offset: int
    """Of the definition's first character; 0-based, in code points, in the file as it is on disk."""
    snippet: str | None = None
    """The text that stands there, to find it again in a text that has changed."""


class Questions(Protocol):
    """What can be asked of an image.

    Shapes: names and package designators as they stand in a file (`alexandria:flatten`, `(setf foo)`,
    `"ALEXANDRIA"`, `#:foo`); an unknown package means COMMON-LISP-USER. No symbol is ever interned.
    Errors: `TimedOut`, `LispLost`, and `SwankError` when the image could not answer.
    Concurrency: any number of questions at once; cancelling one stops the work in the image.
    """

    async def symbol(self, name: str, package: str) -> SymbolInfo | None:
        """Return what is known about the symbol NAME; None when there is no such symbol."""
        ...

    async def completions(self, prefix: str, package: str, limit: int = 200) -> list[Candidate]:
        """Return what PREFIX may become, the best first: by prefix, compound (`m-v-b`), part or letters."""
        ...

    async def arglist(self, name: str, package: str) -> str | None:
        """Return how NAME is called: `(mapcar function list &rest more-lists)`; None for no function."""
        ...

    async def definitions(self, name: str, package: str) -> list[Definition]:
        """Return all places in existing files where NAME is defined."""
        ...

    async def classify(self, names: Sequence[str], package: str) -> dict[str, str]:
        """Return what those of NAMES are that name something: function, macro, generic, special-operator,
        variable, constant, class or type."""
        ...

    async def bodies(self, names: Sequence[str], package: str) -> dict[str, int]:
        """Return of those of NAMES that are macros with a `&body` how many arguments come before it; -1 of
        those that are functions."""
        ...

    async def describe(self, name: str, package: str) -> str:
        """Return what DESCRIBE prints about NAME; nothing for an unknown symbol."""
        ...

    async def apropos(self, text: str, package: str | None = None) -> list[Candidate]:
        """Return symbols with TEXT in their names that name something, of PACKAGE or of all packages."""
        ...

    async def drift(self, file: str, units: Sequence[Unit]) -> FileState | None:
        """Return what the image has of UNITS of FILE; None where no session ever evaluated."""
        ...

    async def relay(self, request: dict[str, Any], deadline_ms: int | None = None) -> Any:
        """Return the answer to REQUEST, `{question, …}`, as plain JSON data; any question there is."""
        ...


class Reply(msgspec.Struct):
    """One line of the image: the answer to the question `id`, or why there is none."""

    id: int | None = None
    answer: msgspec.Raw = msgspec.Raw(b"null")
    error: dict[str, str] | None = None


_SYMBOL: msgspec.json.Decoder[SymbolInfo | None] = msgspec.json.Decoder(SymbolInfo | None)
_CANDIDATES = msgspec.json.Decoder(list[Candidate])
_DEFINITIONS = msgspec.json.Decoder(list[Definition])
_KINDS = msgspec.json.Decoder(dict[str, str])
_POSITIONS = msgspec.json.Decoder(dict[str, int])
_TEXT = msgspec.json.Decoder(str)
_OPTIONAL_TEXT: msgspec.json.Decoder[str | None] = msgspec.json.Decoder(str | None)
_PLAIN: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


class Asking(ABC):
    """The questions, made into JSON; how that reaches the image is the subclass's."""

    def __init__(self, deadline_ms: int) -> None:
        self._deadline_ms = deadline_ms

    async def symbol(self, name: str, package: str) -> SymbolInfo | None:
        return await self._ask(_SYMBOL, {"question": "symbol", "name": name, "package": package})

    async def completions(self, prefix: str, package: str, limit: int = 200) -> list[Candidate]:
        request = {"question": "completions", "prefix": prefix, "package": package, "limit": limit}
        return await self._ask(_CANDIDATES, request)

    async def arglist(self, name: str, package: str) -> str | None:
        return await self._ask(_OPTIONAL_TEXT, {"question": "arglist", "name": name, "package": package})

    async def definitions(self, name: str, package: str) -> list[Definition]:
        return await self._ask(_DEFINITIONS, {"question": "definitions", "name": name, "package": package})

    async def classify(self, names: Sequence[str], package: str) -> dict[str, str]:
        request = {"question": "classify", "names": names, "package": package}
        return await self._ask(_KINDS, request)

    async def bodies(self, names: Sequence[str], package: str) -> dict[str, int]:
        request = {"question": "bodies", "names": names, "package": package}
        return await self._ask(_POSITIONS, request)

    async def describe(self, name: str, package: str) -> str:
        return await self._ask(_TEXT, {"question": "describe", "name": name, "package": package})

    async def apropos(self, text: str, package: str | None = None) -> list[Candidate]:
        return await self._ask(_CANDIDATES, {"question": "apropos", "text": text, "package": package})

    async def relay(self, request: dict[str, Any], deadline_ms: int | None = None) -> Any:
        """Return the image's answer to REQUEST, `{question, …}`, as plain JSON data.

        Which questions there are stands in `lisp/questions.lisp`, `exploring.lisp` and the files after it.
        Errors: also `NotFound` and `InvalidParams`, from an image that knows why it refuses.
        """
        return await self._ask(_PLAIN, request, deadline_ms)

    async def drift(self, file: str, units: Sequence[Unit]) -> FileState | None:
        answer = await self._ask(_PLAIN, {"question": "drift", "file": file, "units": units})
        return None if answer is None else read_states(answer)

    async def _ask(
        self,
        answer: msgspec.json.Decoder[_Answer],
        request: dict[str, Any],
        deadline_ms: int | None = None,
    ) -> _Answer:
        allowed_ms = request["deadlineMs"] = deadline_ms or self._deadline_ms
        try:
            async with asyncio.timeout(allowed_ms / 1000 + _GRACE_SECONDS):
                reply = await self._reply(request)
        except TimeoutError:
            raise TimedOut(
                f"The Lisp did not answer within {allowed_ms} ms and could not be interrupted"
            ) from None
        if reply.error is not None:
            raise _error(reply.error)
        return answer.decode(reply.answer)

    @abstractmethod
    async def _reply(self, request: dict[str, Any]) -> Reply:
        """Return the image's answer to REQUEST, which gets its id here; cancelling stops the work."""


def _error(error: dict[str, str]) -> SwankError:
    message = error.get("message", "The Lisp could not answer")
    kinds = {each.code: each for each in (TimedOut, Cancelled, NotFound, InvalidParams)}
    return kinds.get(error.get("code", ""), SwankError)(message)

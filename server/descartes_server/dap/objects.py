"""Objects of the image as trees of variables, through the inspector.

A node is a root and the lines to go through from it. It is opened for each look and closed after it, so that
any number of nodes may be unfolded, at the same time and in any order.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from descartes_core.errors import DescartesError, InvalidParams, NotFound
from descartes_server.dap.references import Variable, Way, no_object, read_only
from descartes_server.dap.stops import Stop

if TYPE_CHECKING:
    from descartes_server.dap.adapter import Adapter

PAGE = 100
LARGEST_PAGE = 10_000
"""What the inspector gives at once."""
FARTHEST = 100_000
"""Items before the page asked for, which the inspector goes through one by one."""
ABOUT = "about"
"""How a line that says something of the whole object is called."""
READ_ONLY = {"attributes": ["readOnly"]}
Line = Mapping[str, Any]
Inspection = dict[str, Any]
"""As in `operations.inspector`."""


@dataclass(frozen=True)
class Node:
    """The object that ROOT, parameters of `inspector.open`, and the numbers of lines in PATH lead to."""

    adapter: Adapter
    root: Mapping[str, Any]
    stop: Stop | None
    path: tuple[int, ...] = ()

    async def variables(self, start: int, count: int | None, filter: str | None = None) -> list[Variable]:
        """Return its lines as variables; without COUNT the first page, and a variable with the rest."""
        shown = count or PAGE
        async with self._opened(start + shown) as inspection:
            lines = [each for each in _lines(inspection) if _fits(each[1], filter)]
            rest = inspection["more"] or len(lines) > start + shown
        found = [self._variable(index, line) for index, line in lines[start : start + shown]]
        if rest and count is None:
            found.append(self._rest(start + shown, filter, inspection["count"]))
        return found

    async def set(self, name: str, value: str) -> Variable:
        async with self._opened(PAGE) as inspection:
            index, line = await self._line(inspection, name)
            if not line["settable"]:
                raise read_only(name)
            await self.adapter.session.call(
                "inspector.set", {"id": inspection["id"], "part": line["part"], "code": value}
            )
            refreshed = await self.adapter.session.call("inspector.refresh", {"id": inspection["id"]})
            await self._more(refreshed, index + 1)
        self.adapter.invalidated("variables")
        return self._variable(index, refreshed["parts"][index])

    async def way_to(self, name: str) -> Way:
        async with self._opened(PAGE) as inspection:
            index, line = await self._line(inspection, name)
        if line["part"] is None:
            raise no_object(name)
        return Way(self.root, (*self.path, index))

    async def sizes(self) -> dict[str, Any]:
        """Return the fields type and, of what has numbered items, their number, as the client wants them."""
        client = self.adapter.client
        if client is None or not (client.supports_variable_paging or client.supports_variable_type):
            return {}
        with suppress(DescartesError):
            async with self._opened(1) as inspection:
                return _sizes(inspection, client.supports_variable_type, client.supports_variable_paging)
        return {}

    async def _line(self, inspection: Inspection, name: str) -> tuple[int, Line]:
        """Return the line NAME of INSPECTION with its number, however far behind it is."""
        lines = inspection["parts"]
        while name not in [_split(line)[0] for line in lines] and inspection["more"]:
            await self._more(inspection, len(lines) + LARGEST_PAGE)
        for index, line in enumerate(lines):
            if _split(line)[0] == name:
                return index, line
        raise NotFound(f"there is no {name!r} in this object any more; unfold it again")

    def _variable(self, index: int, line: Line) -> Variable:
        name, value = _split(line)
        variable: Variable = {"name": name, "value": value, "variablesReference": 0}
        if line["part"] is not None and is_structured(value):
            node = replace(self, path=(*self.path, index))
            variable["variablesReference"] = self.adapter.references.add(node, self.stop)
        return variable if line["settable"] else {**variable, "presentationHint": READ_ONLY}

    def _rest(self, start: int, filter: str | None, total: int | None) -> Variable:
        rest = Rest(self, start, filter)
        of = f" of {total}" if total is not None else ""
        return {
            "name": f"[{start}…]",
            "value": f"more{of}",
            "variablesReference": self.adapter.references.add(rest, self.stop),
            "presentationHint": {"kind": "virtual", **READ_ONLY},
        }

    @asynccontextmanager
    async def _opened(self, count: int) -> AsyncIterator[Inspection]:
        """Give the object with COUNT of its items, or all that there are."""
        call = self.adapter.session.call
        sizes = [*(index + 1 for index in self.path), count]
        inspection = await call("inspector.open", {**self.root, "count": min(sizes[0], LARGEST_PAGE)})
        try:
            for index, size in zip(self.path, sizes[1:], strict=True):
                await self._more(inspection, index + 1)
                lines = inspection["parts"]
                if index >= len(lines) or lines[index]["part"] is None:
                    raise NotFound("the object has changed and the place is gone; unfold it again")
                inspection = await call(
                    "inspector.part", {"id": inspection["id"], "part": lines[index]["part"]}
                )
                await self._more(inspection, size)
            await self._more(inspection, count)
            yield inspection
        finally:
            with suppress(DescartesError):
                await call("inspector.close", {"id": inspection["id"]})

    async def _more(self, inspection: Inspection, count: int) -> None:
        """Put further lines into INSPECTION until it has COUNT, or all that there are."""
        if count > FARTHEST + LARGEST_PAGE:
            raise InvalidParams(
                f"expected at most {FARTHEST} items before the page, got {count}; "
                "evaluate a form such as (subseq … start end) and look into its value"
            )
        while inspection["more"] and len(inspection["parts"]) < count:
            size = min(count - len(inspection["parts"]), LARGEST_PAGE)
            page = await self.adapter.session.call("inspector.more", {"id": inspection["id"], "count": size})
            inspection["parts"] += page["parts"]
            inspection["more"] = page["more"]


@dataclass(frozen=True)
class Rest:
    """The items of NODE from START on, as a container of their own."""

    node: Node
    start: int
    filter: str | None

    async def variables(self, start: int, count: int | None, filter: str | None = None) -> list[Variable]:
        return await self.node.variables(self.start + start, count, filter or self.filter)

    async def set(self, name: str, value: str) -> Variable:
        return await self.node.set(name, value)

    async def way_to(self, name: str) -> Way:
        return await self.node.way_to(name)


def is_structured(printed: str) -> bool:
    """Return whether what is PRINTED so may consist of parts that one wants to see.

    Example: is_structured("(1 2)") and is_structured("#<PT>"), not is_structured("42"), nor of "#\\a"
    """
    return printed.startswith("(") or (printed.startswith("#") and not printed.startswith(("#\\", "#:")))


def _lines(inspection: Inspection) -> list[tuple[int, Line]]:
    """Return the lines of INSPECTION to show, with their numbers: a heading is one with what stands below it.

    What can be done with the object is left out: variables have no actions.
    """
    found: list[tuple[int, Line]] = []
    heading = False
    for index, line in enumerate(inspection["parts"]):
        text = line["text"].strip()
        if line["part"] is not None:
            found.append((index, line))
        elif heading and text:
            number, above = found[-1]
            found[-1] = number, {**above, "text": f"{above['text']} {text}"}
            continue
        elif text and line.get("action") is None:
            found.append((index, {**line, "text": text}))
        heading = line["part"] is None and text.endswith(":")
    return found


def _split(line: Line) -> tuple[str, str]:
    """Return the name and the value that LINE of an inspection shows; one without an object is about it all.

    Example: {"text": "0 = (1 2)", "part": 1} -> ("0", "(1 2)")
    """
    text: str = line["text"]
    if line["part"] is not None:
        for between in (" = ", " → "):
            name, found, value = text.partition(between)
            if found:
                return name, value
        return text.strip() or " ", ""
    heading, found, below = text.partition(": ")
    return (heading, below) if found and heading.isalpha() else (ABOUT, text.strip())


def _fits(line: Line, filter: str | None) -> bool:
    if filter is None:
        return True
    return _split(line)[0].isdecimal() == (filter == "indexed")


def _sizes(inspection: Inspection, type: bool, paging: bool) -> dict[str, Any]:
    sizes: dict[str, Any] = {"type": inspection["type"]} if type else {}
    lines = inspection["parts"]
    numbered = any(_fits(line, "indexed") for line in lines if line["part"] is not None)
    if paging and numbered and inspection["count"] is not None:
        sizes["indexedVariables"] = inspection["count"]
        sizes["namedVariables"] = sum(
            line["part"] is not None and not _fits(line, "indexed") for line in lines
        )
    return sizes

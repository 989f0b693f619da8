"""What the data of each event looks like: a registry of names, each with its category and a shape.

To add an event, register its name beside the code that appends it, once, when its module is imported:

    class SecretRead(Data, frozen=True, kw_only=True):
        \"\"\"A secret was handed to a run.\"\"\"

        name: str
        run: str | None = None

    register("system", {"secret.read": SecretRead})

The first line of the docstring is what the reference says. Fields are camelCase on the wire; what may be
missing has a default. A shape that already exists (`Lease`) may be used as it is, a JSON Schema (a dict)
where no struct says it. Import the module in `descartes_server/operations/events.py`, so that
`descartes history schema` and the reference page have it, and call `make docs`.

Production appends are never checked. The test suite sets `DESCARTES_CHECK_EVENTS` to the modules that make
all names known; then an append with an unknown name, another category or data that does not fit raises
`WrongEvent`, in every process. A test of the log itself, with events that nobody else knows, is marked
`@pytest.mark.invented_events`.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, get_args

import msgspec

from descartes_core.model import Category, Event, NewEvent, Shape

CHECK_VARIABLE = "DESCARTES_CHECK_EVENTS"


class Data(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of shapes that are only the data of events."""


DataShape = type[msgspec.Struct] | dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A name of events: its CATEGORY and what its data looks like."""

    name: str
    category: Category
    data: DataShape

    @property
    def summary(self) -> str:
        """What the reference says of it, one sentence."""
        text = self.data.get("description", "") if isinstance(self.data, dict) else self.data.__doc__ or ""
        return text.strip().partition("\n")[0]


class WrongEvent(Exception):
    """An event that was appended in a test does not fit what is registered."""


_KINDS: dict[str, Kind] = {}


def register(category: Category, shapes: Mapping[str, DataShape]) -> None:
    """Make the names in SHAPES known as events of CATEGORY with that data.

    Errors: `ValueError` when a name is known as something else.
    """
    for name, shape in shapes.items():
        kind = Kind(name, category, shape)
        if _KINDS.setdefault(name, kind) != kind:
            raise ValueError(f"The event {name!r} is registered twice, and not alike")


def kinds() -> list[Kind]:
    """Return every kind of event that is known, by category in their usual order, then by name."""
    _load_core()
    order = get_args(Category)
    return sorted(_KINDS.values(), key=lambda kind: (order.index(kind.category), kind.name))


def checking() -> bool:
    """Return whether this process checks what it appends."""
    return bool(os.environ.get(CHECK_VARIABLE))


def check(event: NewEvent) -> None:
    """Raise `WrongEvent` when EVENT is not of a known kind, its category another or its data unfit."""
    kind = _find(event.name)
    if kind is None:
        raise WrongEvent(f"No event {event.name!r} is registered; see descartes_core/store/schemas.py")
    if kind.category != event.category:
        raise WrongEvent(f"{event.name!r} is registered as {kind.category!r}, not {event.category!r}")
    try:
        if isinstance(kind.data, dict):
            _validate(event.data, kind.data)
        else:
            msgspec.convert(event.data, kind.data)
    except Exception as error:
        raise WrongEvent(f"The data of {event.name!r} do not fit: {error}: {event.data!r}") from error


def document() -> dict[str, Any]:
    """Return one JSON Schema for every event of the log, as it is published.

    Shapes: `categories` has the names of each category; data shapes are `$defs`.
    """
    known = kinds()
    structs = [kind.data for kind in known if not isinstance(kind.data, dict)]
    _, found = msgspec.json.schema_components([Event, *structs], ref_template="#/$defs/{name}")
    event: dict[str, Any] = found.pop("Event")
    names = {"enum": [kind.name for kind in known]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **event,
        "title": "An event of the log of Descartes",
        "categories": _by_category(known),
        "properties": {**event["properties"], "name": names},
        "allOf": [_if_so_named(kind) for kind in known],
        "$defs": found,
    }


def _by_category(known: list[Kind]) -> dict[str, list[str]]:
    return {
        category: [kind.name for kind in known if kind.category == category]
        for category in get_args(Category)
    }


def _if_so_named(kind: Kind) -> dict[str, Any]:
    data = kind.data if isinstance(kind.data, dict) else {"$ref": f"#/$defs/{kind.data.__name__}"}
    return {
        "if": {"properties": {"name": {"const": kind.name}}},
        "then": {"properties": {"category": {"const": kind.category}, "data": data}},
    }


def _find(name: str) -> Kind | None:
    if name not in _KINDS:
        _load_core()
        _load_named(os.environ.get(CHECK_VARIABLE, ""))
    return _KINDS.get(name)


def _load_core() -> None:
    import descartes_core.store.event_data  # noqa: F401  (it registers)


@lru_cache
def _load_named(modules: str) -> None:
    for module in filter(None, modules.split(",")):
        importlib.import_module(module)


def _validate(data: Any, schema: dict[str, Any]) -> None:
    import jsonschema

    jsonschema.Draft202012Validator(schema).validate(data)

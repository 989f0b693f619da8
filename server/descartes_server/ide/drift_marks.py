"""Drift as an editor shows it: marks over the names of definitions, and what offers to load them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from descartes_server.ide import drift
from descartes_server.ide.drift import Has, State, Unit
from descartes_server.ide.stops import Mark
from descartes_server.ide.syntax import Syntax

DRIFT_CODE = "drift"


@dataclass(frozen=True)
class Loaded:
    """What the image HAS of a file's definitions, by identity; SEEN: some of it was seen being loaded."""

    has: Mapping[tuple[Any, ...], Has] = field(default_factory=dict)
    seen: bool = False


def drifted(syntax: Syntax, loaded: Loaded | None) -> list[tuple[Unit, State]]:
    """Return the definitions of SYNTAX whose text the image does not have.

    Nothing is missing from an image that never had anything of the file.
    """
    if loaded is None or not loaded.seen:
        return []
    found = drift.states(drift.units_in(syntax), loaded.has)
    return [(unit, state) for unit, state in found if state in ("changed", "missing")]


def marks(found: Sequence[tuple[Unit, State]]) -> Iterator[Mark]:
    """Yield a mark for each of FOUND over its name."""
    for unit, state in found:
        if state == "changed":
            yield Mark(
                unit.name_start,
                unit.name_end,
                f"The image has another text of {unit.name}",
                "information",
                DRIFT_CODE,
            )
        else:
            yield Mark(
                unit.name_start, unit.name_end, f"The image does not have {unit.name}", "hint", DRIFT_CODE
            )

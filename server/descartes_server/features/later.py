"""The methods that a start need not wait for: announced at once, each module loaded when it is first asked.

The function that answers has the name of its method: `range_formatting` for `textDocument/rangeFormatting`.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from lsprotocol import types

from descartes_server.dispatch import on_snapshot
from descartes_server.state import ServerState, Snapshot

_CAPITAL = re.compile(r"(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Later:
    """A METHOD that a module of `features/` answers; the rest is as for `on_snapshot`."""

    method: str
    module: str
    options: Any = None
    places: bool = False
    of_texts: bool = False

    @property
    def function(self) -> str:
        """Return the name of the function that answers."""
        return _CAPITAL.sub("_", self.method.rpartition("/")[2]).lower()


METHODS = (
    Later(types.TEXT_DOCUMENT_FORMATTING, "formatting", places=True),
    Later(
        types.TEXT_DOCUMENT_RANGE_FORMATTING,
        "formatting",
        types.DocumentRangeFormattingOptions(ranges_support=True),
        places=True,
    ),
    Later(types.TEXT_DOCUMENT_RANGES_FORMATTING, "formatting", places=True),
    Later(
        types.TEXT_DOCUMENT_ON_TYPE_FORMATTING,
        "formatting",
        types.DocumentOnTypeFormattingOptions(first_trigger_character="\n"),
        places=True,
    ),
    Later(types.TEXT_DOCUMENT_PREPARE_RENAME, "renaming"),
    Later(types.TEXT_DOCUMENT_RENAME, "renaming", types.RenameOptions(prepare_provider=True), places=True),
    Later(types.TEXT_DOCUMENT_LINKED_EDITING_RANGE, "renaming", places=True),
    Later(types.TEXT_DOCUMENT_DECLARATION, "declaration"),
    Later(types.TEXT_DOCUMENT_IMPLEMENTATION, "implementation"),
    Later(types.TEXT_DOCUMENT_TYPE_DEFINITION, "type_definition"),
    Later(types.TEXT_DOCUMENT_PREPARE_TYPE_HIERARCHY, "type_hierarchy"),
    Later(types.TYPE_HIERARCHY_SUPERTYPES, "type_hierarchy"),
    Later(types.TYPE_HIERARCHY_SUBTYPES, "type_hierarchy"),
    Later(types.TEXT_DOCUMENT_SELECTION_RANGE, "selection", of_texts=True),
    Later(
        types.TEXT_DOCUMENT_DOCUMENT_LINK, "links", types.DocumentLinkOptions(), places=True, of_texts=True
    ),
    Later(types.WORKSPACE_SYMBOL, "workspace_symbols", of_texts=True),
)


def register(state: ServerState) -> None:
    for each in METHODS:
        on_snapshot(state, each.method, _body(each), each.options, places=each.places, of_texts=each.of_texts)


def _body(later: Later) -> Callable[[Snapshot, Any], Awaitable[Any]]:
    async def body(snapshot: Snapshot, params: Any) -> Any:
        module = importlib.import_module(f"descartes_server.features.{later.module}")
        return await getattr(module, later.function)(snapshot, params)

    return body

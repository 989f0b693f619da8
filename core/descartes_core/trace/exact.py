"""What the log shows masked, kept beside it as it was given, for the program that gave it.

Secrets, by their value or by their looks, are kept nowhere: they stay masked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec

from descartes_core.model import NewEvent
from descartes_core.store.redaction import Redactor
from descartes_core.store.rows import json_text
from descartes_core.trace.blobs import Blobs
from descartes_core.trace.entries import Record
from descartes_core.trace.errors import ArtifactNotFound

_KEPT = ("content", "correction")


def keep(event: NewEvent, redactor: Redactor, blobs: Blobs) -> NewEvent:
    """Return EVENT, an entry; what REDACTOR would mask of it is put into BLOBS and named in it."""
    given = {name: event.data.get(name) for name in _KEPT}
    masked = redactor.event(event).data
    shown = {name: masked.get(name) for name in _KEPT}
    if shown == given or (exact := _mapped(given, redactor.keys)) == shown:
        return event
    return msgspec.structs.replace(event, data={**event.data, "exact": blobs.put(json_text(exact))})


def restored(record: Record, blobs: Blobs) -> Record:
    """Return RECORD as it was given; as the log shows it when that is not kept any more."""
    if record.exact is None:
        return record
    try:
        given = msgspec.json.decode(blobs.get(record.exact, "an entry"))
    except ArtifactNotFound:
        return record
    entry = replace(record.entry, content=given["content"])
    return replace(record, entry=entry, correction=given["correction"])


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """Return the JSON VALUE with every text changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(key): _mapped(item, change) for key, item in value.items()}
    return [_mapped(item, change) for item in value] if isinstance(value, list) else value

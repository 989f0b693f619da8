"""What the log keeps of an evaluation beside its outcome, so that it can be listed and repeated.

Long texts are kept as blobs. Deliberately knows nothing of repeating; that is `replaying`.
"""

from __future__ import annotations

import asyncio
from typing import Any

from descartes_core.blobs import Blobs
from descartes_core.errors import StoreUnavailable
from descartes_core.store import Redactor
from descartes_server.operations.evaluations import Record

INLINE = 4096
"""Code points of code that stand in the event itself."""


async def notes_of(
    record: Record, files: list[tuple[str, str]], blobs: Blobs, redactor: Redactor
) -> dict[str, Any]:
    """Return what is kept of RECORD, which made ASDF load FILES, paths and texts: `{code, asked}`.

    Errors: `StoreUnavailable` when a long text cannot be kept.
    """
    inline = len(record.code) <= INLINE and redactor.text(record.code) == record.code
    if inline and not files and (record.code or record.source is None):
        return _notes_of(record, files, blobs, redactor)
    try:
        return await asyncio.to_thread(_notes_of, record, files, blobs, redactor)
    except OSError as error:
        raise StoreUnavailable(
            f"a long text cannot be kept beside the log: {error.strerror}; make room on that disk"
        ) from None


def _notes_of(
    record: Record, files: list[tuple[str, str]], blobs: Blobs, redactor: Redactor
) -> dict[str, Any]:
    # What is repeated has to be exact, so personal data is kept in the blob; secrets are not kept anywhere.
    exact, code = redactor.keys(record.code), redactor.text(record.code)
    asked: dict[str, Any] = {"client": record.live.client if record.live else record.client}
    live = record.live
    if live is not None:
        asked["package"] = live.asked_package
        asked["policy"] = dict(live.asked_policy)
        asked["inFrame"] = live.in_frame
    if record.source is not None and record.span is not None:
        asked["span"] = list(record.span)
        asked["range"] = _range(record)
    if len(exact) > INLINE or exact != code:
        asked["codeBlob"] = blobs.put(exact)
    if len(code) > INLINE:
        code = f"{code[:INLINE]}… ({len(code) - INLINE} characters more)"
    if record.source is not None and not record.code:
        asked["textBlob"] = blobs.put(record.source.text)
    if record.makes is not None:
        asked["makes"] = [list(each.description()) for each in record.makes]
    if files:
        asked["files"] = [[path, blobs.put(text)] for path, text in files]
    return {"code": code, "asked": {key: value for key, value in asked.items() if value}}


def _range(record: Record) -> dict[str, Any]:
    assert record.source is not None and record.span is not None
    found = record.source.range(*record.span)
    return {
        end: {"line": place.line, "column": place.column}
        for end, place in (("start", found.start), ("end", found.end))
    }

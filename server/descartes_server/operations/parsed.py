"""The syntax of the texts that operations are about, kept from one request to the next.

Compiling form after form in a file of thousands of lines then costs what one form costs.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from pathlib import Path

from descartes_server.ide import syntax
from descartes_server.ide.forms import form_of
from descartes_server.ide.syntax import Syntax
from descartes_server.operations.texts import SourceText

KEPT = 4
"""Texts; each takes some thirty times the bytes of its file."""
AT_ONCE = 5_000
"""Code points that are read without leaving the loop: about a millisecond."""

_kept: OrderedDict[Path, Syntax] = OrderedDict()


async def parsed(source: SourceText) -> Syntax:
    """Return the syntax of SOURCE; of a text that was asked about before only what changed is read anew.

    Concurrency: for one event loop; much that is new is read on a thread.
    """
    known = _kept.get(source.path)
    if known is not None and known.text == source.text:
        return known
    grown = abs(len(source.text) - (len(known.text) if known else 0))
    found = await asyncio.to_thread(_read, source.text, known) if grown > AT_ONCE else None
    found = found or syntax.parse(source.text, known)
    _kept[source.path] = found
    _kept.move_to_end(source.path)
    if len(_kept) > KEPT:
        _kept.popitem(last=False)
    return found


def _read(text: str, known: Syntax | None) -> Syntax:
    found = syntax.parse(text, known)
    # Not `forms`: on Python 3.11 the lock of a cached property would make the loop wait for this thread.
    for segment in found.segments:
        form_of(segment)
    return found

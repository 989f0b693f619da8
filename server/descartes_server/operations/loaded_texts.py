"""Which texts the hub's image has loaded: what is sent to it leaves marks there, and the marks are asked for.

The marks are kept in the image, so that they end with it and outlive the hub; see `descartes_swank.marks`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import descartes_swank as swank
from descartes_server.ide import drift, syntax
from descartes_server.ide.drift import Unit
from descartes_server.operations.evaluations import Record
from descartes_server.operations.orderly import Orderly
from descartes_server.operations.parsed import AT_ONCE, parsed
from descartes_server.operations.texts import SourceText


class LoadedTexts:
    """The marks in the image that RUNNING gives. Used on the hub's loop."""

    def __init__(self, running: Callable[[], swank.Lisp]) -> None:
        self._running = running
        self._files = Orderly("texts of loaded files")
        self._told: list[tuple[str, str]] = []

    async def expect(self, record: Record) -> None:
        """Have the image mark what RECORD, which is about to be sent, defines."""
        units = record.makes if record.makes is not None else await _made_by(record)
        if units:
            file = real(record.source.path) if record.source else None
            self._running().marks.expect(record.id, file, [each.description() for each in units])

    def file_loaded(self, file: swank.LoadedFile) -> None:
        """Take in that ASDF loaded FILE."""

        async def mark() -> None:
            lisp = self._running()
            here = lisp.paths.here(file.path)
            if here is not None:
                self._told.append((real(here), file.text))
                units = await asyncio.to_thread(_units, file.text)
                known = replace(file, path=real(here))
                await lisp.marks.loaded(known, [each.description() for each in units])

        self._files.post(mark)

    async def follow(self, lisp: swank.Lisp, folder: Path) -> None:
        """Have LISP tell of the files below FOLDER that ASDF loads, and take in those nobody heard of."""
        there = lisp.paths.there(real(folder))
        for file in await lisp.marks.follow(there) if there else ():
            self.file_loaded(file)

    async def in_load_order(self, files: Sequence[str], systems: Sequence[str]) -> list[str]:
        """Return FILES as the systems defined in the files SYSTEMS load them, then those of no system."""
        lisp = self._running()
        names = {there: file for file in files if (there := lisp.paths.there(file))}
        definitions = [there for file in systems if (there := lisp.paths.there(file))]
        return [names[there] for there in await lisp.marks.in_load_order(list(names), definitions)]

    async def settled(self) -> None:
        """Answer when what was loaded until now is marked."""
        await self._files.done()

    def taken(self) -> list[tuple[str, str]]:
        """Return path and text of the files that ASDF loaded since this was last asked."""
        told, self._told = self._told, []
        return told

    async def close(self) -> None:
        """End."""
        await self._files.close()

    async def states(self, path: Path, units: Sequence[Unit]) -> swank.FileState:
        """Return what the image has of UNITS, all that the file PATH defines."""
        descriptions = [each.description() for each in units]
        return await self._running().marks.states(real(path), descriptions)


def real(path: Path | str) -> str:
    """Return PATH as marks name files: without links."""
    return os.path.realpath(path)


async def units_of(source: SourceText) -> list[Unit]:
    """Return the definitions of SOURCE."""
    return drift.units_in(await parsed(source))


async def _made_by(record: Record) -> list[Unit]:
    if record.code:
        known = await _units_of_form(record)
        return await _units_of_code(record.code) if known is None else known
    if record.kind == "eval" or record.source is None:
        return []
    return await units_of(record.source)


async def _units_of_form(record: Record) -> list[Unit] | None:
    """Return what the form of a file that RECORD is about defines: that file has been read already."""
    if record.source is None or record.span is None:
        return None
    return drift.units_of_form(await parsed(record.source), *record.span)


async def _units_of_code(code: str) -> list[Unit]:
    if "def" not in code.lower():
        return []
    return _units(code) if len(code) <= AT_ONCE else await asyncio.to_thread(_units, code)


def _units(text: str) -> list[Unit]:
    return drift.units_in(syntax.parse(text))

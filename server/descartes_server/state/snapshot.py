"""Everything a handler may look at, as it was when its request came."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from descartes_server.ide import drift_marks, holding
from descartes_server.ide.index import WorkspaceIndex
from descartes_server.ide.lenses import Scene, stopped_in
from descartes_server.ide.tests import TestForm, known_tests, may_define
from descartes_server.lsp import uris
from descartes_server.lsp.client import Abilities
from descartes_server.lsp.positions import Encoding
from descartes_server.state.documents import Document, Documents, from_disk
from descartes_server.state.image import ImageQuestions
from descartes_server.state.workshop import Workshop

if TYPE_CHECKING:
    from descartes_core.timetravel.blame import Blame
    from descartes_server.ide.syntax import Syntax


@dataclass(frozen=True)
class Snapshot:
    """The state at one message. Nothing in it changes any more, save what is found out once and kept."""

    documents: Documents
    encoding: Encoding
    workshop: Workshop
    index: WorkspaceIndex
    image: ImageQuestions
    abilities: Abilities
    executor: Executor
    blame: Callable[[Document], Awaitable[Blame | None]]
    """Tells who changed the lines of a document, where that is known at once."""

    async def document(self, uri: str) -> Document:
        """Return the text of URI: the editor's where it is open, else the disk's.

        Errors: `NotFound`; `InvalidParams` when it is no file or no text.
        """
        return self.opened(uri) or await from_disk(uri, self.encoding)

    def opened(self, uri: str) -> Document | None:
        """Return the text that the editor has open of the file URI, whichever way it writes the URI."""
        if (found := self.documents.get(uri)) is not None:
            return found
        path = uris.path_of(uri)
        real = uris.real(path) if path else None
        return next((each for each in self.documents.values() if real and each.real_path == real), None)

    async def syntax(self, document: Document) -> Syntax:
        """Return DOCUMENT's parsed text."""
        return await document.parsed(self.executor)

    async def tests(self, syntax: Syntax) -> tuple[TestForm, ...]:
        """Return the tests that SYNTAX defines."""
        if not may_define(syntax.text):
            return ()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.executor, known_tests, syntax, self.workshop.frameworks)

    def scene(
        self, document: Document, syntax: Syntax | None = None, tests: Sequence[TestForm] = ()
    ) -> Scene:
        """Return what is going on in DOCUMENT; with SYNTAX its forms are known by name."""
        leases = self.workshop.leases_on(document.uri)
        return Scene(
            uri=document.uri,
            lines=document.lines,
            now=self.now(),
            me=self.workshop.me,
            leases=leases,
            runs=self.workshop.runs,
            interventions=self.workshop.questions_about(document.uri, leases),
            stops=stopped_in(self.workshop.stops, document.real_path),
            breakpoints=[each for each in self.workshop.breakpoints if each.path == document.real_path],
            forms=_named(syntax),
            tests=tests,
            tested=self.workshop.tested,
            drifted=self._drifted(document, syntax) if syntax is not None else (),
        )

    def now(self) -> datetime:
        """Return the time, in this machine's zone, as people are told it."""
        return datetime.now().astimezone()

    def leased_scene(self, document: Document, syntax: Syntax) -> Scene:
        """Return what is going on in DOCUMENT, with the forms of SYNTAX where one of them is leased."""
        scene = self.scene(document)
        held = any(holding.form_of(lease) for lease in scene.leases)
        return replace(scene, forms=_named(syntax)) if held else scene

    async def typed_forms(self, document: Document) -> set[str] | None:
        """Return the names of the forms that the person changed in DOCUMENT, None where no form is leased."""
        leases = self.workshop.leases_on(document.uri)
        if document.base is None or not any(holding.form_of(lease) for lease in leases):
            return None
        from descartes_server.ide.leased_forms import changed_forms  # loaded with the first leased form

        before, after, path = document.base, document.text, document.path or Path(document.uri)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.executor, changed_forms, path, before, after)

    def _drifted(self, document: Document, syntax: Syntax) -> list[tuple[int, dict[str, int]]]:
        loaded = self.workshop.loaded.get(document.real_path or "")
        starts = dict.fromkeys(unit.form[0] for unit, _ in drift_marks.drifted(syntax, loaded))
        found = []
        for start in starts:
            position = document.positions.position(start)
            found.append((start, {"line": position.line, "character": position.character}))
        return found


def _named(syntax: Syntax | None) -> list[tuple[str, int, int]]:
    found = syntax.forms if syntax is not None else ()
    return [(form.name, form.start, form.end) for form in found if form.name]

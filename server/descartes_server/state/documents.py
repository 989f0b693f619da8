"""The texts: those the editor has open, exactly as it has them, and those on disk when asked about."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types

from descartes_server.ide import view_names
from descartes_server.ide.text import LineIndex
from descartes_server.lsp import uris
from descartes_server.lsp.positions import Encoding, Positions

if TYPE_CHECKING:
    from descartes_server.ide.syntax import Syntax

_AT_ONCE = 20_000
"""Code points that are parsed without leaving the loop: two or three milliseconds."""


@dataclass(frozen=True, eq=False)
class Document:
    """One version of one text. What is found in it is found once."""

    uri: str
    text: str
    encoding: Encoding
    version: int | None = None
    """The editor's number; None for a text from the disk."""
    language: str = ""
    base: str | None = field(default=None, repr=False)
    """The text as it was opened or saved, where it is another now."""
    seed: Syntax | None = field(default=None, repr=False)
    """The syntax of an earlier version, to start from."""
    _found: Syntax | None = field(default=None, init=False, repr=False)
    _parsing: asyncio.Future[Syntax] | None = field(default=None, init=False, repr=False)

    def same_text(self, other: Document | None) -> bool:
        """Return whether OTHER is a later state of this document with the same text."""
        return other is not None and (other is self or other.text == self.text)

    @property
    def changed(self) -> bool:
        """Whether the person has typed in it since it was opened or saved, and not undone it."""
        return self.base is not None

    @property
    def is_open(self) -> bool:
        return self.version is not None

    @cached_property
    def path(self) -> Path | None:
        return uris.path_of(self.uri)

    @cached_property
    def real_path(self) -> str | None:
        return uris.real(self.path) if self.path else None

    @cached_property
    def lines(self) -> LineIndex:
        return LineIndex(self.text)

    @cached_property
    def positions(self) -> Positions:
        return Positions(self.lines, self.encoding)

    @cached_property
    def is_history(self) -> bool:
        """Whether this is a history document, which is no Lisp whatever the editor says."""
        return self.path is not None and view_names.is_history(self.path)

    @cached_property
    def is_settings(self) -> bool:
        """Whether this is a settings file: a workspace's, or the person's own."""
        if self.path is None or self.path.name not in ("descartes.toml", "config.toml"):
            return False
        from descartes_server.operations import workspace  # nobody waits any more

        own = workspace.home() / "config.toml"
        return self.path.name == workspace.SETTINGS or self.real_path == uris.real(own)

    @property
    def is_lisp(self) -> bool:
        """Whether the text is read as Lisp; what is not has an empty syntax."""
        return not (self.is_history or self.is_settings)

    @property
    def syntax(self) -> Syntax:
        """The parsed text, made from the last version's where there is one."""
        # No cached_property: on Python 3.11 its lock would make the loop wait for the worker.
        if self._found is None:
            from descartes_server.ide import syntax  # initialize is answered before this is loaded

            text = self.text if self.is_lisp else ""
            object.__setattr__(self, "_found", syntax.parse(text, self.seed))
            object.__setattr__(self, "seed", None)
        assert self._found is not None
        return self._found

    async def parsed(self, executor: Executor) -> Syntax:
        """Return the syntax; a large text nobody parsed before is parsed on EXECUTOR, once."""
        if self._found is None and self.seed is None and len(self.text) > _AT_ONCE:
            if self._parsing is None:
                loop = asyncio.get_running_loop()
                object.__setattr__(self, "_parsing", loop.run_in_executor(executor, lambda: self.syntax))
            assert self._parsing is not None
            await asyncio.shield(self._parsing)
        return self.syntax

    def with_changes(self, version: int, changes: list[types.TextDocumentContentChangeEvent]) -> Document:
        """Return the document after CHANGES, each applied to what the one before it left."""
        document = self
        for change in changes:
            document = document._with(change, version)
        return document

    def _with(self, change: types.TextDocumentContentChangeEvent, version: int) -> Document:
        text = change.text
        if isinstance(change, types.TextDocumentContentChangePartial):
            start, end = self.positions.span(change.range)
            text = self.text[:start] + change.text + self.text[end:]
        base = self.text if self.base is None else self.base
        return self._next(text, version, None if base == text else base)

    def saved(self, text: str | None) -> Document:
        """Return the document as it was saved, with TEXT where the editor sent it along."""
        return self._next(self.text if text is None else text, self.version, None)

    def based_on(self, base: str) -> Document:
        """Return the document with BASE as the text that is saved."""
        return self._next(self.text, self.version, None if base == self.text else base)

    def _next(self, text: str, version: int | None, base: str | None) -> Document:
        seed = self._found or self.seed
        return Document(self.uri, text, self.encoding, version, self.language, base, seed)


Documents = Mapping[str, Document]
"""The open documents by URI. Replaced as a whole on every change, so that a snapshot may keep it."""


async def from_disk(uri: str, encoding: Encoding) -> Document:
    """Return the text of URI as it is on disk.

    Errors: `InvalidParams` when URI is no file or no UTF-8 text; `NotFound`.
    """
    from descartes_core.errors import InvalidParams
    from descartes_server.operations import texts

    if uris.path_of(uri) is None:
        raise InvalidParams(f"expected a file: URI or an open document, got {uri!r}")
    source = await texts.read_file(texts.path_of(uri))
    return Document(uri, source.text, encoding)

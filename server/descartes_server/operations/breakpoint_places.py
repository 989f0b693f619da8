"""One breakpoint: what it stands in, and how that is found again in a text that has changed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from descartes_core.errors import DescartesError
from descartes_server.ide.syntax import TopLevelForm
from descartes_server.operations import lisp_shapes as shapes
from descartes_server.operations.evaluations import Record
from descartes_server.operations.texts import SourceText, read_file

_PARTS = re.compile(r"[:()\s]+")
_LOADING = re.compile(
    r"\(\s*(?:[^\s():]+::?)?(load|load-system|test-system|operate|oos|make|require|quickload)(?=[\s)])",
    re.IGNORECASE,
)
NO_IMAGE = "no Lisp runs; it is set when one does and the definition is there"


@dataclass
class Breakpoint:
    """One breakpoint: at the function SYMBOL, or at the form TARGET, OFFSET in the TEXT of a definition."""

    id: str
    symbol: str | None = None
    condition: str | None = None
    path: str | None = None
    package: str | None = None
    name: str = ""
    """What the definition is called, by which it is found again."""
    start: int = 0
    """Where TEXT begins in the file, code points."""
    text: str = ""
    offset: int = 0
    target: str = ""
    verified: bool = False
    message: str | None = NO_IMAGE
    pending: bool = False
    """Whether the function is not defined yet."""
    hits: int = 0
    location: shapes.Location | None = None

    def wire(self) -> shapes.Breakpoint:
        """Return it as every door shows it."""
        return shapes.Breakpoint(
            id=self.id,
            verified=self.verified,
            message=self.message,
            symbol=self.symbol,
            condition=self.condition,
            hits=self.hits,
            uri=self.location.uri if self.location and self.path else None,
            range=self.location.range if self.location and self.path else None,
            location=self.location,
        )

    def note(self) -> str:
        """Return it as text that the image keeps for a later hub."""
        return msgspec.json.encode(self).decode()

    @property
    def definition(self) -> tuple[str | None, str]:
        """What other breakpoints must have alike to stand in the same definition."""
        return self.path, self.text


async def redefined(record: Record, path: str) -> tuple[SourceText | None, tuple[int, int]]:
    """Return the text of the file PATH and what of it RECORD has defined anew; None when it has not."""
    source = record.source
    if source is None and (record.kind != "eval" or _loads(record.code, path)):
        # A system, or what was typed: which files were loaded is not known here.
        try:
            source = await read_file(Path(path))
        except DescartesError:
            return None, (0, 0)
    elif source is None or str(source.path) != path or (record.kind == "eval" and record.span is None):
        return None, (0, 0)
    return source, record.span or (0, len(source.text))


def may_define(record: Record, path: str) -> bool:
    """Return whether RECORD, an evaluation, may have defined anew what is in the file PATH."""
    if record.source is None:
        return _loads(record.code, path)
    return record.span is not None and str(record.source.path) == path


def _loads(code: str, path: str) -> bool:
    """Return whether evaluating CODE may load the file PATH."""
    found = _LOADING.search(code)
    if found is None:
        return False
    return found[1].lower() != "load" or '"' not in code or Path(path).stem in code


def definition_of(forms: Iterable[TopLevelForm], text: str, breakpoint_: Breakpoint) -> TopLevelForm | None:
    """Return which of FORMS of TEXT is the definition of BREAKPOINT_: the same text, else the same name."""
    nearest = sorted(forms, key=lambda form: abs(form.start - breakpoint_.start))
    same = (form for form in nearest if text[form.start : form.end] == breakpoint_.text)
    called = (form for form in nearest if f"{form.operator} {form.name}".lower() == breakpoint_.name)
    return next(same, None) or next(called, None)


def is_of(breakpoint_: Breakpoint, name: str) -> bool:
    """Return whether BREAKPOINT_ is at the function of the symbol NAME, or in its definition."""
    bare = name.rpartition(":")[2].lower()
    words = breakpoint_.symbol or breakpoint_.name.partition(" ")[2]
    return bare in _PARTS.split(words.lower())

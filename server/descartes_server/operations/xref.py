"""Cross references: what the compiler recorded in the image, at exact places, and what the texts show.

The image knows who calls what it has compiled; a file that was never loaded is known by its text alone.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from descartes_core import errors
from descartes_core.model import Shape
from descartes_server.ide import references, syntax
from descartes_server.ide.index import is_lisp_file
from descartes_server.ide.references import Name
from descartes_server.ide.roles import base_name
from descartes_server.ide.syntax import Syntax, TopLevelForm
from descartes_server.operations import lisp_shapes as shapes
from descartes_server.operations import texts
from descartes_server.operations.asking import SymbolParams, ask
from descartes_server.operations.context import Context
from descartes_server.operations.registry import operation
from descartes_server.operations.source_files import read_source

Kind = Literal["callers", "callees", "references", "binds", "sets", "macroexpands", "specializes"]
DEADLINE_MS = 5_000
FILE_LIMIT = 5_000
SKIPPED = frozenset(["node_modules", "__pycache__"])
IN_TEXTS = frozenset(["callers", "references", "macroexpands"])
"""The kinds that a text can answer."""


class XrefParams(SymbolParams, frozen=True, kw_only=True):
    """KIND of reference to the symbol; at most LIMIT are looked up."""

    kind: Kind = "callers"
    limit: int = 200


class Reference(Shape, frozen=True, kw_only=True):
    """One place: NAME is the definition it is in, or for callees the function called.

    SOURCE: whether the image knows it, or only a text shows it. URI and RANGE are missing where no file does.
    """

    name: str
    kind: str
    uri: str | None = None
    range: shapes.Range | None = None
    source: Literal["image", "text"] = "image"


class References(Shape, frozen=True, kw_only=True):
    """Those in files first. MORE: how many were left out."""

    locations: list[Reference]
    more: int = 0


@dataclass(frozen=True)
class _Text:
    source: texts.SourceText
    syntax: Syntax


async def xref(context: Context, params: XrefParams) -> References:
    """Find who calls, reads, sets, binds or expands a symbol, and what a function calls."""
    if params.limit < 1:
        raise errors.InvalidParams(f"expected `limit` from 1, got {params.limit}")
    answer, unknown = await _from_image(context, params)
    looking = _Looking(params, context.services.workspace.root)
    found = await asyncio.to_thread(looking.places, answer["found"])
    if not found and unknown is not None:
        raise unknown
    kept = found[: params.limit]
    return References(locations=kept, more=answer["more"] + len(found) - len(kept))


operation("lisp.xref", kind="ask", for_agents=True, positional=("symbol",), without_hub=xref)(xref)


async def _from_image(
    context: Context, params: XrefParams
) -> tuple[dict[str, Any], errors.DescartesError | None]:
    """Return what the image knows, or that it knows nothing and why."""
    request = {
        "question": "references",
        "name": params.symbol,
        "package": await params.package_in(context),
        "kind": params.kind,
        "limit": params.limit,
        "root": f"{context.services.workspace.root}/",
    }
    try:
        return await ask(context, request, deadline_ms=DEADLINE_MS), None
    except (errors.LispNotRunning, errors.NotFound) as error:
        return {"found": [], "more": 0}, error


class _Looking:
    """One search for exact places. Blocks; for a thread."""

    def __init__(self, params: XrefParams, root: Path) -> None:
        self._params = params
        self._root = root
        self._name = Name(base_name(_last_word(params.symbol)))
        self._texts: dict[str, _Text | None] = {}

    def places(self, found: Sequence[Mapping[str, Any]]) -> list[Reference]:
        """Return the places of FOUND, what the image says, and those that only texts show."""
        exact = [place for each in found for place in self._exact(each)]
        if self._params.kind in IN_TEXTS:
            exact += self._in_texts()
        exact.sort(key=lambda each: each.uri is None)
        return _each_once(exact)

    def _exact(self, found: Mapping[str, Any]) -> list[Reference]:
        path, kind = found.get("file"), found["kind"]
        text = self._text(path) if path else None
        if path is None or text is None:
            return [Reference(name=found["name"], kind=kind)]
        start = _moved(text.source.text, found)
        form = next((each for each in text.syntax.forms if each.start <= start < each.end), None)
        spans = [_name_span(form, start)]
        if form is not None and self._params.kind not in ("callees", "specializes"):
            wanted = references.uses_for(self._params.kind)
            inside = references.of_name(text.syntax, self._name, (form.start, form.end))
            spans = [(each.start, each.end) for each in inside if each.use in wanted] or spans
        return [
            Reference(name=found["name"], kind=kind, uri=text.source.uri, range=text.source.range(*span))
            for span in spans
        ]

    def _in_texts(self) -> Iterator[Reference]:
        wanted = references.uses_for(self._params.kind)
        for path in _lisp_files(self._root):
            text = self._text(path, self._name.base)
            for each in references.of_name(text.syntax, self._name) if text else ():
                if each.use in wanted and text is not None:
                    yield Reference(
                        name=each.form.name or each.form.operator if each.form else "",
                        kind=each.form.kind if each.form else "",
                        uri=text.source.uri,
                        range=text.source.range(each.start, each.end),
                        source="text",
                    )

    def _text(self, path: str, needs: str = "") -> _Text | None:
        if path not in self._texts:
            self._texts[path] = _read(path, needs)
        return self._texts[path]


def _read(path: str, needs: str) -> _Text | None:
    text = read_source(path)
    if text is None or not references.may_mention(text, needs):
        return None
    return _Text(texts.SourceText(Path(os.path.realpath(path)), text), syntax.parse(text))


def _lisp_files(root: Path) -> Iterator[str]:
    count = 0
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(each for each in folders if not each.startswith(".") and each not in SKIPPED)
        for name in sorted(names):
            if is_lisp_file(name):
                count += 1
                if count > FILE_LIMIT:
                    return
                yield os.path.join(folder, name)  # noqa: PTH118


def _last_word(symbol: str) -> str:
    return symbol.strip("() ").split()[-1] if symbol.strip("() ") else symbol


def _moved(text: str, found: Mapping[str, Any]) -> int:
    """Return where FOUND stands in TEXT now, which may be newer than what was compiled."""
    offset, snippet = int(found.get("offset") or 0), (found.get("snippet") or "").strip()[:80]
    if not snippet or text.startswith(snippet, offset):
        return offset
    near = text.rfind(snippet, 0, offset + len(snippet) + 2000)
    return near if near >= 0 else offset


def _name_span(form: TopLevelForm | None, start: int) -> tuple[int, int]:
    return (form.name_start, form.name_end) if form is not None and form.name else (start, start)


def _each_once(found: list[Reference]) -> list[Reference]:
    """Return FOUND without a place twice; what the image knows is there first."""
    seen: set[Any] = set()
    kept = []
    for each in found:
        key = (each.uri, each.range.start.line, each.range.start.column) if each.range else each.name
        if key not in seen:
            seen.add(key)
            kept.append(each)
    return kept

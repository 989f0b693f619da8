"""A global name in all the texts of the workspace, and in files that only the image knows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from descartes_server.ide import references
from descartes_server.ide.index import WorkspaceIndex, package_name
from descartes_server.ide.references import Name, Occurrence
from descartes_server.ide.roles import base_name
from descartes_server.ide.syntax import SymbolToken, Syntax
from descartes_server.lsp import uris
from descartes_server.lsp.positions import Encoding
from descartes_server.operations.source_files import read_source
from descartes_server.state.documents import Document
from descartes_server.state.snapshot import Snapshot

if TYPE_CHECKING:
    from descartes_swank.service import Questions

Found = TypeVar("Found")
Mentions = list[tuple[Document, list[Occurrence]]]
_KINDS = ("callers", "references", "binds", "sets")
_ANSWER_MS = 3000


def name_of(index: WorkspaceIndex, syntax: Syntax, symbol: SymbolToken) -> Name:
    """Return the global name that SYMBOL in SYNTAX means, as far as the texts tell.

    It is the one of its prefix, else of a package that its own file's package defines it in, else the one
    that is defined somewhere; other packages that define such a name have a symbol of their own.
    """
    base = base_name(symbol.text.lstrip("#:") if symbol.text.startswith(("#:", ":")) else symbol.text)
    prefix = symbol.text.rpartition(":")[0].strip(":#")
    own = package_name(prefix) if prefix else package_name(syntax.package_at(symbol.start))
    defining = {entry.package for entry in index.lookup(base) if entry.kind != "slot"}
    if own in defining:
        return Name(base, frozenset([own]), frozenset(defining - {own}))
    if prefix:
        return Name(base, frozenset([own, *defining]))
    return Name(base)


async def everywhere(snapshot: Snapshot, name: Name) -> Mentions:
    """Return where NAME stands in the open texts and the files of the index."""
    return await search(snapshot, name.base, lambda syntax: references.of_name(syntax, name))


async def search(
    snapshot: Snapshot, base: str, find: Callable[[Syntax], list[Found]]
) -> list[tuple[Document, list[Found]]]:
    """Return what FIND finds in the open texts and the files of the index that mention BASE at all.

    FIND runs on a thread for the files.
    """
    opened = [each for each in snapshot.documents.values() if each.real_path or each.is_open]
    paths = set(snapshot.index.paths()) - {each.real_path for each in opened}
    found = [
        (document, find(await snapshot.syntax(document)))
        for document in opened
        if references.may_mention(document.text, base)
    ]
    loop = asyncio.get_running_loop()
    found += await loop.run_in_executor(
        snapshot.executor, _in_files, snapshot.encoding, sorted(paths), base, find
    )
    return [(document, each) for document, each in found if each]


async def known_to_image(
    snapshot: Snapshot, symbol: str, package: str, name: Name, known: Mentions
) -> Mentions:
    """Return where the image says that SYMBOL in PACKAGE is used, in files that KNOWN does not speak of."""
    here = {document.real_path for document, _ in known} | set(snapshot.index.paths())
    found: Mentions = []
    for file, offsets in (await _files_of_image(snapshot, symbol, package)).items():
        if uris.real(Path(file)) in here:
            continue
        document = await asyncio.to_thread(_read, file, snapshot.encoding, "")
        if document is None:
            continue
        syntax = await snapshot.syntax(document)
        forms = [form for form in syntax.forms if any(form.start <= each < form.end for each in offsets)]
        spans = [each for form in forms for each in references.of_name(syntax, name, (form.start, form.end))]
        if spans:
            found.append((document, spans))
    return found


async def _files_of_image(snapshot: Snapshot, symbol: str, package: str) -> dict[str, list[int]]:
    files: dict[str, list[int]] = {}
    for kind in _KINDS:
        request = {"question": "references", "name": symbol, "package": package, "kind": kind, "limit": 200}
        answer = await snapshot.image.ask(partial(_relayed, request))
        for each in answer["found"] if answer else ():
            if each.get("file"):
                files.setdefault(each["file"], []).append(each.get("offset") or 0)
    return files


async def _relayed(request: dict[str, Any], image: Questions) -> Any:
    return await image.relay(request, _ANSWER_MS)


def open_uri(snapshot: Snapshot, path: str) -> str:
    """Return the URI under which the editor has PATH open, else its own."""
    real = uris.real(Path(path))
    opened = (each.uri for each in snapshot.documents.values() if each.real_path == real)
    return next(opened, uris.uri_of(Path(path)))


def _in_files(
    encoding: Encoding, paths: list[str], base: str, find: Callable[[Syntax], list[Found]]
) -> list[tuple[Document, list[Found]]]:
    texts = (_read(path, encoding, base) for path in paths)
    return [(document, find(document.syntax)) for document in texts if document is not None]


def _read(path: str, encoding: Encoding, needs: str) -> Document | None:
    text = read_source(path)
    if text is None or not references.may_mention(text, needs):
        return None
    return Document(uris.uri_of(path), text, encoding)

"""`textDocument/hover`: what the symbol means, who holds the file, and who changed the line."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lsprotocol import types

from descartes_server.dispatch import on_snapshot
from descartes_server.ide import common_lisp, holding, inspecting, line_words
from descartes_server.ide import hover as ide
from descartes_server.ide.lenses import Scene, form_places
from descartes_server.ide.syntax import SymbolToken, Syntax
from descartes_server.lsp import to_proto
from descartes_server.state import ServerState, Snapshot

if TYPE_CHECKING:
    from descartes_core.timetravel.blame import Blame


def register(state: ServerState) -> None:
    def hyperspec() -> str:
        attachment = state.attachment
        return attachment.loaded.settings.hover.hyperspec if attachment else common_lisp.HYPERSPEC

    on_snapshot(
        state, types.TEXT_DOCUMENT_HOVER, lambda snapshot, params: _hover(snapshot, params, hyperspec())
    )


async def _hover(snapshot: Snapshot, params: types.HoverParams, hyperspec: str) -> types.Hover | None:
    document = await snapshot.document(params.text_document.uri)
    if document.is_settings:
        from descartes_server.features import settings_text

        if (explained := settings_text.hover(snapshot, document, params)) is not None:
            return explained
    syntax = await snapshot.syntax(document)
    offset = document.positions.offset(params.position)
    symbol = syntax.symbol_at(offset)
    blaming = asyncio.ensure_future(snapshot.blame(document))
    subject, link = await _subject(snapshot, syntax, symbol) if symbol else (None, "")
    scene = snapshot.leased_scene(document, syntax)
    remarks = [*_remarks(scene, offset), *_changed(await blaming, syntax, offset, scene)]
    text = ide.markdown(subject, remarks, hyperspec)
    text = f"{text}\n\n{link}" if text and link else text
    if not text:
        return None
    span = (symbol.start, symbol.end) if symbol and subject else None
    formats = snapshot.abilities.get("textDocument.hover.contentFormat")
    plain = isinstance(formats, list) and "markdown" not in formats
    return to_proto.hover(text, span, document.positions, plain=plain)


def _changed(blame: Blame | None, syntax: Syntax, offset: int, scene: Scene) -> list[str]:
    """Say who last changed the definition whose name is at OFFSET, else who changed the line."""
    if blame is None:
        return []
    line = syntax.lines.position(offset)[0]
    form = next((each for each in syntax.forms if each.name_start <= offset <= each.name_end), None)
    if form is not None and form.name:
        change = blame.newest(line, syntax.lines.position(form.end)[0])
        if change is not None:
            return [line_words.remark(change, scene.now, form.name)]
    last = blame.last(line)
    said = line_words.remark(last, scene.now) if last is not None else ""
    return [said] if said else []


async def _subject(snapshot: Snapshot, syntax: Syntax, symbol: SymbolToken) -> tuple[ide.Subject | None, str]:
    """A lexical name hides every other; the image knows more than the text, where it knows the symbol.

    With the subject comes a link that inspects it, where it is in the image and the client takes such links.
    """
    local = ide.lexical(syntax, symbol)
    if local is not None:
        return local, ""
    package = syntax.package_at(symbol.start)
    info = await snapshot.image.ask(lambda image: image.symbol(symbol.text, package))
    if info is None or (subject := ide.from_image(info)) is None:
        return ide.from_text(syntax, symbol, snapshot.index), ""
    links = snapshot.abilities.command_links
    command = inspecting.command(symbol.text, info.kinds, package, links) if links else None
    return subject, inspecting.link(command) if command else ""


def _remarks(scene: Scene, offset: int) -> list[str]:
    """Say who holds the file, or the form around OFFSET, and what is asked about it."""
    leases = [
        f"🔒 {holding.at_start(lease)} is {holding.sentence(lease, scene.me, scene.now)}"
        for lease in scene.leases
        if not holding.form_of(lease)
        or any(start <= offset <= end for start, end in form_places(lease, scene))
    ]
    questions = [f"❓ {question.title}" for question in scene.interventions]
    return leases + questions

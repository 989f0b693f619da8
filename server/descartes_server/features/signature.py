"""`textDocument/signatureHelp`: the lambda list of the call, the current argument marked."""

from __future__ import annotations

from lsprotocol import types

from descartes_server.dispatch import on_snapshot
from descartes_server.ide import common_lisp, hover
from descartes_server.ide import signature as ide
from descartes_server.ide.syntax import SymbolToken, Syntax
from descartes_server.lsp import to_proto
from descartes_server.state import ServerState, Snapshot


def register(state: ServerState) -> None:
    options = types.SignatureHelpOptions(trigger_characters=[" ", "("], retrigger_characters=[" "])
    on_snapshot(state, types.TEXT_DOCUMENT_SIGNATURE_HELP, _signature_help, options)


async def _signature_help(
    snapshot: Snapshot, params: types.SignatureHelpParams
) -> types.SignatureHelp | None:
    document = await snapshot.document(params.text_document.uri)
    syntax = await snapshot.syntax(document)
    context = ide.at(syntax, document.positions.offset(params.position))
    if context is None:
        return None
    arglist = await _arglist(snapshot, syntax, context)
    if arglist is None:
        return None
    standard = common_lisp.lookup(context.operator)
    shown = ide.render(context.operator, arglist, context)
    return to_proto.signature_help(shown, document.positions, standard.documentation if standard else "")


def _parameters(call: str) -> str:
    """Return the lambda list of CALL: "(mapcar function list)" -> "(function list)"."""
    _, _, parameters = call.strip().removeprefix("(").removesuffix(")").partition(" ")
    return f"({parameters.strip()})"


async def _arglist(snapshot: Snapshot, syntax: Syntax, context: ide.SignatureContext) -> str | None:
    package = syntax.package_at(context.start)
    asked = await snapshot.image.ask(lambda image: image.arglist(context.operator, package))
    if asked is not None:
        return _parameters(asked)
    symbol = SymbolToken(context.operator, context.start + 1, context.start + 1 + len(context.operator))
    subject = hover.from_text(syntax, symbol, snapshot.index)
    return subject.arglist if subject and subject.arglist else None

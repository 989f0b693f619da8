"""The pygls server of one editor: our protocol, our documents, nothing shown to the person unasked."""

from __future__ import annotations

from typing import Any

from pygls.lsp.server import LanguageServer

from descartes_server import __version__
from descartes_server.lsp.client import Client
from descartes_server.lsp.protocol import Protocol


class Server(LanguageServer):
    """Where handlers are registered, and the editor that they answer."""

    protocol: Protocol  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self) -> None:
        super().__init__("Descartes", __version__, protocol_cls=Protocol)
        self.client = Client(self.protocol)

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Say nothing: every failure is answered and logged where it happens."""

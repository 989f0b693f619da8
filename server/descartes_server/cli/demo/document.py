"""What the demo plays of an editor: what it can do, and a file that it has open."""

from __future__ import annotations

from typing import Any

from descartes_server.cli.demo.client import Client
from descartes_server.cli.demo.scratch import Scratch
from descartes_server.cli.demo.screen import Json
from descartes_server.operations.texts import uri_of

EDITOR: Json = {
    "general": {"positionEncodings": ["utf-16"]},
    "textDocument": {
        "hover": {"contentFormat": ["markdown"]},
        "completion": {"completionItem": {"documentationFormat": ["markdown"]}},
        "documentSymbol": {"hierarchicalDocumentSymbolSupport": True},
        "codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["quickfix"]}}},
        "publishDiagnostics": {"versionSupport": True},
    },
    "workspace": {"configuration": True},
    "experimental": {"descartes": {"notifications": True}},
}


class Document:
    """A file that the editor has open."""

    def __init__(self, client: Client, scratch: Scratch, name: str) -> None:
        self._client = client
        self.path = scratch.workspace / name
        self.uri = uri_of(self.path)
        self.text = self.path.read_text(encoding="utf-8")
        self.version = 1
        client.notify(
            "textDocument/didOpen",
            {"textDocument": {"uri": self.uri, "languageId": "lisp", "version": 1, "text": self.text}},
        )

    def at(self, text: str, offset: int = 0) -> Json:
        """Return the position OFFSET characters after the beginning of the first TEXT."""
        index = self.text.index(text) + offset
        line = self.text.count("\n", 0, index)
        return {"line": line, "character": index - (self.text.rfind("\n", 0, index) + 1)}

    def edit(self, old: str, new: str) -> None:
        """Replace OLD by NEW as typing does."""
        start, end = self.at(old), self.at(old, len(old))
        self.text = self.text.replace(old, new, 1)
        self.version += 1
        self._client.notify(
            "textDocument/didChange",
            {
                "textDocument": {"uri": self.uri, "version": self.version},
                "contentChanges": [{"range": {"start": start, "end": end}, "text": new}],
            },
        )

    def save(self) -> None:
        """Write the text to disk and say so."""
        self.path.write_text(self.text, encoding="utf-8")
        self._client.notify("textDocument/didSave", {"textDocument": {"uri": self.uri}})

    async def ask(self, method: str, **params: Any) -> Any:
        """Return the answer to textDocument/METHOD about this document."""
        return await self._client.request(
            f"textDocument/{method}", {"textDocument": {"uri": self.uri}, **params}
        )

    async def lenses(self) -> list[Json]:
        """Return the code lenses."""
        return await self.ask("codeLens") or []

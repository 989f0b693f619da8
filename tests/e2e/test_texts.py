"""Right answers or clear errors for texts of every kind, in every encoding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.lsp_client import LspError, lsp

ODD = '\t(défun-é "😀€")\r\n(let ((é😀 1))\r\n\t(list "€" é😀))\r\n'


def encodings(encoding: str) -> dict[str, Any]:
    return {"general": {"positionEncodings": [encoding]}}


def units(text: str, encoding: str) -> int:
    if encoding == "utf-32":
        return len(text)
    return len(text.encode("utf-8" if encoding == "utf-8" else "utf-16-le")) // (1 + (encoding == "utf-16"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
async def test_places_are_exact_with_any_characters(workspace: Path, encoding: str) -> None:
    async with lsp(workspace, capabilities=encodings(encoding)) as client:
        assert client.capabilities["positionEncoding"] == encoding
        uri = client.open(workspace / "ö é.lisp", ODD)
        line = ODD.split("\r\n")[2]
        start = units(line[: line.index("é😀")], encoding)
        hover = await client.at("hover", uri, 2, start)
        end = start + units("é😀", encoding)
        assert hover["range"] == {
            "start": {"line": 2, "character": start},
            "end": {"line": 2, "character": end},
        }
        (place,) = await client.at("definition", uri, 2, start)
        before = units("(let ((", encoding)
        assert place["range"]["start"] == {"line": 1, "character": before}
        # An edit inside the line, in the same units, and one past every end.
        edit = {"start": {"line": 2, "character": start}, "end": {"line": 2, "character": end}}
        past = {"start": {"line": 9, "character": 9}, "end": {"line": 99, "character": 0}}
        client.change(uri, 2, {"range": edit, "text": "(car x)"}, {"range": past, "text": "(defun new ())"})
        names = [symbol["name"] for symbol in await client.of("documentSymbol", uri)]
        assert names == ["new"]
        assert await client.at("definition", uri, 2, start + 2) == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
async def test_tokens_are_measured_in_the_encoding(workspace: Path, encoding: str) -> None:
    async with lsp(workspace, capabilities=encodings(encoding)) as client:
        uri = client.open(workspace / "a.lisp", '(f "é😀€" 1)\n')
        data = (await client.of("semanticTokens/full", uri))["data"]
        widths = data[2::5]
        assert widths == [1, units('"é😀€"', encoding), 1]
        piece = {"start": {"line": 0, "character": 0}, "end": {"line": 1, "character": 0}}
        assert (await client.of("semanticTokens/range", uri, range=piece))["data"] == data


async def test_ten_thousand_lines(workspace: Path) -> None:
    text = "".join(f"(defun function-{i} (x)\n  (list x {i}))\n" for i in range(5000))
    async with lsp(workspace) as client:
        uri = client.open(workspace / "long.lisp", text)
        assert len(await client.of("documentSymbol", uri)) == 5000
        first = await client.of("semanticTokens/full", uri)
        place = {"line": 9998, "character": 7}
        client.change(uri, 2, {"range": {"start": place, "end": place}, "text": "new-"})
        delta = await client.of("semanticTokens/full/delta", uri, previousResultId=first["resultId"])
        (edit,) = delta["edits"]
        data = first["data"]
        data[edit["start"] : edit["start"] + edit["deleteCount"]] = edit["data"]
        assert data == (await client.of("semanticTokens/full", uri))["data"]
        assert len(edit["data"]) <= 10
        assert (await client.of("documentSymbol", uri))[-1]["name"] == "new-function-4999"


async def test_unbalanced_text_is_answered_and_marked(workspace: Path) -> None:
    async with lsp(workspace) as client:
        uri = client.open(workspace / "a.lisp", '(defun f (x)\n  (list x)\n\n(defun g () "abc)\n')
        published = await client.notification("textDocument/publishDiagnostics", lambda p: p["diagnostics"])
        codes = {each["code"] for each in published["diagnostics"]}
        assert "unclosed" in codes and "unterminated-string" in codes
        assert [symbol["name"] for symbol in await client.of("documentSymbol", uri)] == ["f", "g"]
        client.change(uri, 2, {"text": "(defun f (x)\n  (list x))\n"})
        await client.notification(
            "textDocument/publishDiagnostics", lambda p: p["version"] == 2 and p["diagnostics"] == []
        )


async def test_no_diagnostic_comes_both_ways(workspace: Path) -> None:
    pulls = {"textDocument": {"diagnostic": {}}}
    async with lsp(workspace, capabilities=pulls) as client:
        uri = client.open(workspace / "a.lisp", "(defun f (x)\n")
        report = await client.of("diagnostic", uri)
        assert [each["code"] for each in report["items"]] == ["unclosed"]
        again = await client.of("diagnostic", uri, previousResultId=report["resultId"])
        assert again == {"kind": "unchanged", "resultId": report["resultId"]}
        client.change(uri, 2, {"text": "(defun f ())\n"})
        assert (await client.of("diagnostic", uri))["items"] == []
        pushed = [m for m in client.messages if m.get("method") == "textDocument/publishDiagnostics"]
        assert all(m["params"]["diagnostics"] == [] for m in pushed)


async def test_files_never_opened_are_read_from_the_disk(workspace: Path) -> None:
    folder = workspace / "ein Ordner ü😀"
    folder.mkdir()
    (folder / "mit Leerzeichen é.lisp").write_bytes('(defun größe (x) "Größe."\r\n  x)\r\n'.encode())
    (workspace / "binary.lisp").write_bytes(bytes(range(256)) * 10)
    async with lsp(workspace) as client:
        uri = (folder / "mit Leerzeichen é.lisp").as_uri()
        assert [symbol["name"] for symbol in await client.of("documentSymbol", uri)] == ["größe"]
        assert "Größe." in (await client.at("hover", uri, 0, 9))["contents"]["value"]
        for method in ("documentSymbol", "foldingRange", "codeLens", "semanticTokens/full"):
            with pytest.raises(LspError) as caught:
                await client.of(method, (workspace / "binary.lisp").as_uri())
            assert caught.value.code == "invalid_params"
            assert "UTF-8" in str(caught.value)
        with pytest.raises(LspError) as caught:
            await client.of("documentSymbol", "untitled:Untitled-1")
        assert caught.value.code == "invalid_params"


async def test_a_file_outside_the_workspace_and_one_that_is_nowhere(workspace: Path, tmp_path: Path) -> None:
    async with lsp(workspace) as client:
        uri = client.open(tmp_path / "outside.lisp", "(defun far (x) x)\n(far 1)\n")
        (place,) = await client.at("definition", uri, 1, 2)
        assert place["uri"] == uri
        item = {"uri": "untitled:Untitled-1", "languageId": "lisp", "version": 1, "text": "(defun new ())"}
        client.notify("textDocument/didOpen", {"textDocument": item})
        assert len(await client.of("documentSymbol", "untitled:Untitled-1")) == 1
        assert await client.of("codeLens", "untitled:Untitled-1") == []


async def test_changes_in_any_order_do_not_end_the_session(workspace: Path) -> None:
    async with lsp(workspace) as client:
        uri = (workspace / "never.lisp").as_uri()
        start = {"line": 0, "character": 0}
        client.change(uri, 3, {"range": {"start": start, "end": start}, "text": "(defun lost ())"})
        client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
        client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
        client.change(uri, 4, {"text": "(defun whole ())"})
        assert [symbol["name"] for symbol in await client.of("documentSymbol", uri)] == ["whole"]
        client.open(workspace / "never.lisp", "(defun again ())", version=1)
        assert [symbol["name"] for symbol in await client.of("documentSymbol", uri)] == ["again"]

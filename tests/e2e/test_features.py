"""The standard methods on a copy of alexandria, with no image running."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.lsp_client import LspClient, lsp
from support.until import answer_that


def place(file: Path, text: str, inside: int = 0) -> tuple[int, int]:
    """Return line and column of the first TEXT in FILE, INSIDE characters on."""
    offset = file.read_text().index(text) + inside
    before = file.read_text()[:offset]
    return before.count("\n"), offset - before.rfind("\n") - 1


def lists(root: Path) -> Path:
    return root / "alexandria-1" / "lists.lisp"


async def indexed(client: LspClient, uri: str, line: int, character: int) -> list[Any]:
    """Return the definitions at a place once the index knows other files."""
    found: list[Any] = await answer_that(
        bool, lambda: client.at("definition", uri, line, character), "a definition is found"
    )
    return found


async def test_hover_shows_lambda_list_and_documentation(alexandria: Path) -> None:
    async with lsp(alexandria) as client:
        uri = client.open(lists(alexandria))
        own = await client.at("hover", uri, *place(lists(alexandria), "(defun flatten", 9))
        assert own["contents"]["kind"] == "markdown"
        assert own["contents"]["value"].startswith("```lisp\n(flatten tree)\n```")
        assert "Traverses the tree in order" in own["contents"]["value"]
        standard = await client.at("hover", uri, *place(lists(alexandria), "(endp ", 2))
        assert "COMMON-LISP" in standard["contents"]["value"]
        lexical = await client.at("hover", uri, *place(lists(alexandria), "(traverse tree)", 11))
        assert "lexical" in lexical["contents"]["value"]
        assert await client.at("hover", uri, 99999, 0) is None


async def test_plain_text_for_a_client_without_markdown(alexandria: Path) -> None:
    capabilities = {"textDocument": {"hover": {"contentFormat": ["plaintext"]}}}
    async with lsp(alexandria, capabilities=capabilities) as client:
        uri = client.open(lists(alexandria))
        own = await client.at("hover", uri, *place(lists(alexandria), "(defun flatten", 9))
        assert own["contents"]["kind"] == "plaintext"
        assert own["contents"]["value"].startswith("(flatten tree)")


async def test_definition_across_files(alexandria: Path) -> None:
    async with lsp(alexandria) as client:
        uri = client.open(lists(alexandria))
        (local,) = await client.at("definition", uri, *place(lists(alexandria), "(safe-endp", 3))
        assert local["uri"] == uri
        (found,) = await indexed(client, uri, *place(lists(alexandria), "ensure-function", 3))
        assert found["uri"].endswith("/functions.lisp")
        line, start = found["range"]["start"]["line"], found["range"]["start"]["character"]
        path = lists(alexandria).parent / found["uri"].rpartition("/")[2]
        assert path.read_text().splitlines()[line][start:].startswith("ensure-function")


async def test_completion_replaces_what_was_typed_and_resolves(alexandria: Path) -> None:
    async with lsp(alexandria) as client:
        uri = client.open(alexandria / "new.lisp", "(defun use (thing-of-mine)\n  (list thing-o))\n(mapcon")
        lexical = await client.at("completion", uri, 1, 15)
        assert lexical["items"][0]["label"] == "thing-of-mine"
        edit = lexical["items"][0]["textEdit"]
        assert edit["range"] == {"start": {"line": 1, "character": 8}, "end": {"line": 1, "character": 15}}
        standard = (await client.at("completion", uri, 2, 7))["items"]
        item = next(each for each in standard if each["label"] == "mapcon")
        resolved = await client.request("completionItem/resolve", item)
        assert resolved["documentation"]["value"]
        assert resolved["textEdit"] == item["textEdit"]
        assert (await client.at("completion", uri, 0, 0))["items"] is not None


async def test_signature_help_marks_the_argument(alexandria: Path) -> None:
    async with lsp(alexandria) as client:
        uri = client.open(
            alexandria / "new.lisp", "(defun take (one two &key three) one)\n(take 1 2 :three 3)"
        )
        for character, parameter in ((6, "one"), (8, "two"), (18, "three")):
            answer = await client.at("signatureHelp", uri, 1, character)
            (signature,) = answer["signatures"]
            assert signature["label"] == "(take one two &key three)"
            start, end = signature["parameters"][answer["activeParameter"]]["label"]
            assert signature["label"][start:end] == parameter
        assert await client.at("signatureHelp", uri, 1, 0) is None


async def test_symbols_as_the_client_can_show_them(alexandria: Path) -> None:
    tree = {"textDocument": {"documentSymbol": {"hierarchicalDocumentSymbolSupport": True}}}
    text = "(defclass point ()\n  ((x :initarg :x)\n   (y :initarg :y)))\n(defun area (p) p)\n"
    async with lsp(alexandria, capabilities=tree) as client:
        uri = client.open(alexandria / "new.lisp", text)
        point, area = await client.of("documentSymbol", uri)
        assert [child["name"] for child in point["children"]] == ["x", "y"]
        assert area["selectionRange"]["start"] == {"line": 3, "character": 7}
    async with lsp(alexandria) as client:
        uri = client.open(alexandria / "new.lisp", text)
        flat = await client.of("documentSymbol", uri)
        assert [(each["name"], each.get("containerName")) for each in flat] == [
            ("point", None),
            ("x", "point"),
            ("y", "point"),
            ("area", None),
        ]
        assert flat[0]["location"]["uri"] == uri


async def test_every_file_of_the_library_is_answered(alexandria: Path) -> None:
    async with lsp(alexandria) as client:
        for file in sorted(alexandria.rglob("*.lisp")):
            uri = client.open(file)
            text = file.read_text()
            names = [each["name"] for each in await client.of("documentSymbol", uri)]
            assert len(names) >= text.count("\n(defun ") + text.count("\n(defmacro ")
            data = (await client.of("semanticTokens/full", uri))["data"]
            assert len(data) % 5 == 0
            assert all(number >= 0 for number in data)
            assert await client.of("codeLens", uri) == []
            folds = await client.of("foldingRange", uri)
            assert all(fold["startLine"] < fold["endLine"] <= text.count("\n") for fold in folds)


async def test_a_workspace_without_any_lisp_says_what_to_install(alexandria: Path) -> None:
    options = {"trusted": True, "settings": {"lisp": {"command": ["/nowhere/at/all/sbcl"]}}}
    async with lsp(alexandria, initializationOptions=options) as client:
        uri = client.open(lists(alexandria))
        for _ in range(2):
            answer = await client.refused("lisp.eval", {"code": "(+ 1 2)"})
            assert answer.code == "lisp_not_found"
        shown = [m["params"]["message"] for m in client.messages if m.get("method") == "window/showMessage"]
        assert len(shown) == 1 and "/nowhere/at/all/sbcl" in shown[0]
        assert (
            "Traverses"
            in (await client.at("hover", uri, *place(lists(alexandria), "(defun flatten", 9)))["contents"][
                "value"
            ]
        )


NO_SBCL = """
import shutil
which = shutil.which
shutil.which = lambda name, *more, **options: None if name == "sbcl" else which(name, *more, **options)
"""


async def test_without_any_lisp_on_the_machine_everything_static_answers(
    alexandria: Path, isolated_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every Python that starts here finds no SBCL, on the PATH or in the usual places, and no saved core."""
    nothing = isolated_environment / "nothing"
    nothing.mkdir()
    (nothing / "sitecustomize.py").write_text(NO_SBCL)
    monkeypatch.setenv("PYTHONPATH", str(nothing))
    monkeypatch.setenv("PATH", str(nothing))
    monkeypatch.setenv("HOME", str(nothing))
    monkeypatch.setenv("DESCARTES_CACHE", str(nothing / "cache"))
    async with lsp(alexandria, initializationOptions={"trusted": True}) as client:
        uri, file = client.open(lists(alexandria)), lists(alexandria)
        assert (await client.refused("lisp.eval", {"code": "(+ 1 2)"})).code == "lisp_not_found"
        (shown,) = [
            m["params"]["message"] for m in client.messages if m.get("method") == "window/showMessage"
        ]
        assert "No SBCL was found" in shown and "sudo apt install sbcl cl-swank" in shown
        hover = await client.at("hover", uri, *place(file, "(defun flatten", 9))
        assert "Traverses the tree in order" in hover["contents"]["value"]
        completed = (await client.at("completion", uri, *place(file, "(safe-endp", 7)))["items"]
        assert "safe-endp" in [each["label"] for each in completed]
        (local,) = await client.at("definition", uri, *place(file, "(safe-endp", 3))
        assert local["uri"] == uri
        assert "flatten" in [each["name"] for each in await client.of("documentSymbol", uri)]
        assert await client.of("foldingRange", uri)
        assert (await client.of("semanticTokens/full", uri))["data"]

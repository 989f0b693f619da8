"""Odd files and paths through the operations on Lisp and on leases: right answers or clear errors."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from support.faults import descartes, editor
from support.framed import SECONDS
from support.lsp_client import LspClient

ODD = '(in-package :cl-user)\r\n(defun é😀€ (x)\r\n\t(list "€😀" x oops-é😀))\r\n(defun second-é () :b)\r\n'
PUBLISH = "textDocument/publishDiagnostics"


def path_of(uri: str) -> Path:
    return Path(unquote(uri.removeprefix("file://")))


async def hover_names(client: LspClient, uri: str, line: int, character: int, name: str) -> None:
    """Wait until the hover names NAME: what has just changed may be known a moment later."""
    async with asyncio.timeout(SECONDS):
        hover = None
        while hover is None or name not in hover["contents"]["value"]:
            hover = await client.at("hover", uri, line, character)


@pytest.mark.ledger("D-72")
@pytest.mark.parametrize(
    "name",
    ["a.lisp", "mit Leerzeichen é😀.lisp", "ü/ö ä/#100%.lisp", "[x]*.lisp"],
    ids=["plain", "é", "%", "*"],
)
async def test_forms_of_an_odd_file_are_evaluated_compiled_and_found(workspace: Path, name: str) -> None:
    file = workspace / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(ODD.encode())
    async with editor(workspace) as client:
        # Never opened: the hub reads the disk.
        compiled = await client.execute(
            "lisp.compileForm", {"uri": file.as_uri(), "position": {"line": 1, "character": 8}}
        )
        (note,) = [each for each in compiled["notes"] if "undefined variable" in each["message"].lower()]
        start = ODD.splitlines()[2].index("oops")
        # UTF-16: the smiley before it takes two.
        assert note["range"]["start"] == {"line": 2, "character": start + 1}
        assert note["range"]["end"] == {"line": 2, "character": start + 1 + len("oops-é😀") + 1}
        assert path_of(note["uri"]) == file
        published = await client.notification(PUBLISH, lambda p: p["diagnostics"])
        assert path_of(published["uri"]) == file

        seen = len(client.messages)
        text = ODD.replace("oops-é😀", "2")
        uri = client.open(file, text)
        compiled = await client.execute(
            "lisp.compileForm", {"uri": uri, "position": {"line": 2, "character": 3}}
        )
        assert compiled["success"] and compiled["notes"] == []
        # The definition is found in the file at the form, wherever it was compiled from.
        client.change(uri, 2, {"text": f"{text}(é😀€ 1)\r\n"})
        (place,) = await client.at("definition", uri, 4, 2)
        assert path_of(place["uri"]) == file and place["range"]["start"]["line"] == 1
        result = await client.execute(
            "lisp.evalForm", {"uri": uri, "position": {"line": 4, "character": 2}, "scope": "toplevel"}
        )
        assert result["values"] == ['("€😀" 1 2)']
        await hover_names(client, uri, 4, 2, "(é😀€ x)")
        assert [each["name"] for each in await client.of("documentSymbol", uri)] == ["é😀€", "second-é"]
        lease = await client.execute("lease.acquire", {"uri": uri, "reason": "é"})
        assert (lease["path"], path_of(lease["uri"])) == (name, file)
        await hover_names(client, uri, 0, 0, "you")
        # What is marked in an open file is marked under the name that its editor has for it.
        client.change(uri, 3, {"text": text.replace("x 2", "x unknown")})
        await client.execute("lisp.compileForm", {"uri": uri, "position": {"line": 2, "character": 3}})
        await client.notification(PUBLISH, lambda p: p["uri"] == uri and p["diagnostics"], after=seen)
        marked = [m["params"] for m in client.messages[seen:] if m.get("method") == PUBLISH]
        assert {each["uri"] for each in marked if each["diagnostics"]} == {uri}


async def test_a_long_file(workspace: Path) -> None:
    file = workspace / "long.lisp"
    file.write_text("".join(f"(defun function-{i} (x)\n  (list x {i}))\n" for i in range(5000)) + "(oops)\n")
    async with editor(workspace) as client:
        uri = client.open(file)
        place = {"uri": uri, "position": {"line": 9997, "character": 4}}
        assert (await client.execute("lisp.compileForm", place))["success"]
        result = await client.execute("lisp.eval", {"code": "(function-4998 1)"})
        assert result["values"] == ["(1 4998)"]
        await hover_names(client, uri, 9996, 9, "function-4998")
        stopped = await client.execute("lisp.evalForm", place | {"position": {"line": 10000, "character": 2}})
        assert stopped["state"] == "stopped"
        (debugger,) = (await client.execute("debugger.list"))["debuggers"]
        assert debugger["location"]["range"]["start"]["line"] == 10000


async def test_a_binary_an_unbalanced_and_an_empty_file(workspace: Path) -> None:
    binary = workspace / "binary.lisp"
    binary.write_bytes(bytes(range(256)) * 100)
    unbalanced = workspace / "unbalanced.lisp"
    unbalanced.write_text("(defun good () 1)\n(defun bad (x\n  (list x)\n")
    (workspace / "empty.lisp").touch()
    async with editor(workspace) as client:
        at = {"position": {"line": 0, "character": 3}}
        for operation in ("lisp.compileForm", "lisp.evalForm", "lisp.compileFile", "lisp.loadFile"):
            given: dict[str, Any] = {"uri": binary.as_uri()}
            given |= at if operation.endswith("Form") else {}
            error = await client.refused(operation, given)
            assert error.code == "invalid_params" and "UTF-8" in str(error)
        assert (await client.execute("lease.acquire", {"uri": binary.as_uri()}))["path"] == "binary.lisp"

        uri = client.open(unbalanced)
        assert (await client.execute("lisp.compileForm", {"uri": uri, **at}))["success"]
        bad = {"uri": uri, "position": {"line": 2, "character": 3}, "scope": "toplevel"}
        answer = await client.execute("lisp.evalForm", bad)
        assert answer["state"] in ("aborted", "stopped"), answer
        if answer["state"] == "stopped":
            await client.execute("debugger.toplevel", answer["debugger"])
        compiled = await client.execute("lisp.compileFile", {"uri": uri})
        assert not compiled["success"]
        if compiled["state"] == "stopped":
            await client.execute("debugger.toplevel", compiled["debugger"])
        else:
            assert any("end of file" in each["message"].lower() for each in compiled["notes"])

        empty = (workspace / "empty.lisp").as_uri()
        for operation in ("lisp.compileForm", "lisp.evalForm"):
            assert (await client.refused(operation, {"uri": empty, **at})).code == "not_found"
        assert (await client.execute("lisp.compileFile", {"uri": empty}))["success"]
        missing = (workspace / "missing.lisp").as_uri()
        assert (await client.refused("lisp.compileFile", {"uri": missing})).code == "not_found"
        assert (await client.refused("lisp.loadFile", {"uri": workspace.as_uri()})).code == "invalid_params"
        assert (await client.execute("lease.acquire", {"uri": missing}))["token"] == 1
        assert (await client.execute("lisp.eval", {"code": "(+ 1 2)"}))["values"] == ["3"]


async def test_a_file_outside_the_workspace(workspace: Path, tmp_path: Path) -> None:
    outside = tmp_path / "draußen é.lisp"
    outside.write_text("(defun outside () :there)\n(outside)\n")
    async with editor(workspace) as client:
        uri = client.open(outside)
        assert (await client.execute("lisp.compileFile", {"uri": uri}))["success"]
        place = {"uri": uri, "position": {"line": 1, "character": 3}}
        assert (await client.execute("lisp.evalForm", place))["values"] == [":THERE"]
        await hover_names(client, uri, 1, 3, "(outside)")
        lease = await client.execute("lease.acquire", {"uri": uri})
        assert (lease["path"], lease["uri"]) == (str(outside), uri)
        listed = await descartes(workspace, "lease", "list")
        assert str(outside) in listed.out

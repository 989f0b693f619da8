"""Drift as an editor sees it: marks and lenses over what the image has not, gone when anybody loads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.lsp_client import LspClient, LspError, lsp

OPTIONS: dict[str, Any] = {"trusted": True, "settings": {"diagnostics": {"compileOnSave": False}}}
CAPABILITIES = {"workspace": {"codeLens": {"refreshSupport": True}}}
TEXT = ";; é😀\n(defun f () 1) (defun g () 2)\n(defun h () 3)\n"


async def drift_marks(
    client: LspClient, uri: str, expected: list[tuple[str, int]], after: int = 0
) -> list[Any]:
    """Return the drift diagnostics of URI once their texts and severities are EXPECTED."""

    def fits(params: Any) -> bool:
        return params["uri"] == uri and expected == [
            (each["message"], each["severity"]) for each in params["diagnostics"] if each["code"] == "drift"
        ]

    published = await client.notification("textDocument/publishDiagnostics", fits, after=after)
    return [each for each in published["diagnostics"] if each["code"] == "drift"]


def edit(client: LspClient, uri: str, version: int, text: str) -> None:
    client.change(uri, version, {"text": text})


async def test_a_changed_form_is_marked_until_it_is_loaded(workspace: Path) -> None:
    file = workspace / "f.lisp"
    file.write_text(TEXT, encoding="utf-8")
    async with lsp(workspace, initializationOptions=OPTIONS, capabilities=CAPABILITIES) as client:
        uri = client.open(file)
        await client.execute("lisp.start", {})
        states = await client.execute("lisp.drift", {"uri": uri})
        assert [each["state"] for each in states["forms"]] == ["missing"] * 3
        assert await client.of("codeLens", uri) == []  # a file that was never loaded makes no noise
        await client.execute("lisp.compileFile", {"uri": uri})
        changed = TEXT.replace("() 2", "() 4") + "(defun i () 5)\n"
        edit(client, uri, 2, changed)
        mark, missing = await drift_marks(
            client, uri, [("The image has another text of g", 3), ("The image does not have i", 4)]
        )
        assert mark["range"] == {"start": {"line": 1, "character": 22}, "end": {"line": 1, "character": 23}}
        assert mark["source"] == "descartes" and missing["range"]["start"]["line"] == 3
        lens, other = await client.of("codeLens", uri)
        assert lens["command"]["title"] == other["command"]["title"] == "load"
        assert lens["range"]["start"] == {"line": 1, "character": 15}
        done = await client.request("workspace/executeCommand", lens["command"])
        assert done["success"]
        await drift_marks(client, uri, [("The image does not have i", 4)])
        (other,) = await client.of("codeLens", uri)
        everything = await client.execute("lisp.drift", {})
        assert [each["state"] for each in everything["forms"]] == ["loaded", "loaded", "loaded", "missing"]
        seen = len(client.messages)
        assert (await client.execute("lisp.loadChanged", {}))["success"]
        await drift_marks(client, uri, [], after=seen)
        assert await client.of("codeLens", uri) == []


async def test_what_another_client_loads_counts_for_all(workspace: Path) -> None:
    file = workspace / "f.lisp"
    file.write_text(TEXT, encoding="utf-8")
    async with (
        lsp(workspace, initializationOptions=OPTIONS, capabilities=CAPABILITIES) as one,
        lsp(workspace, initializationOptions=OPTIONS, capabilities=CAPABILITIES) as two,
    ):
        uri = one.open(file)
        await one.execute("lisp.compileFile", {"uri": uri})
        two.open(file)
        await two.execute("lisp.eval", {"code": "(defun f () 9)"})
        await drift_marks(one, uri, [("The image has another text of f", 3)])
        await drift_marks(two, uri, [("The image has another text of f", 3)])
        seen = len(one.messages)
        await two.execute("lisp.compileForm", {"uri": uri, "position": {"line": 1, "character": 1}})
        states = (await one.execute("lisp.drift", {"uri": uri}))["forms"]
        assert [each["state"] for each in states] == ["loaded"] * 3
        await drift_marks(one, uri, [], after=seen)


async def test_marks_can_be_switched_off_and_bad_input_is_refused(workspace: Path) -> None:
    file = workspace / "f.lisp"
    file.write_text(TEXT, encoding="utf-8")
    settings = {"diagnostics": {"compileOnSave": False, "drift": False}}
    async with lsp(workspace, initializationOptions=OPTIONS | {"settings": settings}) as client:
        uri = client.open(file)
        await client.execute("lisp.compileFile", {"uri": uri})
        edit(client, uri, 2, TEXT.replace("() 2", "() (oops"))
        await client.notification(
            "textDocument/publishDiagnostics", lambda p: p["uri"] == uri and p["diagnostics"] != []
        )
        published = [
            each["code"]
            for message in client.messages
            if message.get("method") == "textDocument/publishDiagnostics"
            for each in message["params"]["diagnostics"]
        ]
        assert "drift" not in published
        refused = await client.refused("lisp.drift", {"uri": 5})
        assert refused.code == "invalid_params"
        assert (await client.refused("lisp.drift", {"uri": "file:///no/such.lisp"})).code == "not_found"
        assert (await client.refused("lisp.loadChanged", {"files": []})).code == "invalid_params"


async def test_files_that_a_checkout_changes_are_marked_without_being_open(workspace: Path) -> None:
    file, other = workspace / "f é.lisp", workspace / "never.lisp"
    file.write_text(TEXT, encoding="utf-8")
    other.write_text(TEXT.replace("defun ", "defun never-"), encoding="utf-8")
    async with lsp(workspace, initializationOptions=OPTIONS, capabilities=CAPABILITIES) as client:
        await client.execute("lisp.compileFile", {"uri": file.as_uri()})

        def change(path: Path, kind: int) -> None:
            changes = [{"uri": path.as_uri(), "type": kind}]
            client.notify("workspace/didChangeWatchedFiles", {"changes": changes})

        file.write_text(TEXT.replace("() 1", "() 11"), encoding="utf-8")
        change(file, 2)
        change(other, 2)
        await drift_marks(client, file.as_uri(), [("The image has another text of f", 3)])
        uri = client.open(file)
        assert [each["command"]["title"] for each in await client.of("codeLens", uri)] == ["load"]
        client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
        seen = len(client.messages)
        file.write_text(TEXT, encoding="utf-8")
        change(file, 2)
        await drift_marks(client, file.as_uri(), [], after=seen)
        file.write_text(TEXT.replace("() 3", "() 33"), encoding="utf-8")
        change(file, 2)
        await drift_marks(client, file.as_uri(), [("The image has another text of h", 3)], after=seen)
        seen = len(client.messages)
        file.unlink()
        change(file, 3)
        await drift_marks(client, file.as_uri(), [], after=seen)
        published = [
            message["params"]["uri"]
            for message in client.messages
            if message.get("method") == "textDocument/publishDiagnostics"
        ]
        assert other.as_uri() not in published


async def test_a_replay_shows_progress_and_can_be_cancelled(workspace: Path) -> None:
    capabilities = CAPABILITIES | {"window": {"workDoneProgress": True}}
    async with lsp(workspace, initializationOptions=OPTIONS, capabilities=capabilities) as client:
        gate = workspace / "open"
        gate.write_text("")
        code = f'(loop until (probe-file "{gate}") do (sleep 0.01))'
        await client.execute("lisp.eval", {"code": code})
        before = await client.execute("lisp.status", {})
        gate.unlink()
        command = {"command": "descartes.lisp.replay", "arguments": [{}], "workDoneToken": "t"}
        number = client.send_request("workspace/executeCommand", command)
        await client.notification("$/progress", lambda p: p["value"]["kind"] == "begin")
        client.notify("window/workDoneProgress/cancel", {"token": "t"})
        with pytest.raises(LspError) as caught:
            await client.answer(number)
        assert caught.value.number == -32800
        after = await client.execute("lisp.status", {})
        assert (after["state"], after["pid"]) == ("ready", before["pid"])
        gate.write_text("")
        done = await client.execute("lisp.replay", {})
        assert done["repeated"] == 1 and done["status"]["pid"] != before["pid"]

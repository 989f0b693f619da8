"""REPLs and inspections through real language servers: two editors and an agent on one image."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from support.lsp_client import LspClient, lsp
from support.stock_swank import StockSwank, own_stock_swank  # noqa: F401  (a fixture)

OPTIONS: dict[str, Any] = {
    "initializationOptions": {"trusted": True},
    "capabilities": {"experimental": {"descartes": {"notifications": True}}},
}


def line(shown: dict[str, Any], start: str) -> dict[str, Any]:
    return next(part for part in shown["parts"] if part["text"].startswith(start))


async def descartes(workspace: Path, *words: str) -> dict[str, Any]:
    """Return what the program prints as JSON."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "descartes_server", *words, "--json", "--workspace", str(workspace)),
        env=dict(os.environ),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    answer: dict[str, Any] = json.loads(out)
    return answer


async def test_an_editor_has_repls_and_inspections_and_hears_what_is_wrong(workspace: Path) -> None:
    async with lsp(workspace, **OPTIONS) as client:
        await client.execute("lisp.start", {}, seconds=90)
        entered = await client.execute("lisp.eval", {"code": '(list "é😀" 2)', "repl": "one"})
        assert (entered["number"], entered["repl"]) == (1, "one")
        again = await client.execute("lisp.eval", {"code": "(second #v1)", "repl": "one"})
        assert again["values"] == ["2"]
        # Offsets are the editor's: an emoji is two of its units.
        await client.execute("lisp.eval", {"code": "(defun zebra-crossing ())", "repl": "one"})
        found = await client.execute(
            "lisp.complete", {"text": '(list "😀" zebra-)', "offset": 17, "repl": "one"}
        )
        assert found["start"] == 11 and found["items"][0]["label"] == "zebra-crossing"
        assert (await client.execute("lisp.inputComplete", {"text": "(list"}))["open"] == 1
        history = await client.execute("lisp.replHistory", {"repl": "one", "limit": 1})
        assert history["inputs"][0]["code"] == "(defun zebra-crossing ())"
        shown = await client.execute("inspector.open", {"expression": "#v1", "repl": "one"})
        changed = await client.execute(
            "inspector.set", {"id": shown["id"], "part": line(shown, "1 = ")["part"], "code": "(1+ *)"}
        )
        assert line(changed, "1 = ")["text"] == "1 = 3"
        for command, arguments, code in (
            ("inspector.open", {}, "invalid_params"),
            ("inspector.open", {"expression": "(/ 1 0)"}, "invalid_params"),
            ("inspector.open", {"expression": 7}, "invalid_params"),
            ("inspector.part", {"id": shown["id"], "part": 999}, "not_found"),
            ("inspector.refresh", {"id": "ins_none"}, "not_found"),
            ("inspector.set", {"id": shown["id"], "part": "x", "code": "1"}, "invalid_params"),
            ("lisp.complete", {"text": "car", "offset": 99}, "invalid_params"),
            ("lisp.inputComplete", {}, "invalid_params"),
            ("lisp.replHistory", {"limit": 0}, "invalid_params"),
        ):
            assert (await client.refused(command, arguments)).code == code, (command, arguments)


async def test_two_editors_and_an_agent_share_an_image_without_trampling(workspace: Path) -> None:
    async with lsp(workspace, **OPTIONS) as one, lsp(workspace, **OPTIONS) as two:
        for client in (one, two):
            await client.execute("lisp.start", {}, seconds=90)

        async def work(client: LspClient, name: str) -> list[str]:
            """Return the ids of the evaluations of NAME, each looked at on the way."""
            package = f"(defpackage {name} (:use cl)) (in-package {name})"
            await client.execute("lisp.eval", {"code": package, "repl": "r"})
            ids = []
            for turn in range(6):
                code = f'(progn (princ "{name}-{turn}") (values {turn} (package-name *package*)))'
                done = await client.execute("lisp.eval", {"code": code, "repl": "r"})
                assert done["values"] == [str(turn), f'"{name.upper()}"']
                assert done["output"] == f"{name}-{turn}" and done["number"] == 2 * turn + 2
                shown = await client.execute("inspector.open", {"evaluation": done["id"]})
                assert shown["title"] == str(turn)
                stopped = await client.execute("lisp.eval", {"code": f'(error "{name}")', "repl": "r"})
                stop = next(
                    each
                    for each in (await client.execute("debugger.list", {}))["debuggers"]
                    if each["evaluation"] == stopped["id"]
                )
                assert stop["condition"]["message"] == name
                await client.execute("debugger.toplevel", stopped["debugger"])
                assert (await client.execute("lisp.eval", {"code": "*", "repl": "r"}))["values"] == [
                    str(turn)
                ]
                await client.execute("lisp.eval", {"code": "(values)", "repl": "other"})
                ids.append(done["id"])
            assert len((await client.execute("inspector.list", {}))["inspections"]) == 6
            return ids

        async def agent() -> None:
            for turn in range(3):
                spawned = await descartes(
                    workspace,
                    "lisp",
                    "eval",
                    f'(progn (princ "agent-{turn}") (package-name *package*))',
                    "--repl",
                    "r",
                    "--trust",
                )
                assert spawned["output"] == f"agent-{turn}" and spawned["number"] == turn + 1
                assert spawned["values"] == ['"COMMON-LISP-USER"']

        async with asyncio.timeout(200):
            ids_one, ids_two, _ = await asyncio.gather(work(one, "ada"), work(two, "bob"), agent())
        # Everything that was printed is told with the evaluation that printed it, to both.
        for client in (one, two):
            for ids, name in ((ids_one, "ada"), (ids_two, "bob")):
                for turn, id in enumerate(ids):
                    heard = await client.notification(
                        "descartes/lisp/output", lambda params, id=id: params["evaluation"] == id
                    )
                    assert heard["text"] == f"{name}-{turn}"
        assert (await one.execute("debugger.list", {}))["debuggers"] == []
        # The error of a thread is that of the evaluation which started it, for everybody.
        begun = await one.execute(
            "lisp.eval", {"code": '(sb-thread:make-thread (lambda () (error "late"))) 1', "repl": "r"}
        )
        for client in (one, two):
            changed = await client.notification(
                "descartes/debugger/changed",
                lambda params: any(each["evaluation"] == begun["id"] for each in params["debuggers"]),
            )
            (stop,) = [each for each in changed["debuggers"] if each["evaluation"] == begun["id"]]
            assert stop["origin"]["kind"] == "human"


async def test_an_image_that_was_only_attached_to_is_inspected_alike(
    workspace: Path,
    own_stock_swank: StockSwank,  # noqa: F811
) -> None:
    async with lsp(workspace, **OPTIONS) as client:
        await client.execute("lisp.connect", {"host": "127.0.0.1", "port": own_stock_swank.port})
        shown = await client.execute("inspector.open", {"expression": "(vector 1 2)"})
        inner = await client.execute(
            "inspector.set", {"id": shown["id"], "part": line(shown, "0 = ")["part"], "code": ":new"}
        )
        assert inner["title"] == "#(:NEW 2)"
        entered = await client.execute("lisp.eval", {"code": "(list 1)", "repl": "x"})
        assert (await client.execute("lisp.eval", {"code": "#v1", "repl": "x"}))["values"] == entered[
            "values"
        ]
        assert (await client.execute("lisp.complete", {"text": "(make-hash-t"}))["items"]


LINKS = {"experimental": {"descartes": {"notifications": True, "commandLinks": {"inspect": "my.inspect"}}}}


async def test_what_is_hovered_can_be_inspected(workspace: Path) -> None:
    text = "(defvar *pond* (list 1 2))\n(print *pond*)\n(let ((pond 1)) pond)\n"
    literal = {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}}}
    plain = {"textDocument": {"codeAction": literal}, "window": {"showDocument": {"support": True}}}
    async with (
        lsp(workspace, initializationOptions={"trusted": True}, capabilities=plain) as editor,
        lsp(workspace, initializationOptions={"trusted": True}, capabilities=LINKS) as linking,
    ):
        await editor.execute("lisp.start", {}, seconds=90)
        await editor.execute("lisp.eval", {"code": text})
        uri = editor.open(workspace / "pond.lisp", text)
        here = {"start": {"line": 1, "character": 9}, "end": {"line": 1, "character": 9}}
        actions = await editor.of("codeAction", uri, range=here, context={"diagnostics": []})
        (inspect,) = [each for each in actions if each["title"] == "Inspect *pond*"]
        editor.replies["window/showDocument"] = lambda params: {"success": True}
        await editor.request("workspace/executeCommand", inspect["command"])
        shown = await editor.notification(
            "window/showDocument", lambda params: "inspection-" in params["uri"]
        )
        page = Path(shown["uri"].removeprefix("file://")).read_text()
        assert page.startswith("(1 2)\nCONS\n\nA list of 2 elements\n0 = 1\n")
        assert "Inspect" not in (await editor.at("hover", uri, 1, 9))["contents"]["value"]
        lexical = {"start": {"line": 2, "character": 17}, "end": {"line": 2, "character": 17}}
        actions = await editor.of("codeAction", uri, range=lexical, context={"diagnostics": []})
        assert not [each for each in actions if each["title"].startswith("Inspect")]
        linking.open(workspace / "pond.lisp", text)
        await linking.execute("lisp.status", {})
        hover = (await linking.at("hover", uri, 1, 9))["contents"]["value"]
        assert "[Inspect](command:my.inspect?%5B%7B%22expression%22%3A%20%22%2Apond%2A%22" in hover
        actions = await linking.of("codeAction", uri, range=here, context={"diagnostics": []})
        assert not [each for each in actions if each["title"].startswith("Inspect")]

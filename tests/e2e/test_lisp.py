"""The live image through the standard methods, with and without the `descartes/…` notifications."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from support.lsp_client import LspClient, LspError, lsp
from support.stock_swank import StockSwank, own_stock_swank  # noqa: F401  (a fixture)
from support.until import answer_that

TRUSTED: dict[str, Any] = {"trusted": True}
NOTIFIED = {"experimental": {"descartes": {"notifications": True}}}
LITERAL = {"textDocument": {"codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}}}}}
STOPPING = """(in-package :cl-user)

(defun average (numbers)
  (restart-case (/ (reduce #'+ numbers) (length numbers))
    (use-value (value)
      :report "Use a value as the average."
      value)))
"""
PUBLISH = "textDocument/publishDiagnostics"
AT_START = {"line": 0, "character": 3}


def diagnostics(client: LspClient, uri: str, fits: Any, after: int = 0) -> Any:
    return client.notification(PUBLISH, lambda p: p["uri"] == uri and fits(p["diagnostics"]), after=after)


async def hovered(client: LspClient, uri: str, *words: str) -> None:
    """Wait until the hover of the first form has WORDS: an image that answers late is left out of one."""
    await answer_that(
        lambda hover: hover and all(each in hover["contents"]["value"] for each in words),
        lambda: client.at("hover", uri, 0, 3),
        f"a hover with {words}",
    )


def lenses_of(lenses: list[Any]) -> list[str]:
    return [each["command"]["title"] for each in lenses]


async def stop_in(client: LspClient, workspace: Path) -> tuple[str, Any]:
    """Define AVERAGE in a file, make it fail, and return the file's URI and the evaluation."""
    file = workspace / "story é.lisp"
    file.write_text(STOPPING)
    uri = client.open(file)
    compiled = await client.execute("lisp.compileFile", {"uri": uri})
    assert compiled["success"], compiled
    evaluation = await client.execute("lisp.eval", {"code": "(cl-user::average nil)"})
    assert evaluation["state"] == "stopped"
    return uri, evaluation


async def test_a_stopped_form_is_marked_and_left_by_a_restart(workspace: Path) -> None:
    async with lsp(workspace, initializationOptions=TRUSTED, capabilities=NOTIFIED | LITERAL) as client:
        uri, evaluation = await stop_in(client, workspace)
        stop = evaluation["debugger"]
        changed = await client.notification("descartes/debugger/changed", lambda p: p["debuggers"])
        (debugger,) = changed["debuggers"]
        # Places arrive as LSP positions, counted from 0.
        where = debugger["location"]["range"]["start"]
        assert where == {"line": 3, "character": STOPPING.splitlines()[3].index("(/")}
        marked = await diagnostics(client, uri, lambda d: d and d[0]["code"] == "stopped")
        (mark,) = marked["diagnostics"]
        assert mark["severity"] == 1
        assert mark["range"]["start"] == where
        lenses = await client.of("codeLens", uri)
        assert all(each["range"]["start"] == where for each in lenses)
        titles = lenses_of(lenses)
        assert "DIVISION-BY-ZERO" in titles[0]
        assert {"USE-VALUE …", "ABORT …"} & set(titles)
        actions = await client.of("codeAction", uri, range=mark["range"], context={"diagnostics": [mark]})
        use_value = next(each for each in actions if each["title"].startswith("USE-VALUE"))
        assert use_value["kind"] == "quickfix"
        assert use_value["diagnostics"] == [mark]
        # The lens's own command, with the value that it takes.
        (arguments,) = use_value["command"]["arguments"]
        seen = len(client.messages)
        done = await client.request(
            "workspace/executeCommand",
            {
                "command": use_value["command"]["command"],
                "arguments": [arguments | {"arguments": ["(* 6 7)"], "waitMs": 60_000}],
            },
        )
        assert done["evaluation"]["values"] == ["42"]
        await diagnostics(client, uri, lambda d: d == [], after=seen)
        assert await client.of("codeLens", uri) == []
        with pytest.raises(LspError) as caught:
            await client.execute("debugger.restart", {**stop, "name": "USE-VALUE"})
        assert (caught.value.number, caught.value.code) == (-32803, "debugger_stale")


async def test_a_plain_client_is_asked_which_restart(workspace: Path) -> None:
    asked: asyncio.Queue[Any] = asyncio.Queue()

    async def choose(params: Any) -> Any:
        await asked.put(params)
        return next(each for each in params["actions"] if each["title"].startswith("USE-FIVE"))

    async with lsp(workspace, initializationOptions=TRUSTED) as client:
        client.replies["window/showMessageRequest"] = choose
        code = '(restart-case (error "first") (use-five () :report "Take five." 5))'
        evaluation = await client.execute("lisp.eval", {"code": code})
        question = await asyncio.wait_for(asked.get(), 60)
        assert question["actions"][0]["title"] == "Leave it stopped"
        assert "USE-FIVE: Take five." in [each["title"] for each in question["actions"]]
        await client.notification("window/logMessage", lambda p: p["message"] == "=> 5")
        outcome = await client.execute("lisp.evaluation", {"id": evaluation["id"]})
        assert (outcome["state"], outcome["values"]) == ("done", ["5"])
        assert not [m for m in client.messages if m.get("method", "").startswith("descartes/")]


async def test_compiler_notes_come_with_exact_ranges_and_go(workspace: Path) -> None:
    file = workspace / "notes.lisp"
    file.write_text("(in-package :cl-user)\n\n(defun é😀 (x)\n  (list x unknown-é😀))\n")
    async with lsp(workspace, initializationOptions=TRUSTED) as client:
        uri = client.open(file)
        compiled = await client.execute(
            "lisp.compileForm", {"uri": uri, "position": {"line": 3, "character": 4}}
        )
        note = next(each for each in compiled["notes"] if "undefined variable" in each["message"].lower())
        published = await diagnostics(client, uri, bool)
        (shown,) = [d for d in published["diagnostics"] if "undefined variable" in d["message"].lower()]
        assert shown["range"] == note["range"]
        assert note["range"]["start"]["line"] in (2, 3)
        # Typing above moves the note along; the person fixes it; compiling again takes it away.
        start = {"line": 0, "character": 0}
        seen = len(client.messages)
        client.change(uri, 2, {"range": {"start": start, "end": start}, "text": "; é\n"})
        moved = await client.notification(
            PUBLISH, lambda p: p["uri"] == uri and p.get("version") == 2 and p["diagnostics"], after=seen
        )
        assert moved["diagnostics"][0]["range"]["start"]["line"] == shown["range"]["start"]["line"] + 1
        fixed = {"start": {"line": 4, "character": 10}, "end": {"line": 4, "character": 21}}
        seen = len(client.messages)
        client.change(uri, 3, {"range": fixed, "text": "1"})
        compiled = await client.execute(
            "lisp.compileForm", {"uri": uri, "position": {"line": 4, "character": 4}}
        )
        assert compiled["success"] and compiled["notes"] == []
        await diagnostics(client, uri, lambda d: d == [], after=seen)


async def test_saving_compiles_when_an_image_runs(workspace: Path) -> None:
    file = workspace / "saved.lisp"
    file.write_text("(in-package :cl-user)\n(defun saved () nowhere-bound)\n")
    async with lsp(workspace, initializationOptions=TRUSTED) as client:
        uri = client.open(file)
        client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
        await client.execute("lisp.start")
        await client.message(lambda m: "ready" in str(m.get("params")), "the image is ready")
        client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
        published = await diagnostics(client, uri, bool)
        assert "NOWHERE-BOUND" in published["diagnostics"][0]["message"]


async def test_an_untrusted_workspace_asks_once_and_remembers(workspace: Path) -> None:
    async with lsp(workspace) as client:
        questions = []

        def not_now(params: Any) -> Any:
            questions.append(params)
            return {"title": "Not now"}

        client.replies["window/showMessageRequest"] = not_now
        for _ in range(2):
            error = await client.refused("lisp.eval", {"code": "(+ 1 2)"})
            assert (error.number, error.code) == (-32803, "workspace_not_trusted")
        assert len(questions) == 1
        assert {each["title"] for each in questions[0]["actions"]} == {"Trust this workspace", "Not now"}
        assert await client.execute("workspace.trust", {"trusted": True}) == {"trusted": True}
        assert (await client.execute("lisp.eval", {"code": "(+ 1 2)"}))["values"] == ["3"]
    async with lsp(workspace) as client:
        assert (await client.execute("lisp.eval", {"code": "(+ 1 3)"}))["values"] == ["4"]
    async with lsp(workspace, initializationOptions={"trusted": False}) as client:
        assert (await client.refused("lisp.eval", {"code": "(+ 1 2)"})).code == "workspace_not_trusted"


async def test_text_that_a_program_reads_comes_from_a_saved_file(workspace: Path) -> None:
    shown: asyncio.Queue[Any] = asyncio.Queue()
    capabilities = {"window": {"showDocument": {"support": True}}}
    async with lsp(workspace, initializationOptions=TRUSTED, capabilities=capabilities) as client:

        async def show(params: Any) -> Any:
            await shown.put(params["uri"])
            return {"success": True}

        client.replies["window/showDocument"] = show
        asked = client.send_request(
            "workspace/executeCommand",
            {"command": "descartes.lisp.eval", "arguments": [{"code": "(read-line)"}]},
        )
        uri = await asyncio.wait_for(shown.get(), 60)
        path = Path(uri.removeprefix("file://"))
        assert path.is_relative_to(workspace / ".descartes" / "input")
        text = path.read_text() + "hello é\n"
        client.open(path, text)
        client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
        assert '"hello é"' in (await client.answer(asked))["values"]
        assert not path.exists()

        # An answer to what nothing reads any more is refused.
        asked = client.send_request(
            "workspace/executeCommand",
            {"command": "descartes.lisp.eval", "arguments": [{"code": "(read-line)"}]},
        )
        uri = await asyncio.wait_for(shown.get(), 60)
        path = Path(uri.removeprefix("file://"))
        client.open(path, path.read_text() + "late\n")
        await client.execute("lisp.interrupt")
        stopped = await client.answer(asked)
        await client.execute("debugger.toplevel", stopped["debugger"])
        await client.notification("window/showMessage", lambda p: path.name in p["message"])
        assert not path.exists()
        client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
        await client.notification("window/showMessage", lambda p: "came too late" in p["message"])


async def test_an_editor_is_told_that_a_program_does_not_read_any_more(workspace: Path) -> None:
    capabilities = {"experimental": {"descartes": {"notifications": True}}}
    async with lsp(workspace, initializationOptions=TRUSTED, capabilities=capabilities) as client:
        late = asyncio.Event()

        async def answer(params: Any) -> Any:
            await late.wait()
            return {"text": "late"}

        client.replies["descartes/lisp/input"] = answer
        asked = client.send_request(
            "workspace/executeCommand",
            {"command": "descartes.lisp.eval", "arguments": [{"code": "(read-line)"}]},
        )
        request = await client.message(lambda m: m.get("method") == "descartes/lisp/input", "the question")
        await client.execute("lisp.interrupt")
        stopped = await client.answer(asked)
        await client.execute("debugger.toplevel", stopped["debugger"])
        await client.notification("$/cancelRequest", lambda p: p["id"] == request["id"])
        told = await client.notification("descartes/lisp/inputEnded")
        assert told["tag"] == request["params"]["tag"] and told["evaluation"] == stopped["id"]
        late.set()
        await client.notification("window/showMessage", lambda p: "came too late" in p["message"])


@pytest.mark.ledger("D-75")
async def test_the_lens_of_a_stop_shows_the_debugger_in_a_plain_client(workspace: Path) -> None:
    async with lsp(workspace, initializationOptions=TRUSTED, capabilities=LITERAL) as client:
        uri, _ = await stop_in(client, workspace)
        lenses = await client.of("codeLens", uri)
        lens = next(each["command"] for each in lenses if "DIVISION-BY-ZERO" in each["command"]["title"])
        await client.request(
            "workspace/executeCommand", {"command": lens["command"], "arguments": lens["arguments"]}
        )
        shown = await client.notification("window/showMessage", lambda p: "debugger.md" in p["message"])
        text = Path(shown["message"].removeprefix("See file://")).read_text()
        assert "Condition: DIVISION-BY-ZERO" in text and "[0] USE-VALUE value - Use a value" in text
        assert "0: (AVERAGE NIL)" in text


async def test_what_lasts_shows_progress_and_what_is_done_at_once_does_not(workspace: Path) -> None:
    file, go = workspace / "a.lisp", workspace / "go"
    file.write_text(f'(eval-when (:compile-toplevel) (loop until (probe-file "{go}") do (sleep 0.01)))\n')
    capabilities = {"window": {"workDoneProgress": True}}
    async with lsp(workspace, initializationOptions=TRUSTED, capabilities=capabilities) as client:
        uri = client.open(file)
        compiling = asyncio.create_task(client.execute("lisp.compileFile", {"uri": uri}))
        await client.notification("$/progress", lambda p: p["value"]["kind"] == "begin")
        go.touch()
        assert (await compiling)["success"]
        steps = [m["params"]["value"] for m in client.messages if m.get("method") == "$/progress"]
        assert [step["kind"] for step in steps] == ["begin", "end"]
        assert steps[0]["title"] == "Compiling a.lisp"
        assert steps[1]["message"] == "done"
        seen = len(client.messages)
        for _ in range(20):
            assert (await client.execute("lisp.compileForm", {"uri": uri, "position": AT_START}))["success"]
        shown = [m for m in client.messages[seen:] if m.get("method") == "$/progress"]
        assert len(shown) < 20, "only what a busy machine delayed is shown, with a beginning and an end"
        asked = client.send_request(
            "workspace/executeCommand",
            {
                "command": "descartes.lisp.compileForm",
                "arguments": [{"uri": uri, "position": AT_START}],
                "workDoneToken": "mine",
            },
        )
        await client.answer(asked)
        mine = [m["params"] for m in client.messages[seen:] if m.get("method") == "$/progress"]
        assert [each["value"]["kind"] for each in mine if each["token"] == "mine"] == ["begin", "end"]


async def test_cancelling_the_progress_ends_the_request_and_stops_the_image(workspace: Path) -> None:
    file = workspace / "slow.lisp"
    file.write_text("(eval-when (:compile-toplevel) (print :begun) (finish-output) (sleep 600))\n")
    capabilities = NOTIFIED | {"window": {"workDoneProgress": True}}
    async with lsp(workspace, initializationOptions=TRUSTED, capabilities=capabilities) as client:
        uri = client.open(file)
        await client.execute("lisp.start")
        seen = len(client.messages)
        asked = client.send_request(
            "workspace/executeCommand",
            {"command": "descartes.lisp.compileFile", "arguments": [{"uri": uri}]},
        )
        begun = await client.notification("$/progress", lambda p: p["value"]["kind"] == "begin", after=seen)
        await client.notification("descartes/lisp/output", lambda p: "BEGUN" in p["text"])
        client.notify("window/workDoneProgress/cancel", {"token": begun["token"]})
        with pytest.raises(LspError) as caught:
            await client.answer(asked)
        assert caught.value.number == -32800
        await client.notification("$/progress", lambda p: p["value"].get("message") == "cancelled")
        # A second evaluation of this editor would wait behind it; what was stopped is aborted first.
        changed = await client.notification("descartes/debugger/changed", lambda p: p["debuggers"])
        (debugger,) = changed["debuggers"]
        await client.execute("debugger.abort", {"thread": debugger["thread"], "level": debugger["level"]})
        assert (await client.execute("lisp.eval", {"code": "(+ 1 2)"}))["values"] == ["3"]


async def test_settings_of_the_editor_reach_the_hub(workspace: Path) -> None:
    async with lsp(workspace, initializationOptions=TRUSTED) as client:
        await client.execute("lease.acquire", {"path": "a.lisp"})
        settings = {"descartes": {"lisp": {"command": ["/nowhere/at/all/sbcl"]}}}
        client.notify("workspace/didChangeConfiguration", {"settings": settings})
        assert (await client.refused("lisp.start")).code == "lisp_not_found"
        client.notify("workspace/didChangeConfiguration", {"settings": {"descartes": {}}})
        assert (await client.execute("lisp.start"))["state"] == "ready"


async def test_hover_and_completion_use_the_image(workspace: Path) -> None:
    async with lsp(workspace, initializationOptions=TRUSTED) as client:
        code = '(defun cl-user::made-in-the-image (first &key second) "Only there." (list first second))'
        await client.execute("lisp.eval", {"code": code})
        uri = client.open(workspace / "a.lisp", "(made-in-the-image 1 :second 2)\n(made-in-th)\n")
        await hovered(client, uri, "(made-in-the-image first &key second)", "Only there.")
        await answer_that(
            lambda found: [each["label"] for each in found["items"][:1]] == ["made-in-the-image"],
            lambda: client.at("completion", uri, 1, 11),
            "the completion that the image knows",
        )
        await answer_that(
            lambda found: (
                found and found["signatures"][0]["label"] == "(made-in-the-image first &key second)"
            ),
            lambda: client.at("signatureHelp", uri, 0, 30),
            "the signature that the image knows",
        )


async def test_the_server_is_killed_and_the_next_one_finds_the_image(workspace: Path) -> None:
    async with lsp(workspace, initializationOptions=TRUSTED) as client:
        await client.execute("lisp.eval", {"code": "(defvar cl-user::*kept* 42)"})
        pid = (await client.execute("lisp.status"))["pid"]
        client.process.kill()
        await client.wait()
    async with lsp(workspace, initializationOptions=TRUSTED) as client:
        assert (await client.execute("lisp.eval", {"code": "cl-user::*kept*"}))["values"] == ["42"]
        assert (await client.execute("lisp.status"))["pid"] == pid


async def test_an_embedded_hub_needs_no_other_process(workspace: Path) -> None:
    async with lsp(workspace, "--embedded", initializationOptions=TRUSTED) as client:
        assert (await client.execute("hub.status"))["pid"] == client.process.pid
        lease = await client.execute("lease.acquire", {"path": "a.lisp"})
        assert lease["token"] == 1


async def test_an_image_that_was_only_attached_to_answers_through_the_hub(
    workspace: Path,
    own_stock_swank: StockSwank,  # noqa: F811
) -> None:
    async with lsp(workspace, initializationOptions=TRUSTED) as client:
        status = await client.execute("lisp.connect", {"host": "127.0.0.1", "port": own_stock_swank.port})
        assert (
            status["state"] == "ready" and status["attached"] and status["pid"] == own_stock_swank.process.pid
        )
        await client.execute("lisp.eval", {"code": '(defun only-here (x) "Known to the image." x)'})
        uri = client.open(workspace / "a.lisp", "(only-here 1)\n")
        await hovered(client, uri, "Known to the image.")
        stopped = await client.execute("lisp.eval", {"code": "(/ 1 0)"})
        assert stopped["state"] == "stopped"
        await client.execute("debugger.abort", stopped["debugger"])
        assert (await client.execute("lisp.stop"))["state"] == "stopped"
    assert own_stock_swank.process.poll() is None

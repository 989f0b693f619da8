"""Breakpoints, steps and retry with a fix as an editor and a terminal meet them."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from support.leaving import patient
from support.lsp_client import LspClient, LspError, lsp

TRUSTED: dict[str, Any] = {"trusted": True}
NOTIFIED = {
    "experimental": {"descartes": {"notifications": True}},
    "textDocument": {"codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}}}},
}
SHAPES = """(in-package :cl-user)

(defun area (a b)
  #| 😀 |# (list a (* a b)))

(defun total (n) (list :total (area n 3)))
"""
PUBLISH = "textDocument/publishDiagnostics"
TOP = {"line": 0, "character": 0}


async def stopped(client: LspClient, code: str) -> Any:
    evaluation = await client.execute("lisp.eval", {"code": code})
    assert evaluation["state"] == "stopped", evaluation
    return evaluation["debugger"]


def titles(lenses: list[Any]) -> list[str]:
    return [each["command"]["title"] for each in lenses]


async def opened(client: LspClient, workspace: Path, text: str = SHAPES) -> str:
    file = workspace / "shapes.lisp"
    file.write_text(text)
    uri = client.open(file)
    assert (await client.execute("lisp.compileFile", {"uri": uri}))["success"]
    return uri


def of_breakpoints(published: Any) -> list[Any]:
    return [each for each in published["diagnostics"] if each["code"] == "breakpoint"]


def of_stops(published: Any) -> list[Any]:
    return [each for each in published["diagnostics"] if each["code"] == "stopped"]


async def lens_called(client: LspClient, uri: str, title: str) -> Any:
    found = await client.of("codeLens", uri)
    return next(each for each in found if each["command"]["title"] == title)


async def choose(client: LspClient, action: Any) -> Any:
    """Do what ACTION does, waiting for the next stop or the end where it leaves a stop."""
    command = action["command"]
    name = command["command"].removeprefix("descartes.")
    given = [patient(name, each) for each in command.get("arguments", ())]
    return await client.request("workspace/executeCommand", command | {"arguments": given})


async def offered(client: LspClient, uri: str, place: dict[str, int], title: str) -> Any:
    """Return the code action at PLACE whose title begins with TITLE."""
    actions = await client.of(
        "codeAction", uri, range={"start": place, "end": place}, context={"diagnostics": []}
    )
    return next(each for each in actions if each["title"].startswith(title))


async def test_a_breakpoint_is_set_at_a_form_stepped_from_and_removed(workspace: Path) -> None:
    async with lsp(workspace, initializationOptions=TRUSTED, capabilities=NOTIFIED) as client:
        uri = await opened(client, workspace)
        line = SHAPES.splitlines()[3]
        # In UTF-16 the emoji counts twice.
        place = {"line": 3, "character": len(line[: line.index("(* a")].encode("utf-16-le")) // 2}
        set_here = await offered(client, uri, place, "Set a breakpoint")
        found = await choose(client, set_here)
        assert found["verified"], found
        assert found["range"]["start"] == place
        assert titles(await client.of("codeLens", uri)) == ["● breakpoint", "remove"]
        # What is typed above, and not saved, moves the breakpoint and later the stop at it.
        client.change(uri, 2, {"range": {"start": TOP, "end": TOP}, "text": "; above\n"})
        moved = place | {"line": 4}
        assert {each["range"]["start"]["line"] for each in await client.of("codeLens", uri)} == {4}
        stop = await stopped(client, "(cl-user::total 2)")
        await client.notification(PUBLISH, lambda p: any(e["range"]["start"] == moved for e in of_stops(p)))
        lenses = await client.of("codeLens", uri)
        assert titles(lenses)[0].startswith("■ breakpoint: (* a b)")
        assert {"CONTINUE", "step into", "step over", "step out"} <= set(titles(lenses))
        code = await client.execute("debugger.disassemble", stop)
        assert "AREA" in code["text"]
        over = next(each for each in lenses if each["command"]["title"] == "step over")
        seen = len(client.messages)
        left = await choose(client, over)
        assert left["debugger"]["condition"]["type"] == "step"
        assert left["debugger"]["location"]["range"]["start"] == moved
        assert left["debugger"]["frames"][0]["location"] == left["debugger"]["location"]
        await client.notification(
            PUBLISH,
            lambda p: any("step:" in e["message"] and e["range"]["start"] == moved for e in of_stops(p)),
            after=seen,
        )
        left = await client.execute("debugger.continue", stop)
        assert left["evaluation"]["values"] == ["(:TOTAL (2 6))"]
        await choose(client, await offered(client, uri, moved, "Remove the breakpoint"))
        assert titles(await client.of("codeLens", uri)) == []
        assert (await client.execute("lisp.eval", {"code": "(cl-user::total 2)"}))["state"] == "done"


async def test_a_wrong_condition_is_marked_where_the_breakpoint_stands(workspace: Path) -> None:
    async with lsp(workspace, initializationOptions=TRUSTED, capabilities=NOTIFIED) as client:
        uri = await opened(client, workspace)
        place = {"line": 3, "character": SHAPES.splitlines()[3].index("(list") + 1}
        found = await client.execute(
            "debugger.breakpoints.set", {"uri": uri, "position": place, "condition": "(> c 3)"}
        )
        assert not found["verified"]
        marked = await client.notification(PUBLISH, of_breakpoints)
        (mark,) = of_breakpoints(marked)
        assert mark["severity"] == 2
        assert "undefined variable" in mark["message"]
        assert mark["range"]["start"] == place
        seen = len(client.messages)
        await client.execute("debugger.breakpoints.clear", {"id": found["id"]})
        await client.notification(PUBLISH, lambda p: not of_breakpoints(p), after=seen)
        for wrong in ({}, {"symbol": 3}, {"uri": uri}):
            with pytest.raises(LspError) as caught:
                await client.execute("debugger.breakpoints.set", wrong)
            assert caught.value.code == "invalid_params"


async def test_a_fix_that_is_typed_is_retried_by_its_code_action(workspace: Path) -> None:
    async with lsp(workspace, initializationOptions=TRUSTED, capabilities=NOTIFIED) as client:
        wrong = SHAPES.replace("(* a b)", "(* a (car b))")
        uri = await opened(client, workspace, wrong)
        await stopped(client, "(cl-user::total 2)")
        await client.notification(PUBLISH, lambda p: p["diagnostics"])
        stale = await lens_called(client, uri, "retry with fix")
        client.change(uri, 2, {"text": SHAPES})
        action = await offered(client, uri, {"line": 3, "character": 20}, "Retry with fix")
        assert action["title"] == "Retry with fix: compile this form and call (AREA 2 3) again"
        # A function that is put above takes the place of the stopped one, not its stop and restarts.
        seen = len(client.messages)
        above = {"line": 2, "character": 0}
        client.change(
            uri, 3, {"range": {"start": above, "end": above}, "text": "(defun helper (x)\n  x)\n\n"}
        )
        await client.notification(
            PUBLISH, lambda p: any(e["range"]["start"]["line"] == 6 for e in of_stops(p)), after=seen
        )
        with pytest.raises(LspError) as caught:
            await choose(client, stale)
        assert caught.value.code == "invalid_params"
        assert "defines HELPER" in str(caught.value)
        lens = await lens_called(client, uri, "retry with fix")
        assert lens["range"]["start"]["line"] == 6
        result = await choose(client, lens)
        assert result["success"] and result["evaluation"]["values"] == ["(:TOTAL (2 6))"]


async def test_breakpoints_in_a_terminal(workspace: Path) -> None:
    (workspace / "shapes.lisp").write_text(SHAPES)

    async def descartes(*words: str) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "descartes_server", *words, "--workspace", str(workspace)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def result(*words: str) -> Any:
        status, out, err = await descartes(*words, "--json")
        assert status == 0, err
        return json.loads(out)

    file = str(workspace / "shapes.lisp")
    await result("lisp", "compile-file", file, "--trust")
    at_form = ("debugger", "breakpoints", "set", "--uri", file, "--position", "4:20")
    assert (await result(*at_form, "--condition", "(> a 1)"))["verified"]
    assert (await result("debugger", "breakpoints", "set", "--symbol", "total"))["verified"]
    _, listed, _ = await descartes("debugger", "breakpoints", "list")
    assert [line.split("\t")[1] for line in listed.splitlines()] == ["set", "set"]
    stop = (await result("lisp", "eval", "(total 2)"))["debugger"]
    words = ("--thread", str(stop["thread"]), "--level", str(stop["level"]))
    _, shown, _ = await descartes("debugger", "frame", *words)
    assert shown.split() == ["n", "2"]
    status, shown, err = await descartes("debugger", "disassemble", *words, "--frame", "99")
    assert (status, shown) == (1, "") and "no frame 99" in err
    patiently = (*words, "--wait-ms", "60000")
    left = await result("debugger", "continue", *patiently)
    assert left["debugger"]["breakpoint"] == "brk_1"
    status, _, err = await descartes("debugger", "step", *words, "--kind", "sideways")
    assert status == 2 and "sideways" in err
    left = await result("debugger", "continue", *patiently)
    assert left["evaluation"]["values"] == ["(:TOTAL (2 6))"]
    status, _, err = await descartes("debugger", "breakpoints", "clear", "9")
    assert status == 2 and "there are: brk_1, brk_2" in err
    await result("debugger", "breakpoints", "clear", "1")
    status, _, err = await descartes("debugger", "break-on-signals", "integer")
    assert status == 1 and "conditions never are" in err
    assert (await result("debugger", "break-on-signals", "warning"))["type"] == "WARNING"
    await result("lisp", "stop")

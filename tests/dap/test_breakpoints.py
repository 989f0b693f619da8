"""Breakpoints, steps and conditions that stop when they are signalled, through the real adapter and image."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from descartes_server.operations import trust
from support.dap_client import DapClient, Message, dap

AREA = """\
(defpackage #:area (:use #:cl) (:export #:area #:total #:checked))
(in-package #:area)

(defun area (width height)
  (let ((doubled (* 2 width)))
    #| (not here |#
    (/ (* doubled height)
       2)))

(defun total (rectangles)
  (loop for (width height) in rectangles
        sum (area width height)))

(defun checked (value)
  (handler-case (check-type value integer)
    (error () :handled)))
"""
FUNCTION_LINE, PRODUCT_LINE, MIDDLE_LINE, COMMENT_LINE = 4, 7, 8, 6


@pytest.fixture
def area(workspace: Path) -> Path:
    trust.trust(workspace.resolve())
    file = workspace / "area.lisp"
    file.write_text(AREA)
    return file


@pytest.fixture
async def debugger(area: Path) -> AsyncIterator[DapClient]:
    """Return a client that has the file loaded."""
    async with dap(area.parent) as client:
        await client.begin()
        await client.evaluate(f'(progn (proclaim \'(optimize (debug 3))) (load "{area}"))')
        yield client


async def set_lines(debugger: DapClient, file: Path, *lines: int, **more: Any) -> list[Message]:
    """Return the answers to breakpoints of FILE at LINES."""
    wanted = [{"line": line, **more} for line in lines]
    answer = await debugger.request("setBreakpoints", source={"path": str(file)}, breakpoints=wanted)
    found: list[Message] = answer["breakpoints"]
    return found


async def run(debugger: DapClient, code: str) -> int:
    """Evaluate CODE, which stops; returns the thread."""
    seen = len(debugger.messages)
    await debugger.refused("evaluate", expression=code, context="repl")
    thread: int = (await debugger.stopped(after=seen))["threadId"]
    return thread


async def test_a_line_means_the_form_that_begins_there_or_is_around_it(
    debugger: DapClient, area: Path
) -> None:
    (product,) = await set_lines(debugger, area, PRODUCT_LINE)
    assert product["verified"] and (product["line"], product["column"]) == (PRODUCT_LINE, 5), product
    thread = await run(debugger, "(area:area 2 3)")
    stopped = await debugger.stopped(reason="breakpoint")
    assert stopped["hitBreakpointIds"] == [product["id"]]
    frame = (await debugger.frames(thread))[0]
    assert "AREA:AREA 2 3" in frame["name"] and frame["line"] == PRODUCT_LINE
    assert (await debugger.scope(frame["id"]))["DOUBLED"]["value"] == "4"
    seen = len(debugger.messages)
    await debugger.request("continue", threadId=thread)
    await debugger.output("⇒ 6", after=seen)
    (again, middle) = await set_lines(debugger, area, PRODUCT_LINE, MIDDLE_LINE)
    assert again == product
    assert middle["verified"] and middle["line"] <= PRODUCT_LINE
    assert await set_lines(debugger, area) == []
    assert await debugger.evaluate("(area:area 2 3)") == "6"


async def test_a_condition_decides_whether_it_stops(debugger: DapClient, area: Path) -> None:
    await set_lines(debugger, area, PRODUCT_LINE, condition="(> height 3)")
    thread = await run(debugger, "(area:total '((1 2) (3 4) (5 6)))")
    frame = (await debugger.frames(thread))[0]
    assert (await debugger.scope(frame["id"]))["HEIGHT"]["value"] == "4"
    await set_lines(debugger, area)
    seen = len(debugger.messages)
    await debugger.request("continue", threadId=thread)
    await debugger.output("⇒ 44", after=seen)


async def test_function_breakpoints_by_name(debugger: DapClient) -> None:
    wanted = [{"name": "area:area"}, {"name": "no-such-function"}]
    answer = (await debugger.request("setFunctionBreakpoints", breakpoints=wanted))["breakpoints"]
    assert answer[0]["verified"] and not answer[1]["verified"] and answer[1]["message"]
    thread = await run(debugger, "(area:total '((2 3)))")
    await debugger.stopped(reason="function breakpoint")
    assert "AREA:AREA 2 3" in (await debugger.frames(thread))[0]["name"]
    await debugger.request("setFunctionBreakpoints", breakpoints=[])
    seen = len(debugger.messages)
    await debugger.request("continue", threadId=thread)
    await debugger.output("⇒ 6", after=seen)
    assert await debugger.evaluate("(area:area 2 3)") == "6"


async def test_what_cannot_be_set_says_why(debugger: DapClient, area: Path, workspace: Path) -> None:
    (package,) = await set_lines(debugger, area, 2)
    assert not package["verified"] and "once" in package["message"]
    # A client finds its breakpoint by the line.
    assert package["line"] == 2
    (missing,) = await set_lines(debugger, workspace / "nosuch.lisp", 1)
    assert not missing["verified"] and "nosuch.lisp" in missing["message"] and missing["line"] == 1
    (wrong,) = await set_lines(debugger, area, PRODUCT_LINE, condition="(car")
    assert not wrong["verified"] and wrong["message"] and wrong["line"] == PRODUCT_LINE
    (workspace / "empty.lisp").write_text(";;; Nothing yet.\n")
    (nowhere,) = await set_lines(debugger, workspace / "empty.lisp", 1)
    assert not nowhere["verified"] and "no" in nowhere["message"] and nowhere["line"] == 1
    assert "99" in str(await refusal(debugger, area, 99))
    for arguments in ({}, {"source": {"path": "area.lisp"}, "breakpoints": []}, {"source": {}}):
        assert await debugger.refused("setBreakpoints", **arguments)


async def refusal(debugger: DapClient, file: Path, line: int) -> Exception:
    """Return the error with which breakpoints at LINE are answered."""
    return await debugger.refused("setBreakpoints", source={"path": str(file)}, breakpoints=[{"line": line}])


async def test_steps_go_on_in_over_and_out(debugger: DapClient, area: Path) -> None:
    await debugger.request("setFunctionBreakpoints", breakpoints=[{"name": "area:area"}])
    thread = await run(debugger, "(area:total '((2 3) (4 5)))")
    await debugger.request("setFunctionBreakpoints", breakpoints=[])
    for command in ("stepIn", "next", "stepOut"):
        seen = len(debugger.messages)
        await debugger.request(command, threadId=thread)
        event = await debugger.event("stopped", after=seen)
        assert (event["reason"], event["threadId"]) == ("step", thread), event
        at = (await debugger.frames(thread))[0]["name"]
        assert ("TOTAL" if command == "stepOut" else "AREA:AREA") in at, (command, at)
    await debugger.evaluate(",abort")


async def test_conditions_stop_where_they_are_signalled(debugger: DapClient) -> None:
    assert await debugger.evaluate("(area:checked :no)") == ":HANDLED"
    answer = await debugger.request("setExceptionBreakpoints", filters=["error"])
    assert answer["breakpoints"] == [{"verified": True}]
    thread = await run(debugger, "(area:checked :no)")
    seen = len(debugger.messages)
    await debugger.request("continue", threadId=thread)
    await debugger.output("⇒ :HANDLED", after=seen)
    answer = await debugger.request(
        "setExceptionBreakpoints",
        filters=[""],
        filterOptions=[
            {"filterId": "class"},
            {"filterId": "error", "condition": "division-by-zero"},
            {"filterId": "class", "condition": "(not a type"},
        ],
    )
    assert [each["verified"] for each in answer["breakpoints"]] == [False, True, False]
    assert await debugger.evaluate("(area:checked :no)") == ":HANDLED"
    thread = await run(debugger, "(handler-case (/ 1 (- 1 1)) (error () :handled))")
    seen = len(debugger.messages)
    await debugger.evaluate(",toplevel")
    await debugger.output("aborted", after=seen)
    # Clients without conditions of filters have the names of classes typed as filters.
    refused = await debugger.refused("setExceptionBreakpoints", filters=["nosuch", "division-by-zero"])
    assert "NOSUCH" in str(refused).upper()
    thread = await run(debugger, "(handler-case (/ 1 (- 1 1)) (error () :handled))")
    await debugger.request("setExceptionBreakpoints", filters=[])
    seen = len(debugger.messages)
    await debugger.request("continue", threadId=thread)
    await debugger.output("⇒ :HANDLED", after=seen)
    assert await debugger.evaluate("(handler-case (/ 1 (- 1 1)) (error () :handled))") == ":HANDLED"


async def test_breakpoints_go_with_the_client_that_set_them(debugger: DapClient, area: Path) -> None:
    await set_lines(debugger, area, PRODUCT_LINE)
    await debugger.request("setFunctionBreakpoints", breakpoints=[{"name": "area:total"}])
    await debugger.request("setExceptionBreakpoints", filters=["error"])
    await debugger.request("disconnect")
    with contextlib.suppress(ProcessLookupError):  # it may have ended already
        debugger.process.send_signal(signal.SIGINT)  # as nvim-dap does
    assert await debugger.wait() == 0
    async with dap(area.parent) as other:
        await other.begin()
        assert await other.evaluate("(area:total '((2 3)))") == "6"
        assert await other.evaluate("(area:checked :no)") == ":HANDLED"


async def test_a_breakpoint_waits_for_its_file_and_stands_when_that_is_loaded_again(area: Path) -> None:
    async with dap(area.parent) as debugger:
        await debugger.begin()
        (waiting,) = await set_lines(debugger, area, PRODUCT_LINE)
        assert not waiting["verified"] and "loaded" in waiting["message"] and waiting["line"] == PRODUCT_LINE
        # Nothing was defined in a package that the file does not mean.
        assert await debugger.evaluate("(fboundp 'area)") == "NIL"
        for _ in range(2):
            await debugger.evaluate('(load "area.lisp")')
            thread = await run(debugger, "(area:area 2 3)")
            stopped = await debugger.stopped(threadId=thread, reason="breakpoint")
            assert stopped["hitBreakpointIds"] == [waiting["id"]]
            await debugger.request("continue", threadId=thread)
        await debugger.event("breakpoint", lambda body: body["breakpoint"]["verified"])


async def test_a_file_is_loaded_before_what_is_launched_so_that_its_breakpoints_stand(area: Path) -> None:
    async with dap(area.parent) as debugger:
        await debugger.request("initialize")
        await debugger.request("launch", load="area.lisp", expression="(area:area 2 3)")
        await set_lines(debugger, area, PRODUCT_LINE)
        await debugger.request("configurationDone")
        thread = (await debugger.stopped(reason="breakpoint"))["threadId"]
        await debugger.request("continue", threadId=thread)
        await debugger.output("⇒ 6")

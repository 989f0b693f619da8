"""Objects unfolded in a debugger: through the real inspector, in pages, and changed in place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support.dap_client import DapClient, Message, dap

SETUP = """(progn
  (defstruct leaf (name "ash") (veins (list 1 2)))
  (defclass tree () ((leaves :initform (vector (make-leaf) (make-leaf :name "oak"))) (height)))
  (defun look (tree numbers table circle size)
    (error "Look at ~a, ~a, ~a, ~a and ~a" tree (length numbers) table (first circle) size)))"""
CALL = """(look (make-instance 'tree) (loop for i below 250 collect (list i))
  (let ((table (make-hash-table))) (setf (gethash :key table) (list "value")) table)
  (let ((circle (list 1 2))) (setf (cdr (last circle)) circle)) 42)"""


@pytest.fixture
async def stopped(ratio: Path) -> AsyncIterator[tuple[DapClient, dict[str, Message], int]]:
    """Return a client, the locals of the frame that it looks at, and that frame."""
    async with dap(ratio.parent) as debugger:
        await debugger.request("initialize", supportsVariablePaging=True, supportsVariableType=True)
        await debugger.request("attach")
        await debugger.request("configurationDone")
        for form in (SETUP, "(setf *print-circle* t)"):
            await debugger.evaluate(form)
        await debugger.refused("evaluate", expression=CALL, context="repl")
        thread = (await debugger.stopped())["threadId"]
        frame = next(each for each in await debugger.frames(thread) if "(LOOK" in each["name"])
        yield debugger, await debugger.scope(frame["id"]), frame["id"]


async def unfolded(debugger: DapClient, variable: Message, **more: Any) -> dict[str, Message]:
    """Return what is in VARIABLE, which can be unfolded."""
    assert variable["variablesReference"] > 0, variable
    return await debugger.children(variable["variablesReference"], **more)


async def test_objects_are_unfolded_to_any_depth_and_in_any_order(
    stopped: tuple[DapClient, dict[str, Message], int],
) -> None:
    debugger, variables, _ = stopped
    assert variables["SIZE"] == {
        "name": "SIZE",
        "value": "42",
        "evaluateName": "SIZE",
        "variablesReference": 0,
    }
    assert (variables["TREE"]["type"], variables["TREE"].get("indexedVariables")) == ("TREE", None)
    slots = await unfolded(debugger, variables["TREE"])
    assert slots["HEIGHT"]["value"] == "(unbound)"
    entries = await unfolded(debugger, variables["TABLE"])
    assert (await unfolded(debugger, entries[":KEY"]))["0"]["value"] == '"value"'
    leaves = await unfolded(debugger, slots["LEAVES"])
    oak, ash = [await unfolded(debugger, leaves[index]) for index in ("1", "0")]
    assert (oak["NAME"]["value"], ash["NAME"]["value"]) == ('"oak"', '"ash"')
    assert (await unfolded(debugger, ash["VEINS"]))["1"]["value"] == "2"
    first = next(each for name, each in variables.items() if name == "CIRCLE")
    around = await unfolded(debugger, first)
    assert around and len(around) < 120


async def test_many_items_come_in_pages(stopped: tuple[DapClient, dict[str, Message], int]) -> None:
    debugger, variables, frame = stopped
    numbers = variables["NUMBERS"]
    assert numbers["indexedVariables"] == 250 and numbers["type"] == "CONS"
    page = await unfolded(debugger, numbers, filter="indexed", start=200, count=25)
    assert list(page) == [str(index) for index in range(200, 225)]
    assert (await unfolded(debugger, page["220"]))["0"]["value"] == "220"
    end = await unfolded(debugger, numbers, filter="indexed", start=240, count=100)
    assert list(end) == [str(index) for index in range(240, 250)]
    assert await unfolded(debugger, numbers, filter="indexed", start=500, count=10) == {}
    names = []
    rest = await unfolded(debugger, numbers, filter="indexed")
    while (more := next((each for name, each in rest.items() if name.startswith("[")), None)) is not None:
        names += [name for name in rest if name != more["name"]]
        rest = await unfolded(debugger, more)
    assert [*names, *rest] == [str(index) for index in range(250)]
    long = await debugger.request(
        "evaluate", expression="(make-array 30000 :initial-element :x)", frameId=frame, context="watch"
    )
    assert long["indexedVariables"] == 30000
    far = await debugger.children(long["variablesReference"], filter="indexed", start=29_990, count=5)
    assert far["29990"]["value"] == ":X"


async def test_parts_are_set_where_they_are(stopped: tuple[DapClient, dict[str, Message], int]) -> None:
    debugger, variables, frame = stopped

    async def set_(reference: int, name: str, value: str) -> str:
        asked = {"variablesReference": reference, "name": name, "value": value}
        return str((await debugger.request("setVariable", **asked))["value"])

    tree = variables["TREE"]["variablesReference"]
    assert await set_(tree, "HEIGHT", "(* 2 21)") == "42"
    assert await debugger.evaluate("(slot-value tree 'height)", frameId=frame) == "42"
    assert await set_(variables["NUMBERS"]["variablesReference"], "240", ":there") == ":THERE"
    assert await debugger.evaluate("(nth 240 numbers)", frameId=frame) == ":THERE"
    for name, value, why in [
        ("Class", "1", "cannot"),
        ("NOSUCH", "1", "NOSUCH"),
        ("HEIGHT", "(car 1)", "LIST"),
    ]:
        refused = await debugger.refused("setVariable", variablesReference=tree, name=name, value=value)
        assert why in str(refused)


async def test_the_inspector_of_another_client_is_shown_the_way_to_a_variable(
    stopped: tuple[DapClient, dict[str, Message], int],
) -> None:
    debugger, variables, frame = stopped
    look = await debugger.container(frame)
    way = await debugger.request("descartes/inspect", variablesReference=look, name="TREE")
    assert way["path"] == [] and {"thread", "level", "frame", "local"} == set(way["root"])
    leaves = await unfolded(debugger, (await unfolded(debugger, variables["TREE"]))["LEAVES"])
    inside = leaves["1"]["variablesReference"]
    assert (await debugger.request("descartes/inspect", variablesReference=inside, name="NAME"))["path"]
    far = variables["NUMBERS"]["variablesReference"]
    (line,) = (await debugger.request("descartes/inspect", variablesReference=far, name="240"))["path"]
    assert line >= 240
    for reference, name in ((look, "NOSUCH"), (far, "1000")):
        refused = await debugger.refused("descartes/inspect", variablesReference=reference, name=name)
        assert name in str(refused)
    restarts = await debugger.container(frame, "Restarts")
    assert "none" in str(
        await debugger.refused("descartes/inspect", variablesReference=restarts, name="0 ABORT")
    )


async def test_values_and_conditions_are_unfolded_too(
    stopped: tuple[DapClient, dict[str, Message], int],
) -> None:
    debugger, _, frame = stopped
    condition = await debugger.scope(frame, "Condition")
    assert condition["Message"]["value"].startswith("Look at"), condition
    assert all(each["value"] for each in condition.values()), condition
    for context in ("repl", "watch"):
        shown = await debugger.request(
            "evaluate", expression="(list size (vector :inner))", frameId=frame, context=context
        )
        parts = await debugger.children(shown["variablesReference"])
        assert parts["about"]["value"] == "A list of 2 elements"
        assert (await unfolded(debugger, parts["1"]))["0"]["value"] == ":INNER"
    seen = len(debugger.messages)
    await debugger.evaluate(",abort", frameId=frame)
    await debugger.event("thread", lambda body: body["reason"] == "exited", after=seen)
    stale = await debugger.refused("variables", variablesReference=1)
    # A client looks by itself, also a moment too late: nothing that a person has to be told.
    assert stale.code == "debugger_stale" and not stale.error["showUser"]

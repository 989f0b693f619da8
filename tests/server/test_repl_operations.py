"""REPLs through the operations, on a real image: results, completion, inputs of earlier days, other doors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from descartes_core import errors
from descartes_core.model import Principal
from descartes_server.operations.context import Context
from descartes_server.operations.texts import uri_of
from support.desk import Desk, desk
from support.until import until

__all__ = ["desk"]


def another(desk: Desk, client_id: str, **changed: Any) -> Desk:
    """Return the same operations as another client sees them."""
    caller = replace(desk.context.caller, client_id=client_id, **changed)
    return Desk(Context(desk.context.services, caller), desk.published)


def labels(found: dict[str, Any]) -> list[str]:
    return [item["label"] for item in found["items"]]


async def test_a_repl_numbers_its_results_and_keeps_its_package(desk: Desk) -> None:
    first = await desk.call("lisp.eval", repl="one", code="(defpackage inn (:use cl)) (in-package inn)")
    assert (first["repl"], first["number"], first["package"]) == ("one", 1, "INN")
    second = await desk.call("lisp.eval", repl="one", code="(values (list 1) :b)")
    assert second["number"] == 2 and second["values"] == ["(1)", ":B"]
    assert (await desk.call("lisp.eval", repl="one", code="(list #v2 #v2:1 *)"))["values"] == ["((1) :B (1))"]
    main = await desk.call("lisp.eval", code="(list * (package-name *package*))")
    assert main["values"] == ['(NIL "COMMON-LISP-USER")'] and main["number"] is None
    shown = await desk.call("inspector.open", evaluation=second["id"], value=0)
    assert shown["title"] == "(1)"

    def told() -> list[tuple[str | None, int | None]]:
        ends = (params for method, params in desk.published if method == "descartes/lisp/evaluated")
        return [(each["repl"], each["number"]) for each in ends]

    # Everybody is told a moment after the answer.
    await until(lambda: ("one", 2) in told(), "the second result is told")
    (event, *_) = await desk.events("lisp.evaluated")
    assert event.data["repl"] == "one"


async def test_a_repl_reads_prints_and_is_interrupted(desk: Desk) -> None:
    read = await desk.call("lisp.eval", repl="one", code='(progn (princ "Name? ") (values (read-line)))')
    assert read["values"] == ['"forty-two"'] and read["output"] == "Name? "
    assert desk.inputs[-1]["prompt"] == "Name? " and desk.inputs[-1]["client"] == "editor"
    loops = [
        asyncio.create_task(desk.call("lisp.eval", repl=name, code="(loop (sleep 0.01))"))
        for name in ("one", "two")
    ]
    evaluations = desk.context.services.image.evaluations
    await until(
        lambda: all(evaluations.newest_running("editor", name) for name in ("one", "two")), "they run"
    )
    await desk.call("lisp.interrupt", repl="one")
    stopped = await loops[0]
    assert stopped["condition"]["type"] == "interrupt" and not loops[1].done()
    await desk.call("debugger.toplevel", **stopped["debugger"])
    await desk.call("lisp.interrupt", repl="two")
    await desk.call("debugger.toplevel", **(await loops[1])["debugger"])
    with pytest.raises(errors.NotFound):
        await desk.call("lisp.interrupt", repl="two")


async def test_completion_knows_the_image_the_text_and_the_package(desk: Desk) -> None:
    static = await desk.call("lisp.complete", text="(multiple-value-b")
    assert "multiple-value-bind" in labels(static) and static["start"] == 1
    code = "(defpackage bar (:use cl)) (in-package bar) (defun barkeeper (name) name)"
    await desk.call("lisp.eval", repl="one", code=code)
    there = await desk.call("lisp.complete", text="(barke", repl="one")
    assert there["items"][0] == {"label": "barkeeper", "kind": "function", "detail": "(barkeeper name)"}
    assert labels(await desk.call("lisp.complete", text="(barke")) == []
    assert labels(await desk.call("lisp.complete", text="(barke", package="BAR")) == ["barkeeper"]
    assert labels(await desk.call("lisp.complete", text="(bar::barke", repl="two")) == ["bar::barkeeper"]
    local = await desk.call("lisp.complete", text="(let ((counter 1)) (+ coun))", offset=26)
    assert labels(local)[0] == "counter" and local["start"] == 22
    for text in ('"barke', "; barke", ""):
        assert (await desk.call("lisp.complete", text=text, repl="one"))["items"] == []
    with pytest.raises(errors.InvalidParams, match="offset from 0 to 3"):
        await desk.call("lisp.complete", text="car", offset=4)


async def test_whether_an_input_is_whole_needs_no_image(desk: Desk) -> None:
    assert await desk.call("lisp.inputComplete", text="(list 1)") == {"complete": True, "open": 0}
    assert await desk.call("lisp.inputComplete", text='(list "') == {"complete": False, "open": 2}
    assert (await desk.call("lisp.status"))["state"] == "stopped"


async def test_inputs_are_recalled_newest_first_over_clients_and_restarts(
    desk: Desk, workspace: Path
) -> None:
    for code in ("(list 1)", "(list 2)", "(list 2)", "(in-package :keyword)"):
        await desk.call("lisp.eval", repl="one", code=code)
    await desk.call("lisp.eval", repl="two", code=":elsewhere")
    file = workspace / "a.lisp"
    file.write_text("(+ 1 1)")
    await desk.call("lisp.evalForm", uri=uri_of(file), position={"line": 1, "column": 1})
    agent = another(desk, "robot", principal=Principal(kind="agent", id="robot", name="Robot"))
    await agent.call("lisp.eval", repl="one", code=":not-mine")
    await desk.call("lisp.restart")
    found = (await another(desk, "other editor").call("lisp.replHistory", repl="one"))["inputs"]
    assert [each["code"] for each in found] == ["(in-package :keyword)", "(list 2)", "(list 1)"]
    assert found[0]["package"] == "KEYWORD" and found[0]["at"]
    everything = (await desk.call("lisp.replHistory", limit=2))["inputs"]
    assert [each["code"] for each in everything] == [":elsewhere", "(in-package :keyword)"]
    with pytest.raises(errors.InvalidParams):
        await desk.call("lisp.replHistory", limit=0)


async def test_a_thread_belongs_to_who_started_it(desk: Desk) -> None:
    code = (
        '(sb-thread:make-thread (lambda () (princ "from a thread") (finish-output) (error "later"))) :begun'
    )
    begun = await desk.call("lisp.eval", repl="one", code=code)
    async with asyncio.timeout(60):
        while not (stops := (await desk.call("debugger.list"))["debuggers"]):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    (stop,) = stops
    assert (stop["evaluation"], stop["origin"]["kind"]) == (begun["id"], "human")
    told = [params for method, params in desk.published if method == "descartes/lisp/output"]
    assert told and {each["evaluation"] for each in told} == {begun["id"]}
    left = await desk.call("debugger.abort", thread=stop["thread"], level=1, waitMs=60_000)
    assert left["debugger"] is None and (await desk.call("debugger.list"))["debuggers"] == []


async def test_three_clients_share_an_image_without_trampling(desk: Desk) -> None:
    agent = Principal(kind="agent", id="run_1", name="Robot")
    clients = [desk, another(desk, "two"), another(desk, "three", principal=agent, run="run_1")]
    for number, client in enumerate(clients):
        await client.call(
            "lisp.eval", repl="r", code=f"(defpackage p{number} (:use cl)) (in-package p{number})"
        )

    async def work(number: int, client: Desk) -> None:
        for turn in range(8):
            code = f'(progn (format t "{number}-{turn} ") (values {number} (package-name *package*)))'
            done = await client.call("lisp.eval", repl="r", code=code)
            assert done["values"] == [str(number), f'"P{number}"'] and done["output"] == f"{number}-{turn} "
            shown = await client.call("inspector.open", evaluation=done["id"], value=0)
            assert shown["title"] == str(number)
            stopped = await client.call("lisp.eval", repl="r", code=f'(error "of {number}")')
            listed = (await client.call("debugger.list"))["debuggers"]
            (mine,) = [each for each in listed if each["evaluation"] == stopped["id"]]
            assert mine["condition"]["message"] == f"of {number}"
            assert mine["origin"]["kind"] == ("agent" if number == 2 else "human")
            await client.call("debugger.toplevel", thread=mine["thread"], level=mine["level"])
            assert (await client.call("lisp.eval", repl="r", code="*"))["values"] == [str(number)]
        assert len((await client.call("inspector.list"))["inspections"]) == 8

    async with asyncio.timeout(200):
        await asyncio.gather(*(work(number, client) for number, client in enumerate(clients)))
    outputs = [params for method, params in desk.published if method == "descartes/lisp/output"]
    by_evaluation = {each["evaluation"] for each in outputs}
    assert None not in by_evaluation and len(by_evaluation) == 24


async def test_the_command_line_has_a_repl_that_stays(descartes: Callable[..., Awaitable[Any]]) -> None:
    first = await descartes("lisp", "eval", "(list 1 2)", "--repl", "shell", "--trust", "--json")
    assert json.loads(first.out)["number"] == 1
    second = await descartes("lisp", "eval", "(reverse #v1)", "--repl", "shell")
    assert second.out.splitlines()[-1] == "(2 1)"
    history = await descartes("lisp", "repl-history", "--repl", "shell", "--json")
    assert [each["code"] for each in json.loads(history.out)["inputs"]] == ["(reverse #v1)", "(list 1 2)"]
    assert json.loads((await descartes("lisp", "input-complete", "(list", "--json")).out)["open"] == 1
    completed = await descartes("lisp", "complete", "(multiple-value-b", "--json")
    assert "multiple-value-bind" in [each["label"] for each in json.loads(completed.out)["items"]]
    assert (await descartes("lisp", "complete", "x", "--offset", "9")).status == 1


@pytest.mark.slow
async def test_a_hundred_megabytes_are_shortened_and_saved_in_full(desk: Desk) -> None:
    code = "(dotimes (i 1000000) (write-line (load-time-value (make-string 99 :initial-element #\\x))))"
    flood = asyncio.create_task(desk.call("lisp.eval", repl="flood", code=code))
    beside = [await desk.call("lisp.eval", repl="beside", code=f"(+ {n} 1)") for n in range(50)]
    assert [each["values"] for each in beside] == [[str(n + 1)] for n in range(50)]
    async with asyncio.timeout(240):
        done = await flood
    assert done["state"] == "done" and done["outputBytes"] == 100_000_000
    assert len(done["output"].encode()) <= 65_600 and "more)" in done["output"]
    assert Path(done["outputFile"]).stat().st_size == 100_000_000
    passed_on = sum(
        len(params["text"]) for method, params in desk.published if method == "descartes/lisp/output"
    )
    assert passed_on < 1_200_000

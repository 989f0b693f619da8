"""The operations `inspector.*`: on a real image, at the command line, when the image or the client goes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from descartes_core import errors
from descartes_core.runs import SpawnRequest
from descartes_server import __version__
from descartes_server.hub import messages, service
from descartes_server.hub.client import HubClient
from descartes_server.hub.embedded import EmbeddedOpener
from descartes_server.hub.main import running_hub
from descartes_server.operations.context import Context
from descartes_server.operations.workspace import Workspace
from descartes_swank import Expression
from support.desk import PERSON, Desk, desk

__all__ = ["desk"]


def another(desk: Desk, client_id: str) -> Desk:
    """Return the same operations as another client sees them."""
    caller = replace(desk.context.caller, client_id=client_id)
    return Desk(Context(desk.context.services, caller), desk.published)


def line(shown: dict[str, Any], start: str) -> dict[str, Any]:
    return next(part for part in shown["parts"] if part["text"].startswith(start))


@pytest.mark.ledger("D-73")
async def test_an_object_is_opened_followed_changed_and_closed(desk: Desk) -> None:
    shown = await desk.call("inspector.open", expression="(list 1 (vector 2 3))")
    assert (shown["title"], shown["type"], shown["count"]) == ("(1 #(2 3))", "CONS", 2)
    inner = await desk.call("inspector.part", id=shown["id"], part=line(shown, "1 = ")["part"])
    assert inner["type"] == "(SIMPLE-VECTOR 2)" and inner["back"] and line(inner, "0 = ")["settable"]
    changed = await desk.call(
        "inspector.set", id=shown["id"], part=line(inner, "0 = ")["part"], code="(+ * 40)"
    )
    assert line(changed, "0 = ")["text"] == "0 = 42"
    back = await desk.call("inspector.back", id=shown["id"][4:12])
    assert back["title"] == "(1 #(42 3))" and back["forward"]
    assert (await desk.call("inspector.forward", id=shown["id"]))["title"] == "#(42 3)"
    value = await desk.call("inspector.eval", id=shown["id"], code='(progn (princ "x") (length *))')
    assert (value["title"], value["values"], value["output"]) == ("2", ["2"], "x")
    assert [each["id"] for each in (await desk.call("inspector.list"))["inspections"]] == [shown["id"]]
    assert (await desk.call("inspector.close", id=shown["id"]))["parts"] == []
    assert (await desk.call("inspector.list"))["inspections"] == []
    with pytest.raises(errors.NotFound, match=r"inspector\.open"):
        await desk.call("inspector.refresh", id=shown["id"])


@pytest.mark.ledger("D-73")
async def test_clients_have_inspections_of_their_own(desk: Desk) -> None:
    other = another(desk, "other")
    mine = await desk.call("inspector.open", expression="1")
    theirs = await other.call("inspector.open", expression="2")
    with pytest.raises(errors.NotFound):
        await other.call("inspector.refresh", id=mine["id"])
    assert (await other.call("inspector.refresh", id=theirs["id"]))["title"] == "2"
    await desk.context.services.image.forget_client("editor")
    assert (await desk.call("inspector.list"))["inspections"] == []
    assert len((await other.call("inspector.list"))["inspections"]) == 1


async def test_what_is_opened_comes_from_a_value_a_frame_or_a_condition(desk: Desk) -> None:
    done = await desk.call("lisp.eval", code="(values 1 (list :second))")
    second = await desk.call("inspector.open", evaluation=done["id"], value=1)
    assert second["title"] == "(:SECOND)"
    code = '(funcall (lambda (width) (declare (optimize debug)) (error "no ~a" width)) 41)'
    stop = (await desk.call("lisp.eval", code=code))["debugger"]
    frames = (await desk.call("debugger.frames", **stop, start=0, end=9))["frames"]
    found = None
    for frame in frames:
        detail = await desk.call("debugger.frame", **stop, frame=frame["index"])
        names = [local["name"] for local in detail["locals"]]
        if "WIDTH" in names:
            found = frame["index"], names.index("WIDTH")
            break
    assert found is not None
    for local in ("width", found[1]):
        shown = await desk.call("inspector.open", **stop, frame=found[0], local=local)
        assert shown["title"] == "41"
    condition = await desk.call("inspector.open", **stop)
    assert condition["type"] == "SIMPLE-ERROR"
    with pytest.raises(errors.NotFound, match="no variable nonsense"):
        await desk.call("inspector.open", **stop, frame=found[0], local="nonsense")
    await desk.call("debugger.toplevel", **stop)
    with pytest.raises(errors.DebuggerStale):
        await desk.call("inspector.open", **stop, frame=0, local=0)


async def test_bad_questions_are_refused_in_a_sentence(desk: Desk) -> None:
    with pytest.raises(errors.LispNotRunning):
        await desk.call("inspector.refresh", id="ins_1")
    assert await desk.call("inspector.list") == {"inspections": []}
    with pytest.raises(errors.InvalidParams, match="expected one of `expression`"):
        await desk.call("inspector.open")
    shown = await desk.call("inspector.open", expression="'(1)")
    for params, said in (
        ({"expression": '(error "oh")'}, "Oh"),
        ({"expression": "("}, "End of file"),
        ({"thread": 1}, "both"),
    ):
        with pytest.raises(errors.InvalidParams, match=said):
            await desk.call("inspector.open", **params)
    with pytest.raises(errors.NotFound, match="refresh"):
        await desk.call("inspector.part", id=shown["id"], part=77)
    with pytest.raises(errors.NotFound, match="evaluation"):
        await desk.call("inspector.open", evaluation="eval_none")
    with pytest.raises(errors.NotFound, match="argument 0 of 12"):
        await desk.call("inspector.open", call="12", argument=0)
    with pytest.raises(errors.TimedOut):
        await desk.call("inspector.open", expression="(loop)", timeoutMs=100)
    assert (await desk.call("debugger.list"))["debuggers"] == []
    await desk.call("lisp.restart")
    with pytest.raises(errors.NotFound, match="its image"):
        await desk.call("inspector.refresh", id=shown["id"])


@pytest.mark.ledger("D-73")
async def test_the_command_line_goes_on_with_what_it_opened(descartes: Callable[..., Awaitable[Any]]) -> None:
    opened = await descartes("inspector", "open", "(list 1 2)", "--trust", "--json")
    assert opened.status == 0, opened.err
    shown = json.loads(opened.out)
    part = line(shown, "1 = ")["part"]
    after = await descartes("inspector", "set", shown["id"], str(part), "(* 10 *)", "--json")
    assert json.loads(after.out)["title"] == "(1 20)"
    listed = await descartes("inspector", "list")
    assert "(1 20)" in listed.out
    plain = await descartes("inspector", "refresh", shown["id"])
    assert "1 = 20" in plain.out
    bad = await descartes("inspector", "part", shown["id"], "9999")
    assert bad.status == 2 and "refresh" in bad.err


@pytest.mark.ledger("D-73")
async def test_a_client_that_goes_takes_its_inspections_along(
    here: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "COMES_BACK_S", 0.2)
    here.prepare()
    async with running_hub(here) as hub:

        def client(client_id: str) -> HubClient:
            hello = messages.ClientHello(
                version=__version__, protocol=messages.PROTOCOL, client_id=client_id, trusted=True
            )
            return HubClient(EmbeddedOpener(hub), lambda: hello)

        gone, stays = client("gone"), client("stays")
        await gone.call("inspector.open", {"expression": "1"})
        shown = await stays.call("inspector.open", {"expression": "2"})
        await gone.close()
        lisp = hub.services.image.running()
        async with asyncio.timeout(60):
            while await lisp.inspector.list("gone"):  # noqa: ASYNC110 (another process has it)
                await asyncio.sleep(0.02)
        assert (await stays.call("inspector.refresh", {"id": shown["id"]}))["title"] == "2"
        await stays.close()
        await hub.services.image.stop()


async def test_a_run_that_has_ended_leaves_nothing_in_the_image(here: Workspace) -> None:
    here.prepare()
    async with running_hub(here) as hub:
        await hub.services.image.start()
        lisp = hub.services.image.running()
        command = ["sh", "-c", "while [ ! -e go ]; do sleep 0.05; done"]
        run = await hub.services.runs.spawn(SpawnRequest(task="wait", command=command), by=PERSON)
        owner = f"run:{run.id}"
        await lisp.inspector.open(Expression("1"), id="ins_of_run", owner=owner)
        assert len(await lisp.inspector.list(owner)) == 1
        (here.root / "go").touch()
        async with asyncio.timeout(60):
            while await lisp.inspector.list(owner):  # noqa: ASYNC110 (another process has it)
                await asyncio.sleep(0.02)
        await hub.services.image.stop()


@pytest.mark.ledger("D-73")
async def test_the_objects_of_a_traced_call_are_opened(desk: Desk) -> None:
    await desk.call("lisp.eval", code="(defun pair (one two) (values (list one two) :second))")
    await desk.call("lisp.trace", symbol="pair")
    await desk.call("lisp.eval", code="(pair (vector 1 2) 3)")
    (call,) = (await desk.call("lisp.traceTree"))["calls"]
    argument = await desk.call("inspector.open", call=call["id"], argument=0)
    assert argument["type"] == "(SIMPLE-VECTOR 2)"
    changed = await desk.call(
        "inspector.set", id=argument["id"], part=line(argument, "0 = ")["part"], code=":new"
    )
    assert changed["title"] == "#(:NEW 2)"
    # It is the object itself: the list that the call returned has it too.
    value = await desk.call("inspector.open", call=call["id"], value=0)
    assert value["title"] == "(#(:NEW 2) 3)"
    assert (await desk.call("inspector.open", call=call["id"], value=1))["title"] == ":SECOND"
    with pytest.raises(errors.NotFound, match="no argument 2"):
        await desk.call("inspector.open", call=call["id"], argument=2)

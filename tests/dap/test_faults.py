"""What no client should send, and the death of what the adapter stands on: always an answer."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil

from descartes_server.hub import record
from descartes_server.operations import trust, workspace
from descartes_swank.image import read_record
from support.dap_client import DapClient
from support.until import until


def kill_image(folder: Path) -> None:
    """Kill the image of the workspace FOLDER."""
    found = read_record(workspace.find(folder).runtime)
    assert found is not None
    os.kill(found.pid, signal.SIGKILL)


async def test_requests_in_the_wrong_order_are_refused_with_what_was_expected(debugger: DapClient) -> None:
    for command, arguments in {"threads": {}, "attach": {}, "setVariable": {"name": "x"}}.items():
        assert "initialize" in str(await debugger.refused(command, **arguments))
    await debugger.request("initialize", adapterID="descartes")
    assert (await debugger.refused("initialize")).code == "out_of_order"
    for command in ("threads", "stackTrace", "configurationDone", "terminate", "descartes/restarts"):
        assert "attach or launch" in str(await debugger.refused(command, threadId=1))
    await debugger.request("attach")
    assert (await debugger.refused("attach")).code == "out_of_order"
    assert (await debugger.refused("launch", expression="1")).code == "out_of_order"
    assert (await debugger.request("threads"))["threads"] == []


async def test_requests_sent_all_at_once_are_answered_once_each(debugger: DapClient) -> None:
    sent = [
        debugger.ask("initialize"),
        debugger.ask("attach"),
        debugger.ask("configurationDone"),
        debugger.ask("threads"),
        debugger.ask("evaluate", {"expression": "(+ 1 2)", "context": "repl"}),
    ]
    bodies = [await debugger.response(seq) for seq in sent]
    assert bodies[-1]["result"] == "3"


async def test_missing_and_wrong_arguments_are_named(debugger: DapClient) -> None:
    await debugger.begin()
    for command, arguments, named in [
        ("stackTrace", {}, "threadId"),
        ("stackTrace", {"threadId": "one"}, "threadId"),
        ("stackTrace", {"threadId": 99}, "thread 99 is not stopped"),
        ("scopes", {"frameId": 99}, "frame 99"),
        ("variables", {"variablesReference": 99}, "reference 99"),
        ("evaluate", {}, "expression"),
        ("evaluate", {"expression": "1", "frameId": 7}, "frame 7"),
        ("setVariable", {"variablesReference": 1, "name": "x"}, "value"),
        ("restartFrame", {"frameId": None}, "frameId"),
        ("continue", {"threadId": 5}, "thread 5"),
        ("descartes/invokeRestart", {"threadId": 5, "index": 0}, "thread 5"),
        ("source", {}, "path"),
        ("source", {"source": {"path": "/nosuch.lisp"}}, "/nosuch.lisp"),
        ("completions", {"text": ","}, "column"),
    ]:
        assert named in str(await debugger.refused(command, **arguments)), command
    for wrong in ([1], "text", 7):
        assert "by name" in str(await refusal_of(debugger, "threads", wrong))
    refused = await debugger.refused("stepBack", threadId=1)
    assert refused.code == "unknown_command" and "stackTrace" in str(refused)


async def refusal_of(debugger: DapClient, command: str, arguments: object) -> Exception:
    """Return the error with which COMMAND with any ARGUMENTS is answered."""
    try:
        body = await debugger.response(debugger.ask(command, arguments))
    except Exception as error:
        return error
    raise AssertionError(body)


async def test_bytes_that_are_no_request_are_told_and_the_next_one_is_answered(
    debugger: DapClient,
) -> None:
    debugger.send_bytes(b"GET / HTTP/1.1\r\nHost: nowhere\r\n\r\n")
    await debugger.output("Content-Length")
    debugger.send_bytes(b"Content-Length: 8\r\n\r\nno json!")
    await debugger.output("as JSON")
    for odd in ([1, 2], "text", {"type": "question"}, {"type": "request", "command": "threads"}):
        seen = len(debugger.messages)
        debugger.send(odd)
        await debugger.event("output", after=seen)
    debugger.send({"type": "response", "request_seq": 1, "seq": 9, "success": True, "command": "x"})
    debugger.send({"type": "request", "seq": 700, "command": 5})
    answer = await debugger.message(lambda m: m.get("request_seq") == 700, "a response to 700")
    assert not answer["success"]
    assert (await debugger.request("initialize"))["supportsSetVariable"] is True


async def test_an_untrusted_workspace_is_refused_until_it_is_trusted(
    debugger: DapClient, ratio: Path
) -> None:
    trust.distrust(ratio.parent.resolve())
    await debugger.request("initialize")
    refused = await debugger.refused("attach")
    assert refused.code == "workspace_not_trusted" and "descartes trust" in str(refused)
    missing = await debugger.refused("attach", workspace=str(ratio.parent / "nosuch"))
    assert "nosuch" in str(missing)
    trust.trust(ratio.parent.resolve())
    await debugger.request("attach")


async def test_an_evaluation_is_cancelled_and_a_running_one_ends_with_the_client(debugger: DapClient) -> None:
    await debugger.begin()
    seq = debugger.ask("evaluate", {"expression": "(loop (sleep 1))", "context": "repl"})
    await debugger.request("cancel", requestId=seq)
    answer = await debugger.message(lambda m: m.get("request_seq") == seq, "the cancelled response")
    assert (answer["success"], answer["message"]) == (False, "cancelled")
    seq = debugger.ask("evaluate", {"expression": "(loop (sleep 1))", "context": "repl"})
    await debugger.request("disconnect")
    assert await debugger.wait() == 0
    assert [m["message"] for m in debugger.messages if m.get("request_seq") == seq] == ["cancelled"]


async def test_the_end_of_standard_input_ends_the_adapter(debugger: DapClient) -> None:
    await debugger.begin()
    assert debugger.process.stdin is not None
    debugger.process.stdin.close()
    assert await debugger.wait() == 0


async def test_the_death_of_the_image_ends_the_session(debugger: DapClient, ratio: Path) -> None:
    await debugger.begin()
    seq = debugger.ask("evaluate", {"expression": "(progn (princ :busy) (loop (sleep 1)))"})
    await debugger.output("BUSY")
    kill_image(ratio.parent)
    await debugger.event("terminated")
    await debugger.output("the image was lost")
    assert "lost" in str(await settled(debugger, seq))
    assert (await debugger.request("threads"))["threads"] == []
    assert [m["event"] for m in debugger.messages if m["type"] == "event"].count("terminated") == 1


async def test_the_death_of_the_hub_fails_what_was_asked_and_the_session_goes_on(
    debugger: DapClient, ratio: Path
) -> None:
    await debugger.begin()
    await debugger.refused("evaluate", expression="(car 1)")
    thread = (await debugger.stopped())["threadId"]
    seq = debugger.ask("evaluate", {"expression": "(progn (princ :busy) (loop (sleep 1)))"})
    await debugger.output("BUSY")
    hub = record.read(workspace.find(ratio.parent))
    assert hub is not None
    # A hub that dies in its first second is not replaced by itself.
    await until(lambda: time.time() - psutil.Process(hub.pid).create_time() > 2, "the hub has lived")
    os.kill(hub.pid, signal.SIGKILL)
    await debugger.output("the hub went away")
    assert "hub went away" in str(await settled(debugger, seq))
    assert await debugger.evaluate("(+ 1 2)") == "3"
    assert thread in [each["id"] for each in (await debugger.request("threads"))["threads"]]
    assert (await debugger.frames(thread))[0]["name"].startswith("(CAR 1")


async def settled(debugger: DapClient, seq: int) -> Exception:
    """Return the error with which the request SEQ is answered."""
    try:
        body = await debugger.response(seq)
    except Exception as error:
        return error
    raise AssertionError(body)

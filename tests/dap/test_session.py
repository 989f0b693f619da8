"""A debugging session through the real adapter, hub and image, as a strict client sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.dap_client import DapClient, Message, dap

NESTED = '(labels ((down (n) (if (< n 60) (1+ (down (1+ n))) (error "deep ~a" n)))) (down 0))'


async def loaded(debugger: DapClient, ratio: Path) -> None:
    """Begin a session and load the file."""
    await debugger.begin()
    await debugger.evaluate(f'(load "{ratio}")')


async def stop(debugger: DapClient, code: str = "(ratio:answer 84)") -> int:
    """Evaluate CODE, which errs; returns the thread that is stopped then."""
    seen = len(debugger.messages)
    refused = await debugger.refused("evaluate", expression=code, context="repl")
    assert "stopped in thread" in str(refused)
    thread: int = (await debugger.stopped(after=seen))["threadId"]
    return thread


async def frame_of(debugger: DapClient, thread: int, name: str) -> Message:
    """Return the innermost frame of THREAD whose name has NAME in it."""
    frames = await debugger.frames(thread)
    return next(frame for frame in frames if name in frame["name"])


async def test_a_stop_is_looked_into_and_left_by_a_restart_with_an_argument(
    debugger: DapClient, ratio: Path
) -> None:
    await loaded(debugger, ratio)
    thread = await stop(debugger)
    event = await debugger.stopped()
    assert (event["reason"], event["description"]) == ("exception", "DIVISION-BY-ZERO")
    assert "arithmetic error" in event["text"] and not event["preserveFocusHint"]
    share = await frame_of(debugger, thread, "RATIO:SHARE 84 0")
    assert share["source"]["path"] == str(ratio) and share["line"] == 6
    variables = await debugger.scope(share["id"])
    assert (variables["PART"]["value"], variables["WHOLE"]["value"]) == ("84", "0")
    assert "0 USE-VALUE" in await debugger.scope(share["id"], "Restarts")
    told = await debugger.request("exceptionInfo", threadId=thread)
    assert told["exceptionId"] == "DIVISION-BY-ZERO" and "[USE-VALUE]" in told["description"]
    assert told["details"]["typeName"] == "DIVISION-BY-ZERO"
    restarts = await debugger.request("descartes/restarts", threadId=thread)
    after = len(debugger.messages)
    await debugger.request(
        "descartes/invokeRestart",
        threadId=thread,
        level=restarts["level"],
        name="use-value",
        arguments=["(+ part -42)"],
        frameId=share["id"],
    )
    await debugger.event("continued", lambda body: body["threadId"] == thread, after=after)
    await debugger.output("42)", after=after)
    assert (await debugger.request("threads"))["threads"] == []
    assert (await debugger.refused("scopes", frameId=share["id"])).code == "debugger_stale"
    assert (await debugger.refused("stackTrace", threadId=thread)).message == "notStopped"


async def test_columns_count_utf16_units_from_where_the_client_counts(
    debugger: DapClient, ratio: Path
) -> None:
    await debugger.request("initialize", linesStartAt1=False, columnsStartAt1=False, pathFormat="uri")
    await debugger.request("attach")
    await debugger.request("configurationDone")
    await debugger.evaluate(f'(load "{ratio}")')
    ratio.write_text(ratio.read_text().replace("  (let", "  #|😀|# (let"))
    await debugger.evaluate(f'(load "{ratio}")')
    answer = await frame_of(debugger, await stop(debugger), "RATIO:ANSWER")
    assert answer["source"] == {"name": "ratio.lisp", "path": ratio.as_uri()}
    line = ratio.read_text().splitlines()[answer["line"]]
    units = line.encode("utf-16-le")[2 * answer["column"] :].decode("utf-16-le")
    assert units.startswith("("), (line, answer)


async def test_the_stack_comes_in_pages(debugger: DapClient, ratio: Path) -> None:
    await debugger.begin()
    thread = await stop(debugger, NESTED)
    first = await debugger.request("stackTrace", threadId=thread, startFrame=0, levels=7)
    total = first["totalFrames"]
    assert len(first["stackFrames"]) == 7 and total > 50
    rest = await debugger.request("stackTrace", threadId=thread, startFrame=7, levels=total)
    whole = await debugger.request("stackTrace", threadId=thread)
    assert first["stackFrames"] + rest["stackFrames"] == whole["stackFrames"]
    assert len({frame["id"] for frame in whole["stackFrames"]}) == total
    beyond = await debugger.request("stackTrace", threadId=thread, startFrame=total + 5, levels=5)
    assert beyond["stackFrames"] == []


async def test_a_local_is_set_and_the_frame_is_called_again_or_returned_from(
    debugger: DapClient, ratio: Path
) -> None:
    await loaded(debugger, ratio)
    thread = await stop(debugger)
    share = await frame_of(debugger, thread, "RATIO:SHARE")
    scopes = (await debugger.request("scopes", frameId=share["id"]))["scopes"]
    (reference,) = [each["variablesReference"] for each in scopes if each["name"] == "Locals"]
    done = await debugger.request(
        "setVariable", variablesReference=reference, name="WHOLE", value="(* part 2)"
    )
    assert done["value"] == "168"
    assert (await debugger.scope(share["id"]))["WHOLE"]["value"] == "168"
    earlier = await debugger.scope(share["id"], "Earlier values")
    assert {name: each["value"] for name, each in earlier.items()} == {"WHOLE": "0"}
    no = await debugger.refused("setVariable", variablesReference=reference, name="NOSUCH", value="1")
    assert "PART, WHOLE" in str(no)
    no = await debugger.refused("setVariable", variablesReference=reference, name="PART", value="(car 1)")
    assert "is 1, not a LIST" in str(no) and len(await debugger.frames(thread)) > 1
    seen = len(debugger.messages)
    answer = await frame_of(debugger, thread, "RATIO:ANSWER")
    await debugger.request("restartFrame", frameId=answer["id"], arguments=["21"])
    await debugger.stopped(after=seen, threadId=thread)
    share = await frame_of(debugger, thread, "RATIO:SHARE 21 0")
    seen = len(debugger.messages)
    await debugger.request("descartes/returnFromFrame", frameId=share["id"], value="(* 2 part)")
    await debugger.output("42)", after=seen)


async def test_what_is_watched_or_hovered_over_never_stops_a_thread(debugger: DapClient, ratio: Path) -> None:
    await loaded(debugger, ratio)
    thread = await stop(debugger)
    share = (await frame_of(debugger, thread, "RATIO:SHARE"))["id"]
    assert await debugger.evaluate("part", frameId=share, context="hover") == "84"
    assert await debugger.evaluate("(* 2 part)", frameId=share, context="watch") == "168"
    seen = len(debugger.messages)
    for expression, why in {
        "(/ part whole)": "DIVISION-BY-ZERO",
        "(car": "close what is open",
        "nosuch::x": "NOSUCH",
        "(values) 2": "one form",
    }.items():
        refused = await debugger.refused("evaluate", expression=expression, frameId=share, context="watch")
        assert why in str(refused)
    refused = await debugger.refused("evaluate", expression="(setf part 1)", frameId=share, context="hover")
    assert "name of a variable" in str(refused)
    assert (await debugger.request("setExpression", expression="part", value="1", frameId=share))[
        "value"
    ] == "1"
    assert await debugger.evaluate("part", frameId=share) == "1"
    events = [m["event"] for m in debugger.messages[seen:] if m["type"] == "event"]
    assert "stopped" not in events and "continued" not in events


async def test_continue_takes_the_restart_of_that_name_or_says_which_there_are(
    debugger: DapClient, ratio: Path
) -> None:
    await debugger.begin()
    thread = await stop(debugger, '(progn (cerror "Go on." "Stop.") :went-on)')
    frame = (await debugger.frames(thread))[0]["id"]
    seen = len(debugger.messages)
    answer = await debugger.request("continue", threadId=thread)
    assert answer == {"allThreadsContinued": False}
    await debugger.output("⇒ :WENT-ON", after=seen)
    # Some clients go on sending the frame that was chosen last.
    assert await debugger.evaluate("(+ 40 2)", frameId=frame) == "42"
    for other in ({"expression": ",abort"}, {"expression": "*", "context": "watch"}):
        refused = await debugger.refused("evaluate", **{"context": "repl", "frameId": frame} | other)
        assert refused.code == "debugger_stale"
    assert (await debugger.refused("evaluate", expression="1", context="repl", frameId=9999)).code
    thread = await stop(debugger, "(car 1)")
    assert "close the string" in str(
        await debugger.refused("evaluate", expression='(list "a', context="repl")
    )
    frame = (await debugger.frames(thread))[0]["id"]
    for command, asked in {"continue": {"threadId": thread}, "restartFrame": {"frameId": frame}}.items():
        seen = len(debugger.messages)
        refused = await debugger.refused(command, **asked, arguments=["(car"])
        assert command == "restartFrame" or ("CONTINUE" in str(refused) and "ABORT" in str(refused))
        # A client may have taken it for running since it asked.
        assert not (await debugger.stopped(after=seen, threadId=thread))["preserveFocusHint"]
    assert (await debugger.request("threads"))["threads"][0]["id"] == thread


async def test_a_thread_nobody_has_looked_at_does_not_go_on_while_another_is_stopped(
    debugger: DapClient, ratio: Path
) -> None:
    await debugger.begin()
    await stop(debugger, '(progn (cerror "Go on." "First.") 1)')
    second = await stop(debugger, '(progn (cerror "Go on." "Second.") 2)')
    seen = len(debugger.messages)
    assert "look at the stack" in str(await debugger.refused("continue", threadId=second))
    assert await debugger.frames(second)
    assert "stopped" not in [each.get("event") for each in debugger.messages[seen:]]
    await debugger.request("continue", threadId=second)
    await debugger.output("⇒ 2", after=seen)


async def test_an_error_in_the_console_of_a_frame_is_the_next_level(debugger: DapClient, ratio: Path) -> None:
    await loaded(debugger, ratio)
    thread = await stop(debugger)
    share = await frame_of(debugger, thread, "RATIO:SHARE")
    seen = len(debugger.messages)
    assert "TYPE-ERROR" in str(
        await debugger.refused("evaluate", expression="(car part)", frameId=share["id"])
    )
    await debugger.stopped(after=seen, threadId=thread)
    assert (await debugger.request("descartes/restarts", threadId=thread))["level"] == 2
    stale = await debugger.refused("descartes/invokeRestart", threadId=thread, level=1, index=0)
    assert stale.code == "debugger_stale"
    seen = len(debugger.messages)
    await debugger.evaluate(",abort")
    await debugger.stopped(after=seen, threadId=thread)
    assert (await debugger.request("descartes/restarts", threadId=thread))["level"] == 1
    # The frame of the level that was not left is the same as before.
    assert (await debugger.scope(share["id"]))["PART"]["value"] == "84"


async def test_commands_are_typed_in_the_console(debugger: DapClient, ratio: Path) -> None:
    await loaded(debugger, ratio)
    assert ",restart N|NAME" in await debugger.evaluate(",help")
    targets = (await debugger.request("completions", text=",re", column=4))["targets"]
    assert {each["label"] for each in targets} == {",restarts", ",restart", ",return", ",retry"}
    (name,) = (await debugger.request("completions", text="😀 (ratio:sha", column=14))["targets"]
    # Counted from 0, as VS Code, nvim-dap and dape do, which say that columns start at 1.
    assert (name["label"], name["start"], name["length"]) == ("ratio:share", 4, 9)
    thread = await stop(debugger)
    assert "0 [USE-VALUE]" in await debugger.evaluate(",restarts")
    for command, why in {
        ",nosuch": "there are ,help",
        ",restart": "there are 0",
        ",restart 99": "99",
    }.items():
        assert why in str(await debugger.refused("evaluate", expression=command, context="repl"))
    seen = len(debugger.messages)
    await debugger.evaluate(",restart use-value (* 6 7)")
    await debugger.output("42)", after=seen)
    thread = await stop(debugger)
    seen = len(debugger.messages)
    share = await frame_of(debugger, thread, "RATIO:SHARE")
    await debugger.evaluate(",retry 9 3", frameId=share["id"])
    await debugger.output(" 3)", after=seen)
    thread = await stop(debugger)
    seen = len(debugger.messages)
    share = await frame_of(debugger, thread, "RATIO:SHARE")
    await debugger.evaluate(",return :given", frameId=share["id"])
    await debugger.output(" :GIVEN)", after=seen)
    assert "none" in str(await debugger.refused("evaluate", expression=",abort", context="repl"))


async def test_a_launched_expression_prints_reads_and_stops(debugger: DapClient, ratio: Path) -> None:
    code = '(progn (princ "hello") (terpri) (print (read-line)) (format *error-output* "oh~%") (car 1))'
    await debugger.begin("launch", workspace=str(ratio.parent), expression=code)
    assert (await debugger.output("hello"))["category"] == "stdout"
    await debugger.output("type the answer here")
    assert "forty-two" in await debugger.evaluate("forty-two")
    await debugger.output('"forty-two"')
    stopped = await debugger.stopped(reason="exception")
    assert not stopped["preserveFocusHint"]
    seen = len(debugger.messages)
    await debugger.evaluate(",abort")
    await debugger.output("aborted", after=seen)


async def test_disconnecting_leaves_the_image_and_its_stopped_threads(
    debugger: DapClient, ratio: Path
) -> None:
    await loaded(debugger, ratio)
    thread = await stop(debugger)
    await debugger.request("disconnect")
    assert await debugger.wait() == 0
    async with dap(ratio.parent) as other:
        await other.begin()
        event = await other.stopped(threadId=thread)
        assert event["preserveFocusHint"]
        assert await other.evaluate("part", frameId=(await frame_of(other, thread, "SHARE"))["id"]) == "84"
        await other.request("terminate")
        await other.event("terminated")


@pytest.mark.parametrize("options", [{"supportsProgressReporting": True, "supportsInvalidatedEvent": True}])
async def test_what_only_some_clients_can_show_is_sent_to_those(
    debugger: DapClient, options: Message
) -> None:
    await debugger.request("initialize", **options)
    await debugger.request("attach")
    started = await debugger.event("progressStart")
    await debugger.event("progressEnd", lambda body: body["progressId"] == started["progressId"])
    thread = await stop(debugger, "(let ((x 1)) (car x))")
    frame = (await debugger.frames(thread))[0]["id"]
    await debugger.evaluate("(list 1 2)", frameId=frame)
    await debugger.event("invalidated")


async def test_a_running_thread_is_paused_continued_and_ended(debugger: DapClient, ratio: Path) -> None:
    await debugger.begin()

    async def names() -> dict[str, int]:
        return {each["name"]: each["id"] for each in (await debugger.request("threads"))["threads"]}

    await debugger.evaluate('(sb-thread:make-thread (lambda () (loop (sleep 0.01))) :name "busy")')
    thread = (await names())["busy"]
    assert (await debugger.refused("stackTrace", threadId=thread)).message == "notStopped"
    await debugger.request("pause", threadId=thread)
    await debugger.stopped(threadId=thread, reason="pause")
    assert await debugger.frames(thread)
    assert thread in (await names()).values()
    await debugger.request("continue", threadId=thread)
    assert (await names())["busy"] == thread
    await debugger.request("terminateThreads", threadIds=[thread])
    assert thread not in (await names()).values()
    assert "99999" in str(await debugger.refused("pause", threadId=99999))

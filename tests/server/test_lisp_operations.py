"""The operations on the live image, on a real SBCL with a real Swank and a real log."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

import descartes_swank as swank
from descartes_core import errors
from descartes_server.operations import dispatch
from descartes_server.operations.context import Caller, Context
from descartes_server.operations.image import Image
from descartes_server.operations.texts import uri_of
from support.desk import PERSON, Desk, desk
from support.until import until

__all__ = ["desk"]


@pytest.mark.ledger("D-71")
async def test_an_evaluation_starts_the_image_and_is_logged(desk: Desk) -> None:
    result = await desk.call("lisp.eval", code='(progn (princ "hi") (values (+ 1 2) :b))')
    assert (result["state"], result["values"], result["output"]) == ("done", ["3", ":B"], "hi")
    assert (await desk.call("lisp.status"))["state"] == "ready"
    (event,) = await desk.events("lisp.evaluated")
    assert event.data["values"] == ["3", ":B"] and event.actor == PERSON
    states = [params["state"] for method, params in desk.published if method == "descartes/lisp/status"]
    assert states[0] == "starting" and states[-1] == "ready"


@pytest.mark.ledger("D-72")
async def test_a_note_is_at_its_exact_place(desk: Desk, workspace: Path) -> None:
    file = workspace / "ä 😀.lisp"
    text = ";; é😀€ before\r\n(defun f (x)\r\n\t(list x oops))\r\n"
    file.write_bytes(text.encode())
    result = await desk.call("lisp.compileForm", uri=uri_of(file), position={"line": 2, "column": 3})
    (note,) = result["notes"]
    assert "OOPS" in note["message"] and note["severity"] == "warning"
    assert note["range"] == {"start": {"line": 3, "column": 10}, "end": {"line": 3, "column": 14}}
    document = {"version": 2, "text": text.replace("oops", "x")}
    fixed = await desk.call(
        "lisp.compileForm", uri=uri_of(file), position={"line": 2, "column": 3}, document=document
    )
    assert fixed["success"] and fixed["notes"] == []


@pytest.mark.ledger("D-74")
async def test_a_restart_with_an_argument_finishes_the_evaluation(desk: Desk) -> None:
    code = '(restart-case (/ 1 (- 1 1)) (use-value (v) :report "Use it." v))'
    stopped = await desk.call("lisp.eval", code=code)
    assert stopped["state"] == "stopped"
    stop = stopped["debugger"]
    (debugger,) = (await desk.call("debugger.list"))["debuggers"]
    assert debugger["condition"]["type"].endswith("DIVISION-BY-ZERO")
    assert debugger["restarts"][0]["arguments"] == [{"name": "V", "kind": "required", "default": None}]
    assert debugger["origin"] == {"kind": "human", "name": "Ada", "run": None}
    left = await desk.call("debugger.restart", **stop, name="use-value", arguments=["(* 6 7)"])
    assert left["evaluation"]["state"] == "done" and left["evaluation"]["values"] == ["42"]
    assert (await desk.call("debugger.list"))["debuggers"] == []
    assert (
        len(await desk.events("lisp.debugger.entered")) == len(await desk.events("lisp.debugger.left")) == 1
    )


@pytest.mark.ledger("D-74")
async def test_a_nested_error_is_aborted_to_its_parent(desk: Desk) -> None:
    stopped = await desk.call("lisp.eval", code='(error "first")')
    stop = stopped["debugger"]
    inner = await desk.call("debugger.evalInFrame", **stop, frame=0, code='(error "second")')
    assert inner["state"] == "stopped" and inner["debugger"]["level"] == stop["level"] + 1
    levels = (await desk.call("debugger.list"))["debuggers"]
    assert [each["level"] for each in levels] == [2, 1] and levels[0]["since"] >= levels[1]["since"]
    left = await desk.call("debugger.abort", **inner["debugger"])
    assert left["debugger"]["condition"]["message"] == "first"
    assert left["debugger"]["since"] == levels[1]["since"]
    ended = await desk.call("debugger.abort", **stop)
    assert ended["evaluation"]["state"] == "aborted"
    with pytest.raises(errors.DebuggerStale):
        await desk.call("debugger.abort", **stop)


async def test_the_newest_stop_and_the_restarts_that_mend_come_first(desk: Desk) -> None:
    code = "(make-thread (lambda () (error 'unbound-variable :name 'nowhere)))"
    image = desk.context.services.image
    for number in (1, 2):
        await desk.call("lisp.eval", code=f"(sb-thread:{code[1:]}")
        await until(lambda there=number: len(image.debuggers) == there, "the thread has stopped")
    first = (await desk.call("debugger.list"))["debuggers"][1]
    third = await desk.call("lisp.eval", code="nowhere-at-all")
    debuggers = (await desk.call("debugger.list"))["debuggers"]
    assert debuggers[0]["thread"] == third["debugger"]["thread"] and debuggers[2] == first
    times = [each["since"] for each in debuggers]
    assert times == sorted(times, reverse=True)
    restarts = debuggers[0]["restarts"]
    assert [each["name"] for each in restarts] == ["USE-VALUE", "STORE-VALUE", "CONTINUE", "RETRY", "ABORT"]
    # The number is the image's, whatever the place in the list.
    stop, use_value = third["debugger"], restarts[0]["index"]
    left = await desk.call("debugger.restart", **stop, index=use_value, arguments=["7"])
    assert left["evaluation"]["values"] == ["7"] and use_value > restarts[2]["index"]


async def test_a_wrong_restart_lists_those_there_are(desk: Desk) -> None:
    stop = (await desk.call("lisp.eval", code='(error "x")'))["debugger"]
    with pytest.raises(errors.InvalidParams, match="ABORT"):
        await desk.call("debugger.restart", **stop, name="NO-SUCH")
    with pytest.raises(errors.InvalidParams):
        await desk.call("debugger.restart", **stop, name="ABORT", index=0, arguments=["(car 1)"])
    assert len((await desk.call("debugger.list"))["debuggers"]) == 1


async def test_input_is_asked_of_the_client_that_evaluates(desk: Desk) -> None:
    result = await desk.call(
        "lisp.eval", code='(progn (format *query-io* "Name: ") (read-line))', onStop="wait"
    )
    assert result["values"][0] == '"forty-two"'
    assert desk.inputs[0]["client"] == "editor" and desk.inputs[0]["kind"] == "line"


async def test_a_question_is_taken_back_when_nothing_reads_any_more(desk: Desk) -> None:
    desk.answers = asyncio.Event().wait  # type: ignore[assignment]
    image = desk.context.services.image
    code = '(progn (format *query-io* "Name: ") (read-line))'
    reading = asyncio.create_task(desk.call("lisp.eval", code=code))
    await until(lambda: desk.inputs, "it reads")
    await desk.call("lisp.interrupt")
    stopped = await reading
    assert desk.withdrawn == []
    ended = await desk.call("debugger.toplevel", **stopped["debugger"])
    assert ended["evaluation"]["state"] == "aborted"
    await until(lambda: desk.withdrawn, "it is taken back")
    assert desk.withdrawn[0]["evaluation"] == stopped["id"]
    await until(lambda: not image.busy(), "nothing keeps the hub")

    reading = asyncio.create_task(desk.call("lisp.eval", code=code))
    await until(lambda: len(desk.inputs) == 2, "it reads")
    await desk.call("lisp.stop")
    await until(lambda: len(desk.withdrawn) == 2, "an image that is gone reads nothing")
    assert (await reading)["state"] == "lost"


async def test_long_output_is_shortened_and_kept_whole(desk: Desk) -> None:
    result = await desk.call("lisp.eval", code='(dotimes (i 20000) (format t "line ~a~%" i))', onStop="wait")
    assert len(result["output"].encode()) <= 64 * 1024 + 40 and "more)" in result["output"]
    whole = await asyncio.to_thread(Path(result["outputFile"]).read_text)
    assert whole.splitlines()[-1] == "line 19999" and len(whole.encode()) == result["outputBytes"]


async def test_an_interrupted_loop_is_aborted(desk: Desk) -> None:
    await desk.call("lisp.start")
    running = asyncio.create_task(desk.call("lisp.eval", code="(loop)"))
    image = desk.context.services.image
    await until(lambda: image.evaluations.newest_running("editor") is not None, "it runs")
    await desk.call("lisp.interrupt")
    stopped = await running
    assert stopped["state"] == "stopped"
    ended = await desk.call("debugger.toplevel", **stopped["debugger"])
    assert ended["evaluation"]["state"] == "aborted"


async def test_who_has_none_at_work_reads_whose_are(desk: Desk) -> None:
    await desk.call("lisp.start")
    running = asyncio.create_task(desk.call("lisp.eval", code="(loop\n  (sleep 1/100))"))
    image = desk.context.services.image
    await until(lambda: image.evaluations.newest_running("editor") is not None, "it runs")
    other = Context(desk.context.services, Caller(principal=PERSON, client_id="a terminal"))
    named = r"name one that runs: eval_\w+ of Ada \(\(loop \(sleep 1/100\)\)\)"
    with pytest.raises(errors.NotFound, match=named) as none:
        await dispatch.perform(other, "lisp.interrupt", {}, in_hub=True)
    id = next(word for word in none.value.message.split() if word.startswith("eval_"))
    await dispatch.perform(other, "lisp.interrupt", {"evaluation": id}, in_hub=True)
    assert (await running)["state"] == "stopped"
    with pytest.raises(errors.NotFound, match="there is none; name a thread"):
        await dispatch.perform(other, "lisp.interrupt", {}, in_hub=True)


async def test_code_in_a_frame_has_a_time_limit_too(desk: Desk) -> None:
    stop = (await desk.call("lisp.eval", code='(error "x")'))["debugger"]
    code = '(progn (princ "at work") (finish-output) (loop (sleep 1/100)))'
    with pytest.raises(errors.TimedOut) as late:
        await desk.call("debugger.evalInFrame", **stop, code=code, timeoutMs=50)
    await until(lambda: desk.printed("at work"), "the code in the frame has begun")
    await desk.call("lisp.interrupt", thread=stop["thread"])
    inner = await desk.call("lisp.evaluation", id=late.value.data["evaluation"], waitMs=60_000)
    assert inner["debugger"] == {**stop, "level": 2}
    await desk.call("debugger.toplevel", **inner["debugger"])


async def test_a_time_limit_is_an_error_and_the_evaluation_goes_on(desk: Desk, workspace: Path) -> None:
    await desk.call("lisp.start")
    go = workspace / "go"
    code = f'(loop until (probe-file "{go}") do (sleep 0.01) finally (return :went))'
    with pytest.raises(errors.TimedOut) as caught:
        await desk.call("lisp.eval", code=code, timeoutMs=20)
    id = caught.value.data["evaluation"]
    assert id in caught.value.message  # in a terminal that is all there is to see
    assert (await desk.call("lisp.evaluation", id=id))["state"] == "running"
    waiting = asyncio.create_task(desk.call("lisp.evaluation", id=id[:12], waitMs=60_000))
    # Who asks right behind its end, while that is not taken in, is not told of an end without its values.
    image, taken_in = desk.context.services.image, asyncio.Event()
    live = image.evaluations.find(id).live
    assert live is not None
    image.heard(taken_in.wait)
    go.touch()
    await live.settled()
    asked = asyncio.create_task(desk.call("lisp.evaluation", id=id))
    await asyncio.wait({asked}, timeout=0.05)
    taken_in.set()
    for later in (await asked, await waiting):
        assert (later["state"], later["values"]) == ("done", [":WENT"])


async def test_killing_the_lisp_ends_everything_clearly(desk: Desk) -> None:
    await desk.call("lisp.eval", code='(error "stopped")')
    asleep = asyncio.create_task(desk.call("lisp.eval", code="(sleep 60)"))
    image = desk.context.services.image
    await until(lambda: image.evaluations.newest_running("editor") is not None, "it runs")
    os.kill((await desk.call("lisp.status"))["pid"], signal.SIGKILL)
    assert (await asyncio.wait_for(asleep, 60))["state"] == "lost"
    assert (await desk.call("debugger.list"))["debuggers"] == []
    assert (await desk.call("lisp.status"))["state"] == "lost"
    again = await desk.call("lisp.eval", code="(+ 1 1)")
    assert again["values"] == ["2"]
    assert len(await desk.events("lisp.lost")) == 1


async def test_an_untrusted_caller_evaluates_nothing(desk: Desk) -> None:
    caller = Caller(principal=PERSON, client_id="editor", trusted=False)
    with pytest.raises(errors.WorkspaceNotTrusted):
        await dispatch.perform(
            Context(desk.context.services, caller), "lisp.eval", {"code": "1"}, in_hub=True
        )
    assert (await desk.call("lisp.status"))["state"] == "stopped"


async def test_a_configured_command_is_the_only_one_tried(desk: Desk) -> None:
    with pytest.raises(errors.LispNotFound, match="no-such-lisp"):
        await desk.call("lisp.start", implementation="no-such-lisp")
    assert (await desk.call("lisp.status"))["state"] == "stopped"


async def test_another_hub_takes_up_the_image_with_its_stops(desk: Desk, workspace: Path) -> None:
    file = workspace / "behind.lisp"
    file.write_text('(defun behind ()\n  (restart-case (error "left behind") (use-value (v) v)))\n')
    await desk.call("lisp.compileFile", uri=uri_of(file))
    stopped = await desk.call("lisp.eval", code="(cl-user::behind)")
    for _ in range(2):
        await desk.call("debugger.evalInFrame", **(await newest(desk)), code='(error "further in")')
    services = desk.context.services
    first, published = services.image, desk.published
    before = (await desk.call("debugger.list"))["debuggers"]
    assert [each["level"] for each in before] == [3, 2, 1]
    await first.detach()
    services.image = Image(
        services.store,
        lambda method, params: published.append((method, params)),
        lambda client, method, params: asyncio.sleep(0, {}),
        first.places,
        lambda: services.settings.lisp,
    )
    await services.image.take_up()
    await until(lambda: bool(services.image.debuggers.all()), "the stop is announced again")
    debuggers = (await desk.call("debugger.list"))["debuggers"]
    # The image tells of the innermost level only; the others are told as they were.
    told = ("level", "condition", "restarts", "evaluation", "since", "origin", "location")
    assert [[each[name] for name in told] for each in debuggers] == [
        [each[name] for name in told] for each in before
    ]
    places = [[frame["location"] for frame in each["frames"]] for each in debuggers]
    assert places == [[frame["location"] for frame in each["frames"]] for each in before]
    assert places[2][0]["uri"] == uri_of(file)
    assert debuggers[2]["evaluation"] == stopped["id"] and debuggers[2]["origin"]["name"] == "Ada"
    assert len(await desk.events("lisp.debugger.entered")) == 3
    for level in (3, 2):
        left = await desk.call("debugger.abort", thread=debuggers[0]["thread"], level=level)
        assert left["debugger"]["level"] == level - 1
    left = await desk.call(
        "debugger.restart", thread=debuggers[0]["thread"], level=1, name="USE-VALUE", arguments=["7"]
    )
    assert left["evaluation"]["values"] == ["7"] and left["evaluation"]["id"] == stopped["id"]
    assert (await desk.call("debugger.list"))["debuggers"] == []
    assert len(await desk.events("lisp.debugger.left")) == 3


async def newest(desk: Desk) -> dict[str, int]:
    """Return which stop is the newest."""
    first = (await desk.call("debugger.list"))["debuggers"][0]
    return {"thread": first["thread"], "level": first["level"]}


async def test_arguments_of_standard_restarts_have_a_name_without_any_text(desk: Desk) -> None:
    await desk.call("lisp.eval", code="(list no-such-variable)")
    (debugger,) = (await desk.call("debugger.list"))["debuggers"]
    named = {each["name"]: each["arguments"] for each in debugger["restarts"]}
    for name in ("USE-VALUE", "STORE-VALUE"):
        assert [each["name"] for each in named[name]] == ["VALUE"], named


async def test_arguments_of_restarts_are_called_as_in_the_text(desk: Desk, workspace: Path) -> None:
    file = workspace / "clauses.lisp"
    clause = "(divide (part &optional (whole (1+ n)) (twice (* 2 part))) (values (/ part whole) twice))"
    text = f'(defun ask (n)\n  (restart-case (error "no ~a" n)\n    {clause}))\n'
    file.write_text(text)
    await desk.call("lisp.compileFile", uri=uri_of(file))
    stop = (await desk.call("lisp.eval", code="(ask 1)"))["debugger"]
    (debugger,) = (await desk.call("debugger.list"))["debuggers"]
    assert debugger["restarts"][0]["arguments"] == [
        {"name": "PART", "kind": "required", "default": None},
        {"name": "WHOLE", "kind": "optional", "default": "(1+ n)"},
        {"name": "TWICE", "kind": "optional", "default": None},
    ]
    # What is proposed for an argument has the value there that leaving it out would give.
    arguments = ["84", debugger["restarts"][0]["arguments"][1]["default"]]
    left = await desk.call("debugger.restart", **stop, name="DIVIDE", arguments=arguments)
    assert left["evaluation"]["values"] == ["42", "168"]


async def test_a_file_that_was_loaded_is_a_success(desk: Desk, workspace: Path) -> None:
    file = workspace / "good.lisp"
    file.write_text("(defun loaded-one () 1)\n")
    assert (await desk.call("lisp.loadFile", uri=uri_of(file)))["success"]
    file.write_text('(error "no")\n')
    stopped = await desk.call("lisp.loadFile", uri=uri_of(file))
    assert (stopped["success"], stopped["state"]) == (False, "stopped")
    await desk.call("debugger.abort", **stopped["debugger"])


async def test_who_waits_for_what_was_lost_and_taken_up_again_at_once_hears_of_its_end(desk: Desk) -> None:
    image, held = desk.context.services.image, asyncio.Event()
    assert await desk.values("1") == ["1"]
    record = image.evaluations.add("eval", "eval_lost", "(wait)", "editor", PERSON, None)
    record.live = before = swank.Evaluation("eval_lost", "editor")
    image._follow(record)
    waiting = asyncio.create_task(image.paused_or_settled(record))
    await until(lambda: bool(before._pauses), "it is waited for")
    image.heard(held.wait)  # the hub is busy with what came before the loss
    before.finished("lost")
    again = swank.Evaluation("eval_lost", "editor")
    image._adopted([again])
    held.set()
    await until(lambda: bool(again._pauses), "it is waited for as before")
    again.values = ["2"]
    again.finished("done")
    ended = (await asyncio.wait_for(waiting, 60)).wire()
    assert (ended.state, ended.values) == ("done", ["2"])
    logged = [event.data["state"] for event in await desk.events("lisp.evaluated")]
    assert logged == ["done", "done"]

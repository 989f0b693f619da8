"""Requests that leave a stop: continue, restarts, frames called again or returned from, interrupts."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Any

from descartes_core.errors import DescartesError, InvalidParams, NotFound
from descartes_server.dap import arguments
from descartes_server.dap.channel import Body, Reply
from descartes_server.dap.requests import request
from descartes_server.dap.stops import Frame, Stop

if TYPE_CHECKING:
    from descartes_server.dap.adapter import Adapter


@request("continue", arguments.OfThread)
async def continue_(adapter: Adapter, asked: arguments.OfThread) -> Reply:
    """Invoke the restart CONTINUE of a stopped thread."""
    stop = adapter.stops.of(asked.thread_id)
    if not stop.looked_at and len(adapter.stops.all()) > 1:
        # Some clients let every thread go on that stops while another one is stopped, which nobody chose.
        raise NotFound(
            f"expected a look at the stack of thread {stop.thread} first: several threads are stopped"
        )
    return await _or_stands(adapter, stop, go_on(adapter, stop, told={"allThreadsContinued": False}))


@request("next", arguments.OfThread)
async def next_(adapter: Adapter, asked: arguments.OfThread) -> Reply:
    """Go on to the next call of the function that a thread is stopped in."""
    return await _step(adapter, asked, "next")


@request("stepIn", arguments.OfThread)
async def step_in(adapter: Adapter, asked: arguments.OfThread) -> Reply:
    """Go into the call at hand."""
    return await _step(adapter, asked, "into")


@request("stepOut", arguments.OfThread)
async def step_out(adapter: Adapter, asked: arguments.OfThread) -> Reply:
    """Go on until the function that a thread is stopped in has returned."""
    return await _step(adapter, asked, "out")


@request("pause", arguments.OfThread)
async def pause(adapter: Adapter, asked: arguments.OfThread) -> None:
    """Stop a running thread in the debugger."""
    await adapter.session.call("lisp.interrupt", {"thread": asked.thread_id})


@request("restartFrame", arguments.RestartFrame)
async def restart_frame(adapter: Adapter, asked: arguments.RestartFrame) -> Reply:
    """Call the function of a frame again, as it is defined now."""
    frame = adapter.stops.frame(asked.frame_id)
    return await _or_stands(adapter, frame.stop, call_again(adapter, frame, asked.arguments))


@request("descartes/returnFromFrame", arguments.ReturnFromFrame)
async def return_from_frame(adapter: Adapter, asked: arguments.ReturnFromFrame) -> Reply:
    """Return the value of Lisp text from a frame."""
    return await return_value(adapter, adapter.stops.frame(asked.frame_id), asked.value)


@request("descartes/restarts", arguments.OfThread)
async def restarts(adapter: Adapter, asked: arguments.OfThread) -> dict[str, Any]:
    """Return the restarts of a stopped thread."""
    stop = adapter.stops.of(asked.thread_id)
    return {"level": stop.level, "restarts": stop.restarts}


@request("descartes/invokeRestart", arguments.InvokeRestart)
async def invoke_restart(adapter: Adapter, asked: arguments.InvokeRestart) -> Reply:
    """Leave a stop by the restart of a name or an index, with arguments."""
    return await invoke(adapter, asked)


async def invoke(adapter: Adapter, asked: arguments.InvokeRestart) -> Reply:
    """Leave the stop that ASKED names by its restart. Errors: `InvalidParams` naming those there are."""
    stop = adapter.stops.of(asked.thread_id, asked.level)
    if asked.name is None and asked.index is None:
        raise InvalidParams(f"expected name or index of a restart; there are {stop.restarts_there()}")
    params: dict[str, Any] = {"name": asked.name, "index": asked.index, "arguments": asked.arguments}
    if asked.frame_id is not None:
        params["frame"] = adapter.stops.frame(asked.frame_id).index
    return await leave(adapter, stop, "debugger.restart", params)


async def go_on(adapter: Adapter, stop: Stop, told: Body = None) -> Reply:
    """Leave STOP by CONTINUE; TOLD as in `leave`.

    Errors: `NotFound` naming the restarts where there is no such.
    """
    if all(each["name"] != "CONTINUE" for each in stop.restarts):
        raise NotFound(
            f"expected a restart CONTINUE, thread {stop.thread} has none; there are {stop.restarts_there()}; "
            "choose one with descartes/invokeRestart, or `,restart` in the console"
        )
    return await leave(adapter, stop, "debugger.continue", {}, told)


async def step(adapter: Adapter, stop: Stop, kind: str, *, told: bool = True) -> Reply:
    """Leave STOP by one step of KIND; TOLD: the response itself says that the thread goes on."""
    return await leave(adapter, stop, "debugger.step", {"kind": kind}, {} if told else None)


async def _step(adapter: Adapter, asked: arguments.OfThread, kind: str) -> Reply:
    stop = adapter.stops.of(asked.thread_id)
    return await _or_stands(adapter, stop, step(adapter, stop, kind))


async def _or_stands(adapter: Adapter, stop: Stop, leaving: Awaitable[Reply]) -> Reply:
    """Return the reply of LEAVING; when it is refused the client is told of STOP once more.

    A client that takes the thread for running as soon as it asks would not come back to it.
    """
    try:
        return await leaving
    except DescartesError as error:
        return Reply(error=error, after=lambda: adapter.remind(stop))


async def call_again(adapter: Adapter, frame: Frame, arguments: list[str] | None) -> Reply:
    """Call the function of FRAME again, with the ARGUMENTS it had or those given."""
    return await leave(
        adapter, frame.stop, "debugger.restartFrame", {"frame": frame.index, "arguments": arguments}
    )


async def return_value(adapter: Adapter, frame: Frame, code: str) -> Reply:
    """Return the value of CODE from FRAME."""
    params = {"frame": frame.index, "code": code}
    return await leave(adapter, frame.stop, "debugger.returnFromFrame", params)


async def leave(
    adapter: Adapter, stop: Stop, operation: str, params: Mapping[str, Any], told: Body = None
) -> Reply:
    """Leave STOP by OPERATION; what comes next is told after the response.

    TOLD is the body of a response that itself says that the thread goes on; else an event says it.
    """
    adapter.stops.hold()
    try:
        await adapter.session.call(operation, {**stop.key, "waitMs": 0, **params})
    except BaseException:
        adapter.stops.release()
        raise
    adapter.stops.forget(stop)

    def after() -> None:
        if told is None:
            adapter.continued(stop)
        adapter.stops.release()

    return Reply(told, after)

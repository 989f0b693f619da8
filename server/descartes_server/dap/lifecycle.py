"""How a session begins and ends: what this adapter can do, attach and launch, cancel, disconnect."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from descartes_server.dap import arguments
from descartes_server.dap.breakpoints import FILTERS
from descartes_server.dap.channel import Reply
from descartes_server.dap.places import Places
from descartes_server.dap.refusals import OutOfOrder
from descartes_server.dap.requests import request

if TYPE_CHECKING:
    from descartes_server.dap.adapter import Adapter

CAPABILITIES: dict[str, Any] = {
    "supportsConfigurationDoneRequest": True,
    "supportsDelayedStackTraceLoading": True,
    "supportsEvaluateForHovers": True,
    "supportsClipboardContext": True,
    "supportsSetVariable": True,
    "supportsSetExpression": True,
    "supportsRestartFrame": True,
    "supportsExceptionInfoRequest": True,
    "supportsCompletionsRequest": True,
    "completionTriggerCharacters": [",", "(", ":"],
    "supportsCancelRequest": True,
    "supportsFunctionBreakpoints": True,
    "supportsConditionalBreakpoints": True,
    "supportsExceptionFilterOptions": True,
    "exceptionBreakpointFilters": FILTERS,
    "supportsTerminateRequest": True,
    "supportsTerminateThreadsRequest": True,
    "supportsSingleThreadExecutionRequests": True,
}


@request("initialize", arguments.Initialize, when="any")
async def initialize(adapter: Adapter, asked: arguments.Initialize) -> dict[str, Any]:
    """Take in what the client says of itself; returns what this adapter can do."""
    if adapter.client is not None:
        raise OutOfOrder("expected one initialize, this is another; start a new adapter for a new session")
    adapter.client = asked
    adapter.places = Places(asked)
    return CAPABILITIES


@request("attach", arguments.Attach, when="initialized")
async def attach(adapter: Adapter, asked: arguments.Attach) -> Reply:
    """Attach to a workspace; its image is started when there is none."""
    return await _attach(adapter, asked)


@request("launch", arguments.Launch, when="initialized")
async def launch(adapter: Adapter, asked: arguments.Launch) -> Reply:
    """Attach to a workspace and evaluate an expression there."""
    return await _attach(adapter, asked)


@request("configurationDone", arguments.Nothing, configuring=True)
async def configuration_done(adapter: Adapter, _: arguments.Nothing) -> Reply:
    """Take note that the client has set everything and waits for what happens."""
    return Reply(after=adapter.begin)


@request("cancel", arguments.Cancel, when="any")
async def cancel(adapter: Adapter, asked: arguments.Cancel) -> None:
    """Give up a request that is still to be answered; what it began in the image goes on."""
    if asked.request_id is not None:
        adapter.channel.cancel(asked.request_id)


@request("terminate", arguments.Nothing)
async def terminate(adapter: Adapter, _: arguments.Nothing) -> Reply:
    """End the session; the image and its stopped threads stay as they are."""
    return Reply(after=adapter.terminate)


@request("disconnect", arguments.Nothing, when="any")
async def disconnect(adapter: Adapter, _: arguments.Nothing) -> Reply:
    """Let the client go; the image and its stopped threads stay as they are."""
    return Reply(after=adapter.end)


async def _attach(adapter: Adapter, asked: arguments.Attach) -> Reply:
    if adapter.attaching is not None:
        raise OutOfOrder("expected one attach or launch, this is another; disconnect and start a new session")
    adapter.attaching = asyncio.get_running_loop().create_future()
    try:
        with Progress(adapter, "Starting the Lisp image"):
            await adapter.open(asked.workspace)
    except BaseException:
        # It may be tried again, with another workspace or once this one is trusted.
        attaching, adapter.attaching = adapter.attaching, None
        attaching.set_result(None)
        raise
    adapter.launched = asked if isinstance(asked, arguments.Launch) else None
    adapter.attaching.set_result(None)
    # The client answers this with its breakpoints.
    return Reply(after=lambda: adapter.channel.event("initialized"))


class Progress:
    """Says to a client that can show it that TITLE is under way, for the time of the block."""

    def __init__(self, adapter: Adapter, title: str) -> None:
        self._adapter = adapter
        self._title = title
        self._shown = adapter.client is not None and adapter.client.supports_progress_reporting
        self._id = f"{title}-{id(self)}"

    def __enter__(self) -> None:
        if self._shown:
            body = {"progressId": self._id, "title": self._title, "cancellable": False}
            self._adapter.channel.event("progressStart", body)

    def __exit__(self, *_: object) -> None:
        if self._shown:
            self._adapter.channel.event("progressEnd", {"progressId": self._id})

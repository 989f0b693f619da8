"""How a method's handler runs: three ways to register one, chosen by reading one docstring.

pygls makes a task of a coroutine handler, so that its first line runs after messages that came later. Every
handler here gets a `Snapshot` that was taken in message order, before it became a task.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from descartes_server.lsp.errors import Outdated
from descartes_server.state import ServerState, Snapshot

Handler = TypeVar("Handler", bound=Callable[..., Any])


def on_mutation(
    state: ServerState, method: str, body: Callable[[ServerState, Any], Any], options: Any = None
) -> None:
    """Answer METHOD with BODY(state, params), at once and in message order. BODY may change the state."""

    def handler(params: Any) -> Any:
        return body(state, params)

    state.server.feature(method, options)(handler)


def on_snapshot(
    state: ServerState,
    method: str,
    body: Callable[[Snapshot, Any], Awaitable[Any]],
    options: Any = None,
    *,
    places: bool = False,
    of_texts: bool = False,
) -> None:
    """Answer METHOD with BODY(snapshot, params), a task that the client can cancel.

    PLACES says that the answer speaks of the whole text: it is refused as outdated when the text has changed
    meanwhile. Others are right for the position and text they were asked about. OF_TEXTS says that BODY looks
    at the documents of its snapshot alone.
    """

    def handler(params: Any) -> Awaitable[Any]:
        snapshot = state.snapshot(of_texts=of_texts)
        answer = body(snapshot, params)
        return _unless_outdated(state, snapshot, params, answer) if places else answer

    state.server.feature(method, options)(_runs_first_part_now(handler))


def on_worker(
    state: ServerState, method: str, body: Callable[[Snapshot, Any], Any], options: Any = None
) -> None:
    """Answer METHOD with BODY(snapshot, params) on a thread, for anything over a few milliseconds of work.

    The answer is refused as outdated when the text has changed meanwhile.
    """

    async def work(snapshot: Snapshot, params: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(state.executor, body, snapshot, params)

    on_snapshot(state, method, work, options, places=True)


async def _unless_outdated(
    state: ServerState, snapshot: Snapshot, params: Any, answer: Awaitable[Any]
) -> Any:
    uri = params.text_document.uri
    before = snapshot.opened(uri)
    result = await answer
    if before is not None and not before.same_text(state.documents.get(before.uri)):
        raise Outdated
    return result


def _runs_first_part_now(handler: Handler) -> Handler:
    """Mark HANDLER, which returns a coroutine, so that pygls makes a task of what it returns."""
    if sys.version_info >= (3, 12):
        return inspect.markcoroutinefunction(handler)
    # The mark is a private name of asyncio before 3.12; tests/e2e/test_order.py pins what it does.
    handler._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]
    return handler

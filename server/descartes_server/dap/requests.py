"""The table of requests: each command with its handler, what it takes, and when it may come."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from descartes_server.dap.arguments import Arguments
from descartes_server.dap.channel import Reply

if TYPE_CHECKING:
    from descartes_server.dap.adapter import Adapter

When = Literal["any", "initialized", "attached"]
"""`any` time, after `initialize`, or once a workspace is attached to."""
A = TypeVar("A", bound=Arguments)
Handler = Callable[["Adapter", A], Awaitable[Reply | dict[str, Any] | None]]


@dataclass(frozen=True)
class Known:
    """A request that is answered. CONFIGURING: it may come before the client has set everything."""

    handler: Handler[Any]
    arguments: type[Arguments]
    when: When
    configuring: bool


REQUESTS: dict[str, Known] = {}


def request(
    command: str, takes: type[A], *, when: When = "attached", configuring: bool = False
) -> Callable[[Handler[A]], Handler[A]]:
    """Register the decorated `async def handler(adapter, arguments)` as what answers COMMAND, which TAKES.

    Example: @request("threads", arguments.Nothing)
    """

    def register(handler: Handler[A]) -> Handler[A]:
        REQUESTS[command] = Known(handler, takes, when, configuring)
        return handler

    return register

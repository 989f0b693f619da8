"""The threads of the image: listed, and ended."""

from __future__ import annotations

from typing import Literal

import msgspec

from descartes_core.model import Shape
from descartes_server.operations.asking import ask
from descartes_server.operations.context import Context
from descartes_server.operations.registry import NoParams, Params, operation


class ThreadParams(Params, frozen=True, kw_only=True):
    """THREAD is the number that `lisp.threads` gives."""

    thread: int


class Thread(Shape, frozen=True, kw_only=True):
    """A thread of the image; EVALUATION is what it works for, where that is known."""

    id: int
    name: str
    state: Literal["running", "stopped"]
    evaluation: str | None = None
    service: bool = False
    """Whether it serves everybody who uses the image, so that nobody may end it."""


class Threads(Shape, frozen=True, kw_only=True):
    """All threads, the oldest first."""

    threads: list[Thread]


class Killed(Shape, frozen=True, kw_only=True):
    """ENDED: whether the thread was gone within two seconds; else it is told to end and still cleans up."""

    ended: bool


async def threads(context: Context, params: NoParams) -> Threads:
    """List the threads of the image."""
    return Threads(threads=msgspec.convert(await ask(context, {"question": "threads"}), list[Thread]))


operation("lisp.threads", kind="ask", for_agents=True, without_hub=threads)(threads)


@operation("lisp.killThread", kind="effect", needs_trust=True, positional=("thread",))
async def kill_thread(context: Context, params: ThreadParams) -> Killed:
    """End a thread of the image; what it evaluated is aborted. Threads that serve everybody are refused."""
    answer = await ask(context, {"question": "killThread", "thread": params.thread})
    return Killed(ended=answer["ended"])

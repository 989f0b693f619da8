"""Interrupts through plain Swank: of the thread that is meant, once it is at work, and not left lying.

A thread that is interrupted before it has taken its request up stops without it, and its debugger takes the
request as one for itself. One that is interrupted while it sends a message keeps the interrupt, and Swank
looks for it when that thread next waits for a message: code that never does so runs on. Another interrupt
would stop it, and then the first one would stop its debugger.
"""

from __future__ import annotations

import asyncio
from typing import Final

from . import sexp
from .connection import Connection
from .errors import SwankError
from .evaluation import Evaluation
from .messages import Thread

EVERY_S: Final = 0.25
TRIES: Final = 40
_TAKE: Final = """(cl:ignore-errors
 (cl:dolist (swank::thread (swank::mconn.active-threads swank::*emacs-connection*))
  (cl:unless (cl:eq swank::thread (swank/backend:current-thread))
   (swank/backend:interrupt-thread swank::thread
    (cl:lambda ()
     (cl:when (cl:and (cl:boundp 'swank::*slime-interrupts-enabled*) swank::*slime-interrupts-enabled*)
      (swank/backend:check-slime-interrupts)))))))"""
"""Let each thread that works for this connection look for what was kept; else it does nothing."""
_TAKEN_UP: Final = """(cl:progn
 (swank::send-to-emacs (cl:list :channel-send 0 (cl:list :taken-up {id} (swank::current-thread-id))))
 {form})"""


class Workers:
    """The threads that evaluations are at work in, as these have said themselves.

    Concurrency: used on the event loop only, by one session.
    """

    def __init__(self) -> None:
        self._threads: dict[str, asyncio.Future[Thread]] = {}

    def telling(self, evaluation: Evaluation, form: str) -> str:
        """Return FORM, the request for EVALUATION, as one that says first in which thread it was taken up."""
        self._threads[evaluation.id] = asyncio.get_running_loop().create_future()
        evaluation.when_ended(lambda: self._forget(evaluation.id))
        return _TAKEN_UP.format(id=sexp.write(evaluation.id), form=form)

    def taken_up(self, id: str, thread: object) -> None:
        """Take note that the evaluation ID is at work in THREAD, which no number names where threads lack."""
        said = self._threads.get(id)
        if said is not None and not said.done():
            said.set_result(thread if isinstance(thread, int) and thread > 0 else True)

    async def thread_of(self, evaluation: Evaluation) -> Thread | None:
        """Return the thread of EVALUATION once it is at work; None when that never comes."""
        said = self._threads.get(evaluation.id)
        if said is None:
            return None
        await asyncio.wait((said,))
        return None if said.cancelled() else said.result()

    def _forget(self, id: str) -> None:
        self._threads.pop(id).cancel()


async def see_taken(connection: Connection, evaluation: Evaluation) -> None:
    """Return when EVALUATION, which was interrupted, has stopped or ended, or there is no hope of that."""
    for _ in range(TRIES):
        try:
            async with asyncio.timeout(EVERY_S):
                await evaluation.paused_or_settled()
            return
        except TimeoutError:
            pass
        try:
            await connection.rex(_TAKE)
        except SwankError:
            return

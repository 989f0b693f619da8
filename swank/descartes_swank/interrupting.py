"""Interrupts of a thread that plain Swank leaves lying.

One that comes while the thread sends a message is kept, and Swank looks for it when that thread next waits
for a message: code that never does so runs on. Another interrupt would stop it, and then the first one would
stop its debugger.
"""

from __future__ import annotations

import asyncio
from typing import Final

from .connection import Connection
from .errors import SwankError
from .evaluation import Evaluation

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

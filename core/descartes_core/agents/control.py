"""What the loop asks of whoever supervises its run."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol


class Control(Protocol):
    """The run as its loop sees it. The loop never changes a status itself."""

    async def boundary(self) -> None:
        """Return when the next step may begin: at once, or after a pause that was asked for.

        Cancelled when the run was told to stop.
        """
        ...

    async def thinking(self) -> None:
        """Note that the model is asked now."""
        ...

    async def acting(self) -> None:
        """Note that a tool call is taken up now."""
        ...

    def waiting(self, question: str) -> AbstractAsyncContextManager[None]:
        """Return a context in which the run counts as paused because QUESTION has no answer yet."""
        ...

    def say(self, text: str) -> None:
        """Show TEXT as output of the run."""
        ...

"""`Checkpointer`: what every place in which states are kept can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from descartes_core.checkpoints.snapshot import AgentStateSnapshot
from descartes_core.errors import InvalidParams
from descartes_core.model import Shape

LONGEST_ID = 500


class Checkpoint(Shape, frozen=True, kw_only=True):
    """One saved state: its VERSION counts from 1 in its thread; DIGEST is that of the state."""

    version: int
    saved_at: str
    digest: str


class Checkpointer(ABC):
    """States by thread and version.

    Errors: everywhere `InvalidParams` for an id that is none; `StoreUnavailable` when the place cannot be
    reached, and then nothing was changed that the caller was not told of.
    Concurrency: safe from any task of one loop; several processes may share what is not in memory. A save is
    whole or not at all, and no two saves have one version.
    """

    @classmethod
    @abstractmethod
    async def open(cls, url: str) -> Checkpointer:
        """Return the checkpointer at URL, made when it is not there yet."""

    @abstractmethod
    async def save_state(self, thread_id: str, state: AgentStateSnapshot) -> int:
        """Keep STATE as the newest of THREAD_ID and return its version."""

    @abstractmethod
    async def load_state(self, thread_id: str, version: int | None = None) -> AgentStateSnapshot | None:
        """Return the newest state of THREAD_ID, or that of VERSION; None when there is none."""

    @abstractmethod
    async def delete_thread(self, thread_id: str) -> bool:
        """Forget THREAD_ID with all its versions and return whether there was one."""

    @abstractmethod
    async def list_threads(self) -> Sequence[str]:
        """Return the ids of all threads, sorted."""

    @abstractmethod
    async def history(self, thread_id: str) -> Sequence[Checkpoint]:
        """Return what was saved of THREAD_ID, newest first."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of the place; what is kept there stays."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def check_thread(thread_id: str) -> str:
    """Return THREAD_ID, which every place can hold. Errors: `InvalidParams`."""
    if isinstance(thread_id, str) and 0 < len(thread_id) <= LONGEST_ID and "\0" not in thread_id:
        try:
            thread_id.encode()
            return thread_id
        except UnicodeEncodeError:
            pass
    raise InvalidParams(
        f"Expected the id of a thread, 1 to {LONGEST_ID} characters, got {thread_id!r:.60}; give another"
    )

"""States in memory: for tests, and for agents whose state may end with them."""

from __future__ import annotations

from collections.abc import Sequence

from descartes_core.checkpoints.port import Checkpoint, Checkpointer, check_thread
from descartes_core.checkpoints.snapshot import AgentStateSnapshot
from descartes_core.ports import Clock, SystemClock
from descartes_core.store.times import iso


class MemoryCheckpointer(Checkpointer):
    """Everything is gone with the object. `memory:`"""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._threads: dict[str, list[tuple[str, AgentStateSnapshot]]] = {}

    @classmethod
    async def open(cls, url: str) -> MemoryCheckpointer:
        """Return a new one, whatever URL says behind its scheme."""
        return cls()

    async def save_state(self, thread_id: str, state: AgentStateSnapshot) -> int:
        """Keep STATE as the newest of THREAD_ID and return its version."""
        saved = self._threads.setdefault(check_thread(thread_id), [])
        saved.append((iso(self._clock.now_ms()), state))
        return len(saved)

    async def load_state(self, thread_id: str, version: int | None = None) -> AgentStateSnapshot | None:
        """Return the newest state of THREAD_ID, or that of VERSION."""
        saved = self._threads.get(check_thread(thread_id), [])
        number = len(saved) if version is None else version
        return saved[number - 1][1] if 1 <= number <= len(saved) else None

    async def delete_thread(self, thread_id: str) -> bool:
        """Forget THREAD_ID and return whether there was one."""
        return self._threads.pop(check_thread(thread_id), None) is not None

    async def list_threads(self) -> Sequence[str]:
        """Return the ids of all threads, sorted."""
        return sorted(self._threads)

    async def history(self, thread_id: str) -> Sequence[Checkpoint]:
        """Return what was saved of THREAD_ID, newest first."""
        saved = enumerate(self._threads.get(check_thread(thread_id), []), 1)
        return [Checkpoint(version=n, saved_at=at, digest=state.digest) for n, (at, state) in saved][::-1]

    async def close(self) -> None:
        """Do nothing."""

"""The open vault in one process: its master key, held until somebody locks it or nobody used it for long."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from descartes_core.ports import Clock
from descartes_core.vault import os_keyring
from descartes_core.vault.boxes import Master, Opener
from descartes_core.vault.crypto import KEY_BYTES, Key
from descartes_core.vault.vault import Vault, locked, no_vault


class Keyholder:
    """Holds the master key of VAULT. Belongs to one loop."""

    def __init__(
        self, vault: Vault, clock: Clock, lock_seconds: Callable[[], float], on_idle: Callable[[], None]
    ) -> None:
        """LOCK_SECONDS() is how long the vault stays open unused; ON_IDLE is called when it was closed so."""
        self.vault = vault
        self.locks_at_ms: int | None = None
        """When the vault closes by itself unless it is used; None while it is locked."""
        self._clock = clock
        self._lock_seconds = lock_seconds
        self._on_idle = on_idle
        self._held: Master | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def master(self, password: str | None) -> Master:
        """Return a copy of the master key, to be wiped after use; a PASSWORD that is given is always checked.

        Errors: `PolicyDenied` for a wrong password, or without one while the vault is locked; `NotFound`.
        """
        if password is not None or self._held is None:
            self.hold(await asyncio.to_thread(lambda: self.vault.unlock(self.opener(password))))
        assert self._held is not None
        self._put_off_locking()
        return Master(Key(bytes(self._held.key.data)), self._held.vault, self._held.generation)

    def opener(self, password: str | None) -> Opener:
        """Return what opens the vault: PASSWORD, or the key in the system's keyring where it lies there."""
        found = self.vault.describe()
        if found is None:
            raise no_vault()
        if found.key_source == "keyring" and password is None:
            return Opener(key=os_keyring.read(found.id, found.generation))
        if password is None:
            raise locked()
        return Opener(password)

    def create(self, owner: str, password: str | None, *, keyring: bool) -> Master:
        """Make the vault of OWNER, opened by PASSWORD or a new key in the system's KEYRING; for a thread.

        Errors: `InvalidParams`, `InvalidTransition`, `StoreUnavailable`.
        """
        if not keyring:
            return self.vault.create(Opener(password or ""), owner=owner)
        vault, key = os.urandom(16).hex(), os.urandom(KEY_BYTES)
        if self.vault.describe() is None:
            os_keyring.write(vault, 1, key)
        return self.vault.create(Opener(key=key), id=vault, owner=owner)

    def change(self, old: str | None, new: str | None, *, keyring: bool) -> Master:
        """Give the vault a fresh master key under the password NEW or the KEYRING; OLD opens it now.

        For a thread. Errors: `PolicyDenied`, `InvalidParams`, `StoreUnavailable`.
        """
        before = self.opener(old)
        after = Opener(key=os.urandom(KEY_BYTES)) if keyring else Opener(new or "").checked()
        master = self.vault.unlock(before)
        if after.key is not None:
            os_keyring.write(master.vault, master.generation + 1, after.key)
        fresh = self.vault.change_opener(master, before, after)
        if before.key is not None:
            os_keyring.forget(master.vault, master.generation)
        master.key.wipe()
        return fresh

    def hold(self, master: Master) -> None:
        """Keep the vault open with MASTER."""
        self.lock()
        self._held = master
        self._put_off_locking()

    def lock(self) -> None:
        """Forget the master key."""
        if self._timer is not None:
            self._timer.cancel()
        if self._held is not None:
            self._held.key.wipe()
        self._held = self._timer = self.locks_at_ms = None

    def _put_off_locking(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        seconds = self._lock_seconds()
        self.locks_at_ms = self._clock.now_ms() + round(seconds * 1000)
        self._timer = asyncio.get_running_loop().call_later(seconds, self._lock_idle)

    def _lock_idle(self) -> None:
        self.lock()
        self._on_idle()

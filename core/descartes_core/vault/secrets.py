"""`Secrets`: the vault as one hub works with it: opened for a while, every access logged, values masked.

Who asks is told by the caller; what they may do is for the vault to decide.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from descartes_core.errors import DescartesError, PolicyDenied
from descartes_core.model import NewEvent, Principal
from descartes_core.store import Store
from descartes_core.store.times import iso
from descartes_core.vault import archive, audit
from descartes_core.vault.audit import Action, Visitor
from descartes_core.vault.boxes import Master
from descartes_core.vault.keyholder import Keyholder
from descartes_core.vault.masking import Masks
from descartes_core.vault.shapes import AccessLevel, Grant, Secret, SecretType, SecretValue, Who
from descartes_core.vault.vault import Vault

T = TypeVar("T")
HUB = Principal(kind="service", id="hub", name="the hub")
ALLOWED = Who(HUB, owner=True)
"""Who reads for what a person has allowed."""


class Secrets:
    """The vault of this user in one hub. Belongs to the store's loop."""

    def __init__(self, store: Store, vault: Vault, lock_seconds: Callable[[], float]) -> None:
        """LOCK_SECONDS() is how long the vault stays open when nobody uses it."""
        self.vault = vault
        self.masks = Masks()
        self._store = store
        self._known: frozenset[bytes] = frozenset()
        """The salts of the versions whose values are masked."""
        self._keys = Keyholder(vault, store.clock, lock_seconds, self._locked_itself)

    @property
    def locks_at(self) -> str | None:
        """When the vault closes by itself unless it is used; None while it is locked."""
        return None if self._keys.locks_at_ms is None else iso(self._keys.locks_at_ms)

    async def know(self, password: str | None) -> None:
        """Mask what is in the vault, if PASSWORD or the system's keyring opens it; it stays locked.

        This is nobody's access, and nothing of it is logged. Errors: `PolicyDenied`, `StoreUnavailable`.
        """
        await asyncio.to_thread(self._know_with, password)

    async def init(self, visitor: Visitor, password: str | None, *, keyring: bool) -> None:
        """Make the vault of VISITOR with PASSWORD, or with a key of its own in the system's KEYRING.

        Errors: `InvalidParams`; `InvalidTransition` when there is one; `StoreUnavailable`.
        """

        async def work() -> None:
            _require_person(visitor, "make a vault")
            owner = visitor.principal.id
            self._keys.hold(await asyncio.to_thread(self._keys.create, owner, password, keyring=keyring))

        await self._noted("init", None, visitor, work)

    async def unlock(self, visitor: Visitor, password: str | None) -> None:
        """Open the vault until it is locked. Errors: `PolicyDenied`, `NotFound` without a vault."""

        async def work() -> None:
            _require_person(visitor, "unlock the vault")
            await self._open(visitor, _nothing, password)

        await self._noted("unlock", None, visitor, work)

    async def lock(self, visitor: Visitor) -> None:
        """Forget the master key now."""
        self._keys.lock()
        await self._store.append(audit.event("lock", None, visitor))

    def close(self) -> None:
        """Forget the master key; the last thing."""
        self._keys.lock()

    async def set(
        self, visitor: Visitor, name: str, value: str, type: SecretType | None, password: str | None,
        *, exists: bool = False,
    ) -> Secret:  # fmt: skip
        """Give the secret NAME a VALUE; EXISTS: it must be there.

        Where there is no vault, one is made with PASSWORD. Errors: those of `Vault.set` and `unlock`.
        """
        await asyncio.to_thread(self._protect, [(name, value)])
        if password is not None and visitor.person and await asyncio.to_thread(self.vault.describe) is None:
            await self.init(visitor, password, keyring=False)
        return await self._perform(
            "rotate" if exists else "set", name, visitor,
            lambda master, who: self.vault.set(master, name, value, who, type, exists=exists), password,
        )  # fmt: skip

    async def get(
        self, visitor: Visitor, name: str, version: int | None, password: str | None
    ) -> SecretValue:
        """Return the value of the secret NAME. Errors: those of `Vault.get` and `unlock`."""

        def work(master: Master, who: Who) -> SecretValue:
            return self._masked(self.vault.get(master, name, who, version))

        return await self._perform("read", name, visitor, work, password)

    async def revoke(self, visitor: Visitor, name: str, version: int, password: str | None) -> Secret:
        """Erase an older VERSION of the secret NAME. Errors: those of `Vault.revoke` and `unlock`."""
        return await self._perform(
            "revoke", name, visitor, lambda master, who: self.vault.revoke(master, name, version, who),
            password, version=version,
        )  # fmt: skip

    async def remove(self, visitor: Visitor, name: str, password: str | None) -> Secret:
        """Erase the secret NAME. Errors: those of `Vault.remove` and `unlock`."""
        return await self._perform(
            "remove", name, visitor, lambda master, who: self.vault.remove(master, name, who), password
        )

    async def grant(
        self, visitor: Visitor, name: str, principal: str, level: AccessLevel, expires_ms: int | None,
        password: str | None,
    ) -> Grant | None:  # fmt: skip
        """Let PRINCIPAL have LEVEL on the secret NAME. Errors: those of `Vault.grant` and `unlock`."""
        return await self._perform(
            "grant", name, visitor,
            lambda master, who: self.vault.grant(master, name, principal, level, who, expires_ms), password,
            principal=principal, level=level, expiresAt=None if expires_ms is None else iso(expires_ms),
        )  # fmt: skip

    async def ungrant(self, visitor: Visitor, name: str, principal: str, password: str | None) -> Secret:
        """End what PRINCIPAL was granted on the secret NAME. Errors: those of `Vault.grant` and `unlock`."""

        def work(master: Master, who: Who) -> Secret:
            self.vault.grant(master, name, principal, "none", who)
            return self.vault.show(master, name, who)

        return await self._perform("revoke", name, visitor, work, password, principal=principal)

    async def rekey(self, visitor: Visitor, old: str | None, new: str | None, *, keyring: bool) -> None:
        """Give the vault a fresh master key under the password NEW or the KEYRING; OLD opens it now.

        Errors: `PolicyDenied`, `InvalidParams`, `StoreUnavailable`.
        """

        async def work() -> None:
            _require_person(visitor, "change how the vault opens")
            self._keys.hold(await asyncio.to_thread(self._keys.change, old, new, keyring=keyring))
            await self._open(visitor, _nothing, None)

        await self._noted("rekey", None, visitor, work)

    async def export(self, visitor: Visitor, archive_password: str, password: str | None) -> str:
        """Return every secret as a text that ARCHIVE_PASSWORD opens.

        Errors: `InvalidParams`, `PolicyDenied`.
        """

        def work(master: Master, who: Who) -> str:
            _require_person(visitor, "export secrets")
            return archive.write(self.vault.values(master, who), archive_password)

        return await self._perform("export", None, visitor, work, password)

    async def import_(
        self, visitor: Visitor, text: str, archive_password: str, password: str | None
    ) -> list[str]:
        """Take in the secrets of the export TEXT, all or none, and return their names.

        Those that are as they were stay so; each other one is in the log before the import is.
        Errors: `InvalidParams`, `PolicyDenied`.
        """
        found: list[SecretValue] = []
        changed: list[NewEvent] = []

        def work(master: Master, who: Who) -> list[str]:
            _require_person(visitor, "import secrets")
            found.extend(archive.read(text, archive_password))
            self._protect((each.name, each.value) for each in found)
            taken = self.vault.take_in(master, found, who)
            changed.extend(audit.event("set", each.name, visitor) for each in taken)
            return [each.name for each in found]

        return await self._perform("import", None, visitor, work, password, before=changed)

    async def lacking(self, visitor: Visitor, names: Sequence[str]) -> list[str]:
        """Return which of the secrets NAMES VISITOR has no grant to read.

        Errors: `NotFound` for one that there is not; `PolicyDenied` while the vault is locked.
        """

        def work(master: Master, who: Who) -> list[str]:
            for name in names:
                self.vault.show(master, name, ALLOWED)
            return [name for name in names if not self.vault.may_read(master, name, who)]

        return await self._open(visitor, work, None)

    async def use(
        self, visitor: Visitor, names: Sequence[str], *, allowed: bool, **about: Any
    ) -> dict[str, str]:
        """Return the values of the secrets NAMES by name, for a step of VISITOR; masked from now on.

        ALLOWED: a person said so, and no grant is needed. Errors: `PolicyDenied`, `NotFound`.
        """
        found: dict[str, str] = {}
        for name in dict.fromkeys(names):

            def work(master: Master, who: Who, name: str = name) -> SecretValue:
                return self._masked(self.vault.get(master, name, ALLOWED if allowed else who))

            found[name] = (await self._perform("use", name, visitor, work, None, **about)).value
        return found

    async def refused(self, action: Action, name: str | None, visitor: Visitor, why: DescartesError) -> None:
        """Note that VISITOR was refused before the vault was asked."""
        await self._store.append(audit.event(action, name, visitor, why))

    async def _perform(
        self, action: Action, name: str | None, visitor: Visitor, work: Callable[[Master, Who], T],
        password: str | None, *, before: Sequence[NewEvent] = (), **about: Any,
    ) -> T:  # fmt: skip
        async def perform() -> T:
            return await self._open(visitor, work, password)

        return await self._noted(action, name, visitor, perform, about, before)

    async def _open(self, visitor: Visitor, work: Callable[[Master, Who], T], password: str | None) -> T:
        master = await self._keys.master(password)
        return await asyncio.to_thread(self._work, work, master, visitor)

    def _work(self, work: Callable[[Master, Who], T], master: Master, visitor: Visitor) -> T:
        """Return WORK(MASTER, who VISITOR is here), in a thread, and wipe this copy of the key."""
        # Not by whoever awaits: a thread goes on when that is cancelled, and must not write with zeros.
        try:
            self._know(master)
            found = self.vault.describe()
            owner = visitor.person and found is not None and found.owner == visitor.principal.id
            return work(master, Who(visitor.principal, visitor.roles, owner, visitor.named))
        finally:
            master.key.wipe()

    async def _noted(
        self, action: Action, name: str | None, visitor: Visitor, work: Callable[[], Awaitable[T]],
        about: Mapping[str, Any] | None = None, before: Sequence[NewEvent] = (),
    ) -> T:  # fmt: skip
        """Return what WORK returns, once the log has that it was done; its refusal is logged too.

        BEFORE has by then the events of what was done one by one.
        """
        try:
            result = await work()
        except DescartesError as problem:
            await self._store.append(audit.event(action, name, visitor, problem, about))
            raise
        await self._store.append(*before, audit.event(action, name, visitor, None, about))
        return result

    def _know_with(self, password: str | None) -> None:
        found = self.vault.describe()
        if found is None or (password is None and found.key_source == "password"):
            return
        opener = self._keys.opener(None if found.key_source == "keyring" else password)
        master = self.vault.unlock(opener)
        try:
            self._know(master)
        finally:
            master.key.wipe()

    def _know(self, master: Master) -> None:
        """Mask what came into the vault since the last time, by whatever process; in a thread."""
        new = self.vault.unknown(master, self._known)
        if new:
            self._protect((each.name, each.value) for each in new.values())
            self._known |= new.keys()

    def _masked(self, found: SecretValue) -> SecretValue:
        """Return FOUND, which another process may have kept since the last look."""
        self._protect([(found.name, found.value)])
        return found

    def _protect(self, values: Iterable[tuple[str, str]]) -> None:
        """Have VALUES, (name, value), masked in everything that this process prints or logs from now on."""
        values = list(values)
        self.masks.protect_all(values)
        self._store.redactor.protect_all(values)

    def _locked_itself(self) -> None:
        noted = self._store.post(audit.event("lock", None, Visitor(HUB, "nobody used it")))
        noted.add_done_callback(lambda done: done.cancelled() or done.exception())


def _nothing(master: Master, who: Who) -> None:
    """What is done with a vault that is only opened."""


def _require_person(visitor: Visitor, what: str) -> None:
    if not visitor.person:
        raise PolicyDenied(f"Only a person may {what}, and {visitor.principal.name} is none")

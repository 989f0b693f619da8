"""The operations `secret.*`: the vault of this user, by name; values leave it for people's terminals only."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from descartes_core.errors import DescartesError, InvalidParams
from descartes_core.model import Principal, Shape
from descartes_core.runs import RunView, giving
from descartes_core.store import EventQuery
from descartes_core.store.times import milliseconds
from descartes_core.vault import audit as audits
from descartes_core.vault.audit import Action, Visitor
from descartes_core.vault.shapes import (
    AccessLevel,
    AuditEntry,
    Grant,
    KeySource,
    Secret,
    SecretType,
    SecretValue,
    Who,
)
from descartes_core.vault.vault import Vault
from descartes_server.operations import workspace
from descartes_server.operations.context import Caller, Context
from descartes_server.operations.registry import Empty, NoParams, Params, operation

AUDITED = 1_000_000
NAMES = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")


class Unlocking(Params, frozen=True, kw_only=True):
    """PASSWORD of the vault: checked whenever it is given; without it the vault must be unlocked."""

    password: str | None = None

    def __repr__(self) -> str:
        return type(self).__name__


class NameParams(Unlocking, frozen=True, kw_only=True):
    """The NAME of a secret."""

    name: str


class SetParams(NameParams, frozen=True, kw_only=True):
    """VALUE for the secret NAME, of TYPE (`custom` for a new one)."""

    value: str
    type: SecretType | None = None


class RotateParams(NameParams, frozen=True, kw_only=True):
    """The new VALUE of the secret NAME."""

    value: str


class GetParams(NameParams, frozen=True, kw_only=True):
    """The VERSION that is wanted; the newest by default."""

    version: int | None = None


class RevokeParams(NameParams, frozen=True, kw_only=True):
    """The VERSION to erase, or the PRINCIPAL whose grant ends."""

    version: int | None = None
    principal: str | None = None


class GrantParams(NameParams, frozen=True, kw_only=True):
    """What PRINCIPAL, user:, role:, service: or agent:NAME, may do; for TTL_SECONDS or until EXPIRES_AT."""

    principal: str
    level: AccessLevel = "read"
    ttl_seconds: float | None = None
    expires_at: str | None = None


class InitParams(Unlocking, frozen=True, kw_only=True):
    """The PASSWORD of the vault that is made, or a random key in the system's KEYRING."""

    keyring: bool = False


class ChangeParams(Unlocking, frozen=True, kw_only=True):
    """PASSWORD opens the vault now, NEW_PASSWORD or a key in the system's KEYRING from then on."""

    new_password: str | None = None
    keyring: bool = False


class ExportParams(Unlocking, frozen=True, kw_only=True):
    """ARCHIVE_PASSWORD will open the export."""

    archive_password: str


class ImportParams(Unlocking, frozen=True, kw_only=True):
    """An ARCHIVE that `secret.export` gave, and the ARCHIVE_PASSWORD that opens it."""

    archive: str
    archive_password: str


class AuditParams(Params, frozen=True, kw_only=True):
    """Of the secret NAME only, or what FAILED only; newest first."""

    name: str | None = None
    failed: bool = False
    limit: int = 100


class SecretList(Shape, frozen=True, kw_only=True):
    """Secrets by name, without values."""

    secrets: list[Secret]


class Granted(Shape, frozen=True, kw_only=True):
    """The grant as it is now, None when there is none any more."""

    grant: Grant | None


class Audit(Shape, frozen=True, kw_only=True):
    """Accesses and refused attempts, newest first."""

    entries: list[AuditEntry]


class Export(Shape, frozen=True, kw_only=True):
    """Every secret's newest value, encrypted."""

    archive: str


class Imported(Shape, frozen=True, kw_only=True):
    """The names that the export had."""

    names: list[str]


class VaultStatus(Shape, frozen=True, kw_only=True):
    """The vault: whether there is one, whether this workspace's hub has it open and until when."""

    state: Literal["missing", "locked", "unlocked"]
    path: str
    key_source: KeySource | None = None
    locks_at: str | None = None


def _noting(action: Action) -> Any:
    """Return what notes that a caller was refused ACTION before it was tried."""

    async def note(context: Context, params: Mapping[str, Any], why: DescartesError) -> None:
        name = params.get("name")
        known = name if isinstance(name, str) and NAMES.fullmatch(name) else None
        await context.services.secrets.refused(action, known, await visitor(context), why)

    return note


async def visitor(context: Context) -> Visitor:
    """Return the caller of CONTEXT as the vault sees it."""
    caller = context.caller
    if caller.run is not None:
        return await giving.visitor(context.services.runs, caller.run, _source(caller))
    return Visitor(caller.principal, _source(caller), [caller.principal.kind], caller.is_person)


@operation("secret.set", kind="effect", positional=("name",), confidential=True)
async def set_(context: Context, params: SetParams) -> Secret:
    """Keep a value under a name; one that exists gets a new version."""
    return await context.services.secrets.set(
        await visitor(context), params.name, params.value, params.type, params.password
    )


@operation(
    "secret.get", kind="effect", people_only=True, positional=("name",), confidential=True,
    on_refusal=_noting("read"),
)  # fmt: skip
async def get(context: Context, params: GetParams) -> SecretValue:
    """Give the value of a secret to a person."""
    return await context.services.secrets.get(
        await visitor(context), params.name, params.version, params.password
    )


@operation("secret.rotate", kind="effect", positional=("name",), confidential=True)
async def rotate(context: Context, params: RotateParams) -> Secret:
    """Give a secret a new value; the old versions stay readable until they are revoked."""
    return await context.services.secrets.set(
        await visitor(context), params.name, params.value, None, params.password, exists=True
    )


@operation("secret.revoke", kind="effect", positional=("name",), confidential=True)
async def revoke(context: Context, params: RevokeParams) -> Secret:
    """Erase an old version for ever, or end a grant."""
    if (params.version is None) == (params.principal is None):
        raise InvalidParams("secret.revoke takes either the version or the principal that is revoked")
    secrets, who = context.services.secrets, await visitor(context)
    if params.version is not None:
        return await secrets.revoke(who, params.name, params.version, params.password)
    return await secrets.ungrant(who, params.name, params.principal or "", params.password)


@operation("secret.remove", kind="effect", positional=("name",), confidential=True)
async def remove(context: Context, params: NameParams) -> Secret:
    """Erase a secret with all its versions and grants."""
    return await context.services.secrets.remove(await visitor(context), params.name, params.password)


@operation("secret.grant", kind="effect", positional=("name", "principal"), confidential=True)
async def grant(context: Context, params: GrantParams) -> Granted:
    """Let an agent, a role, a service or another user have a secret, for a time or until it is taken away."""
    expires = _expiry(context, params)
    granted = await context.services.secrets.grant(
        await visitor(context), params.name, params.principal, params.level, expires, params.password
    )
    return Granted(grant=granted)


@operation("secret.list", kind="read", for_agents=True)
async def list_(context: Context, params: NoParams) -> SecretList:
    """List the secrets without their values; nothing is decrypted."""
    vault = Vault(workspace.vault(), context.services.clock)
    who = await _reader(context, vault)
    return SecretList(secrets=list(await asyncio.to_thread(vault.list, who)))


@operation("secret.audit", kind="read", people_only=True, positional=("name",))
async def audit(context: Context, params: AuditParams) -> Audit:
    """Show who wanted which secret, refusals too, as the log of this workspace has it."""
    query = EventQuery(type="secret", limit=AUDITED)
    found = (await context.services.reader.events(query)).events
    entries = [audits.entry(each) for each in found if each.name.startswith("secret.")]
    wanted = [
        each
        for each in entries
        if params.name in (None, each.secret_name) and not (params.failed and each.success)
    ]
    return Audit(entries=wanted[: params.limit])


@operation("secret.init", kind="effect", people_only=True, confidential=True, on_refusal=_noting("init"))
async def init(context: Context, params: InitParams) -> VaultStatus:
    """Make the vault, under a password or with a key in the system's keyring."""
    await context.services.secrets.init(await visitor(context), params.password, keyring=params.keyring)
    return await status(context, NoParams())


@operation("secret.unlock", kind="effect", people_only=True, confidential=True, on_refusal=_noting("unlock"))
async def unlock(context: Context, params: Unlocking) -> VaultStatus:
    """Open the vault in this workspace until it is locked or long unused."""
    await context.services.secrets.unlock(await visitor(context), params.password)
    return await status(context, NoParams())


async def _status_without_hub(context: Context, params: NoParams) -> VaultStatus:
    path = workspace.vault()
    found = await asyncio.to_thread(Vault(path).describe)
    if found is None:
        return VaultStatus(state="missing", path=str(path))
    return VaultStatus(state="locked", path=str(path), key_source=found.key_source)


@operation("secret.status", kind="ask", without_hub=_status_without_hub)
async def status(context: Context, params: NoParams) -> VaultStatus:
    """Say whether there is a vault and whether it is open."""
    found = await _status_without_hub(context, params)
    locks_at = context.services.secrets.locks_at
    if found.state == "missing" or locks_at is None:
        return found
    return msgspec.structs.replace(found, state="unlocked", locks_at=locks_at)


async def _nothing_to_lock(context: Context, params: NoParams) -> Empty:
    return Empty()


@operation("secret.lock", kind="ask", without_hub=_nothing_to_lock)
async def lock(context: Context, params: NoParams) -> Empty:
    """Close the vault in this workspace now."""
    await context.services.secrets.lock(await visitor(context))
    return Empty()


@operation(
    "secret.changePassword", kind="effect", people_only=True, confidential=True, on_refusal=_noting("rekey")
)
async def change_password(context: Context, params: ChangeParams) -> VaultStatus:
    """Give the vault another password, or a key in the system's keyring, and a fresh master key."""
    await context.services.secrets.rekey(
        await visitor(context), params.password, params.new_password, keyring=params.keyring
    )
    return await status(context, NoParams())


@operation("secret.export", kind="effect", people_only=True, confidential=True, on_refusal=_noting("export"))
async def export(context: Context, params: ExportParams) -> Export:
    """Give every secret's newest value, encrypted under a password of its own."""
    archive = await context.services.secrets.export(
        await visitor(context), params.archive_password, params.password
    )
    return Export(archive=archive)


@operation("secret.import", kind="effect", people_only=True, confidential=True, on_refusal=_noting("import"))
async def import_(context: Context, params: ImportParams) -> Imported:
    """Take in the secrets of an export; those that differ get a new version."""
    names = await context.services.secrets.import_(
        await visitor(context), params.archive, params.archive_password, params.password
    )
    return Imported(names=names)


def _source(caller: Caller) -> str:
    return caller.principal.via or caller.client_name or "the hub's socket"


async def _reader(context: Context, vault: Vault) -> Who:
    """Return who reads the list at this door: a run's child is its agent, a person may own the vault."""
    caller, found = context.caller, await asyncio.to_thread(vault.describe)
    if caller.run is not None:
        run = await RunView(context.services.reader, context.services.clock).show(caller.run)
        return Who(Principal(kind="agent", id=run.id, name=run.agent), ["agent"])
    owner = caller.is_person and found is not None and found.owner == caller.principal.id
    return Who(caller.principal, [caller.principal.kind], owner)


def _expiry(context: Context, params: GrantParams) -> int | None:
    now = context.services.clock.now_ms()
    if params.ttl_seconds is not None and params.expires_at is not None:
        raise InvalidParams("secret.grant takes ttlSeconds or expiresAt, and got both")
    if params.ttl_seconds is not None:
        expires = now + round(params.ttl_seconds * 1000)
    elif params.expires_at is not None:
        expires = milliseconds(params.expires_at)
    else:
        return None
    if expires <= now:
        raise InvalidParams("expected a grant that ends in the future; `secret revoke` ends one now")
    return expires

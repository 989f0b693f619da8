"""The operations `config.*`: what the settings are, changing one in its file, bringing files up to date."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec

from descartes_core.config import files, loading, schema, versions
from descartes_core.config.table import Setting, settings
from descartes_core.errors import DescartesError, InvalidParams, NotFound, StoreUnavailable, UnsavedChanges
from descartes_core.model import NewEvent, Shape
from descartes_core.replacement import Replacement
from descartes_core.store import Transaction
from descartes_server.operations import settings as reading
from descartes_server.operations import writing
from descartes_server.operations.context import Context
from descartes_server.operations.registry import NoParams, Params, operation

CHANGED = "descartes/config/changed"
"""Told to every client after a settings file was changed by an operation, `{file}`."""
HIDDEN = "‹redacted›"


class ShowParams(Params, frozen=True, kw_only=True):
    """KEY: this setting alone."""

    key: str | None = None


class ShownProblem(Shape, frozen=True, kw_only=True):
    """What does not count, and where it stands; FILE is none for an editor's setting."""

    message: str
    file: str | None
    line: int
    column: int
    severity: str


class ShownSetting(Shape, frozen=True, kw_only=True):
    """One setting: what it is, where that comes from (`default`, a file, `editor`), what it does."""

    name: str
    value: Any
    origin: str
    default: Any
    meaning: str


class ShownSettings(Shape, frozen=True, kw_only=True):
    """Every setting, and what is wrong in the files."""

    settings: list[ShownSetting]
    problems: list[ShownProblem]


class SetParams(Params, frozen=True, kw_only=True):
    """VALUE, any JSON, for KEY in the file of SCOPE; null takes the setting out of the file."""

    key: str
    value: Any
    scope: Literal["user", "workspace"] = "workspace"


class SetResult(Shape, frozen=True, kw_only=True):
    """The FILE that was changed, and what KEY is now for who asked; NOTE says why that is something else."""

    key: str
    value: Any
    file: str
    origin: str
    note: str | None = None


class MigrateParams(Params, frozen=True, kw_only=True):
    """DRY_RUN: say what would be done, and change nothing."""

    dry_run: bool = False


class MigratedFile(Shape, frozen=True, kw_only=True):
    """What became of one FILE. STATE: migrated, would change (a dry run), current, missing or refused."""

    file: str
    state: Literal["migrated", "would change", "current", "missing", "refused"]
    version: str | None = None
    steps: list[str] = []
    backup: str | None = None
    message: str | None = None


class Migrated(Shape, frozen=True, kw_only=True):
    """What became of the user's file and the workspace's."""

    files: list[MigratedFile]


class Schema(Shape, frozen=True, kw_only=True):
    """The JSON Schema of settings files."""

    schema: dict[str, Any]


@operation("config.show", kind="read", positional=("key",))
async def show(context: Context, params: ShowParams) -> ShownSettings:
    """Show every setting that counts for the caller, and where it comes from."""
    wanted = [_named(params.key)] if params.key is not None else list(settings().values())
    loaded = await asyncio.to_thread(_load, context)
    values = msgspec.to_builtins(loaded.settings)
    return ShownSettings(
        settings=[_shown(each, values, loaded) for each in wanted],
        problems=[
            ShownProblem(
                message=each.message,
                file=str(each.file) if each.file else None,
                line=each.line,
                column=each.column,
                severity=each.severity,
            )
            for each in loaded.problems
        ],
    )


@operation("config.schema", kind="read")
async def schema_(context: Context, params: NoParams) -> Schema:
    """Give the JSON Schema of the settings files."""
    return Schema(schema=schema.schema())


@operation("config.set", kind="effect", people_only=True, positional=("key", "value"))
async def set_(context: Context, params: SetParams) -> SetResult:
    """Set one setting in its file; comments and everything else in it stay."""
    setting = _named(params.key)
    _check(setting, params.value)
    user, own = reading.files(context.services.workspace.root)
    file = user if params.scope == "user" else own
    if context.services.secrets.masks.data(params.value) != params.value:
        raise InvalidParams(
            f"expected {setting.name} without the value of a secret, which {str(file)!r} would show to all"
            " who read it; let the program take it from its environment"
        )
    await _change(
        context,
        file,
        lambda text: files.with_value(text, setting, params.value),
        "config.set",
        {"key": setting.name, "scope": params.scope, "file": str(file)},
    )
    loaded = await asyncio.to_thread(_load, context)
    now = _shown(setting, msgspec.to_builtins(loaded.settings), loaded)
    return SetResult(
        key=setting.name,
        value=now.value,
        file=str(file),
        origin=now.origin,
        note=None if params.value is None else _why_not(setting, file, now.origin, loaded),
    )


@operation("config.migrate", kind="effect", people_only=True)
async def migrate(context: Context, params: MigrateParams) -> Migrated:
    """Bring the user's and the workspace's file to the newest version, with a backup beside each."""
    found = reading.files(context.services.workspace.root)
    return Migrated(files=[await _migrate(context, file, dry_run=params.dry_run) for file in found])


async def _migrate(context: Context, file: Path, *, dry_run: bool) -> MigratedFile:
    if not await asyncio.to_thread(file.exists):
        return MigratedFile(file=str(file), state="missing")
    try:
        made = versions.migrate(await asyncio.to_thread(files.read, file))
        told = MigratedFile(file=str(file), state="current", version=made.source, steps=list(made.steps))
        if not made.steps or dry_run:
            return msgspec.structs.replace(told, state="would change") if made.steps else told
        copy = await asyncio.to_thread(files.backup, file)
        data = {"file": str(file), "version": made.source, "backup": str(copy)}
        await _change(context, file, lambda text: versions.migrate(text).text, "config.migrated", data)
    except DescartesError as error:
        return MigratedFile(file=str(file), state="refused", message=error.message)
    except OSError as error:
        why = f"expected to write a backup beside {str(file)!r}: {error.strerror or error}"
        return MigratedFile(file=str(file), state="refused", message=why)
    return msgspec.structs.replace(told, state="migrated", backup=str(copy))


async def _change(
    context: Context, file: Path, change: Callable[[str], str], name: str, data: dict[str, Any]
) -> None:
    """Replace the text of FILE by what CHANGE makes of it, if nobody else has it, and log that as NAME.

    Errors: `UnsavedChanges`, `LeaseHeld`, `StoreUnavailable`; those of CHANGE.
    """
    services, caller = context.services, context.caller
    writing.check_saved(context, file)
    before = await asyncio.to_thread(files.read, file)
    replacement = await asyncio.to_thread(_prepared, file, change(before))
    event = NewEvent(category="system", name=name, stream="hub", actor=caller.principal, data=data)

    def body(tx: Transaction) -> None:
        writing.check_leases(context, tx, file)
        if files.read(file) != before:
            raise UnsavedChanges(f"{str(file)!r} was changed by somebody else meanwhile; try again")
        tx.append(event)
        replacement.put()

    try:
        await services.store.transact(body)
    finally:
        await asyncio.to_thread(replacement.discard)
    services.publish(CHANGED, {"file": str(file)})
    services.runs.look()


def _why_not(setting: Setting, file: Path, origin: str, loaded: reading.Loaded) -> str | None:
    """Return why what stands in FILE is not what SETTING is, None when it is."""
    if origin == str(file):
        return None
    about = [each.message for each in loaded.problems if each.file == file and setting.name in each.message]
    return about[0] if about else f"{origin} decides {setting.name}, over {file}"


def _prepared(file: Path, text: str) -> Replacement:
    try:
        return files.put(file, text)
    except OSError as error:
        raise StoreUnavailable(f"expected to write {str(file)!r}: {error.strerror or error}") from None


def _load(context: Context) -> reading.Loaded:
    caller = context.caller
    return reading.load(
        context.services.workspace.root, trusted=caller.trusted, editor=caller.editor_settings
    )


def _named(key: str) -> Setting:
    found = loading.named(key)
    if found is None:
        raise NotFound(loading.unknown(key, list(settings())))
    return found


def _check(setting: Setting, value: Any) -> None:
    """Refuse a VALUE that would not count. Errors: `InvalidParams`."""
    if value is None:
        return
    try:
        msgspec.convert(value, setting.type)
    except msgspec.ValidationError as error:
        what = str(error)
        raise InvalidParams(f"{setting.name}: {what[:1].lower()}{what[1:]} ({value!r:.60})") from None


def _shown(setting: Setting, values: dict[str, Any], loaded: reading.Loaded) -> ShownSetting:
    group, _, key = setting.name.partition(".")
    value = values[group][key] if key else values[group]
    return ShownSetting(
        name=setting.name,
        value=_without_keys(value),
        origin=loaded.origins.get(setting.name, "default"),
        default=setting.default,
        meaning=setting.meaning,
    )


def _without_keys(value: Any) -> Any:
    """Return VALUE with the keys of providers hidden."""
    if isinstance(value, dict):
        return {
            key: HIDDEN if key == "apiKey" and each else _without_keys(each) for key, each in value.items()
        }
    return value

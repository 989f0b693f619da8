"""The operations `guard.*`: git's hooks that refuse what changes a file somebody else has leased."""

from __future__ import annotations

import asyncio
from typing import Literal

from descartes_core.errors import NotFound
from descartes_core.model import NewEvent, Shape
from descartes_server.operations import guard_hooks
from descartes_server.operations.context import Context
from descartes_server.operations.guard_hooks import Repository
from descartes_server.operations.guarding import HOOKS
from descartes_server.operations.registry import NoParams, Params, operation


class InstallParams(Params, frozen=True, kw_only=True):
    """With WARN the hooks only say what they would refuse."""

    warn: bool = False


class HookStatus(Shape, frozen=True, kw_only=True):
    """One hook of git's. EARLIER is the hook that was there and is called first."""

    hook: str
    mode: Literal["block", "warn"] | None
    earlier: str | None = None


class GuardStatus(Shape, frozen=True, kw_only=True):
    """Whether commits and pushes of the workspace's repository are checked."""

    installed: bool
    repository: str | None
    hooks_folder: str | None
    hooks: list[HookStatus]


@operation("guard.install", kind="effect", people_only=True)
async def install(context: Context, params: InstallParams) -> GuardStatus:
    """Have git refuse commits and pushes that change what others have leased."""
    root = context.services.workspace.root
    repository = await asyncio.to_thread(Repository.of, root)
    await asyncio.to_thread(guard_hooks.install, repository, "warn" if params.warn else "block")
    status = await asyncio.to_thread(_status, context)
    await _note(context, "guard.installed", status)
    return status


@operation("guard.uninstall", kind="effect", people_only=True)
async def uninstall(context: Context, params: NoParams) -> GuardStatus:
    """Take the guard out of git's hooks and put back what was there."""
    repository = await asyncio.to_thread(Repository.of, context.services.workspace.root)
    was_there = await asyncio.to_thread(guard_hooks.uninstall, repository)
    status = await asyncio.to_thread(_status, context)
    if was_there:
        await _note(context, "guard.uninstalled", status)
    return status


@operation("guard.status", kind="read")
async def status(context: Context, params: NoParams) -> GuardStatus:
    """Say whether git's hooks check the leases, and what they call before."""
    return await asyncio.to_thread(_status, context)


def _status(context: Context) -> GuardStatus:
    try:
        repository = Repository.of(context.services.workspace.root)
    except NotFound:
        return GuardStatus(installed=False, repository=None, hooks_folder=None, hooks=[])
    hooks = [
        HookStatus(hook=hook, mode=repository.mode(hook), earlier=str(kept) if kept else None)
        for hook, kept in ((hook, repository.earlier(hook)) for hook in HOOKS)
    ]
    return GuardStatus(
        installed=all(each.mode for each in hooks),
        repository=str(repository.common),
        hooks_folder=str(repository.hooks),
        hooks=hooks,
    )


async def _note(context: Context, name: str, status: GuardStatus) -> None:
    data = {"hooksFolder": status.hooks_folder, "modes": {each.hook: each.mode for each in status.hooks}}
    await context.services.store.append(
        NewEvent(category="system", name=name, stream="guard", actor=context.caller.principal, data=data)
    )

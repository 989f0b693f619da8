"""One call from any door: look up, check trust and who speaks, decode, run, encode; exactly in this order."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from descartes_core.errors import DescartesError, StoreUnavailable, WorkspaceNotTrusted
from descartes_server.operations import registry
from descartes_server.operations.context import Caller, Context
from descartes_server.operations.registry import Operation

OF_THE_DISK = frozenset([errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO])


def admit(operation: Operation, caller: Caller, root: Path) -> None:
    """Refuse a CALLER who may not do OPERATION in the workspace at ROOT.

    Errors: `WorkspaceNotTrusted`, `PolicyDenied`.
    """
    if operation.needs_trust and not caller.trusted:
        raise WorkspaceNotTrusted(
            f"{operation.name} starts, evaluates or changes something, and {str(root)!r} is not trusted; "
            "run `descartes trust` there first"
        )
    if operation.people_only:
        caller.require_person(operation.name)


async def perform(context: Context, name: str, params: Mapping[str, Any], *, in_hub: bool) -> dict[str, Any]:
    """Return the result of operation NAME with PARAMS as the JSON object of every door.

    Errors: `NotFound`, those of `admit`, `InvalidParams`, then the handler's own; `StoreUnavailable` where
    the disk is full or broken.
    """
    operation = registry.lookup(name)
    try:
        admit(operation, context.caller, context.services.workspace.root)
    except DescartesError as refusal:
        if operation.on_refusal is not None and in_hub:
            await operation.on_refusal(context, params, refusal)
        raise
    decoded = registry.decode(operation, params)
    handler = operation.handler if in_hub or operation.without_hub is None else operation.without_hub
    try:
        return registry.encode(await handler(context, decoded))
    except OSError as error:
        if error.errno not in OF_THE_DISK:
            raise
        where = error.filename or str(context.services.workspace.state)
        raise StoreUnavailable(
            f"{name}: expected to write below {where!r}: {error.strerror}; make room there"
        ) from error

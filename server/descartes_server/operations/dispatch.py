"""One call from any door: look up, check trust and who speaks, decode, run, encode; exactly in this order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from descartes_core.errors import PolicyDenied, WorkspaceNotTrusted
from descartes_server.operations import registry
from descartes_server.operations.context import Context


async def perform(context: Context, name: str, params: Mapping[str, Any], *, in_hub: bool) -> dict[str, Any]:
    """Return the result of operation NAME with PARAMS as the JSON object of every door.

    Errors: `NotFound`, `WorkspaceNotTrusted`, `PolicyDenied`, `InvalidParams`, then the handler's own.
    """
    operation = registry.lookup(name)
    if operation.needs_trust and not context.caller.trusted:
        raise WorkspaceNotTrusted(
            f"{name} starts or evaluates something, and {str(context.services.workspace.root)!r} "
            "is not trusted; run `descartes trust` there first"
        )
    if operation.people_only and not context.caller.is_person:
        raise PolicyDenied(f"{name} is for a person to do, and {context.caller.principal.name!r} is not one")
    decoded = registry.decode(operation, params)
    handler = operation.handler if in_hub or operation.without_hub is None else operation.without_hub
    return registry.encode(await handler(context, decoded))

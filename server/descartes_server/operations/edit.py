"""The operations `edit.*`: many places of many files changed as one thing, looked at first."""

from __future__ import annotations

import msgspec

from descartes_core.edits.shapes import Edited, EditPreview, EditRequest, TextChange
from descartes_server.operations import edit_questions, texts
from descartes_server.operations.context import Context
from descartes_server.operations.registry import Params, operation


class PreviewParams(Params, frozen=True, kw_only=True):
    """Either CHANGES, or REPLACEMENT for each place of PATTERN; see `EditRequest`.

    The `path` of a change may be a URI. ASK: open a question with this as its subject.
    """

    pattern: str | None = None
    replacement: str | None = None
    regex: bool = False
    symbol: bool = False
    ignore_case: bool = False
    paths: list[str] | None = None
    changes: list[TextChange] | None = None
    ask: bool = False


class ApplyParams(Params, frozen=True, kw_only=True):
    """The preview whose id is CONFIRM; PATHS may choose fewer files than it showed. REASON is for the log."""

    confirm: str
    paths: list[str] | None = None
    reason: str | None = None


@operation(
    "edit.preview", kind="effect", needs_trust=True, for_agents=True, positional=("pattern", "replacement")
)
async def preview(context: Context, params: PreviewParams) -> EditPreview:
    """Show what replacing a text in many files would change; nothing is written."""
    asked = {key: value for key, value in msgspec.structs.asdict(params).items() if key != "ask"}
    if params.changes is not None:
        asked["changes"] = [
            msgspec.structs.replace(each, path=str(texts.path_of(each.path))) for each in params.changes
        ]
    found = await context.services.edits.preview(EditRequest(**asked), context.caller.principal)
    if not params.ask or not found.files:
        return found
    question = await edit_questions.ask(context, found)
    return msgspec.structs.replace(found, intervention=question.id)


@operation("edit.apply", kind="effect", needs_trust=True, people_only=True, positional=("confirm",))
async def apply(context: Context, params: ApplyParams) -> Edited:
    """Change the files as a preview showed it: all of them, or nothing. `restore undo` takes it back."""
    edits, by = context.services.edits, context.caller.principal
    return await edits.apply(params.confirm, by, paths=params.paths, reason=params.reason)

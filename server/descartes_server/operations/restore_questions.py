"""A restore as a question: what would change, with the files to choose from, and cancelled by default."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from descartes_core.model import Choice, Intervention
from descartes_core.timetravel.shapes import FileChange, RestorePreview, RestoreRequest
from descartes_server.operations.context import Context
from descartes_server.operations.restore_parts import parts

APPLY, CANCEL = "apply", "cancel"
CHOICES = [
    Choice(id=CANCEL, title="Leave everything as it is"),
    Choice(id=APPLY, title="Go back", arguments=["paths"]),
]
SHOWN = 20


async def ask(context: Context, preview: RestorePreview) -> Intervention:
    """Open the question whether to do what PREVIEW shows, to the person who asked for it; return it.

    Its `data.files` are those to choose from; the arguments of *Go back* are the paths chosen, all for none.
    """
    asked_by = context.caller.principal
    return await context.services.interventions.open(
        "restore",
        title=f"Go back to {_moment(preview)} of run {preview.run[4:12]}?",
        detail=_detail(preview),
        choices=CHOICES,
        default=CANCEL,
        by=asked_by,
        run=None,
        deadline=preview.expires_at,
        data={
            "holder": msgspec.to_builtins(asked_by),
            "confirm": preview.id,
            "request": {"run": preview.run, "to": preview.to.event, "bodies": preview.bodies},
            "paths": preview.paths,
            "files": msgspec.to_builtins(preview.files),
        },
    )


async def follow_answer(
    context: Context, answered: Intervention, choice: str, arguments: Sequence[str]
) -> None:
    """Do what the CHOICE for ANSWERED, a question about a restore, says.

    Errors: those of `Restores.apply`; then nothing was done, and the question is closed all the same.
    """
    if choice != APPLY:
        return
    paths = list(arguments) or answered.data.get("paths")
    request = msgspec.convert({**answered.data["request"], "paths": paths}, RestoreRequest)
    by = context.caller.principal
    await context.services.restores.apply(request, answered.data["confirm"], by, parts(context))


def _moment(preview: RestorePreview) -> str:
    """Return when it was, without the fractions of a second: "2026-01-02 10:00:00 UTC"."""
    return f"{preview.to.at[:19].replace('T', ' ')} UTC"


def _detail(preview: RestorePreview) -> str:
    lines = [_line(each) for each in preview.files[:SHOWN]]
    if len(preview.files) > SHOWN:
        lines.append(f"… {len(preview.files) - SHOWN} more")
    if preview.refused:
        lines.append(f"It cannot be done now: {preview.refused}")
    lines.append(f"{preview.events_after} events of the run come after that moment.")
    return "\n".join(lines)


def _line(change: FileChange) -> str:
    notes = [
        "edited by a person" if change.user_edited else "",
        f"held by {change.leased_by.name}" if change.leased_by else "",
        f"unsaved in {change.unsaved}" if change.unsaved else "",
    ]
    told = ", ".join(note for note in notes if note)
    return f"{change.change} {change.path}" + (f" ({told})" if told else "")

"""A bulk edit as a question: what would change, with the files to choose from, and cancelled by default."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from descartes_core.edits.shapes import EditPreview, FileEdit
from descartes_core.model import Choice, Intervention
from descartes_server.operations.context import Context

APPLY, CANCEL = "apply", "cancel"
CHOICES = [
    Choice(id=CANCEL, title="Leave everything as it is"),
    Choice(id=APPLY, title="Replace", arguments=["paths"]),
]
SHOWN_FILES, SHOWN_PLACES = 20, 3


async def ask(context: Context, preview: EditPreview) -> Intervention:
    """Open the question whether to do what PREVIEW shows, to the person who asked for it; return it.

    Its `data.files` are those to choose from; the arguments of *Replace* are the paths chosen, all for none.
    """
    asked_by = context.caller.principal
    return await context.services.interventions.open(
        "review",
        title=f"{preview.what[:1].upper()}{preview.what[1:]} in {counted(preview)}?",
        detail=_detail(preview),
        choices=CHOICES,
        default=CANCEL,
        by=asked_by,
        run=None,
        deadline=preview.expires_at,
        data={
            "holder": msgspec.to_builtins(asked_by),
            "edit": preview.id,
            "files": [_choice(each) for each in preview.files],
        },
    )


async def follow_answer(
    context: Context, answered: Intervention, choice: str, arguments: Sequence[str]
) -> None:
    """Do what the CHOICE for ANSWERED, a question about a bulk edit, says.

    Errors: those of `Edits.apply`; then nothing was done, and the question is closed all the same.
    """
    if choice == APPLY:
        edits, by = context.services.edits, context.caller.principal
        await edits.apply(answered.data["edit"], by, paths=list(arguments) or None)


def counted(preview: EditPreview) -> str:
    """Return how much PREVIEW would change: "3 places of 2 files"."""
    count, files = preview.count, len(preview.files)
    return f"{count} place{'s' * (count != 1)} of {files} file{'s' * (files != 1)}"


def _choice(file: FileEdit) -> dict[str, object]:
    """Return FILE as the questions of restores have their files, with the number of its places."""
    told: dict[str, object] = msgspec.to_builtins(file)
    return {key: value for key, value in told.items() if key not in ("places", "diff")} | {
        "userEdited": False
    }


def _detail(preview: EditPreview) -> str:
    lines: list[str] = []
    for file in preview.files[:SHOWN_FILES]:
        lines.append(f"{file.path} ({file.refused})" if file.refused else file.path)
        for place in file.places[:SHOWN_PLACES]:
            lines += [f"  {place.line}: - {place.old.strip()}", f"  {place.line}: + {place.new.strip()}"]
        if file.count > SHOWN_PLACES:
            lines.append(f"  … {file.count - SHOWN_PLACES} more places")
    if len(preview.files) > SHOWN_FILES:
        lines.append(f"… {len(preview.files) - SHOWN_FILES} more files")
    if preview.refused:
        lines.append(f"All of it cannot be done now: {preview.refused}")
    return "\n".join(lines)

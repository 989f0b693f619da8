"""A restore as a question: what would change, with the files to choose from, and cancelled by default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from descartes_core.errors import InvalidParams
from descartes_core.model import Choice, Intervention
from descartes_core.timetravel.shapes import BodyName, FileChange, RestorePreview, RestoreRequest
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
    Its `data.bodies`, `{body, title, detail}` each, are what goes back; an answer may name fewer of them.
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
            "bodies": [_offer(preview, body) for body in preview.bodies],
        },
    )


def check_bodies(question: Intervention, bodies: Sequence[BodyName]) -> None:
    """Refuse BODIES that QUESTION does not offer, while it is still open, with `InvalidParams`."""
    offered = [each["body"] for each in question.data.get("bodies", ())]
    if not offered:
        raise InvalidParams(f"Expected `bodies` for a restore only, {question.title!r} is none; leave it out")
    if not bodies or not set(bodies) <= set(offered):
        got = ", ".join(bodies) or "none"
        raise InvalidParams(f"Expected one or more of {', '.join(offered)} in `bodies`, got {got}")


async def follow_answer(
    context: Context,
    answered: Intervention,
    choice: str,
    arguments: Sequence[str],
    bodies: Sequence[BodyName] | None,
) -> None:
    """Do what the CHOICE for ANSWERED, a question about a restore, says; BODIES: fewer than it offers.

    Errors: those of `Restores.apply`; then nothing was done, and the question is closed all the same.
    """
    if choice != APPLY:
        return
    paths = list(arguments) or answered.data.get("paths")
    chosen = list(bodies) if bodies is not None else answered.data["request"]["bodies"]
    asked = {**answered.data["request"], "paths": paths, "bodies": chosen}
    request = msgspec.convert(asked, RestoreRequest)
    by = context.caller.principal
    await context.services.restores.apply(request, answered.data["confirm"], by, parts(context))


def _moment(preview: RestorePreview) -> str:
    """Return when it was, without the fractions of a second: "2026-01-02 10:00:00 UTC"."""
    return f"{preview.to.at[:19].replace('T', ' ')} UTC"


def _detail(preview: RestorePreview) -> str:
    lines = [_line(each) for each in preview.files[:SHOWN]]
    if len(preview.files) > SHOWN:
        lines.append(f"… {len(preview.files) - SHOWN} more")
    offers = [_offer(preview, body) for body in preview.bodies if body != "body" or not preview.files]
    lines += [f"{each['title']}: {each['detail']}" for each in offers]
    if preview.refused:
        lines.append(f"It cannot be done now: {preview.refused}")
    lines.append(f"{preview.events_after} events of the run come after that moment.")
    return "\n".join(lines)


def _offer(preview: RestorePreview, body: BodyName) -> dict[str, str]:
    """Return what going back means for BODY, as a person reads it."""
    if body == "body":
        count = len(preview.files)
        changing = "1 file changes" if count == 1 else f"{count} files change"
        detail = changing if count else "every one is as it was then"
        return {"body": body, "title": "The files", "detail": detail}
    if body == "brain":
        return {"body": body, "title": "The conversation", "detail": _of_brain(preview.brain or {})}
    entries = (preview.image or {}).get("entries", 0)
    repeated = f"{entries} {'entry' if entries == 1 else 'entries'} of the journal"
    return {"body": body, "title": "The image", "detail": f"a fresh one repeats {repeated}, this one ends"}


def _of_brain(found: Mapping[str, Any]) -> str:
    messages = found.get("messages", 0)
    if not messages:
        return "there was none yet"
    counted = f"{messages} message{'s' * (messages != 1)}"
    return f"a new session goes on from its {counted}, the old one stays"


def _line(change: FileChange) -> str:
    notes = [
        "edited by a person" if change.user_edited else "",
        f"held by {change.leased_by.name}" if change.leased_by else "",
        f"unsaved in {change.unsaved}" if change.unsaved else "",
    ]
    told = ", ".join(note for note in notes if note)
    return f"{change.change} {change.path}" + (f" ({told})" if told else "")

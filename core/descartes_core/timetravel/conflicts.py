"""What stands in the way of a restore, its undo or its redo, as a person reads it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from descartes_core.errors import RestoreConflict
from descartes_core.timetravel.manifest import shown
from descartes_core.timetravel.parts import Since
from descartes_core.timetravel.shapes import NOUNS, BodyName

NAMED = 3


def changed_since_preview(paths: Sequence[str]) -> RestoreConflict:
    """Return the error that PATHS are not as the preview showed them."""
    return RestoreConflict(f"{_were_changed(paths)} the preview; look at it again", paths=_names(paths))


def changed_since_restore(
    kind: Literal["undo", "redo"],
    paths: Sequence[str],
    since: Mapping[BodyName, Since],
    bodies: Sequence[BodyName],
    noun: str = "restore",
) -> RestoreConflict:
    """Return the error that a turn (KIND) of BODIES would take away what came since the last one.

    PATHS are the files, SINCE what was done in the other bodies, NOUN what was done first.
    `data.choices` are the ways to go on all the same: `{title, arguments}` each, the arguments those of the
    operation.
    """
    back = "redo" if kind == "undo" else "undo"
    told = [f"{_were_changed(paths)} the {noun if kind == 'undo' else back}"] if paths else []
    told += [each.text for each in since.values()]
    choices = [{"title": f"{kind.capitalize()} all the same", "arguments": {"force": True}}]
    ways = f"force the {kind}, and {back} brings back what it takes away"
    others = [name for name in bodies if name not in since]
    if others and since and not paths:
        which = _listed([NOUNS[name] for name in others])
        choices.append({"title": f"{kind.capitalize()} only {which}", "arguments": {"bodies": others}})
        ways += f", or choose only {which}"
    data: dict[str, Any] = {"paths": _names(paths)} if paths else {}
    if since:
        data["since"] = {name: dict(each.data) for name, each in since.items()}
    return RestoreConflict(f"{'; '.join(told)}; {ways}", **data, choices=choices)


def _were_changed(paths: Sequence[str]) -> str:
    names = _names(paths)
    more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more} {'were' if len(paths) > 1 else 'was'} changed since"


def _names(paths: Sequence[str]) -> list[str]:
    return [shown(path) for path in sorted(paths)[:100]]


def _listed(words: Sequence[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last

"""The task of a run: a text, or a template, with the values of its `${…}`."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from descartes_core.errors import InvalidParams, NotFound
from descartes_core.expressions import has_expressions, render
from descartes_server.operations import workspace
from descartes_server.operations.context import Context

TEMPLATES = "templates"
SUFFIX = ".md"
OURS = frozenset({"workspace", "git", "user", "agent", "task", "files", "date"})
"""Names that values given along cannot have."""


async def rendered(
    context: Context,
    task: str,
    *,
    template: str | None = None,
    values: Mapping[str, Any] | None = None,
    agent: str | None = None,
    files: list[str] | None = None,
) -> str:
    """Return the text of a task: TASK, or TEMPLATE in which it is known as `task`, with VALUES put in.

    A text without `${` stays as it is. Errors: `InvalidParams`, with the place of what is wrong; `NotFound`.
    """
    text = task if template is None else await asyncio.to_thread(_read, context, template)
    if taken := sorted(OURS & (values or {}).keys()):
        raise InvalidParams(f"expected values under names of their own, got {', '.join(taken)}")
    if not has_expressions(text):
        return text
    root = context.services.workspace.root
    names: dict[str, Any] = {
        **(values or {}),
        "workspace": {"name": root.name, "root": str(root)},
        "git": await asyncio.to_thread(_git, root) if "git" in text else {},
        "user": {"name": context.caller.principal.name},
        "agent": {"name": agent or ""},
        "files": files or [],
        "date": datetime.now().astimezone().date().isoformat(),
    }
    if template is not None:
        names["task"] = task
    return await asyncio.to_thread(render, text, names)


def _read(context: Context, template: str) -> str:
    """Return the text of TEMPLATE: a file of the workspace, or a name in its or the person's `templates/`."""
    root = context.services.workspace.root.resolve()
    places = [root / template, root / TEMPLATES / f"{template}{SUFFIX}"]
    places.append(workspace.home() / TEMPLATES / f"{template}{SUFFIX}")
    for place in places:
        within = workspace.home() / TEMPLATES if place is places[-1] else root
        if _is_file_within(place, within):
            try:
                return place.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise InvalidParams(f"expected a template in {str(place)!r}: {error}") from None
    raise NotFound(
        f"there is no template {template[:200]!r}; it is a file in the workspace,"
        f" or {TEMPLATES}/NAME{SUFFIX} there or in {str(workspace.home())!r}"
    )


def _is_file_within(place: Path, folder: Path) -> bool:
    try:
        return place.resolve().is_relative_to(folder.resolve()) and place.is_file()
    except (OSError, ValueError):
        return False  # no path at all, for this system


def _git(root: Path) -> dict[str, str]:
    """Return branch and commit of the repository at ROOT, without those that there are not."""
    asked = {"branch": ["symbolic-ref", "--short", "HEAD"], "commit": ["rev-parse", "HEAD"]}
    found = {name: _answer(root, words) for name, words in asked.items()}
    return {name: answer for name, answer in found.items() if answer}


def _answer(root: Path, words: list[str]) -> str:
    try:
        done = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", *words],
            cwd=root,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""

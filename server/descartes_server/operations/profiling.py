"""The statistical profiler's operations, and the files that a profile leaves under `.descartes/profiles/`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from descartes_core.errors import DescartesError, InvalidParams
from descartes_core.model import Shape
from descartes_server.operations import flame_graph, lisp, profile
from descartes_server.operations import lisp_shapes as shapes
from descartes_server.operations.asking import ask
from descartes_server.operations.context import Context
from descartes_server.operations.profile import Profile
from descartes_server.operations.registry import NoParams, Params, operation

Mode = Literal["cpu", "alloc", "time"]
STOP_MS = 60_000
"""What may pass until all samples are put together."""
FLAT_LIMIT = 200
KEPT = 50
"""Profiles whose files are kept."""


class ProfileStartParams(Params, frozen=True, kw_only=True):
    """MODE: processor time, allocation or time on the clock. THREADS: numbers of lisp.threads, else all."""

    mode: Mode = "cpu"
    threads: list[int] | None = None


class ProfileParams(Params, frozen=True, kw_only=True):
    """CODE to evaluate in PACKAGE, or the top-level form of the file URI at POSITION; MODE as at a start."""

    code: str | None = None
    package: str | None = None
    uri: str | None = None
    position: shapes.Position | None = None
    document: shapes.Document | None = None
    use_disk: bool = False
    mode: Mode = "cpu"


class ProfileStarted(Shape, frozen=True, kw_only=True):
    """What is being profiled from now on."""

    mode: Mode


class ProfiledFunction(Shape, frozen=True, kw_only=True):
    """SELF samples were in the function itself, TOTAL in it or in what it called."""

    name: str
    self: int
    total: int


class ProfileResult(Shape, frozen=True, kw_only=True):
    """FLAT: the functions that took most. The paths are of files for speedscope, a browser and a reader.

    EVALUATION: what was evaluated meanwhile, where that was asked for.
    """

    mode: Mode
    samples: int
    elapsed_ms: float
    flat: list[ProfiledFunction]
    speedscope: str
    svg: str
    report: str
    evaluation: shapes.Evaluation | None = None


@operation("lisp.profileStart", kind="effect", needs_trust=True, for_agents=True)
async def profile_start(context: Context, params: ProfileStartParams) -> ProfileStarted:
    """Begin to profile the image."""
    return await _begin(context, params.mode, params.threads)


@operation("lisp.profileStop", kind="effect", needs_trust=True, for_agents=True)
async def profile_stop(context: Context, params: NoParams) -> ProfileResult:
    """End the profile; answers which functions took most, and writes a flame graph."""
    return await _end(context, "All of the image")


@operation("lisp.profile", kind="effect", needs_trust=True, for_agents=True, positional=("code",))
async def profile_evaluation(context: Context, params: ProfileParams) -> ProfileResult:
    """Evaluate code or a form and profile what it does; answers when it is done or has stopped."""
    if (params.code is None) == (params.uri is None):
        raise InvalidParams("expected either `code` or `uri` with `position`")
    if params.uri is not None and params.position is None:
        raise InvalidParams("expected `position` beside `uri`, to say which form is to be profiled")
    await _begin(context, params.mode, None)
    try:
        evaluation = await _evaluated(context, params)
    except BaseException:
        # The profile must end, or nobody could begin another one.
        await asyncio.shield(asyncio.ensure_future(_discard(context)))
        raise
    return await _end(context, _title(params), evaluation)


async def _evaluated(context: Context, params: ProfileParams) -> shapes.Evaluation:
    if params.code is not None:
        return await lisp.evaluate(context, lisp.EvalParams(code=params.code, package=params.package))
    assert params.uri is not None and params.position is not None
    form = lisp.EvalFormParams(
        uri=params.uri, position=params.position, document=params.document, use_disk=params.use_disk
    )
    return await lisp.evaluate_form(context, form)


async def _begin(context: Context, mode: Mode, threads: list[int] | None) -> ProfileStarted:
    request: dict[str, Any] = {"question": "profileStart", "mode": mode}
    if threads is not None:
        request["threads"] = threads
    answer = await ask(context, request, start=True)
    return ProfileStarted(mode=answer["mode"])


async def _end(context: Context, title: str, evaluation: shapes.Evaluation | None = None) -> ProfileResult:
    request = {"question": "profileStop", "evaluation": evaluation.id if evaluation else None}
    answer = await ask(context, request, deadline_ms=STOP_MS)
    found = profile.from_image(answer)
    context.services.workspace.prepare()
    folder = context.services.workspace.state / "profiles"
    mask = context.services.image.masks.text
    files = await asyncio.to_thread(_write, folder, found, title, answer, mask)
    return ProfileResult(
        mode=answer["mode"],
        samples=found.samples,
        elapsed_ms=found.elapsed_us / 1000,
        flat=[
            ProfiledFunction(name=each.name, self=each.self, total=each.total)
            for each in profile.flat(found)[:FLAT_LIMIT]
        ],
        evaluation=evaluation,
        **files,
    )


async def _discard(context: Context) -> None:
    try:
        await ask(context, {"question": "profileStop"}, deadline_ms=STOP_MS)
    except DescartesError:
        return  # the image is gone, and the profile with it


def _title(params: ProfileParams) -> str:
    if params.code is not None:
        return " ".join(params.code.split())[:200]
    assert params.uri is not None and params.position is not None
    return f"{params.uri.rpartition('/')[2]}, line {params.position.line}"


def _write(
    folder: Path, found: Profile, title: str, answer: Mapping[str, Any], mask: Callable[[str], str]
) -> dict[str, str]:
    """Write the three files of a profile into FOLDER, each text as MASK shows it, and return their paths."""
    folder.mkdir(mode=0o700, exist_ok=True)
    stem = _free_name(folder, found.mode)
    texts = {
        "speedscope": (".speedscope.json", json.dumps(profile.speedscope(found, title), ensure_ascii=False)),
        "svg": (".svg", flame_graph.svg(found, title)),
        "report": (".txt", f"{title}\n\n{answer['report']}"),
    }
    paths = {}
    for key, (suffix, text) in texts.items():
        path = folder / f"{stem}{suffix}"
        path.write_text(mask(text), encoding="utf-8")
        paths[key] = str(path)
    _forget_old(folder)
    return paths


def _free_name(folder: Path, mode: str) -> str:
    stem = f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}-{mode}"
    number = 1
    while (folder / f"{stem}-{number}.svg").exists():
        number += 1
    return f"{stem}-{number}"


def _forget_old(folder: Path) -> None:
    for old in sorted(folder.glob("*.svg"))[:-KEPT]:
        for suffix in (".svg", ".txt", ".speedscope.json"):
            old.with_name(old.stem + suffix).unlink(missing_ok=True)

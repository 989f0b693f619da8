"""Drift, journal and replay through a real hub and the command line; a hub that dies leaves one image."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from descartes_core import errors
from descartes_core.processes.identity import is_alive
from descartes_server.hub import record
from descartes_server.hub.client import HubClient
from descartes_server.operations.workspace import Workspace
from support.lisp_desk import images_of
from support.until import until

Attach = Callable[..., HubClient]
Descartes = Callable[..., Awaitable[Any]]


@pytest.fixture(autouse=True)
def images_end(workspace: Path) -> Any:
    yield
    for pid in images_of(workspace):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


async def replay_under_way(one: HubClient, workspace: Path) -> tuple[asyncio.Task[dict[str, Any]], int]:
    """Start a replay that waits for a file which is gone; return it and the process of the old image."""
    gate = workspace / "open"
    gate.write_text("")
    await one.call("lisp.eval", {"code": "(defun kept () :kept)"})
    await one.call("lisp.eval", {"code": f'(loop until (probe-file "{gate}") do (sleep 0.01))'})
    gate.unlink()
    (old,) = images_of(workspace)
    replay = asyncio.ensure_future(one.call("lisp.replay", {}))
    await until(lambda: len(images_of(workspace)) == 2, "two images", 30)
    return replay, old


async def test_a_hub_that_dies_during_a_replay_leaves_the_old_image_alone(
    here: Workspace, client: Attach, workspace: Path
) -> None:
    one = client(trusted=True, environment=dict(os.environ))
    replay, old = await replay_under_way(one, workspace)
    found = record.read(here)
    assert found is not None
    os.kill(found.pid, signal.SIGKILL)
    with pytest.raises(errors.HubLost):
        await asyncio.wait_for(replay, 60)
    answer = await one.call("lisp.eval", {"code": "(kept)"})
    assert answer["values"] == [":KEPT"]
    assert images_of(workspace) == [old]


@pytest.mark.slow
async def test_a_fresh_image_ends_by_itself_when_no_hub_comes(
    here: Workspace, client: Attach, workspace: Path
) -> None:
    one = client(trusted=True, environment=dict(os.environ))
    replay, old = await replay_under_way(one, workspace)
    await one.close()
    found = record.read(here)
    assert found is not None
    os.kill(found.pid, signal.SIGKILL)
    with contextlib.suppress(errors.DescartesError, asyncio.CancelledError):
        await asyncio.wait_for(replay, 60)
    await until(lambda: not is_alive(found.identity), "the hub is gone")
    await until(lambda: images_of(workspace) == [old], "the fresh image has ended", 60)


async def test_two_clients_go_on_in_the_image_that_a_replay_has_made(client: Attach, workspace: Path) -> None:
    one = client("Emacs", trusted=True, environment=dict(os.environ))
    two = client("VS Code", trusted=True, environment=dict(os.environ))
    await one.call("lisp.eval", {"code": "(defpackage :p (:use :cl))"})
    await one.call("lisp.eval", {"code": "(in-package :p)"})
    await two.call("lisp.eval", {"code": "(defvar *n* 3)"})
    stopped = await two.call("lisp.eval", {"code": '(error "stays behind")'})
    (old,) = images_of(workspace)
    done = await one.call("lisp.replay", {})
    assert done["repeated"] == 3 and images_of(workspace) == [done["status"]["pid"]] != [old]
    assert (await two.call("debugger.list", {}))["debuggers"] == []
    with pytest.raises(errors.DebuggerStale):
        await two.call("debugger.abort", stopped["debugger"])
    lost = await two.call("lisp.evaluation", {"id": stopped["id"]})
    assert lost["state"] == "lost"
    assert (await one.call("lisp.eval", {"code": "(package-name *package*)"}))["values"] == ['"P"']
    assert (await two.call("lisp.eval", {"code": "*n*"}))["values"] == ["3"]
    status = await one.call("lisp.status", {})
    assert (status["state"], status["pid"], status["stops"]) == ("ready", done["status"]["pid"], 0)


async def test_the_command_line_shows_drift_journal_and_replay(descartes: Descartes, workspace: Path) -> None:
    file = workspace / "story.lisp"
    file.write_text("(defun f () 1)\n(defmethod m ((x integer)) x)\n", encoding="utf-8")
    assert (await descartes("lisp", "drift")).out == ""
    alone = await descartes("lisp", "drift", "story.lisp")
    assert alone.out.splitlines()[0] == f"missing\tfunction\tf\t{file}:1:1"
    refused = await descartes("lisp", "load-changed", "story.lisp")
    assert refused.status == 1 and "trust" in refused.err
    await descartes("trust")
    loaded = await descartes("lisp", "load-changed", "story.lisp", "--json")
    assert json.loads(loaded.out)["success"] is True
    file.write_text("(defun f () 2)\n", encoding="utf-8")
    shown = await descartes("lisp", "drift")
    assert shown.out.splitlines() == [
        f"changed\tfunction\tf\t{file}:1:1",
        f"removed\tmethod\tm (integer)\t{file}",
    ]
    assert (await descartes("lisp", "load-changed")).status == 0
    journal = (await descartes("lisp", "journal")).out.splitlines()
    assert [line.split("\t")[3:5] for line in journal] == [["done", "compile"]] * 3
    replayed = await descartes("lisp", "replay", "--json")
    assert json.loads(replayed.out)["repeated"] == 3
    assert (await descartes("lisp", "compare", "replay")).out == ""
    for words, said in (
        (["drift", "no-such.lisp"], "no-such.lisp"),
        (["journal", "--limit", "0"], "limit"),
        (["journal", "--since", "yesterday"], "yesterday"),
        (["compare", "nowhere"], "host:port"),
    ):
        outcome = await descartes("lisp", *words)
        assert outcome.status != 0 and said in outcome.err and "Traceback" not in outcome.err
    await descartes("hub", "stop", "--force")
    # The image has outlived its hub, and says itself what it has.
    assert (await descartes("lisp", "drift", "story.lisp")).out.startswith("loaded\tfunction\tf\t")
    assert (await descartes("lisp", "stop")).status == 0

"""An image elsewhere, reached over the network: lost and found again, and its files by other names."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from descartes_core import errors
from descartes_server.operations import reconnecting
from descartes_server.operations.image import Image
from descartes_server.operations.image_work import Listener
from descartes_server.operations.settings import PathPair
from descartes_server.operations.texts import path_of, uri_of
from support.desk import Desk, desk
from support.remote import settings, state, stock
from support.stock_swank import StockSwank
from support.until import until
from support.wire import wire_to

__all__ = ["desk", "stock"]


class TestReconnecting:
    async def test_stops_and_running_evaluations_are_taken_up_again(
        self, desk: Desk, stock: StockSwank, workspace: Path
    ) -> None:
        go = workspace / "go"
        sleeping = f'(loop until (probe-file "{go}") do (sleep 0.01) finally (return :slept))'
        async with wire_to(stock.port) as wire:
            await desk.call("lisp.connect", host="127.0.0.1", port=wire.port)
            code = '(restart-case (error "far away") (use-value (v) v))'
            stopped = await desk.call("lisp.eval", code=code)
            asleep = asyncio.create_task(desk.call("lisp.eval", code=sleeping))
            image = desk.context.services.image
            await until(lambda: image.evaluations.newest_running("editor") is not None, "it runs")
            wire.cut()
            assert (await asleep)["state"] == "lost"
            lost = await state(desk, "lost")
            assert lost["reconnecting"] and "reconnecting" in lost["reason"] and lost["port"] == wire.port
            for operation, params in (("lisp.eval", {"code": "1"}), ("lisp.interrupt", {"thread": 1})):
                with pytest.raises(errors.LispLost, match=r"give it up with lisp\.stop"):
                    await desk.call(operation, **params)
            assert (await desk.call("debugger.list"))["debuggers"] == []
            go.touch()
            wire.mend()
            await state(desk, "ready")
            await until(lambda: bool(image.debuggers.all()), "the stop is announced again")
            stop = stopped["debugger"]
            left = await desk.call("debugger.restart", **stop, name="USE-VALUE", arguments=["7"])
            assert left["evaluation"]["id"] == stopped["id"] and left["evaluation"]["values"] == ["7"]
            slept = image.evaluations.find((await asleep)["id"])
            await until(lambda: slept.wire().values == [":SLEPT"], "what went on meanwhile is heard")
            assert slept.wire().state == "done"

    async def test_a_stop_is_shown_again_when_its_evaluation_is_known_again(
        self, desk: Desk, stock: StockSwank, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        image = desk.context.services.image
        announced, shown_early = asyncio.Event(), []

        class Announcing(Listener):
            def stopped(self, stop: Any) -> None:
                super().stopped(stop)
                announced.set()

        async def following_takes_long(lisp: Any, folder: Path) -> None:
            await announced.wait()
            for _ in range(100):
                await asyncio.sleep(0)
            shown_early.extend(image.debuggers.all())

        async with wire_to(stock.port) as wire:
            await desk.call("lisp.connect", host="127.0.0.1", port=wire.port)
            stopped = await desk.call("lisp.eval", code='(restart-case (error "away") (use-value (v) v))')
            monkeypatch.setattr(image, "_listener", Announcing(image))
            monkeypatch.setattr(image.texts, "follow", following_takes_long)
            wire.cut()
            await state(desk, "lost")
            wire.mend()
            await until(lambda: bool(image.debuggers.all()), "the stop is announced again")
            left = await desk.call(
                "debugger.restart", **stopped["debugger"], name="USE-VALUE", arguments=["7"]
            )
            assert left["evaluation"]["values"] == ["7"]
            assert shown_early == []

    async def test_it_is_tried_ever_less_often(self) -> None:
        tried = list(reconnecting.delays())
        assert tried[0] < 0.5 and tried[-1] == reconnecting.LONGEST_S and tried == sorted(tried)
        assert sum(tried) >= reconnecting.IN_ALL_S

    async def test_it_can_be_given_up(self, desk: Desk, stock: StockSwank) -> None:
        async with wire_to(stock.port) as wire:
            await desk.call("lisp.connect", host="127.0.0.1", port=wire.port)
            wire.cut()
            await state(desk, "lost")
            await until(lambda: wire.attempts > 1, "it is tried again")
            assert (await desk.call("lisp.stop"))["state"] == "stopped"
            tried = wire.attempts
            wire.mend()
            assert (await desk.call("lisp.connect", host="127.0.0.1", port=wire.port))["state"] == "ready"
            assert wire.attempts == tried + 1
            assert (await desk.values("(+ 1 1)")) == ["2"]

    async def test_nobody_starts_another_image_while_one_is_connected_to(
        self, desk: Desk, stock: StockSwank
    ) -> None:
        image = desk.context.services.image
        async with wire_to(stock.port) as wire:
            wire.hold()
            connecting = asyncio.create_task(desk.call("lisp.connect", host="127.0.0.1", port=wire.port))
            await until(lambda: wire.attempts == 1, "it is connected to")
            assert (await desk.call("lisp.status"))["state"] == "starting" and image.busy()
            asked = asyncio.create_task(desk.call("lisp.eval", code="(+ 1 2)"))
            with pytest.raises(errors.InvalidParams, match="connected to; stop it"):
                await desk.call("lisp.connect", host="127.0.0.1", port=wire.port)
            wire.release()
            assert (await connecting)["port"] == wire.port
            assert (await asked)["values"] == ["3"]
            status = await desk.call("lisp.status")
            assert (status["attached"], status["port"], wire.attempts) == (True, wire.port, 1)
            await desk.call("lisp.stop")

    async def test_stopping_gives_a_connection_up_that_is_being_made(
        self, desk: Desk, stock: StockSwank
    ) -> None:
        image = desk.context.services.image
        async with wire_to(stock.port) as wire:
            wire.hold()
            connecting = asyncio.create_task(desk.call("lisp.connect", host="127.0.0.1", port=wire.port))
            await until(lambda: wire.attempts == 1, "it is connected to")
            asked = asyncio.create_task(desk.call("lisp.eval", code="(+ 1 2)"))
            await until(lambda: image.gate._inside == 1, "the evaluation waits for it")
            assert (await desk.call("lisp.stop"))["state"] == "stopped"
            for each in (connecting, asked):
                with pytest.raises(errors.LispNotRunning, match="given up"):
                    await each
            wire.release()
            # Who asked may also go: then the connection is given up as well.
            wire.hold()
            connecting = asyncio.create_task(desk.call("lisp.connect", host="127.0.0.1", port=wire.port))
            await until(lambda: wire.attempts == 2, "it is connected to again")
            connecting.cancel()
            await asyncio.wait({connecting})
            await until(lambda: not image.is_starting(), "it is given up")
            assert (await desk.call("lisp.status"))["state"] == "stopped"
            # What comes next gets an image of its own, and nobody else's.
            assert await desk.values("(+ 1 1)") == ["2"]
            assert not (await desk.call("lisp.status")).get("attached")
            assert len(await desk.events("lisp.started")) == 1

    async def test_a_dropped_connection_to_an_image_of_ours(self, desk: Desk) -> None:
        started = await desk.call("lisp.start")
        stopped = await desk.call("lisp.eval", code='(restart-case (error "here") (use-value (v) v))')
        inner = await desk.call("debugger.evalInFrame", **stopped["debugger"], code='(error "in there")')
        before = (await desk.call("debugger.list"))["debuggers"]
        image = desk.context.services.image
        image.running().connection._link.abort()
        await state(desk, "lost")
        await until(lambda: len(image.debuggers.all()) == 2 and image.status().state == "ready", "it is back")
        assert (await desk.call("debugger.list"))["debuggers"] == before
        assert (await desk.call("lisp.status"))["pid"] == started["pid"]
        # The level that the image did not tell of again is left with the one it did.
        left = await desk.call("debugger.toplevel", **inner["debugger"])
        assert left["evaluation"]["state"] == "aborted" and left["evaluation"]["id"] == stopped["id"]
        assert (await desk.call("debugger.list"))["debuggers"] == []
        assert len(await desk.events("lisp.debugger.left")) == 4

    async def test_an_image_of_ours_that_died_is_not_waited_for(self, desk: Desk) -> None:
        pid = (await desk.call("lisp.start"))["pid"]
        os.kill(pid, signal.SIGKILL)
        image = desk.context.services.image
        await until(lambda: image.status().state == "lost" and not image.status().reconnecting, "given up")
        assert await desk.values("(+ 1 1)") == ["2"]
        assert (await desk.call("lisp.status"))["pid"] != pid

    async def test_the_next_hub_takes_up_what_was_attached_to(self, desk: Desk, stock: StockSwank) -> None:
        services = desk.context.services
        async with wire_to(stock.port) as wire:
            await desk.call("lisp.connect", host="127.0.0.1", port=wire.port)
            stopped = await desk.call("lisp.eval", code='(error "left behind")')
            await services.image.detach()
            services.image = _another(desk)
            await services.image.take_up()
            assert services.image.status().state == "ready" and services.image.status().port == wire.port
            await until(lambda: bool(services.image.debuggers.all()), "the stop is announced again")
            await desk.call("debugger.abort", **stopped["debugger"])
            await services.image.detach()
            wire.cut()
            services.image = _another(desk)
            await services.image.take_up()
            assert services.image.status().reconnecting
            wire.mend()
            await state(desk, "ready")


def _another(desk: Desk) -> Image:
    services, published = desk.context.services, desk.published
    return Image(
        services.store,
        lambda method, params: published.append((method, params)),
        lambda client, method, params: asyncio.sleep(0, {}),
        services.image.places,
        lambda: services.settings.lisp,
    )


SOURCE = """;; é😀€
(defun far-name (x)
  (error "no ~a" x))

(defun far-note (x)
  (let ((far-unused x)) 1))
"""


class TestPaths:
    @pytest.fixture
    async def there(self, desk: Desk, stock: StockSwank, workspace: Path, tmp_path: Path) -> Path:
        """Return the folder that the image knows as its own; the workspace is a copy of it."""
        folder = tmp_path / "srv"
        folder.mkdir()
        for side in (folder, workspace):
            (side / "far.lisp").write_text(SOURCE, encoding="utf-8")
        settings(desk, paths=[PathPair(local=".", remote=str(folder))])
        await desk.call("lisp.connect", host="127.0.0.1", port=stock.port)
        return folder

    async def test_a_file_is_compiled_under_its_name_there(
        self, desk: Desk, workspace: Path, there: Path
    ) -> None:
        uri = uri_of(workspace / "far.lisp")
        result = await desk.call("lisp.compileFile", uri=uri)
        (note,) = [each for each in result["notes"] if "FAR-UNUSED" in each["message"]]
        assert path_of(note["uri"]) == workspace / "far.lisp" and note["range"]["start"]["line"] == 6
        (file,) = await desk.values(
            "(sb-introspect:definition-source-pathname (sb-introspect:find-definition-source #'far-name))"
        )
        assert str(there) in file and str(workspace) not in file

    async def test_definitions_and_frames_are_found_here(
        self, desk: Desk, workspace: Path, there: Path
    ) -> None:
        await desk.call("lisp.loadFile", uri=uri_of(workspace / "far.lisp"))
        request = {"question": "definitions", "name": "far-name", "package": "CL-USER"}
        (found,) = (await desk.call("lisp.question", request=request))["answer"]
        assert found["file"] == str(workspace / "far.lisp") and found["offset"] == SOURCE.index("(defun")
        stopped = await desk.call("lisp.eval", code="(far-name 1)")
        (debugger,) = (await desk.call("debugger.list"))["debuggers"]
        location = next(frame["location"] for frame in debugger["frames"] if frame["location"])
        assert path_of(location["uri"]) == workspace / "far.lisp" and location["range"]["start"]["line"] == 3
        await desk.call("debugger.abort", **stopped["debugger"])

    async def test_a_file_that_the_image_cannot_see_is_sent_as_text(
        self, desk: Desk, there: Path, tmp_path: Path
    ) -> None:
        file = tmp_path / "outside.lisp"
        file.write_text("(defun outside-name () 5)\n(defun outside-note () outside-oops)\n")
        for operation in ("lisp.compileFile", "lisp.loadFile"):
            result = await desk.call(operation, uri=uri_of(file))
            (note,) = [each for each in result["notes"] if "OUTSIDE-OOPS" in each["message"]]
            assert path_of(note["uri"]) == file and note["range"]["start"]["line"] == 2
        await desk.call("lisp.compileForm", uri=uri_of(file), position={"line": 1, "column": 1})
        source = "(sb-introspect:find-definition-source #'outside-name)"
        known = await desk.values(f"(let ((*print-readably* nil)) (prin1-to-string {source}))")
        assert str(tmp_path) not in known[0]
        assert await desk.values("(outside-name)") == ["5"]

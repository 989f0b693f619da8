"""An image that lives and dies: reached again, killed, started twice; and the saved core it starts from."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from descartes_swank.discovery import ImageSettings, find_lisp, find_swank
from descartes_swank.errors import Aborted
from descartes_swank.image import is_running, read_record, start_image, stop_image
from descartes_swank.messages import Debug
from descartes_swank.saved_core import core_path
from support.images import NO_INIT, preparing, running_image, shared_cache
from support.own_images import STARTER, alive, evaluate, runtime, the_core
from support.until import until

__all__ = ["runtime"]


class TestLife:
    async def test_it_outlives_a_starter_that_is_killed(self, runtime: Path) -> None:
        starter = subprocess.Popen(
            [sys.executable, "-c", STARTER, str(runtime), str(shared_cache())], stdout=subprocess.PIPE
        )
        assert starter.stdout is not None
        pid = int(await asyncio.to_thread(starter.stdout.readline))
        starter.stdout.close()
        starter.kill()
        starter.wait()
        record = read_record(runtime)
        assert record is not None and record.pid == pid
        try:
            assert await evaluate(record, '(progn (print "to nobody") (finish-output) (+ 1 2))') == "3"
            assert os.getsid(pid) != os.getsid(0)
        finally:
            await stop_image(record)
        assert not alive(pid)

    async def test_it_ends_when_its_workspace_is_gone(self, runtime: Path, workspace: Path) -> None:
        async with running_image(runtime, replace(NO_INIT, workspace=workspace)) as record:
            async with preparing(record.port, record.secret):
                shutil.rmtree(workspace)
                await until(lambda: not is_running(record), "the image is gone")
            assert [file.name for file in runtime.iterdir()] == ["lisp.log"]

    async def test_it_ends_after_a_time_without_client(self, runtime: Path) -> None:
        async with running_image(runtime, replace(NO_INIT, idle_minutes=30)) as record:
            async with preparing(record.port, record.secret) as prepare:
                assert await prepare.evaluate("descartes-boot::*idle-seconds*") == "1800"
                # So short a time could be over before anybody has come.
                assert await prepare.evaluate("(setf descartes-boot::*idle-seconds* 1)") == "1"
                assert await prepare.evaluate("(progn (sleep 2.5) 1)") == "1"
            await until(lambda: not is_running(record), "the image is gone")

    @pytest.mark.parametrize("hook", ["(loop)", '(error "never seen")'])
    async def test_it_ends_whatever_runs_in_it(self, runtime: Path, workspace: Path, hook: str) -> None:
        async with running_image(runtime, replace(NO_INIT, workspace=workspace)) as record:
            await evaluate(
                record,
                f"(progn (push (lambda () {hook}) sb-ext:*exit-hooks*)"
                " (sb-thread:make-thread (lambda () (sb-sys:without-interrupts (loop))))"
                ' (sb-thread:make-thread (lambda () (error "stopped"))) 1)',
            )
            shutil.rmtree(workspace)
            await until(lambda: not is_running(record), "the image is gone")

    async def test_stopping_ends_even_one_that_does_not_listen(self, runtime: Path) -> None:
        async with running_image(runtime) as record:
            os.kill(record.pid, signal.SIGSTOP)
            await stop_image(record)
            assert not is_running(record)
            await stop_image(record)

    async def test_stopping_touches_no_other_process(self, runtime: Path) -> None:
        async with running_image(runtime) as record:
            other = subprocess.Popen(["sleep", "3600"])
            try:
                await stop_image(replace(record, pid=other.pid))
                await stop_image(replace(record, boot_id="another boot"))
                assert other.poll() is None
                assert is_running(record)
                forged = json.loads((runtime / "lisp.json").read_text(encoding="utf-8"))
                forged["pid"] = other.pid
                (runtime / "lisp.json").write_text(json.dumps(forged), encoding="utf-8")
                assert read_record(runtime) is None
            finally:
                other.kill()
                other.wait()

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "1"}', "\xff"])
    def test_a_damaged_record_is_none(self, runtime: Path, text: str) -> None:
        (runtime / "lisp.json").write_bytes(text.encode("latin-1"))
        assert read_record(runtime) is None

    async def test_a_newer_image_keeps_its_record_when_the_older_one_ends(self, runtime: Path) -> None:
        async with running_image(runtime) as older, running_image(runtime) as newer:
            assert read_record(runtime) == newer
            assert await evaluate(older, "(+ 1 2)") == "3"
            await stop_image(older)
            assert read_record(runtime) == newer

    async def test_an_error_with_nobody_there_waits_for_the_next_client(self, runtime: Path) -> None:
        async with running_image(runtime) as record:
            alone = runtime / "alone"
            await evaluate(
                record,
                "(sb-thread:make-thread (lambda () (loop while swank::*connections* do (sleep 0.01))"
                f' (with-open-file (out "{alone}" :direction :output))'
                ' (restart-case (error "nobody saw this")'
                " (use-value (v) (defparameter cl-user::*used* v)))))",
            )
            await until(alone.exists, "nobody is there")
            async with preparing(record.port, record.secret) as prepare:
                await until(lambda: any(isinstance(e, Debug) for e in prepare.events), "the error is shown")
                stop = next(event for event in prepare.events if isinstance(event, Debug))
                assert "nobody saw this" in str(stop)
                restart = "(cl:invoke-restart (cl:find-restart 'cl:use-value) 7)"
                with pytest.raises(Aborted):
                    await asyncio.wait_for(prepare.connection.rex(restart, thread=stop.thread), 60)
                used = "(loop until (boundp '*used*) do (sleep 0.01))"
                assert await prepare.evaluate(f"{used} (symbol-value '*used*)") == "7"

    async def test_answers_come_without_waiting_for_acknowledgements(self, runtime: Path) -> None:
        async with running_image(runtime) as record:
            options = (
                "(sb-alien:with-alien ((on sb-alien:int 0) (size sb-alien:int 4)) (sb-alien:alien-funcall"
                ' (sb-alien:extern-alien "getsockopt" (function sb-alien:int sb-alien:int sb-alien:int'
                " sb-alien:int (* sb-alien:int) (* sb-alien:int))) (sb-sys:fd-stream-fd"
                " (swank::connection.socket-io swank::*emacs-connection*)) 6 1"
                " (sb-alien:addr on) (sb-alien:addr size)) on)"
            )
            assert await evaluate(record, options) == "1"


class TestCore:
    """These build cores, which takes seconds: each in a cache of its own."""

    @pytest.fixture
    def cache(self, isolated_environment: Path) -> Path:
        folder = isolated_environment / "cache"
        folder.mkdir()
        return folder

    @pytest.fixture
    async def built(self, runtime: Path, cache: Path) -> Path:
        """Return the core in CACHE, a copy of the shared one."""
        async with running_image(runtime):
            shutil.copy(the_core(shared_cache()), the_core(cache))
        return the_core(cache)

    async def start_and_stop(self, runtime: Path, cache: Path, settings: ImageSettings = NO_INIT) -> None:
        record = await start_image(settings, runtime, cache, runtime / "lisp.log")
        try:
            assert await evaluate(record, "(+ 1 2)") == "3"
        finally:
            await stop_image(record)

    async def test_a_new_core_takes_the_place_of_the_one_unused_for_longest(
        self, runtime: Path, cache: Path
    ) -> None:
        for age in range(9):
            old = cache / f"{age}.core"
            old.write_bytes(b"")
            os.utime(old, (1000 - age, 1000 - age))
        await self.start_and_stop(runtime, cache)
        left = {file.stem for file in cache.glob("*.core")}
        assert left == {the_core(cache).stem, *"0123456"}

    async def test_two_builders_at_once(
        self, isolated_environment: Path, workspace: Path, cache: Path
    ) -> None:
        variables = {**os.environ, "HOME": str(workspace)}
        folders = [isolated_environment / name for name in ("one", "two")]
        for folder in folders:
            folder.mkdir()
        starters = [
            subprocess.Popen(
                [sys.executable, "-c", STARTER, str(folder), str(cache)],
                stdout=subprocess.PIPE,
                env=variables,
            )
            for folder in folders
        ]
        try:
            for starter in starters:
                assert starter.stdout is not None
                assert int(await asyncio.to_thread(starter.stdout.readline)) > 0
            records = [read_record(folder) for folder in folders]
            for record in records:
                assert record is not None
                assert await evaluate(record, "(+ 1 2)") == "3"
                await stop_image(record)
            assert sorted(file.suffix for file in cache.iterdir()) == [".core", ".lock"]
            # Compiling leaves nothing behind in the user's home.
            assert list(workspace.iterdir()) == []
            logs = [(folder / "lisp.log").read_text(encoding="utf-8") for folder in folders]
            assert sum("building" in log for log in logs) == 1
        finally:
            for starter in starters:
                starter.kill()
                starter.wait()
                assert starter.stdout is not None
                starter.stdout.close()

    @pytest.mark.parametrize(
        "damage",
        [
            "truncated",
            pytest.param("empty", marks=pytest.mark.slow),
            pytest.param("text", marks=pytest.mark.slow),
        ],
    )
    async def test_a_damaged_core_is_built_again(
        self, runtime: Path, cache: Path, built: Path, damage: str
    ) -> None:
        whole = built.read_bytes()
        broken = {"empty": b"", "text": b"no core", "truncated": whole[: len(whole) // 2]}[damage]
        built.write_bytes(broken)
        await self.start_and_stop(runtime, cache)
        assert built.stat().st_size > len(broken)
        modified = built.stat().st_ino
        await self.start_and_stop(runtime, cache)
        assert built.stat().st_ino == modified

    def test_another_lisp_swank_or_version_of_ours_has_another_core(
        self, cache: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lisp, swank = find_lisp(NO_INIT), find_swank(NO_INIT)
        path = core_path(lisp, swank, cache)
        assert path == core_path(lisp, swank, cache)
        copy = shutil.copytree(swank.loader.parent, workspace / "slime")
        other_swank = find_swank(ImageSettings(swank=copy))
        second = core_path(lisp, other_swank, cache)
        os.utime(copy / "swank.lisp", (1, 1))
        third = core_path(lisp, other_swank, cache)
        program = workspace / "sbcl"
        shutil.copy(lisp.command[0], program)
        fourth = core_path(replace(lisp, command=(str(program),)), swank, cache)
        os.utime(program, (1, 1))
        fifth = core_path(replace(lisp, command=(str(program),)), swank, cache)
        ours = shutil.copytree(
            Path(sys.modules["descartes_swank.saved_core"].__file__ or "").parent / "lisp", workspace / "lisp"
        )
        (ours / "json.lisp").write_text(";; changed", encoding="utf-8")
        monkeypatch.setattr("descartes_swank.saved_core._LISP", ours)
        sixth = core_path(lisp, swank, cache)
        assert len({path, second, third, fourth, fifth, sixth}) == 6

    async def test_without_a_cache_it_starts_from_source(
        self, runtime: Path, isolated_environment: Path
    ) -> None:
        blocked = isolated_environment / "file"
        blocked.write_text("no folder", encoding="utf-8")
        await self.start_and_stop(runtime, blocked / "cache")

    async def test_a_command_with_options_of_its_own_starts_from_source(
        self, runtime: Path, cache: Path
    ) -> None:
        command = ("sbcl", "--noinform", "--eval", "(defvar cl-user::*given* 17)")
        record = await start_image(replace(NO_INIT, command=command), runtime, cache, runtime / "lisp.log")
        try:
            assert await evaluate(record, "*given*") == "17"
            assert list(cache.iterdir()) == []
        finally:
            await stop_image(record)

    async def test_options_of_the_runtime_reach_the_image(
        self, runtime: Path, built: Path, cache: Path
    ) -> None:
        settings = replace(NO_INIT, command=("sbcl", "--dynamic-space-size", "777MB"))
        async with running_image(runtime, settings) as record:
            assert await evaluate(record, "(ash (sb-ext:dynamic-space-size) -20)") == "777"

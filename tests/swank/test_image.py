"""Starting, finding and ending real images: nothing here is faked but the user's own files."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from descartes_swank.connection import Connection
from descartes_swank.discovery import ImageSettings
from descartes_swank.errors import InvalidParams, LispLost, LispNotFound
from descartes_swank.image import ImageRecord, read_record, start_image
from support.images import NO_INIT, running_image, shared_cache
from support.own_images import alive, evaluate, runtime
from support.until import until

__all__ = ["runtime"]


class TestStart:
    async def test_the_record_says_how_to_reach_it_and_only_this_user_may_read_it(
        self, runtime: Path
    ) -> None:
        async with running_image(runtime) as record:
            assert read_record(runtime) == record
            assert (runtime / "lisp.json").stat().st_mode & 0o777 == 0o600
            assert (record.host, record.implementation, record.swank_version) == ("127.0.0.1", "SBCL", "2.27")
            assert await evaluate(record, "(lisp-implementation-version)") == f'"{record.version}"'
            assert abs(record.started_at - time.time()) < 60
        assert read_record(runtime) is None
        assert [file.name for file in runtime.iterdir()] == ["lisp.log"]

    async def test_from_a_saved_core_it_takes_a_fraction_of_a_second(self, runtime: Path) -> None:
        """Of the processor's time: how long that is on the clock is for the machine to say."""
        seconds = []
        for _ in range(3):
            async with running_image(runtime) as record:
                used = psutil.Process(record.pid).cpu_times()
                seconds.append(used.user + used.system)
        assert min(seconds) < 0.5

    async def test_it_is_like_a_lisp_that_was_just_started(self, runtime: Path, workspace: Path) -> None:
        settings = replace(
            NO_INIT, workspace=workspace, environment={**os.environ, "LC_ALL": "C", "MINE": "1"}
        )
        async with running_image(runtime, settings) as record:
            plain = subprocess.run(
                [
                    *("sbcl", "--noinform", "--no-userinit", "--no-sysinit", "--non-interactive", "--eval"),
                    "(sb-ext:describe-compiler-policy)",
                ],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            policy = await evaluate(
                record,
                "(with-output-to-string (*standard-output*) (sb-ext:describe-compiler-policy))",
            )
            assert policy.strip('"').split() == plain.split()
            assert await evaluate(record, '(sb-posix:getenv "MINE")') == '"1"'
            assert await evaluate(record, "(package-name *package*)") == '"COMMON-LISP-USER"'
            assert await evaluate(record, "(namestring *default-pathname-defaults*)") == f'"{workspace}/"'
            assert await evaluate(record, "(sb-posix:getcwd)") == f'"{workspace}"'
            assert await evaluate(record, '(progn (require "sb-md5") (find-package "SB-MD5"))') == (
                '#<PACKAGE "SB-MD5">'
            )
            assert await evaluate(record, "(values (read-line *standard-input* nil :end))") == ":END"

    async def test_files_in_utf_8_whatever_the_locale(self, runtime: Path, workspace: Path) -> None:
        settings = replace(NO_INIT, environment={**os.environ, "LC_ALL": "C"})
        file = workspace / "é😀.lisp"
        file.write_text('(defparameter cl-user::*text* "é😀€")', encoding="utf-8")
        async with running_image(runtime, settings) as record:
            assert await evaluate(record, f'(load "{file}")') == "T"
            assert await evaluate(record, "(length *text*)") == "3"

    async def test_the_secret_is_no_argument_and_no_variable(self, runtime: Path) -> None:
        async with running_image(runtime) as record:
            process = Path(f"/proc/{record.pid}")
            shown = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            assert record.secret.encode() not in shown
            assert len(record.secret) == 64
            assert record.secret not in (runtime / "lisp.log").read_text(encoding="utf-8")

    async def test_it_listens_on_loopback_only(self, runtime: Path) -> None:
        async with running_image(runtime) as record:
            sockets = Path("/proc/net/tcp").read_text(encoding="ascii").split("\n")[1:]
            listening = [line.split()[1] for line in sockets if line.split()[3:4] == ["0A"]]
            assert f"0100007F:{record.port:04X}" in listening
            assert f"00000000:{record.port:04X}" not in listening

    async def test_the_users_file_is_loaded(self, runtime: Path, workspace: Path) -> None:
        (workspace / ".sbclrc").write_text("(defvar *mine* (list 1 *package*))", encoding="utf-8")
        settings = ImageSettings(environment={**os.environ, "HOME": str(workspace)})
        async with running_image(runtime, settings) as record:
            assert record.init_problem is None
            assert await evaluate(record, "*mine*") == '(1 #<PACKAGE "COMMON-LISP-USER">)'

    @pytest.mark.parametrize(
        ("text", "problem"),
        [('(error "é is wrong")', "é is wrong"), ("(((", "end of file"), ("(break)", "debugger")],
    )
    async def test_an_error_in_the_users_file_is_reported_and_stops_nothing(
        self, runtime: Path, workspace: Path, text: str, problem: str
    ) -> None:
        (workspace / ".sbclrc").write_text(text, encoding="utf-8")
        settings = ImageSettings(environment={**os.environ, "HOME": str(workspace)})
        async with running_image(runtime, settings) as record:
            assert record.init_problem is not None
            assert problem in record.init_problem and ".sbclrc" in record.init_problem
            assert await evaluate(record, "(+ 1 2)") == "3"

    async def test_an_init_file_that_ends_the_lisp(self, runtime: Path, workspace: Path) -> None:
        (workspace / ".sbclrc").write_text("(sb-ext:exit :abort t)", encoding="utf-8")
        settings = ImageSettings(environment={**os.environ, "HOME": str(workspace)})
        with pytest.raises(LispLost, match=r"ended before it was ready.*lisp\.log"):
            await start_image(settings, runtime, shared_cache(), runtime / "lisp.log")

    async def test_what_cannot_be_started_says_why(self, runtime: Path, workspace: Path) -> None:
        with pytest.raises(LispNotFound, match=r"lisp\.command"):
            await start_image(
                replace(NO_INIT, command=("no-such-lisp",)), runtime, shared_cache(), runtime / "lisp.log"
            )
        with pytest.raises(LispNotFound, match="No such file"):
            await start_image(
                replace(NO_INIT, workspace=workspace / "gone"), runtime, shared_cache(), runtime / "lisp.log"
            )
        long = workspace / ("x" * 100)
        long.mkdir()
        with pytest.raises(InvalidParams, match="DESCARTES_RUNTIME_DIR"):
            await start_image(NO_INIT, long, shared_cache(), runtime / "lisp.log")

    async def test_cancelling_leaves_no_process(self, runtime: Path, workspace: Path) -> None:
        pid = await self.cancelled(runtime, workspace)
        await until(lambda: not alive(pid), "the process is gone")

    async def test_cancelling_leaves_no_process_whose_number_is_not_known_yet(
        self, runtime: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        communicate, told = asyncio.subprocess.Process.communicate, asyncio.Event()

        async def late(process: asyncio.subprocess.Process, sent: bytes | None = None) -> Any:
            answer = await communicate(process, sent)
            await told.wait()
            return answer

        monkeypatch.setattr(asyncio.subprocess.Process, "communicate", late)
        pid = await self.cancelled(runtime, workspace)
        assert alive(pid)
        told.set()
        await until(lambda: not alive(pid), "the process is gone")

    async def cancelled(self, runtime: Path, workspace: Path) -> int:
        """Cancel a start while the init file is loaded, which never ends; return the new process's number."""
        says_which = '(with-open-file (o "pid" :direction :output) (prin1 (sb-posix:getpid) o)) (loop)'
        (workspace / ".sbclrc").write_text(says_which, encoding="utf-8")
        settings = ImageSettings(workspace=workspace, environment={**os.environ, "HOME": str(workspace)})
        starting = asyncio.create_task(start_image(settings, runtime, shared_cache(), runtime / "lisp.log"))
        pid_file = workspace / "pid"
        await until(lambda: pid_file.exists() and pid_file.read_text() != "", "the init file is loaded", 60)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        return int(pid_file.read_text())


class TestSecret:
    async def refused(self, record: ImageRecord, secret: str | None) -> None:
        connection = await Connection.open("127.0.0.1", record.port, secret=secret, on_event=lambda _: None)
        try:
            with pytest.raises(LispLost):
                await asyncio.wait_for(connection.rex("(cl:+ 1 2)"), 60)
        finally:
            await connection.close()

    @pytest.mark.ledger("D-70")
    async def test_a_wrong_or_missing_one_is_refused_and_hurts_nobody(self, runtime: Path) -> None:
        async with running_image(runtime) as record:
            await self.refused(record, "0" * 64)
            await self.refused(record, None)
            await self.refused(record, record.secret[:-1])
            assert await evaluate(record, "(+ 1 2)") == "3"

    async def test_a_client_that_says_nothing_keeps_nobody_out(self, runtime: Path) -> None:
        async with running_image(runtime) as record:
            silent = [await asyncio.open_connection("127.0.0.1", record.port) for _ in range(3)]
            assert await evaluate(record, "(+ 1 2)") == "3"
            for _, writer in silent:
                writer.write(b"zzzzzz not a packet")
                writer.close()
            assert await evaluate(record, "(+ 1 2)") == "3"

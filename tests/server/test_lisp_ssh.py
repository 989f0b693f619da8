"""An image on another host or in a container, reached by a command: lost and found again.

What stands for ssh here is a program that runs the command in other surroundings (`support.ssh_stand_in`).
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from descartes_core import errors
from descartes_server.operations.settings import PathPair
from support.desk import Desk, desk
from support.remote import settings, state, stock
from support.ssh_stand_in import SshStandIn
from support.sshd import running_sshd
from support.stock_swank import StockSwank
from support.until import until

__all__ = ["desk", "stock"]


@pytest.fixture
def ssh(tmp_path: Path) -> SshStandIn:
    return SshStandIn(tmp_path)


class TestSsh:
    async def test_an_image_is_started_on_a_host_and_outlives_the_connection(
        self, desk: Desk, ssh: SshStandIn, workspace: Path
    ) -> None:
        settings(
            desk, remote="me@box", ssh=[str(ssh.program)], init=False,
            paths=[PathPair(local=".", remote=str(ssh.root / "app"))],
        )  # fmt: skip
        (ssh.root / "app").mkdir()
        started = await desk.call("lisp.start")
        assert started["state"] == "ready" and started["remote"] == f"{ssh.program} me@box sbcl"
        assert started["attached"] and ssh.calls == ["me@box sbcl --script"]
        assert await desk.values("(sb-posix:getcwd)") == [f'"{ssh.root / "app"}"']
        variables = (await desk.values('(list (sb-posix:getenv "HOME") sb-ext:*posix-argv*)'))[0]
        assert str(ssh.root) in variables and str(workspace) not in variables
        stopped = await desk.call("lisp.eval", code='(restart-case (error "away") (use-value (v) v))')
        ssh.unplug()
        image = desk.context.services.image
        image.running().connection._link.abort()
        await state(desk, "lost")
        await until(lambda: len(ssh.calls) > 1, "it is tried again")
        with pytest.raises(errors.LispLost, match="reconnecting"):
            await desk.call("lisp.eval", code="1")
        ssh.unplug(plugged=True)
        assert (await state(desk, "ready"))["pid"] == started["pid"]
        await until(lambda: bool(image.debuggers.all()), "the stop is announced again")
        left = await desk.call("debugger.restart", **stopped["debugger"], name="USE-VALUE", arguments=["7"])
        assert left["evaluation"]["values"] == ["7"]
        assert (await desk.call("lisp.stop"))["state"] == "stopped"
        await until(lambda: not Path(f"/proc/{started['pid']}/fd").exists(), "the image has ended")

    async def test_an_image_that_died_there_is_started_anew(self, desk: Desk, ssh: SshStandIn) -> None:
        settings(desk, command=[str(ssh.program), "box", "sbcl"], init=False)
        pid = (await desk.call("lisp.start"))["pid"]
        os.kill(pid, signal.SIGKILL)
        image = desk.context.services.image
        await until(lambda: image.status().state == "lost" and not image.status().reconnecting, "given up")
        assert "has ended" in str((await desk.call("lisp.status"))["reason"])
        assert await desk.values("(+ 1 1)") == ["2"]
        assert (await desk.call("lisp.status"))["pid"] != pid

    async def test_a_server_on_a_host_is_reached_through_ssh(
        self, desk: Desk, ssh: SshStandIn, stock: StockSwank
    ) -> None:
        settings(desk, ssh=[str(ssh.program)])
        await desk.call("lisp.connect", host="127.0.0.1", port=stock.port, ssh="box")
        assert ssh.calls == [f"-W 127.0.0.1:{stock.port} box"]
        assert await desk.values("(+ 20 22)") == ["42"]
        flood = '(dotimes (i 20000) (format t "~a " i))'
        result = await desk.call("lisp.eval", code=flood, onStop="wait")
        assert result["outputBytes"] == len("".join(f"{i} " for i in range(20000)))

    async def test_a_container_is_the_same_mechanism(self, desk: Desk, tmp_path: Path) -> None:
        root, docker = tmp_path / "container", tmp_path / "docker"
        root.mkdir()
        docker.write_text(f'#!/bin/sh\n[ "$1 $2" = "exec -i" ] || exit 64\nshift 3\ncd {root}\nexec "$@"\n')
        docker.chmod(0o755)
        settings(desk, command=[str(docker), "exec", "-i", "app", "sbcl", "--dynamic-space-size", "700MB"])
        await desk.call("lisp.start")
        assert await desk.values("(sb-ext:dynamic-space-size)") == [str(700 * 1024 * 1024)]
        await desk.call("lisp.stop")

    @pytest.mark.parametrize(
        ("changed", "expected"),
        [
            ({"command": ["{ssh}", "box", "/no/such/sbcl"]}, "/no/such/sbcl: not found"),
            ({"remote": "box", "swank": "/no/such/swank"}, "no swank-loader.lisp on that side"),
            ({"remote": "-oProxyCommand=evil"}, "expected a host for ssh"),
            ({"remote": "box", "ssh": ["no-such-ssh"]}, "'no-such-ssh'"),
            ({"attach": "box"}, "expected lisp.attach as HOST:PORT"),
        ],
    )
    async def test_what_cannot_be_started_there_is_one_sentence(
        self, desk: Desk, ssh: SshStandIn, changed: dict[str, Any], expected: str
    ) -> None:
        given: dict[str, Any] = {"ssh": [str(ssh.program)], **changed}
        if "command" in given:
            given["command"][0] = str(ssh.program)
        settings(desk, **given)
        with pytest.raises(errors.DescartesError) as caught:
            await desk.call("lisp.start")
        message = caught.value.message
        assert expected in message and "\n" not in message and not message.endswith(".")
        assert (await desk.call("lisp.status"))["state"] == "stopped"

    async def test_a_host_out_of_reach_is_one_sentence(self, desk: Desk, ssh: SshStandIn) -> None:
        ssh.unplug()
        settings(desk, ssh=[str(ssh.program)])
        with pytest.raises(errors.LispLost, match="port 22: No route to host"):
            await desk.call("lisp.connect", host="127.0.0.1", port=4005, ssh="box")


class TestRealSsh:
    async def test_an_image_and_a_server_through_a_real_sshd(
        self, desk: Desk, stock: StockSwank, tmp_path: Path
    ) -> None:
        with running_sshd(tmp_path) as command:
            settings(desk, remote="127.0.0.1", ssh=command, init=False)
            started = await desk.call("lisp.start")
            stopped = await desk.call("lisp.eval", code='(restart-case (error "x") (use-value (v) v))')
            image = desk.context.services.image
            image.running().connection._link.abort()
            await state(desk, "lost")
            assert (await state(desk, "ready"))["pid"] == started["pid"]
            await until(lambda: bool(image.debuggers.all()), "the stop is announced again")
            left = await desk.call(
                "debugger.restart", **stopped["debugger"], name="USE-VALUE", arguments=["7"]
            )
            assert left["evaluation"]["values"] == ["7"]
            await desk.call("lisp.stop")
            await desk.call("lisp.connect", host="127.0.0.1", port=stock.port, ssh="127.0.0.1")
            assert await desk.values("(+ 1 1)") == ["2"]
            await desk.call("lisp.stop")
            with pytest.raises(errors.LispLost, match="open failed: connect failed"):
                await desk.call("lisp.connect", host="127.0.0.1", port=9, ssh="127.0.0.1")
            settings(
                desk, remote="127.0.0.1", ssh=[*command, "-o", "IdentityFile=/no/such/key", "-l", "nobody"]
            )
            with pytest.raises(errors.LispLost, match="Permission denied"):
                await desk.call("lisp.start")

"""An image elsewhere, through the doors that people use: the command line and an editor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.faults import descartes, editor
from support.stock_swank import StockSwank, own_stock_swank
from support.wire import wire_to

__all__ = ["own_stock_swank"]


async def test_the_command_line_says_it_in_one_sentence(workspace: Path) -> None:
    refused = await descartes(workspace, "lisp", "connect", "127.0.0.1", "9", "--trust")
    assert refused.status == 1
    assert refused.err.splitlines()[-1] == (
        "No Lisp answers at 127.0.0.1 port 9 (Connection refused); start one there"
    )
    option = await descartes(workspace, "lisp", "connect", "127.0.0.1", "4005", "--ssh", "-oProxyCommand=x")
    assert option.status == 1 and "expected a host for ssh" in option.err
    assert (await descartes(workspace, "lisp", "connect", "127.0.0.1", "port")).status == 2
    assert (await descartes(workspace, "hub", "stop", "--force")).status == 0


async def test_an_editor_sees_the_break_and_the_return(workspace: Path, own_stock_swank: StockSwank) -> None:
    async with editor(workspace) as client, wire_to(own_stock_swank.port) as wire:
        for params in ({"host": "127.0.0.1"}, {"host": "127.0.0.1", "port": "x"}):
            assert (await client.refused("lisp.connect", params)).data["code"] == "invalid_params"
        refused = await client.refused("lisp.connect", {"host": "127.0.0.1", "port": 9})
        assert refused.code == "lisp_lost"
        await client.execute("lisp.connect", {"host": "127.0.0.1", "port": wire.port})
        stopped = await client.execute("lisp.eval", {"code": '(restart-case (error "x") (use-value (v) v))'})
        wire.cut()

        def told(state: str) -> Any:
            return client.notification("descartes/lisp/status", lambda p: p["state"] == state, after=seen)

        seen = 0
        assert (await told("lost"))["reconnecting"]
        assert (await client.refused("lisp.eval", {"code": "1"})).code == "lisp_lost"
        seen = len(client.messages)
        wire.mend()
        await told("ready")
        await client.notification("descartes/debugger/changed", lambda p: p["debuggers"], after=seen)
        asked = {**stopped["debugger"], "name": "USE-VALUE", "arguments": ["7"]}
        left = await client.execute("debugger.restart", asked)
        assert left["evaluation"]["values"] == ["7"]
        await client.execute("hub.stop", {"force": True})


async def test_doctor_says_where_the_lisp_is(workspace: Path) -> None:
    for setting, found in (
        ('remote = "me@box"', "ssh me@box sbcl"),
        ('attach = "127.0.0.1:4005"', "127.0.0.1:4005"),
        ('command = ["ecl"]', "ecl"),
        ('attach = "nowhere"', "expected lisp.attach as HOST:PORT"),
    ):
        (workspace / "descartes.toml").write_text(f"[lisp]\n{setting}\n")
        await descartes(workspace, "trust", str(workspace))
        said = await descartes(workspace, "doctor")
        assert found in said.out

"""The tools of agents, each called by a real run: what they do, what they refuse, what they leave alone."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from descartes_core.agents.running_command import RunningCommand
from descartes_core.agents.tools import TOOLS
from descartes_core.errors import DebuggerStale
from descartes_core.ports import LispRestart, LispResult
from descartes_core.processes.identity import identify
from descartes_core.processes.kept import KeptProcess
from support.running import Bench, call
from support.until import until

Use = Callable[..., Awaitable[str]]


class FakeLisp:
    """The smallest image: it adds, and everything else stops it."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    async def evaluate(
        self, code: str, *, run: str, package: str | None = None, cause: str | None = None
    ) -> LispResult:
        self.asked.append((code, run, package))
        if code == "(+ 1 2)":
            return LispResult(evaluation="eval_1", state="done", values=["3"], output="adding\n")
        restarts = [
            LispRestart(index=0, name="USE-VALUE", description="Use another value."),
            LispRestart(index=1, name="ABORT", description="Return to the top."),
        ]
        return LispResult(
            evaluation="eval_2",
            state="stopped",
            condition="DIVISION-BY-ZERO",
            thread=7,
            level=1,
            restarts=restarts,
        )

    async def compile_definition(
        self, path: str, name: str, *, run: str, cause: str | None = None
    ) -> LispResult:
        note = {"severity": "warning", "message": "undefined variable: X"}
        return LispResult(evaluation="eval_3", state="done", notes=[note], success=False)

    async def inspect(self, expression: str, *, run: str) -> str:
        return f"{expression} is a CONS"

    async def restart(
        self,
        thread: int,
        level: int,
        *,
        run: str,
        name: str | None = None,
        index: int | None = None,
        arguments: Sequence[str] = (),
    ) -> LispResult:
        if (thread, level) != (7, 1):
            raise DebuggerStale(f"Thread {thread} is not stopped at level {level}")
        return LispResult(
            evaluation="eval_2", state="done", values=[f"{name or index} {' '.join(arguments)}"]
        )


@pytest.fixture
def lisp() -> FakeLisp:
    return FakeLisp()


@pytest.fixture
async def bench(workspace: Path, lisp: FakeLisp) -> AsyncIterator[Bench]:
    bench = await Bench.open(workspace, lisp)
    yield bench
    await bench.close()


@pytest.fixture
def use(bench: Bench) -> Use:
    async def use(tool: str, *, tool_level: str = "trusted", **arguments: Any) -> str:
        """Return what a run is told that calls TOOL: the result, or `code: message`."""
        run = await bench.spawn(call(tool, **arguments), tool_level=tool_level)
        await bench.ended(run.id)
        (_, ended) = await bench.events(run.id, "tool_use")
        error = ended.data.get("error")
        return f"{error['code']}: {error['message']}" if error else ended.data["result"]

    return use


@pytest.mark.ledger("A-12")
def test_the_schema_of_a_tool_is_its_signature() -> None:
    assert TOOLS["shell"].schema() == {
        "type": "object",
        "properties": {
            "command": {"type": "string"},
            "timeoutMs": {"type": "integer", "default": 120_000},
            "secrets": {"type": "array", "items": {"type": "string"}, "default": ()},
        },
        "required": ["command"],
        "additionalProperties": False,
    }
    expected = {
        "read": ["path", "offset", "limit"],
        "write": ["path", "content"],
        "edit": ["path", "old", "new"],
        "edit_files": ["edits"],
        "list": ["path"],
        "search": ["pattern", "path"],
        "shell": ["command", "timeoutMs", "secrets"],
        "lisp_eval": ["code", "package"],
        "lisp_compile": ["path", "name"],
        "lisp_inspect": ["expression"],
        "lisp_restart": ["thread", "level", "name", "index", "arguments"],
    }
    assert {name: list(TOOLS[name].schema()["properties"]) for name in expected} == expected
    edits = TOOLS["edit_files"].schema()["properties"]["edits"]
    assert edits["items"]["required"] == ["path", "old", "new"] and edits["items"]["type"] == "object"


async def test_read_returns_lines_by_number(use: Use, workspace: Path) -> None:
    (workspace / "é😀.lisp").write_text("1\n2\f2\n3\n4")
    assert await use("read", path="é😀.lisp") == "1\n2\f2\n3\n4"
    assert await use("read", path="é😀.lisp", offset=2, limit=2) == "2\f2\n3\n"
    assert await use("read", path="é😀.lisp", offset=4) == "4"
    assert await use("read", path="é😀.lisp", offset=9) == ""
    assert (await use("read", path="é😀.lisp", offset=0)).startswith("invalid_params: The offset and limit")


async def test_read_shows_a_long_file_in_parts_and_no_binary_one(use: Use, workspace: Path) -> None:
    (workspace / "long").write_text("0123456789\n" * 10_000)
    shown = await use("read", path="long")
    assert len(shown) < 70_000 and shown.endswith("more characters; use offset and limit)")
    (workspace / "core").write_bytes(b"\x7fELF\0\0")
    assert "binary" in await use("read", path="core")
    assert "folder; use list" in await use("read", path=".")
    assert (await use("read", path="none")).startswith("not_found: ")


@pytest.mark.ledger("P-20")
@pytest.mark.parametrize("tool", ["read", "write", "edit", "list", "search"])
@pytest.mark.parametrize(
    "path", ["../secret", "/etc/passwd", "link", "folder/secret", "a/../../secret", "loop/x"]
)
async def test_no_tool_leaves_the_workspace(use: Use, workspace: Path, tool: str, path: str) -> None:
    secret = workspace.parent / "secret"
    secret.write_text("root")
    (workspace / "link").symlink_to(secret)
    (workspace / "folder").symlink_to(workspace.parent)
    (workspace / "loop").symlink_to("loop")
    more = {"write": {"content": "x"}, "edit": {"old": "root", "new": "x"}, "search": {"pattern": "root"}}
    told = await use(tool, path=path, **more.get(tool, {}))
    assert told.startswith("policy_denied: ")
    assert secret.read_text() == "root"


async def test_a_link_inside_the_workspace_is_followed_and_stays_a_link(use: Use, workspace: Path) -> None:
    (workspace / "real").write_text("old")
    (workspace / "link").symlink_to("real")
    await use("edit", path="link", old="old", new="new")
    assert (workspace / "link").is_symlink()
    assert (workspace / "real").read_text() == "new"


@pytest.mark.parametrize(
    "path", [".descartes/descartes.db", ".git/hooks/pre-commit", "lib/.git/hooks/x", "lib/.Git", "folder"]
)
async def test_what_is_not_for_tools_is_not_written(use: Use, workspace: Path, path: str) -> None:
    (workspace / "folder").mkdir()
    assert (await use("write", path=path, content="x")).startswith("policy_denied: ")
    assert not (workspace / ".git").exists()


async def test_a_write_keeps_mode_line_ends_and_encoding(use: Use, workspace: Path) -> None:
    file = workspace / "a.lisp"
    file.write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n")
    file.chmod(0o755)
    await use("edit", path="a.lisp", old="two\n", new="zwei\ndrei\n")
    assert file.read_bytes() == b"\xef\xbb\xbfone\r\nzwei\r\ndrei\r\n"
    await use("write", path="a.lisp", content="eins\nzwei\n")
    assert file.read_bytes() == b"\xef\xbb\xbfeins\r\nzwei\r\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o755
    file.write_bytes("na\xefve\n".encode("latin-1"))
    await use("edit", path="a.lisp", old="ve", new="\xe9")
    assert file.read_bytes() == "na\xef\xe9\n".encode("latin-1")
    assert sorted(each.name for each in workspace.glob(".*.part")) == []


async def test_a_new_file_gets_its_folders_and_the_usual_mode(use: Use, workspace: Path) -> None:
    await use("write", path="src/deep/a.lisp", content="x\r\n")
    file = workspace / "src/deep/a.lisp"
    assert file.read_bytes() == b"x\r\n"
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(file.stat().st_mode) == 0o666 & ~mask


async def test_edit_changes_exactly_one_place(use: Use, workspace: Path) -> None:
    (workspace / "a").write_text("x y x")
    assert "occurs 2 times; give more" in await use("edit", path="a", old="x", new="z")
    assert "occurs 0 times; read the file again" in await use("edit", path="a", old="q", new="z")
    assert "occurs 0 times" in await use("edit", path="a", old="", new="z")
    assert "write makes a new file" in await use("edit", path="b", old="x", new="z")
    assert (workspace / "a").read_text() == "x y x"
    assert await use("edit", path="a", old="x y", new="z") == "replaced 1 place in a"
    assert (workspace / "a").read_text() == "z x"


async def test_a_write_that_cannot_be_done_says_why(use: Use, workspace: Path) -> None:
    (workspace / "a").write_text("x")
    assert (await use("write", path="a/b", content="x")).startswith("invalid_params: write failed: ")


async def test_list_and_search(use: Use, workspace: Path) -> None:
    (workspace / "src").mkdir()
    (workspace / "src/a.lisp").write_text("(defun f ())\n(defun g ())\n")
    (workspace / "bin").write_bytes(b"\0defun")
    (workspace / "out").symlink_to("/etc/passwd")
    assert (await use("list")).split() == [".descartes/", "bin", "out", "script1.jsonl", "src/"]
    assert await use("list", path="src") == "a.lisp"
    assert "use read" in await use("list", path="bin")
    found = await use("search", pattern=r"\(defun \w", path="src")
    assert found == "src/a.lisp:1: (defun f ())\nsrc/a.lisp:2: (defun g ())"
    assert await use("search", pattern="r[o]ot:", path=".") == "no match"
    assert "not a regular expression" in await use("search", pattern="(")


async def test_a_pattern_without_end_holds_nobody_up(
    use: Use, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("descartes_core.agents.tools.files.SEARCH_SECONDS", 0.3)
    (workspace / "a").write_text("a" * 40 + "!")
    assert (await use("search", pattern="(a+)+$")).startswith("timeout: ")


async def test_shell_returns_output_and_exit_code(use: Use) -> None:
    assert await use("shell", command="echo out; echo err >&2; exit 3") == "out\nerr\n(exit code 3)"
    assert await use("shell", command="true") == "(exit code 0)"
    assert await use("shell", command="cat") == "(exit code 0)", "there is no input"
    assert (await use("shell", command="true", timeoutMs=0)).startswith("invalid_params: ")


async def test_shell_ends_the_whole_group_when_the_time_is_over(
    use: Use, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[asyncio.Timeout] = []

    class Watched(RunningCommand):
        def __init__(self, kept: KeptProcess, limit: asyncio.Timeout) -> None:
            super().__init__(kept, limit)
            limits.append(limit)

    monkeypatch.setattr("descartes_core.agents.hands.RunningCommand", Watched)
    pid_file = workspace / "pids"
    command = "echo begun; sleep 60 & echo $! $$ > pids; wait"
    using = asyncio.ensure_future(use("shell", command=command, timeoutMs=600_000))
    await until(lambda: bool(limits) and pid_file.exists() and "\n" in pid_file.read_text(), "it runs")
    limits[0].reschedule(asyncio.get_running_loop().time())
    told = await using
    assert told.startswith("timeout: The command was ended after 600000 ms") and told.endswith("begun")
    pids = [int(word) for word in pid_file.read_text().split()]
    await until(lambda: not any(map(identify, pids)), "all of the group are gone")


async def test_long_output_of_a_command_is_cut_in_the_middle_and_kept_whole(
    use: Use, workspace: Path
) -> None:
    told = await use("shell", command="echo first; seq 100000; echo last")
    assert len(told) < 70_000
    assert told.startswith("first\n1\n") and told.endswith("last\n(exit code 0)")
    (kept,) = (workspace / ".descartes/output").glob("*/call_1_1.txt")
    assert f"all of it is in {kept}" in told
    assert len(kept.read_text().splitlines()) == 100_002


async def test_lisp_tools_say_all_that_is_needed_to_go_on(use: Use, lisp: FakeLisp, workspace: Path) -> None:
    assert await use("lisp_eval", code="(+ 1 2)", package="FOO") == "adding\n=> 3"
    assert (lisp.asked[0][0], lisp.asked[0][2]) == ("(+ 1 2)", "FOO")
    assert await use("lisp_eval", code="(/ 1 0)") == (
        "stopped in the debugger, thread 7 level 1: DIVISION-BY-ZERO\n"
        "  0: USE-VALUE - Use another value.\n"
        "  1: ABORT - Return to the top.\n"
        "leave it with lisp_restart"
    )
    assert await use("lisp_restart", thread=7, level=1, name="USE-VALUE", arguments=["5"]) == "=> USE-VALUE 5"
    assert await use("lisp_restart", thread=7, level=1, index=1) == "=> 1 "
    assert (await use("lisp_restart", thread=8, level=1, index=1)).startswith("debugger_stale: ")
    assert (await use("lisp_restart", thread=7, level=1)).startswith("invalid_params: ")
    (workspace / "a.lisp").write_text("(defun f () x)")
    assert (
        await use("lisp_compile", path="a.lisp", name="f")
        == "warning: undefined variable: X\ncompilation failed"
    )
    assert await use("lisp_inspect", expression="'(1)") == "'(1) is a CONS"


async def test_without_an_image_lisp_tools_say_how_to_get_one(workspace: Path) -> None:
    bench = await Bench.open(workspace)
    run = await bench.spawn(call("lisp_inspect", expression="1"))
    await bench.ended(run.id)
    (_, ended) = await bench.events(run.id, "tool_use")
    assert ended.data["error"]["code"] == "lisp_not_running"
    assert "descartes lisp start" in ended.data["error"]["message"]
    await bench.close()


@pytest.mark.ledger("D-76")
async def test_a_lisp_developer_has_no_write_and_no_edit(use: Use, bench: Bench, workspace: Path) -> None:
    for tool, arguments in (("write", {"content": "x"}), ("edit", {"old": "a", "new": "b"})):
        told = await use(tool, path="a", tool_level="lisp-developer", **arguments)
        assert told.startswith("policy_denied: ") and "lisp-developer" in told
    assert not (workspace / "a").exists()
    assert await bench.leases.list() == []
    run = await bench.spawn(call("lisp_eval", code="(+ 1 2)"), tool_level="lisp-developer")
    assert (await bench.question(run.id)).title == "lisp_eval (+ 1 2)"

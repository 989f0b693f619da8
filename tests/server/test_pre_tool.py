"""`descartes hook pre-tool`: what another program's agent may not write, and what it is told."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descartes_core.leases import Leases
from descartes_core.leases.shell_writes import written
from descartes_core.model import Event, LeaseMode, Principal
from descartes_core.store import EventQuery, Reader, Store
from descartes_server.operations import pre_tool

Descartes = Callable[..., Awaitable[Any]]
FIXER = Principal(kind="agent", id="fixer", name="fixer")
ANN = Principal(kind="human", id="ann", name="Ann")
SHAPES = "(defun area (s) s)\n\n(defun perimeter (s) s)\n"


@pytest.fixture(autouse=True)
def ann(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ann")
    for name in ("DESCARTES_HOLDER", "DESCARTES_GUARD"):
        monkeypatch.delenv(name, raising=False)


def hold(folder: Path, path: str, holder: Principal = FIXER, mode: LeaseMode = "exclusive") -> None:
    asyncio.run(_hold(folder, path, holder, mode))


async def _hold(folder: Path, path: str, holder: Principal, mode: LeaseMode) -> None:
    store = await Store.open(folder / ".descartes" / "descartes.db")
    leases = Leases(store, folder)
    await leases.acquire(path, holder, mode=mode, reason="tidying")
    await leases.close()
    await store.close()


def call(folder: Path, tool: str, **given: Any) -> str:
    """Return what Claude Code sends before it uses TOOL."""
    return json.dumps(
        {
            "session_id": "s1",
            "transcript_path": "/somewhere/t.jsonl",
            "cwd": str(folder),
            "permission_mode": "default",
            "hook_event_name": "PreToolUse",
            "tool_name": tool,
            "tool_input": given,
        }
    )


async def refusals(folder: Path) -> Sequence[Event]:
    reader = await Reader.open(folder / ".descartes" / "descartes.db")
    found = (await reader.events(EventQuery(type="guard.refused"))).events
    await reader.close()
    return found


def denied(asked: str, **environment: str) -> str:
    """Return the reason for which the call ASKED is denied, empty when nothing is decided."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        answer = pre_tool.answer_to(asked.encode())
    if answer is None:
        return ""
    output = answer["hookSpecificOutput"]
    assert (output["hookEventName"], output["permissionDecision"]) == ("PreToolUse", "deny")
    return str(output["permissionDecisionReason"])


def test_what_another_holds_is_denied_with_the_holder(workspace: Path) -> None:
    hold(workspace, "a.txt")
    file = workspace / "a.txt"
    reason = denied(call(workspace, "Write", file_path=str(file), content="x"))
    assert "a.txt  held by fixer (agent) for 'tidying' until" in reason
    assert "descartes lease request a.txt" in reason
    for tool, arguments in (
        ("Edit", {"file_path": str(file), "old_string": "a", "new_string": "b"}),
        ("MultiEdit", {"file_path": str(file), "edits": []}),
        ("NotebookEdit", {"notebook_path": str(file)}),
        ("Bash", {"command": "echo x >> a.txt"}),
        ("mcp__files__move_file", {"source": "a.txt", "destination": "b.txt"}),
    ):
        assert "fixer" in denied(call(workspace, tool, **arguments)), tool
    found = asyncio.run(refusals(workspace))
    assert [(e.actor.id, e.data["hook"], e.data["paths"]) for e in found] == [
        ("s1", "pre-tool", ["a.txt"])
    ] * 6


async def test_the_program_answers_as_the_hook_expects(workspace: Path, descartes: Descartes) -> None:
    await descartes("lease", "acquire", "a.txt", "--holder", "agent:fixer")
    done = await descartes("hook", "pre-tool", stdin=call(workspace, "Write", file_path="a.txt", content=""))
    assert (done.status, done.err) == (0, "")
    output = json.loads(done.out)["hookSpecificOutput"]
    assert output["permissionDecision"] == "deny" and "fixer" in output["permissionDecisionReason"]
    done = await descartes("hook", "pre-tool", stdin=call(workspace, "Read", file_path="a.txt"))
    assert (done.status, done.out, done.err) == (0, "", "")


def test_nothing_is_decided_about_anything_else(workspace: Path) -> None:
    hold(workspace, "a.txt")
    for asked in (
        call(workspace, "Read", file_path=str(workspace / "a.txt")),
        call(workspace, "Write", file_path="b.txt", content=""),
        call(workspace, "Bash", command="cat a.txt | wc -l 2>&1"),
        call(workspace, "Write"),
        call(workspace, "Bash", command=None),
    ):
        assert denied(asked) == ""
    assert denied(call(workspace, "Write", file_path="a.txt"), DESCARTES_HOLDER="agent:fixer") == ""
    assert denied(call(workspace, "Write", file_path="a.txt"), DESCARTES_GUARD="off") == ""


def test_what_the_person_types_is_not_the_agent_s(workspace: Path) -> None:
    """The agent runs as the person's own process, and is not the person."""
    hold(workspace, "a.txt", ANN, "intent")
    assert "Ann (human)" in denied(call(workspace, "Write", file_path="a.txt"))


def test_beside_a_leased_form_there_is_room(workspace: Path) -> None:
    (workspace / "s.lisp").write_text(SHAPES)
    hold(workspace, "s.lisp#area")
    place = {"file_path": "s.lisp"}
    other = call(workspace, "Edit", **place, old_string="perimeter (s) s", new_string="perimeter (s) 4")
    assert denied(other) == ""
    same = call(workspace, "Edit", **place, old_string="area (s) s", new_string="area (s) 4")
    assert "the form area" in denied(same)
    assert "the form area" in denied(call(workspace, "Write", **place, content=""))
    both = [
        {"old_string": "perimeter (s) s", "new_string": "p () 1"},
        {"old_string": "area", "new_string": "b"},
    ]
    assert "the form area" in denied(call(workspace, "MultiEdit", **place, edits=both))


@pytest.mark.parametrize(
    "said",
    ["", "nonsense", "[]", "{}", '{"tool_name": 3}', '{"tool_name": "Edit", "tool_input": []}', "\xff"],
)
async def test_what_cannot_be_read_blocks_nothing(descartes: Descartes, said: str) -> None:
    done = await descartes("hook", "pre-tool", stdin=said)
    assert (done.status, done.out) == (1, "")
    assert done.err.count("\n") == 1 and "expected one JSON object" in done.err


async def test_other_mistakes_block_nothing_either(workspace: Path, descartes: Descartes) -> None:
    bad = await descartes("hook", "pre-tool", stdin=call(workspace, "Write", file_path="a\0b"))
    assert bad.status == 1 and "Traceback" not in bad.err
    bad = await descartes(
        "hook", "pre-tool", stdin=call(workspace, "Write", file_path="a"), DESCARTES_HOLDER="x"
    )
    assert bad.status == 1 and "DESCARTES_HOLDER" in bad.err
    assert (await descartes("hook", "pre-tool", "--nonsense")).status == 1


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("echo hi > a; cat b", ["a"]),
        ("echo hi >>a 2>err", ["a", "err"]),
        ("make 2>&1 | tee log | wc", ["log"]),
        ("cmd &> all < in", ["all"]),
        ("rm -rf a 'b c' && mv d e", ["a", "b c", "d", "e"]),
        ("mv a b sub", ["a", "b", "sub/a", "sub/b"]),
        ("cp x/a sub/", ["sub/a"]),
        ("sed -i.bak 's/a/b/' f g", ["f", "g"]),
        ("sed --in-place -e s/a/b/ f", ["f"]),
        ("sed s/a/b/ f", []),
        ("perl -pi -e 's/a/b/' x.lisp", ["x.lisp"]),
        ("cd sub && touch a; cd ..; truncate -s 0 b", ["b", "sub/a"]),
        ("FOO=1 sudo dd if=a of=b", ["b"]),
        ("bash -c 'rm a' ; rm -- -b", ["-b", "a"]),
        ("git checkout -- x.lisp && git mv p q && git rm x.lisp", ["p", "q", "x.lisp"]),
        ("cat > f <<'EOF'\nit's > not a file\nrm x\nEOF\nrm g", ["f", "g"]),
        ("rm *.lisp", ["x.lisp"]),
        ("echo 'a > b' # > c", []),
        ("if true; then rm a; fi", ["a"]),
        ("(cd sub; rm a)", ["sub/a"]),
        ("rm \\\n  a", ["a"]),
        ("echo 'never closed", []),
        ("", []),
    ],
)
def test_what_a_shell_command_plainly_writes(workspace: Path, command: str, expected: list[str]) -> None:
    (workspace / "sub").mkdir()
    (workspace / "x.lisp").touch()
    found = [Path(*each.parts[len(workspace.parts) :]) for each in written(command, workspace)]
    assert [str(each) for each in found if each.parts] == [str(Path(each)) for each in expected]


@given(st.text())
@settings(max_examples=50)
def test_any_command_is_read_to_its_end(command: str) -> None:
    assert all(path.is_absolute() for path in written(command, Path("/w")))


WORDS = ("rm", "cp", "cd", "sed -i s/a/b/", "tee", ">", ";", "~nobody/x", "~", "a\0", "\ud800/*", "*", "/")


@given(st.lists(st.sampled_from(WORDS), max_size=6))
@settings(max_examples=100)
def test_what_a_command_names_is_a_name_that_a_file_can_have(words: list[str]) -> None:
    for path in written(" ".join(words), Path("/nowhere")) + written("cd \ud800; rm b", Path("/w")):
        assert os.path.realpath(path)

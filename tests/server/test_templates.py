"""Where expressions are used: tasks, templates, rules of the policy, and texts in settings files."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from descartes_server.operations.workspace import Workspace

Descartes = Any
Spawn = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
async def spawn(descartes: Descartes, here: Workspace) -> Spawn:
    """Return a function that spawns a run that does nothing, and returns it."""
    (here.root / "none.jsonl").write_text('{"text": "done"}\n')
    await descartes("trust")

    async def run(*words: str) -> dict[str, Any]:
        done = await descartes("spawn", "--model", "scripted:none.jsonl", "--json", "--wait", *words)
        assert done.status == 0, done.err
        found: dict[str, Any] = json.loads(done.out)
        return found

    return run


@pytest.mark.ledger("D-83")
async def test_a_task_knows_where_it_is(spawn: Spawn, descartes: Descartes, here: Workspace) -> None:
    who = ("-c", "user.name=t", "-c", "user.email=t@t")
    subprocess.run(["git", "init", "-q", "-b", "trunk"], cwd=here.root, check=True)
    subprocess.run(["git", *who, "commit", "-q", "--allow-empty", "-m", "x"], cwd=here.root, check=True)
    text = "Fix ${workspace.name} on ${git.branch | upper} as ${agent.name}, not $${HOME}"
    run = await spawn("--task", text, "--agent", "fixer")
    assert run["task"] == f"Fix {here.root.name} on TRUNK as fixer, not ${{HOME}}"
    assert (await spawn("--task", "100 $ {as} it $is"))["task"] == "100 $ {as} it $is"
    wrong = await descartes("spawn", "--task", "on ${git.brunch}", "--model", "scripted:none.jsonl")
    assert (wrong.status, wrong.out) == (1, "")
    assert "git has no 'brunch'; did you mean 'branch'" in wrong.err
    assert "column 10" in wrong.err
    assert len(json.loads((await descartes("run", "list", "--json")).out)["runs"]) == 2


async def test_what_a_command_has_of_its_shell_is_left_to_it(descartes: Descartes, here: Workspace) -> None:
    await descartes("trust")
    done = await descartes("spawn", "--wait", "--json", "--", "sh", "-c", "A=b; echo ${A}")
    assert json.loads(done.out)["task"] == "sh -c A=b; echo ${A}"


@pytest.mark.ledger("D-83")
async def test_a_template_is_filled(
    spawn: Spawn, descartes: Descartes, here: Workspace, isolated_environment: Path
) -> None:
    own = isolated_environment / "home" / "templates"
    own.mkdir(parents=True)
    (own / "review.md").write_text("Mine: ${task}")
    (here.root / "templates").mkdir()
    text = (
        'Review ${files | join(" and ")}.\n${if strict == "yes" then "Be strict." else "Be kind."} ${task}\n'
    )
    (here.root / "templates" / "look.md").write_text(text)
    run = await spawn("--template", "look", "--task", "Soon", "--value", "strict=yes", "--file", "a.lisp")
    assert run["task"] == f"Review {here.root / 'a.lisp'}.\nBe strict. Soon\n"
    assert (await spawn("--template", "templates/look.md", "--value", "strict="))["task"].endswith("kind. \n")
    assert (await spawn("--template", "review", "--task", "it"))["task"] == "Mine: it"
    for words, said in (
        (["--template", "nope"], "there is no template 'nope'"),
        (["--template", "../../home/templates/review.md"], "there is no template"),
        (["--template", "look"], "there is no name 'strict'"),
        (["--template", "look", "--value", "git=x"], "names of their own"),
    ):
        wrong = await descartes("spawn", "--model", "scripted:none.jsonl", *words)
        assert wrong.status != 0 and said in wrong.err, wrong


@pytest.mark.ledger("D-83")
async def test_rules_of_the_settings_decide_about_calls(descartes: Descartes, here: Workspace) -> None:
    (here.root / "descartes.toml").write_text(
        """
[[policy.rules]]
when = "tool.name == 'write' && tool.args.path contains 'secret'"
then = "deny"
reason = "secrets stay as they are"

[[policy.rules]]
when = "tool.name == 'write' && run.agent == 'clerk'"
then = "allow"
"""
    )
    paths = ["secret.txt", "plain.txt", "descartes.toml"]
    calls = [{"name": "write", "arguments": {"path": path, "content": "x"}} for path in paths]
    (here.root / "w.jsonl").write_text("".join(json.dumps({"toolCalls": [call]}) + "\n" for call in calls))
    await descartes("trust")
    run = json.loads(
        (
            await descartes(
                "spawn", "--task", "t", "--agent", "clerk", "--model", "scripted:w.jsonl", "--json"
            )
        ).out
    )
    async with asyncio.timeout(60):
        while not (questions := json.loads((await descartes("intervention", "list", "--json")).out))[
            "interventions"
        ]:
            pass
    # Only the settings themselves are asked about: whoever may write them could allow itself everything.
    (question,) = questions["interventions"]
    assert "descartes.toml" in question["title"] + question["detail"]
    assert (here.root / "plain.txt").read_text() == "x"
    assert not (here.root / "secret.txt").exists()
    failed = json.loads((await descartes("history", run["id"], "--type", "tool.failed", "--json")).out)
    assert "secrets stay as they are" in failed["events"][0]["data"]["error"]["message"]
    await descartes("run", "kill", run["id"])


async def test_a_rule_that_makes_no_sense_is_marked_and_asks(descartes: Descartes, here: Workspace) -> None:
    file = here.root / "descartes.toml"
    file.write_text(
        '[policy]\nrules = [{when = "tool.nam == 1", then = "allow"}, {when = "tool ==", then = "ask"}]\n'
    )
    await descartes("trust")
    shown = await descartes("config", "show")
    assert shown.status == 1
    lines = [line.removeprefix(f"{file}:") for line in shown.err.splitlines()]
    assert lines[0].startswith("2:11: this rule asks for every call until it is put right: tool has no 'nam'")
    assert lines[1].startswith("2:")
    (here.root / "w.jsonl").write_text(
        json.dumps({"toolCalls": [{"name": "list", "arguments": {"path": "."}}]})
    )
    await descartes("spawn", "--task", "t", "--model", "scripted:w.jsonl")
    async with asyncio.timeout(60):
        while "cannot be decided" not in (await descartes("intervention", "list", "--json")).out:
            pass


@pytest.mark.ledger("D-83")
async def test_texts_in_settings_files_are_filled(descartes: Descartes, here: Workspace) -> None:
    file = here.root / "descartes.toml"
    file.write_text('[hover]\nhyperspec = "${env.WHERE}/$${x}/${workspace.name | upper}"\n')
    refused = await descartes("config", "show", "hover.hyperspec", WHERE="/doc")
    assert refused.status == 1
    assert "reads no environment" in refused.err and f"{file}:2:1: there is no name 'env'" in refused.err
    await descartes("trust")
    shown = await descartes("config", "show", "hover.hyperspec", WHERE="/doc")
    assert shown.out == f'hover.hyperspec\t"/doc/${{x}}/{here.root.name.upper()}"\n'
    assert "WHERE" in (await descartes("config", "show")).err


async def test_a_provider_names_a_model_and_its_key_is_never_shown(
    descartes: Descartes, here: Workspace, isolated_environment: Path
) -> None:
    (here.root / "m.jsonl").write_text('{"text": "the key is Qm7-not-a-known-look-91"}\n')
    text = '[providers.local]\nmodel = "scripted:m.jsonl"\napiKey = "${env.A_KEY}"\n'
    text += "[providers.off]\nenabled = false\n"
    (isolated_environment / "home").mkdir(exist_ok=True)
    (isolated_environment / "home" / "config.toml").write_text(text)
    await descartes("trust")
    key = "Qm7-not-a-known-look-91"
    done = await descartes("spawn", "--task", "t", "--model", "local", "--wait", A_KEY=key)
    assert done.status == 0
    assert key not in (await descartes("config", "show", A_KEY=key)).out
    assert "‹secret:providers.local›" in (await descartes("history", "list", "--json")).out
    assert key not in (await descartes("history", "list", "--json")).out
    off = await descartes("spawn", "--task", "t", "--model", "off")
    assert "is switched off" in off.err

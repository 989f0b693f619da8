"""The program `descartes` as a person and as a script uses it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from descartes_server.cli.main import descartes as program
from descartes_server.hub import record
from descartes_server.operations import registry
from descartes_server.operations.workspace import Workspace

Descartes = Callable[..., Awaitable[Any]]


def stable(text: str) -> str:
    """Return TEXT with what differs from run to run replaced."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", text)
    text = re.sub(r"\b(evt|run|int|ses)_[0-9a-f]{32}", r"\1_ID", text)
    return re.sub(r"until \d\d:\d\d \(in \d+ s\)", "until HH:MM (in N s)", text)


@pytest.fixture(autouse=True)
def a_name_in_git(isolated_environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = isolated_environment / "gitconfig"
    config.write_text("[user]\n\tname = Ann Lisper\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("LOGNAME", "ann")


@pytest.mark.ledger("D-50")
async def test_leases_from_a_terminal(descartes: Descartes) -> None:
    taken = await descartes("lease", "acquire", "src/a.lisp", "--reason", "tidying", "--ttl-seconds", "60")
    assert (taken.status, stable(taken.out)) == (
        0,
        snapshot("src/a.lisp\thuman:Ann Lisper\texclusive\t1\tTIME\ttidying\n"),
    )
    held = await descartes("lease", "acquire", "--path", "src/a.lisp", "--holder", "agent:fixer")
    assert (held.status, stable(held.err)) == (
        1,
        snapshot(
            "Somebody else holds 'src/a.lisp': Ann Lisper (human) for 'tidying' until HH:MM (in N s); "
            "wait, ask for it or take it over\n"
        ),
    )
    stolen = await descartes("lease", "steal", "src/a.lisp", "--holder", "agent:fixer", "--json")
    assert json.loads(stolen.out)["token"] == 2
    shown = await descartes("lease", "show", "src/a.lisp")
    assert stable(shown.out) == snapshot("src/a.lisp\tagent:fixer\texclusive\t2\tTIME\t\n")
    refused = await descartes("lease", "release", "src/a.lisp")
    assert refused.status == 1 and "fixer" in refused.err
    wrong = await descartes("lease", "acquire", "b", "--max-renewals", "-1")
    assert (wrong.status, wrong.err) == (
        1,
        "expected `maxRenewals` of 0 or more, got -1; leave it out for any number\n",
    )
    assert (await descartes("lease", "release", "src/a.lisp", "--force")).status == 0
    assert json.loads((await descartes("lease", "list", "--json")).out) == {"leases": []}


async def test_a_path_is_taken_from_the_folder_one_is_in(descartes: Descartes, here: Workspace) -> None:
    folder = here.root / "src"
    folder.mkdir()
    (here.root / "descartes.toml").touch()
    await descartes("lease", "acquire", "a.lisp", cwd=folder)
    assert (await descartes("lease", "list")).out.startswith("src/a.lisp\t")


@pytest.mark.ledger("D-12")
@pytest.mark.ledger("D-09")
async def test_history_of_everything_and_of_a_run(descartes: Descartes) -> None:
    spawned = await descartes(
        *("spawn", "--trust", "--task", "say it", "--agent", "echoer", "--wait", "--json", "--", "echo", "hi")
    )
    run = json.loads(spawned.out)
    assert (spawned.status, run["status"], spawned.err) == (0, "completed", "hi\n")
    for prefix in (run["id"], run["id"][:12], run["id"][4:12]):
        listed = await descartes("history", prefix, "--type", "run.status")
        lines = [line.split("\t") for line in listed.out.splitlines()]
        assert [line[-1] for line in lines] == snapshot(
            ["running → completed", "initializing → running", "idle → initializing"]
        )
    event = lines[0][1]
    shown = json.loads((await descartes("history", run["id"], "--event", event[4:14], "--json")).out)
    assert (shown["id"], shown["run"], shown["name"]) == (event, run["id"], "run.status")
    everything = await descartes("history", "--type", "hub")
    assert [line.split("\t")[4] for line in everything.out.splitlines()] == ["hub.started"]
    assert (await descartes("history", "verify")).status == 0
    assert (await descartes("hub", "stop")).status == 0
    everything = await descartes("history", "--type", "hub")
    assert [line.split("\t")[4] for line in everything.out.splitlines()] == ["hub.stopped", "hub.started"]

    told = await descartes("history", run["id"][:12], "--type", "run.s")
    assert re.sub(r"(?m)^\d+", "N", stable(told.out)) == snapshot("""\
N	evt_ID	TIME	state_change	run.status	agent:echoer	running → completed
N	evt_ID	TIME	state_change	run.status	agent:echoer	initializing → running
N	evt_ID	TIME	state_change	run.status	human:Ann Lisper	idle → initializing
N	evt_ID	TIME	system	run.spawned	human:Ann Lisper	say it
""")
    one = await descartes("history", "--event", event)
    assert re.sub(r"\d+(?=$| run)", "N", stable(one.out), flags=re.M) == snapshot("""\
id	evt_ID
seq	N
at	TIME
category	state_change
name	run.status
actor	{"kind":"agent","id":"run_ID","name":"echoer","via":null}
run	run_ID
session	ses_ID
agent	echoer
parent	evt_ID
correlation	run_ID
data	{"from":"running","to":"completed","event":"complete","exitCode":0}
parents	N run.spawned say it
""")
    unknown = await descartes("history", "ffffffff")
    assert (unknown.status, unknown.out) == (2, "")
    assert unknown.err.startswith("No run has an id that begins with 'ffffffff'")
    assert (await descartes("history", "show", "ffffffff")).status == 2


async def test_history_follows_over_the_end_of_a_hub(descartes: Descartes, here: Workspace) -> None:
    await descartes("lease", "acquire", "before.lisp")
    now = datetime.now(UTC).isoformat()
    # Nothing is there since then, and what was before is not shown.
    words = ("history", "--follow", "--type", "lease", "--json", "--since", now)
    follower = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "descartes_server", *words),
        cwd=here.root,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert follower.stdout is not None and follower.stderr is not None
    async with asyncio.timeout(60):
        await descartes("lease", "acquire", "a.lisp")
        first = json.loads(await follower.stdout.readline())
        await descartes("hub", "stop")
        await descartes("lease", "release", "a.lisp")
        second = json.loads(await follower.stdout.readline())
        follower.send_signal(signal.SIGINT)
        assert await follower.wait() == 130
    assert (first["name"], first["data"]["path"]) == ("lease.acquired", "a.lisp")
    assert second["name"] == "lease.released"
    assert (await follower.stderr.read()).strip() == b""


async def test_spawn_waits_and_exits_with_the_commands_code(descartes: Descartes) -> None:
    outcome = await descartes(
        "spawn", "--trust", "--tag", "nightly", "--wait", "--", "sh", "-c", "echo out; echo err >&2; exit 3"
    )
    assert (outcome.status, outcome.out) == (3, "out\n")
    assert "err\n" in outcome.err
    listed = (await descartes("run", "list")).out.split("\t")
    assert listed[1] == "failed"
    printed = await descartes("run", "output", listed[0][4:12], "--stream", "stderr")
    assert printed.out == "err\n\n"
    tagged = json.loads((await descartes("history", "list", "--tags", "nightly", "--json")).out)["events"]
    of_run = json.loads((await descartes("history", "list", "--run", listed[0], "--json")).out)["events"]
    assert tagged == of_run, "snapshots too"
    assert {"run.spawned", "body.snapshot"} <= {each["name"] for each in tagged}


async def test_nothing_starts_in_a_folder_that_is_not_trusted(descartes: Descartes, here: Workspace) -> None:
    for words in (["spawn", "--", "echo", "hi"], ["lisp", "start"], ["lisp", "eval"], ["lisp", "eval", "1"]):
        refused = await descartes(*words)
        if refused.status != 2:
            assert refused.status == 1
            assert "is not trusted; run `descartes trust` there first" in refused.err
    assert record.read(here) is None, "a hub is not started for what would be refused"
    assert (await descartes("lease", "acquire", "a.lisp")).status == 0
    (here.root / "descartes.toml").write_text("[trust]\ntrusted = true\n")
    assert (await descartes("run", "spawn", "x", "--command", "true")).status == 1


async def test_trust_is_listed_given_and_taken_back(descartes: Descartes, here: Workspace) -> None:
    assert (await descartes("trust", "--list")).out == ""
    assert (await descartes("trust")).status == 0
    assert (await descartes("trust", "--list")).out == f"{here.root}\n"
    assert (await descartes("spawn", "--wait", "--", "echo", "hi")).out == "hi\n"
    assert (await descartes("trust", "--remove")).status == 0
    assert (await descartes("trust", "--remove")).status == 2
    agent = await descartes("trust", DESCARTES_RUN="run_1", DESCARTES_RUN_TOKEN="t")
    assert agent.status == 1 and "for a person" in agent.err


async def test_a_child_of_a_run_acts_as_that_run(descartes: Descartes) -> None:
    me = [sys.executable, "-m", "descartes_server"]
    script = f"{' '.join(me)} lease acquire a.lisp --holder human:ann; {' '.join(me)} lease acquire a.lisp"
    spawned = await descartes("spawn", "--trust", "--agent", "fixer", "--wait", "--", "sh", "-c", script)
    assert spawned.out.startswith("a.lisp\tagent:fixer\t")
    assert "may do its own" in spawned.err


async def test_exit_codes_and_sentences(descartes: Descartes, isolated_environment: Path) -> None:
    for words, status, sentence in (
        (["lease", "acquire"], 1, "expected `path` or `uri`, got neither; name the file"),
        (["lease", "acquire", "a", "--ttl-seconds", "x"], 2, "'x' is not a valid float"),
        (["lease", "acquire", "a", "--holder", "bob"], 1, "expected a holder as KIND:NAME"),
        (["lease", "renew", "a"], 2, "has no lease on 'a' to renew"),
        (["run", "show"], 2, "run.show needs RUN (or --run)"),
        (["run", "show", "ffff"], 2, "No run has an id that begins with 'ffff'"),
        (["nonsense"], 2, "No such command 'nonsense'"),
        (["lisp", "eval-form", "--uri", "a", "--position", "0:1", "--trust"], 2, "expected LINE:COLUMN"),
    ):
        outcome = await descartes(*words)
        assert (outcome.status, outcome.out) == (status, ""), words
        assert sentence in outcome.err, words
        assert "Traceback" not in outcome.err


async def test_a_mistake_of_ours_is_told_with_the_place_of_its_log(
    descartes: Descartes, isolated_environment: Path
) -> None:
    home = isolated_environment / "home"
    home.mkdir()
    (home / "trusted.json").mkdir()
    outcome = await descartes("trust")
    place = home / "log" / "cli.log"
    assert outcome.status == 1
    assert outcome.err == f"This is a mistake in Descartes; {str(place)!r} says what happened\n"
    assert "Traceback" in place.read_text()


async def test_an_ambiguous_id_names_candidates(descartes: Descartes) -> None:
    for _ in range(17):
        await descartes("lease", "acquire", "a.lisp")
    events = json.loads((await descartes("history", "list", "--json")).out)["events"]
    firsts = [event["id"][4] for event in events]
    shared = next(digit for digit in firsts if firsts.count(digit) > 1)
    outcome = await descartes("history", "show", shared)
    assert outcome.status == 1
    assert "several begin with" in outcome.err and "give more digits" in outcome.err


async def test_reading_is_quick(descartes: Descartes) -> None:
    await descartes("lease", "acquire", "a.lisp")
    times = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        await descartes("lease", "list")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    # The time of the processor, which other programs on the machine do not change much.
    assert min(times) < 0.4


async def test_a_reader_that_goes_away_is_no_failure(descartes: Descartes, here: Workspace) -> None:
    await descartes("lease", "acquire", "a.lisp")
    process = await asyncio.create_subprocess_shell(
        f"{sys.executable} -m descartes_server history --json | true",
        cwd=here.root,
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await asyncio.wait_for(process.communicate(), 60)
    assert err == b""


async def test_config_says_what_counts_and_what_is_wrong(descartes: Descartes, here: Workspace) -> None:
    (here.root / "descartes.toml").write_text(
        '[lisp]\ncommand = ["evil"]\nidleMinutes = 5\n\n[leases]\nttlSeconds = "x"\ncolour = 1\n'
    )
    outcome = await descartes("config", "show", "--origin")
    assert outcome.status == 1
    rows = dict(line.split("\t", 1) for line in outcome.out.splitlines())
    assert rows["lisp.idleMinutes"] == f"5.0\t{here.root}/descartes.toml"
    assert rows["lisp.command"] == "null\tdefault"
    assert [
        line.removeprefix(f"{here.root}/descartes.toml:") for line in outcome.err.splitlines()
    ] == snapshot(
        [
            "2:1: lisp.command names a program and does not count until the workspace is trusted; "
            "run `descartes trust`",
            "6:1: leases.ttlSeconds: expected `int`, got `str` ('x')",
            "7:1: there is no setting 'leases.colour'; there are leases.ttlSeconds",
        ]
    )
    await descartes("trust")
    assert '["evil"]' in (await descartes("config", "show")).out


async def test_an_interrupted_wait_leaves_no_place_in_the_queue(
    descartes: Descartes, here: Workspace
) -> None:
    await descartes("lease", "acquire", "a.lisp", "--holder", "agent:one")
    waiting = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "descartes_server", "lease", "acquire", "a.lisp", "--wait-ms", "60000"),
        cwd=here.root,
        stderr=asyncio.subprocess.PIPE,
    )
    while json.loads((await descartes("hub", "status", "--json")).out)["clients"] < 2:
        pass
    waiting.send_signal(signal.SIGINT)
    _, err = await asyncio.wait_for(waiting.communicate(), 60)
    assert (waiting.returncode, err.strip()) == (130, b"")
    await descartes("lease", "release", "a.lisp", "--holder", "agent:one")
    assert (await descartes("lease", "list")).out == ""


async def test_a_table_for_a_person(descartes: Descartes) -> None:
    await descartes("lease", "acquire", "a.lisp")
    table = (await descartes("--color", "always", "lease", "list", COLUMNS="100")).out
    assert "\x1b[" in table
    assert "expires" in table and "in 5 min" in table


def test_every_command_has_help_with_an_example() -> None:
    from click import Context, Group

    def check(command: Any, name: str) -> None:
        context = Context(command, info_name=name)
        assert re.search(r"Example: descartes \w", command.get_help(context)), name
        if isinstance(command, Group):
            for each in command.list_commands(context):
                inner = command.get_command(context, each)
                assert inner is not None
                check(inner, f"{name} {each}")

    check(program, "descartes")


def test_every_operation_is_a_command() -> None:
    from click import Context, Group

    from descartes_server.cli.generated import kebab

    # `history --follow`; `gc`, and with `--apply`.
    others = ("history.subscribe", "gc.plan", "gc.collect")
    for operation in registry.all_operations().values():
        if operation.name in others:
            continue
        command: Any = program
        for word in operation.name.split("."):
            assert isinstance(command, Group)
            command = command.get_command(Context(command), kebab(word))
        assert command is not None, operation.name
    assert os.environ["DESCARTES_HOME"]


async def test_an_image_that_outlived_its_hub_is_known(descartes: Descartes) -> None:
    started = json.loads((await descartes("lisp", "start", "--trust", "--json")).out)
    await descartes("hub", "stop", "--force")
    status = json.loads((await descartes("lisp", "status", "--json")).out)
    assert (status["state"], status["pid"]) == ("ready", started["pid"])
    assert json.loads((await descartes("hub", "status", "--json")).out)["pid"] is None
    await descartes("lisp", "stop")
    assert json.loads((await descartes("lisp", "status", "--json")).out)["state"] == "stopped"


async def test_looking_around_in_the_image(descartes: Descartes, here: Workspace) -> None:
    """Lists are tables, a text is printed as it is, and what makes no sense says why."""
    nothing = await descartes("lisp", "describe", "car")
    assert nothing.status == 1 and "lisp.start" in nothing.err
    untrusted = await descartes("lisp", "profile", "(four)")
    assert untrusted.status == 1 and "descartes trust" in untrusted.err
    (here.root / "work.lisp").write_text("(defun twice (x) (list x x))\n(defun four () (twice 2))\n")
    assert (await descartes("lisp", "compile-file", "work.lisp", "--trust")).status == 0
    assert "Lambda-list: (X)" in (await descartes("lisp", "describe", "twice")).out
    assert (await descartes("lisp", "trace", "twice", "--trust")).out == "common-lisp-user::twice\n"
    assert (await descartes("lisp", "eval", "(four)", "--trust")).out == "(2 2)\n"
    (line,) = (await descartes("lisp", "trace-tree")).out.splitlines()
    assert line.endswith("(twice 2) → (2 2)")
    callers = (await descartes("lisp", "xref", "twice", "--kind", "callers")).out
    assert callers.endswith("work.lisp:2:17\tcommon-lisp-user::four\tfunction\timage\n")
    assert "main thread" in (await descartes("lisp", "threads")).out
    assert (await descartes("lisp", "macroexpand", "(when a b)", "--trust")).out == "(if a\n    b)\n"
    missing = await descartes("lisp", "undefine", "twcie", "--trust")
    assert missing.status == 2 and "twice" in missing.err
    assert (await descartes("lisp", "xref", "car", "--kind", "friends")).status == 2
    refused = await descartes("lisp", "kill-thread", "999999", "--trust")
    assert refused.status == 2 and "lisp.threads" in refused.err
    # The image outlives the hub, and goes on answering.
    assert (await descartes("hub", "stop", "--force")).status == 0
    assert "Lambda-list: (X)" in (await descartes("lisp", "describe", "twice")).out
    assert (await descartes("lisp", "stop")).status == 0

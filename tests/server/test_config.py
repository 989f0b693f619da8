"""The settings through the program: shown, set and migrated, in the file of a person and of a workspace."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import InvalidParams, LeaseHeld, NotFound, UnsavedChanges
from descartes_server.operations.workspace import Workspace

Descartes = Any
OLD = '# mine\nversion = "1.0.0"\n\n[provider.openai] # theirs\nkey = "k"\n'


@pytest.fixture
def home(isolated_environment: Path) -> Path:
    folder = isolated_environment / "home"
    folder.mkdir(exist_ok=True)
    return folder


async def test_a_setting_is_set_in_its_file_and_counts_at_once(
    descartes: Descartes, here: Workspace, home: Path
) -> None:
    file = here.root / "descartes.toml"
    file.write_text("# of the team\n[leases] # short\nttlSeconds = 9 # s\n")
    done = await descartes("config", "set", "leases.ttlSeconds", "600")
    assert (done.status, done.out) == (0, "leases.ttlSeconds is now 600\n")
    assert file.read_text() == "# of the team\n[leases] # short\nttlSeconds = 600 # s\n"
    await descartes("config", "set", "--user", "leases.ttlSeconds", "7")
    assert tomllib.loads((home / "config.toml").read_text()) == {"leases": {"ttlSeconds": 7}}
    shown = await descartes("config", "show", "--origin", "leases.ttlSeconds")
    assert shown.out == f"leases.ttlSeconds\t600\t{file}\n"
    lease = json.loads((await descartes("lease", "acquire", "a.lisp", "--json")).out)
    assert lease["expiresAt"][:15] != lease["acquiredAt"][:15]  # ten minutes are another ten minutes
    assert (await descartes("config", "set", "--unset", "leases.ttlSeconds")).out.endswith("is now 7\n")
    logged = json.loads((await descartes("history", "list", "--type", "config", "--json")).out)["events"]
    assert [each["data"]["scope"] for each in logged] == ["workspace", "user", "workspace"]


async def test_a_value_that_would_not_count_is_refused_and_nothing_is_written(
    descartes: Descartes, here: Workspace
) -> None:
    for words in (
        ["leases.ttlSeconds", "soon"],
        ["leases.ttlSeconds", "0"],
        ["leases.ttl", "1"],
        ["leases.ttlSeconds"],
    ):
        assert (await descartes("config", "set", *words)).status != 0
    assert not (here.root / "descartes.toml").exists()
    refused = await descartes("config", "set", "lisp.command", '["sbcl"]')
    assert refused.out == "lisp.command is now null\n"
    assert "does not count until the workspace is trusted" in refused.err


@pytest.mark.ledger("D-88")
async def test_both_files_are_migrated_with_a_backup_beside_each(
    descartes: Descartes, here: Workspace, home: Path
) -> None:
    files = [home / "config.toml", here.root / "descartes.toml"]
    for file in files:
        file.write_text(OLD)
    shown = await descartes("config", "show")
    assert shown.err.count("is of version 1.0.0; it counts") == 2
    dry = json.loads((await descartes("config", "migrate", "--dry-run", "--json")).out)["files"]
    assert [(each["state"], len(each["steps"])) for each in dry] == [("would change", 3)] * 2
    assert [file.read_text() for file in files] == [OLD, OLD]
    done = json.loads((await descartes("config", "migrate", "--json")).out)["files"]
    for file, each in zip(files, done, strict=True):
        assert each["state"] == "migrated"
        backup = Path(each["backup"])
        assert (backup.parent, backup.read_text()) == (file.parent, OLD)
        made = file.read_text()
        assert made.startswith('# mine\nversion = "2.0.0"\n\n[providers.openai] # theirs\napiKey = "k"\n')
        assert "[providers.grok]" in made
    again = await descartes("config", "migrate")
    assert (again.status, again.out.count("current")) == (0, 2)


async def test_a_newer_file_is_refused_with_a_sentence_and_stays(
    descartes: Descartes, here: Workspace
) -> None:
    file = here.root / "descartes.toml"
    file.write_text('version = "3.0.0"\n[leases]\nttlSeconds = 5\n')
    before = sorted(here.root.iterdir())
    done = await descartes("config", "migrate")
    assert done.status == 1
    assert "of version 3.0.0, newer than 2.0.0" in done.err
    changed = await descartes("config", "set", "leases.ttlSeconds", "6")
    assert (changed.status, "newer than 2.0.0" in changed.err) == (1, True)
    assert file.read_text() == 'version = "3.0.0"\n[leases]\nttlSeconds = 5\n'
    assert [each for each in sorted(here.root.iterdir()) if each.name != ".descartes"] == before
    file.write_text("[leases\n")
    assert "expected TOML" in (await descartes("config", "migrate")).err


async def test_a_file_that_somebody_else_has_is_left_alone(client: Any, here: Workspace) -> None:
    file = here.root / "descartes.toml"
    ann, bob, run = client("Emacs", user="ann"), client("VS Code", user="bob"), client("x", user="eve")
    await bob.attach(start=True)
    await bob.call("lease.acquire", {"path": "descartes.toml"})
    wanted = {"key": "leases.ttlSeconds", "value": 5}
    with pytest.raises(LeaseHeld, match="Bob"):
        await ann.call("config.set", wanted)
    await bob.call("lease.release", {"path": "descartes.toml"})
    file.write_text("")
    bob.set_unsaved([str(file)])
    with pytest.raises(UnsavedChanges, match="VS Code"):
        while True:  # until the hub has heard of it
            await ann.call("config.set", wanted)
    bob.set_unsaved([])
    for params, error in (
        ({"key": "nope", "value": 1}, NotFound),
        ({"key": "leases.ttlSeconds", "value": "x"}, InvalidParams),
        ({"key": "leases.ttlSeconds", "value": 1, "scope": "world"}, InvalidParams),
    ):
        with pytest.raises(error):
            await run.call("config.set", params)


async def test_agents_do_not_change_settings(descartes: Descartes, here: Workspace) -> None:
    words = (sys.executable, "-m", "descartes_server", "config", "set", "leases.ttlSeconds", "5")
    await descartes("trust")
    done = await descartes("spawn", "--task", "x", "--wait", "--", *words)
    assert done.status == 1
    assert not (here.root / "descartes.toml").exists()


STOPPED_AT = """
import os, sys
from pathlib import Path
from descartes_core.config import files, versions
left = int(sys.argv[2])
def counted(function):
    def call(*words, **more):
        global left
        left -= 1
        if left < 0:
            os._exit(9)
        return function(*words, **more)
    return call
os.fsync, os.open, Path.replace = counted(os.fsync), counted(os.open), counted(Path.replace)
file = Path(sys.argv[1])
files.backup(file)
files.put(file, versions.migrate(files.read(file)).text).put()
"""


async def test_who_dies_while_migrating_leaves_the_old_or_the_new_whole(tmp_path: Path) -> None:
    file, new, status, steps = tmp_path / "config.toml", "", 9, 0
    while status == 9:
        for each in tmp_path.iterdir():
            each.unlink()
        file.write_text(OLD)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", STOPPED_AT, str(file), str(steps), env=dict(os.environ)
        )
        status = await asyncio.wait_for(process.wait(), 60)
        text = file.read_text()
        assert text == OLD or tomllib.loads(text)["version"] == "2.0.0"
        if text != OLD:
            new = new or text
            assert text == new
            assert [each.read_text() for each in tmp_path.glob("*.bak")] == [OLD]
        steps += 1
    assert (status, bool(new)) == (0, True)
    assert steps > 5

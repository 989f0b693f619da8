"""Which folder is the workspace, what settings count there, and whose leases live with an editor."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from descartes_core.blobs import Blobs
from descartes_core.errors import InvalidParams, WorkspaceInUse
from descartes_core.model import Principal
from descartes_core.store import EventQuery
from descartes_core.timetravel.versions import SAVES
from descartes_server.hub.main import running_hub
from descartes_server.hub.messages import Saved
from descartes_server.hub.presence import Presence
from descartes_server.operations import principals, settings, trust, workspace
from descartes_server.operations.workspace import Workspace


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(workspace: Path) -> Path:
    git(workspace, "init")
    (workspace / "a.lisp").touch()
    git(workspace, "add", ".")
    git(workspace, "commit", "-m", "one")
    return workspace


def test_the_nearest_settings_file_decides(repository: Path) -> None:
    inner = repository / "libs" / "x" / "src"
    inner.mkdir(parents=True)
    assert workspace.find(inner).root == repository
    (repository / "libs" / "x" / "descartes.toml").touch()
    assert workspace.find(inner).root == repository / "libs" / "x"
    assert workspace.find(inner / "no" / "such.lisp").root == repository / "libs" / "x"


def test_a_linked_worktree_belongs_to_the_main_one(repository: Path) -> None:
    linked = repository.parent / "linked"
    git(repository, "worktree", "add", str(linked))
    assert workspace.find(linked).root == repository


def test_a_submodule_stands_for_itself(repository: Path) -> None:
    other = repository.parent / "other"
    git(repository.parent, "clone", str(repository), str(other))
    git(repository, "-c", "protocol.file.allow=always", "submodule", "add", str(other), "sub")
    assert workspace.find(repository / "sub").root == repository / "sub"


def test_a_state_folder_makes_a_workspace_but_not_the_users_own(
    workspace: Path, isolated_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from descartes_server.operations.workspace import find

    inner = workspace / "b"
    inner.mkdir()
    assert find(inner).root == inner
    (workspace / ".descartes").mkdir()
    assert find(inner).root == workspace
    monkeypatch.setenv("DESCARTES_HOME", str(workspace / ".descartes"))
    assert find(inner).root == inner


def test_a_link_to_a_workspace_is_the_same_workspace(repository: Path) -> None:
    link = repository.parent / "link"
    link.symlink_to(repository)
    assert workspace.find(link / "a.lisp") == workspace.find(repository)


def test_a_long_runtime_folder_gives_way_to_a_short_one(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, isolated_environment: Path
) -> None:
    monkeypatch.setenv("DESCARTES_RUNTIME_DIR", str(isolated_environment / ("x" * 100)))
    assert len(str(Workspace(workspace).socket)) < 100


def test_a_state_folder_that_is_a_link_is_refused(workspace: Path, isolated_environment: Path) -> None:
    (isolated_environment / "elsewhere").mkdir()
    (workspace / ".descartes").symlink_to(isolated_environment / "elsewhere")
    with pytest.raises(InvalidParams, match="not a link"):
        Workspace(workspace).prepare()


def test_a_state_folder_of_another_user_is_refused(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Workspace(workspace).prepare()
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    with pytest.raises(WorkspaceInUse, match="belongs to user"):
        Workspace(workspace).check()


def test_the_nearer_to_the_person_wins(workspace: Path, isolated_environment: Path) -> None:
    home = isolated_environment / "home"
    home.mkdir()
    (home / "config.toml").write_text('lisp.command = ["sbcl-of-mine"]\nhub.idleMinutes = 1\n')
    (workspace / "descartes.toml").write_text("[hub]\nidleMinutes = 2\n[leases]\nttlSeconds = 9\n")
    loaded = settings.load(workspace, trusted=False, editor={"leases": {"ttlSeconds": 7}})
    assert loaded.problems == []
    assert loaded.settings.lisp.command == ["sbcl-of-mine"]
    assert (loaded.settings.hub.idle_minutes, loaded.settings.leases.ttl_seconds) == (2, 7)
    assert loaded.origins["leases.ttlSeconds"] == "editor"


def test_wrong_settings_are_problems_at_their_place(workspace: Path) -> None:
    file = workspace / "descartes.toml"
    file.write_text("[lisp]\n# é\n  idleMinutes = true\n[nonsense]\nx = 1\n")
    found = settings.load(workspace, trusted=True).problems
    assert [(each.file, each.line, each.column) for each in found] == [(file, 3, 3), (file, 4, 2)]
    file.write_text("[lisp\n")
    (problem,) = settings.load(workspace, trusted=True).problems
    assert (problem.line, problem.message[:13]) == (1, "expected TOML")
    file.write_bytes(b"\xff\xfe")
    assert len(settings.load(workspace, trusted=True).problems) == 1


def test_programs_named_by_a_folder_nobody_trusts_do_not_count(workspace: Path) -> None:
    (workspace / "descartes.toml").write_text('[lisp]\nattach = "evil:1"\nidleMinutes = 3\n')
    loaded = settings.load(workspace, trusted=False)
    assert (loaded.settings.lisp.attach, loaded.settings.lisp.idle_minutes) == (None, 3)
    assert "until the workspace is trusted" in loaded.problems[0].message
    trust.trust(workspace)
    assert settings.load(workspace, trusted=trust.is_trusted(workspace)).settings.lisp.attach == "evil:1"


def test_a_broken_list_of_trust_trusts_nothing(workspace: Path, isolated_environment: Path) -> None:
    trust.trust(workspace)
    (isolated_environment / "home" / "trusted.json").write_text("{")
    assert trust.trusted() == []


def test_a_repository_nobody_trusts_does_not_name_the_person(
    repository: Path, monkeypatch: pytest.MonkeyPatch, isolated_environment: Path
) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(isolated_environment / "none"))
    monkeypatch.setenv("LOGNAME", "ann")
    git(repository, "config", "user.name", "Mallory")
    assert principals.person(repository, trusted=False).name == "ann"
    assert principals.person(repository, trusted=True).name == "Mallory"


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.ms = 1_700_000_000_000

    def now_ms(self) -> int:
        return self.ms


@pytest.mark.ledger("D-53")
@pytest.mark.ledger("D-55")
async def test_a_persons_leases_live_with_their_editor(workspace: Path) -> None:
    ann = Principal(kind="human", id="ann", name="Ann", via="Emacs")
    async with running_hub(Workspace(workspace), embedded=True) as hub:
        leases, services = hub.services.leases, hub.services
        presence = Presence(services, lambda: 300)
        real = services.clock.now_ms()
        clock = services.clock = Hands()
        clock.ms = real
        await leases.acquire("kept.lisp", ann, ttl_seconds=100, client="editor-1")
        await leases.acquire("shared.lisp", ann, ttl_seconds=100, client="editor-1")
        await leases.acquire("shared.lisp", ann, ttl_seconds=100, client="editor-2")
        await leases.acquire("terminal.lisp", ann, ttl_seconds=100)

        async def paths() -> list[str]:
            return [lease.path for lease in await leases.list()]

        presence.attached = {"editor-1", "editor-2"}
        await presence.look()
        before = {lease.path: lease.expires_at for lease in await leases.list()}
        clock.ms += 60_000
        assert await presence.look() == 100
        assert {lease.path: lease.token for lease in await leases.list()} == dict.fromkeys(before, 1)

        presence.attached = {"editor-2"}
        await presence.look()
        clock.ms += 29_000
        await presence.look()
        assert await paths() == ["kept.lisp", "shared.lisp", "terminal.lisp"]
        presence.attached = {"editor-1", "editor-2"}
        await presence.look()
        presence.attached = {"editor-2"}
        clock.ms += 29_000
        await presence.look()
        assert "kept.lisp" in await paths(), "it came back, so the time of grace begins again"
        clock.ms += 30_000
        await presence.look()
        assert await paths() == ["shared.lisp", "terminal.lisp"]


async def test_what_a_person_saves_is_noted_when_it_is_a_change_of_the_workspace(workspace: Path) -> None:
    place, ann = Workspace(workspace), Principal(kind="human", id="ann", name="Ann")
    file = workspace / "a.lisp"
    file.write_text("on disk")
    async with running_hub(place, embedded=True) as hub:
        store = hub.services.store
        store.redactor.protect("API_KEY", "hunter2-of-the-saves")
        for path, before, after in (
            (str(file), "one", "two"),
            (str(file), "two", "two"),
            (str(file), "two", '"hunter2-of-the-saves"'),
            (str(file), None, None),
            (str(place.state / "input" / "x.lisp"), "", "an answer"),
            (str(workspace.parent / "elsewhere.lisp"), "", "not ours"),
            (str(workspace / "gone.lisp"), None, None),
        ):
            await hub.saves.note(ann, Saved(path=path, before=before, after=after))
        saves = (await store.reader.events(EventQuery(type="file.saved", order="asc"))).events
        kept = Blobs(place.state / SAVES)
        told = [(each.data["path"], kept.get(each.data["sha256After"])) for each in saves]
        assert told == [("a.lisp", "two"), ("a.lisp", None), ("a.lisp", None)]
        assert saves[2].data == {
            "path": "a.lisp",
            "sha256Before": None,
            "sha256After": hashlib.sha256(b"on disk").hexdigest(),
        }

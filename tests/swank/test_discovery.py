"""Finding a Lisp and a Swank: the order of places, and what is said when there is none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from descartes_swank.discovery import ImageSettings, LispProgram, find_lisp, find_swank, search_report
from descartes_swank.errors import LispNotFound

SBCL = '#!/bin/sh\necho "SBCL {}"\n'


@pytest.fixture
def home(isolated_environment: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty home folder, which Python takes for the user's."""
    folder = isolated_environment / "user"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for name in ("SLIME_HOME", "QUICKLISP_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "CL_SOURCE_REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    return folder


def a_swank(folder: Path, version: str | None = None) -> Path:
    """Make FOLDER look like a Swank; return its loader."""
    folder.mkdir(parents=True)
    loader = folder / "swank-loader.lisp"
    loader.touch()
    if version is not None:
        (folder / "slime.el").write_text(f";;; slime.el\n;; Version: {version}\n", encoding="utf-8")
    return loader


def a_program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


class TestLisp:
    def test_the_first_on_the_path(self, home: Path) -> None:
        program = a_program(home / "first" / "sbcl", SBCL.format("9.9.9"))
        path = f"{home / 'nothing'}:{program.parent}:{os.environ['PATH']}"
        found = find_lisp(ImageSettings(environment={"PATH": path}))
        assert found == LispProgram((str(program),), "SBCL 9.9.9")

    def test_a_configured_command_is_the_only_one_tried(self, home: Path) -> None:
        with pytest.raises(LispNotFound, match=r"lisp.command.*'no-such-lisp'"):
            find_lisp(ImageSettings(command=("no-such-lisp",)))

    @pytest.mark.parametrize("text", ["#!/bin/sh\necho CLISP 2\n", "#!/bin/sh\nexit 1\n", "no program"])
    def test_a_configured_program_that_is_no_sbcl(self, home: Path, text: str) -> None:
        program = a_program(home / "lisp", text)
        with pytest.raises(LispNotFound, match=r"--version"):
            find_lisp(ImageSettings(command=(str(program),)))

    def test_options_of_the_runtime_keep_the_saved_core_possible(self) -> None:
        found = find_lisp(ImageSettings(command=("sbcl", "--dynamic-space-size", "600", "--core", "/x.core")))
        assert found.plain
        assert found.with_core(Path("/saved.core"))[1:] == (
            "--core",
            "/saved.core",
            "--noinform",
            "--dynamic-space-size",
            "600",
        )
        assert not find_lisp(ImageSettings(command=("sbcl", "--eval", "(print 1)"))).plain

    def test_without_any_it_says_what_to_install(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("descartes_swank.discovery._USUAL_BIN", ())
        with pytest.raises(LispNotFound, match=r"apt install sbcl cl-swank.*brew install sbcl"):
            find_lisp(ImageSettings(environment={"PATH": str(home)}))

    def test_one_installed_by_roswell(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("descartes_swank.discovery._USUAL_BIN", ())
        for version in ("2.9.1", "2.10.0"):
            a_program(home / f".roswell/impls/x86-64/linux/sbcl-bin/{version}/bin/sbcl", SBCL.format(version))
        assert find_lisp(ImageSettings(environment={"PATH": ""})).version == "SBCL 2.10.0"


class TestSwank:
    @pytest.mark.parametrize(
        "place",
        [
            "quicklisp/dists/quicklisp/software/slime-v2.30",
            "quicklisp/local-projects/slime",
            ".roswell/lisp/quicklisp/dists/quicklisp/software/slime-v2.30",
            ".local/share/ocicl/systems/slime-20240101-abcdef",
            "common-lisp/slime",
            "common-lisp/group/deep/slime",
            ".local/share/common-lisp/source/slime",
        ],
    )
    def test_places_that_come_before_the_distribution(self, home: Path, place: str) -> None:
        loader = a_swank(home / place, "2.30")
        found = find_swank(ImageSettings())
        assert found.loader == loader
        assert found.version == "2.30"

    @pytest.mark.parametrize(
        "place",
        [
            ".emacs.d/elpa/slime-20240808.1",
            ".config/emacs/elpa/slime-2.29",
            ".emacs.d/straight/repos/slime",
            ".config/emacs/elpaca/repos/slime",
        ],
    )
    def test_packages_of_emacs(self, home: Path, place: str) -> None:
        loader = a_swank(home / place)
        found = [look.found for look in search_report(ImageSettings()) if look.place.startswith(str(home))]
        assert [each for each in found if each] == [str(loader)]

    def test_the_newest_of_several(self, home: Path) -> None:
        for version in ("v2.9", "v2.31", "v2.30.1"):
            a_swank(home / f"quicklisp/dists/quicklisp/software/slime-{version}")
        assert find_swank(ImageSettings()).loader.parent.name == "slime-v2.31"

    def test_slime_home_comes_first(self, home: Path) -> None:
        a_swank(home / "quicklisp/dists/quicklisp/software/slime-v2.30")
        loader = a_swank(home / "mine")
        assert find_swank(ImageSettings(environment={"SLIME_HOME": str(home / "mine")})).loader == loader

    def test_systems_of_the_workspace(self, home: Path, workspace: Path) -> None:
        loader = a_swank(workspace / "systems" / "slime-20240101")
        assert find_swank(ImageSettings(workspace=workspace)).loader == loader

    @pytest.mark.parametrize(
        "text",
        [
            '(:source-registry (:tree "{}") :inherit-configuration)',
            '(:source-registry (:directory "{}/slime/") :ignore-inherited-configuration)',
            '(:source-registry (:tree (:home "lisp/")))',
        ],
    )
    def test_the_source_registry_of_asdf(self, home: Path, text: str) -> None:
        loader = a_swank(home / "lisp" / "slime")
        file = home / ".config/common-lisp/source-registry.conf"
        file.parent.mkdir(parents=True)
        file.write_text(text.format(home / "lisp"), encoding="utf-8")
        assert find_swank(ImageSettings()).loader == loader

    def test_the_source_registry_in_the_environment(self, home: Path) -> None:
        loader = a_swank(home / "lisp" / "slime")
        variables = {"CL_SOURCE_REGISTRY": f"/nowhere//:{home}/lisp//:"}
        assert find_swank(ImageSettings(environment=variables)).loader == loader

    def test_the_package_of_the_distribution(self, home: Path) -> None:
        found = find_swank(ImageSettings())
        assert found.loader == Path("/usr/share/common-lisp/source/slime/swank-loader.lisp")
        assert found.version == "2.27"

    def test_a_configured_path_is_the_only_one_tried(self, home: Path) -> None:
        loader = a_swank(home / "checkout")
        assert find_swank(ImageSettings(swank=home / "checkout")).loader == loader
        assert find_swank(ImageSettings(swank=loader)).loader == loader
        with pytest.raises(LispNotFound, match=r"lisp.swank.*nowhere"):
            find_swank(ImageSettings(swank=home / "nowhere"))

    def test_without_any_it_says_what_to_install(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("descartes_swank.discovery._package_folders", lambda: iter(()))
        with pytest.raises(LispNotFound, match=r"apt install cl-swank"):
            find_swank(ImageSettings())


class TestReport:
    def test_every_place_in_order_with_what_was_there(self, home: Path) -> None:
        loader = a_swank(home / "common-lisp" / "slime")
        report = search_report(ImageSettings())
        places = [look.place for look in report]
        assert places[0] == "sbcl on the PATH"
        assert any("SBCL " in (look.found or "") for look in report)
        assert [look.found for look in report if look.place == f"{home}/common-lisp and below"] == [
            str(loader)
        ]
        assert places.index(f"{home}/common-lisp and below") < places.index(
            "/usr/share/common-lisp/source/slime"
        )

    def test_configured_ones_alone(self, home: Path) -> None:
        report = search_report(ImageSettings(command=("no-such-lisp", "--x"), swank=home))
        assert [(look.place, look.found) for look in report] == [
            ("lisp.command: no-such-lisp --x", None),
            (f"lisp.swank: {home}", None),
        ]

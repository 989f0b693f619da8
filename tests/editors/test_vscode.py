"""The extension in the real VS Code: driven through its page, and from inside its extension host."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from descartes_core.processes.identity import is_alive
from descartes_server.hub import record
from descartes_swank.image import read_record

REPOSITORY = Path(__file__).resolve().parents[2]
EXTENSION = REPOSITORY / "editors" / "vscode"
EDITORS = REPOSITORY / ".cache" / "editors"
SERVER = EDITORS / "vscode/node_modules/code-server/lib/vscode/out/server-main.js"
DRIVERS = Path(__file__).resolve().parent / "vscode"
SECONDS = 500

RATIO = """\
(defpackage #:ratio (:use #:cl) (:export #:share #:answer))
(in-package #:ratio)

(defun share (part whole)
  "Return PART divided by WHOLE."
  (restart-case (/ part whole)
    (use-value (value)
      :report "Use another value."
      value)
    (divide (part whole)
      :report "Divide others."
      (/ part whole))))

(defun answer (unused)
  (share 84 0))
"""
ORDERS = """\
(defpackage #:orders (:use #:cl) (:export #:report #:mean))
(in-package #:orders)
(declaim (optimize (debug 3)))

(defun mean (prices)
  (let ((sum (reduce #'+ prices)))
    (restart-case (/ sum (length prices))
      (use-value (value)
        :report "Use another value."
        value))))

(defun report (orders)
  (loop for (customer prices) in orders
        collect (list customer (mean prices))))
"""
WALK = """\
(in-package :cl-user)
(declaim (optimize (debug 3)))

(defun area (a b)
  (when a
    (list a (* a b))))

(defun total (n)
  (list :total (area n 3)))
"""
SYSTEM = """\
(defsystem "ratio"
  :components ((:file "ratio"))
  :in-order-to ((test-op (test-op "ratio/tests"))))

(defsystem "ratio/tests"
  :depends-on ("ratio" "fiveam")
  :components ((:file "ratio-tests"))
  :perform (test-op (o c) (uiop:symbol-call :fiveam :run-all-tests)))
"""
TESTS = """\
(defpackage #:ratio/tests (:use #:cl #:fiveam))
(in-package #:ratio/tests)

(def-suite ratios)
(in-suite ratios)

(test halves
  (format t "sharing~%")
  (is (= 1/2 (ratio:share 1 2))))

(test thirds
  (is (= 1/3 (ratio:share 1 4))))
"""
OTHER_LISP = """\
(load "/usr/share/common-lisp/source/slime/swank-loader.lisp")
(swank-loader:init)
(defvar cl-user::*whose* :somebody-elses)
(format t "PORT ~a~%" (swank:create-server :port 0 :interface "127.0.0.1" :dont-close t))
(finish-output)
(loop (sleep 60))
"""
SCRIPT = [
    {
        "toolCalls": [
            {
                "name": "edit",
                "arguments": {"path": "ratio.lisp", "old": "another value", "new": "a better value"},
            }
        ]
    },
    {"text": "The report is reworded."},
]
SETTINGS = {
    "descartes.server": [sys.executable, "-m", "descartes_server", "lsp"],
    "workbench.startupEditor": "none",
    "chat.disableAIFeatures": True,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "workbench.tips.enabled": False,
    "workbench.reduceMotion": "on",
    "workbench.editor.useModal": "off",
    # A file that is saved twice within a second looks unchanged to ASDF.
    "files.autoSave": "off",
    # Otherwise a terminal's text is drawn where no test can read it.
    "terminal.integrated.gpuAcceleration": "off",
    "extensions.autoUpdate": "off",
    "security.workspace.trust.startupPrompt": "never",
    "security.workspace.trust.banner": "never",
}

pytestmark = [pytest.mark.editor, pytest.mark.timeout(600)]


@pytest.fixture(scope="session")
def node() -> Path:
    """Return Node; fails when the editor or what drives it is not installed."""
    program = EDITORS / "bin" / "node"
    needed = [
        program,
        SERVER,
        EDITORS / "playwright/node_modules/playwright-core",
        EXTENSION / "node_modules",
    ]
    missing = [str(each.relative_to(REPOSITORY)) for each in needed if not each.exists()]
    missing += [name for name in ["chromium"] if shutil.which(name) is None]
    if missing:
        pytest.fail(f"expected VS Code and its driver, found no {', '.join(missing)}; run `make editors`")
    return program.resolve()


@pytest.fixture(scope="session")
def extensions(node: Path) -> Iterator[Path]:
    """Return an extensions folder with the extension in it, packed from its sources now."""
    with tempfile.TemporaryDirectory(prefix="dsc-ext-") as name:
        folder = Path(name)
        package = folder / "descartes.vsix"
        npm = [str(EDITORS / "bin" / "npm"), "run", "--silent", "package", "--", "--out", str(package)]
        _run(npm, PATH=f"{EDITORS / 'bin'}{os.pathsep}{os.environ['PATH']}")
        _run(
            [str(node), str(SERVER), "--install-extension", str(package), *_folders(folder / "data", folder)]
        )
        yield folder / "ext"


@pytest.fixture
def lisp_workspace(workspace: Path) -> Iterator[Path]:
    """Return a workspace with one Lisp file; the hub and the image started there end with the test."""
    (workspace / "ratio.lisp").write_text(RATIO)
    yield workspace
    for folder in Path(os.environ["DESCARTES_RUNTIME_DIR"]).iterdir():
        image = read_record(folder) if folder.is_dir() else None
        if image is not None:
            os.kill(image.pid, signal.SIGKILL)
    for hub in record.read_all():
        if is_alive(hub.identity) and Path(hub.workspace).is_relative_to(workspace.parent):
            os.kill(hub.pid, signal.SIGKILL)


class VsCode:
    """VS Code's own server on a free port, with its log."""

    def __init__(self, node: Path, extensions: Path, folder: Path, *options: str) -> None:
        data = folder / "vscode"
        for place in ("User", "Machine"):
            (data / "data" / place).mkdir(parents=True)
            (data / "data" / place / "settings.json").write_text(json.dumps(SETTINGS))
        self.node = node
        self.process = subprocess.Popen(
            [
                *(str(node), str(SERVER), "--host", "127.0.0.1", "--port", "0", "--without-connection-token"),
                *("--disable-telemetry", *options),
                *_folders(data, extensions.parent),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.port = self._port()

    def _port(self) -> int:
        assert self.process.stdout is not None
        said = []
        for line in self.process.stdout:
            said.append(line)
            if found := re.match(r"Server bound to \S+:(\d+)", line):
                threading.Thread(target=self.process.stdout.read, daemon=True).start()
                return int(found[1])
        raise AssertionError("VS Code did not start:\n" + "".join(said))

    def drive(self, driver: str, workspace: Path, shots: Path, **more: str) -> str:
        """Run DRIVER in the page of WORKSPACE and return what it printed; fails when it fails."""
        return _run(
            [str(self.node), str(DRIVERS / driver), str(self.port), str(workspace)],
            PLAYWRIGHT=str(EDITORS / "playwright" / "package.json"),
            DESCARTES_TEST_PYTHON=sys.executable,
            DESCARTES_TEST_SHOTS=str(shots),
            **more,
        )

    def close(self) -> None:
        """End the server and everything it started."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def vscode(
    node: Path,
    extensions: Path,
    isolated_environment: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[VsCode]:
    """Return a running VS Code, started with the options that the test is parametrized with, for Ann."""
    person = isolated_environment / "gitconfig"
    person.write_text("[user]\n\tname = Ann\n\temail = ann@example.org\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(person))
    code = VsCode(node, extensions, isolated_environment, *request.param)
    yield code
    code.close()


@pytest.mark.parametrize("vscode", [[]], indirect=True, ids=["page"])
def test_a_person_trusts_compiles_leaves_stops_and_answers_a_run_without_losing_the_focus(
    vscode: VsCode, lisp_workspace: Path, tmp_path: Path
) -> None:
    script = tmp_path / "script.jsonl"
    script.write_text("".join(json.dumps(turn) + "\n" for turn in SCRIPT))
    printed = vscode.drive("person.mjs", lisp_workspace, tmp_path, DESCARTES_TEST_SCRIPT=str(script))
    assert "all done" in printed
    assert "a better value" in (lisp_workspace / "ratio.lisp").read_text()


@pytest.mark.parametrize("vscode", [["--disable-workspace-trust"]], indirect=True, ids=["workbench"])
def test_the_live_image_is_at_hand_in_the_editors_own_places(
    vscode: VsCode, lisp_workspace: Path, tmp_path: Path
) -> None:
    (lisp_workspace / "ratio.asd").write_text(SYSTEM)
    (lisp_workspace / "ratio-tests.lisp").write_text(TESTS)
    (lisp_workspace / "walk.lisp").write_text(WALK)
    # Lines of a view that are out of sight are not in the page.
    printed = vscode.drive("workbench.mjs", lisp_workspace, tmp_path, DESCARTES_TEST_HEIGHT="1000")
    assert "all done" in printed


# The flag lets a page name the module that runs inside; it also hides all notifications.
@pytest.mark.parametrize(
    "vscode", [["--disable-workspace-trust", "--enable-smoke-test-driver"]], indirect=True, ids=["inside"]
)
def test_the_editors_own_interface_gives_what_the_server_answers(
    vscode: VsCode, extensions: Path, lisp_workspace: Path, tmp_path: Path
) -> None:
    (installed,) = extensions.glob("descartes.descartes-*")
    printed = vscode.drive("inside.mjs", lisp_workspace, tmp_path, DESCARTES_TEST_EXTENSION=str(installed))
    assert "all done" in printed


def test_what_is_typed_in_a_terminal_is_read_edited_and_drawn(node: Path) -> None:
    assert "all done" in _run([str(node), str(DRIVERS / "typing.mjs"), str(EXTENSION)])


def test_the_lock_of_the_extension_names_no_registry() -> None:
    assert '"resolved"' not in (EXTENSION / "package-lock.json").read_text()


def test_the_schema_of_the_settings_files_is_packed_and_named(extensions: Path) -> None:
    (installed,) = extensions.glob("descartes.descartes-*")
    (named,) = json.loads((installed / "package.json").read_text())["contributes"]["tomlValidation"]
    schema = REPOSITORY / "docs" / "descartes.schema.json"
    assert (installed / named["url"]).read_text() == schema.read_text()


def _folders(data: Path, extensions: Path) -> list[str]:
    """Return the options that keep VS Code in folders of the test."""
    return [
        *("--server-data-dir", str(data), "--user-data-dir", str(data / "data")),
        *("--extensions-dir", str(extensions / "ext"), "--accept-server-license-terms"),
    ]


def _run(words: list[str], **environment: str) -> str:
    done = subprocess.run(
        words,
        cwd=EXTENSION,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{Path(words[1]).name} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("vscode", [["--disable-workspace-trust"]], indirect=True, ids=["debugger"])
def test_the_editors_own_debugger_stops_in_lisp_and_leaves_by_a_restart(
    vscode: VsCode, lisp_workspace: Path, tmp_path: Path
) -> None:
    (lisp_workspace / "ratio.lisp").unlink()
    (lisp_workspace / "orders.lisp").write_text(ORDERS)
    assert "all done" in vscode.drive("debugger.mjs", lisp_workspace, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("vscode", [["--disable-workspace-trust"]], indirect=True, ids=["deeper"])
def test_what_is_done_more_seldom_is_at_hand_too(
    vscode: VsCode, lisp_workspace: Path, tmp_path: Path
) -> None:
    (lisp_workspace / "ratio.asd").write_text(SYSTEM)
    (lisp_workspace / "ratio-tests.lisp").write_text(TESTS)
    (lisp_workspace / "walk.lisp").write_text(WALK)
    swank = tmp_path / "swank.lisp"
    swank.write_text(OTHER_LISP)
    printed = vscode.drive(
        "deeper.mjs",
        lisp_workspace,
        tmp_path,
        DESCARTES_TEST_HEIGHT="1000",
        DESCARTES_TEST_SWANK=str(swank),
    )
    assert "all done" in printed

"""The rules of the code base that no type checker holds."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lsprotocol import types

from descartes_server import app
from descartes_server.lsp import ext
from descartes_server.operations import registry

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("core/descartes_core", "swank/descartes_swank", "server/descartes_server")
FUNCTION_LINES, FILE_LINES = 80, 400


def test_layers_are_kept() -> None:
    program = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    assert program is not None
    done = subprocess.run([program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_method_of_the_protocol_is_implemented_or_listed() -> None:
    to_server = {
        method
        for method in types.METHOD_TO_TYPES
        if types.message_direction(method) in ("clientToServer", "both") and not method.startswith("$/")
    }
    manager = app.build().server.protocol.fm
    implemented = set(manager.features) | set(manager.builtin_features)
    assert implemented & set(app.NOT_IMPLEMENTED) == set()
    assert (implemented | set(app.NOT_IMPLEMENTED)) - {"$/setTrace"} == to_server


def test_every_operation_is_a_command_and_every_command_an_operation() -> None:
    assert set(registry.all_operations()) == set(ext.OPERATIONS)


def test_answers_as_data_touch_no_file_and_no_other_program() -> None:
    """What is in `ide/` works on texts; only tables that come with the program are read there."""
    banned = {"asyncio", "os", "socket", "subprocess", "shutil", "tempfile"}
    calls = {"open", "stat", "read_bytes", "write_text", "write_bytes", "iterdir", "glob", "exists"}
    found = []
    for path in sorted((ROOT / "server/descartes_server/ide").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = _called(node).rpartition(".")[2]
            found += [(path.name, name) for name in _imported(node) & banned]
            found += [(path.name, called)] if called in calls else []
    assert found == []


def test_places_in_the_units_of_the_protocol_are_made_at_its_edge() -> None:
    places = {"types.Location", "types.LocationLink", "types.Position", "types.Range"}
    found = []
    for path in sorted((ROOT / "server/descartes_server").rglob("*.py")):
        if path.parent.name != "lsp":
            nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            found += [(path.name, called) for called in map(_called, nodes) if called in places]
    assert found == []


def _imported(node: ast.AST) -> set[str]:
    """Return the packages that NODE imports."""
    if isinstance(node, ast.Import):
        return {each.name.partition(".")[0] for each in node.names}
    return {(node.module or "").partition(".")[0]} if isinstance(node, ast.ImportFrom) else set()


def _called(node: ast.AST) -> str:
    """Return what NODE calls, as it is written; nothing when it is no call."""
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


CLIENTS = {"vscode": "*.ts", "neovim": "*.lua", "emacs": "*.el"}


def test_what_is_added_to_the_protocol_is_described() -> None:
    text = (ROOT / "editors" / "PROTOCOL.md").read_text(encoding="utf-8")
    missing = [name for name in (*ext.NOTIFICATIONS, *ext.REQUESTS, ext.TRUST) if name not in text]
    assert missing == []


@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_knows_what_the_server_sends(client: str) -> None:
    folder = ROOT / "editors" / client
    files = [path for path in folder.rglob(CLIENTS[client]) if "node_modules" not in path.parts]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    assert [name for name in (*ext.NOTIFICATIONS, *ext.REQUESTS) if name not in text] == []


def sources() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_sizes(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= FILE_LINES
    long = [each.name for each in functions(text) if (each.end_lineno or 0) - each.lineno >= FUNCTION_LINES]
    assert long == []


def functions(text: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node

"""Nothing writes a file of the workspace without asking who holds it: each writer is known here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("core/descartes_core", "swank/descartes_swank", "server/descartes_server")
METHODS = frozenset(
    [
        "write_text",
        "write_bytes",
        "rename",
        "unlink",
        "rmdir",
        "symlink_to",
        "hardlink_to",
        "touch",
        "prepare",
    ]
)
FUNCTIONS = frozenset(
    f"{module}.{name}"
    for module, names in {
        "os": "replace rename renames remove unlink rmdir removedirs truncate symlink link mkfifo",
        "shutil": "rmtree move copy copy2 copyfile copytree",
    }.items()
    for name in names.split()
)


def writers() -> dict[str, list[str]]:
    """Return the calls that write, by the file that has them."""
    found: dict[str, list[str]] = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            calls = list(written(ast.parse(path.read_text(encoding="utf-8"))))
            if calls:
                found[str(path.relative_to(ROOT))] = calls
    return found


def written(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (name := writes(node)):
            yield f"{name}:{node.lineno}"


def writes(call: ast.Call) -> str | None:
    """Return what CALL is called when it writes, None when it only looks."""
    function = call.func
    if isinstance(function, ast.Name):
        return function.id if function.id == "prepare" or opens_to_write(call, 1) else None
    if not isinstance(function, ast.Attribute):
        return None
    owner = function.value.id if isinstance(function.value, ast.Name) else ""
    if owner in ("os", "shutil"):
        opened = function.attr == "open" and "O_WRONLY" in ast.dump(call) + "O_RDWR" * (
            "O_RDWR" in ast.dump(call)
        )
        return function.attr if f"{owner}.{function.attr}" in FUNCTIONS or opened else None
    if function.attr in METHODS:
        return function.attr
    if function.attr == "replace" and len(call.args) == 1 and not call.keywords:
        return "replace"  # of a path; that of a text takes two
    return "open" if function.attr == "open" and opens_to_write(call, 0) else None


def opens_to_write(call: ast.Call, position: int) -> bool:
    named = [each.value for each in call.keywords if each.arg == "mode"]
    mode = named[0] if named else call.args[position] if len(call.args) > position else None
    text = mode.value if isinstance(mode, ast.Constant) else ""
    is_open = isinstance(call.func, ast.Attribute) or (
        isinstance(call.func, ast.Name) and call.func.id == "open"
    )
    return is_open and isinstance(text, str) and bool(set(text) & set("wax+"))


OWN = "lies below .descartes/, the person's own folder, the runtime folder or the cache"
GIT = "git's own hooks, put in and taken out at a person's word"
NAMED = "a file that the person names or edits, made new"
SCRATCH = "a workspace that the demo made itself"
NOTHING = "writes nothing: a method or a variable of the same name"
LEASED = "a file of the workspace: leases are checked in the moment of writing"

KNOWN = {
    "core/descartes_core/config/files.py": LEASED,
    "core/descartes_core/config/versions.py": NOTHING,
    "core/descartes_core/memory/index.py": OWN,
    "core/descartes_core/memory/linking.py": OWN,
    "core/descartes_core/memory/note_files.py": OWN,
    "core/descartes_core/memory/thoughts.py": OWN,
    "core/descartes_core/agents/outside.py": NOTHING,
    "core/descartes_core/processes/keeper.py": OWN,
    "core/descartes_core/processes/kept.py": OWN,
    "core/descartes_core/processes/masked_output.py": OWN,
    "core/descartes_core/replacement.py": LEASED,
    "core/descartes_core/agents/replacements.py": LEASED,
    "core/descartes_core/runs/acp/channel.py": OWN,
    "core/descartes_core/runs/acp/permissions.py": NOTHING,
    "core/descartes_core/runs/allowing.py": NOTHING,
    "core/descartes_core/runs/output.py": OWN,
    "core/descartes_core/runs/process_run.py": OWN,
    "core/descartes_core/runs/tokens.py": OWN,
    "core/descartes_core/timetravel/applying.py": NOTHING,
    "core/descartes_core/timetravel/moving.py": LEASED,
    "core/descartes_core/timetravel/on_disk.py": LEASED,
    "core/descartes_core/timetravel/repository.py": OWN,
    "core/descartes_core/timetravel/snapshots.py": OWN,
    "core/descartes_core/trace/blobs.py": OWN,
    "core/descartes_core/places.py": OWN,
    "core/descartes_core/trace/places.py": OWN,
    "core/descartes_core/trace/trace_file.py": NAMED,
    "swank/descartes_swank/image.py": OWN,
    "swank/descartes_swank/plain_image.py": OWN,
    "swank/descartes_swank/saved_core.py": OWN,
    "swank/descartes_swank/succession.py": OWN,
    "server/descartes_server/cli/demo/client.py": SCRATCH,
    "server/descartes_server/cli/demo/document.py": SCRATCH,
    "server/descartes_server/cli/demo/editors.py": SCRATCH,
    "server/descartes_server/cli/demo/scratch.py": SCRATCH,
    "server/descartes_server/cli/demo/story.py": SCRATCH,
    "server/descartes_server/cli/main.py": NOTHING,
    "server/descartes_server/cli/repl/console.py": OWN,
    "server/descartes_server/cli/secret.py": NAMED,
    "server/descartes_server/cli/thoughts.py": NAMED,
    "server/descartes_server/features/questions.py": OWN,
    "server/descartes_server/features/secrets.py": OWN,
    "server/descartes_server/hub/main.py": OWN,
    "server/descartes_server/hub/record.py": OWN,
    "server/descartes_server/hub/server.py": OWN,
    "server/descartes_server/mcp/logs.py": OWN,
    "core/descartes_core/blobs.py": OWN,
    "server/descartes_server/operations/collecting.py": OWN,
    "server/descartes_server/operations/edit_questions.py": NOTHING,
    "server/descartes_server/operations/guard_hooks.py": GIT,
    "server/descartes_server/operations/guarding.py": OWN,
    "server/descartes_server/operations/lease.py": NOTHING,
    "server/descartes_server/operations/lease_requests.py": NOTHING,
    "server/descartes_server/operations/lisp_target.py": OWN,
    "server/descartes_server/operations/profiling.py": OWN,
    "server/descartes_server/operations/restart_questions.py": NOTHING,
    "server/descartes_server/operations/thought.py": NOTHING,
    "server/descartes_server/operations/trust.py": OWN,
    "server/descartes_server/operations/view_files.py": OWN,
    "server/descartes_server/operations/workspace.py": OWN,
}
"""Every file that has a call that may write, and where it writes.

Whoever adds one says so here. What writes a file that a person may have leased goes through
`agents.fenced.replace`, or checks with `leases.standing.stopping` in the transaction in which it writes.
"""

CHECKED = {
    "core/descartes_core/config/files.py": ("server/descartes_server/operations/writing.py", "stopping("),
    "core/descartes_core/replacement.py": ("core/descartes_core/agents/fenced.py", "leases.check(tx"),
    "core/descartes_core/agents/replacements.py": (
        "core/descartes_core/agents/run_leases.py",
        "own_lease(",
    ),
    "core/descartes_core/timetravel/moving.py": (
        "core/descartes_core/timetravel/sharing.py",
        "held_meanwhile(",
    ),
    "core/descartes_core/timetravel/on_disk.py": (
        "core/descartes_core/timetravel/sharing.py",
        "held_meanwhile(",
    ),
}
"""Where the leases are checked for those that write files of the workspace, and how that is called there."""


def test_whoever_writes_files_is_known_and_asks_who_holds_them() -> None:
    unknown = {file: calls for file, calls in writers().items() if file not in KNOWN}
    assert not unknown, "these write files: see KNOWN in tests/test_writes.py"
    assert {file for file, where in KNOWN.items() if where is LEASED} == set(CHECKED)
    for file, check in CHECKED.values():
        assert check in (ROOT / file).read_text(encoding="utf-8"), (file, check)


def test_a_new_writer_would_be_found() -> None:
    found = list(
        written(
            ast.parse(
                'Path(f).write_text("x"); open(f, "a"); os.rename(a, b); path.replace(other)\n'
                'path.open("wb"); text.replace("a", "b"); open(f); path.open("rb")\n'
                "os.path.join(a); os.open(f, os.O_WRONLY)\n"
            )
        )
    )
    assert [each.partition(":")[0] for each in found] == [
        "write_text",
        "open",
        "rename",
        "replace",
        "open",
        "open",
    ]

"""What `descartes demo` does: tells the story, or opens its workspace in an editor."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

from descartes_core.errors import InvalidParams, NotFound
from descartes_server.cli.demo import editors
from descartes_server.cli.demo import scratch as scratches
from descartes_server.cli.demo.client import Client, ServerError
from descartes_server.cli.demo.scratch import Scratch
from descartes_server.cli.demo.screen import Screen, Unexpected
from descartes_server.cli.demo.story import Story


def run(*, quiet: bool, editor: str | None) -> int:
    """Tell the demo, or open its workspace in EDITOR; returns the exit status.

    Errors: `NotFound` when the library or the editor is not installed.
    """
    if editor is not None:
        return _open(editor)
    scratch = scratches.make()
    screen = Screen(quiet=quiet)
    if not quiet:
        screen.line("workspace", str(scratch.workspace))
    happened = asyncio.run(_tell(scratch, screen))
    if happened:
        scratch.remove()
    return 0 if happened else 1


async def _tell(scratch: Scratch, screen: Screen) -> bool:
    log = scratch.folder / "server.log"
    client = await Client.start(scratch.workspace, scratch.environment(), log)
    try:
        await Story(client, scratch, screen).tell()
        status = await client.stop()
        if status != 0:
            raise Unexpected(f"expected the server to end with status 0, got {status}")
        screen.end()
    except (Unexpected, ServerError, TimeoutError) as problem:
        screen.failed(str(problem) or type(problem).__name__, str(scratch.folder))
        return False
    except Exception as problem:
        # An answer had another shape than the story knows.
        screen.failed(
            f"expected another answer, got {type(problem).__name__}: {problem}", str(scratch.folder)
        )
        return False
    else:
        return True
    finally:
        await client.kill()
        await _clean_up(scratch)


async def _clean_up(scratch: Scratch) -> None:
    """End the hub and the image of the scratch workspace."""
    for words in (["lisp", "stop"], ["hub", "stop", "--force"]):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "descartes_server",
            *words,
            "--workspace",
            str(scratch.workspace),
            env=scratch.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        await process.wait()


def _open(editor: str) -> int:
    if editor not in editors.EDITORS:
        raise InvalidParams(f"expected one of {', '.join(editors.EDITORS)}, got {editor!r}")
    program = shutil.which(editor)
    if program is None:
        raise NotFound(f"expected {editor} on the PATH, it is not installed")
    extensions = editors.extensions()
    if editor == "code":
        editors.build(extensions / "vscode")
    scratch = scratches.make()
    environment = scratch.environment()
    trust = [sys.executable, "-m", "descartes_server", "trust", str(scratch.workspace)]
    subprocess.run(trust, env=environment, check=True, stdout=subprocess.DEVNULL)
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    editors.configure(editor, scratch)
    until = f"{scratch.story.name} or the window" if editor == "code" else "the editor"
    Screen(quiet=False).line("workspace", f"{scratch.workspace}, which goes when {until} is closed")
    words = editors.words(program, editor, scratch, extensions)
    status = subprocess.run(words, env=environment, cwd=scratch.workspace, check=False).returncode
    asyncio.run(_clean_up(scratch))
    scratch.remove()
    return status

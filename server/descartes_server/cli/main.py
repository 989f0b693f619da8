"""The command `descartes`: commands found and imported by name, errors as one sentence, never a traceback."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from pathlib import Path
from typing import Any

import click

from descartes_core.errors import DescartesError, NotFound, RunNotFound
from descartes_server import __version__

OWN = {
    "config": "descartes_server.cli.config:config",
    "daemon": "descartes_server.cli.processes:daemon",
    "dap": "descartes_server.cli.processes:dap",
    "demo": "descartes_server.cli.processes:demo",
    "doctor": "descartes_server.cli.doctor:doctor",
    "edit": "descartes_server.cli.edit:edit",
    "gc": "descartes_server.cli.gc:gc",
    "guard": "descartes_server.cli.guard:guard",
    "history": "descartes_server.cli.history:history",
    "hook": "descartes_server.cli.guard:hook",
    "hub": "descartes_server.cli.hub:hub",
    "lsp": "descartes_server.cli.processes:lsp",
    "mcp": "descartes_server.cli.processes:mcp",
    "repl": "descartes_server.cli.processes:repl",
    "secret": "descartes_server.cli.secret:secret",
    "secrets": "descartes_server.cli.secret:secret",
    "restore": "descartes_server.cli.restore:restore",
    "spawn": "descartes_server.cli.spawn:spawn",
    "thoughts": "descartes_server.cli.thoughts:thoughts",
    "trust": "descartes_server.cli.trust:trust",
}
"""Commands written by hand; those of every other resource are made from its operations."""

SUMMARIES = {
    "config": "Show and change the settings.",
    "daemon": "Run the hub of a workspace in this terminal.",
    "dap": "Serve one debugger of an editor.",
    "debugger": "Look into stopped threads and leave them.",
    "demo": "Tell a true session on a real library.",
    "doctor": "Say what was found: Lisp, Swank, git, the log, the hub.",
    "edit": "Replace a text in many files: looked at first, all or nothing.",
    "file": "Read a file, and change it under its lease.",
    "gc": "Say what old data would go; --apply lets it go.",
    "guard": "Have git refuse commits that change what others have leased.",
    "history": "Show what happened, newest first.",
    "hook": "Answer the hooks of other programs' agents.",
    "hub": "Show or end the background process of a workspace.",
    "inspector": "Look into objects of the image and change them.",
    "intervention": "List and answer what runs ask.",
    "lease": "Take, show and give back leases on files.",
    "lisp": "Start the live image, evaluate, compile and load.",
    "lsp": "Serve one editor.",
    "mcp": "Serve one agent program, such as Claude Code.",
    "repl": "Converse with the live image.",
    "restore": "Go back to a moment of a run: files, conversation, image.",
    "run": "Show and steer runs.",
    "secret": "Keep secrets, and give them to steps by name.",
    "secrets": "The same as secret.",
    "session": "Show sessions, fork them, keep them in files.",
    "spawn": "Start a run.",
    "thought": "The same as thoughts, with every option of the operations.",
    "thoughts": "Write and find notes, yours and those of agents.",
    "whiteboard": "Write on the board that the runs of a session share.",
    "wisdom": "Keep what was learned, and how far it proved true.",
    "trust": "Trust a workspace, or list those that are.",
}


class Commands(click.Group):
    """The top level; a command is imported when it is given, so that `--help` and one command stay fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from descartes_server.operations import registry

        return sorted({*OWN, *registry.MODULES})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if place := OWN.get(cmd_name):
            module, _, name = place.partition(":")
            command: click.Command = getattr(importlib.import_module(module), name)
            return command
        from descartes_server.operations import registry

        if cmd_name in registry.MODULES:
            from descartes_server.cli.generated import group_of

            return group_of(cmd_name, SUMMARIES.get(cmd_name, ""))
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, SUMMARIES.get(name, "")) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(
    cls=Commands, epilog="Example: descartes lease list", context_settings={"max_content_width": 110}
)
@click.option(
    "--color", type=click.Choice(["auto", "always", "never"]), default="auto", help="When to colour."
)
@click.option("-q", "--quiet", is_flag=True, help="Print results only.")
@click.option("-v", "--verbose", is_flag=True, help="Say more on standard error.")
@click.version_option(__version__, prog_name="descartes")
@click.pass_context
def descartes(ctx: click.Context, color: str, quiet: bool, verbose: bool) -> None:
    """A live Common Lisp image, agents, and the rules for sharing a workspace, in the editor you use."""
    ctx.color = {"always": True, "never": False}.get(color)
    ctx.obj = {"quiet": quiet}
    if verbose:
        logging.basicConfig(level=logging.DEBUG, stream=sys.stderr, format="%(name)s: %(message)s")


def main(arguments: list[str] | None = None) -> int:
    """Run the command of ARGUMENTS (default: this process's) and return its exit status."""
    try:
        result: Any = descartes.main(arguments, prog_name="descartes", standalone_mode=False)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except DescartesError as error:
        click.echo(error.message, err=True)
        return 2 if isinstance(error, NotFound | RunNotFound) else 1
    except BrokenPipeError:
        # Whoever read our output has gone; what Python would write while ending must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception:
        click.echo(f"This is a mistake in Descartes; {str(_log_failure())!r} says what happened", err=True)
        return 1
    return result if isinstance(result, int) else 0


def _log_failure() -> Path:
    """Write the exception that is being handled to the log of the command line; returns where that is."""
    from descartes_server.operations import workspace

    file = workspace.home() / "log" / "cli.log"
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handler = logging.FileHandler(file)
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(message)s"))
    log = logging.getLogger("descartes.cli")
    log.propagate = False
    log.addHandler(handler)
    log.exception("descartes %s failed", " ".join(sys.argv[1:2]))
    handler.close()
    return file

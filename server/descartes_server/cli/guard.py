"""`descartes guard` and `descartes hook`: what git and other programs' agents call before they write."""

from __future__ import annotations

from typing import Any

import click

from descartes_server.cli.generated import command_of
from descartes_server.operations import registry

guard = click.Group(
    "guard",
    help="Have git refuse commits that change what others have leased.",
    epilog="Example: descartes guard install",
)
for _operation in registry.of_resource("guard"):
    guard.add_command(command_of(_operation, _operation.verb))


@guard.command(
    "check",
    epilog="Example: descartes guard check pre-commit",
    context_settings={"ignore_unknown_options": True},
)
@click.option("--warn", is_flag=True, help="Only say what would be refused.")
@click.argument("hook", metavar="pre-commit|pre-push")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def check(warn: bool, hook: str, arguments: tuple[str, ...]) -> int:
    """Check what git is about to commit or push; git's hooks call this."""
    from descartes_server.operations import guarding

    return guarding.main([*(["--warn"] if warn else []), hook, *arguments])


class Misuse(click.UsageError):
    """A command given wrongly."""

    exit_code = 1


class NeverBlocking(click.Group):
    """Commands whose misuse ends with 1: the programs that call hooks take 2 for a refusal."""

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        try:
            return super().make_context(*arguments, **options)
        except click.UsageError as error:
            raise Misuse(error.message, error.ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            raise Misuse(error.message, error.ctx) from None


hook = NeverBlocking(
    "hook",
    help="Answer the hooks of other programs' agents.",
    epilog="Example: descartes hook pre-tool < call.json",
)


@hook.command("pre-tool", epilog="Example: descartes hook pre-tool < call.json")
@click.option("--warn", is_flag=True, help="Only tell the person what would be denied.")
def pre_tool(warn: bool) -> int:
    """Read a tool call as Claude Code's PreToolUse hook sends it; deny it for a file that another holds."""
    from descartes_server.operations import pre_tool as hooks

    return hooks.main(warn=warn)

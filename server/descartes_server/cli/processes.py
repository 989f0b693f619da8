"""The commands that become something: a hub, a language server, a debug adapter, the demo."""

from __future__ import annotations

import click

from descartes_core.errors import Unsupported


@click.command("daemon", epilog="Example: descartes daemon --workspace ~/src/my-system")
@click.option("--workspace", metavar="DIR", help="The workspace (default: that of this folder).")
@click.option("--detached", is_flag=True, help="Go on in the background; say on standard output how it went.")
@click.option("--password-from", type=int, hidden=True)
def daemon(workspace: str | None, detached: bool, password_from: int | None) -> int:
    """Run the hub of a workspace in this terminal until it is interrupted."""
    from descartes_server.cli.session import Session
    from descartes_server.hub import main as hub

    password = hub.take_password(password_from)
    return hub.daemon(Session(workspace).workspace, detached=detached, password=password)


@click.command("dap", epilog="Example: descartes dap")
def dap() -> int:
    """Serve one client of the Debug Adapter Protocol on standard input and output."""
    from descartes_server.dap import adapter

    return adapter.serve()


@click.command("mcp", epilog="Example: descartes mcp --workspace ~/src/my-system")
@click.option("--workspace", metavar="DIR", help="The workspace (default: that of this folder).")
@click.option(
    "--only", metavar="RESOURCE,…", help="Offer the tools of these resources only, as lisp,debugger."
)
def mcp(workspace: str | None, only: str | None) -> int:
    """Serve one agent program in the Model Context Protocol on standard input and output."""
    from descartes_server.mcp import session, tools

    offered = tools.of_resources([each.strip() for each in (only or "").split(",") if each.strip()])
    try:
        from descartes_server.mcp import server
    except ModuleNotFoundError as error:
        raise Unsupported(
            f"expected the library {error.name!r} for the Model Context Protocol, it is not installed;"
            " pip install 'descartes-lsp[mcp]'"
        ) from None
    return server.serve(session.found(workspace), offered)


@click.command("lsp", epilog="Example: descartes lsp --stdio")
@click.option("--stdio", is_flag=True, help="Talk over standard input and output; this is the default.")
@click.option("--tcp", metavar="HOST:PORT", help="Listen on this loopback address for one client instead.")
@click.option("--embedded", is_flag=True, help="Keep the hub in this process; its runs pause when it ends.")
def lsp(stdio: bool, tcp: str | None, embedded: bool) -> int:
    """Serve one editor in the Language Server Protocol."""
    if stdio and tcp:
        raise click.UsageError("--stdio and --tcp exclude each other; give one")
    from descartes_server import app

    return app.serve(_address(tcp) if tcp else None, embedded=embedded)


@click.command("demo", epilog="Example: descartes demo --with nvim")
@click.option("--quiet", is_flag=True, help="Print only what went wrong.")
@click.option(
    "--with", "editor", type=click.Choice(["nvim", "emacs", "code"]), help="Open it in this editor."
)
def demo(quiet: bool, editor: str | None) -> int:
    """Tell a true session with the real server on a real library, step by step."""
    from descartes_server.cli.demo import command

    return command.run(quiet=quiet, editor=editor)


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise click.UsageError(f"expected HOST:PORT such as 127.0.0.1:0, got {text!r}")
    return host.strip("[]"), int(port)


@click.command("repl", epilog="Example: descartes repl work")
@click.argument("name", default="terminal")
@click.option("--workspace", metavar="DIR", help="The workspace (default: that of this folder).")
@click.option("--trust", is_flag=True, help="Trust the workspace from now on, without a question.")
def repl(name: str, workspace: str | None, trust: bool) -> int:
    """Converse with the live image; the REPL NAME goes on where it was left."""
    from descartes_server.cli.repl.console import Console
    from descartes_server.cli.repl.link import Link
    from descartes_server.cli.session import Session
    from descartes_server.operations import registry

    session = Session(workspace)
    session.ask_for_trust(registry.lookup("lisp.eval"), given=trust)
    with Link(session) as link:
        return Console(link, name).run()

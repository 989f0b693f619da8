"""The program `descartes`, also as `python -m descartes_server`."""

from __future__ import annotations

import sys

from descartes_server import garbage


def main() -> None:
    """Run the command line and end the process with its status."""
    if sys.argv[1:] in (["lsp"], ["lsp", "--stdio"]):
        # The command line's own modules would take a tenth of the time until an editor has its first answer.
        garbage.pause()
        from descartes_server import app

        sys.exit(app.serve())
    if sys.argv[1:] == ["hook", "pre-tool"]:
        # Called before every tool of an agent, which waits for it.
        from descartes_server.operations import pre_tool

        sys.exit(pre_tool.main())
    from descartes_server.cli.main import main as run

    sys.exit(run())


if __name__ == "__main__":
    main()

"""The program `descartes`, also as `python -m descartes_server`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and end the process with its status."""
    from descartes_server.cli.main import main as run

    sys.exit(run())


if __name__ == "__main__":
    main()

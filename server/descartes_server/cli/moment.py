"""What a run knew and held at a moment, printed for a person."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

import click

from descartes_server.ide import moment


def show(state: Mapping[str, Any]) -> None:
    """Print STATE, what `history.state` answered."""
    width = min(shutil.get_terminal_size().columns, 110)
    for line in moment.lines(state, width):
        is_title = line.endswith(":") and not line.startswith(" ")
        click.echo(click.style(line, bold=True) if is_title else line)

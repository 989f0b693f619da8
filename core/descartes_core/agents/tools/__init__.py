"""The tools that agents have, by name."""

from __future__ import annotations

from descartes_core.agents.tools import files, lisp, many_files, remembering, shell
from descartes_core.agents.tools.tool import Tool

TOOLS: dict[str, Tool] = {
    each.name: each
    for each in (
        files.read,
        files.write,
        files.edit,
        many_files.edit_files,
        files.list_,
        files.search,
        shell.shell,
        lisp.lisp_eval,
        lisp.lisp_compile,
        lisp.lisp_inspect,
        lisp.lisp_restart,
        remembering.note_create,
        remembering.note_search,
        remembering.note_show,
        remembering.board_post,
        remembering.board_read,
        remembering.board_annotate,
        remembering.wisdom_add,
        remembering.wisdom_search,
        remembering.wisdom_outcome,
    )
}

WRITING = frozenset({"write", "edit", "edit_files"})
"""Tools whose files are leased before they are asked about."""

COMMANDS = frozenset({"shell"})
"""Tools whose `command` is looked through for the files that it plainly changes."""

"""The one policy check, as a table."""

from __future__ import annotations

import pytest

from descartes_core.agents.tools import TOOLS
from descartes_core.errors import InvalidParams, PolicyDenied
from descartes_core.policy.rules import (
    LEVELS,
    Allow,
    Ask,
    Asker,
    Deny,
    Policy,
    ToolCall,
    ToolLevel,
    level_of_child,
)

TABLE = """
                read-only  lisp-developer  full   trusted
read            allow      allow           allow  allow
list            allow      allow           allow  allow
search          allow      allow           allow  allow
write           deny       deny            ask    allow
edit            deny       deny            ask    allow
edit_files      deny       deny            ask    allow
shell           deny       ask             ask    allow
lisp_eval       deny       ask             ask    allow
lisp_compile    deny       ask             ask    allow
lisp_inspect    deny       allow           allow  allow
lisp_restart    deny       ask             ask    allow
note_create     deny       allow           allow  allow
note_search     allow      allow           allow  allow
note_show       allow      allow           allow  allow
board_post      allow      allow           allow  allow
board_read      allow      allow           allow  allow
board_annotate  allow      allow           allow  allow
wisdom_add      deny       allow           allow  allow
wisdom_search   allow      allow           allow  allow
wisdom_outcome  deny       allow           allow  allow
"""


def calling(tool: str, **arguments: object) -> ToolCall:
    return ToolCall(id="call_1_1", name=tool, arguments=arguments)


@pytest.mark.ledger("A-23", "D-76", "D-77")
def test_what_each_level_may_do() -> None:
    head, *lines = [line.split() for line in TABLE.strip().splitlines()]
    assert [line[0] for line in lines] == sorted(TOOLS, key=[line[0] for line in lines].index)
    assert head == list(LEVELS)
    word = {Allow: "allow", Ask: "ask", Deny: "deny"}
    for tool, *expected in lines:
        got = [word[type(Policy().decide(calling(tool), Asker(level)))] for level in LEVELS]
        assert got == expected, tool


@pytest.mark.ledger("A-26")
def test_the_same_call_rejected_twice_is_denied_whatever_the_order_of_its_arguments() -> None:
    call, same = calling("write", path="a", content="b"), calling("write", content="b", path="a")
    assert call.key() == same.key() != calling("write", path="a", content="c").key()
    assert isinstance(Policy().decide(same, Asker("full", {call.key(): 1})), Ask)
    assert isinstance(Policy().decide(same, Asker("full", {call.key(): 2})), Deny)


@pytest.mark.ledger("A-20")
def test_a_child_gets_at_most_the_level_of_its_parent() -> None:
    for parent in LEVELS:
        for asked in LEVELS:
            if LEVELS.index(asked) <= LEVELS.index(parent):
                assert level_of_child(asked, parent) == asked
            else:
                with pytest.raises(PolicyDenied):
                    level_of_child(asked, parent)


def test_the_level_that_nobody_asked_for_is_full_or_the_parents_if_that_is_less() -> None:
    parents: list[ToolLevel | None] = [None, *LEVELS]
    assert [level_of_child(None, parent) for parent in parents] == [
        "full", "read-only", "lisp-developer", "full", "full",
    ]  # fmt: skip
    with pytest.raises(InvalidParams, match="read-only, lisp-developer, full, trusted"):
        level_of_child("root", None)

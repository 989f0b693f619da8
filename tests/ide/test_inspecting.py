"""What is inspected about a symbol, and the page and link that editors get."""

from __future__ import annotations

import pytest

from descartes_server.ide import inspecting


@pytest.mark.parametrize(
    ("kinds", "code"),
    [
        (["variable"], "it"),
        (["constant"], "it"),
        (["function"], "#'it"),
        (["generic", "class"], "#'it"),
        (["macro"], "(cl:macro-function 'it)"),
        (["structure"], "(cl:find-class 'it)"),
        (["special-operator"], None),
        ([], None),
    ],
)
def test_a_symbol_is_inspected_as_what_it_names(kinds: list[str], code: str | None) -> None:
    assert inspecting.expression("it", kinds) == code


def test_the_client_may_name_a_command_of_its_own() -> None:
    own = inspecting.command("*a*", ["variable"], "CL-USER", {"inspect": "my.inspect"})
    assert own is not None and (own.name, dict(own.arguments)) == (
        "my.inspect",
        {"expression": "*a*", "package": "CL-USER"},
    )
    servers = inspecting.command("*a*", ["variable"], "CL-USER", True)
    assert servers is not None and servers.name == inspecting.OPEN and servers.arguments["show"] is True
    assert inspecting.link(own).startswith("[Inspect](command:my.inspect?%5B%7B")


def test_a_page_has_a_line_for_each_part() -> None:
    shown = {"title": "(1)", "type": "CONS", "parts": [{"text": "0 = 1"}], "more": True}
    assert inspecting.document(shown) == "(1)\nCONS\n\n0 = 1\n…\n"

"""The stopped threads as a document: the picture of the specification."""

from __future__ import annotations

import pytest

from descartes_server.ide.debugger_document import document

STOP = {
    "thread": 0,
    "level": 1,
    "condition": {"type": "SIMPLE-ERROR", "message": "Division by zero"},
    "restarts": [
        {"index": 0, "name": "ABORT", "description": "Return to REPL", "arguments": []},
        {"index": 1, "name": "USE-VALUE", "description": "Use it", "arguments": [{"name": "V"}]},
    ],
    "frames": [
        {"index": 0, "description": "(/ 10 0)"},
        {"index": 1, "description": "(CALCULATE-RESULT ...)"},
    ],
    "frameCount": 3,
}


@pytest.mark.ledger("D-75")
def test_the_picture_of_the_specification() -> None:
    lines = [line.rstrip() for line in document([STOP]).splitlines() if line.strip()]
    assert lines == [
        "# Lisp Debugger",
        "Condition: SIMPLE-ERROR",
        'Message: "Division by zero"',
        "Thread: 0 | Debug Level: 1",
        "Restarts:",
        "    [0] ABORT - Return to REPL",
        "    [1] USE-VALUE v - Use it",
        "Stack:",
        "    0: (/ 10 0)",
        "    1: (CALCULATE-RESULT ...)",
        "    … 1 more",
        "The restarts are code actions and lenses of the stopped form; by hand:",
        "`descartes debugger restart --thread 0 --level 1 NAME`",
    ]


def test_the_stops_come_as_they_are_listed_and_nothing_says_so() -> None:
    text = document([{**STOP, "level": 2}, STOP])
    assert text.index("Debug Level: 2") < text.index("Debug Level: 1")
    assert "No thread is stopped" in document([])

"""Every event Swank sends, in the shapes of 2.27 and of newer servers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_swank import messages as m
from descartes_swank import parsing
from descartes_swank.sexp import Symbol, read

_DEBUG_PARTS = (
    '("arithmetic error" "   [Condition of type DIVISION-BY-ZERO]" ((:show-frame-source 0)))'
    ' (("RETRY" "Retry.") ("*ABORT" "Return to top level.")) '
    ' ((0 "(/ 1 0)" (:restartable t)) (1 "(EVAL 1)")) (12 7)'
)
_CONDITION = m.ConditionText("arithmetic error", "DIVISION-BY-ZERO", [[Symbol(":show-frame-source"), 0]])
_RESTARTS = (m.RestartText("RETRY", "Retry.", False), m.RestartText("ABORT", "Return to top level.", True))
_FRAMES = (m.FrameText(0, "(/ 1 0)", True), m.FrameText(1, "(EVAL 1)", False))

EVENTS: list[tuple[str, m.Event]] = [
    ('(:return (:ok (1 "x")) 17)', m.Return(17, True, [1, "x"])),
    ("(:return (:ok nil) 17)", m.Return(17, True, None)),
    ('(:return (:abort "boom") 17)', m.Return(17, False, "boom")),
    ("(:return (:abort nil) 17)", m.Return(17, False, None)),
    (f"(:debug 3 1 {_DEBUG_PARTS})", m.Debug(3, 1, _CONDITION, _RESTARTS, _FRAMES, (12, 7))),
    (
        '(:debug 96638312 2 ("no extras" "[Condition of type FOO:BAR]" nil) nil nil nil)',
        m.Debug(96638312, 2, m.ConditionText("no extras", "FOO:BAR", None), (), (), ()),
    ),
    ("(:debug-activate 3 1)", m.DebugActivate(3, 1, False)),
    ("(:debug-activate 3 1 nil)", m.DebugActivate(3, 1, False)),
    ("(:debug-activate 3 1 t)", m.DebugActivate(3, 1, True)),
    ("(:debug-return 3 1 nil)", m.DebugReturn(3, 1, False)),
    ("(:debug-return 3 1 t)", m.DebugReturn(3, 1, True)),
    ('(:debug-condition 3 "frame gone")', m.DebugCondition(3, "frame gone")),
    ('(:write-string "a\nb")', m.WriteString("a\nb", None, None)),
    ('(:write-string "3\n" :repl-result)', m.WriteString("3\n", Symbol(":repl-result"), None)),
    ('(:write-string "1" nil 96638312)', m.WriteString("1", None, 96638312)),
    ('(:write-string "3" :repl-result 5)', m.WriteString("3", Symbol(":repl-result"), 5)),
    ("(:new-repl-output)", m.NewReplOutput()),
    ("(:read-string 3 9)", m.ReadString(3, 9)),
    ("(:read-aborted 3 9)", m.ReadAborted(3, 9)),
    ('(:read-from-minibuffer 3 9 "Name: " "x")', m.ReadFromMinibuffer(3, 9, "Name: ", "x")),
    ('(:read-from-minibuffer 3 9 "Name: " nil)', m.ReadFromMinibuffer(3, 9, "Name: ", None)),
    ('(:y-or-n-p 3 9 "Sure?")', m.YesOrNo(3, 9, "Sure?")),
    ('(:new-package "SWANK" "SWANK")', m.NewPackage("SWANK", "SWANK")),
    ('(:new-features (":a" ":b"))', m.NewFeatures((":a", ":b"))),
    ("(:new-features (:a :b))", m.NewFeatures((":a", ":b"))),
    (
        '(:indentation-update (("when" 1 ("CL")) ("x" (4 "&body") ("A" "B"))))',
        m.IndentationUpdate((["when", 1, ["CL"]], ["x", [4, "&body"], ["A", "B"]])),
    ),
    ("(:ping 3 9)", m.Ping(3, 9)),
    ("(:ping :repl-thread 9)", m.Ping(Symbol(":repl-thread"), 9)),
    ('(:background-message "hi")', m.BackgroundMessage("hi")),
    ('(:ed ("a.lisp" 3))', m.Edit(["a.lisp", 3])),
    ("(:ed nil)", m.Edit(None)),
    ('(:inspect (:title "x") nil nil)', m.Inspect([Symbol(":title"), "x"], None, None)),
    ('(:inspect (:title "x") 3 9)', m.Inspect([Symbol(":title"), "x"], 3, 9)),
    ('(:eval 3 9 "(message)")', m.EvaluateInEditor(3, 9, "(message)")),
    ('(:eval-no-wait "(message)")', m.EvaluateInEditor(None, None, "(message)")),
    ('(:ed-rpc 3 9 "f" 1 "x")', m.EditorCall(3, 9, "f", (1, "x"))),
    ('(:ed-rpc-no-wait "f" 1)', m.EditorCall(None, None, "f", (1,))),
    ("(:channel-send 1 (:prompt))", m.ChannelSend(1, [Symbol(":prompt")])),
    ("(:presentation-start 1 :repl-result)", m.PresentationStart(1, Symbol(":repl-result"))),
    ("(:presentation-end 1)", m.PresentationEnd(1, None)),
    ('(:write-image ((:data "x")) "str")', m.WriteImage(([[Symbol(":data"), "x"]], "str"))),
    ("(:test-delay 0.5)", m.TestDelay(0.5)),
    ("(:open-dedicated-output-stream 4006 nil)", m.OpenDedicatedOutputStream(4006, None)),
    ('(:reader-error "(:emacs-rex" "end of file")', m.ReadFailed("(:emacs-rex", "end of file")),
    ('(:invalid-rpc 17 "Thread not found: 5")', m.RpcInvalid(17, "Thread not found: 5")),
]


@pytest.mark.parametrize(("text", "event"), EVENTS)
def test_every_event_has_its_shape(text: str, event: m.Event) -> None:
    assert parsing.parse(read(text)[0]) == event


def test_no_event_is_without_an_example() -> None:
    assert {type(event) for _, event in EVENTS} == set(m.Event.__args__) - {m.Unknown}


@pytest.mark.parametrize(
    "text",
    [
        "nil", "42", '"text"', "(1 2)", "(:future-event 1)", "(:ping)", '(:ping "3" 9)', "(:ping t t)",
        "(:debug 3 1)", "(:debug 3 1 x y z w)", "(:return)", "(:return (:odd 1) 2)", "(:return (:ok 1) nil)",
        "(:write-string 5)", "(:write-string . 5)", "(:new-features 7)",
    ],
)  # fmt: skip
def test_other_forms_are_unknown(text: str) -> None:
    form = read(text)[0]
    assert parsing.parse(form) == m.Unknown(form)


values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.just(True),
        st.integers(),
        st.text(max_size=3),
        st.sampled_from(["a", ":ok"]).map(Symbol),
    ),
    lambda inner: st.lists(inner, min_size=1, max_size=6),
    max_leaves=20,
)


@given(st.sampled_from([text.split()[0].strip("()") for text, _ in EVENTS]), st.lists(values, max_size=6))
def test_no_form_makes_it_fail(name: str, arguments: list[Any]) -> None:
    parsing.parse([Symbol(name), *arguments])
    parsing.parse(arguments)


def test_the_parts_of_a_stop_are_read_from_an_answer_too() -> None:
    info = parsing.debug_info(read(f"({_DEBUG_PARTS})")[0])
    assert info == m.DebugInfo(_CONDITION, _RESTARTS, _FRAMES, (12, 7))
    assert parsing.debug_info("nothing") is None
    assert parsing.debug_info([1, 2]) is None
    assert parsing.frames(read('((0 "(/ 1 0)" (:restartable t)) (1 "(EVAL 1)") (bad))')[0]) == _FRAMES
    assert parsing.frames(None) == ()

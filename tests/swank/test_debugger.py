"""The state machine of stopped threads, over every order of events, against a plain model."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from descartes_swank.debugger import (
    AbortRequest,
    Announce,
    Condition,
    Debugger,
    Describe,
    Effect,
    Leave,
    RestartArgument,
    Stop,
    StopId,
)
from descartes_swank.descriptions import read_references, read_stop
from descartes_swank.forms import Symbol


def _stop(thread: int, level: int, message: str = "") -> Stop:
    return Stop(thread, level, Condition("ERROR", message), (), (), 0, None)


def _visit(effects: list[Effect]) -> int:
    (effect,) = effects
    assert isinstance(effect, Describe)
    return effect.visit


def _stopped(debugger: Debugger, thread: int, level: int) -> Stop:
    stop = _stop(thread, level)
    visit = _visit(debugger.entered(thread, level, silent=False))
    assert debugger.described(visit, stop) == [Announce(stop)]
    return stop


def test_a_stop_is_announced_once_and_left_once() -> None:
    debugger = Debugger()
    stop = _stopped(debugger, 1, 1)
    assert debugger.entered(1, 1, silent=False) == []
    assert (debugger.stops, debugger.waiting(1, 1)) == ({(1, 1): stop}, stop)
    assert debugger.left(1, 1) == [Leave(1, 1)]
    assert debugger.left(1, 1) == []
    assert (debugger.stops, debugger.waiting(1, 1)) == ({}, None)


def test_a_parent_is_announced_again_once_though_swank_says_it_twice() -> None:
    debugger = Debugger()
    outer, inner = _stopped(debugger, 1, 1), _stopped(debugger, 1, 2)
    assert debugger.stops == {(1, 1): outer, (1, 2): inner}
    assert (debugger.waiting(1, 1), debugger.waiting(1, 2)) == (None, inner)
    assert debugger.left(1, 2) == [Leave(1, 2)]
    assert debugger.waiting(1, 1) is None, "it may be on its way out as well"
    assert debugger.entered(1, 1, silent=False) == [Announce(outer)]
    assert debugger.entered(1, 1, silent=False) == []
    assert debugger.waiting(1, 1) == outer


def test_leaving_for_the_top_never_shows_the_parents_again() -> None:
    debugger = Debugger()
    for level in (1, 2, 3):
        _stopped(debugger, 1, level)
    effects = [effect for level in (3, 2, 1) for effect in debugger.left(1, level)]
    assert effects == [Leave(1, 3), Leave(1, 2), Leave(1, 1)]


def test_levels_entered_while_nobody_listened_are_left_as_well() -> None:
    debugger = Debugger()
    _stopped(debugger, 1, 3)
    assert debugger.left(1, 3) == [Leave(1, 3)]
    assert debugger.left(1, 2) == [Leave(1, 2)]
    outer = _stopped(debugger, 1, 1)
    assert (debugger.left(1, 1), debugger.left(1, 1)) == ([Leave(1, 1)], []) and outer.level == 1


def test_a_lost_event_does_not_leave_a_level_behind() -> None:
    debugger = Debugger()
    outer, _ = _stopped(debugger, 1, 1), _stopped(debugger, 1, 2)
    assert debugger.entered(1, 1, silent=False) == [Leave(1, 2), Announce(outer)]


def test_a_request_of_ours_is_aborted_and_never_shown() -> None:
    debugger = Debugger()
    assert debugger.entered(1, 1, silent=True) == [AbortRequest(1, 1)]
    assert debugger.entered(1, 1, silent=True) == []
    assert debugger.stops == {}
    assert debugger.left(1, 1) == []
    stop = _stopped(debugger, 1, 1)
    assert debugger.entered(1, 2, silent=True) == [AbortRequest(1, 2)]
    assert debugger.waiting(1, 1) == stop


def test_an_answer_that_comes_too_late_is_dropped() -> None:
    debugger = Debugger()
    first = _visit(debugger.entered(1, 1, silent=False))
    assert debugger.left(1, 1) == []
    second = _visit(debugger.entered(1, 1, silent=False))
    assert debugger.described(first, _stop(1, 1, "old")) == []
    new = _stop(1, 1, "new")
    assert debugger.described(second, new) == [Announce(new)]


def test_a_stop_that_turns_out_to_be_nobodys_is_aborted() -> None:
    debugger = Debugger()
    visit = _visit(debugger.entered(1, 1, silent=False))
    assert debugger.silence(visit, 1) == [AbortRequest(1, 1)]
    assert debugger.described(visit, _stop(1, 1)) == []


def test_a_lisp_that_is_lost_leaves_everything() -> None:
    debugger = Debugger()
    for thread, level in ((1, 1), (1, 2), (7, 1)):
        _stopped(debugger, thread, level)
    assert debugger.lost() == [Leave(1, 2), Leave(1, 1), Leave(7, 1)]
    assert (debugger.lost(), debugger.stops) == ([], {})


@dataclass
class World:
    """Threads of a Lisp as they really are, and what a watcher of the effects sees."""

    debugger: Debugger = field(default_factory=Debugger)
    depth: dict[int, int] = field(default_factory=dict)
    silent: set[StopId] = field(default_factory=set)
    asked: list[Describe] = field(default_factory=list)
    shown: dict[StopId, Stop] = field(default_factory=dict)
    current: dict[int, StopId] = field(default_factory=dict)

    def see(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Announce(stop):
                    assert self.current.get(stop.thread) != stop.id, "the same thing was shown twice"
                    assert stop.id not in self.silent
                    self.shown[stop.id] = stop
                    self.current[stop.thread] = stop.id
                case Leave(thread, level):
                    del self.shown[(thread, level)]
                    self.current.pop(thread, None)
                case Describe():
                    self.asked.append(effect)
                case AbortRequest(thread, level):
                    assert (thread, level) in self.silent

    def enter(self, thread: int, silent: bool) -> None:
        if self.depth.get(thread, 0) and (thread, self.depth[thread]) in self.silent:
            return  # Swank's thread is being aborted there
        level = self.depth[thread] = self.depth.get(thread, 0) + 1
        if silent:
            self.silent.add((thread, level))
        self.see(self.debugger.entered(thread, level, silent=silent))

    def repeat(self, thread: int) -> None:
        if level := self.depth.get(thread, 0):
            silent = (thread, level) in self.silent
            self.see(self.debugger.entered(thread, level, silent=silent))

    def leave(self, thread: int, levels: int, then_say: int) -> None:
        for _ in range(min(levels, self.depth.get(thread, 0))):
            level = self.depth[thread]
            self.see(self.debugger.left(thread, level))
            self.silent.discard((thread, level))
            self.depth[thread] -= 1
        for _ in range(then_say):
            self.repeat(thread)

    def answer(self, index: int) -> None:
        if self.asked:
            effect = self.asked.pop(index % len(self.asked))
            self.see(self.debugger.described(effect.visit, _stop(effect.thread, effect.level)))

    def check(self) -> None:
        assert self.shown == self.debugger.stops
        for thread, level in self.shown:
            assert level <= self.depth.get(thread, 0)
            assert (thread, level) not in self.silent

    def settle(self) -> None:
        """Let Swank say where every thread is and let every question be answered."""
        for thread in self.depth:
            self.repeat(thread)
        while self.asked:
            self.answer(0)
        self.check()
        for thread, level in self.depth.items():
            if level and (thread, level) not in self.silent:
                assert self.debugger.waiting(thread, level) is not None


_thread = st.integers(1, 3)
_step = st.one_of(
    st.tuples(st.just("enter"), _thread, st.booleans()),
    st.tuples(st.just("repeat"), _thread),
    st.tuples(st.just("leave"), _thread, st.integers(1, 4), st.integers(0, 2)),
    st.tuples(st.just("answer"), st.integers(0, 5)),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(_step, max_size=40))
def test_what_is_shown_follows_what_is_true_in_every_order(steps: list[tuple[str, int]]) -> None:
    world = World()
    for name, *arguments in steps:
        getattr(world, name)(*arguments)
        world.check()
    world.settle()
    world.see(world.debugger.lost())
    assert world.shown == {}


def test_a_stop_is_read_from_what_the_image_says() -> None:
    form = [
        ["DIVISION-BY-ZERO", "é", [[Symbol(":ansi-cl"), Symbol(":section"), [12, 1]]]],
        [
            [0, "USE-VALUE", "Use it", ["A", "&OPTIONAL", "B", "&KEY", "C"], True],
            [1, "ABORT", "Leave", None, None],
        ],
        [[0, "(F 1)", True, [Symbol(":error"), "nowhere"]]],
        7,
        "eval_1",
        "",
        "CL-USER",
        None,
        None,
        12,
    ]
    stop = read_stop(3, 1, form).located([None])
    assert stop.condition == Condition("DIVISION-BY-ZERO", "é", ("ANSI Common Lisp, section 12.1",))
    assert stop.restarts[0].arguments == (
        RestartArgument("A", "required"),
        RestartArgument("B", "optional"),
        RestartArgument("C", "key"),
    )
    assert (stop.restarts[0].interactive, stop.restarts[1].arguments) == (True, ())
    assert (stop.frames[0].description, stop.frame_count, stop.evaluation) == ("(F 1)", 7, "eval_1")
    assert stop.number == 12


def test_references_in_words() -> None:
    form = [[Symbol(":sbcl"), Symbol(":node"), "Package Locks"], [Symbol(":other"), "x"]]
    assert read_references(form) == ("SBCL manual, node Package Locks", "other, x")

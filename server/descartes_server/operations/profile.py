"""A profile as data: stacks that were sampled, what they add up to, and speedscope's file of them.

Pure: nothing is read, written or asked here. The picture is `flame_graph`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

OUTSIDE = "descartes-boot::call-user-code"
"""The frame below which an evaluation's own begin; see `lisp/evaluate.lisp`."""
EVALUATOR = frozenset(["sb-int:simple-eval-in-lexenv", "eval", "common-lisp:eval", "sb-impl::%simple-eval"])
THREAD_BASE = frozenset(["new_thread_trampoline", "funcall1", "call_into_lisp_", "sb-thread::run"])
SCHEMA = "https://www.speedscope.app/file-format-schema.json"


@dataclass(frozen=True)
class Stack:
    """COUNT samples of a thread that were in FRAMES, names, the outermost first."""

    thread: int
    thread_name: str
    frames: tuple[str, ...]
    count: int


@dataclass(frozen=True)
class Function:
    """A function: SELF samples were in itself, TOTAL in it or in what it called."""

    name: str
    self: int
    total: int


@dataclass(frozen=True)
class Profile:
    """What was sampled. INTERVAL_US lies between two samples of one thread."""

    mode: str
    elapsed_us: int
    interval_us: int
    stacks: tuple[Stack, ...]

    @property
    def samples(self) -> int:
        return sum(stack.count for stack in self.stacks)


def from_image(answer: Mapping[str, Any], threads: Iterable[int] | None = None) -> Profile:
    """Return the profile in the image's ANSWER, of THREADS or of all, without the frames around user code."""
    names = answer["frames"]
    wanted = None if threads is None else set(threads)
    stacks = Counter[tuple[int, str, tuple[str, ...]]]()
    for each in answer["stacks"]:
        if wanted is None or each["thread"] in wanted:
            whole = [names[number] for number in each["frames"]]
            if is_only_around(whole):
                continue
            frames = own_frames(whole)
            stacks[(each["thread"], each["name"], frames)] += each["count"]
    found = tuple(Stack(thread, name, frames, count) for (thread, name, frames), count in stacks.items())
    return Profile(answer["mode"], answer["elapsedUs"], answer["intervalUs"], found)


def is_only_around(frames: Sequence[str]) -> bool:
    """Return whether FRAMES are Swank's or ours at work on a request, and nothing of the user's."""
    served = any(name.startswith(("swank::", "swank/", "(flet swank", "descartes-")) for name in frames)
    return served and not any(OUTSIDE in name for name in frames)


def own_frames(frames: Sequence[str]) -> tuple[str, ...]:
    """Return FRAMES without what Swank, the evaluator and the thread itself put around the user's code.

    Example: ["sb-thread::run", "descartes-boot::call-user-code", "common-lisp:eval", "f"] -> ("f",)
    """
    start = 0
    for index, name in enumerate(frames):
        if OUTSIDE in name:
            start = index + 1
    if start:
        while start < len(frames) and (frames[start] in EVALUATOR or "descartes-boot" in frames[start]):
            start += 1
    else:
        while start < len(frames) and _is_thread_base(frames[start]):
            start += 1
    return tuple(frames[start:]) or tuple(frames[-1:]) or ("elsewhere",)


def _is_thread_base(name: str) -> bool:
    return name in THREAD_BASE or name.endswith(":in sb-thread::run)")


def flat(profile: Profile) -> list[Function]:
    """Return every function with its samples, those that took most themselves first."""
    own, total = Counter[str](), Counter[str]()
    for stack in profile.stacks:
        own[stack.frames[-1]] += stack.count
        for name in set(stack.frames):
            total[name] += stack.count
    functions = [Function(name, own[name], total[name]) for name in total]
    return sorted(functions, key=lambda each: (-each.self, -each.total, each.name))


def speedscope(profile: Profile, title: str) -> dict[str, Any]:
    """Return PROFILE as a file of speedscope: one sampled profile for each thread.

    Source: jlfwong/speedscope, `src/lib/file-format-spec.ts`.
    """
    numbers: dict[str, int] = {}
    for stack in profile.stacks:
        for name in stack.frames:
            numbers.setdefault(name, len(numbers))
    threads: dict[int, list[Stack]] = {}
    for stack in sorted(profile.stacks, key=lambda each: each.frames):
        threads.setdefault(stack.thread, []).append(stack)
    return {
        "$schema": SCHEMA,
        "version": "0.0.1",
        "name": title,
        "exporter": "descartes",
        "activeProfileIndex": 0,
        "shared": {"frames": [{"name": name} for name in numbers]},
        "profiles": [_of_thread(profile, stacks, numbers) for _, stacks in sorted(threads.items())]
        or [_of_thread(profile, [], numbers)],
    }


def _of_thread(profile: Profile, stacks: Sequence[Stack], numbers: Mapping[str, int]) -> dict[str, Any]:
    """In the mode `alloc` a sample is an allocation, which has no length of time."""
    in_time = profile.mode != "alloc"
    weight = profile.interval_us if in_time else 1
    name = f"{stacks[0].thread_name or 'thread'} ({stacks[0].thread})" if stacks else "no samples"
    return {
        "type": "sampled",
        "name": name,
        "unit": "microseconds" if in_time else "none",
        "startValue": 0,
        "endValue": sum(stack.count for stack in stacks) * weight,
        "samples": [[numbers[frame] for frame in stack.frames] for stack in stacks],
        "weights": [stack.count * weight for stack in stacks],
    }

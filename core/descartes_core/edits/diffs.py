"""The unified diff of edits whose places are known: linear, and about exactly those places. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import accumulate

from descartes_core.edits.places import Edit, Lines, applied

CONTEXT = 3
NO_NEWLINE = "\\ No newline at end of file\n"


@dataclass
class Block:
    """The lines from FIRST up to, not including, STOP, which EDITS change."""

    first: int
    stop: int
    edits: list[Edit] = field(default_factory=list)


def unified(path: str, content: str, edits: Sequence[Edit]) -> Iterator[str]:
    """Yield the diff that EDITS, in order, make of CONTENT of the file PATH: its head, then each hunk.

    Example: "".join(unified("a", "x\\n", [Edit(0, 1, "y")])) ends with "@@ -1 +1 @@\\n-x\\n+y\\n"
    """
    tab = "\t" if " " in path else ""  # as git has it, so that the name has an end
    yield f"--- a/{path}{tab}\n+++ b/{path}{tab}\n"
    lines, moved = Lines(content), 0
    for blocks in _near(_blocks(lines, edits)):
        text, delta = _hunk(lines, blocks, moved)
        moved += delta
        yield text


def of_texts(path: str, before: str, after: str) -> Iterator[str]:
    """Yield the diff of two texts of the file PATH whose edits are not known, as `unified` does."""
    old, new = _split(before), _split(after)
    head = _alike(old, new)
    tail = _alike(old[head:][::-1], new[head:][::-1])
    one, other = ([0, *accumulate(map(len, lines))] for lines in (old, new))
    # Between what is the same at both ends: comparing is quadratic at its worst.
    same = SequenceMatcher(None, old[head : len(old) - tail], new[head : len(new) - tail])
    edits = [
        Edit(one[head + first], one[head + last], after[other[head + start] : other[head + end]])
        for what, first, last, start, end in same.get_opcodes()
        if what != "equal"
    ]
    return unified(path, before, edits)


def _alike(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many of the first lines are the same in ONE and OTHER."""
    pairs = zip(one, other, strict=False)
    return next((n for n, (line, its) in enumerate(pairs) if line != its), min(len(one), len(other)))


def _blocks(lines: Lines, edits: Sequence[Edit]) -> list[Block]:
    """Return the stretches of whole lines that EDITS change, none next to another."""
    found: list[Block] = []
    for edit in edits:
        first, stop = _touched(lines, edit)
        if found and first <= found[-1].stop:
            found[-1].stop = max(found[-1].stop, stop)
            found[-1].edits.append(edit)
        else:
            found.append(Block(first, stop, [edit]))
    return found


def _touched(lines: Lines, edit: Edit) -> tuple[int, int]:
    first, last = lines.of(edit.start), lines.of(edit.end)
    begins_line = lines.start(last) == edit.end
    whole = edit.new.endswith("\n") or (not edit.new and lines.start(first) == edit.start)
    if begins_line and whole:
        return first, last  # what is in the line behind stays as it is
    return first, last + 1


def _near(blocks: Sequence[Block]) -> Iterator[list[Block]]:
    """Yield BLOCKS in groups whose context overlaps."""
    group: list[Block] = []
    for block in blocks:
        if group and block.first - group[-1].stop > 2 * CONTEXT:
            yield group
            group = []
        group.append(block)
    if group:
        yield group


def _hunk(lines: Lines, blocks: Sequence[Block], moved: int) -> tuple[str, int]:
    """Return the hunk of BLOCKS, and how many lines more there are behind it; MOVED by those before it."""
    ends = len(lines.starts) - (lines.starts[-1] == len(lines.content))
    first, stop = max(blocks[0].first - CONTEXT, 0), min(blocks[-1].stop + CONTEXT, ends)
    told: list[str] = []
    old = new = 0
    at = first
    for block in blocks:
        told += _told(" ", kept := _lines(lines, at, block.first))
        removed, added = _lines(lines, block.first, block.stop), _new_lines(lines, block)
        told += [*_told("-", removed), *_told("+", added)]
        old, new = old + len(kept) + len(removed), new + len(kept) + len(added)
        at = block.stop
    told += _told(" ", kept := _lines(lines, at, stop))
    old, new = old + len(kept), new + len(kept)
    head = f"@@ -{_range(first, old)} +{_range(first + moved, new)} @@\n"
    return head + "".join(told), new - old


def _lines(lines: Lines, first: int, stop: int) -> list[str]:
    return _split(lines.content[lines.start(first) : lines.start(stop)])


def _new_lines(lines: Lines, block: Block) -> list[str]:
    start, end = lines.start(block.first), lines.start(block.stop)
    moved = [Edit(each.start - start, each.end - start, each.new) for each in block.edits]
    return _split(applied(lines.content[start:end], moved))


def _split(text: str) -> list[str]:
    return [f"{line}\n" for line in text.split("\n")[:-1]] + (
        [last] if (last := text.rpartition("\n")[2]) else []
    )


def _told(sign: str, lines: Sequence[str]) -> list[str]:
    return [sign + (line if line.endswith("\n") else f"{line}\n{NO_NEWLINE}") for line in lines]


def _range(first: int, count: int) -> str:
    if count == 1:
        return str(first + 1)
    return f"{first + 1 if count else first},{count}"

"""A flame graph as one SVG file that any browser shows: what called what, as wide as it took.

The outermost call is at the bottom. A click on a box makes it as wide as the picture, a second one on the
lowest box brings everything back; resting the mouse on a box tells its name and share. Colours follow from
names, so that two pictures of the same program can be compared; the ground is the reader's light or dark.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape

from descartes_server.ide.svg import FONT, LETTER, counted, cut
from descartes_server.operations.profile import Profile

WIDTH = 1200
ROW = 19
MARGIN = 12
HEAD = 62
FOOT = 30
SMALLEST = 0.6
"""Pixels: narrower boxes are left out, as nobody could see or hit them."""


@dataclass
class Box:
    """A function in one place of the tree: COUNT samples, OWN of them in it alone."""

    name: str
    count: int = 0
    own: int = 0
    inner: dict[str, Box] = field(default_factory=dict)


@dataclass(frozen=True)
class _Placed:
    box: Box
    x: float
    width: float
    depth: int


def tree(profile: Profile) -> Box:
    """Return the calls of PROFILE as a tree, all threads together."""
    root = Box("all")
    for stack in profile.stacks:
        root.count += stack.count
        box = root
        for name in stack.frames:
            box = box.inner.setdefault(name, Box(name))
            box.count += stack.count
        box.own += stack.count
    return root


def svg(profile: Profile, title: str) -> str:
    """Return the flame graph of PROFILE under TITLE. Example: svg(profile, "(fib 30)") -> "<svg …"."""
    root = tree(profile)
    placed = list(_placed(root, 0.0, float(WIDTH - 2 * MARGIN), 0)) if root.count else []
    rows = max((each.depth for each in placed), default=0) + 1
    height = HEAD + rows * ROW + FOOT
    boxes = "\n".join(_drawn(each, root.count, rows) for each in placed)
    nothing = "" if placed else f'<text x="{WIDTH // 2}" y="{HEAD + 14}" class="c">No samples.</text>'
    return _PAGE.format(
        width=WIDTH,
        height=height,
        title=escape(cut(title, 120)),
        facts=escape(_facts(profile)),
        middle=WIDTH // 2,
        foot=height - 10,
        margin=MARGIN,
        inside=WIDTH - 2 * MARGIN,
        letter=LETTER,
        font=FONT,
        boxes=boxes + nothing,
    )


def _placed(box: Box, x: float, width: float, depth: int) -> Iterator[_Placed]:
    """Yield BOX and what is in it, by name from left to right; not recursive, stacks may be deep."""
    pending = [_Placed(box, x, width, depth)]
    while pending:
        each = pending.pop()
        yield each
        left = each.x
        for name in sorted(each.box.inner):
            inner = each.box.inner[name]
            wide = each.width * inner.count / each.box.count
            if wide >= SMALLEST:
                pending.append(_Placed(inner, left, wide, each.depth + 1))
            left += wide


def _drawn(placed: _Placed, total: int, rows: int) -> str:
    box = placed.box
    y = HEAD + (rows - 1 - placed.depth) * ROW
    room = int((placed.width - 6) / LETTER)
    label = f'<text x="{MARGIN + placed.x + 3:.1f}" y="{y + 13}">{escape(_short(box.name, room))}</text>'
    tip = f"{box.name}\n{_share(box.count, total)}"
    if box.own and box.own != box.count:
        tip += f"\nin itself {_share(box.own, total)}"
    return (
        f'<g class="b" data-n="{escape(_bare(box.name))}"><title>{escape(tip)}</title>'
        f'<rect x="{MARGIN + placed.x:.1f}" y="{y}" width="{max(placed.width - 0.5, 0.3):.1f}"'
        f' height="{ROW - 1}" fill="{colour(box.name)}" rx="1.5"/>{label}</g>'
    )


def _share(count: int, total: int) -> str:
    return f"{counted(count, 'sample')}, {100 * count / total:.1f} %"


def colour(name: str) -> str:
    """Return the colour of NAME, always the same: warm for a program's own, cool for the Lisp's."""
    digest = hashlib.sha256(name.encode()).digest()
    if name == "all":
        return "hsl(40,25%,86%)"
    if _is_of_lisp(name):
        return f"hsl({195 + digest[0] % 40},{35 + digest[1] % 20}%,{76 + digest[2] % 8}%)"
    return f"hsl({8 + digest[0] % 42},{70 + digest[1] % 18}%,{66 + digest[2] % 9}%)"


def _is_of_lisp(name: str) -> bool:
    bare = name.lstrip("(").removeprefix("flet ").removeprefix("labels ").removeprefix("lambda ")
    inside = bare.rpartition(":in ")[2]
    prefixes = ("sb-", "common-lisp:", "swank", "descartes-")
    return inside.startswith(prefixes) or ":" not in inside


_PACKAGE = re.compile(r"(?<![^\s(])[^\s():]+::?(?=[^\s:])")
_INNER = re.compile(r"\((?P<what>flet|labels|lambda|macrolet) ?(?P<name>.*) :in (?P<outer>.+)\)")


def _bare(name: str) -> str:
    """Return NAME without packages, which most boxes have no room for.

    Example: `zoo::feed` -> `feed`; `(flet zoo::g :in zoo::f)` -> `g in f`; `(lambda (x) :in zoo::f)` ->
    `lambda in f`
    """
    bare = _PACKAGE.sub("", name)
    inner = _INNER.fullmatch(bare)
    if inner is None:
        return bare
    what = "lambda" if inner["what"] == "lambda" else inner["name"]
    return f"{what} in {inner['outer']}"


def _short(name: str, room: int) -> str:
    text = _bare(name)
    if room < 3:
        return ""
    return cut(text, room)


def _facts(profile: Profile) -> str:
    units = {"cpu": "of processor time", "time": "of time", "alloc": "of allocation"}
    threads = len({stack.thread for stack in profile.stacks})
    facts = [
        f"{counted(profile.samples, 'sample')} {units.get(profile.mode, '')}",
        f"{profile.elapsed_us / 1_000_000:.2f} s in all",
        *([counted(threads, "thread")] if threads > 1 else []),
        "blue: of the Lisp itself",
    ]
    return " · ".join(facts)


_PAGE = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"
 font-family="{font}" font-size="11.5">
<style>
.t {{ font-size: 17px; font-weight: 600; }}
.t {{ fill: #22262b; }}
.s {{ fill: #666; }}
.p {{ fill: #fdfcfa; }}
.c {{ text-anchor: middle; }}
.b {{ cursor: pointer; }}
.b text {{ pointer-events: none; fill: #1c1c1c; }}
.b:hover rect {{ stroke: #222; stroke-width: 1; }}
.dim rect {{ opacity: .45; }}
@media (prefers-color-scheme: dark) {{ .p {{ fill: #1d2025; }} .t {{ fill: #e6e4df; }}
 .s, .c {{ fill: #9aa1ab; }}
 .b rect {{ filter: brightness(.88); }} .b:hover rect {{ stroke: #fff; }} }}
</style>
<rect class="p" width="100%" height="100%"/>
<text class="t" x="{margin}" y="26">{title}</text>
<text class="s" x="{margin}" y="46">{facts}</text>
<g id="boxes">
{boxes}
</g>
<text class="s" id="note" x="{margin}" y="{foot}">Rest the mouse on a box for its share; \
click to enlarge it, click the lowest box for everything.</text>
<script><![CDATA[
(function () {{
  var boxes = Array.prototype.slice.call(document.querySelectorAll(".b"));
  var left = {margin}, inside = {inside}, letter = {letter}, note = document.getElementById("note");
  var said = note.textContent;
  boxes.forEach(function (box) {{
    var rect = box.querySelector("rect");
    box.x = +rect.getAttribute("x"); box.w = +rect.getAttribute("width"); box.y = +rect.getAttribute("y");
    box.addEventListener("click", function () {{ enlarge(box); }});
    box.addEventListener("mouseenter", function () {{
      note.textContent = box.querySelector("title").textContent.split("\\n").join(" · ");
    }});
    box.addEventListener("mouseleave", function () {{ note.textContent = said; }});
  }});
  function place(box, x, width) {{
    var rect = box.querySelector("rect"), text = box.querySelector("text");
    rect.setAttribute("x", x); rect.setAttribute("width", Math.max(width, 0.3));
    var room = Math.floor((width - 6) / letter), name = box.getAttribute("data-n");
    text.setAttribute("x", x + 3);
    text.textContent = room < 3 ? "" : name.length <= room ? name : name.slice(0, room - 1) + "\\u2026";
  }}
  function enlarge(chosen) {{
    var scale = inside / (chosen.w + 0.5);
    boxes.forEach(function (box) {{
      var below = box.y > chosen.y && box.x <= chosen.x + 0.2 && box.x + box.w >= chosen.x + chosen.w - 0.2;
      var within = box.y <= chosen.y && box.x >= chosen.x - 0.2 && box.x + box.w <= chosen.x + chosen.w + 0.7;
      box.style.display = below || within ? "" : "none";
      box.setAttribute("class", below && box !== chosen ? "b dim" : "b");
      if (below) place(box, left, inside);
      else if (within) place(box, left + (box.x - chosen.x) * scale, (box.w + 0.5) * scale - 0.5);
    }});
  }}
}})();
]]></script>
</svg>
"""
